"""A run of scenarios as ``sscard run`` shows it: row by row, its reports, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sscard.cli.chosen import hsm_refusals
from sscard.cli.target import tell
from sscard.errors import InputError
from sscard.i18n.language import _, say
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.i18n.phrase import Sayable
    from sscard.issuer import KeyHierarchy
    from sscard.scenario import Scenario, ScenarioResult
    from sscard.scenario.comparison import Comparison, Earlier
    from sscard.scenario.reports import Reports
    from sscard.scenario.reports.run import Run
    from sscard.scenario.runner import RestoreFailed
    from sscard.scenario.transports import Link

INTERRUPTED = 130


class Running:
    """A run: its results so far, and how it ends.

    ``chosen`` and ``keys`` are those of ``Run``; reports have URLs of HSM and card without credentials. ``card``
    identifies a card under test, ``hsm`` is the URL of the HSM of a testbed. ``form`` is the file with what a
    laboratory enters, ``evidence`` the folder of the logs. ``judge`` applies waivers to a result. Errors:
    ``InputError``.
    """

    def __init__(
        self,
        console: Console,
        scenarios: list[Scenario],
        seeds: Sequence[int],
        maxfail: int | None,
        reports: Reports,
        chosen: Mapping[str, str],
        keys: KeyHierarchy | None,
        card: Mapping[str, object] | None,
        form: Path | None = None,
        evidence: Path | None = None,
        judge: Callable[[ScenarioResult], ScenarioResult] = lambda result: result,
        hsm: str = "",
    ) -> None:
        from sscard.scenario.reports.evidence import Evidence
        from sscard.scenario.reports.form_data import FormData, read_form
        from sscard.scenario.reports.run import environment_of
        from sscard.scenario.reports.tested import tested

        self.results: list[ScenarioResult] = []
        self.seeds = seeds
        self._console = console
        self._scenarios = scenarios
        self._left = maxfail or -1
        self._stopped: RestoreFailed | None = None
        self._reports = reports
        self._judge = judge
        self.facts: dict[str, Sayable] = {}
        """Further facts about the environment, by the names of ``LABELS``."""
        self._chosen = {**chosen}
        if hsm := hsm or chosen.get("hsm", ""):
            from sscard.hsm.registry import HSMS

            self.facts["hsm"] = HSMS.shown(hsm)
            self._chosen |= {"hsm": HSMS.shown(hsm)} if "hsm" in chosen else {}
        if "card" in chosen:
            from sscard.terminal.cards import CARDS

            self._chosen["card"] = CARDS.shown(chosen["card"])
        self._command = ["sscard", *sys.argv[1:]]
        for name, value in chosen.items():
            self._command = [word.replace(value, self._chosen[name]) for word in self._command]
        self._started = datetime.now(UTC)
        self._seconds = 0.0
        self._earlier = ""
        self._comparison: Comparison | None = None
        self._form = read_form(form) if form else FormData()
        self._keys = keys
        self._tested = tested(scenarios, seeds, environment_of(self._chosen) | self.facts, keys, card)
        self._evidence: Evidence | None = None
        if evidence:
            self._evidence = Evidence(evidence)
            reports.append(self._evidence)

    def run(self, opening: AbstractContextManager[Link]) -> None:
        """Run the scenarios and add the result of each as it ends, until a card under test cannot be restored."""
        from sscard.scenario.reports.console import ConsoleReport
        from sscard.scenario.runner import RestoreFailed
        from sscard.scenario.transports import each_result

        shown = ConsoleReport(self._console, self._total, seeds=len(self.seeds) > 1)
        try:
            with (
                hsm_refusals(),
                opening as link,
                closing(each_result(self._scenarios, self.seeds, link)) as coming,
                shown,
            ):
                self._reports.begin(self.ended())
                for scenario in (scenario for scenario in self._scenarios for _seed in self.seeds):
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

    @property
    def _total(self) -> int:
        return len(self._scenarios) * len(self.seeds)

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
            print_comparison(self._console, self._comparison, earlier.file)
        print_summary(self._console, self.results, self._seconds)
        if covered_over:
            from sscard.scenario.coverage.measure import coverage_of
            from sscard.scenario.reports.coverage import text_lines

            click.echo("\n".join(["", *text_lines(coverage_of(self.results, covered_over))]), err=as_json)
        if as_json:
            click.echo(json.write(self.ended()), nl=False)

    def ended(self) -> Run:
        """The run up to now, as reports show it."""
        from sscard.scenario.reports.run import Run

        return Run(
            results=self.results,
            seeds=self.seeds,
            planned=self._total,
            started=self._started,
            seconds=self._seconds,
            command=self._command,
            chosen=self._chosen,
            facts=self.facts,
            comparison=self._comparison,
            earlier=self._earlier,
            keys=self._keys,
            tested=self._tested,
            form=self._form,
            evidence=str(self._evidence.folder) if self._evidence else "",
            logs=tuple(self._evidence.logs) if self._evidence else (),
        )

    def say_incomplete(self) -> None:
        """Say how far the run came before an error that ends it."""
        if len(self.results) < self._total:
            tell(_("the run ended after {done} of {count} scenarios", done=len(self.results), count=self._total))

    def exit(self) -> None:
        """End with the exit code of the run, if it is not 0. ``InputError`` if nothing was run on a card."""
        done = len(self.results)
        if self._stopped:
            self.say_incomplete()
            raise self._stopped
        if not self._scenarios:
            tell(_("interrupted before the first scenario"))
            raise SystemExit(INTERRUPTED)
        if done < self._total and not self._left:
            tell(_("stopped at a failure after {done} of {count} scenarios", done=done, count=self._total))
        elif done < self._total:
            tell(
                Phrase.plural(
                    "interrupted after {done} of {count} scenario",
                    "interrupted after {done} of {count} scenarios",
                    count=self._total,
                    done=done,
                )
            )
            raise SystemExit(INTERRUPTED)
        if "kind" in self.facts and all(result.scenario.misfit for result in self.results):
            raise InputError(
                _("no scenario was run on the card, which claims nothing: {kind}", kind=say(self.facts["kind"])),
                remedy=_("name scenarios of raw commands that begin with power_on:"),
            )
        if not all(result.passed for result in self.results):
            raise SystemExit(1)
