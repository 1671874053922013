"""Figures and verdicts of a benchmark as people read them."""

from __future__ import annotations

from typing import Final

from sscard.benchmark.thresholds import ERRORS, THROUGHPUT, Checked
from sscard.i18n.phrase import Phrase

VERDICTS: Final = {
    "no change": Phrase("no change"),
    "slower": Phrase("slower"),
    "faster": Phrase("faster"),
}


def time_text(seconds: float) -> str:
    """A latency with three digits: ``58.3 µs``, ``1.25 ms``, ``2.10 s``, ``120 s``."""
    unit, size = ("s", 1.0) if seconds >= 1 else ("ms", 1e-3) if seconds >= 1e-3 else ("µs", 1e-6)
    number = seconds / size
    return f"{number:.{2 if number < 10 else 1 if number < 100 else 0}f} {unit}"


def value_text(checked: Checked) -> str:
    """The value that a threshold is compared with."""
    figure = checked.threshold.figure
    if figure == THROUGHPUT:
        return f"{checked.value:.1f}/s"
    return f"{100 * checked.value:.2f} %" if figure == ERRORS else time_text(checked.value)
