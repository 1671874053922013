"""Line plots as self-contained SVG, for the figures of the benchmarks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 40, 84, 52
COLOURS = ("#0b62a4", "#c44e00", "#3c7d3c", "#7a4fa3")
TICKS = 5


@dataclass
class Series:
    """A figure at growing counts, or in one run after the other."""

    name: str
    unit: str
    points: list[tuple[int, float]]


@dataclass
class Axis:
    """The axis from left to right: a tick for each value, and the positions between the first and the last."""

    ticks: Sequence[int]
    logarithmic: bool = False

    def share(self, x: float) -> float:
        """0 at the left, 1 at the right."""
        low, high, at = (log10(each) if self.logarithmic else each for each in (self.ticks[0], self.ticks[-1], x))
        return (at - low) / (high - low) if high > low else 0.5


def decades_axis(series: Sequence[Series]) -> Axis:
    """Powers of ten around the counts of the series."""
    counts = sorted({x for each in series for x, _ in each.points})
    low, high = len(str(counts[0])) - 1, max(len(str(counts[-1] - 1)), len(str(counts[0])))
    return Axis([10**power for power in range(low, high + 1)], logarithmic=True)


def step_of(highest: float) -> float:
    """The distance of the grid's lines: 1, 2 or 5 times a power of ten."""
    rough = highest / TICKS
    power: float = 10 ** len(str(int(rough))) / 10 if rough >= 1 else 0.1
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)


def plot(title: str, what: str, series: Sequence[Series], axis: Axis) -> str:
    """The SVG: figures from zero upwards."""
    step = step_of(max(y for each in series for _, y in each.points) * 1.05)
    top = step * TICKS

    def at(x: float, y: float) -> tuple[float, float]:
        return (
            LEFT + axis.share(x) * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM),
        )

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
        ' font-family="sans-serif" font-size="12" fill="#333">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        text_at(LEFT, 24, title, size=16),
    ]
    for place in range(TICKS + 1):
        _, y = at(axis.ticks[0], place * step)
        lines += [
            line_of([(LEFT, y), (WIDTH - RIGHT, y)], "#ddd", 1),
            text_at(LEFT - 8, y + 4, f"{place * step:g}", "end"),
        ]
    for tick in axis.ticks:
        x, y = at(tick, 0)
        lines += [line_of([(x, TOP), (x, y)], "#eee", 1), text_at(x, y + 18, f"{tick:,}", "middle")]
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
