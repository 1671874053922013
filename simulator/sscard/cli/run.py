"""``sscard run``."""

from __future__ import annotations

from contextlib import closing, nullcontext
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sscard.cli.target import tell
from sscard.errors import InputError
from sscard.i18n.language import _, reason_of

if TYPE_CHECKING:
    from sscard.scenario import Scenario, ScenarioResult
    from sscard.scenario.reports import Report

DEFAULT_SEED = 1
INTERRUPTED = 130


class Transport(StrEnum):
    """How the terminal reaches the card."""

    LOCAL = "local"
    PCSC = "pcsc"


def run(
    paths: Annotated[
        list[Path] | None, typer.Argument(help=_("Scenario files and folders; none: the built-in suite."))
    ] = None,
    seed: Annotated[int, typer.Option(help=_("Fixes challenges, made-up holders and the clock."))] = DEFAULT_SEED,
    report: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FORMAT=FILE",
            help=_("Write a report: html, junit, json, trace, or a plug-in's format; may be repeated."),
        ),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Write every command and answer to FILE, redacted."))
    ] = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Write the results as JUnit XML to FILE."))
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help=_("Write one page with every trace to FILE."))
    ] = None,
    transport: Annotated[
        Transport, typer.Option(help=_("In this process, or through PC/SC with a private pcscd and virtual readers."))
    ] = Transport.LOCAL,
    expression: Annotated[
        str, typer.Option("-k", metavar="EXPR", help=_("Only these, as in: -k 'blocked and not v2-3des'."))
    ] = "",
    personality: Annotated[
        str, typer.Option(metavar="P", help=_("Run all on this personality: a preset or a file."))
    ] = "",
) -> None:
    """Run scenarios: the built-in suite, or the files and folders named.

    Exits 1 if a scenario fails, 2 if nothing can be run, 130 on Ctrl-C: then
    summary, reports and trace hold the scenarios that were run.
    """
    scenarios = _find(paths or [], personality, expression)
    from sscard.scenario.reports import write_reports

    short = [f"{name}={file}" for name, file in (("trace", trace), ("junit", junit), ("html", html)) if file]
    writers = [_report(asked) for asked in (*(report or []), *short)]
    results = _run(scenarios, seed, transport)
    write_reports(writers, results, seed)
    if len(results) < len(scenarios):
        tell(_("interrupted after {done} of {total} scenarios", done=len(results), total=len(scenarios)))
        raise typer.Exit(INTERRUPTED)
    if not all(result.passed for result in results):
        raise typer.Exit(1)


def _report(asked: str) -> tuple[Report, Path]:
    """A report format and its file, which is opened now: an error is better before the run than after it."""
    from sscard.scenario.reports import REPORTS

    name, __, file = asked.partition("=")
    if not file:
        raise InputError(
            _("--report {asked}: no file is named", asked=asked), remedy=_("for example --report html=report.html")
        )
    write = REPORTS.find(name)
    try:
        Path(file).open("a").close()
    except OSError as error:
        raise InputError(_("cannot be written: {reason}", reason=reason_of(error)), file=file) from None
    return write, Path(file)


def _find(paths: list[Path], personality: str, expression: str) -> list[Scenario]:
    from sscard.issuer import find_personality
    from sscard.scenario import builtin_scenarios, find_scenarios
    from sscard.scenario.selection import select

    forced = find_personality(personality) if personality else None
    found = find_scenarios(paths, forced) if paths else builtin_scenarios(forced)
    chosen = select(found, expression) if expression else found
    if not chosen:
        raise InputError(
            _("no scenario fits -k {expression!r}", expression=expression), remedy=_("run without -k to see them all")
        )
    return chosen


def _run(scenarios: list[Scenario], seed: int, transport: Transport) -> list[ScenarioResult]:
    from rich.console import Console

    from sscard.scenario.reports.console import ConsoleReport
    from sscard.scenario.transports import IN_PROCESS, run_scenarios, through_pcsc

    results = []
    opening = through_pcsc() if transport is Transport.PCSC else nullcontext(IN_PROCESS)
    with (
        opening as road,
        closing(run_scenarios(scenarios, seed, road)) as coming,
        ConsoleReport(Console(highlight=False), len(scenarios)) as report,
    ):
        try:
            for scenario in scenarios:
                report.begin(scenario)
                results.append(next(coming))
                report.add(results[-1])
        except KeyboardInterrupt:
            pass  # what was done is reported and written like a whole run
        report.finish()
    return results
