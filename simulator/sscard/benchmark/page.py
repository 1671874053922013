"""A benchmark as one self-contained HTML page: percentiles over time, histogram, and where the time goes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC
from math import ceil, floor, log10
from typing import Final, NamedTuple

from sscard.benchmark.environment import FACTS, value_of_fact
from sscard.benchmark.formatting import KINDS, VERDICTS, latency_text, share_text, value_text
from sscard.benchmark.load import Load
from sscard.benchmark.outcome import Outcome
from sscard.benchmark.result import FIGURES, FlowResult
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.reports.durations import duration_text
from sscard.scenario.reports.page import page_template

WIDTH, HEIGHT = 860, 220
LEFT, BOTTOM = 64, 24
"""Places for the texts of the axes; all of them in the units of the drawing."""
CURVES: Final = ("p50", "p90", "p99", "max")
DECADES: Final = tuple(range(-7, 4))
SHARE: Final = 860
"""Width of the bar of the layers."""


class Tick(NamedTuple):
    """A mark of an axis: its place, and its text."""

    at: float
    text: str


class Curve(NamedTuple):
    """A figure over time: its name, and the points of its line."""

    name: str
    points: str


class OverTime(NamedTuple):
    """The percentiles over time on a logarithmic scale; slices without an operation interrupt no line."""

    curves: list[Curve]
    times: list[Tick]
    moments: list[Tick]


class Bar(NamedTuple):
    """A bar of the histogram, with what a reader sees when pointing at it."""

    x: float
    y: float
    width: float
    height: float
    text: str


class Histogram(NamedTuple):
    """The latencies on a logarithmic scale."""

    bars: list[Bar]
    times: list[Tick]


class Share(NamedTuple):
    """A part of the bar of the layers."""

    name: str
    title: Sayable
    x: float
    width: float


def write(outcome: Outcome) -> str:
    """The page."""
    found = outcome.found
    return page_template("bench.html.j2").render(
        outcome=outcome,
        found=found,
        flows=[(flow, over_time(flow), histogram(flow), shares(flow)) for flow in found.flows],
        load=load_text(found.load),
        started=found.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        command=shlex.join(found.command),
        figures=FIGURES,
        labels=FACTS,
        value_of_fact=value_of_fact,
        verdicts=VERDICTS,
        kinds=KINDS,
        share_text=share_text,
        latency_text=latency_text,
        duration_text=duration_text,
        value_text=value_text,
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        bottom=BOTTOM,
    )


def load_text(load: Load) -> Phrase:
    """The load in words."""
    clients = Phrase.plural("{count} client", "{count} clients", count=load.clients)
    if load.rate:
        return Phrase("open load, {rate:g} operations per second, {clients}", rate=load.rate, clients=clients)
    if load.think:
        return Phrase("closed load, {clients}, think time {seconds:g} s", clients=clients, seconds=load.think)
    return Phrase("closed load, {clients}", clients=clients)


def over_time(flow: FlowResult) -> OverTime | None:
    """The percentiles over time; ``None`` without two slices."""
    timeline = flow.recorded.over_time
    slices = [
        (number, each.latencies.figures()) for number, each in sorted(timeline.slices.items()) if each.latencies.count
    ]
    if len(slices) < 2:
        return None
    scale = _Scale([figures[name] for _number, figures in slices for name in CURVES])
    last = slices[-1][0] + 1

    def x(number: float) -> float:
        return round(LEFT + (WIDTH - LEFT) * number / last, 1)

    curves = [
        Curve(name, " ".join(f"{x(number + 0.5)},{scale.at(figures[name])}" for number, figures in slices))
        for name in CURVES
    ]
    moments = [Tick(x(last * part / 5), f"{last * part / 5 * timeline.width:.3g} s") for part in range(6)]
    return OverTime(curves, [*scale.ticks()], moments)


class _Scale:
    """A logarithmic vertical axis that has all values."""

    def __init__(self, values: Sequence[float]) -> None:
        positive = [value for value in values if value > 0] or [1e-6]
        self._low = floor(log10(min(positive)))
        self._high = max(ceil(log10(max(positive))), self._low + 1)

    def at(self, value: float) -> float:
        """The vertical place of a value."""
        part = (log10(max(value, 10.0**self._low)) - self._low) / (self._high - self._low)
        return round((HEIGHT - BOTTOM) * (1 - part), 1)

    def ticks(self) -> Iterator[Tick]:
        """The powers of ten."""
        for power in range(self._low, self._high + 1):
            yield Tick(self.at(10.0**power), duration_text(10.0**power))


def histogram(flow: FlowResult) -> Histogram | None:
    """The histogram; ``None`` without an operation."""
    bars = [*flow.latencies.bars()]
    if not bars:
        return None
    start, end = log10(max(bars[0][0], bars[0][1] / 2)), log10(bars[-1][1])
    most = max(count for _low, _high, count in bars)

    def x(seconds: float) -> float:
        return round(LEFT + (WIDTH - LEFT) * min(max((log10(seconds) - start) / (end - start), 0), 1), 1)

    drawn = []
    for low, high, count in bars:
        left = x(max(low, 10**start))
        height = round((HEIGHT - BOTTOM) * count / most, 1)
        text = f"{duration_text(low)} – {duration_text(high)}: {count}"
        drawn.append(Bar(left, round(HEIGHT - BOTTOM - height, 1), round(max(x(high) - left - 1, 1), 1), height, text))
    marks = (factor * 10.0**power for power in DECADES for factor in (1, 2, 5))
    return Histogram(drawn, [Tick(x(mark), duration_text(mark)) for mark in marks if 10**start <= mark <= 10**end])


def shares(flow: FlowResult) -> list[Share]:
    """The parts of the bar of the layers."""
    drawn, at = [], 0.0
    for part in flow.budget:
        drawn.append(Share(part.name, part.title, round(at, 1), round(SHARE * part.share, 1)))
        at += SHARE * part.share
    return drawn
