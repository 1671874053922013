"""The answers of a campaign with a timing model: time at the window, and how many windows."""

from __future__ import annotations

from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from kit.campaigns import unpacked
from sscard.campaign.population import Population, population_schema, read_population
from sscard.campaign.queueing import Collected, Hours
from sscard.campaign.rows import CARDS_PER_SHARD, NEVER, Outcome, Row, Shard, Through
from sscard.campaign.shard import Task, run_shard
from sscard.campaign.time_at_window import TimeAtWindow, TimesAtWindow
from sscard.campaign.timing_file import find_timing
from sscard.campaign.units import HOUR_MS, SECOND_MS
from sscard.campaign.visit_time import part_of
from sscard.campaign.waiting import Windows, hours_of, waiting
from sscard.errors import InputError

TIMING = """
timing:
  based_on: {interface}
  papers:
    change: {{value: 60, unit: s, source: ours}}
    reset: {{value: 120, p95: 300, unit: s, source: ours}}
    unblock: {{value: 90, unit: s, source: ours}}
"""
POPULATION = """
products: [{personality: v3-sm4}]
places: [{place: tries-3}]
behaviours: [{kind: careful}, {kind: forgetful}, {kind: failing HSM}, {kind: torn terminal}]
"""


def population(tmp_path: Path, more: str = "") -> Population:
    file = tmp_path / "population.yaml"
    file.write_text(POPULATION + more, encoding="utf-8")
    return read_population(file)


def row(index: int, product: int, outcome: Outcome, visit_ms: int, return_ms: int = 0, at: int = 0) -> Row:
    again = at + 1000 if return_ms else NEVER
    return Row(index, product, 0, 0, outcome, 6, 6, 0, 0, 0, 0, 0, NEVER, at, visit_ms, again, return_ms, b"")


def test_time_at_the_window_is_counted_by_product_and_outcome() -> None:
    times = TimesAtWindow()
    for index in range(100):
        times.add(row(index, 1, Outcome.RESET, 1000 * (index + 1)))
    times.add(row(100, 0, Outcome.CHANGED, 999, 2040))
    times.add(row(101, 0, Outcome.UNFINISHED, 5000))
    times.add(row(102, 0, Outcome.UNBLOCKED, 0))
    assert times.rows() == [
        TimeAtWindow(0, Outcome.CHANGED, 1, 2.0, 2.0),
        TimeAtWindow(1, Outcome.RESET, 100, 50.0, 95.0),
    ]


def test_the_same_lives_are_lived_with_a_timing_model_and_without(tmp_path: Path) -> None:
    timed = population(tmp_path, TIMING.format(interface="contact"))
    plain = timed.model_copy(update={"timing": None})
    shard = Shard(CARDS_PER_SHARD, 60)
    with_times, without = (run_shard(Task(each, 1, Through.CARD), shard) for each in (timed, plain))
    rows = unpacked(with_times.rows)
    assert [each._replace(visit_ms=0, return_ms=0) for each in rows] == unpacked(without.rows)
    assert all((each.visit_ms > 0) == (each.visit_at != NEVER) for each in rows)
    assert all((each.return_ms > 0) == (each.return_at != NEVER) for each in rows)
    assert any(each.return_ms for each in rows)
    changed = [each.visit_ms for each in rows if each.outcome is Outcome.CHANGED and each.return_at == NEVER]
    # What docs/timing-model.md adds up, and the commands of a visit besides.
    assert 60_000 + 3 * 4850 + 245 <= min(changed) < 75_000
    assert not without.modelled
    in_all = sum(each.visit_ms + each.return_ms for each in rows)
    assert sum(with_times.modelled.values()) == pytest.approx(in_all, abs=len(rows))


def test_a_row_has_room_for_the_longest_visit(tmp_path: Path) -> None:
    spread = TIMING.format(interface="contact").replace("value: 120, p95: 300", "value: 0.001, p95: 86400")
    rows = unpacked(run_shard(Task(population(tmp_path, spread), 1, Through.CARD), Shard(0, 60)).rows)
    assert max(each.visit_ms for each in rows) == 24 * 3600 * 1000


def test_contactless_is_faster_than_contact(tmp_path: Path) -> None:
    line = {}
    for interface in ("contact", "contactless"):
        task = Task(population(tmp_path, TIMING.format(interface=interface)), 1, Through.CARD)
        line[interface] = run_shard(task, Shard(0, 20)).modelled["line"]
    assert line["contactless"] < line["contact"] / 5


