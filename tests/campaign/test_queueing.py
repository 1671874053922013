"""The queue at the windows: opening hours, closed formulas of queueing theory as the oracle, and monotony."""

from __future__ import annotations

from math import exp, factorial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.campaign.queueing import (
    MOST_WINDOWS,
    Collected,
    Hours,
    Opening,
    Target,
    Visits,
    at_rate,
    needed,
    queue,
)
from sscard.campaign.rows import NEVER, Outcome, Row
from sscard.campaign.units import DAY_MS, HOUR_MS, SECOND_MS
from sscard.errors import InputError

OFFICE = Hours((Opening(9 * HOUR_MS, 12 * HOUR_MS), Opening(13 * HOUR_MS, 17 * HOUR_MS)), 5)
MINUTE = 60 * SECOND_MS
VISITS = st.lists(st.tuples(st.integers(0, 5 * HOUR_MS), st.integers(0, HOUR_MS)), min_size=1, max_size=60).map(
    lambda visits: Visits(*zip(*sorted(visits), strict=True))
)
MANY = 80_000


def erlang_c(windows: int, load: float) -> float:
    """The probability that a visit of M/M/c waits; ``load`` is rate times mean service time."""
    waiting = load**windows / factorial(windows) * windows / (windows - load)
    return waiting / (sum(load**k / factorial(k) for k in range(windows)) + waiting)


@pytest.mark.parametrize("windows", [1, 2, 5])
def test_waits_are_those_of_erlang_c(windows: int) -> None:
    dice, mean, load = Random(7), 100 * SECOND_MS, 0.7 * windows
    services = [round(dice.expovariate(1 / mean)) for _ in range(MANY)]
    found = queue(at_rate(load * HOUR_MS / mean, services, seed=3), windows)
    waits = erlang_c(windows, load)
    assert 1 - found.share_within(0) == pytest.approx(waits, abs=0.02)
    assert found.mean == pytest.approx(waits * mean / (windows - load), rel=0.08)
    limit = 200 * SECOND_MS
    assert 1 - found.share_within(limit) == pytest.approx(waits * exp(-(windows - load) * limit / mean), abs=0.02)
    assert found.utilisation == pytest.approx(0.7, rel=0.02)


@pytest.mark.parametrize("load", [0.5, 0.8])
def test_waits_at_one_window_with_fixed_service_are_those_of_m_d_1(load: float) -> None:
    service = 100 * SECOND_MS
    found = queue(at_rate(load * HOUR_MS / service, [service] * MANY, seed=5), 1)
    assert found.mean == pytest.approx(load * service / (2 * (1 - load)), rel=0.05)
    assert 1 - found.share_within(0) == pytest.approx(load, abs=0.02)


def test_visits_are_served_first_come_first_served() -> None:
    # Two windows: the third visit waits for the second, which ends first, and the fourth for the first.
    found = queue(Visits([0, 0, 1000, 2000], [9000, 4000, 6000, 1000]), 2)
    assert found.by_second == {0: 2, 3: 1, 7: 1}
    assert (found.longest, found.waited, found.busy, found.visits) == (7000, 10_000, 20_000, 4)
    assert [found.percentile(share) for share in (0.5, 0.75, 1)] == [0, 3, 7]


def test_a_wait_that_is_not_a_whole_second_counts_as_the_next() -> None:
    found = queue(Visits([0, 0], [1500, 0]), 1)
    assert found.by_second == {0: 1, 2: 1}
    assert found.share_within(1 * SECOND_MS) == 0.5
    assert found.share_within(2 * SECOND_MS) == 1


def test_nobody_waits_without_visits() -> None:
    found = queue(Visits((), ()), 3)
    assert (found.mean, found.utilisation, found.share_within(0), found.percentile(0.95)) == (0, 0, 1, 0)
    assert needed(Visits((), ()), Target()).windows == 1


@pytest.mark.parametrize(
    ("arrival", "admitted"),
    [
        (0, 9 * HOUR_MS),
        (9 * HOUR_MS, 9 * HOUR_MS),
        (12 * HOUR_MS - 1, 12 * HOUR_MS - 1),
        (12 * HOUR_MS, 13 * HOUR_MS),
        (17 * HOUR_MS, DAY_MS + 9 * HOUR_MS),
        (4 * DAY_MS + 17 * HOUR_MS, 7 * DAY_MS + 9 * HOUR_MS),  # Friday evening
        (6 * DAY_MS + 10 * HOUR_MS, 7 * DAY_MS + 9 * HOUR_MS),  # Sunday
    ],
)
def test_who_comes_when_the_windows_are_closed_waits_for_the_next_opening(arrival: int, admitted: int) -> None:
    assert OFFICE.admitted(arrival) == admitted


