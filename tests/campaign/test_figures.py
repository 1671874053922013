"""The figures of a campaign: equal to a slow computation over all rows, flat in memory, as text and JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import ceil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kit.campaign_rows import PLAN, card
from sscard.campaign.figures import SLOTS, WIDTHS, By, Figures, OverTime, figures_of
from sscard.campaign.report import campaign_page
from sscard.campaign.results_writer import ResultsWriter
from sscard.campaign.rows import NEVER, Done, Outcome, Row
from sscard.campaign.units import HOUR_MS
from sscard.campaign.waiting import Windows, hours_of, waiting
from sscard.cli.campaign_figures import figure_facts, figure_lines
from sscard.i18n.language import speaking

HOURS = hours_of({9: 1, 10: 1, 13: 2, 14: 0}, 5)


def moments() -> st.SearchStrategy[int]:
    return st.integers(0, 3_000_000)


@st.composite
def rows(draw: st.DrawFn) -> Row:
    limit = draw(st.sampled_from([3, 5, 6, 8, 10]))
    visit = draw(st.one_of(st.just(NEVER), moments()))
    back = draw(st.one_of(st.just(NEVER), moments())) if visit != NEVER else NEVER
    return Row(
        index=draw(st.integers(0, 99)),
        product=draw(st.integers(0, 1)),
        place=draw(st.integers(0, 1)),
        behaviour=draw(st.integers(0, 1)),
        outcome=draw(st.sampled_from(Outcome)),
        tries_limit=limit,
        tries_left=draw(st.integers(0, limit)),
        wrong_tries=draw(st.integers(0, 255)),
        lockouts=draw(st.integers(0, 3)),
        commands=draw(st.integers(0, 60_000)),
        hsm_operations=draw(st.integers(0, 9)),
        arrival=draw(moments()),
        locked_at=draw(st.one_of(st.just(NEVER), moments())),
        visit_at=visit,
        visit_ms=draw(st.integers(0, 900_000)) if visit != NEVER else 0,
        return_at=back,
        return_ms=draw(st.integers(0, 900_000)) if back != NEVER else 0,
        state=bytes(8),
    )


def figures_over(all_rows: list[Row]) -> Figures:
    figures = Figures(PLAN)
    for row in all_rows:
        figures.add(row)
    return figures


def slots(times: dict[int, int]) -> tuple[int, dict[int, int]]:
    """Width and counts by slot of counts by second, by trying every width."""
    width = next(width for width in WIDTHS if max(times, default=0) // width < SLOTS)
    counted: Counter[int] = Counter()
    for at, count in times.items():
        counted[at // width] += count
    return width, dict(counted)


def of(count: OverTime) -> tuple[int, dict[int, int]]:
    return count.width, dict(count.slots)


@settings(max_examples=50, deadline=None)
@given(st.lists(rows(), max_size=30))
def test_the_figures_are_those_of_a_pass_for_each_of_them(all_rows: list[Row]) -> None:
    figures = figures_over(all_rows)
    names = {By.PRODUCT: "product", By.PLACE: "place", By.BEHAVIOUR: "behaviour", By.TRIES_LIMIT: "tries_limit"}
    for by, name in names.items():
        for other in ("outcome", "tries_left"):
            expected = {
                value: Counter(getattr(row, other) for row in all_rows if getattr(row, name) == value)
                for value in sorted({getattr(row, name) for row in all_rows})
            }
            assert figures.counted(by, By[other.upper()]) == expected
    for name in ("wrong_tries", "lockouts", "commands", "hsm_operations"):
        assert getattr(figures, name) == sum(getattr(row, name) for row in all_rows)
    assert figures.cards == len(all_rows)
    assert of(figures.arrivals) == slots(Counter(row.arrival for row in all_rows))
    for limit in {row.tries_limit for row in all_rows}:
        locked = Counter(row.locked_at for row in all_rows if row.tries_limit == limit and row.locked_at != NEVER)
        assert figures.blocked(limit) == locked.total()
        if locked:
            assert of(figures.locked[limit]) == slots(locked)
    load: Counter[int] = Counter()
    for row in all_rows:
        at = row.return_at if row.return_at != NEVER else row.visit_at if row.visit_at != NEVER else row.arrival
        if row.hsm_operations:
            load[at] += row.hsm_operations
    assert of(figures.hsm) == slots(load)


@settings(max_examples=40, deadline=None)
@given(st.lists(rows(), min_size=1, max_size=30))
def test_the_windows_are_the_fewest_that_meet_the_target(all_rows: list[Row]) -> None:
    """Each citizen takes the window that is free first; the fewest windows are found by trying one more."""
    visits = sorted(
        (at, service)
        for row in all_rows
        for at, service in ((row.visit_at, row.visit_ms), (row.return_at, row.return_ms))
        if at != NEVER
    )
    found = waiting(figures_over(all_rows).visits, HOURS, Windows(share=0.9, wait_minutes=1))
    if not any(service for _at, service in visits):
        assert found is None
        return
    assert found is not None

    def waits(windows: int) -> list[int]:
        free, waited = [0] * windows, []
        for at, service in visits:
            ready = opening(at * 1000)
            start = max(ready, min(free))
            free[free.index(min(free))] = start + service
            waited.append(ceil((start - ready) / 1000))
        return waited

    def enough(windows: int) -> bool:
        return sum(wait <= 60 for wait in waits(windows)) >= 0.9 * len(visits)

    expected = next(windows for windows in range(1, len(visits) + 1) if enough(windows))
    assert found.enough.windows == expected
    for each in found.queues:
        assert sorted(each.by_second.elements()) == sorted(waits(each.windows))


def opening(at: int) -> int:
    """The first millisecond at or after a time on Monday to Friday at 9, 10 and 13 o'clock; time 0 is a Monday."""
    while (at // (24 * HOUR_MS)) % 7 > 4 or at // HOUR_MS % 24 not in (9, 10, 13):
        at = (at // HOUR_MS + 1) * HOUR_MS
    return at


def test_figures_need_no_more_memory_for_more_cards_but_for_the_visits() -> None:
    figures = Figures(PLAN)
    for index in range(20_000):
        figures.add(card(index, arrival=index * 2000, locked_at=index * 2000, hsm_operations=1))
    assert len(figures.ends) == 1
    assert all(len(each.slots) < SLOTS for each in (figures.arrivals, figures.hsm, figures.locked[6]))
    assert (figures.blocked(6), figures.hsm.slots.total(), len(figures.visits)) == (20_000, 20_000, 0)


def test_a_district_that_no_number_of_windows_serves_is_reported(tmp_path: Path) -> None:
    crowd = 10_600
    plan = replace(PLAN, cards=crowd, population='{"arrivals": {"window": {"9": 1}, "open_days": 5}}')
    with ResultsWriter.create(tmp_path / "results.db", plan) as results:
        for shard in results.missing():
            numbers = range(shard.first, shard.first + shard.count)
            packed = (card(number, visit_at=9 * 3600, visit_ms=3_600_000).packed() for number in numbers)
            results.add(Done(shard, b"".join(packed), {"card": 0.5}, {"line": 2000}))
        figures = figures_of(results)
    assert (figures.cards, len(figures.visits), figures.waiting) == (crowd, crowd, None)
    assert "more than 10000 windows are needed" in [*figure_lines(figures)]
    assert "more than 10000 windows are needed" in campaign_page(figures, "")
    assert (figures.layers, figures.modelled) == ({"card": 11.0}, {"line": 44.0})


def test_the_longest_time_that_a_row_has_is_counted() -> None:
    count = OverTime()
    count.add(0)
    count.add(NEVER - 1)
    assert count.slots.total() == 2
    assert len(count.slots) == 2


def test_the_text_states_lock_outs_load_and_windows() -> None:
    nine = 9 * 3600
    figures = figures_over(
        [card(at, locked_at=at, visit_at=nine, visit_ms=600_000, hsm_operations=2) for at in range(4)]
    )
    figures.waiting = waiting(figures.visits, HOURS)
    figures.layers["card"] = 0.004
    lines = [*figure_lines(figures)]
    assert lines[:2] + lines[-1:] == [
        "blocked at least once, by limit of tries: 6: 100.0 %",
        "HSM operations: at most 8 in 5 min",
        "measured time per card: card 1.00 ms",
    ]
    assert "2 windows: at least 95 % of the visits wait at most 15 min." in lines
    with speaking("zh"):
        assert "2个窗口" in "".join(figure_lines(figures))


def test_an_empty_campaign_has_no_lines_and_facts_without_cards() -> None:
    facts = figure_facts(Figures(PLAN))
    assert [*figure_lines(Figures(PLAN))] == []
    assert (facts["limits_of_tries"], facts["behaviours"], facts["windows"], facts["visits"]) == ([], [], None, 0)


def test_the_facts_name_products_and_behaviours() -> None:
    facts = figure_facts(figures_over([card(0, product=1, behaviour=1, tries_left=2, outcome=Outcome.CHANGED)]))
    assert [each["product"] for each in facts["products"]] == ["own"]
    assert [each["behaviour"] for each in facts["behaviours"]] == ["attacker"]
    (limit,) = facts["limits_of_tries"]
    assert (limit["tries"], limit["tries_left"], limit["blocked_once"]) == (6, {"2": 1}, 0)
    assert {name for name, cards in limit["outcomes"].items() if cards} == {"changed"}


@pytest.mark.parametrize("days", [1, 5, 7])
def test_hours_without_visitors_are_closed(days: int) -> None:
    hours = hours_of({8: 1.0, 9: 0.5, 10: 0.0, 11: 2.0}, days)
    assert hours.a_day == 3 * HOUR_MS
    assert hours.admitted(10 * HOUR_MS) == 11 * HOUR_MS
    assert hours.admitted(12 * HOUR_MS) == 8 * HOUR_MS + (7 if days == 1 else 1) * 24 * HOUR_MS


def test_a_place_without_cards_has_its_row() -> None:
    figures = figures_over([card(0, place=1), card(1, place=1, outcome=Outcome.RESET), card(2, place=1)])
    ended = {Outcome.UNTOUCHED: 2, Outcome.RESET: 1}
    assert figures.by_place() == [("three", {}), ("ten", ended)]
    assert figures.by_outcome() == ended
    none, all_cards = (place["outcomes"] for place in figure_facts(figures)["places"])
    assert {*none.values()} == {0}
    assert all_cards == figure_facts(figures)["outcomes"] == dict.fromkeys(none, 0) | {"untouched": 2, "reset": 1}
