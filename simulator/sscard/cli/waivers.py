"""The waivers of ``sscard run``: which file, what is written into it, what is said about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sscard.cli.accepted import print_changes
from sscard.cli.output import check_output
from sscard.cli.target import tell
from sscard.cli.usage import given_names
from sscard.errors import InputError
from sscard.i18n.language import _
from sscard.i18n.phrase import Phrase

if TYPE_CHECKING:
    from rich.console import Console

    from sscard.scenario import Scenario, ScenarioResult
    from sscard.scenario.reports.run import Run
    from sscard.scenario.testbed.file import Testbed
    from sscard.scenario.waiver_entries import WaiverAcceptance
    from sscard.scenario.waiving import Waivers


class Waiving:
    """The waivers of a run, none without a file; with ``accept`` on a card under test the run adds to them.

    Errors: ``InputError`` for a file that cannot be used, and for options that do not fit.
    """

    def __init__(self, file: Path | None, on_card: Testbed | None, ticket: str, reason: str, *, accept: bool) -> None:
        self.path = file
        self._waivers: Waivers | None = None
        self._acceptance: WaiverAcceptance | None = None
        writes = accept and on_card is not None
        for name, text in (("--ticket", ticket), ("--reason", reason)):
            if name in given_names() and not writes:
                raise InputError(
                    _("{option} is for waivers that a run writes", option=name),
                    remedy=_("use it with --accept and --card or --testbed"),
                )
            if on_card and on_card.card.pin and on_card.card.pin in text:
                raise InputError(
                    _("{option} has the PIN of the card, and waivers hold no PIN", option=name),
                    remedy=_("write the text without it"),
                )
        if self.path is None:
            if writes:
                raise InputError(
                    _("--accept: no waiver file is named"),
                    remedy=_("write waivers: waivers.yaml into the testbed file, or give --waivers FILE"),
                )
            return
        from sscard.scenario.waivers import WaiverFile, read_waivers
        from sscard.scenario.waiving import Waivers

        is_new = writes and not self.path.exists()
        self._waivers = Waivers(WaiverFile(self.path) if is_new else read_waivers(self.path))
        if writes:
            assert on_card is not None
            from sscard.scenario.waiver_entries import WaiverAcceptance

            check_output(self.path, replace=True)
            self._acceptance = WaiverAcceptance(self._waivers, ticket, reason, {on_card.card.pin})

    def check(self, scenarios: Sequence[Scenario]) -> None:
        """``InputError`` for a waiver that does not fit the scenario it names."""
        if self._waivers:
            self._waivers.check(scenarios, complete=False)

    def judge(self, result: ScenarioResult) -> ScenarioResult:
        """The result with its waivers."""
        if self._acceptance:
            return self._acceptance.take(result)
        return self._waivers.judged(result) if self._waivers else result

    def finish(self, console: Console, run: Run, *, whole: bool) -> None:
        """Write the new waivers, print the changes and what is left, and note waivers without a scenario.

        They are counted if the ``whole`` suite ran to its end.
        """
        if self._acceptance is not None:
            self._write(console, self._acceptance)
        if self._waivers and whole and run.complete and (said := self._waivers.say_unused(run.results)):
            tell(said)

    @staticmethod
    def _write(console: Console, accepted: WaiverAcceptance) -> None:
        """Write new waivers, and print the changes and what is left."""
        accepted.write()
        print_changes(console, {accepted.path: accepted.before}, accepted.left)
        if accepted.incomplete:
            tell(
                Phrase.plural(
                    "{file}: write reason: and ticket: of {count} new waiver",
                    "{file}: write reason: and ticket: of {count} new waivers",
                    count=accepted.incomplete,
                    file=str(accepted.path),
                )
            )
