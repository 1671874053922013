"""The queue at the windows of a district in virtual time: waiting, utilisation, and how many windows are needed.

Visits are served first come, first served by the window that becomes free first. Times are whole milliseconds since
the campaign began, at midnight. A pass over n visits at c windows takes n log c steps; it keeps the windows, and how
many visits waited how many seconds.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapreplace
from itertools import accumulate
from random import Random
from typing import Final, NamedTuple

from sscard.campaign.rows import NEVER, Row
from sscard.campaign.units import DAY_MS, DAY_SECONDS, HOUR_MS, SECOND_MS, WEEK_DAYS
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase

MOST_WINDOWS: Final = 10_000
_PART: Final = 32
"""Bits of a service time in a packed visit."""


class Visits:
    """When citizens come, in order, and how long the service of each takes: twelve bytes for each are kept."""

    def __init__(self, arrivals: Iterable[int], services: Iterable[int]) -> None:
        self.arrivals = array("Q", arrivals)
        self.services = array("I", services)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.arrivals, self.services, strict=True)

    def __len__(self) -> int:
        return len(self.arrivals)


class Opening(NamedTuple):
    """A part of each day in which the windows are open."""

    begin: int
    end: int


ALL_DAY: Final = (Opening(0, DAY_MS),)


class Hours:
    """The opening hours: parts of a day, in order, Monday to the day ``open_days``. Time 0 is a Monday, midnight.

    Who comes when the windows are closed waits for the next opening. Who comes before they close is served.
    """

    def __init__(self, openings: Sequence[Opening] = ALL_DAY, open_days: int = WEEK_DAYS) -> None:
        self._openings = tuple(openings)
        self._ends = [opening.end for opening in openings]
        self._open_days = open_days
        self.a_day = sum(opening.end - opening.begin for opening in openings)
        """Milliseconds in which the windows are open on an open day."""

    def admitted(self, arrival: int) -> int:
        """When a citizen can be served at the earliest."""
        day, time = divmod(arrival, DAY_MS)
        place = bisect_right(self._ends, time)
        if place == len(self._ends):
            day, time, place = day + 1, 0, 0
        if (weekday := day % WEEK_DAYS) >= self._open_days:
            day, time, place = day + WEEK_DAYS - weekday, 0, 0
        return day * DAY_MS + max(time, self._openings[place].begin)

    def open_until(self, time: int) -> int:
        """Milliseconds in which the windows were open from 0 until a time."""
        day, rest = divmod(time, DAY_MS)
        weeks, weekday = divmod(day, WEEK_DAYS)
        days = weeks * self._open_days + min(weekday, self._open_days)
        today = sum(max(0, min(rest, part.end) - part.begin) for part in self._openings)
        return days * self.a_day + (today if weekday < self._open_days else 0)

    def time_after(self, opened: int) -> int:
        """The time at which the windows were open for so many milliseconds: ``open_until`` reversed."""
        days, rest = divmod(opened, self.a_day)
        weeks, weekday = divmod(days, self._open_days)
        begin = (weeks * WEEK_DAYS + weekday) * DAY_MS
        for part in self._openings:
            if rest < part.end - part.begin:
                return begin + part.begin + rest
            rest -= part.end - part.begin
        raise AssertionError


def percentile(counts: Counter[int], share: float) -> int:
    """The least value that this part of the counts does not exceed; 0 without counts."""
    left = share * counts.total()
    value = 0
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            break
    return value


@dataclass(slots=True)
class Queue:
    """What a pass over the visits found; waiting counts from when the windows are open."""

    windows: int
    visits: int = 0
    waited: int = 0
    """Milliseconds of all visits together."""
    longest: int = 0
    busy: int = 0
    """Milliseconds of service of all windows together."""
    available: int = 0
    """Milliseconds in which the windows were open, all together."""
    by_second: Counter[int] = field(default_factory=Counter)
    """Visits by the seconds that they waited, begun seconds counted; 0 if they did not wait."""

    @property
    def mean(self) -> float:
        """Mean wait in milliseconds."""
        return self.waited / self.visits if self.visits else 0.0

    @property
    def utilisation(self) -> float:
        """The part of the open time in which a window serves; above 1 if clerks work after hours."""
        return self.busy / self.available if self.available else 0.0

    def share_within(self, limit: int) -> float:
        """The part of the visits that wait at most so many milliseconds, in whole seconds; 1 without visits."""
        within = sum(count for seconds, count in self.by_second.items() if seconds * SECOND_MS <= limit)
        return within / self.visits if self.visits else 1.0

    def percentile(self, share: float) -> int:
        """The wait in seconds that this part of the visits does not exceed; 0 without visits."""
        return percentile(self.by_second, share)


def queue(visits: Iterable[tuple[int, int]], windows: int, hours: Hours | None = None) -> Queue:
    """Serve visits, arrival and service in order of arrival, at so many windows."""
    hours = hours or Hours()
    found = Queue(windows)
    free = [0] * windows
    admitted, by_second = hours.admitted, found.by_second
    waited = busy = count = longest = 0
    first: int | None = None
    for arrival, service in visits:
        ready = admitted(arrival)
        if first is None:
            first = ready
        start = free[0] if free[0] > ready else ready
        heapreplace(free, start + service)
        wait = start - ready
        by_second[-(-wait // SECOND_MS)] += 1
        waited += wait
        busy += service
        count += 1
        longest = wait if wait > longest else longest
    found.visits, found.waited, found.busy, found.longest = count, waited, busy, longest
    if first is not None:
        found.available = windows * (hours.open_until(max(free)) - hours.open_until(first))
    return found


@dataclass(frozen=True, slots=True)
class Target:
    """What a district wants: this part of the visits waits at most so many milliseconds."""

    share: float = 0.95
    wait: int = 15 * 60 * SECOND_MS

    def met(self, found: Queue) -> bool:
        return found.share_within(self.wait) >= self.share


def needed(visits: Visits, target: Target, hours: Hours | None = None) -> Queue:
    """The queue with the fewest windows that meet a target; ``InputError`` if 10,000 do not.

    More windows never make a visit wait longer, so the number is found by bisection: a pass for each step.
    """
    low, high = 0, 1
    found = queue(visits, high, hours)
    while not target.met(found):
        if high == MOST_WINDOWS:
            raise InputError(
                Phrase("more than {limit} windows are needed", limit=MOST_WINDOWS),
                remedy=Phrase("lower the arrival rate or the share, or permit a longer wait"),
            )
        low, high = high, min(high * 2, MOST_WINDOWS)
        found = queue(visits, high, hours)
    while high - low > 1:
        middle = (low + high) // 2
        tried = queue(visits, middle, hours)
        if target.met(tried):
            high, found = middle, tried
        else:
            low = middle
    return found


class Collected:
    """Visits of a campaign as its rows come: eight bytes for each are kept, and one day is sorted at a time."""

    def __init__(self) -> None:
        self._days: defaultdict[int, array[int]] = defaultdict(lambda: array("Q"))

    def add(self, row: Row) -> None:
        """The first visit of a card and its return."""
        for at, service in ((row.visit_at, row.visit_ms), (row.return_at, row.return_ms)):
            if at != NEVER:
                self._days[at // DAY_SECONDS].append(at << _PART | service)

    def __len__(self) -> int:
        return sum(map(len, self._days.values()))

    def in_order(self) -> Visits:
        """The visits in order of arrival."""
        found = Visits((), ())
        for _day, packed in sorted(self._days.items()):
            for each in sorted(packed):
                found.arrivals.append((each >> _PART) * SECOND_MS)
                found.services.append(each & (1 << _PART) - 1)
        return found


def at_rate(per_hour: float, services: Sequence[int], seed: int, hours: Hours | None = None) -> Visits:
    """As many visits as services, at random with a rate per open hour (a Poisson process), each with one service.

    The services, milliseconds, are taken in random order; the same seed gives the same visits.
    """
    hours = hours or Hours()
    dice = Random(seed)
    opened = accumulate(dice.expovariate(per_hour / HOUR_MS) for _service in services)
    arrivals = array("Q", (hours.time_after(int(moment)) for moment in opened))
    return Visits(arrivals, (services[place] for place in dice.sample(range(len(services)), len(services))))
