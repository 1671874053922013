"""The lives of a campaign's cards: the same for one seed, the outcomes of each behaviour, and invariants that break."""

import os
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from threading import Barrier

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kit.campaigns import unpacked
from sscard.campaign.draws import Draws
from sscard.campaign.population import Behaviour, Holders, PlaceShare, Population, Product, read_population
from sscard.campaign.repeat import repeat_card
from sscard.campaign.rows import NEVER, Done, Outcome, Row, Shard, Through
from sscard.campaign.shard import Task, run_shard
from sscard.campaign.timing_file import TimingFile
from sscard.campaign.timing_file import preset as timing_preset
from sscard.issuer import find_place, preset
from sscard.issuer.holder import card_number
from sscard.issuer.places import PRESETS, Place
from sscard.model.invariants import AS_THE_JOURNAL, AS_THE_ORACLE, INVARIANTS, ONLY_ERRORS
from sscard.scenario.defects import DEFECTS
from sscard.service.policy import find_policy
from sscard.standard.encoding import encode_pin
from sscard.terminal import CardSession
from sscard.testing import strategies

POPULATION = read_population()
SEED = 7
PAPERS = {"value": 60, "unit": "s", "source": "ours"}
TIMING = TimingFile.model_validate(
    {**timing_preset("contact"), "papers": dict.fromkeys(("change", "reset", "unblock"), PAPERS)}
)
BOTH = pytest.mark.parametrize("through", [*Through])


def with_behaviour(kind: str, **parameters: float) -> Population:
    """The built-in population, all holders with one behaviour."""
    behaviour = Behaviour.model_validate({"kind": kind, **parameters})
    return POPULATION.model_copy(update={"behaviours": (behaviour,)})


def at(population: Population, *places: Place) -> Population:
    shares = tuple(PlaceShare(name=place.name, share=1, place=place) for place in places)
    return population.model_copy(update={"places": shares})


def done(population: Population, cards: int, through: Through = Through.CARD, first: int = 0) -> Done:
    return run_shard(Task(population, SEED, through), Shard(first, cards))


def lived(population: Population, cards: int, through: Through = Through.CARD) -> list[Row]:
    """The rows of cards, all of which kept every invariant."""
    finished = done(population, cards, through)
    assert finished.failures == ()
    return unpacked(finished.rows)


def outcomes(rows: Iterable[Row]) -> Counter[Outcome]:
    return Counter(row.outcome for row in rows)


# The same cards for the same seed


@BOTH
def test_rows_are_the_same_whatever_the_shards_and_their_order(through):
    whole = done(POPULATION, 60, through)
    parts = {first: done(POPULATION, 20, through, first).rows for first in (40, 0, 20)}

    assert whole.rows == parts[0] + parts[20] + parts[40]
    assert whole.digest == done(POPULATION, 60, through).digest
    assert whole.rows[:48] == done(POPULATION, 1, through).rows


@BOTH
def test_rows_are_the_same_in_threads_of_one_process(through):
    """Workers of a Dask cluster have a thread for each processor, unless --nthreads says otherwise."""
    together = Barrier(3)

    def run(first: int) -> bytes:
        together.wait()
        return done(POPULATION, 40, through, first).rows

    with ThreadPoolExecutor(3) as threads:
        rows = list(threads.map(run, (0, 40, 80)))

    assert rows == [done(POPULATION, 40, through, first).rows for first in (0, 40, 80)]


def test_another_seed_makes_other_cards():
    other = run_shard(Task(POPULATION, SEED + 1, Through.CARD), Shard(0, 20))

    assert other.digest != done(POPULATION, 20).digest


def test_the_same_citizens_come_through_the_service_and_to_the_repeat_card():
    card, service = lived(POPULATION, 60), lived(POPULATION, 60, Through.SERVICE)

    for alone, whole in zip(card, service, strict=True):
        assert alone[1:4] == whole[1:4]
        assert (alone.arrival, alone.locked_at, alone.visit_at) == (whole.arrival, whole.locked_at, whole.visit_at)


# Behaviours


@BOTH
def test_careful_holders_keep_the_pin_or_change_it(through):
    rows = lived(with_behaviour("careful"), 40, through)

    assert set(outcomes(rows)) == {Outcome.UNTOUCHED, Outcome.CHANGED}
    assert all(row.visit_at == NEVER for row in rows if row.outcome is Outcome.UNTOUCHED)
    assert all(row.tries_left == row.tries_limit for row in rows)


