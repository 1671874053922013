"""How long citizens wait at the windows: the number of windows that is needed, and what some more or fewer change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import Field

from sscard.campaign.queueing import (
    MOST_WINDOWS,
    Collected,
    Hours,
    Opening,
    Queue,
    Target,
    at_rate,
    needed,
    queue,
)
from sscard.campaign.units import HOUR_MS, SECOND_MS
from sscard.document import Model

RATE_DAYS: Final = 20
"""Open days of visits at a rate, so that the answer does not depend on how many cards the campaign has."""
RATE_VISITS: Final = 1_000_000
"""Visits at a rate at most, if the campaign has not more."""
STEPS: Final = (-2, -1, 0, 1, 2)
"""Fewer and more windows than are needed, each step a tenth of those, one window at least."""


class Windows(Model):
    """``windows`` of a population file: at least ``share`` of the visits wait at most ``wait_minutes``.

    The visits come as in the campaign, or at random with the rate ``per_hour`` of open time, for ``RATE_DAYS``, with
    each service time of the campaign equally often. ``count`` is how many windows there are, which are shown beside
    those that are needed.
    """

    share: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)] = 0.95
    wait_minutes: Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)] = 15
    per_hour: Annotated[float, Field(ge=0.001, le=1_000_000, allow_inf_nan=False)] | None = None
    count: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] | None = None


@dataclass(frozen=True)
class Waiting:
    """Queues by the number of windows, in order; ``enough`` is the one with the fewest that meet the target.

    ``per_hour`` is the rate of visits in open time.
    """

    target: Target
    enough: Queue
    queues: tuple[Queue, ...]
    per_hour: float


def waiting(collected: Collected, hours: Hours, windows: Windows | None = None) -> Waiting | None:
    """The queues of these visits; ``None`` if no visit takes time, as without a timing model.

    Errors: ``InputError`` as of ``queueing.needed``.
    """
    windows = windows or Windows()
    visits = collected.in_order()
    if not any(visits.services):
        return None
    if windows.per_hour:
        asked = min(round(windows.per_hour * RATE_DAYS * hours.a_day / HOUR_MS), RATE_VISITS)
        services = visits.services * max(1, -(-asked // len(visits)))
        visits = at_rate(windows.per_hour, services, 0, hours)
    target = Target(windows.share, round(windows.wait_minutes * 60 * SECOND_MS))
    enough = needed(visits, target, hours)
    step = max(1, enough.windows // 10)
    shown = {max(1, enough.windows + step * each) for each in STEPS}
    opened = hours.open_until(visits.arrivals[-1]) - hours.open_until(visits.arrivals[0])
    return Waiting(
        target,
        enough,
        tuple(
            enough if count == enough.windows else queue(visits, count, hours)
            for count in sorted(shown | ({windows.count} if windows.count else set()))
        ),
        windows.per_hour or (len(visits) * HOUR_MS / opened if opened else 0.0),
    )


def hours_of(rates: dict[int, float], open_days: int) -> Hours:
    """The opening hours of windows to which citizens come in these hours of a day."""
    openings: list[Opening] = []
    for hour in sorted(hour for hour, rate in rates.items() if rate):
        begin, end = hour * HOUR_MS, (hour + 1) * HOUR_MS
        if openings and openings[-1].end == begin:
            begin = openings.pop().begin
        openings.append(Opening(begin, end))
    return Hours(openings, open_days)