def test_a_population_takes_the_interface_of_its_timing_model(tmp_path: Path) -> None:
    assert population(tmp_path, TIMING.format(interface="contactless")).interface == "contactless"
    with pytest.raises(InputError, match="another interface") as caught:
        population(tmp_path, "interface: contact\n" + TIMING.format(interface="contactless"))
    assert "population.yaml:7:1" in str(caught.value)


def test_a_timing_model_of_a_population_is_named_or_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text(
        "\n".join(line[2:] for line in TIMING.format(interface="contact").splitlines()[2:]), encoding="utf-8"
    )
    found = population(tmp_path, "timing: ./ours.yaml\n")
    assert found.timing is not None
    assert Population.model_validate_json(found.model_dump_json()) == found
    with pytest.raises(InputError, match=r"population.yaml:5:1: .*papers\.change"):
        population(tmp_path, "timing: contact\n")
    with pytest.raises(InputError, match=r"population.yaml:7:3: .*wirte"):
        population(tmp_path, "timing:\n  based_on: contact\n  wirte: {value: 1, unit: ms, source: x}\n")


def test_the_json_schema_of_a_population_knows_the_timing_model() -> None:
    check = jsonschema.Draft202012Validator(population_schema())
    content = yaml.safe_load(POPULATION + TIMING.format(interface="contact"))
    assert check.is_valid(content)
    assert check.is_valid(content | {"timing": "./ours.yaml", "windows": {"count": 3}})
    content["timing"]["wirte"] = {"value": 1, "unit": "ms", "source": "x"}
    assert not check.is_valid(content)


def test_a_complete_model_is_needed_to_time_a_population(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"papers\.change"):
        population(tmp_path).timed(find_timing("contact"))


def test_parts_are_even_and_differ_by_seed_card_and_visit() -> None:
    parts = [part_of(1, index, 0) for index in range(2000)]
    assert all(0 < part < 1 for part in parts)
    assert sum(parts) / 2000 == pytest.approx(0.5, abs=0.02)
    assert len({part_of(1, 1, 0), part_of(2, 1, 0), part_of(1, 2, 0), part_of(1, 1, 1)}) == 4


def collected() -> Collected:
    visits = Collected()
    for index in range(600):
        visits.add(row(index, 0, Outcome.RESET, 180_000, at=60 * index))
    return visits


def test_windows_are_counted_for_the_visits_of_the_campaign() -> None:
    found = waiting(collected(), Hours())
    assert found is not None
    assert found.enough.windows == 3  # a visit a minute, three minutes each
    assert found.per_hour == pytest.approx(60, rel=0.01)


def test_windows_are_counted_for_another_rate_and_shown_for_a_number() -> None:
    found = waiting(collected(), Hours(), Windows(per_hour=200, count=40, share=1, wait_minutes=5))
    assert found is not None
    assert (found.per_hour, found.target.share, found.target.wait) == (200, 1, 300 * SECOND_MS)
    assert 10 <= found.enough.windows <= 16  # ten are always busy
    assert found.queues[-1].windows == 40
    assert found.queues[-1].available > 40 * HOUR_MS


@pytest.mark.parametrize("cards", [1, 20, 5000])
def test_the_number_of_windows_for_a_rate_does_not_depend_on_the_number_of_cards(cards: int) -> None:
    visits = Collected()
    for index in range(cards):
        visits.add(row(index, 0, Outcome.RESET, 118_000, at=60 * index))
    found = waiting(visits, hours_of(dict.fromkeys(range(9, 17), 1), 5), Windows(per_hour=150))
    assert found is not None
    assert found.enough.windows == 6  # 4.9 are busy on average
    assert found.enough.utilisation == pytest.approx(0.82, abs=0.01)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("windows: {share: 0}\n", "5:11"),
        ("windows: {share: 1.1}\n", "5:11"),
        ("windows: {wait_minutes: -1}\n", "5:11"),
        ("windows: {per_hour: 0}\n", "5:11"),
        ("windows: {count: 0}\n", "5:11"),
        ("windows: {counts: 3}\n", "5:11"),
    ],
)
def test_wrong_windows_are_refused_with_line_and_column(tmp_path: Path, text: str, place: str) -> None:
    with pytest.raises(InputError) as caught:
        population(tmp_path, text)
    assert f"population.yaml:{place}: " in str(caught.value)
