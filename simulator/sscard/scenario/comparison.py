"""Compare a run with the JSON report of an earlier one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sscard.errors import InputError
from sscard.files import read_text
from sscard.i18n.phrase import Phrase
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import NOT_APPLICABLE, ScenarioResult

FAILING: Final = ("failed", "inconclusive")
SLOWER: Final = 2.0
"""How many times as long as before a scenario takes that is reported as slower."""
LEAST: Final = 0.05
"""Seconds that such a scenario takes more at least."""
LARGEST: Final = 1 << 30
"""Bytes of a report that is read: the built-in suite with one seed has 11 MB."""


class _Entry(BaseModel):
    """What is compared of an earlier result; older reports have neither seed nor seconds."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    name: str
    personality: str
    file: str
    verdict: str
    seed: int | None = None
    seconds: float | None = None


class _Report(BaseModel):
    """The report of ``reports.json``."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    schema_: Literal["sscard.run/1"] = Field(alias="schema")
    seed: int
    planned: int | None = None
    results: list[_Entry]


class Compared(NamedTuple):
    """A scenario of the comparison; the times are in seconds."""

    name: str
    personality: str
    file: str
    seed: int
    seconds: float = 0.0
    before: float = 0.0

    @classmethod
    def of_result(cls, result: ScenarioResult) -> Compared:
        """The scenario of a result of the current run."""
        scenario = result.scenario
        return cls(scenario.name, scenario.personality.name, scenario.source, result.seed, result.seconds)


class Comparison(NamedTuple):
    """The scenarios of each kind. One that is new and fails is newly failing too."""

    newly_failing: list[Compared]
    fixed: list[Compared]
    missing: list[Compared]
    no_longer_applicable: list[Compared]
    new: list[Compared]
    slower: list[Compared]

    def facts(self, file: str) -> dict[str, Any]:
        """The comparison as JSON, with the file of the earlier run."""
        return {"file": file} | {
            kind: [compared._asdict() for compared in members] for kind, members in self._asdict().items()
        }


class Earlier:
    """An earlier run, read from its JSON report."""

    def __init__(self, path: Path) -> None:
        """Errors: ``InputError`` for a file that is not such a report."""
        try:
            report = _Report.model_validate_json(read_text(path, largest=LARGEST))
        except ValidationError:
            raise InputError(
                Phrase("is not the JSON report of a run"),
                file=str(path),
                remedy=Phrase("write one with {command}", command="sscard run --report json=FILE"),
            ) from None
        self.file = str(path)
        self.planned = report.planned or len(report.results)
        """The number of results of the complete run."""
        self._entries = [
            (
                Compared(entry.name, entry.personality, entry.file, report.seed if entry.seed is None else entry.seed),
                entry,
            )
            for entry in report.results
        ]

    @property
    def done(self) -> int:
        """The number of results: fewer than ``planned`` if the run was interrupted or stopped."""
        return len(self._entries)

    def compared(self, results: Sequence[ScenarioResult], known: Collection[Scenario]) -> Comparison:
        """The comparison with results of now, of some of the ``known`` scenarios, which are those of the paths.

        A scenario is found by name, personality and file, or by the first two if
        it was moved; by the seed too if one of the runs has several. One that is
        known, but has no result, is not missing, nor is one of another file of the
        same suite that the paths do not name.
        """
        now = [(Compared.of_result(result), result) for result in results]
        matches = same_scenarios([each for each, _entry in self._entries], [each for each, _result in now])
        found = Comparison([], [], [], [], [], [])
        for number, (compared, result) in enumerate(now):
            if number not in matches:
                found.new.append(compared)
            _before, earlier = self._entries[matches[number]] if number in matches else (compared, None)
            failed_before = earlier is not None and earlier.verdict in FAILING
            if not result.passed and not failed_before:
                found.newly_failing.append(compared)
            if failed_before and result.verdict == "passed":
                found.fixed.append(compared)
            if earlier is not None and earlier.verdict != NOT_APPLICABLE == result.verdict:
                found.no_longer_applicable.append(compared)
            took = earlier.seconds if earlier is not None and earlier.seconds is not None else result.seconds
            if result.passed and result.seconds >= max(took * SLOWER, took + LEAST):
                found.slower.append(compared._replace(before=took))
        names = {(scenario.name, scenario.personality.name) for scenario in known}
        matched = set(matches.values())
        left = [each for place, (each, _entry) in enumerate(self._entries) if place not in matched]
        read, files = {scenario.source for scenario in known}, {each.file for each, _entry in self._entries}
        suite = {Path(file).parent for file in read} & {Path(file).parent for file in files}
        # A file that still exists is in the suite, but not among these paths; in a copy of the suite it is gone.
        unread = {file for file in files - read if Path(file).is_file()} if suite else set()
        found.missing.extend(
            each for each in left if (each.name, each.personality) not in names and each.file not in unread
        )
        return found


def same_scenarios(before: list[Compared], now: list[Compared]) -> dict[int, int]:
    """The places of the same scenario in both runs, by its place in the current run."""
    seeds = max(len({each.seed for each in run}) for run in (before, now)) > 1
    found: dict[int, int] = {}
    for fields in (("name", "personality", "file"), ("name", "personality")):
        compared = (*fields, "seed") if seeds else fields
        matched = set(found.values())
        left = [place for place in range(len(before)) if place not in matched]
        keys = [tuple(getattr(before[place], field) for field in compared) for place in left]
        places = dict(zip(keys, left, strict=True))
        once = {key for key, times in Counter(keys).items() if times == 1}
        wanted = {
            number: tuple(getattr(each, field) for field in compared)
            for number, each in enumerate(now)
            if number not in found
        }
        once &= {key for key, times in Counter(wanted.values()).items() if times == 1}
        found |= {number: places[key] for number, key in wanted.items() if key in once}
    return found
