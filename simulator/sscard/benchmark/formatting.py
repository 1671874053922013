"""Figures and verdicts of a benchmark as people read them."""

from __future__ import annotations

from typing import Final

from sscard.benchmark.load import NOT_STARTED, OTHERS
from sscard.benchmark.thresholds import ERRORS, THROUGHPUT, Checked
from sscard.i18n.duration import time_text
from sscard.i18n.phrase import Phrase
from sscard.scenario.reports import run

VERDICTS: Final = {
    "no change": Phrase("no change"),
    "slower": Phrase("slower"),
    "faster": Phrase("faster"),
}
KINDS: Final = {
    **run.VERDICTS,
    "failed": Phrase("scenario failed"),
    NOT_STARTED: Phrase("not started"),
    OTHERS: Phrase("other"),
}
"""Kinds of failures that are words, and what they are called; the others are names."""
NOTHING: Final = "–"


def latency_text(seconds: float, operations: int) -> str:
    """A latency of so many operations; ``–`` if no operation has one."""
    return time_text(seconds) if operations else NOTHING


def share_text(share: float, operations: int) -> str:
    """A share of the latency in percent; ``–`` if there is no latency."""
    return f"{100 * share:.1f} %" if operations else NOTHING


def value_text(checked: Checked) -> str:
    """The value that a threshold is compared with; ``–`` if no operation has one."""
    figure = checked.threshold.figure
    if checked.value is None:
        return NOTHING
    if figure == THROUGHPUT:
        return f"{checked.value:.1f}/s"
    return f"{100 * checked.value:.2f} %" if figure == ERRORS else time_text(checked.value)
