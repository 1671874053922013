"""Thresholds on the figures of a flow: ``p99<300ms``, ``change:throughput>=50/s``, ``errors<1%``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sscard.benchmark.result import FIGURES, FlowResult
from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase

THROUGHPUT, ERRORS = "throughput", "errors"
TIMES: Final = (*FIGURES, "mean")
WORDS: Final = (*TIMES, THROUGHPUT, ERRORS)
SECONDS: Final[Mapping[str, float]] = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
PER_SECOND: Final[Mapping[str, float]] = {"/s": 1.0}
PERCENT: Final[Mapping[str, float]] = {"%": 0.01}
COMPARISONS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
EXAMPLE: Final = Phrase("for example p99<300ms, change:throughput>=50/s, errors<1%")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit for a figure of a flow, or of every flow; ``limit`` is in seconds, per second, or a share from 0 to 1."""

    text: str
    flow: str
    figure: str
    comparison: str
    limit: float

    def is_met(self, value: float) -> bool:
        return COMPARISONS[self.comparison](value, self.limit)


class Checked(NamedTuple):
    """A threshold with the value of a flow; ``None`` for a time if no operation has one."""

    threshold: Threshold
    flow: str
    value: float | None
    met: bool


class _Reader:
    """Reads an expression from left to right; its errors name the column, from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def error(self, problem: Phrase, remedy: Phrase = EXAMPLE) -> InvalidValue:
        """The error at the current column."""
        column = len(self._text) - len(self._text[self._at :].lstrip()) + 1
        return InvalidValue(
            Phrase("{text!r}, column {column}: {problem}", text=self._text, column=column, problem=problem), remedy
        )

    def matched(self, pattern: str) -> str:
        """The text at the current column that a pattern matches, which is passed; empty if it does not match."""
        found = re.compile(rf"\s*({pattern})").match(self._text, self._at)
        if found is None:
            return ""
        self._at = found.end()
        return found[1]

    @property
    def at_end(self) -> bool:
        return not self._text[self._at :].strip()


def read_threshold(text: str) -> Threshold:
    """A threshold, ``[FLOW:]FIGURE COMPARISON VALUE UNIT``; ``InvalidValue`` with the column if the text is not one."""
    reader = _Reader(text)
    flow, _colon, figure = reader.matched(r"(?:[^<>=]*:)?(?!\d)[a-z][\w.]*").rpartition(":")
    if figure not in WORDS:
        problem = Phrase("no figure {name!r}", name=figure) if figure else Phrase("the name of a figure is missing")
        raise _Reader(text).error(problem, Phrase("expected one of: {words}", words=", ".join(WORDS)))
    comparison = reader.matched("[<>]=?")
    if not comparison:
        raise reader.error(Phrase("a comparison is missing: <, <=, > or >="))
    number = reader.matched(r"\d+(?:\.\d+)?")
    if not number:
        raise reader.error(Phrase("a number is missing"))
    units = PER_SECOND if figure == THROUGHPUT else PERCENT if figure == ERRORS else SECONDS
    unit = reader.matched("|".join(units))
    if not unit:
        raise reader.error(Phrase("a unit is missing"), Phrase("expected one of: {words}", words=", ".join(units)))
    if not reader.at_end:
        raise reader.error(Phrase("nothing is expected after the unit"))
    return Threshold(text, flow, figure, comparison, float(number) * units[unit])


def value_of(flow: FlowResult, figure: str) -> float | None:
    """A figure of a flow by its name; ``None`` for a time if no operation has one."""
    if figure in TIMES and not flow.latencies.count:
        return None
    if figure == THROUGHPUT:
        return flow.throughput
    if figure == ERRORS:
        return flow.error_rate
    return flow.latencies.mean if figure == "mean" else flow.latencies.figures()[figure]


def check(thresholds: Sequence[Threshold], flows: Sequence[FlowResult]) -> list[Checked]:
    """Each threshold with each flow that it is about; a time is not met if no operation has one."""
    return [
        Checked(
            threshold,
            flow.name,
            value := value_of(flow, threshold.figure),
            value is not None and threshold.is_met(value),
        )
        for threshold in thresholds
        for flow in flows
        if threshold.flow in ("", flow.name)
    ]
