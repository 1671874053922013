"""How long citizens stand at the window, by product and by what was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Final, NamedTuple

from sscard.campaign.queueing import percentile
from sscard.campaign.rows import Outcome, Row

DONE: Final = (Outcome.CHANGED, Outcome.RESET, Outcome.UNBLOCKED)
TENTH_MS: Final = 100


class TimeAtWindow(NamedTuple):
    """Visits of one product with one outcome; seconds, to a tenth."""

    product: int
    outcome: Outcome
    visits: int
    median: float
    p95: float


class TimesAtWindow:
    """Counts visits by product, outcome and tenths of a second."""

    def __init__(self) -> None:
        self._tenths: defaultdict[tuple[int, Outcome], Counter[int]] = defaultdict(Counter)

    def add(self, row: Row) -> None:
        """Count the visit at which the operation was done: the second, if there was one."""
        spent = row.return_ms or row.visit_ms
        if spent and row.outcome in DONE:
            self._tenths[row.product, row.outcome][(spent + TENTH_MS // 2) // TENTH_MS] += 1

    def rows(self) -> list[TimeAtWindow]:
        """By product and outcome, in order; empty without a timing model."""
        return [
            TimeAtWindow(*key, counts.total(), *(percentile(counts, share) / 10 for share in (0.5, 0.95)))
            for key, counts in sorted(self._tenths.items())
        ]
