"""Durations in the HTML report: as text, as the time axis of steps, and counted over the scenarios of a run."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final, NamedTuple

from sscard.i18n.duration import time_text
from sscard.scenario.runner import ScenarioResult, StepResult

LIMITS: Final = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Seconds up to which the durations of scenarios are counted together."""


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
    texts = [*(f"≤ {time_text(limit)}" for limit in LIMITS), f"> {time_text(LIMITS[-1])}"]
    return [
        Interval(texts[place], counts[place], round(100 * counts[place] / max(counts), 1))
        for place in range(used[0], used[-1] + 1)
    ]
