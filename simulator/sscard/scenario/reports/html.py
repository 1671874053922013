"""Results as one self-contained HTML page that needs no network.

Summary, list and the first failures are plain HTML. The details of the other scenarios are compressed, ``CHUNK``
of them together, and are decompressed in the browser when one is opened; without JavaScript they cannot be read.
"""

from __future__ import annotations

import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from hashlib import sha256
from importlib import resources
from typing import Final, NamedTuple

from sscard.i18n.duration import time_text
from sscard.i18n.language import say, visible
from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.scenario.cards import INTERFACES
from sscard.scenario.comparison import Compared
from sscard.scenario.library import group_name
from sscard.scenario.reports.console import (
    COUNTS,
    MARKS,
    counts_text,
    missed_text,
    reason_text,
    repetition_text,
    step_name,
)
from sscard.scenario.reports.durations import intervals, time_axis
from sscard.scenario.reports.expectations import expectations
from sscard.scenario.reports.page import Lines, page_template
from sscard.scenario.reports.run import LABELS, SEVERITIES, TRANSPORTS, VERDICTS, Run, slug
from sscard.scenario.reports.sequence import LANES, sequence_of
from sscard.scenario.reports.state_chart import HEIGHT, LEFT, state_chart
from sscard.scenario.reports.summary import KINDS, SHOWN, Alike, alike
from sscard.scenario.reports.written import StepTexts
from sscard.scenario.runner import ScenarioResult

CHUNK: Final = 100
MOST_FAILURES: Final = 100
"""Failures whose details are plain HTML."""
OPEN_FAILURES: Final = 10
"""Failures that are unfolded when the page opens."""
SLOWEST: Final = 10


class Counted(NamedTuple):
    """What the summary counts by, and a filter selects by: its value for a result of a run over a transport.

    ``name_of`` is the value in words, if these are others.
    """

    title: Sayable
    value_of: Callable[[ScenarioResult, str], str]
    name_of: Callable[[ScenarioResult, str], Sayable] | None = None


COUNTED: Final[Mapping[str, Counted]] = {
    "group": Counted(
        Phrase("group"),
        lambda result, _transport: result.scenario.group,
        lambda result, _transport: group_name(result.scenario.group),
    ),
    "personality": Counted(LABELS["personality"], lambda result, _transport: result.scenario.personality.name),
    "transport": Counted(
        LABELS["transport"],
        lambda result, transport: f"{transport}, {result.scenario.card.interface}",
        lambda result, transport: Phrase(
            ROW, first=TRANSPORTS.get(transport, transport), rest=INTERFACES[result.scenario.card.interface]
        ),
    ),
    "seed": Counted(Phrase("seed"), lambda result, _transport: str(result.seed)),
}
IDENTITY: Final = 4
"""The fields of ``Compared`` that identify a scenario."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A result with its name in the page, which is the same in each run, and the command that repeats it."""

    result: ScenarioResult
    name: str
    again: str

    @property
    def kind(self) -> str:
        """The class of its verdict."""
        return self.result.verdict.replace(" ", "-")

    def facts(self, transport: str) -> list[str]:
        """What filters compare, by the names of the tables of the summary, and what a search finds besides the row."""
        scenario = self.result.scenario
        words = " ".join((scenario.title, scenario.source, say(scenario.proves), *scenario.tags, *scenario.covers))
        return [visible(each) for each in (*(by.value_of(self.result, transport) for by in COUNTED.values()), words)]


@dataclass(frozen=True, slots=True)
class Tally:
    """A row of the summary: the number of results by verdict, and their time in seconds."""

    name: Sayable
    value: str
    counts: Counter[str]
    seconds: float


