"""Units of virtual time: rows and populations have seconds, the windows milliseconds, the timing model nanoseconds."""

from __future__ import annotations

from typing import Final

WEEK_DAYS: Final = 7
HOUR_SECONDS: Final = 3_600
DAY_SECONDS: Final = 24 * HOUR_SECONDS
SECOND_MS: Final = 1_000
HOUR_MS: Final = HOUR_SECONDS * SECOND_MS
DAY_MS: Final = DAY_SECONDS * SECOND_MS
US_NS: Final = 1_000
MS_NS: Final = 1_000_000
SECOND_NS: Final = SECOND_MS * MS_NS
DAY_NS: Final = DAY_SECONDS * SECOND_NS
