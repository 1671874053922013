"""The verb `fault`: what a scenario injects happens, and what no command reaches fails the scenario."""

from __future__ import annotations

import pytest

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.scenario import Scenario
from sscard.scenario.faults import ALL_FAULTS, SERVICE_FAULTS, FaultStep
from sscard.transport.faults import FaultyConnection

VALUES = {"hsm_slow": 1, "base_slow": 1, "killed": "before-event"}


def test_every_fault_is_in_the_built_in_suite(scenarios: list[Scenario]) -> None:
    used = {step.fault.name for found in scenarios for step in found.steps if isinstance(step, FaultStep)}
    assert used == set(ALL_FAULTS)


@pytest.mark.parametrize(
    "fault",
    ["removed: before", "removed: during", "removed: after", "mute: ", "slow: 0.01", "truncated: 1", "corrupted: 0",
     "swapped: v2-3des"],
)  # fmt: skip
def test_a_fault_that_no_command_reaches_fails_its_own_step(run, fault):
    result = run(f"- fault: {{{fault}, ins: 'EE'}}\n- verify_pin: 123456\n  state: verified")
    assert not result.passed
    [missed] = result.failure.mismatches
    assert (missed.field, say(missed.actual)) == ("fault", "no later step reached it")
    assert result.scenario.place(result.failure.number, missed.field).line == 5


@pytest.mark.parametrize(
    "step",
    [*(f"fault: {{{name}: {VALUES.get(name, '')}, nth: 900}}" for name in SERVICE_FAULTS),
     "fault: {killed: after-command, nth: 900}", "cut_power: {point: 900}", "fail_memory: 900"],
)  # fmt: skip
def test_a_fault_of_service_or_memory_that_is_not_reached_fails_its_own_step(run, step):
    result = run(f"- {step}\n- verify_pin: 123456\n  state: verified", "service: {journal: sqlite}")
    assert not result.passed
    [missed] = result.failure.mismatches
    assert (result.failure.number, say(missed.actual)) == (1, "no later step reached it")


def test_of_two_equal_faults_the_one_that_waits_is_named(run):
    step = "- fault: {truncated: 2, ins: '84'}"
    result = run(f'{step}\n{step}\n- get_challenge: 8\n  sw: "6767"\n  state: challenge', "card: {pin: ''}")
    assert result.failure is not None
    assert result.failure.number in (2, 3)


def test_a_failure_before_counts_and_not_the_fault_that_came_too_late(run):
    result = run("- fault: {mute: , nth: 9}\n- verify_pin: 000000")
    assert result.failure.number == 2


@pytest.mark.parametrize(
    ("steps", "field"),
    [
        ("- fault: {removed: before}\n- verify_pin: 123456\n  state: verified", "sw"),
        ("- fault: {removed: during}\n- verify_pin: 000000\n  sw: none", "tries"),
        ("- fault: {removed: after}\n- verify_pin: 123456\n  state: verified", "state"),
        ("- fault: {mute: }\n- verify_pin: 123456\n  sw: none", "state"),
        ("- fault: {truncated: 1}\n- verify_pin: 123456\n  state: verified", "sw"),
        ("- fault: {corrupted: -2}\n- verify_pin: 123456\n  state: verified", "sw"),
        ("- fault: {swapped: v3-sm4}\n- verify_pin: 123456\n  state: verified", "sw"),
    ],
    ids=lambda text: text.split("\n")[0][9:] if "\n" in text else text,
)
def test_a_fault_really_happens(run, steps, field):
    failure = run(steps).failure
    assert failure is not None
    assert field in [wrong.field for wrong in failure.mismatches]


def test_a_slow_answer_takes_its_time(run, monkeypatch):
    waited: list[float] = []
    monkeypatch.setitem(FaultyConnection.__init__.__kwdefaults__, "wait", waited.append)
    assert run("- fault: {slow: 0.5, nth: 2}\n- verify_pin: 123456\n  state: verified\n- tries_left: 6").passed
    assert waited == [0.5]


@pytest.mark.parametrize(
    ("fault", "why"),
    [("corrupted: 2", "no byte 2 to corrupt"), ("truncated: 2", "the answer has only 2 bytes")],
)
def test_a_fault_that_cannot_damage_its_answer_fails_its_own_step(run, fault, why):
    failure = run(f"- fault: {{{fault}}}\n- verify_pin: 123456\n  state: verified").failure
    assert failure.number == 1
    assert why in say(failure.mismatches[0].actual)


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("{}", "a step injects one fault"),
        ("{ins: '20'}", "a step injects one fault"),
        ("{mute: , slow: 1}", "a step injects one fault"),
        ("{removed: soon}", "fault.removed"),
        ("{mute: yes}", "this verb takes no value"),
        ("{truncated: 0}", "fault.truncated"),
        ("{slow: 0}", "fault.slow"),
        ("{swapped: v9}", "no personality 'v9'"),
        ("{mute: , nth: 0}", "fault.nth"),
        ("{mute: , ins: 2020}", "fault.ins"),
        ("{mutes: }", "unknown field 'mutes'"),
    ],
)
def test_what_is_no_fault_is_refused_with_its_line(read, fault, problem):
    with pytest.raises(InputError) as caught:
        read(f"name: a\nproves: b\nsteps:\n  - fault: {fault}\n")
    assert problem in str(caught.value)
    assert caught.value.line == 4


def test_the_title_says_fault_and_command(read):
    [scenario] = read("name: a\nproves: b\nsteps:\n  - fault: {removed: during, ins: '5e', nth: 2}\n  - reset:\n")
    assert say(scenario.steps[0].title()) == "fault removed during at command 2 with INS 5E"


def test_the_contactless_reader_answers_for_the_card_of_a_swap_too(run):
    swap = "- fault: {swapped: v2-3des}\n- verify_pin: 123456\n  sw: none\n  state: 'off'\n- power_on:\n  state: 'off'"
    uid = "- apdu: FFCA000004\n  sw: 9000"
    result = run(f"{uid}\n{swap}\n{uid}", "card: {interface: contactless}")
    assert result.passed, [step.mismatches for step in result.steps]
