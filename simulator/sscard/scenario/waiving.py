"""What waivers make of the results of a run: the one rule for every command and for pytest."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePath
from typing import Any, Final, cast

from pydantic import BaseModel

from sscard.errors import suggestion
from sscard.fields import hidden
from sscard.i18n.language import CHINESE, ENGLISH, say, speaking
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.pins import masked, models_in
from sscard.scenario.reader import Scenario, insertion
from sscard.scenario.runner import INCONCLUSIVE, NOT_APPLICABLE, ScenarioResult, StepResult
from sscard.scenario.step import Mismatch, Step
from sscard.scenario.waivers import Waiver, WaiverAt, WaiverFile, read_waivers, today

COUNTED: Final = frozenset({"sw", "tries", "key_tries", "certificate_tries", "stage"})
"""Fields whose values are compared as a scenario file states them, not with the words of a report."""
NO_SECRETS: Final = COUNTED | {"state", "rights"}
"""Fields whose values are never those of a PIN."""
OF_BYTES: Final = frozenset({"sw", "data"})
"""Fields whose values are hex digits, with or without spaces."""
OF_RUNNER: Final = frozenset({"rights", "capture"})
"""Fields of mismatches that no step states; ``within`` is none that can be waived: each run takes another time."""
ALTERNATIVES: Final = "{first}; {rest}"


class Waivers:
    """The waivers of a run.

    A result whose unmet expectations are all waived, each with exactly the
    value that was observed, is ``waived``. It fails if a waiver has another
    value or has expired, or if an expectation is met that a waiver says is not.
    ``day`` is the one on which waivers expire or not, by default today.
    """

    def __init__(self, file: WaiverFile, day: date | None = None) -> None:
        self.path = file.path
        self.day = day or today()
        self._file = file
        self._all = [*file.waivers]

    def check(self, scenarios: Sequence[Scenario], *, complete: bool) -> None:
        """``InputError`` for a waiver that its scenario does not fit: step, field, known issue, a PIN in its texts.

        If the scenarios are ``complete``, also for one whose scenario, file or row is not among them.
        """
        names = [(scenario, names_of(scenario)) for scenario in scenarios]
        for number, (waiver, _file, _line) in enumerate(self._file.waivers):
            found = [scenario for scenario, called in names if waiver.scenario in called]
            if complete:
                self._check_scenario(number, found, scenarios)
            for scenario in found:
                if fits(waiver, scenario):
                    self._check_step(number, scenario)

    def _check_scenario(self, number: int, found: Sequence[Scenario], scenarios: Sequence[Scenario]) -> None:
        """``InputError`` if the name is that of none of the scenarios, or those ``found`` have another file or rows."""
        waiver = self._file.waivers[number].waiver
        if not found:
            known = {name for scenario in scenarios for name in (scenario.name, *_both(scenario.own_label))}
            problem = Phrase("unknown scenario {name!r}", name=hidden(waiver.scenario))
            remedy = suggestion(waiver.scenario, known, Phrase("write its name as reports do"))
            raise self._file.error(number, "scenario", problem, remedy)
        sources = {each.source for each in found}
        if waiver.file and not any(_same_end(waiver.file, source) for source in sources):
            problem = Phrase("the scenario is not in the file {name!r}", name=hidden(waiver.file))
            raise self._file.error(number, "file", problem, suggestion(waiver.file, sources))
        rows = {row for each in found for row in _both(each.row) if row}
        if waiver.row and waiver.row not in rows:
            problem = Phrase("the scenario has no row {name!r}", name=hidden(waiver.row))
            remedy = suggestion(waiver.row, rows) if rows else Phrase("leave it out")
            raise self._file.error(number, "row", problem, remedy)

    def _check_step(self, number: int, scenario: Scenario) -> None:
        waiver = self._file.waivers[number].waiver
        if scenario.known_issue:
            problem = Phrase("the scenario has a known issue, {ticket}, which excuses it", ticket=scenario.known_issue)
            raise self._file.error(number, "scenario", problem, Phrase("remove the waiver, or known_issue:"))
        steps = steps_named(waiver.step, scenario)
        if len(steps) > 1:
            problem = Phrase("the steps {numbers} have this title", numbers=", ".join(map(str, steps)))
            raise self._file.error(number, "step", problem, Phrase("write its number"))
        if not steps:
            count = len(scenario.steps)
            problem = Phrase("the scenario has no step {name!r}", name=hidden(waiver.step))
            last = Phrase("write its title, or a number from 1 to {count}", count=count)
            titles = {title for step in scenario.steps for title in _both(step.title())}
            raise self._file.error(number, "step", problem, suggestion(waiver.step, titles, last))
        step = scenario.steps[steps[0] - 1] if steps[0] else insertion(scenario)
        assert step is not None
        name = waiver.field.split(" ")[0]
        fields = _fields_of(step)
        if name not in fields:
            problem = Phrase("the step has no field {name!r} that can be waived", name=hidden(name))
            raise self._file.error(number, "field", problem, suggestion(name, fields))
        texts = {"reason": waiver.reason, "ticket": waiver.ticket}
        texts |= {} if name in NO_SECRETS else {"observed": waiver.observed}
        for field, text in texts.items():
            if masked(text, scenario) != text:
                problem = Phrase("{field}: a PIN of the scenario, which every report would print", field=field)
                raise self._file.error(number, field, problem, Phrase("write the text without it"))

    def judged(self, result: ScenarioResult) -> ScenarioResult:
        """The result with the waivers of its scenario applied."""
        entries = self.of(result.scenario)
        if not entries or result.verdict in (INCONCLUSIVE, NOT_APPLICABLE):
            return result
        problems: dict[WaiverAt, Sayable] = {}
        for entry in entries:
            if _is_met(entry, result):
                problems[entry] = Phrase("{waiver}: passes, remove the waiver", waiver=entry.named)
            elif entry.waiver.expires < self.day:
                problems[entry] = _expired(entry)
        failure = result.failure
        if failure is None:
            return replace(result, waivers=(*problems,), unwaived=_joined([*problems.values()]))
        holding: list[WaiverAt] = []
        others: list[Sayable] = []
        for wrong in failure.mismatches:
            cover = covering(entries, result.scenario, failure, wrong)
            if cover is None:
                others.append(Phrase("{field}: not waived", field=field_of(wrong)))
            elif problem := cover not in problems and self._uncovered(cover, result, wrong):
                problems[cover] = problem
            elif cover not in problems:
                holding.append(cover)
        if not problems and not holding:
            return result
        said = [*problems.values(), *(others if holding else [])]
        return replace(result, waivers=(*problems, *holding), unwaived=_joined(said))

    def of(self, scenario: Scenario) -> list[WaiverAt]:
        """The waivers of a scenario on its personality."""
        called = names_of(scenario) if self._all else set()
        return [entry for entry in self._all if entry.waiver.scenario in called and fits(entry.waiver, scenario)]

    def __len__(self) -> int:
        return len(self._all)

    def facts(self) -> list[dict[str, Any]]:
        """The waivers as JSON, each with its line, and whether it has expired."""
        return [
            {**each.waiver.model_dump(mode="json"), "line": each.line, "expired": each.waiver.expires < self.day}
            for each in self._all
        ]

    def expired(self) -> list[Sayable]:
        """The waivers that have expired, in words."""
        return [_expired(each) for each in self._all if each.waiver.expires < self.day]

    def add(self, entry: WaiverAt) -> None:
        """One more waiver, for results that follow."""
        self._all.append(entry)

    def say_unused(self, results: Iterable[ScenarioResult]) -> Phrase | None:
        """How many waivers name no scenario that was run, ``None`` if each does."""
        run = {id(each.scenario): each.scenario for each in results if each.verdict != NOT_APPLICABLE}
        used = {entry for scenario in run.values() for entry in self.of(scenario)}
        count = len(self._all) - len(used)
        said = Phrase.plural(
            "{count} waiver names no scenario that was run",
            "{count} waivers name no scenario that was run",
            count=count,
        )
        return said if count else None

    @staticmethod
    def _uncovered(entry: WaiverAt, result: ScenarioResult, wrong: Mismatch) -> Sayable:
        """Why a waiver does not cover an unmet expectation of its field, empty if it does."""
        scenario, waiver = result.scenario, entry.waiver
        if result.failure is not None and not result.failure.executed:
            return Phrase("{waiver}: does not cover a step that could not be executed", waiver=entry.named)
        if same_value(wrong, waiver.observed):
            return ""
        return Phrase(
            "{waiver}: does not cover {field} {actual}, only {observed}",
            waiver=entry.named,
            field=waiver.field,
            actual=masked(value_of(wrong), scenario),
            observed=masked(waiver.observed, scenario),
        )


def checked(path: Path, scenarios: Sequence[Scenario]) -> Waivers:
    """The waivers of a file, each for one of these scenarios. Errors: ``InputError``."""
    waivers = Waivers(read_waivers(path))
    waivers.check(scenarios, complete=True)
    return waivers


def fits(waiver: Waiver, scenario: Scenario) -> bool:
    """Whether a waiver of the name of a scenario is for its personality, file and row too."""
    return (
        waiver.personality in ("", scenario.personality.name)
        and (not waiver.file or _same_end(waiver.file, scenario.source))
        and (not waiver.row or waiver.row in _both(scenario.row))
    )


def names_of(scenario: Scenario) -> set[str]:
    """What a scenario is called: name and title as in reports, in both languages, with and without its row."""
    return {scenario.name, scenario.title, *_both(scenario.label), *_both(scenario.own_label)}


def covering(entries: Sequence[WaiverAt], scenario: Scenario, failure: StepResult, wrong: Mismatch) -> WaiverAt | None:
    """The waiver of the step and field of an unmet expectation, if there is one."""
    at = (
        entry
        for entry in entries
        if entry.waiver.field == field_of(wrong) and failure.number in steps_named(entry.waiver.step, scenario)
    )
    return next(at, None)


def steps_named(name: str, scenario: Scenario) -> list[int]:
    """The numbers of the steps that a waiver means: that number, or those with this title; 0 is the insertion."""
    if name.isdecimal():
        first = 0 if insertion(scenario) else 1
        return [int(name)] if first <= int(name) <= len(scenario.steps) else []
    return [number for number, step in enumerate(scenario.steps, 1) if name in _both(step.title())]


def field_of(wrong: Mismatch) -> str:
    """The field of an unmet expectation, of tries of keys with the key."""
    return f"{wrong.field} {wrong.key}".strip()


def value_of(wrong: Mismatch) -> str:
    """What was observed, as a waiver states it: the same in both languages, on one line."""
    if wrong.field in COUNTED and wrong.write:
        return wrong.write
    with speaking(ENGLISH):
        return " ".join(say(wrong.actual).split())


def same_value(wrong: Mismatch, waived: str) -> bool:
    """Whether exactly this value was observed, as a scenario file states it or as reports in a language show it."""
    if wrong.field in OF_BYTES and value_of(wrong).replace(" ", "").upper() == waived.replace(" ", "").upper():
        return True
    return waived in (value_of(wrong), *(" ".join(text.split()) for text in _both(wrong.actual)))


def _is_met(entry: WaiverAt, result: ScenarioResult) -> bool:
    """Whether the step of a waiver was executed, and its field was as stated."""
    number = next(iter(steps_named(entry.waiver.step, result.scenario)), None)
    failure = result.failure
    if failure is None:
        return True
    if number is None or not failure.executed or number > failure.number:
        return False
    if number < failure.number:
        return True
    # A step that reports its own failure compares nothing else.
    fields = {field_of(wrong) for wrong in failure.mismatches}
    return entry.waiver.field not in fields and failure.step.verb not in fields


def _expired(entry: WaiverAt) -> Phrase:
    return Phrase("{waiver}: expired on {day}", waiver=entry.named, day=entry.waiver.expires.isoformat())


def _joined(parts: Sequence[Sayable]) -> Sayable:
    return Phrase.joined(ALTERNATIVES, parts) if parts else ""


def _both(said: Sayable) -> Iterator[str]:
    """A text in both languages."""
    for language in (ENGLISH, CHINESE):
        with speaking(language):
            yield say(said)


def _same_end(one: str, other: str) -> bool:
    """Whether two paths may be those of one file: all parts that both have are the same, from the end."""
    left, right = (
        [part for part in PurePath(path.replace("\\", "/")).parts if part not in ("..", "/")] for path in (one, other)
    )
    count = min(len(left), len(right))
    return count > 0 and left[-count:] == right[-count:]


def _fields_of(step: Step) -> set[str]:
    """The fields of a step that an unmet expectation may have."""
    kinds: list[type[BaseModel]] = [type(step)]
    found = {step.verb, *step.answers(), *step.compared(), *OF_RUNNER}
    for kind in kinds:
        found |= {*kind.model_fields} - {"within", "note"}
        for field in kind.model_fields.values():
            kinds += [each for each in models_in(cast("Hashable", field.annotation)) if each not in kinds]
    return found
