"""Plots over virtual time: counts as stacked columns, with the numbers as a table, and waiting times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Final, NamedTuple

from sscard.campaign.figures import OverTime
from sscard.campaign.queueing import Queue
from sscard.campaign.units import DAY_SECONDS
from sscard.i18n.duration import duration_text
from sscard.scenario.reports.charts import Box, Curve, Key, Plot, Tick

STEPS: Final = (
    1,
    5,
    15,
    60,
    300,
    600,
    1800,
    3600,
    7200,
    14400,
    43200,
    *(days * DAY_SECONDS for days in (1, 2, 5, 10, 30, 100, 365)),
)
"""Seconds between two marks of the time axis."""
POINTS: Final = 200
"""Of a line."""
MARKS: Final = 8
"""An axis has fewer marks."""


class TimePlot(NamedTuple):
    """A plot, and its table: for each slot with a count its begin as text and the counts of the series;
    ``slot`` is its width as text."""

    plot: Plot
    slot: str
    series: Sequence[Key]
    numbers: Sequence[tuple[str, Sequence[int]]]


def over_time(title: str, series: Sequence[tuple[Key, OverTime]]) -> TimePlot | None:
    """The plot of one or more counts, stacked; ``None`` without a count."""
    counts = [copy(count) for _key, count in series]
    if not any(count.slots for count in counts):
        return None
    width = max(count.width for count in counts)
    for count in counts:
        count.widen(width)
    slots = sorted({slot for count in counts for slot in count.slots})
    rows = [(slot, [count.slots[slot] for count in counts]) for slot in slots]
    scale = [*value_ticks(max(sum(numbers) for _slot, numbers in rows))]
    top, last = scale[-1], slots[-1] + 1
    boxes = []
    for slot, numbers in rows:
        y = 100.0
        when = duration_text(slot * width)
        for (key, _count), number in zip(series, numbers, strict=True):
            height = 100 * number / top
            y -= height
            if number:
                text = f"{when}: {key.text} {number:,}" if len(series) > 1 else f"{when}: {number:,}"
                boxes.append(
                    Box(
                        key.colour,
                        round(100 * slot / last, 2),
                        round(y, 2),
                        round(92 / last, 3),
                        round(height, 2),
                        text,
                    )
                )
    plot = Plot(
        title,
        [Tick(100 - 100 * value / top, f"{value:,}") for value in scale],
        [*moments(last * width)],
        boxes,
        legend=[key for key, _count in series] if len(series) > 1 else [],
    )
    table = [(duration_text(slot * width), numbers) for slot, numbers in rows]
    return TimePlot(plot, duration_text(width), [key for key, _count in series], table)


def waiting_longer(title: str, series: Sequence[tuple[Key, Queue]]) -> Plot | None:
    """The percent of visits that wait longer than a time, for each queue; ``None`` if no visit waits."""
    end = max(each.percentile(0.999) for _key, each in series)
    if not end:
        return None
    curves = []
    for key, each in series:
        waits, longer = sorted(each.by_second, reverse=True), each.visits
        points = []
        for at in range(POINTS + 1):
            while waits and waits[-1] * POINTS <= at * end:
                longer -= each.by_second[waits.pop()]
            points.append(f"{100 * at / POINTS:g},{round(100 - 100 * longer / each.visits, 2)}")
        curves.append(Curve(key.colour, " ".join(points)))
    percents = [Tick(100 - percent, f"{percent} %") for percent in range(0, 101, 20)]
    return Plot(title, percents, [*moments(end)], curves=curves, legend=[key for key, _each in series])


def value_ticks(most: int) -> Iterator[int]:
    """Round numbers from 0 to ``most`` or the next one."""
    step = 1
    while step * 5 < most:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    yield from range(0, -(-max(most, 1) // step) * step + 1, step)


def moments(seconds: int) -> Iterator[Tick]:
    """The marks of a time axis that ends at this second."""
    step = next((step for step in STEPS if seconds / step < MARKS), STEPS[-1])
    for at in range(0, seconds + 1, step):
        yield Tick(round(100 * at / seconds, 2), duration_text(at))
