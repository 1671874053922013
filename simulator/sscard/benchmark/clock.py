"""The one clock of a benchmark: every latency, pause and start is read from it."""

from __future__ import annotations

import time
from typing import Final, Protocol


class Clock(Protocol):
    """A clock that a benchmark measures with; all times are in seconds."""

    def now(self) -> float:
        """The time since any fixed moment; it never goes back."""

    def wait_until(self, moment: float) -> None:
        """Return when ``moment`` has come, immediately if it is past."""


class _RealClock:
    """The performance counter of the machine."""

    now = staticmethod(time.perf_counter)

    def wait_until(self, moment: float) -> None:
        """See ``Clock``."""
        left = moment - time.perf_counter()
        if left > 0:
            time.sleep(left)


REAL_CLOCK: Final[Clock] = _RealClock()
