"""Charts of HTML pages, for the macros of ``charts.html.j2``; places and sizes are percents of the drawing.

The labels of a plot are text beside the drawing, not in it: they keep their size on a narrow screen. A ``colour`` is
the name of a class of ``charts.css.j2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from sscard.i18n.phrase import Sayable

LAYER_COLOURS: Final[Mapping[str, str]] = {
    "waiting": "red",
    "service": "blue",
    "journal": "green",
    "driver": "fresh",
    "terminal": "purple",
    "hsm": "amber",
    "transport": "teal",
    "line": "teal",
    "card": "pink",
    "memory": "pink",
    "cipher": "green",
    "papers": "blue",
    "entry": "fresh",
    "oracle": "red",
    "issue": "fresh",
    "remainder": "grey",
}


class Key(NamedTuple):
    """An entry of a legend."""

    colour: str
    text: Sayable


class Part(NamedTuple):
    """A part of a bar: its place and width, what it is, and its value as text."""

    colour: str
    x: float
    width: float
    text: Sayable
    value: str


class Bar(NamedTuple):
    """A bar of parts, and the value of the whole as text."""

    name: Sayable
    parts: Sequence[Part]
    whole: str


class Bars(NamedTuple):
    """A table with one bar a row, and a column for each entry of the legend; ``heading`` is that of the wholes."""

    title: str
    legend: Sequence[Key]
    heading: str
    bars: Sequence[Bar]


class Tick(NamedTuple):
    """A mark of an axis: its place, and its text."""

    at: float
    text: str


class Box(NamedTuple):
    """A column of a plot, with what a reader sees when pointing at it."""

    colour: str
    x: float
    y: float
    width: float
    height: float
    text: str


class Curve(NamedTuple):
    """A line of a plot: its colour, and its points."""

    colour: str
    points: str


class Plot(NamedTuple):
    """A plot: the ticks of its vertical and horizontal axis, columns and lines."""

    title: Sayable
    values: Sequence[Tick]
    moments: Sequence[Tick]
    boxes: Sequence[Box] = ()
    curves: Sequence[Curve] = ()
    legend: Sequence[Key] = ()


def parts(legend: Sequence[Key], numbers: Sequence[float], values: Sequence[str], whole: float) -> list[Part]:
    """The parts of a bar that takes the whole width if its numbers add up to ``whole``."""
    made, x = [], 0.0
    for key, number, value in zip(legend, numbers, values, strict=True):
        width = 100 * number / whole if whole else 0.0
        made.append(Part(key.colour, round(x, 2), round(width, 2), key.text, value))
        x += width
    return made
