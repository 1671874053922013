"""Comparison with an earlier benchmark: slower, faster, and changes that are noise."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from random import Random

import pytest

from kit.benchmarks import FakeClient, VirtualClock
from sscard.benchmark.comparison import Earlier
from sscard.benchmark.load import Load, run_load
from sscard.benchmark.result import Benchmark, FlowResult, as_json
from sscard.errors import InputError, InvalidValue
from sscard.fields import read_percent

LOAD = Load(count=100, warm_up=0)


def benchmark(
    seconds: float,
    noise: float = 0.01,
    seed: int = 1,
    disturbed: Collection[int] = (),
    hsm: float = 0,
    **environment: str,
) -> Benchmark:
    """100 operations of one length on a machine whose speed drifts with ``noise`` from round to round.

    In the rounds ``disturbed``, 1 to 5, everything takes three times as long. The HSM takes ``hsm`` seconds more.
    """
    clock, random = VirtualClock(), Random(seed)
    rounds = [random.gauss(1, noise) * (3 if number in disturbed else 1) for number in range(1, 6)]

    def work(number: int) -> None:
        round_of = max(number - 2, 0) // 20  # the first operation is before the schedule
        clock.take(seconds * rounds[round_of] * random.uniform(0.98, 1.02))
        client.watch.timed("hsm", clock.take)(hsm)

    client = FakeClient(clock, work)
    flow = FlowResult("change", "", run_load(LOAD, [client], clock), frozenset({"hsm"}))
    return Benchmark(flows=[flow], load=LOAD, environment=environment, seed=1)


def saved(found: Benchmark, file: Path) -> Path:
    file.write_text(json.dumps({"schema": "sscard.bench/1", **as_json(found)}))
    return file


def test_a_slowdown_above_the_limit_fails_and_a_smaller_one_does_not(tmp_path: Path) -> None:
    earlier = Earlier(saved(benchmark(0.010), tmp_path / "before.json"))
    slow = earlier.compared(benchmark(0.013, seed=2), fail_above=0.2)
    assert {each.verdict for each in slow.changes} == {"slower"}
    assert [each.figure for each in slow.slower] == ["p50", "p90", "p99"]
    assert not earlier.compared(benchmark(0.013, seed=2), fail_above=0.5).slower
    assert {each.verdict for each in earlier.compared(benchmark(0.008, seed=2), 0.2).changes} == {"faster"}


def test_the_layer_that_grew_most_is_named_for_a_slower_flow_only(tmp_path: Path) -> None:
    earlier = Earlier(saved(benchmark(0.010, hsm=0.005), tmp_path / "before.json"))
    (grown,) = earlier.compared(benchmark(0.011, seed=2, hsm=0.055), 0.2).grown
    assert (grown.flow, grown.layer) == ("change", "hsm")
    assert grown.now - grown.before == pytest.approx(0.05, rel=0.05)
    assert not earlier.compared(benchmark(0.010, seed=2, hsm=0.005), 0.2).grown
    assert not earlier.compared(benchmark(0.005, seed=2, hsm=0.001), 0.2).grown


def test_two_runs_of_one_target_are_no_change_in_19_of_20_pairs(tmp_path: Path) -> None:
    changed = 0
    for pair in range(20):
        noise = 0.004 * pair
        earlier = Earlier(saved(benchmark(0.01, noise, seed=pair), tmp_path / "before.json"))
        found = earlier.compared(benchmark(0.01, noise, seed=100 + pair), 0.2)
        changed += {each.verdict for each in found.changes} != {"no change"}
    assert changed <= 1


@pytest.mark.parametrize("before", [(), (1,), (5,)])
@pytest.mark.parametrize("now", [(), (1,), (3,), (5,)])
def test_one_disturbed_round_hides_no_slowdown_and_is_none(
    tmp_path: Path, before: Collection[int], now: Collection[int]
) -> None:
    earlier = Earlier(saved(benchmark(0.01, 0.02, seed=1, disturbed=before), tmp_path / "before.json"))
    slow = earlier.compared(benchmark(0.0125, 0.02, seed=2, disturbed=now), 0.2)
    assert {each.verdict for each in slow.changes} == {"slower"}
    assert [each.figure for each in slow.slower] == ["p50", "p90", "p99"]
    assert all(each.noise < 0.2 for each in slow.changes)
    same = earlier.compared(benchmark(0.01, 0.02, seed=2, disturbed=now), 0.2)
    assert {each.verdict for each in same.changes} == {"no change"}


def test_two_disturbed_rounds_are_noise(tmp_path: Path) -> None:
    earlier = Earlier(saved(benchmark(0.01), tmp_path / "before.json"))
    found = earlier.compared(benchmark(0.0125, seed=2, disturbed=(2, 4)), 0.2)
    assert all(each.noise > 1 for each in found.changes)
    assert not found.slower


def test_a_slowdown_within_the_noise_of_the_rounds_is_none(tmp_path: Path) -> None:
    earlier = Earlier(saved(benchmark(0.010, noise=0.3, seed=4), tmp_path / "before.json"))
    found = earlier.compared(benchmark(0.013, noise=0.3, seed=5), fail_above=0.2)
    assert all(each.noise > 0.25 for each in found.changes)
    assert not found.slower


def test_what_else_differs_is_named(tmp_path: Path) -> None:
    earlier = Earlier(saved(benchmark(0.01, transport="local", processor="A"), tmp_path / "before.json"))
    found = earlier.compared(benchmark(0.01, transport="pcsc", processor="A"), 0.2)
    assert found.differences == [("transport", "local", "pcsc")]


def test_the_chip_and_what_the_machine_has_are_compared(tmp_path: Path) -> None:
    facts = {"chip": "plain", "processors": "2", "pcscd": "pcsc-lite 2.0", "pyscard": "2.2"}
    earlier = Earlier(saved(benchmark(0.01, **facts), tmp_path / "before.json"))
    other = {"chip": "compiled", "processors": "8", "pcscd": "pcsc-lite 2.1", "pyscard": "2.3"}
    found = earlier.compared(benchmark(0.01, **other), 0.2)
    assert {name: (before, now) for name, before, now in found.differences} == {
        name: (value, other[name]) for name, value in facts.items()
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        '{"schema": "sscard.run/1", "results": []}',
        '{"schema": "sscard.bench/1", "flows": [{"flow": "change", "rounds": []}]}',
    ],
)
def test_a_file_that_is_no_benchmark_is_refused(tmp_path: Path, text: str) -> None:
    (file := tmp_path / "before.json").write_text(text)
    with pytest.raises(InputError, match="is not the JSON of a benchmark"):
        Earlier(file)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -1.0, "fast"])
def test_a_round_with_what_is_no_time_is_refused(tmp_path: Path, wrong: float | str) -> None:
    content = json.loads(saved(benchmark(0.01), file := tmp_path / "before.json").read_text())
    content["flows"][0]["rounds"][0]["p50"] = wrong
    file.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not the JSON of a benchmark"):
        Earlier(file)


@pytest.mark.parametrize("schema", ["sscard.bench/12", "other.sscard.bench/1"])
def test_another_schema_is_refused(tmp_path: Path, schema: str) -> None:
    content = json.loads(saved(benchmark(0.01), file := tmp_path / "before.json").read_text())
    file.write_text(json.dumps({**content, "schema": schema}))
    with pytest.raises(InputError, match="is not the JSON of a benchmark"):
        Earlier(file)


def test_a_benchmark_of_other_flows_is_refused(tmp_path: Path) -> None:
    earlier = Earlier(saved(benchmark(0.01), tmp_path / "before.json"))
    with pytest.raises(InputError, match=r"none of the flows.*\n.*it has: change"):
        earlier.check(["reset"])


def test_a_percentage() -> None:
    assert read_percent("20%") == 0.2
    assert read_percent("7.5%") == 0.075
    for text in ("20", "%", "-3%", "1e2%", "20 %", "nan%", "２0%"):
        with pytest.raises(InvalidValue, match="is not a percentage"):
            read_percent(text)
