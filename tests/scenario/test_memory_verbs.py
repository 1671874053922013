"""Power cuts at every write point, and faults of the memory that no command reaches."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from sscard.chip.memory import Log, Memory
from sscard.errors import InputError
from sscard.i18n.language import say

if TYPE_CHECKING:
    from conftest import Run
    from sscard.scenario import ScenarioResult

CHANGE = """
- cut_power:
    point: every
    steps:
      - change_pin: {old: 123456, new: 246810}
    spends: [PIN]
    after:
      old: [{verify_pin: 123456, tries: 6, state: verified}]
      new: [{tries_left: 6}, {verify_pin: 246810, state: verified}]
- verify_pin: 123456
  state: verified
"""


def problem(result: ScenarioResult) -> str:
    assert result.failure is not None
    return say(result.failure.mismatches[0].actual)


def test_a_change_is_whole_after_every_cut(run: Run) -> None:
    assert run(CHANGE).passed


@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")
def test_a_torn_change_is_found(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory without a log: the counter is back, the PIN is the old one."""

    def without_log(self: Memory, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        self._write_cells(Log(numbers, strings, complete=True))

    monkeypatch.setattr(Memory, "_write", without_log)
    assert problem(run(CHANGE)).startswith("power cut ")


def test_a_try_that_is_spent_must_be_named(run: Run) -> None:
    assert "PIN: expected 6 tries, got 5" in problem(run(CHANGE.replace("    spends: [PIN]\n", "")))


CERTIFICATE = """
- cut_power:
    point: every
    first: [{select: SS.CERT.ADF1}]
    steps: [{verify_certificate_pin: {user: 123456}, certificate_tries: 6 6, state: certificate-user}]
    spends: [certificate-user]
    after: {any: [{verify_pin: 123456, state: verified}]}
"""


@pytest.mark.parametrize("spends", ["", "    spends: [certificate-administrator]\n"])
def test_a_try_of_a_certificate_pin_must_be_named_too(run: Run, spends: str) -> None:
    card = "card: {personality: v3-sm4, choices: {certificate_application: stub}}"
    assert run(CERTIFICATE, card).passed
    changed = CERTIFICATE.replace("    spends: [certificate-user]\n", spends)
    assert "certificate-user: expected 6 tries, got 5" in problem(run(changed, card))


def test_the_steps_within_may_compute_numbers(run: Run) -> None:
    changed = CHANGE.replace("tries: 6", "tries: max").replace("tries_left: 6", "tries_left: max")
    assert run(changed).passed


def test_each_alternative_must_occur(run: Run) -> None:
    added = "      third: [{verify_pin: 111111, state: verified}]\n- verify_pin"
    assert problem(run(CHANGE.replace("- verify_pin", added, 1))) == "after no cut the card is as in third"


def test_the_preparation_is_repeated(run: Run) -> None:
    assert run(
        """
- cut_power:
    point: every
    first: [{authenticate: {key: BK}, state: BK}]
    steps: [{card_block: {}, state: BK card-blocked}]
    after:
      old: [{verify_pin: 123456, state: verified}]
      new: [{apdu: 00 84 00 00 08, sw: 6A81}]
"""
    ).passed


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ("verify_pin: 111111", "verify_pin: sw: expected 9000 done, got 63C5"),
        ("tries_left: 6", "the steps reach no write point"),
    ],
)
def test_the_operation_itself_must_work_and_write(run: Run, steps: str, said: str) -> None:
    text = f"- cut_power: {{point: every, steps: [{{{steps}}}], after: {{old: [{{tries_left: 6}}]}}}}"
    assert problem(run(text)).startswith(said)


@pytest.mark.parametrize(
    "steps",
    [
        "- cut_power: {point: 0}\n- tries_left: 6",
        "- fail_memory: 0\n- tries_left: 6",
        "- cut_power: {point: 0}\n- mend_memory:\n- verify_pin: 123456\n  state: verified",
        "- fail_memory: 0\n- mend_memory:\n- fail_memory: 0\n- verify_pin: 111111\n  sw: 6581",
        "- cut_power: {point: 1}\n- cut_power: {point: 0}\n- verify_pin: 111111\n  sw: none\n- insert:\n"
        "- verify_pin: 123456\n  state: verified",
        "- cut_power: {point: 2}\n" + CHANGE.strip(),
    ],
)
def test_a_fault_that_no_command_reaches_fails(run: Run, steps: str) -> None:
    failure = run(steps).failure
    assert failure is not None
    assert failure.step.verb in ("cut_power", "fail_memory")


WRONG = [
    ("- cut_power: {point: every}", "point: every needs the operation"),
    ("- cut_power: {point: 1, steps: [{tries_left: 6}]}", "steps belong to point: every"),
    ("- cut_power: {point: -1}", "not a write point"),
    ("- cut_power: {point: every, moment: after, steps: [{verify: }], after: {a: [{tries_left: 6}]}}", "every moment"),
    ("- cut_power: {point: every, steps: [{verifyy: 1}], after: {a: [{tries_left: 6}]}}", "unknown verb 'verifyy'"),
    ("- cut_power: {point: every, steps: [{verify: 1}], after: {a: [{tries_left: 6}]}}", "an odd number"),
    ("- cut_power: {point: every, steps: [], after: {a: [{tries_left: 6}]}}", "steps"),
    ("- cut_power: {point: every, steps: [{sw: 9000}], after: {a: [{tries_left: 6}]}}", "a step is a verb"),
    ("- cut_power: {point: every, steps: [{verify: , reset: }], after: {a: [{verify: }]}}", "a step is a verb"),
    ("- cut_power: {point: every, spends: [PIM], steps: [{verify: }], after: {a: [{verify: }]}}", "unknown key 'PIM'"),
]
PLACES = ("FIRST", "STEPS", "AFTER")


def sweep(place: str, step: str) -> str:
    """A sweep with this step at this place and another one at the others."""
    first, steps, after = (step if place == each else "{verify: 123456}" for each in PLACES)
    return f"- cut_power: {{point: every, first: [{first}], steps: [{steps}], after: {{old: [{after}]}}}}"


WRONG += [
    (sweep(place, step), f"{word} is not possible in a step of point: every")
    for place in PLACES
    for word, step in {
        "within": "{verify: 123456, within: 0 ms}",
        "capture": "{verify: 123456, capture: {x: sw}}",
        "fault": "{fault: {slow: 1, nth: 90}}",
        "cut_power": "{cut_power: {point: 0}}",
        "fail_memory": "{fail_memory: 0}",
        "mend_memory": "{mend_memory: }",
    }.items()
]


@pytest.mark.parametrize(("step", "said"), WRONG, ids=[step for step, _ in WRONG])
def test_refuses(run: Run, step: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        run(step)
    assert said in str(caught.value)
    assert caught.value.line == 5
    assert caught.value.column > 1
