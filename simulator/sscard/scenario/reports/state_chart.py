"""The tries left of the PIN, the state words and the stage of the case over the steps, as a small chart."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from sscard.i18n.language import say
from sscard.i18n.phrase import Sayable
from sscard.scenario.runner import CardState, StepResult
from sscard.scenario.state_words import READY, state_name
from sscard.scenario.step import show_stage

LEFT: Final = 26
HEIGHT: Final = 64
"""Pixels left of the first step, and of the scale of tries."""
WIDEST: Final = 640
STEP: Final = 30
LABELS: Final = 21
"""The most steps that all have a number below them."""


class Dot(NamedTuple):
    """The tries left after a step: place in pixels, number of the step, text."""

    x: float
    y: float
    number: int
    title: str


class Span(NamedTuple):
    """Steps after which the card was in the same state: place and width in pixels, class of its colour, words."""

    x: float
    width: float
    kind: str
    steps: str
    words: Sayable
    stage: Sayable


class StateChart(NamedTuple):
    """The chart in pixels."""

    limit: int
    width: float
    dots: list[Dot]
    line: str
    spans: list[Span]
    every: int

    @property
    def labelled(self) -> list[Dot]:
        """The steps with a number below them."""
        return self.dots[:: self.every]


def state_chart(steps: Sequence[StepResult]) -> StateChart | None:
    """The chart of the steps that have a state after them; ``None`` if there is no such step."""
    states = [(step.number, step.after) for step in steps if step.after is not None]
    if not states:
        return None
    limit = max(max(after.limit, after.tries) for _number, after in states) or 1
    gap = min(STEP, WIDEST / len(states))
    dots = [
        Dot(
            round(LEFT + gap * (place + 0.5), 1),
            round(HEIGHT - HEIGHT * after.tries / limit, 1),
            number,
            f"{number}: {after.tries}/{after.limit} {say(after.said)}",
        )
        for place, (number, after) in enumerate(states)
    ]
    line = f"M{dots[0].x} {dots[0].y}" + "".join(f"H{dot.x}V{dot.y}" for dot in dots[1:])
    every = -(-len(states) // LABELS)
    return StateChart(limit, LEFT + gap * len(states) + 4, dots, line, _spans(states, gap), every)


def _spans(states: Sequence[tuple[int, CardState]], gap: float) -> list[Span]:
    spans = []
    place = 0
    for (words, stage), same in groupby(states, lambda state: (state[1].words, state[1].stage)):
        numbers = [number for number, _after in same]
        steps = f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 1 else f"{numbers[0]}"
        said = show_stage(stage) if stage else ""
        spans.append(Span(LEFT + gap * place, gap * len(numbers) - 1, _kind(words), steps, state_name(words), said))
        place += len(numbers)
    return spans


def _kind(words: str) -> str:
    """The class of the colour of a state."""
    if "blocked" in words:
        return "s-bad"
    if words.startswith("off"):
        return "s-off"
    if "verified" in words:
        return "s-good"
    return "s-ready" if words == READY else "s-key"
