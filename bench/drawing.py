"""Line plots as self-contained SVG, for the figures of the benchmarks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 40, 84, 52
COLOURS = ("#0b62a4", "#c44e00", "#3c7d3c", "#7a4fa3")
STEPS = 5
"""Steps of a linear axis, about."""


@dataclass
class Series:
    """A figure at growing counts, or in one run after the other."""

    name: str
    unit: str
    points: list[tuple[int, float]]


def counts_of(series: Sequence[Series]) -> list[int]:
    """The counts of all points of these series."""
    return [count for each in series for count, _ in each.points]


def values_of(series: Sequence[Series]) -> list[float]:
    """The figures of all points of these series."""
    return [value for each in series for _, value in each.points]


@dataclass
class Axis:
    """An axis of a plot: a tick with a line for each value, and the positions between the first and the last."""

    ticks: Sequence[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """0 at the first tick, 1 at the last."""
        low, high, at = (log10(each) if self.logarithmic else each for each in (self.ticks[0], self.ticks[-1], value))
        return (at - low) / (high - low) if high > low else 0.5


def decades_axis(values: Iterable[float], factors: Sequence[int] = (1,)) -> Axis:
    """A logarithmic axis around positive values: powers of ten, and these times ``factors``, as far as needed."""
    found = sorted(values)
    powers = range(floor(log10(found[0])), ceil(log10(found[-1])) + 1)
    ticks = [factor * 10.0**power for power in powers for factor in factors]
    first = max((each for each in ticks if each <= found[0]), default=ticks[0])
    last = next((each for each in ticks if each >= found[-1] and each > first), ticks[-1])
    return Axis([each for each in ticks if first <= each <= last], logarithmic=True)


def linear_axis(values: Iterable[float]) -> Axis:
    """An axis from zero: steps of 1, 2 or 5 times a power of ten, the highest value a little below the last."""
    highest = 1.05 * max(values)
    rough = highest / STEPS
    power = 10.0 ** floor(log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
    return Axis([place * step for place in range(ceil(highest / step) + 1)])


def plot(title: str, what: str, series: Sequence[Series], across: Axis, up: Axis) -> str:
    """The SVG: what the counts are goes below, the names and units of the series above."""

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + across.share(x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - up.share(y) * (HEIGHT - TOP - BOTTOM),
        )

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text_at(LEFT, 24, title, size=16),
    ]
    for tick in up.ticks:
        _, y = at(across.ticks[0], tick)
        lines += [
            line_of([(LEFT, y), (WIDTH - RIGHT, y)], "#ddd", 1),
            text_at(LEFT - 8, y + 4, f"{tick:,.10g}", "end"),
        ]
    for tick in across.ticks:
        x, y = at(tick, up.ticks[0])
        lines += [line_of([(x, TOP), (x, y)], "#eee", 1), text_at(x, y + 18, f"{tick:,.10g}", "middle")]
    lines += [text_at((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, what, "middle")]
    for place, (each, colour) in enumerate(zip(series, COLOURS, strict=False)):
        points = [at(x, y) for x, y in each.points]
        lines.append(line_of(points, colour, 2))
        lines += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        x, y = LEFT + place % 2 * 300, 46 + place // 2 * 20
        lines += [line_of([(x, y), (x + 18, y)], colour, 3), text_at(x + 24, y + 4, f"{each.name}, {each.unit}")]
    return "\n".join([*lines, "</svg>\n"])


def line_of(points: Sequence[tuple[float, float]], colour: str, width: int) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"/>'


def text_at(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}">{escape(text)}</text>'