@BOTH
def test_forgetful_holders_get_a_new_pin_at_the_window(through):
    rows = lived(with_behaviour("forgetful", recalls=0, visits=1), 30, through)

    # Places that refuse every use of an initial PIN change nothing here: nobody knows the PIN.
    assert set(outcomes(rows)) == {Outcome.RESET}
    assert {row.wrong_tries for row in rows} <= {3, 4}
    assert all(row.tries_left == row.tries_limit and row.hsm_operations >= 2 for row in rows)
    assert all((row.locked_at != NEVER) == (row.lockouts == 1) == (row.tries_limit == 3) for row in rows)


@BOTH
@pytest.mark.parametrize("tries", [3, 5, 6, 8, 10])
def test_attacker_locks_the_card_of_each_place_after_its_tries(tries, through):
    place = Place(name="town", pin_tries=tries, initial_pin="135792")
    rows = lived(at(with_behaviour("attacker", visits=0), place), 12, through)

    assert set(outcomes(rows)) == {Outcome.LOCKED}
    for row in rows:
        assert (row.tries_limit, row.wrong_tries, row.tries_left, row.lockouts) == (tries, tries, 0, 1)
        assert row.arrival < row.locked_at
        assert row.visit_at == NEVER


def test_attacker_who_guesses_the_initial_pin_locks_nothing():
    place = Place(name="town", pin_tries=3, initial_pin="123456")
    population = at(with_behaviour("attacker", visits=0), place)
    holders = population.holders.model_copy(update={"own_pin": 0})

    rows = lived(population.model_copy(update={"holders": holders}), 10)

    assert set(outcomes(rows)) == {Outcome.UNTOUCHED}
    assert {row.wrong_tries for row in rows} == {0}


@BOTH
def test_who_remembers_the_pin_of_a_blocked_card_has_it_unblocked(through):
    population = with_behaviour("attacker", visits=1, remembers=1)
    rows = [row for row in lived(population, 20, through) if row.lockouts]

    assert set(outcomes(rows)) == {Outcome.UNBLOCKED}
    assert all(row.tries_left == row.tries_limit and row.visit_at > row.locked_at for row in rows)


def test_service_whose_policy_knows_no_unblock_refuses_the_application():
    refusing = with_behaviour("attacker", visits=1, remembers=1).model_copy(update={"policy": find_policy("page")})
    rows = [row for row in lived(refusing, 20, Through.SERVICE) if row.lockouts]

    assert set(outcomes(rows)) == {Outcome.REFUSED}
    assert {row.tries_left for row in rows} == {0}
    assert {row.return_at for row in rows} == {NEVER}


@BOTH
def test_torn_terminal_ends_the_operation_at_the_same_visit_or_when_the_citizen_comes_back(through):
    again = lived(with_behaviour("torn terminal", gives_up=0), 40, through)
    later = lived(with_behaviour("torn terminal", gives_up=1), 40, through)

    for rows in (again, later):
        assert set(outcomes(rows)) == {Outcome.CHANGED, Outcome.RESET}
        assert all(row.tries_left == row.tries_limit for row in rows)
    assert {row.return_at for row in again} == {NEVER}
    assert all(row.return_at > row.visit_at for row in later)
    assert NEVER not in {row.return_at for row in later}
    untorn = with_behaviour("torn terminal", torn=0)
    assert sum(row.commands for row in lived(untorn, 40, through)) < sum(row.commands for row in again)


def test_failing_hsm_sends_the_citizen_away_and_the_case_waits():
    rows = lived(with_behaviour("failing HSM", still_down=0), 40, Through.SERVICE)
    down = lived(with_behaviour("failing HSM", still_down=1), 40, Through.SERVICE)

    sent_away = [row for row in rows if row.return_at != NEVER]
    assert set(outcomes(rows)) == {Outcome.RESET}
    assert len(sent_away) > 20
    assert all(row.return_at > row.visit_at for row in sent_away)
    assert outcomes(down) == {Outcome.UNFINISHED: len(sent_away), Outcome.RESET: 40 - len(sent_away)}


@BOTH
@pytest.mark.parametrize(("still_down", "outcome"), [(0, Outcome.RESET), (1, Outcome.UNFINISHED)])
def test_a_power_cut_is_over_with_the_visit_at_which_the_hsm_failed_too(through, still_down, outcome):
    both = with_behaviour("failing HSM", torn=1, still_down=still_down)

    assert set(outcomes(lived(both, 100, through))) <= {outcome, Outcome.RESET}
    assert outcomes(lived(both, 100, through))[outcome] > 50


