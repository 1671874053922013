"""The coverage of a run: how many scenarios that passed reached each key of each dimension."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from sscard.card.commands import DECLARED
from sscard.errors import InvalidValue, suggestion
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.personalities import PRESETS
from sscard.scenario.coverage.dimensions import Dimension, Key, dimensions, value_key
from sscard.scenario.coverage.facts import (
    CHOICE_VALUES,
    SEED_CLAUSES,
    STANDARD_ITEMS,
    TRANSPORTS,
    UNDECLARED,
    Fact,
)
from sscard.scenario.coverage.items import ITEMS
from sscard.scenario.coverage.unreachable import PARTLY, UNREACHABLE
from sscard.scenario.covers import SEED, STANDARDS, item_of
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult
from sscard.standard.choices import CHOICES

Status = Literal["covered", "partly", "missing", "unreachable"]
WITHOUT_COMMAND: Final = tuple(name for name in CHOICES if all(name not in command.choices for command in DECLARED))
"""Choices that no command declares: a card that has the value covers it."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a dimension: its status, the number of scenarios that reached it, and why it is not covered.

    ``possible`` states whether it can be covered, and not only partly.
    """

    key: Key
    status: Status
    scenarios: int
    reason: Sayable = ""
    possible: bool = True


@dataclass(frozen=True, slots=True)
class Measured:
    """One dimension of a run."""

    dimension: Dimension
    entries: tuple[Entry, ...]

    def having(self, status: Status) -> list[Entry]:
        """The entries with a status."""
        return [entry for entry in self.entries if entry.status == status]

    @property
    def covered(self) -> int:
        return len(self.having("covered"))

    @property
    def total(self) -> int:
        return len(self.entries)

    @property
    def reachable(self) -> int:
        """The number of entries that can be covered."""
        return sum(entry.possible for entry in self.entries)

    @property
    def percent(self) -> float:
        """The covered part of what can be covered; 100 if nothing can."""
        return 100 * self.covered / self.reachable if self.reachable else 100.0


@dataclass(slots=True)
class Coverage:
    """Counts the facts of results as they come. Only a scenario that passed covers something.

    ``transport`` is the one of the run: ``local`` or ``pcsc``.
    """

    transport: str = "local"
    scenarios: int = 0
    _counts: dict[str, Counter[Key]] = field(default_factory=lambda: defaultdict(Counter))
    _generations: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, result: ScenarioResult) -> None:
        """Count a result."""
        if result.verdict != "passed":
            return
        scenario = result.scenario
        self.scenarios += 1
        for dimension, key in {*result.facts, *self._of_scenario(scenario)}:
            self._counts[dimension][key] += 1
        for mark in scenario.covers:
            self._generations[item_of(mark)].add(scenario.personality.generation)

    def _of_scenario(self, scenario: Scenario) -> Iterator[Fact]:
        personality = scenario.personality
        for name in WITHOUT_COMMAND:
            yield Fact(CHOICE_VALUES, value_key(name, getattr(personality, name)))
        preset = PRESETS.get(personality.name, personality)
        if (preset.generation, preset.algorithm) == (personality.generation, personality.algorithm):
            yield Fact(TRANSPORTS, (personality.name, scenario.card.interface, self.transport))
        for mark in scenario.covers:
            if mark.startswith(SEED):
                yield Fact(SEED_CLAUSES, (mark.removeprefix(SEED),))
            elif mark.startswith(STANDARDS):
                yield Fact(STANDARD_ITEMS, (item_of(mark),))

    def measured(self) -> list[Measured]:
        """Every dimension."""
        return [
            Measured(dimension, tuple(self._entry(dimension, key) for key in dimension.keys))
            for dimension in dimensions()
        ]

    def undeclared(self) -> list[Key]:
        """Command and status word of answers that no declaration has."""
        return sorted(self._counts[UNDECLARED])

    def _entry(self, dimension: Dimension, key: Key) -> Entry:
        count = self._counts[dimension.name][key]
        reason = UNREACHABLE.get(dimension.name, {}).get(key)
        limit = PARTLY.get(key)
        if reason is not None and not count:
            return Entry(key, "unreachable", count, reason, possible=False)
        if not count:
            return Entry(key, "missing", count, limit or "", possible=limit is None)
        if dimension.name == STANDARD_ITEMS:
            without = [name for name in ITEMS[key[0]].generations if name not in self._generations[key[0]]]
            if without:
                reason_partly = Phrase("not on {generations}", generations=", ".join(without))
                return Entry(key, "partly", count, reason_partly, possible=limit is None)
        if limit is not None:
            return Entry(key, "partly", count, limit, possible=False)
        return Entry(key, "covered", count)


def coverage_of(results: Iterable[ScenarioResult], transport: str) -> Coverage:
    """The coverage of results that a run had over a transport."""
    coverage = Coverage(transport)
    for result in results:
        coverage.add(result)
    return coverage


@dataclass(frozen=True, slots=True)
class Threshold:
    """The smallest percentage of a dimension, or of all together if ``dimension`` is empty."""

    percent: float
    dimension: str = ""

    def missed(self, measured: list[Measured]) -> float | None:
        """The percentage if it is below the threshold."""
        found = [part for part in measured if self.dimension in ("", part.dimension.name)]
        reachable = sum(part.reachable for part in found)
        reached = 100 * sum(part.covered for part in found) / reachable if reachable else 100.0
        return reached if reached < self.percent else None


def read_threshold(text: str) -> Threshold:
    """A threshold as ``80`` or ``command_status=80``; ``InvalidValue`` if the text is not one."""
    name, equals, number = text.rpartition("=")
    names = [dimension.name for dimension in dimensions()]
    if equals and name not in names:
        raise InvalidValue(Phrase("no dimension {name!r}", name=name), suggestion(name, names))
    try:
        percent = float(number)
    except ValueError:
        percent = -1.0
    if not 0 <= percent <= 100:
        raise InvalidValue(Phrase("a percentage expected, 0 to 100"), Phrase("write it as 80 or command_status=80"))
    return Threshold(percent, name)
