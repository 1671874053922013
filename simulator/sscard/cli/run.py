"""``sscard run``."""

from __future__ import annotations

from contextlib import closing, nullcontext, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.formatter import WIDEST, terminal_width
from sscard.cli.options import json_option, trace_option
from sscard.cli.output import check_output
from sscard.cli.target import tell
from sscard.cli.types import FILE, PERSONALITY, SEED, Text, Words
from sscard.cli.usage import argument, command, option
from sscard.errors import InputError
from sscard.i18n.language import N_, _
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.scenario import Scenario, ScenarioResult
    from sscard.scenario.reports import Report, ReportFiles

DEFAULT_SEED = 1
INTERRUPTED = 130


class Transport(StrEnum):
    """How the terminal reaches the card."""

    LOCAL = "local"
    PCSC = "pcsc"


def report_formats() -> list[str]:
    """The formats of --report, each with its equals sign."""
    from sscard.scenario.reports import REPORTS

    return [f"{name}=" for name in REPORTS.names()]


@command("run")
@argument(
    "paths",
    metavar=N_("PATH"),
    type=FILE,
    nargs=-1,
    help=N_("Scenario files and folders. Default: the built-in suite."),
)
@option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of challenges, made-up holders and the clock."))
@option(
    "--report",
    "reports",
    type=Text(N_("FORMAT=FILE"), report_formats, path=r"[\w-]+=(?P<path>.+)"),
    multiple=True,
    help=N_("Write a report: html, junit, json, trace, or the format of a plug-in."),
)
@trace_option
@option("--junit", type=FILE, help=N_("Write the results as JUnit XML."))
@option("--html", type=FILE, help=N_("Write the results and all traces as one HTML page."))
@option(
    "--transport",
    type=Words(Transport),
    default=Transport.LOCAL,
    help=N_("In this process, or through PC/SC with a private pcscd and virtual readers."),
)
@option(
    "-k",
    "expression",
    type=Text(N_("EXPR")),
    help=N_("Select scenarios, as in: 'blocked and not v2-3des'."),
)
@option("--personality", type=PERSONALITY, default="", help=N_("Run all on this personality: a preset or a file."))
@option("--coverage", is_flag=True, help=N_("Print what the scenarios that passed cover, after the summary."))
@json_option
def run(
    paths: tuple[Path, ...],
    seed: int,
    reports: tuple[str, ...],
    trace: Path | None,
    junit: Path | None,
    html: Path | None,
    transport: Transport,
    expression: str | None,
    personality: str,
    coverage: bool,
    as_json: bool,
) -> None:
    """Run scenarios: the built-in suite, or the given files and folders.

    Exits 1 if a scenario fails, 2 if no scenario can be run, 130 on Ctrl-C; then
    the summary, the reports and the trace cover the scenarios that were run.
    Existing reports and traces are replaced. With --json the results are printed
    as in --report json=FILE, and the table goes to standard error.
    """
    from rich.console import Console

    from sscard.issuer import find_personality
    from sscard.scenario.library import SUFFIXES, builtin_folder, choose_scenarios
    from sscard.scenario.reports import REPORTS, ReportFiles
    from sscard.scenario.reports.console import print_summary

    if expression is not None and not expression.strip():
        raise InputError(_("-k is empty"), remedy=_("run without -k to see them all"))
    scenarios: list[Scenario] = []
    with suppress(KeyboardInterrupt):  # then summary, reports and trace are those of a run without a scenario
        forced = find_personality(personality) if personality else None
        scenarios += choose_scenarios(list(paths), forced, expression or "")
    short = [f"{name}={file}" for name, file in (("trace", trace), ("junit", junit), ("html", html)) if file]
    inputs = [file for path in paths or [builtin_folder()] for file in (path, *path.rglob("*"))]
    inputs = [file for file in inputs if file in paths or file.suffix in SUFFIXES]
    if personality:
        inputs.append(Path(personality))
    writers: list[tuple[Report, Path]] = []
    for asked in (*reports, *short):
        write, file = _report(asked)
        # A report of the last run is replaced; a report of this run is not.
        check_output(file, [*inputs, *(other for _write, other in writers)], replace=True)
        writers.append((write, file))
    files = ReportFiles(writers)
    console = Console(highlight=False, width=min(terminal_width(), WIDEST), stderr=as_json)
    results: list[ScenarioResult] = []
    with suppress(KeyboardInterrupt):  # what was done is reported and written like a whole run
        _run(scenarios, seed, transport, console, files, results)
    print_summary(console, results)
    if coverage:
        from sscard.scenario.coverage.measure import coverage_of
        from sscard.scenario.reports.coverage import text_lines

        click.echo("\n".join(["", *text_lines(coverage_of(results, transport))]), err=as_json)
    if as_json:
        click.echo(REPORTS.find("json")(results, seed), nl=False)
    files.finish(results, seed)
    if not scenarios:
        tell(_("interrupted before the first scenario"))
        raise SystemExit(INTERRUPTED)
    if len(results) < len(scenarios):
        total = len(scenarios)
        tell(
            Phrase.plural(
                "interrupted after {done} of {count} scenario",
                "interrupted after {done} of {count} scenarios",
                count=total,
                done=len(results),
            )
        )
        raise SystemExit(INTERRUPTED)
    if not all(result.passed for result in results):
        raise SystemExit(1)


def _report(asked: str) -> tuple[Report, Path]:
    """A report format and its file."""
    from sscard.scenario.reports import REPORTS

    name, __, file = asked.partition("=")
    if not file:
        raise InputError(
            _("--report {asked}: no file is named", asked=asked), remedy=_("for example --report html=report.html")
        )
    return REPORTS.find(name), Path(file)


def _run(
    scenarios: list[Scenario],
    seed: int,
    transport: Transport,
    console: Console,
    files: ReportFiles,
    results: list[ScenarioResult],
) -> None:
    """Run scenarios and add the result of each as it ends."""
    from sscard.scenario.reports.console import ConsoleReport
    from sscard.scenario.transports import IN_PROCESS, each_result, through_pcsc

    opening = through_pcsc() if transport is Transport.PCSC else nullcontext(IN_PROCESS)
    with (
        opening as link,
        closing(each_result(scenarios, seed, link)) as coming,
        ConsoleReport(console, len(scenarios)) as report,
    ):
        for scenario in scenarios:
            report.begin(scenario)
            results.append(files.add(next(coming), seed))
            report.add(results[-1])
