"""Thresholds: what can be written, what is wrong with the rest and where, and what they compare."""

from __future__ import annotations

import pytest

from kit.benchmarks import FakeClient, VirtualClock
from sscard.benchmark.formatting import value_text
from sscard.benchmark.load import Load, run_load
from sscard.benchmark.result import FlowResult
from sscard.benchmark.thresholds import check, read_threshold
from sscard.errors import InvalidValue


def measured(failing: int = 0) -> FlowResult:
    """100 operations of 10 ms, the first ones failing."""
    clock = VirtualClock()

    def work(number: int) -> None:
        clock.take(0.01)
        if 1 < number <= failing + 1:
            raise ValueError

    return FlowResult("change", "", run_load(Load(count=100, warm_up=0), [FakeClient(clock, work)], clock), frozenset())


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("p99<300ms", True),
        ("p99.9<=11ms", True),
        ("max<9ms", False),
        ("p50 < 10.1 ms", True),
        ("p90<9999us", False),
        ("mean>9999µs", True),
        ("max<1s", True),
        ("throughput>=99/s", True),
        ("throughput<50/s", False),
        ("change:p50<11ms", True),
        ("errors<6%", True),
        ("errors<=4.9%", False),
    ],
)
def test_a_threshold_compares_the_figure_of_a_flow(text: str, met: bool) -> None:
    flow = measured(failing=5 if "errors" in text else 0)
    assert [each.met for each in check([read_threshold(text)], [flow])] == [met]


def test_a_time_that_no_operation_has_is_not_met() -> None:
    nothing = measured(failing=100)
    found = [check([read_threshold(text)], [nothing])[0] for text in ("p99<1s", "mean<1s", "errors<=100%")]
    assert [each.met for each in found] == [False, False, True]
    assert [value_text(each) for each in found] == ["–", "–", "100.00 %"]


def test_a_threshold_of_another_flow_is_not_checked() -> None:
    assert check([read_threshold("case:leaked:p99<1ms")], [measured()]) == []


@pytest.mark.parametrize(
    ("text", "column", "problem"),
    [
        ("", 1, "the name of a figure is missing"),
        ("<300ms", 1, "the name of a figure is missing"),
        ("p95<300ms", 1, "no figure 'p95'"),
        ("change:p98<1s", 1, "no figure 'p98'"),
        ("p99", 4, "a comparison is missing"),
        ("p99=300ms", 4, "a comparison is missing"),
        ("p99 == 3ms", 5, "a comparison is missing"),
        ("p99<", 5, "a number is missing"),
        ("p99<-3ms", 5, "a number is missing"),
        ("p99<fast", 5, "a number is missing"),
        ("p99<300", 8, "a unit is missing"),
        ("p99 < 300 h", 11, "a unit is missing"),
        ("throughput>50ms", 14, "a unit is missing"),
        ("errors<1", 9, "a unit is missing"),
        ("p99<300ms!", 10, "nothing is expected after the unit"),
        ("p99<300ms and p50<1ms", 11, "nothing is expected after the unit"),
    ],
)
def test_what_is_wrong_with_a_threshold_is_named_with_its_column(text: str, column: int, problem: str) -> None:
    with pytest.raises(InvalidValue) as refused:
        read_threshold(text)
    assert f"{text!r}, column {column}: {problem}" in str(refused.value)
    assert "\n" in str(refused.value)
