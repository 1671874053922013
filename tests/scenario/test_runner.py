"""The runner checks status word, tries, keys, state, data and stage of every step, and really fails."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from sscard.card import Chip
from sscard.i18n.language import say
from sscard.scenario import run_scenario
from sscard.scenario.reports import trace

WRONG = {
    "status word": ("- verify_pin: 000000\n  tries: 5", "sw", "9000 done", "63C5 verification failed, 5 tries left"),
    "success that was to fail": (
        "- reset_pin: 654321\n  sw: 6983\n  state: PUK",
        "sw",
        "6983 PIN or key blocked",
        None,
    ),
    "tries that went": ("- verify_pin: 000000\n  sw: 63C5", "tries", "6", "5"),
    "tries that stayed": ("- verify_pin: 123456\n  tries: 5\n  state: verified", "tries", "5", "6"),
    "key tries that went": ("- authenticate: {key: PUK, proof: wrong}\n  sw: 63C2", "key_tries", "PUK 3", "PUK 2"),
    "a key that is not there": ("- reset:\n  key_tries: {UKMF: 3}", "key_tries", "UKMF 3", "UKMF: not on this card"),
    "certificate tries without the application": (
        "- reset:\n  certificate_tries: 6 6",
        "certificate_tries",
        "6 6",
        "certificate_tries: not on this card",
    ),
    "state that came": ("- verify_pin: 123456", "state", "ready", "verified"),
    "state that went": ("- reset:\n  state: verified", "state", "verified", "ready"),
    "a challenge taken": ("- get_challenge: 8", "state", "ready", "challenge"),
    "data": ("- reset:\n  data: 3B 6D 00 01 ...", "data", "3B 6D 00 01 ...", None),
    "data too long": ("- reset:\n  data: 3B 6D", "data", "3B 6D", None),
    "data where none is expected": ("- get_response: 4\n  sw: 6F00\n  data: 00", "data", "00", "no data"),
    "data that are not expected": ("- reset:\n  data: ''", "data", "no data", None),
    "data too short": ("- apdu: 00 20 00 00 00\n  sw: 63C6\n  data: ?? ...", "data", "?? ...", "no data"),
    "tries read by the terminal": ("- tries_left: 5", "tries_left", "5", "6"),
    "basic data": ("- read_basic: {version: 9.00}\n  state: RKSSSE", "version", "9.00", "3.00"),
    "power that stayed": ("- reset:\n  sw: none", "sw", "no answer", "9000 done"),
    "power that went": (
        "- cut_power: {point: 0}\n- verify_pin: 123456",
        "sw",
        "9000 done",
        "no answer",
    ),
    "stage of a case": ("- apply: {reason: leaked}\n  stage: refused", "stage", "refused", "accepted"),
    "grounds of a refusal": ("- apply: {}\n  stage: refused\n  grounds: [person]", "grounds", "person", "reason"),
    "an identity document that has expired": (
        "- apply: {reason: leaked, applicant: {id_expires: 2000-01-01}}",
        "stage",
        "accepted",
        "refused",
    ),
    "missing papers": (
        "- apply: {reason: leaked, papers: []}\n  stage: supplement\n  missing: [id-card]",
        "missing",
        "id-card",
        None,
    ),
    "words to the citizen": ("- apply: {reason: leaked}\n  says: 十天", "says", "十天", None),
    "no power": ("- power_off:\n- verify_pin: 123456", "verify_pin", "the step is done", None),
    "no card": ("- power_on:\n- verify_pin: 123456", "verify_pin", "the step is done", None),
    "no case": ("- complete: 123456", "complete", "the step is done", None),
    "a key the card has not": (
        "- authenticate: {key: UKMF}",
        "authenticate",
        "the step is done",
        "this card has no UKMF",
    ),
}


@pytest.mark.parametrize(("steps", "field", "expected", "actual"), WRONG.values(), ids=WRONG)
def test_reports_what_is_not_as_stated(run, steps, field, expected, actual):
    result = run(steps)
    assert not result.passed
    [mistake] = [wrong for wrong in result.failure.mismatches if wrong.field == field]
    assert say(mistake.expected) == expected
    assert actual is None or say(mistake.actual) == actual


def test_a_scenario_ends_with_its_first_failing_step(run):
    result = run("- verify_pin: 000000\n- reset:")
    assert [step.number for step in result.steps] == [0, 1]


def test_every_wrong_expectation_of_a_step_is_reported(run):
    result = run("- verify_pin: 000000\n  state: verified")
    assert [wrong.field for wrong in result.failure.mismatches] == ["sw", "tries", "state"]


def test_a_failure_stands_at_its_field(run):
    result = run("- reset:\n- verify_pin: 000000\n  sw: 63C5\n  tries: 4")
    [mistake] = result.failure.mismatches
    assert result.scenario.place(result.failure.number, mistake.field) == (8, 3)


PASSING = {
    "blocked follows the tries": ("- verify_pin: 000000\n  sw: 63C0\n  tries: 0", "card: {tries_left: 1}"),
    "power takes what the session held": (
        "- verify_pin: 123456\n  state: verified\n- reset:\n- power_off:\n- power_on:",
        "",
    ),
    "a cut leaves a card without power": (
        "- cut_power: {point: 0}\n- verify_pin: 000000\n  sw: none\n  state: 'off'",
        "",
    ),
    "a torn counter is told as it will recover": (
        "- cut_power: {point: 1, moment: during}\n- verify_pin: 000000\n  sw: none\n  tries: 5\n- power_on:",
        "",
    ),
    "data with any bytes": ("- reset:\n  data: 3B ?? 00 00 ...", ""),
    "any of the contactless ATR": ("- reset:\n  data: 3B 8D 80 01 ...", "card: {interface: contactless}"),
    "a first step that inserts by itself": ("- power_on:\n- apdu: 00 84 00 00 08\n  state: challenge", ""),
}


@pytest.mark.parametrize(("steps", "card"), PASSING.values(), ids=PASSING)
def test_passes(run, steps, card):
    assert run(steps, card).passed


class Wearing:
    """A connection to a card whose PUK loses a try at each command, without a write point."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.power_on, self.power_off, self.reset = chip.power_on, chip.power_off, chip.reset

    def transmit(self, command: bytes, /) -> bytes:
        layout = self.chip.profile.layout
        numbers = self.chip.memory.numbers[:]  # those of a new card are shared
        numbers[layout.counter(layout.puk, 0)] -= 1
        self.chip.memory.numbers = numbers
        return self.chip.transmit(command)


