"""Closed and open load: what a stall does to the percentiles, which operations count, and how much memory it takes."""

from __future__ import annotations

import gc
import tracemalloc

import pytest

from kit.benchmarks import FakeClient, VirtualClock
from sscard.benchmark.load import MOST_KINDS, NOT_STARTED, OTHERS, PATIENCE, Load, Recorded, Start, run_load

NORMAL, STALL = 0.001, 0.5


def stalled(load: Load) -> Recorded:
    """A system that answers in 1 ms, and in 500 ms once in 100 operations."""
    clock = VirtualClock()
    client = FakeClient(clock, lambda number: clock.take(STALL if number % 100 == 50 else NORMAL))
    return run_load(load, [client], clock)


def test_open_load_shows_a_stall_of_one_percent_at_p99() -> None:
    found = stalled(Load(rate=100, count=2000, warm_up=0)).latencies.figures()
    assert found["p99"] == pytest.approx(STALL, rel=0.05)
    assert found["p99.9"] == pytest.approx(STALL, rel=0.05)
    assert found["max"] == pytest.approx(STALL, rel=0.05)
    assert found["p90"] > 0.3  # the operations that were due meanwhile


def test_an_open_load_that_is_too_much_ends_and_counts_what_was_not_started() -> None:
    """One client does one operation per second, and a thousand are due."""
    for load in (Load(rate=1000, duration=100, warm_up=5), Load(rate=1000, count=100_000, warm_up=5)):
        clock = VirtualClock()
        begin = clock.now()
        found = run_load(load, [FakeClient(clock, lambda _, clock=clock: clock.take(1.0))], clock)
        assert clock.now() - begin == pytest.approx(1 + 5 + 2 * 100, abs=3)
        assert found.done + found.errors[NOT_STARTED] == 100_000
        assert found.done == pytest.approx(200, abs=3)
        assert sum(each.failed for each in found.rounds) == found.errors[NOT_STARTED]


def test_a_short_open_load_waits_for_a_slow_system() -> None:
    clock = VirtualClock()
    found = run_load(Load(rate=20, count=20, warm_up=0), [FakeClient(clock, lambda _: clock.take(1.0))], clock)
    assert (found.done, found.errors[NOT_STARTED]) == (20, 0)
    assert found.seconds < PATIENCE


def test_closed_load_hides_the_same_stall_at_p99() -> None:
    found = stalled(Load(count=2000, warm_up=0)).latencies.figures()
    assert found["p99"] == pytest.approx(NORMAL, rel=0.01)
    assert found["p99.9"] == pytest.approx(STALL, rel=0.01)


def test_the_wait_of_a_late_start_is_a_row_of_the_budget() -> None:
    found = stalled(Load(rate=100, count=2000, warm_up=0))
    spent = {name: each.seconds for name, each in found.layers.items()}
    assert spent["waiting"] > spent["remainder"]
    assert sum(spent.values()) == pytest.approx(found.latencies.seconds)


def test_the_warm_up_is_not_recorded() -> None:
    clock = VirtualClock()
    client = FakeClient(clock, lambda number: clock.take(1.0 if number < 10 else 0.01))
    found = run_load(Load(warm_up=8, duration=2), [client], clock)
    assert found.latencies.longest == pytest.approx(0.01)
    assert found.done == pytest.approx(200, abs=2)
    assert found.seconds == pytest.approx(2, rel=0.01)


def test_a_count_is_exact_and_divided_into_rounds() -> None:
    found = run_load(
        Load(count=103, warm_up=0, rounds=5), [FakeClient(clock := VirtualClock(), lambda _: clock.take(0.1))], clock
    )
    assert found.done == 103
    assert [each.latencies.count for each in found.rounds] == [21, 21, 20, 21, 20]


def test_a_round_begins_with_its_first_start_not_with_the_first_operation_that_ends() -> None:
    found = Recorded(Load(clients=2, rounds=1), 0.0)
    found.add(Start(5.0, 0), 5.0, 6.0, {}, "")
    found.add(Start(0.0, 0), 0.0, 10.0, {}, "")
    assert found.rounds[0].throughput == pytest.approx(2 / 10)


def test_a_client_thinks_between_operations() -> None:
    clock = VirtualClock()
    found = run_load(
        Load(count=10, think=0.9, warm_up=0, rounds=1), [FakeClient(clock, lambda _: clock.take(0.1))], clock
    )
    assert found.latencies.longest == pytest.approx(0.1)
    assert found.seconds == pytest.approx(9 * 1.0 + 0.1)


@pytest.mark.parametrize(
    "load",
    [
        Load(count=20, warm_up=0),
        Load(duration=2, warm_up=1),
        Load(duration=2, warm_up=1, think=0.3),
        Load(rate=5, count=20, warm_up=1),
        Load(rate=5, duration=2, warm_up=1),
    ],
)
def test_a_client_is_prepared_once_for_each_operation_and_not_after_the_last(load: Load) -> None:
    """A card under test would spend a reset, or tries of its PIN. ``preparing`` is no part of the latency."""
    clock = VirtualClock()
    client = FakeClient(clock, lambda _: clock.take(0.01))
    client.preparing = 0.05
    found = run_load(load, [client], clock)
    assert client.prepared == client.done > found.done > 0
    assert found.latencies.longest == pytest.approx(0.01)


def test_several_clients_share_the_operations() -> None:
    clock = VirtualClock()
    clients = [FakeClient(clock, lambda _: None) for _ in range(4)]
    assert run_load(Load(clients=4, count=400, warm_up=0), clients, clock).done == 400
    assert sum(client.done for client in clients) == 400 + len(clients)


def test_failures_are_counted_by_kind_and_are_no_latencies() -> None:
    clock = VirtualClock()

    def work(number: int) -> None:
        clock.take(0.01)
        if number % 4 == 0:
            raise ValueError

    found = run_load(Load(count=100, warm_up=0), [FakeClient(clock, work)], clock)
    assert (found.done, dict(found.errors)) == (75, {"ValueError": 25})


def test_an_error_that_is_no_failure_of_an_operation_ends_the_run() -> None:
    def work(number: int) -> None:
        if number == 5:
            raise KeyError("bug")

    clients = [FakeClient(clock := VirtualClock(), work) for _ in range(2)]
    with pytest.raises(KeyError):
        run_load(Load(clients=2, count=1000, warm_up=0), clients, clock)


def test_the_kinds_of_errors_are_limited() -> None:
    clock = VirtualClock()
    client = FakeClient(clock, lambda number: (_ for _ in ()).throw(ValueError(number)))
    client.kind_of = str  # type: ignore[method-assign]
    found = run_load(Load(count=200, warm_up=0), [client], clock)
    assert len(found.errors) == MOST_KINDS + 1
    assert found.errors[OTHERS] == 150


def peak(count: int) -> int:
    """Bytes that a benchmark of so many operations needs."""
    clock = VirtualClock()
    client = FakeClient(clock, lambda number: clock.take(0.001 + number % 977 / 1e5))
    usual = gc.get_threshold()
    gc.collect()
    gc.set_threshold(50)  # else the peak depends on when cycles are collected
    tracemalloc.start()
    try:
        run_load(Load(count=count, warm_up=0), [client], clock)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        gc.set_threshold(*usual)


@pytest.mark.parametrize(
    "many", [pytest.param(20_000, marks=pytest.mark.slow), pytest.param(100_000, marks=pytest.mark.nightly)]
)
def test_memory_does_not_depend_on_the_number_of_operations(many: int) -> None:
    few = peak(1_000)
    assert peak(many) < few + 250_000  # two more slices of time
