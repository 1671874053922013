"""A benchmark as one self-contained HTML page: percentiles over time, histogram, and where the time goes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC
from math import ceil, floor, log10
from typing import Final

from sscard.benchmark.environment import FACTS, value_of_fact
from sscard.benchmark.formatting import KINDS, VERDICTS, latency_text, share_text, value_text
from sscard.benchmark.layers import TITLES
from sscard.benchmark.load import Load
from sscard.benchmark.outcome import Outcome
from sscard.benchmark.result import FIGURES, FlowResult
from sscard.i18n.duration import time_text
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.scenario.reports.charts import LAYER_COLOURS, Box, Curve, Key, Part, Plot, Tick, parts
from sscard.scenario.reports.page import page_template

CURVES: Final = {"p50": "blue", "p90": "green", "p99": "amber", "max": "red"}
"""The lines over time, and their colours."""
DECADES: Final = tuple(range(-7, 4))


def write(outcome: Outcome) -> str:
    """The page."""
    found = outcome.found
    return page_template("bench.html.j2").render(
        outcome=outcome,
        found=found,
        flows=[
            # A scenario has its title in its name.
            (flow, not flow.name.startswith(str(flow.title)), over_time(flow), histogram(flow), shares(flow))
            for flow in found.flows
        ],
        load=load_text(found.load),
        started=found.started.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        command=shlex.join(found.command),
        figures=FIGURES,
        labels=FACTS,
        value_of_fact=value_of_fact,
        verdicts=VERDICTS,
        layers=TITLES,
        kinds=KINDS,
        colours=LAYER_COLOURS,
        share_text=share_text,
        latency_text=latency_text,
        time_text=time_text,
        value_text=value_text,
    )


def load_text(load: Load) -> Phrase:
    """The load in words."""
    clients = Phrase.plural("{count} client", "{count} clients", count=load.clients)
    if load.rate:
        return Phrase("open load, {rate:g} operations per second, {clients}", rate=load.rate, clients=clients)
    if load.think:
        return Phrase("closed load, {clients}, think time {seconds:g} s", clients=clients, seconds=load.think)
    return Phrase("closed load, {clients}", clients=clients)


def over_time(flow: FlowResult) -> Plot | None:
    """The percentiles over time on a logarithmic scale; ``None`` without two slices.

    Slices without an operation interrupt no line.
    """
    timeline = flow.recorded.over_time
    slices = [
        (number, each.latencies.figures()) for number, each in sorted(timeline.slices.items()) if each.latencies.count
    ]
    if len(slices) < 2:
        return None
    scale = _Scale([figures[name] for _number, figures in slices for name in CURVES])
    last = slices[-1][0] + 1
    curves = [
        Curve(
            colour,
            " ".join(
                f"{round(100 * (number + 0.5) / last, 2)},{scale.at(figures[name])}" for number, figures in slices
            ),
        )
        for name, colour in CURVES.items()
    ]
    moments = [
        Tick(20 * part, say(Phrase("{number} s", number=f"{last * part / 5 * timeline.width:.3g}")))
        for part in range(6)
    ]
    legend = [Key(colour, name) for name, colour in CURVES.items()]
    return Plot(Phrase("latency over time"), [*scale.ticks()], moments, curves=curves, legend=legend)


class _Scale:
    """A logarithmic vertical axis that has all values."""

    def __init__(self, values: Sequence[float]) -> None:
        positive = [value for value in values if value > 0] or [1e-6]
        self._low = floor(log10(min(positive)))
        self._high = max(ceil(log10(max(positive))), self._low + 1)

    def at(self, value: float) -> float:
        """The vertical place of a value."""
        part = (log10(max(value, 10.0**self._low)) - self._low) / (self._high - self._low)
        return round(100 * (1 - part), 2)

    def ticks(self) -> Iterator[Tick]:
        """The powers of ten."""
        for power in range(self._low, self._high + 1):
            yield Tick(self.at(10.0**power), time_text(10.0**power))


def histogram(flow: FlowResult) -> Plot | None:
    """The latencies on a logarithmic scale; ``None`` without an operation."""
    bars = [*flow.latencies.bars()]
    if not bars:
        return None
    start, end = log10(max(bars[0][0], bars[0][1] / 2)), log10(bars[-1][1])
    most = max(count for _low, _high, count in bars)

    def x(seconds: float) -> float:
        return round(100 * min(max((log10(seconds) - start) / (end - start), 0), 1), 2)

    drawn = []
    for low, high, count in bars:
        left, height = x(max(low, 10**start)), round(100 * count / most, 2)
        text = f"{time_text(low)} – {time_text(high)}: {count}"
        drawn.append(Box("blue", left, 100 - height, round(max(x(high) - left - 0.1, 0.1), 2), height, text))
    marks = (factor * 10.0**power for power in DECADES for factor in (1, 2, 5))
    ticks = [Tick(x(mark), time_text(mark)) for mark in marks if 10**start <= mark <= 10**end]
    if len(ticks) < 2:  # too narrow for two marks
        ticks = [Tick(0, time_text(10**start)), Tick(100, time_text(10**end))]
    return Plot(Phrase("histogram of the latency"), [], ticks, boxes=drawn)


def shares(flow: FlowResult) -> list[Part]:
    """The parts of the bar of the layers."""
    legend = [Key(LAYER_COLOURS[part.name], part.title) for part in flow.budget]
    values = [time_text(part.mean) for part in flow.budget]
    return parts(legend, [part.share for part in flow.budget], values, 1)