def write(run: Run) -> str:
    """The page, failures first."""
    from sscard.scenario.coverage.measure import coverage_of  # only a run with such a report needs it
    from sscard.scenario.reports.coverage import coverage_maps

    entries = _entries(run)
    failures = [entry for entry in entries if not entry.result.passed]
    passed = [entry for entry in entries if entry.result.passed]
    groups: dict[str, list[Entry]] = {}
    for entry in passed:
        groups.setdefault(entry.result.scenario.group, []).append(entry)
    packed = [*failures[MOST_FAILURES:], *(entry for members in groups.values() for entry in members)]
    texts = StepTexts()
    script = resources.files(__package__).joinpath("templates/report.js").read_text(encoding="utf-8").strip()
    transport = say(run.environment["transport"])
    measured = passed and "kind" not in run.facts  # a card that claims nothing covers nothing
    several = len({entry.result.seed for entry in entries}) > 1
    return page_template("report.html.j2").render(
        run=run,
        started=run.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        command=run.called,
        entries=entries,
        static=[(entry, details(entry, texts)) for entry in failures[:MOST_FAILURES]],
        failures=failures[MOST_FAILURES:],
        categories=_categories(failures),
        shown=SHOWN,
        groups=groups,
        chunks=[
            _packed([details(entry, texts) for entry in packed[first : first + CHUNK]])
            for first in range(0, len(packed), CHUNK)
        ],
        facts=_packed(["\n".join(entry.facts(transport)) for entry in (*failures[:MOST_FAILURES], *packed)]),
        maps=_packed([coverage_maps(coverage_of(run.results, transport))]) if measured else "",
        tables=[*_tallies(run.results, transport)],
        slowest=sorted((each for each in entries if each.result.seconds), key=lambda each: -each.result.seconds)[
            :SLOWEST
        ],
        intervals=intervals(run.results),
        compared=[*_compared(run, entries)],
        counts=Counter(result.verdict for result in run.results),
        headline=counts_text(run.results),
        verdicts=COUNTS,
        verdict_names=VERDICTS,
        counted=COUNTED,
        several=several,
        size=Phrase.joined(
            ROW,
            [
                Phrase.plural("{count} scenario", "{count} scenarios", count=len(entries)),
                Phrase.plural(
                    "{count} command", "{count} commands", count=sum(result.commands for result in run.results)
                ),
            ],
        ),
        script=script,
        digest=b64encode(sha256(script.encode()).digest()).decode(),
        marks=MARKS,
        time_text=time_text,
        missed_text=missed_text,
        open_failures=OPEN_FAILURES,
        reason_text=reason_text,
        group_name=group_name,
    )


def details(entry: Entry, texts: StepTexts) -> str:
    """What a scenario did, as HTML."""
    result = entry.result
    return page_template("result.html.j2").render(
        entry=entry,
        result=result,
        scenario=result.scenario,
        axis=time_axis(result.steps),
        chart=state_chart(result.steps),
        diagram=sequence_of(result) if result.steps else None,
        reason=reason_text(result),
        repetition=repetition_text(result),
        marks=MARKS,
        severities=SEVERITIES,
        step_name=step_name,
        step_text=lambda step: Lines(texts.text(result.scenario, step.number) if step.number else ""),
        expectations=expectations,
        lines=Lines,
        parties=LANES,
        time_text=time_text,
        height=HEIGHT,
        left=LEFT,
    )


def _entries(run: Run) -> list[Entry]:
    """The results with their names: title and seed, and a number if that is not enough."""
    used: Counter[str] = Counter()
    found = []
    for result in run.results:
        name = slug(f"{result.scenario.title} seed {result.seed}")
        used[name] += 1
        again = run.again(result.scenario, result.seed)
        found.append(Entry(result, name if used[name] == 1 else f"{name}-{used[name]}", again))
    return found


def _categories(failures: Sequence[Entry]) -> list[tuple[Alike, list[Entry]]]:
    """Equal failures together, the most frequent first."""
    entries = {id(entry.result): entry for entry in failures}
    groups = alike([entry.result for entry in failures])
    return [(group, [entries[id(result)] for result in group.results]) for group in groups]


def _packed(parts: list[str]) -> str:
    """Texts with a zero byte between them, compressed: a zlib stream in base64. As JSON the page is larger by 2 %."""
    return b64encode(zlib.compress("\0".join(parts).encode(), 9)).decode()


def _tallies(results: Sequence[ScenarioResult], transport: str) -> Iterator[tuple[str, list[Tally]]]:
    """The tables of the summary by the name of their filter; that of the seeds if there are several."""
    for name, by in COUNTED.items():
        members: dict[str, list[ScenarioResult]] = {}
        for result in results:
            members.setdefault(by.value_of(result, transport), []).append(result)
        if name != "seed" or len(members) > 1:
            yield (
                name,
                [
                    Tally(
                        by.name_of(each_of[0], transport) if by.name_of else value,
                        value,
                        Counter(each.verdict for each in each_of),
                        sum(each.seconds for each in each_of),
                    )
                    for value, each_of in members.items()
                ],
            )


def _compared(run: Run, entries: Sequence[Entry]) -> Iterator[tuple[Sayable, list[tuple[str, str, str]]]]:
    """The kinds of the comparison: the scenarios with their name in the page, if they have one, and their times."""
    if run.comparison is None:
        return
    names = {Compared.of_result(entry.result)[:IDENTITY]: entry.name for entry in entries}
    for kind, members in run.comparison._asdict().items():
        if members:
            yield (
                KINDS[kind],
                [
                    (
                        names.get(each[:IDENTITY], ""),
                        f"{each.name} [{each.personality}]",
                        f"{time_text(each.before)} → {time_text(each.seconds)}" if kind == "slower" else "",
                    )
                    for each in members
                ],
            )
