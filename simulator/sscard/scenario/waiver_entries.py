"""Writes waivers for what fails on a card under test into a waiver file, for a person to review."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta
from textwrap import indent
from typing import Any, Final

import yaml

from sscard.errors import InputError
from sscard.fields import MASK
from sscard.files import read_text
from sscard.i18n.language import ENGLISH, say, speaking
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.acceptance import NotAccepted, write_as_it_was
from sscard.scenario.pins import pins_of
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.scenario.step import Mismatch
from sscard.scenario.waivers import Waiver, WaiverAt, is_blank
from sscard.scenario.waiving import NO_SECRETS, Waivers, covering, field_of, same_value, value_of

DAYS: Final = 90
"""How long a waiver holds that was written here."""
LINE: Final = 10_000
"""Characters of a line, so that each value is one."""


class WaiverAcceptance:
    """Waives unmet expectations as they come: one more entry each at the end of the file of ``waivers``.

    Entries that the file has, and its comments, stay as they are. With a ``ticket`` and a ``reason`` an entry holds
    for the result that it was written for; without, the file cannot be used until a person has written them.
    ``pins`` are those of the card: an observed value that may contain one, or another PIN of the scenario, is not
    written. Errors: ``InputError`` if the file has no form that entries can be added to.
    """

    def __init__(self, waivers: Waivers, ticket: str, reason: str, pins: Collection[str]) -> None:
        self.path = waivers.path
        self.before = read_text(waivers.path) if waivers.path.exists() else ""
        self.after = self.before
        self.left: list[NotAccepted] = []
        self.incomplete = 0
        self._waivers = waivers
        self._ticket = ticket
        self._reason = reason
        self._pins = frozenset(pins)
        self._added: dict[tuple[str, str, int, str], str] = {}
        with_entry(self.before, {"scenario": "-"})

    def take(self, result: ScenarioResult) -> ScenarioResult:
        """The result with the waivers of its scenario applied, also with those that are written for it now."""
        judged = self._waivers.judged(result)
        failed, scenario = judged.failure, result.scenario
        if judged.verdict != "failed" or failed is None:
            return judged
        entries = self._waivers.of(scenario)
        for wrong in failed.mismatches:
            entry = covering(entries, scenario, failed, wrong)
            if entry is None:
                problem = self._refusal(scenario, failed, wrong)
                if not problem:
                    self._add(scenario, failed, wrong)
            elif same_value(wrong, entry.waiver.observed) and entry.waiver.expires >= self._waivers.day:
                problem = ""
            else:
                problem = Phrase("{waiver}: stays as it is, correct it by hand", waiver=entry.named)
            if problem:
                place = f"{scenario.file(failed.number)}:{scenario.place(failed.number, wrong.field).line}"
                self.left.append(NotAccepted(place, problem))
        return self._waivers.judged(result)

    def write(self) -> None:
        """Write the file, if there is an entry to add, or no file yet."""
        if self.after != self.before or not self.path.exists():
            write_as_it_was(self.path, self.after)

    def _refusal(self, scenario: Scenario, failed: StepResult, wrong: Mismatch) -> Sayable:
        """Why an unmet expectation is not waived, empty if it can be."""
        field, value = field_of(wrong), value_of(wrong)
        if not failed.executed:
            return Phrase("{field}: the step could not be executed", field=field)
        if wrong.field == "within":
            return Phrase("{field}: each run takes another time", field=field)
        if wrong.field not in NO_SECRETS and self._may_hold_pin(scenario, failed, wrong, value):
            return Phrase("{field}: the observed value may contain a PIN and is not written", field=field)
        if self._added.get(self._key(scenario, failed, wrong), value) != value:
            return Phrase("{field}: the runs of the scenario observe different values", field=field)
        return ""

    def _may_hold_pin(self, scenario: Scenario, failed: StepResult, wrong: Mismatch, value: str) -> bool:
        digits = value.replace(" ", "")
        declared = type(failed.step).model_fields.get(wrong.field)
        hidden = declared is not None and not declared.repr
        pins = {scenario.card.pin, *pins_of(scenario), *self._pins} - {""}
        return hidden or MASK in value or any(pin in digits for pin in pins)

    @staticmethod
    def _key(scenario: Scenario, failed: StepResult, wrong: Mismatch) -> tuple[str, str, int, str]:
        return scenario.source, scenario.title, failed.number, field_of(wrong)

    def _add(self, scenario: Scenario, failed: StepResult, wrong: Mismatch) -> None:
        key = self._key(scenario, failed, wrong)
        if key in self._added:
            return
        self._added[key] = value_of(wrong)
        expires = self._waivers.day + timedelta(days=DAYS)
        entry = dict(_place_of(scenario)) | {"step": failed.number, "field": key[-1], "observed": self._added[key]}
        entry |= {"reason": self._reason, "ticket": self._ticket, "expires": expires}
        line = self.after.count("\n") + (1 if self.after.endswith("\n") or not self.after else 2)
        self.after = with_entry(self.after, entry)
        if not (self._reason and self._ticket):
            self.incomplete += 1
            return
        waiver = Waiver.model_validate({name: str(value) for name, value in entry.items()})
        self._waivers.add(WaiverAt(waiver, str(self.path), line))


def _place_of(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """The fields of a waiver that name a scenario."""
    with speaking(ENGLISH):
        yield "scenario", say(scenario.own_label)
        yield "file", "/".join(scenario.source.replace("\\", "/").split("/")[-2:])
        if row := say(scenario.row):
            yield "row", row


def with_entry(text: str, entry: dict[str, Any]) -> str:
    """The text of a waiver file with one more entry at its end, everything else as it is written.

    Errors: ``InputError`` if the list of the file is written in brackets, or ends with a mark.
    """
    column = 0
    if not is_blank(text):
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        assert isinstance(root, yaml.SequenceNode)
        assert root.start_mark is not None
        assert root.end_mark is not None
        if root.flow_style and not root.value:
            text = text[: root.start_mark.index] + text[root.end_mark.index :].lstrip(" ")
        elif not root.flow_style:
            column = root.start_mark.column
    text += "" if not text or text.endswith("\n") else "\n"
    written = yaml.safe_dump([entry], allow_unicode=True, sort_keys=False, width=LINE)
    after = text + indent(written, " " * column)
    if _count(after) != _count(text) + 1:
        raise InputError(
            Phrase("no entry can be added to this form of a list"),
            remedy=Phrase("write each waiver on lines of its own, the first with a dash: - scenario: …"),
        )
    return after


def _count(text: str) -> int:
    """The number of entries, -1 if the text is no YAML."""
    try:
        return len(yaml.load(text, yaml.BaseLoader) or ())  # noqa: S506 - it makes text only
    except yaml.YAMLError:
        return -1
