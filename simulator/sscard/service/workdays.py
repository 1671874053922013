"""Working days in China: when a promised limit ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Final

CHINA: Final = timezone(timedelta(hours=8))
"""China's one time zone; it has had no summer time since 1991."""
SATURDAY: Final = 5


@dataclass(frozen=True, slots=True)
class Due:
    """The last day of a limit; not ``certain`` where the holidays of a year on the way are not known."""

    day: date
    certain: bool = True


def day_in_china(time: datetime) -> date:
    """The date at the counter."""
    return time.astimezone(CHINA).date()


def due_after(start: date, working_days: int) -> Due:
    """The last of so many working days after a day, which itself does not count."""
    day, certain, left = start, True, working_days
    while left:
        day += timedelta(days=1)
        works, known = _is_workday(day)
        left -= works
        certain &= known
    return Due(day, certain)


def _is_workday(day: date) -> tuple[bool, bool]:
    """Whether people work that day, and whether the calendar knows its year; else weekends alone tell."""
    from chinese_calendar import is_workday  # noqa: PLC0415 - 5 ms that only an acceptance needs

    try:
        return bool(is_workday(day)), True
    except NotImplementedError:
        return day.weekday() < SATURDAY, False
