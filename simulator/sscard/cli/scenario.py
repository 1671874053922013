"""``sscard scenario new|check|list|explain|verbs|schema``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.formatter import terminal_width
from sscard.cli.options import force_option, json_option, paths_argument
from sscard.cli.output import check_output, error_entry, print_json
from sscard.cli.types import FILE, Text
from sscard.cli.usage import argument, excluding, group, option
from sscard.errors import InputError, suggestion
from sscard.i18n.language import N_, _, say, visible, visible_lines
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from sscard.scenario import Scenario


@group("scenario")
def scenario() -> None:
    """Write scenarios: start, check, list and explain them."""


@scenario.command("new")
@argument("path", metavar=N_("FILE"), type=FILE, required=False, help=N_("The scenario file. Default: scenario.yaml."))
@option(
    "--project",
    type=FILE,
    metavar=N_("FOLDER"),
    help=N_("Write a project instead: a suite, its schema, the configuration of pytest, and CI files."),
)
@force_option
def new(path: Path | None, project: Path | None, force: bool) -> None:
    """Write a scenario that passes, to begin with, or a project with one.

    The project runs with sscard run and with pytest; its CI files are for GitHub and GitLab.
    """
    import json

    from sscard.files import make_folder, write_text
    from sscard.scenario.schema import scenario_schema
    from sscard.scenario.start import SUITE, new_project, new_scenario

    if project is None:
        path = path or Path("scenario.yaml")
        files = {path: new_scenario()}
    elif path is not None:
        raise excluding("FILE", "--project")
    else:
        texts = new_project(json.dumps(scenario_schema(), ensure_ascii=False, indent=1) + "\n")
        files = {project / name: text for name, text in texts.items()}
    for file in files:
        if project is not None:
            make_folder(file.parent)
        check_output(file, replace=force)
    for file, text in files.items():
        write_text(file, text)
        click.echo(str(file))
    click.echo(_("run it with: {command}", command=f"sscard run {project / SUITE if project else path}"))


@scenario.command("check")
@paths_argument
@json_option
def check(paths: tuple[Path, ...], as_json: bool) -> None:
    """Check scenario files without running them, and report every error.

    Each error has the form FILE:LINE:COLUMN: PROBLEM, with the remedy below it.
    Exits 2 if there is one.
    """
    from sscard.scenario.library import each_scenario_of, find_files

    errors: list[InputError] = []
    files = scenarios = runs = 0  # a file is one scenario, however many runs its personalities and rows make
    for path in paths or [None]:
        try:
            found = find_files([path] if path else [])
        except InputError as error:
            errors.append(error)
            continue
        files += len(found)
        for file in found:
            mine: list[InputError] = []
            found_runs = sum(1 for _run in each_scenario_of([file], report=mine.append))
            runs += found_runs
            scenarios += found_runs > 0
            errors += sorted(mine, key=lambda each: (each.line, each.column))
    if as_json:
        counts = {"files": files, "scenarios": scenarios, "runs": runs}
        print_json("scenario-check", {**counts, "errors": [*map(error_entry, errors)]})
    else:
        for wrong in errors:
            click.echo(visible_lines(str(wrong)))
        _print_counts(files, _counted(scenarios, runs), len(errors))
    if errors:
        raise SystemExit(2)


def _print_counts(files: int, scenarios: Phrase, errors: int) -> None:
    many = Phrase.plural("{count} file", "{count} files", count=files)
    if errors:
        wrong = Phrase.plural("{count} error", "{count} errors", count=errors)
        click.echo(_("{files}: {errors}", files=many, errors=wrong))
        return
    click.echo(_("{files}, {scenarios}: no errors", files=many, scenarios=scenarios))


def _names(scenarios: list[Scenario]) -> int:
    """A file is one scenario, however many runs its personalities and rows make."""
    return len({each.source for each in scenarios})


@scenario.command("list")
@paths_argument
@json_option
def list_(paths: tuple[Path, ...], as_json: bool) -> None:
    """List scenarios with what they prove, their personalities, tags and marks."""
    from sscard.scenario.library import find_scenarios, group_name
    from sscard.scenario.reports.run import SEVERITIES
    from sscard.scenario.tables import identity

    scenarios = find_scenarios(paths)
    by_file: dict[str, list[Scenario]] = {}
    for each in scenarios:
        by_file.setdefault(each.source, []).append(each)
    if as_json:
        entries = [
            {
                "name": identity(runs[0].own_label),
                "proves": say(runs[0].proves),
                "group": runs[0].group,
                "file": runs[0].source,
                "rows": list(dict.fromkeys(say(run.row) for run in runs if run.row)),
                "personalities": list(dict.fromkeys(run.personality.name for run in runs)),
                "tags": list(runs[0].tags),
                "covers": list(runs[0].covers),
                "severity": runs[0].severity,
                "known_issue": runs[0].known_issue,
                "runs": len(runs),
            }
            for runs in by_file.values()
        ]
        print_json("scenarios", {"scenarios": entries})
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False, width=terminal_width())
    shown = ""
    for number, runs in enumerate(by_file.values()):
        first = runs[0]
        if first.group != shown or not number:
            shown = first.group
            console.print(Text(f"\n{say(group_name(shown))}", style="bold cyan"))
        on = " ".join(dict.fromkeys(run.personality.name for run in runs))
        console.print(Text.assemble("  ", visible(say(first.own_label)), Text(f"  {on}", style="dim")))
        rows = ", ".join(dict.fromkeys(say(run.row) for run in runs if run.row))
        issue = first.known_issue and _("known issue {ticket}", ticket=first.known_issue)
        marks = ", ".join(
            filter(
                None,
                (
                    "" if first.severity == "normal" else say(SEVERITIES[first.severity]),
                    issue,
                    " ".join(first.tags),
                    *first.covers,
                ),
            )
        )
        for line in (say(first.proves), rows and _("rows: {rows}", rows=rows), marks, first.source):
            if line:
                console.print(Text(f"    {visible(line)}", style="dim"))
    console.print(Text(f"\n{say(_counted(_names(scenarios), len(scenarios)))}", style="bold"))


def _counted(names: int, runs: int) -> Phrase:
    return Phrase(
        "{scenarios}, {runs}",
        scenarios=Phrase.plural("{count} scenario", "{count} scenarios", count=names),
        runs=Phrase.plural("{count} run", "{count} runs", count=runs),
    )


@scenario.command("schema")
@option("--report", is_flag=True, help=N_("Print the JSON Schema of the report of sscard run --report json=FILE."))
def schema(report: bool) -> None:
    """Print the JSON Schema of scenario files, for completion in an editor.

    For example write it to scenario.schema.json and begin a scenario with the
    line: # yaml-language-server: $schema=scenario.schema.json
    """
    import json

    from sscard.scenario.reports.json_schema import run_schema
    from sscard.scenario.schema import scenario_schema

    click.echo(json.dumps(run_schema() if report else scenario_schema(), ensure_ascii=False, indent=1))


@scenario.command("explain")
@paths_argument
def explain(paths: tuple[Path, ...]) -> None:
    """Explain scenarios in sentences: their card, and what each step does and expects."""
    from sscard.scenario.explained import explained
    from sscard.scenario.library import find_scenarios

    for each in find_scenarios(paths):
        click.echo(visible(f"{say(each.label)} [{each.personality.name}]"))
        for sentence in explained(each):
            click.echo(f"  {visible(say(sentence))}")
        click.echo()


@scenario.command("verbs")
@argument("verb", metavar=N_("VERB"), type=Text(N_("VERB")), required=False, help=N_("The verb. Default: list all."))
def verbs(verb: str | None) -> None:
    """List the verbs of scenarios, or show the fields, values and defaults of one and what it may expect."""
    from sscard.scenario.reference import common_page, summary, verb_page
    from sscard.scenario.verbs import VERBS

    if verb is None:
        width = max(map(len, VERBS))
        for name, found in VERBS.items():
            click.echo(f"{name:{width}}  {summary(found)}")
        return
    if verb not in VERBS:
        raise InputError(Phrase("no verb {verb!r}", verb=verb), remedy=suggestion(verb, VERBS))
    click.echo(verb_page(VERBS[verb]))
    click.echo(common_page(VERBS[verb]), nl=False)
