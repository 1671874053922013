"""Working days in China: when a promised limit ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Final

CHINA: Final = timezone(timedelta(hours=8))
"""China's time zone; without daylight saving time since 1991."""
SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Due:
    """The last day of a limit; not ``certain`` if the holidays of a year in between are not known."""

    day: date
    certain: bool = True


def day_in_china(time: datetime) -> date:
    """The date at the counter."""
    return time.astimezone(CHINA).date()


def due_after(start: date, working_days: int) -> Due:
    """The last of ``working_days`` after a day, which itself is not counted."""
    day, certain, left = start, True, working_days
    while left:
        day += timedelta(days=1)
        works, known = _is_workday(day)
        left -= works
        certain &= known
    return Due(day, certain)


def _is_workday(day: date) -> tuple[bool, bool]:
    """Whether it is a working day, and whether the calendar knows its year; otherwise only weekends are excluded."""
    from chinese_calendar import is_workday  # noqa: PLC0415 - costs 5 ms, needed for an acceptance only

    try:
        return bool(is_workday(day)), True
    except NotImplementedError:
        return day.weekday() < SATURDAY, False
