"""The figures over cases as charts in one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import log1p
from typing import Final

from sscard.cli.case_figures import (
    counts,
    duration_text,
    ends,
    ground_text,
    kinds_in_order,
    operation_text,
    quantiles,
    stages_in_order,
)
from sscard.i18n.language import _, say
from sscard.scenario.reports.page import page_template
from sscard.service import Channel
from sscard.service.statistics import Durations, Statistics, grounds_in_order

WIDTH: Final = 380
"""Of a bar in the page."""
TICKS: Final = (0, 10, 60, 600, 3600, 86400, 10 * 86400, 100 * 86400)
"""Seconds."""


@dataclass(frozen=True)
class Part:
    """A part of a bar: its colour, place and width, what it counts, and how many."""

    kind: str
    x: float
    width: float
    text: str
    count: int


@dataclass(frozen=True)
class Bar:
    """A bar of a chart."""

    name: str
    parts: Sequence[Part]
    count: int


@dataclass(frozen=True)
class Chart:
    """Bars of one scale; the legend has colour and text of each kind of part."""

    title: str
    legend: Sequence[tuple[str, str]]
    bars: Sequence[Bar]


class _Time:
    """A row of the chart of times: texts, and places on the scale."""

    def __init__(self, name: str, times: Durations, longest: int) -> None:
        self.name, self.count = name, times.count
        self.median, self.ninety, self.longest = map(duration_text, quantiles(times).values())
        self.median_x, self.ninety_x, self.longest_x = (_x(each, longest) for each in quantiles(times).values())


def charts_page(found: Statistics, since: datetime | None, until: datetime | None) -> str:
    """The page."""
    spent = [(say(stage.words), times) for stage, times in stages_in_order(found)]
    spent += [(_("whole case"), found.whole)] if found.whole.count else []
    longest = max((times.longest for _name, times in spent), default=0)
    return page_template("cases.html.j2").render(
        period=_period(since, until),
        counts=counts(found),
        times=[_Time(name, times, longest) for name, times in spent],
        ticks=[(seconds and _x(seconds, longest), duration_text(seconds)) for seconds in TICKS if seconds <= longest],
        charts=[_outcomes(found), _refusals(found)],
    )


def _period(since: datetime | None, until: datetime | None) -> str:
    if since and until:
        return _("opened from {since} to {until}", since=since.date(), until=until.date())
    if since:
        return _("opened on or after {day}", day=since.date())
    return _("opened on or before {day}", day=until.date()) if until else _("all cases")


def _x(seconds: int, longest: int) -> float:
    """The place of a time on the logarithmic scale."""
    return round((WIDTH - 30) * log1p(seconds) / log1p(max(longest, 1)), 1)


def _outcomes(found: Statistics) -> Chart:
    kinds = kinds_in_order(found)
    rows = [
        (f"{operation_text(kind)} · {say(kind.channel.words)}", [count for *_names, count in ends(found, kind)])
        for kind in kinds
    ]
    texts = [text for _name, text, _count in ends(found, kinds[0])] if kinds else []
    return _chart(_("outcomes"), "c", texts, rows)


def _refusals(found: Statistics) -> Chart:
    rows = [
        (ground_text(ground), [found.refusals[ground, channel] for channel in Channel])
        for ground in grounds_in_order(found)
    ]
    return _chart(_("grounds of refusal"), "k", [say(channel.words) for channel in Channel], rows)


def _chart(title: str, colours: str, texts: Sequence[str], rows: Sequence[tuple[str, Sequence[int]]]) -> Chart:
    most = max((sum(numbers) for _name, numbers in rows), default=0) or 1
    bars = []
    for name, numbers in rows:
        parts, x = [], 0.0
        for kind, (text, count) in enumerate(zip(texts, numbers, strict=True)):
            width = WIDTH * count / most
            parts.append(Part(f"{colours}{kind}", round(x, 1), round(width, 1), text, count))
            x += width
        bars.append(Bar(name, parts, sum(numbers)))
    return Chart(title, [(f"{colours}{kind}", text) for kind, text in enumerate(texts)], bars)