def test_who_comes_before_the_windows_close_is_served_after_hours() -> None:
    found = queue(Visits([17 * HOUR_MS - 1, 17 * HOUR_MS - 1], [HOUR_MS, HOUR_MS]), 1, OFFICE)
    assert found.longest == HOUR_MS
    assert found.utilisation > 1


@given(st.integers(0, 20 * DAY_MS))
def test_open_time_is_counted_the_same_way_back(opened: int) -> None:
    time = OFFICE.time_after(opened)
    assert OFFICE.open_until(time) == opened
    assert OFFICE.admitted(time) == time


def test_utilisation_counts_only_open_time() -> None:
    # A window that serves one hour of Monday and one of Tuesday, of 7 + 1 open hours between.
    found = queue(Visits([9 * HOUR_MS, DAY_MS + 9 * HOUR_MS], [HOUR_MS, HOUR_MS]), 1, OFFICE)
    assert found.utilisation == pytest.approx(2 / 8)


@given(VISITS, st.integers(1, 5))
def test_more_windows_never_make_anybody_wait_longer(visits: Visits, windows: int) -> None:
    fewer, more = queue(visits, windows), queue(visits, windows + 1)
    assert more.longest <= fewer.longest
    assert more.waited <= fewer.waited
    seconds = {*fewer.by_second, *more.by_second}
    assert all(more.share_within(each * SECOND_MS) >= fewer.share_within(each * SECOND_MS) for each in seconds)


@given(VISITS, st.floats(0.5, 1), st.integers(0, 30))
def test_the_number_needed_is_the_first_that_meets_the_target(visits: Visits, share: float, minutes: int) -> None:
    target = Target(share, minutes * MINUTE)
    found = needed(visits, target)
    met = next(windows for windows in range(1, 100) if target.met(queue(visits, windows)))
    assert found.windows == met
    assert found == queue(visits, met)


def test_a_target_that_no_number_of_windows_meets_is_refused() -> None:
    visits = Visits([0] * 10_100, [HOUR_MS] * 10_100)
    with pytest.raises(InputError, match=str(MOST_WINDOWS)):
        needed(visits, Target(1, 0))


def test_the_most_windows_that_are_tried_may_be_enough() -> None:
    assert needed(Visits([0] * 9_000, [HOUR_MS] * 9_000), Target(1, 0)).windows == 9_000


def test_arrivals_at_a_rate_come_in_opening_hours_and_repeat_by_seed() -> None:
    services = [MINUTE * (1 + each % 7) for each in range(5000)]
    visits = at_rate(60, services, seed=1, hours=OFFICE)
    assert list(visits) == list(at_rate(60, services, seed=1, hours=OFFICE)) != list(at_rate(60, services, 2, OFFICE))
    assert sorted(visits.services) == sorted(services)
    assert all(OFFICE.admitted(arrival) == arrival for arrival in visits.arrivals)
    assert OFFICE.open_until(visits.arrivals[-1]) / HOUR_MS == pytest.approx(5000 / 60, rel=0.05)
    assert list(visits.arrivals) == sorted(visits.arrivals)


def row(index: int, visit: tuple[int, int], again: tuple[int, int] = (NEVER, 0)) -> Row:
    return Row(index, 0, 0, 0, Outcome.RESET, 6, 6, 0, 0, 0, 0, 0, NEVER, *visit, *again, b"")


def test_visits_of_rows_are_in_order_of_arrival_with_the_returns() -> None:
    rows = [
        row(0, (90_000, 1500), (200_000, 10)),
        row(1, (5, 2_000_000)),
        row(2, (NEVER, 0)),
        row(3, (90_000, 700)),
    ]
    collected = Collected()
    for each in rows:
        collected.add(each)
    assert len(collected) == 4
    assert list(collected.in_order()) == [
        (5 * SECOND_MS, 2_000_000),
        (90_000 * SECOND_MS, 700),
        (90_000 * SECOND_MS, 1500),
        (200_000 * SECOND_MS, 10),
    ]
