"""Working days in China: when a promised limit ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import cache
from typing import Annotated, Any, Final

from pydantic import AfterValidator, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.phrase import Phrase

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


def _named(notice: str) -> str:
    if not notice.strip():
        raise InvalidValue(Phrase("is empty"), Phrase("name the notice of the State Council, its number and its day"))
    return notice


def _at_a_weekend(day: date) -> date:
    if day.weekday() < SATURDAY:
        raise InvalidValue(
            Phrase("{day} is neither a Saturday nor a Sunday", day=day.isoformat()),
            Phrase("every other day is worked unless it is named under 'off'"),
        )
    return day


class AnnouncedYear(Model):
    """A year of the calendar as the notice of the State Council announces it."""

    notice: Annotated[str, AfterValidator(_named)]
    off: tuple[date, ...]
    """Holidays, of which those on a weekend need not be named."""
    worked: tuple[Annotated[date, AfterValidator(_at_a_weekend)], ...] = ()
    """Saturdays and Sundays that are worked instead (调休)."""

    @model_validator(mode="after")
    def _a_day_is_in_one_list(self) -> AnnouncedYear:
        for day in self.worked:
            if day in self.off:
                problem = Phrase("{day} is under 'off' and under 'worked'", day=day.isoformat())
                raise InvalidValue(problem, Phrase("keep one of them"))
        return self


def due_after(start: date, working_days: int, calendar: Mapping[int, AnnouncedYear]) -> Due:
    """The last of ``working_days`` after a day, which itself is not counted."""
    day, certain, left = start, True, working_days
    while left:
        day += timedelta(days=1)
        works, known = _is_workday(day, calendar)
        left -= works
        certain &= known
    return Due(day, certain)


def _is_workday(day: date, calendar: Mapping[int, AnnouncedYear]) -> tuple[bool, bool]:
    """Whether it is a working day, and whether its year is announced; otherwise only weekends are excluded."""
    weekday = day.weekday() < SATURDAY
    if year := calendar.get(day.year):
        return day in year.worked or (weekday and day not in year.off), True
    known = _year(day.year)
    # In every announced year days are worked instead; in the years to come the package counts the holidays of the law.
    if not any(worked.year == day.year for worked in known.weekend_workdays):
        return weekday, False
    return bool(known.is_working_day(day)), True


@cache
def _year(year: int) -> Any:
    """A year of the package ``holidays``, whose import takes longer than a case: for years the policy does not have."""
    from holidays import country_holidays

    return country_holidays("CN", years=year)
