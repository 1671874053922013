"""A run of scenarios as ``sscard run`` shows it: row by row, its reports, and how it ends."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from sscard.cli.chosen import hsm_refusals
from sscard.cli.main import INTERRUPTED
from sscard.cli.target import tell
from sscard.errors import InputError
from sscard.i18n.language import _, say
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.i18n.phrase import Sayable
    from sscard.scenario import Scenario, ScenarioResult
    from sscard.scenario.comparison import Comparison, Earlier
    from sscard.scenario.reports import Reports
    from sscard.scenario.reports.run import Run
    from sscard.scenario.runner import RestoreFailed
    from sscard.scenario.transports import Link


class Running:
    """A run: its results so far, and how it ends.

    ``begun`` is the run before its first result, ``evidence`` the folder of the logs. ``judge`` applies waivers to a
    result. Errors: ``InputError``.
    """

    def __init__(
        self,
        console: Console,
        scenarios: list[Scenario],
        maxfail: int | None,
        reports: Reports,
        begun: Run,
        evidence: Path | None,
        judge: Callable[[ScenarioResult], ScenarioResult],
    ) -> None:
        from sscard.scenario.reports.evidence import Evidence

        self.results: list[ScenarioResult] = []
        self._console = console
        self._scenarios = scenarios
        self._left = maxfail or -1
        self._stopped: RestoreFailed | None = None
        self._reports = reports
        self._judge = judge
        self._begun = begun
        self.facts: dict[str, Sayable] = {**begun.facts}
        """Further facts about the environment, by the names of ``LABELS``."""
        self._seconds = 0.0
        self._earlier = ""
        self._comparison: Comparison | None = None
        self._evidence: Evidence | None = None
        if evidence:
            self._evidence = Evidence(evidence)
            reports.append(self._evidence)

    def run(self, opening: AbstractContextManager[Link]) -> None:
        """Run the scenarios and add the result of each as it ends, until a card under test cannot be restored."""
        from sscard.scenario.reports.console import ConsoleReport
        from sscard.scenario.runner import RestoreFailed
        from sscard.scenario.transports import each_result

        shown = ConsoleReport(self._console, self._begun.planned, seeds=len(self._begun.seeds) > 1)
        try:
            with (
                hsm_refusals(),
                opening as link,
                closing(each_result(self._scenarios, self._begun.seeds, link)) as coming,
                shown,
            ):
                self._reports.begin(self.ended())
                for scenario in (scenario for scenario in self._scenarios for _seed in self._begun.seeds):
                    shown.begin(scenario)
                    try:
                        result = next(coming)
                    except RestoreFailed as error:
                        if error.result is None:
                            raise
                        self._stopped, result = error, error.result
                    result = self._reports.add(self._judge(result))
                    self.results.append(result)
                    shown.add(result)
                    self._left -= not result.passed
                    if not self._left or self._stopped:
                        return
        finally:
            self._seconds = shown.seconds

    def report(
        self, earlier: Earlier | None, known: list[Scenario], covered_over: str | None, *, as_json: bool
    ) -> None:
        """Print the summary, the coverage over a transport if it is asked for, and with ``as_json`` the results."""
        from sscard.scenario.reports import json
        from sscard.scenario.reports.console import print_summary
        from sscard.scenario.reports.summary import print_comparison, print_failures

        print_failures(self._console, self.results)
        if earlier:
            self._earlier, self._comparison = earlier.file, earlier.compared(self.results, known)
            print_comparison(self._console, self._comparison, earlier)
        print_summary(self._console, self.results, self._seconds)
        if covered_over:
            from sscard.scenario.coverage.measure import coverage_of
            from sscard.scenario.reports.coverage import text_lines

            click.echo("\n".join(["", *text_lines(coverage_of(self.results, covered_over))]), err=as_json)
        if as_json:
            click.echo(json.write(self.ended()), nl=False)

    def ended(self) -> Run:
        """The run up to now, as reports show it."""
        return replace(
            self._begun,
            results=self.results,
            seconds=self._seconds,
            facts=self.facts,
            comparison=self._comparison,
            earlier=self._earlier,
            evidence=str(self._evidence.folder) if self._evidence else "",
            logs=tuple(self._evidence.logs) if self._evidence else (),
        )

    def say_incomplete(self) -> None:
        """Say how far the run came before an error that ends it."""
        if len(self.results) < self._begun.planned:
            tell(
                Phrase.plural(
                    "the run ended after {done} of {count} scenario",
                    "the run ended after {done} of {count} scenarios",
                    done=len(self.results),
                    count=self._begun.planned,
                )
            )

    def exit(self) -> None:
        """End with the exit code of the run, if it is not 0. ``InputError`` if nothing was run on a card."""
        done = len(self.results)
        if self._stopped:
            self.say_incomplete()
            raise self._stopped
        if not self._scenarios:
            tell(_("interrupted before the first scenario"))
            raise SystemExit(INTERRUPTED)
        if done < self._begun.planned and not self._left:
            tell(_("stopped at a failure after {done} of {count} scenarios", done=done, count=self._begun.planned))
        elif done < self._begun.planned:
            end_interrupted(done, self._begun.planned)
        if "kind" in self.facts and all(result.scenario.misfit for result in self.results):
            raise InputError(
                _("no scenario was run on the card, which claims nothing: {kind}", kind=say(self.facts["kind"])),
                remedy=_("name scenarios of raw commands that begin with power_on:"),
            )
        if not all(result.passed for result in self.results):
            raise SystemExit(1)


def end_interrupted(done: int, planned: int) -> NoReturn:
    """Say after how many scenarios Ctrl-C ended a command, and end it."""
    tell(
        Phrase.plural(
            "interrupted after {done} of {count} scenario",
            "interrupted after {done} of {count} scenarios",
            count=planned,
            done=done,
        )
    )
    raise SystemExit(INTERRUPTED)
