"""The items of the test standard with the scenarios of a run that cover them, and what the verdicts rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.coverage.facts import CHOICE_VALUES, STANDARD_ITEMS, choice_text
from sscard.scenario.coverage.items import ITEMS, StandardItem
from sscard.scenario.coverage.unreachable import PARTLY, UNREACHABLE
from sscard.scenario.covers import CHOICE, item_of
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE, WAIVED, ScenarioResult
from sscard.standard.choices import CHOICES

NOT_TESTED: Final = "not tested"
WORST_FIRST: Final = ("failed", INCONCLUSIVE, WAIVED, KNOWN_ISSUE, "passed", NOT_APPLICABLE)
"""The verdicts: that of an item is the first that a scenario of it has."""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A result, with its number in the run from 1, which is that of its log."""

    number: int
    result: ScenarioResult


@dataclass(slots=True)
class Entry:
    """A scenario as its file states it, with its results for each personality, row and seed."""

    number: int
    results: list[Numbered] = field(default_factory=list)

    @property
    def first(self) -> ScenarioResult:
        return self.results[0].result

    @property
    def verdict(self) -> str:
        return worst(each.result.verdict for each in self.results)

    @property
    def marks(self) -> tuple[str, ...]:
        """The items that it covers."""
        return tuple(mark for mark in dict.fromkeys(map(item_of, self.first.scenario.covers)) if mark in ITEMS)

    @property
    def sample(self) -> Numbered | None:
        """The first run that passed, whose steps are shown."""
        return next((each for each in self.results if each.result.verdict == "passed"), None)

    @property
    def unmet(self) -> list[Numbered]:
        """The runs with an expectation that was not met, or that did not get to their end."""
        return [each for each in self.results if each.result.verdict not in ("passed", NOT_APPLICABLE)]

    @property
    def tickets(self) -> list[str]:
        """The known issues of runs that were excused by them."""
        return sorted({each.result.scenario.known_issue for each in self.results if each.result.verdict == KNOWN_ISSUE})

    @property
    def waived(self) -> list[Sayable]:
        """Why failures of runs are waived: ticket, reason and last day."""
        found = {say(each.result.reason): each.result.reason for each in self.results if each.result.verdict == WAIVED}
        return [*found.values()]

    @property
    def by_personality(self) -> list[tuple[str, list[Numbered]]]:
        """The results of each personality, in the order in which they were first run."""
        groups: dict[str, list[Numbered]] = {}
        for each in self.results:
            groups.setdefault(each.result.scenario.personality.name, []).append(each)
        return [*groups.items()]


@dataclass(frozen=True, slots=True)
class ItemResult:
    """An item with its verdict, the reason or restriction of it, and its scenarios.

    ``own`` are those that are shown with this item, ``others`` those that an item before it shows.
    """

    item: StandardItem
    verdict: str
    remark: Sayable
    entries: Sequence[Entry]
    own: Sequence[Entry]
    others: Sequence[Entry]
    choices: Sequence[tuple[str, str, str]]

    @property
    def runs(self) -> int:
        return sum(len(entry.results) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Sheet:
    """All items in the order of the standards, all scenarios, and those that cover no item."""

    items: Sequence[ItemResult]
    entries: Sequence[Entry]
    annex: Sequence[Entry]


def worst(verdicts: Iterable[str]) -> str:
    """The verdict of several."""
    return min(verdicts, key=WORST_FIRST.index)


def sheet_of(results: Sequence[ScenarioResult]) -> Sheet:
    """The items with the results of a run."""
    entries: dict[tuple[str, str], Entry] = {}
    for number, result in enumerate(results, 1):
        key = result.scenario.source, say(result.scenario.own_label)
        entries.setdefault(key, Entry(len(entries) + 1)).results.append(Numbered(number, result))
    by_mark: dict[str, list[Entry]] = {}
    for entry in entries.values():
        for mark in entry.marks:
            by_mark.setdefault(mark, []).append(entry)
    shown: set[int] = set()
    items = []
    for mark, item in ITEMS.items():
        covering = by_mark.get(mark, [])
        own = [entry for entry in covering if entry.number not in shown]
        others = [entry for entry in covering if entry.number in shown]
        shown.update(entry.number for entry in own)
        items.append(_item_result(item, covering, own, others))
    every = [*entries.values()]
    return Sheet(items, every, [entry for entry in every if entry.number not in shown])


def _item_result(
    item: StandardItem, covering: Sequence[Entry], own: Sequence[Entry], others: Sequence[Entry]
) -> ItemResult:
    results = [each.result for entry in covering for each in entry.results]
    key = (item.mark,)
    remark: Sayable = PARTLY.get(key, "")
    if not results:
        remark = UNREACHABLE[STANDARD_ITEMS].get(key, Phrase("no scenario of this run covers it"))
        return ItemResult(item, NOT_TESTED, remark, (), (), (), ())
    verdict = worst(result.verdict for result in results)
    passed = {result.scenario.personality.generation for result in results if result.verdict == "passed"}
    if verdict == NOT_APPLICABLE:
        remark = results[0].reason
    elif verdict == "passed" and (missing := [name for name in item.generations if name not in passed]):
        missed: Sayable = Phrase("no card of generation {generations} was tested", generations=", ".join(missing))
        remark = Phrase("{first}; {rest}", first=remark, rest=missed) if remark else missed
    return ItemResult(item, verdict, remark, covering, own, others, _choices(results))


def _choices(results: Iterable[ScenarioResult]) -> list[tuple[str, str, str]]:
    """The choices that answers relied on: name, numbers, and the values, with their personalities if they differ."""
    values: dict[str, dict[str, dict[str, None]]] = {}
    for result in results:
        if result.verdict == NOT_APPLICABLE:
            continue
        personality = result.scenario.personality
        for name in _relied_on(result):
            text = choice_text(name, getattr(personality, name))
            values.setdefault(name, {}).setdefault(text, {})[personality.name] = None
    return [(name, CHOICES[name].numbers, _values_text(values[name])) for name in CHOICES if name in values]


def _relied_on(result: ScenarioResult) -> Iterator[str]:
    scenario = result.scenario
    yield from (fact.key[0] for fact in result.facts if fact.dimension == CHOICE_VALUES)
    yield from scenario.needs.choices
    yield from scenario.names.used if scenario.names else ()
    marks = {mark for mark in scenario.covers if mark.startswith(CHOICE)}
    yield from (name for name, choice in CHOICES.items() if marks & {*choice.numbers.replace(",", "").split()})


def _values_text(values: dict[str, dict[str, None]]) -> str:
    """The values, with the personalities of each if they have different ones."""
    if len({frozenset(names) for names in values.values()}) == 1:
        return ", ".join(values)
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in values.items())
