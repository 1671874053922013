"""``sscard run``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sscard.cli.accepted import accept_observed
from sscard.cli.chosen import chosen_issuing, hsm_refusals
from sscard.cli.formatter import WIDEST, terminal_width
from sscard.cli.main import INTERRUPTED
from sscard.cli.options import (
    MOST_WORKERS,
    Transport,
    hsm_option,
    hsm_token_option,
    json_option,
    paths_argument,
    roots_option,
    trace_option,
    transport_option,
)
from sscard.cli.output import check_output, check_output_folder, print_json
from sscard.cli.running import Running
from sscard.cli.target import tell
from sscard.cli.testbed import card_link, ordered, under_test
from sscard.cli.types import CARD, FILE, FOLDER, PERSONALITY, SEED, SEEDS, Number, Text
from sscard.cli.usage import command, exclude, given_names, option, shown_command
from sscard.cli.waivers import Waiving
from sscard.errors import InputError
from sscard.i18n.language import N_, _, say
from sscard.scenario import DEFAULT_SEED

if TYPE_CHECKING:
    from sscard.issuer import KeyHierarchy
    from sscard.scenario import Scenario, ScenarioResult
    from sscard.scenario.issuing import Issuing, OwnCards
    from sscard.scenario.reports import Report, Reports
    from sscard.scenario.reports.run import Run
    from sscard.scenario.testbed.file import Testbed
    from sscard.scenario.transports import Link


def report_formats() -> list[str]:
    """The formats of --report, each with its equals sign."""
    from sscard.scenario.reports import REPORTS

    return [f"{name}=" for name in REPORTS.names()]


@command("run")
@paths_argument
@option(
    "-k",
    "expression",
    type=Text(N_("EXPR")),
    help=N_("Select scenarios by words of name, personality, folder, file and tags: 'blocked and not v2-3des'."),
)
@option("--only", "title", type=Text(N_("TITLE")), help=N_("Select the scenario with this title, as reports show it."))
@option("-m", "tags", type=Text(N_("EXPR")), help=N_("Select scenarios by their tags: 'verify and not slow'."))
@option("--last-failed", is_flag=True, help=N_("Select the scenarios that failed in their last run from this folder."))
@option("--list", "only_list", is_flag=True, help=N_("Print the selected scenarios and run none."))
@option("-x", "stop", is_flag=True, help=N_("Stop at the first failure, short for --maxfail 1."))
@option("--maxfail", type=Number(1), help=N_("Stop after N failures."))
@option(
    "-n",
    "workers",
    type=Number(1, MOST_WORKERS),
    help=N_("Processes, or readers with --transport pcsc. The results are the same. Default: 1, or 8 readers."),
)
@option("--seed", type=SEED, default=DEFAULT_SEED, help=N_("Seed of challenges, made-up holders and the clock."))
@option("--seeds", type=SEEDS, help=N_("Run each scenario with each of these seeds."))
@option("--personality", type=PERSONALITY, default="", help=N_("Run all on this personality: a preset or a file."))
@transport_option
@option("--card", type=CARD, default="", help=N_("Run on this card: pcsc:READER, tcp:HOST:PORT, exec:COMMAND, …"))
@option("--testbed", type=FILE, help=N_("Run with the card and HSM of a testbed file."))
@hsm_option
@hsm_token_option
@roots_option
@option("--against", type=FILE, help=N_("Compare with an earlier run: a report of --report json=FILE."))
@option(
    "--report",
    "reports",
    type=Text(N_("FORMAT=FILE"), report_formats, path=r"[\w-]+=(?P<path>.+)"),
    multiple=True,
    help=N_("Write a report: allure (a folder), form, html, junit, json, trace, or the format of a plug-in."),
)
@trace_option
@option("--junit", type=FILE, help=N_("Write the results as JUnit XML."))
@option("--html", type=FILE, help=N_("Write the results and all traces as one HTML page."))
@option("--form", type=FILE, help=N_("YAML file with laboratory, device and operator for --report form=FILE."))
@option("--evidence", type=FOLDER, help=N_("Write a raw log of each scenario into a new folder, with SHA256SUMS."))
@option(
    "--accept",
    is_flag=True,
    help=N_("Write observed values into the scenario files in the place of unmet expectations, and show the changes."),
)
@option("--waivers", type=FILE, help=N_("Waiver file: known failures. Default: the one of the testbed file."))
@option("--ticket", type=Text(N_("TEXT")), default="", help=N_("Ticket of the waivers that --accept writes."))
@option("--reason", type=Text(N_("TEXT")), default="", help=N_("Reason of the waivers that --accept writes."))
@option("--coverage", is_flag=True, help=N_("Print what the scenarios that passed cover, after the summary."))
@json_option
def run(
    paths: tuple[Path, ...],
    expression: str | None,
    title: str | None,
    tags: str | None,
    last_failed: bool,
    only_list: bool,
    stop: bool,
    maxfail: int | None,
    workers: int | None,
    seed: int,
    seeds: tuple[int, ...] | None,
    personality: str,
    transport: Transport,
    card: str,
    testbed: Path | None,
    hsm: str,
    hsm_token: Path | None,
    keys: Path | None,
    against: Path | None,
    reports: tuple[str, ...],
    trace: Path | None,
    junit: Path | None,
    html: Path | None,
    form: Path | None,
    evidence: Path | None,
    accept: bool,
    waivers: Path | None,
    ticket: str,
    reason: str,
    coverage: bool,
    as_json: bool,
) -> None:
    """Run scenarios: the built-in suite, or the given files and folders.

    Exits 1 if a scenario fails or is inconclusive, 2 if no scenario can be run,
    130 on Ctrl-C; then the summary, the reports and the trace cover the
    scenarios that were run. Existing reports and traces are replaced, unless no
    scenario was run. With --json the results are printed as in --report
    json=FILE, and the table goes to standard error. On a card under test,
    --accept writes waivers into the waiver file, not into the scenarios.
    """
    from rich.console import Console

    from sscard.scenario.comparison import Earlier
    from sscard.scenario.issuing import Issuing, OwnCards
    from sscard.scenario.library import input_files
    from sscard.scenario.reports.summary import print_list

    if "--seed" in given_names():
        exclude("--seed", ["--seeds"])
    # A list needs no HSM.
    issued = partial(Issuing, keys) if only_list else partial(chosen_issuing, hsm, keys, hsm_token)
    found = under_test(card, testbed, personality, issued, reports)
    on_card, issuing = None if isinstance(found, OwnCards) else found, found.issuing
    _check_accept(paths, fixed=bool(personality or seeds), accept=accept and not on_card)
    waiving = Waiving(waivers or found.waivers, on_card, ticket, reason, accept=accept)
    select = partial(_select, paths, personality, expression, title, tags, on_card, last_failed=last_failed)
    known, chosen = _none_if_interrupted(select)
    if not known and (accept or only_list):
        tell(_("interrupted before the first scenario"))
        raise SystemExit(INTERRUPTED)
    console = Console(highlight=False, width=min(terminal_width(2 if as_json else 1), WIDEST), stderr=as_json)
    if only_list:
        if as_json:
            print_json("run-list", {"scenarios": list(map(_listed, chosen))})
        else:
            print_list(console, chosen, len(seeds or (seed,)))
        return
    waiving.check(chosen)
    short = [f"{name}={file}" for name, file in (("trace", trace), ("junit", junit), ("html", html)) if file]
    further = (personality, keys, against, form, waiving.path)
    inputs = input_files(paths, known) + [Path(file) for file in further if file]
    files = _opened((*reports, *short), inputs)
    earlier = Earlier(against) if against else None
    if accept and not on_card:
        accept_observed(
            console,
            paths,
            lambda moved: _results(
                selected := select()[1],
                (seed + moved,),
                _link(transport, workers, selected, issuing, events=False),
            ),
        )
        known, chosen = select()
    given = {
        "transport": transport.other,
        "hsm": hsm,
        "hsm-token": hsm_token,
        "keys": keys,
        "personality": personality,
        "card": card,
        "testbed": testbed,
        "waivers": waivers,
    }
    chosen = ordered(on_card, chosen, seeds[0] if seeds else seed) if on_card else chosen
    running = Running(
        console,
        chosen,
        1 if stop else maxfail,
        files,
        _begun(given, chosen, seeds or (seed,), found, form, builtin=not paths),
        evidence,
        waiving.judge,
    )
    try:
        with suppress(KeyboardInterrupt):  # what was done is reported and written like a whole run
            own_card = card_link(on_card, running.facts.update) if on_card else None
            running.run(own_card or _link(transport, workers, chosen, issuing, events=files.need_events))
        running.report(earlier, known, transport if coverage else None, as_json=as_json)
    except BaseException:
        running.say_incomplete()
        raise
    finally:
        whole = len(chosen) == len(known) and all(map(Path.is_dir, paths))
        _finish(files, running, lambda: waiving.finish(console, running.ended(), whole=whole))
    running.exit()


def _begun(
    given: Mapping[str, object],
    scenarios: list[Scenario],
    seeds: Sequence[int],
    found: Testbed | OwnCards,
    form: Path | None,
    *,
    builtin: bool,
) -> Run:
    """The run before its first result, with URLs of HSM and card without credentials. Errors: ``InputError``."""
    from sscard.hsm.registry import HSMS
    from sscard.scenario.issuing import OwnCards
    from sscard.scenario.reports.form_data import FormData, read_form
    from sscard.scenario.reports.run import Run, environment_of
    from sscard.scenario.reports.tested import tested

    chosen = {name: str(value) for name, value in given.items() if value}
    shown = {chosen["hsm"]: HSMS.shown(chosen["hsm"])} if "hsm" in chosen else {}
    if card := chosen.get("card"):
        from sscard.terminal.cards import CARDS

        shown[card] = CARDS.shown(card)
    chosen = {name: shown.get(value, value) for name, value in chosen.items()}
    on_card = None if isinstance(found, OwnCards) else found
    facts = {} if on_card or not found.issuing.hsm else {"hsm": HSMS.shown(found.issuing.hsm)}
    keys = _root_keys(found.issuing, on_card)
    described = on_card.described if on_card else None
    return Run(
        results=(),
        seeds=seeds,
        planned=len(scenarios) * len(seeds),
        started=datetime.now(UTC),
        seconds=0.0,
        command=shown_command(shown),
        chosen=chosen,
        facts=facts,
        keys=keys,
        tested=tested(scenarios, seeds, environment_of(chosen) | facts, keys, described),
        form=read_form(form) if form else FormData(),
        builtin=builtin,
    )


def _finish(reports: Reports, running: Running, write_waivers: Callable[[], None]) -> None:
    """Write what a run leaves behind; a waiver file that cannot be written does not cost the reports."""
    from sscard.scenario.lastfailed import LastFailed

    try:
        write_waivers()
    finally:
        LastFailed().update(running.results)
        reports.finish(running.ended())


def _none_if_interrupted(
    select: Callable[[], tuple[list[Scenario], list[Scenario]]],
) -> tuple[list[Scenario], list[Scenario]]:
    """What ``select`` finds; after Ctrl-C summary, reports and trace are those of a run without a scenario."""
    with suppress(KeyboardInterrupt):
        return select()
    return [], []


def _root_keys(issuing: Issuing, on_card: Testbed | None) -> KeyHierarchy | None:
    """The root keys of the cards, ``None`` if nobody has those of a card under test."""
    from sscard.issuer import builtin_keys, load_keys

    if on_card and (not on_card.has_keys or issuing.only_hsm):
        return None
    return load_keys(issuing.keys) if issuing.keys else builtin_keys()


def _check_accept(paths: Sequence[Path], *, fixed: bool, accept: bool) -> None:
    """``InputError`` for --accept without a file, or with the ``fixed`` personality or seeds of other options."""
    if accept and fixed:
        remedy = _("leave out --personality and --seeds")
        raise InputError(_("--accept writes what the cards of the files do"), remedy=remedy)
    if accept and not paths:
        raise InputError(
            _("--accept: no scenario file is named"),
            remedy=_("name them: {example}", example="sscard run --accept scenarios"),
        )


def _select(
    paths: Sequence[Path],
    personality: str,
    expression: str | None,
    title: str | None,
    tags: str | None,
    on_card: Testbed | None,
    *,
    last_failed: bool,
) -> tuple[list[Scenario], list[Scenario]]:
    """All scenarios of the paths, and those that are selected."""
    from sscard.issuer import find_personality
    from sscard.scenario.lastfailed import LastFailed
    from sscard.scenario.library import find_scenarios, narrow
    from sscard.scenario.selection import select_title

    for name, words in (("-k", expression), ("--only", title), ("-m", tags)):
        if words is not None and not words.strip():
            raise InputError(_("{option} is empty", option=name), remedy=_("without it all scenarios are run"))
    if on_card:
        from sscard.scenario.testbed.plan import scenarios_on

        known = scenarios_on(on_card.claimed, paths)
    else:
        known = find_scenarios(list(paths), find_personality(personality) if personality else None)
    chosen = narrow(select_title(known, title) if title else known, expression or "", tags or "")
    failed = LastFailed().among(chosen) if last_failed else chosen
    if not failed:
        tell(_("No recorded failures: running all scenarios"))
    return known, failed or chosen


def _results(
    scenarios: list[Scenario], seeds: Sequence[int], opening: AbstractContextManager[Link]
) -> list[ScenarioResult]:
    from sscard.scenario.transports import each_result

    with hsm_refusals(), opening as link:
        return list(each_result(scenarios, seeds, link))


def _listed(scenario: Scenario) -> dict[str, object]:
    """A scenario of ``--list`` as JSON."""
    return {
        "name": scenario.name,
        "label": say(scenario.label),
        "group": scenario.group,
        "file": scenario.source,
        "line": scenario.line,
        "personality": scenario.personality.name,
        "tags": list(scenario.tags),
        "severity": scenario.severity,
        "reason": say(scenario.misfit.problem) if scenario.misfit else "",
    }


def _opened(asked: Sequence[str], inputs: Sequence[Path]) -> Reports:
    """The reports that are asked for, their files checked: none is an input or another report."""
    from sscard.scenario.reports import Folder, Reports, report

    files: list[Path] = []
    opened: list[Report] = []
    for each in asked:
        name, __, file = each.partition("=")
        if not file:
            raise InputError(
                _("--report {asked}: no file is named", asked=each), remedy=_("for example --report html=report.html")
            )
        made = report(name, Path(file))
        opened.append(made)
        # A report of the last run is replaced; a report of this run is not.
        if isinstance(made, Folder):
            check_output_folder(Path(file), [*inputs, *files], made.foreign)
        else:
            check_output(Path(file), [*inputs, *files], replace=True)
        files.append(Path(file))
    return Reports(opened)


def _link(
    transport: Transport, workers: int | None, scenarios: list[Scenario], issuing: Issuing, *, events: bool
) -> AbstractContextManager[Link]:
    from sscard.scenario.transports import READERS, in_process, in_workers, through_pcsc

    if transport is Transport.PCSC:
        return through_pcsc(workers or READERS, issuing)
    if workers and workers > 1:
        return in_workers(workers, scenarios, issuing, events=events)
    return in_process(issuing)
