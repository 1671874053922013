"""Faults of HSM, journal and process: they happen where they are stated, and the service recovers."""

from __future__ import annotations

import pytest

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.scenario.faults import SERVICE_FAULTS
from sscard.scenario.service_faults import FaultyHsm

SQLITE = "service: {journal: sqlite}"
RESET = "- apply: {reason: forgotten}\n"
CHANGE = "- apply: {reason: leaked}\n"
OPERATE = "- operate: {new: 246810, old: 123456}\n"
FAULTS = {
    "hsm_down": "hsm_down: ",
    "hsm_slow": "hsm_slow: 0.01",
    "hsm_wrong_key": "hsm_wrong_key: ",
    "base_down": "base_down: ",
    "base_slow": "base_slow: 0.01",
    "proof_down": "proof_down: ",
    "journal_locked": "journal_locked: ",
    "overtaken": "overtaken: ",
    "killed": "killed: before-event",
}


def test_every_fault_is_tried_here() -> None:
    assert set(FAULTS) == set(SERVICE_FAULTS)


@pytest.mark.parametrize("fault", [*FAULTS.values(), "killed: after-command"])
def test_a_fault_that_is_not_reached_fails_its_own_step(run, fault):
    failure = run(f"{RESET}- fault: {{{fault}, nth: 99}}\n{OPERATE}  state: PUK", SQLITE).failure
    assert (failure.number, failure.mismatches[0].field) == (2, "fault")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("hsm_down: ", "  stage: accepted\n  in_doubt: no\n  says: 加密机\n  state: challenge"),
        ("hsm_down: , nth: 2", "  stage: accepted\n  in_doubt: no\n  says: 加密机\n  state: [PUK, challenge]"),
        ("hsm_slow: 0.01", "  state: PUK"),
        (
            "base_down: ",
            "  stage: accepted\n  waits: yes\n  acts: [waited]\n  says: 持卡库\n  state: ready",
        ),
        ("base_slow: 0.01", "  state: PUK"),
        ("hsm_wrong_key: ", "  sw: 63C2\n  stage: failed\n  key_tries: {PUK: 2}\n  state: ready"),
        ("journal_locked: ", "  error: journal\n  in_doubt: no\n  state: ready"),
        ("journal_locked: , nth: 2", "  error: journal\n  in_doubt: yes\n  state: PUK"),
        ("overtaken: , nth: 2", "  error: overtaken\n  in_doubt: yes\n  state: PUK"),
        ("killed: before-event", "  sw: none\n  in_doubt: no\n  acts: []"),
        ("killed: after-event", "  sw: none\n  in_doubt: yes\n  acts: [begun]"),
        ("killed: before-event, nth: 2", "  sw: none\n  in_doubt: yes\n  acts: [begun]"),
        ("killed: after-event, nth: 2", "  sw: none\n  stage: operated\n  in_doubt: no\n  acts: [begun, done]"),
        ("killed: before-command, ins: '24'", "  sw: none\n  in_doubt: yes\n  acts: [begun]"),
        ("killed: after-command, ins: '24'", "  sw: none\n  in_doubt: yes\n  acts: [begun]"),
    ],
)
def test_a_fault_of_a_reset(run, fault, expected):
    assert run(f"{RESET}- fault: {{{fault}}}\n{OPERATE}{expected}", SQLITE).failure is None


@pytest.mark.parametrize("journal", ["memory", "sqlite"])
@pytest.mark.parametrize("ins", ["'84'", "'5E'"])
@pytest.mark.parametrize("moment", ["before-command", "after-command"])
def test_a_change_is_resumed_by_a_new_process(run, journal, ins, moment):
    steps = f"{CHANGE}- fault: {{killed: {moment}, ins: '5E'}}\n{OPERATE}  sw: none\n  in_doubt: yes\n"
    steps += "- resume: {new: 246810, old: 123456}\n  acts: [resumed, done, completed]\n  state: verified\n- case:"
    assert run(steps, f"service: {{journal: {journal}}}").failure is None


@pytest.mark.parametrize(("event", "stage"), [(1, "intake"), (2, "pre-review")])
@pytest.mark.parametrize("journal", ["memory", "sqlite"])
def test_a_case_is_accepted_after_a_kill_during_the_application(run, journal, event, stage):
    steps = (
        f"- fault: {{killed: after-event, nth: {event}}}\n- apply: {{channel: online, reason: leaked}}\n  sw: none\n"
    )
    assert run(f"{steps}  stage: {stage}\n- accept:", f"service: {{journal: {journal}}}").failure is None


def test_a_kill_before_the_first_event_leaves_no_case(run):
    steps = "- fault: {killed: before-event}\n- apply: {reason: leaked}\n  sw: none\n  cases: 0\n"
    assert run(f"{steps}- apply: {{reason: leaked}}\n  cases: 1").failure is None


def test_a_kill_at_a_step_of_the_card_ends_the_step_without_an_answer(run):
    steps = "- fault: {killed: before-command}\n- verify_pin: 123456\n  sw: none\n- insert:\n- verify_pin: 123456\n"
    assert run(f"{steps}  state: verified").failure is None


def test_a_journal_in_memory_is_not_overtaken(run):
    failure = run(f"{RESET}- fault: {{overtaken: }}\n{OPERATE}  state: PUK").failure
    assert failure.number == 2
    assert "write journal: sqlite" in say(failure.mismatches[0].actual)


def test_the_event_that_opens_a_case_is_not_overtaken(run):
    failure = run(f"- fault: {{overtaken: }}\n{RESET}  state: 'off'", SQLITE).failure
    assert (failure.number, failure.mismatches[0].field) == (1, "fault")


def test_a_slow_hsm_takes_its_time(run, monkeypatch):
    waited: list[float] = []
    monkeypatch.setitem(FaultyHsm.__init__.__kwdefaults__, "wait", waited.append)
    assert run(f"{RESET}- fault: {{hsm_slow: 0.5}}\n{OPERATE}  state: PUK").failure is None
    assert waited == [0.5]


@pytest.mark.parametrize(
    ("fault", "problem"),
    [
        ("{hsm_down: yes}", "this verb takes no value"),
        ("{hsm_slow: 0}", "fault.hsm_slow"),
        ("{killed: now}", "fault.killed"),
        ("{hsm_down: , ins: '20'}", "hsm_down does not wait for a command"),
        ("{killed: after-event, ins: '20'}", "killed after-event does not wait for a command"),
        ("{hsm_down: , journal_locked: }", "a step injects one fault"),
        ("{hsm_dawn: }", "unknown field 'hsm_dawn'"),
    ],
)
def test_what_is_no_fault_is_refused(read, fault, problem):
    with pytest.raises(InputError) as caught:
        read(f"name: a\nproves: b\nsteps:\n  - fault: {fault}\n")
    assert problem in str(caught.value)
    assert caught.value.line == 4


@pytest.mark.parametrize(
    ("fault", "title"),
    [
        ("{hsm_down: , nth: 2}", "fault hsm_down at operation 2 of the HSM from here"),
        ("{killed: after-event}", "fault killed after-event at event 1 of the journal from here"),
        ("{killed: before-command, ins: '5E'}", "fault killed before-command at command 1 with INS 5E"),
    ],
)
def test_the_title_says_what_the_fault_waits_for(read, fault, title):
    [scenario] = read(f"name: a\nproves: b\nsteps:\n  - fault: {fault}\n  - reset:\n")
    assert say(scenario.steps[0].title()) == title
