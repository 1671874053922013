"""The figures over cases as charts in one HTML page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import log1p
from typing import Final

from sscard.cli.case_figures import (
    counts,
    ends,
    ground_text,
    kinds_in_order,
    operation_text,
    quantiles,
    stages_in_order,
)
from sscard.i18n.duration import duration_text
from sscard.i18n.language import _, say
from sscard.scenario.reports.charts import Bar, Bars, Key, parts
from sscard.scenario.reports.page import page_template
from sscard.service import Channel
from sscard.service.statistics import Durations, Statistics, grounds_in_order

WIDTH: Final = 380
"""Of a row of the chart of times."""
END_COLOURS: Final = ("fresh", "red", "amber", "grey")
CHANNEL_COLOURS: Final = ("blue", "green", "purple")
TICKS: Final = (0, 10, 60, 600, 3600, 86400, 10 * 86400, 100 * 86400)
"""Seconds."""


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


def _outcomes(found: Statistics) -> Bars:
    kinds = kinds_in_order(found)
    rows = [
        (f"{operation_text(kind)} · {say(kind.channel.words)}", [count for *_names, count in ends(found, kind)])
        for kind in kinds
    ]
    texts = [text for _name, text, _count in ends(found, kinds[0])] if kinds else []
    return _bars(_("outcomes"), [*map(Key, END_COLOURS, texts)], rows)


def _refusals(found: Statistics) -> Bars:
    rows = [
        (ground_text(ground), [found.refusals[ground, channel] for channel in Channel])
        for ground in grounds_in_order(found)
    ]
    legend = [*map(Key, CHANNEL_COLOURS, (channel.words for channel in Channel))]
    return _bars(_("grounds of refusal"), legend, rows)


def _bars(title: str, legend: Sequence[Key], rows: Sequence[tuple[str, Sequence[int]]]) -> Bars:
    """Bars of one scale: the longest takes the whole width."""
    most = max((sum(numbers) for _name, numbers in rows), default=0)
    bars = [Bar(name, parts(legend, numbers, [*map(str, numbers)], most), str(sum(numbers))) for name, numbers in rows]
    return Bars(title, legend, _("cases"), bars)