@BOTH
def test_holder_of_a_card_without_a_pin_sets_the_first_one(through):
    population = at(with_behaviour("careful", changes=0), PRESETS["no-initial-pin"])
    holders = population.holders.model_copy(update={"own_pin": 0})

    rows = lived(population.model_copy(update={"holders": holders}), 10, through)

    assert set(outcomes(rows)) == {Outcome.CHANGED}


def test_card_that_never_gets_its_first_pin_is_used_without_one():
    population = at(with_behaviour("failing HSM", still_down=1), PRESETS["no-initial-pin"])
    holders = population.holders.model_copy(update={"own_pin": 0})

    rows = lived(population.model_copy(update={"holders": holders}), 10, Through.SERVICE)

    assert Outcome.UNFINISHED in outcomes(rows)


def test_windows_are_open_at_their_hours_on_their_days():
    arrivals = POPULATION.arrivals.model_copy(update={"window": {10: 1}, "open_days": 2})
    population = with_behaviour("forgetful", visits=1).model_copy(update={"arrivals": arrivals})

    visits = [row.visit_at for row in lived(population, 60) if row.visit_at != NEVER]

    assert {visit % 86_400 // 3_600 for visit in visits} == {10}
    assert {visit // 86_400 % 7 for visit in visits} == {0, 1}


def test_row_states_product_place_and_behaviour_that_were_drawn_by_their_shares():
    rows = lived(POPULATION, 200)
    draws = Draws(POPULATION, SEED)

    for row in rows:
        drawn = draws.of(row.index)
        assert row[1:4] == (drawn.product, drawn.place, drawn.behaviour)
        assert row.tries_limit == POPULATION.places[row.place].place.pin_tries
    common = Counter(row.product for row in rows)
    assert common[0] > common[1] > common[2] > 0


@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(
    product=strategies.personalities(),
    place=st.sampled_from(sorted(PRESETS)),
    interface=st.sampled_from(["contact", "contactless"]),
    through=st.sampled_from(Through),
    parameters=st.fixed_dictionaries(
        dict.fromkeys(("slips", "forgets", "stolen", "changes", "torn", "gives_up", "hsm_down"), st.floats(0, 0.9))
    ),
)
def test_lives_of_any_population_keep_every_invariant(product, place, interface, through, parameters):
    population = at(with_behaviour("careless", **parameters), PRESETS[place]).model_copy(
        update={"products": (Product(name="any", share=1, personality=product),), "interface": interface}
    )

    rows = lived(population, 6, through)

    assert {row.tries_limit for row in rows} == {PRESETS[place].pin_tries}


def test_a_card_without_a_pin_that_stays_without_one_is_not_tried():
    """The terminal names no key version, so the card refuses its proof and the case waits."""
    product = replace(preset("v3-sm4"), name="newest", default_key_version="newest")
    population = with_behaviour("careful", changes=1).model_copy(
        update={
            "products": (Product(name="newest", share=1, personality=product),),
            "places": (PlaceShare(name="none", share=1, place=find_place("no-initial-pin")),),
            "holders": Holders(own_pin=0),
        }
    )

    assert {row.outcome for row in lived(population, 6, Through.SERVICE)} == {Outcome.UNFINISHED}


# Invariants that break

on_sources = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")


@on_sources
@pytest.mark.parametrize(
    ("defect", "kind"),
    [
        ("the-last-try-is-never-used", "attacker"),
        ("right-pin-does-not-restore-the-tries", "careless"),
        ("change-pin-does-not-restore-the-tries", "torn terminal"),
        ("reset-does-not-restore-the-tries", "forgetful"),
        ("wrong-pin-answers-630x", "forgetful"),
        ("power-on-restores-the-tries", "forgetful"),
    ],
)
@BOTH
def test_planted_defect_breaks_an_invariant_and_the_card_alone_repeats_it(defect, kind, through):
    planted = next(each for each in DEFECTS if each.name == defect)
    population = with_behaviour(kind)
    with planted.planted():
        finished = done(population, 40, through)
        failures = finished.failures
        [again] = [done(population, 1, through, failure.index).failures for failure in failures[:1]]

    assert failures
    assert again == failures[:1]
    assert {failure.invariant for failure in failures} <= set(INVARIANTS)
    assert AS_THE_ORACLE in {failure.invariant for failure in failures}
    assert all(", command " in failure.step for failure in failures)
    assert len(unpacked(finished.rows)) == 40


@on_sources
@BOTH
def test_trace_of_a_failure_ends_with_the_command_that_broke_the_invariant(through):
    planted = next(each for each in DEFECTS if each.name == "wrong-pin-answers-630x")
    population = with_behaviour("attacker")
    with planted.planted():
        failure, *_ = done(population, 10, through).failures
        alone = repeat_card(Task(population, SEED, through), failure.index)

    assert "answers 630" in failure.step
    assert failure.trace.splitlines()[-2].startswith("> 0020")
    assert failure.trace.splitlines()[-1].startswith("< 630")
    assert "\n".join(alone.trace) == failure.trace


@on_sources
def test_time_of_a_failing_card_counts_once_though_it_lives_again_for_its_trace(monkeypatch):
    """The clock of the lives advances by a second with each look: the issue of a card takes one second."""
    ticks = count()
    monkeypatch.setattr("sscard.campaign.life.perf_counter", lambda: float(next(ticks)))
    planted = next(each for each in DEFECTS if each.name == "right-pin-restores-six-tries-whatever-the-limit")
    population = with_behaviour("failing HSM").timed(TIMING)
    with planted.planted():
        finished = done(population, 40)
    after = done(population, 40, first=40)

    rows = unpacked(finished.rows)
    assert any(rows[failure.index].visit_ms for failure in finished.failures)
    for each in (finished, after):
        at_the_window = sum(row.visit_ms + row.return_ms for row in unpacked(each.rows))
        assert sum(each.modelled.values()) == pytest.approx(at_the_window, abs=2 * 40)
        assert each.layers["issue"] == 40
    assert not after.failures


@on_sources
def test_case_that_is_done_in_the_journal_only_breaks_an_invariant():
    planted = next(each for each in DEFECTS if each.name == "done-is-reported-while-the-hsm-is-down")
    with planted.planted():
        failures = done(with_behaviour("failing HSM"), 40, Through.SERVICE).failures

    assert AS_THE_JOURNAL in {failure.invariant for failure in failures}


@on_sources
def test_failure_hides_pins_in_its_trace_and_its_repr():
    planted = next(each for each in DEFECTS if each.name == "reset-does-not-restore-the-tries")
    population = with_behaviour("forgetful")
    with planted.planted():
        failures = done(population, 20).failures

    draws = Draws(population, SEED)
    for failure in failures:
        drawn = draws.of(failure.index)
        assert "**" in failure.trace
        for pin in (drawn.order.pin, drawn.new_pin):
            digits = encode_pin(pin).hex().upper()
            sent = [line for line in failure.trace.splitlines() if line.startswith(("> 0020", "> 805E", "> 8424"))]
            assert sent
            assert not any(digits in line for line in sent)
            assert pin not in failure.step
        assert "strings" in failure.image
        assert failure.image not in repr(failure)
        assert not any(pin in repr(drawn) for pin in (drawn.order.pin, drawn.new_pin))


def test_error_of_a_life_is_a_failure_of_its_card_and_the_others_live(monkeypatch):
    population = with_behaviour("careful", slips=0)
    whole = unpacked(done(population, 3).rows)
    broken = card_number(Draws(population, SEED).of(1).order.card_body)
    verify = CardSession.verify_pin

    def fail(session: CardSession, pin: str) -> None:
        if session.identity.card_number == broken:
            raise RuntimeError(pin)
        verify(session, pin)

    monkeypatch.setattr(CardSession, "verify_pin", fail)
    finished = done(population, 3)

    [failure] = finished.failures
    assert (failure.index, failure.invariant) == (1, ONLY_ERRORS)
    assert "RuntimeError" in failure.step
    rows = unpacked(finished.rows)
    assert (rows[0], rows[1].outcome, rows[2]) == (whole[0], Outcome.UNFINISHED, whole[2])


def test_time_of_the_layers_is_measured_and_not_part_of_the_digest():
    finished = done(POPULATION, 20, Through.SERVICE)

    assert set(finished.layers) == {"issue", "card", "oracle", "hsm", "service"}
    assert all(seconds > 0 for seconds in finished.layers.values())
    assert replace(finished, layers={}).digest == finished.digest