def test_a_counter_that_no_write_point_changed_is_noticed(read):
    [scenario] = read("name: a\nproves: b\nsteps:\n  - power_on:\n  - apdu: 00 84 00 00 08\n    state: challenge\n")
    result = run_scenario(scenario, connect=lambda chip: nullcontext(Wearing(chip)))
    [wrong] = result.failure.mismatches
    assert (wrong.field, wrong.expected, wrong.actual) == ("key_tries", "PUK 3", "PUK 2")


def test_the_same_seed_gives_the_same_wire_and_another_seed_another(read):
    [scenario] = read("name: a\nproves: b\nsteps:\n  - reset_pin: 654321\n    state: PUK\n")
    first, again, other = (trace.text_of(run_scenario(scenario, seed), seed) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_no_pin_in_a_trace(run):
    result = run(
        "- verify_pin: 24681357\n- change_pin: {old: 24681357, new: 13572468}\n- reset_pin: 24681357\n"
        "- apdu: 00 20 00 00 04 13 57 24 68",
        "card: {pin: 24681357}",
    )
    assert "24681357" not in trace.text_of(result, 1)
    assert "13572468" not in trace.text_of(result, 1)


def test_a_step_keeps_what_the_other_parts_were_asked_and_the_state_after_it(run):
    result = run(
        "- verify_pin: 000000\n  sw: 63C5\n  tries: 5\n- apply: {reason: forgotten}\n  stage: accepted",
        "card: {choices: {pin_tries: 6}}",
    )
    wrong, applied = [step for step in result.steps if step.number]
    assert wrong.after is not None
    assert (wrong.after.tries, wrong.after.limit, wrong.after.stage) == (5, 6, None)
    assert applied.after is not None
    assert applied.after.stage is not None
    assert [message.to for message in applied.messages] == ["hsm", "journal", "holder base", "journal"]
    assert wrong.at <= wrong.events[0].at <= applied.at <= applied.messages[0].at
