"""What a step expects beside what came, with the first difference marked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from sscard.conversation import Exchange
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.pins import masked
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.console import remedy_text
from sscard.scenario.runner import StepResult
from sscard.scenario.step import ANY_BYTE, ANY_REST, Mismatch, matches, show_stage, show_sw

UNCHANGED: Final = Phrase("as before the step")
NOTHING: Final = "∅"
"""The mark in the place of a part that only the other text has."""
_BYTES: Final = re.compile(r"(?:[0-9A-F?]{2}(?:\s|$))+(?:\.\.\.)?")
_STATUS: Final = re.compile("([0-9A-F]{2})([0-9A-F]{2})( .*)?")


class Marked(NamedTuple):
    """A text in three parts, of which the middle is the first that differs; empty if nothing differs."""

    before: str
    different: str = ""
    after: str = ""


class Row(NamedTuple):
    """An expectation. One that was not met has its line, the first byte that differs (from 1, or 0) and a remedy."""

    field: str
    expected: Marked
    actual: Marked
    met: bool = True
    place: Sayable = ""
    byte: int = 0
    remedy: str = ""


def expectations(scenario: Scenario, result: StepResult) -> list[Row]:
    """What the step states, and what a step without statements must leave unchanged; first what was not met."""
    rows = [
        _unmet(wrong)._replace(
            place=scenario.shown_place(result.number, wrong.field), remedy=remedy_text(scenario, result, wrong)
        )
        for wrong in result.mismatches
    ]
    if not result.executed:
        return rows
    unmet = {wrong.field for wrong in result.mismatches}
    met = (
        Row(name, Marked(masked(say(expected), scenario)), Marked(masked(say(actual), scenario)))
        for name, expected, actual in _stated(result)
    )
    return rows + [row for row in met if row.field not in unmet]


def _stated(result: StepResult) -> Iterator[tuple[str, Sayable, Sayable]]:
    """Field, expected and actual value of what was met."""
    step, after = result.step, result.after
    yield "sw", show_sw(step.sw), show_sw(result.sw)
    for name, value in step.answers().items():
        if value:
            yield name, value, value
    if step.data is not None:
        answers = [event.data for event in result.events if isinstance(event, Exchange)]
        data = next((each for each in reversed(answers) if matches(step.data, bytes.fromhex(each))), "")
        yield "data", step.data, bytes.fromhex(data).hex(" ").upper() if data else step.data
    if after is None:
        return
    yield "tries", UNCHANGED if step.tries is None else str(step.tries), f"{after.tries}/{after.limit}"
    yield "state", UNCHANGED if step.state is None else after.said, after.said
    if after.stage or step.stage:
        yield "stage", show_stage(step.stage) if step.stage else UNCHANGED, show_stage(after.stage)


def _unmet(wrong: Mismatch) -> Row:
    is_status = wrong.field == "sw"
    expected, actual = say(wrong.expected), say(wrong.actual)
    wanted, found = (_tokens(text, is_status=is_status) for text in (expected, actual))
    known = wanted[:-1] if wanted[-1] == ANY_REST else wanted
    pairs = enumerate(zip(known, found, strict=False))
    at = next((place for place, (one, other) in pairs if one not in (other, ANY_BYTE)), min(len(known), len(found)))
    of_bytes = all((_STATUS if is_status else _BYTES).fullmatch(text) for text in (expected, actual))
    gap = "" if is_status else " "
    return Row(
        f"{wrong.field} {wrong.key}".strip(),
        _split(wanted, at, gap),
        _split(found, at, gap),
        met=False,
        byte=at + 1 if of_bytes else 0,
    )


def _tokens(text: str, *, is_status: bool) -> list[str]:
    """The parts that are compared: of a status word its two bytes and its meaning, else what spaces separate."""
    status = _STATUS.fullmatch(text) if is_status else None
    return [part for part in status.groups() if part] if status else text.split(" ")


def _split(tokens: list[str], at: int, gap: str) -> Marked:
    before, different, after = tokens[:at], tokens[at : at + 1], tokens[at + 1 :]
    parts = gap.join(before), gap.join(different) or NOTHING, gap.join(after)
    return Marked(parts[0] + gap if before else "", parts[1], gap + parts[2] if after else "")
