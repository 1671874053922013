"""Durations in the HTML report: as text, as the time axis of steps, and counted over the scenarios of a run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from sscard.i18n.language import N_, _
from sscard.scenario.runner import ScenarioResult, StepResult

LIMITS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Seconds up to which the durations of scenarios are counted together."""
UNITS: Final = ((1.0, N_("{number} s")), (1e-3, N_("{number} ms")), (1e-6, N_("{number} µs")))
"""Units in seconds, with three digits of a number before them."""


class Bar(NamedTuple):
    """The begin and the duration of a step in percent of the time axis."""

    begin: int
    width: int


class TimeAxis(NamedTuple):
    """From the begin of the first step to the end of the last, in seconds, with a bar for each step."""

    seconds: float
    bars: list[Bar]


class Interval(NamedTuple):
    """How many scenarios took as long as the text says, and their part of the most frequent interval in percent."""

    text: str
    scenarios: int
    percent: float


def duration_text(seconds: float) -> str:
    """A duration with three digits: ``58.3 µs``, ``1.25 ms``, ``2.10 s``; from a minute in seconds: ``3 min 5 s``."""
    if seconds >= 60:
        return _("{minutes} min {seconds} s", minutes=int(seconds // 60), seconds=int(seconds % 60))
    size, text = next((each for each in UNITS if seconds >= 0.9995 * each[0]), UNITS[-1])  # 999.6 µs are 1.00 ms
    return _(text, number=f"{seconds / size:#.3g}".rstrip("."))


def time_axis(steps: Sequence[StepResult]) -> TimeAxis:
    """The time axis of the steps of a scenario; zero seconds if it has no step."""
    begin = min((step.at for step in steps), default=0.0)
    seconds = max((step.at + step.seconds for step in steps), default=0.0) - begin
    scale = 100 / seconds if seconds > 0 else 0.0
    return TimeAxis(seconds, [Bar(round((step.at - begin) * scale), round(step.seconds * scale)) for step in steps])


def intervals(results: Sequence[ScenarioResult]) -> list[Interval]:
    """The scenarios that were run, counted by duration: from the shortest to the longest, with empty ones between."""
    counts = [0] * (len(LIMITS) + 1)
    for result in results:
        if result.steps:
            counts[bisect_left(LIMITS, result.seconds)] += 1
    used = [place for place, count in enumerate(counts) if count]
    if not used:
        return []
    texts = [*(f"≤ {duration_text(limit)}" for limit in LIMITS), f"> {duration_text(LIMITS[-1])}"]
    return [
        Interval(texts[place], counts[place], round(100 * counts[place] / max(counts), 1))
        for place in range(used[0], used[-1] + 1)
    ]
