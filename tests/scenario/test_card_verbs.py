"""The verbs of files, keys and raw commands: what they send, what they check, and what they refuse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sscard.conversation import Exchange
from sscard.errors import InputError
from sscard.i18n.language import say

if TYPE_CHECKING:
    from conftest import Run

SENT = [
    ("- select: DF03", "00 A4 00 00 02 DF03"),
    ("- select: EF05", "00 A4 02 00 02 EF05"),
    ("- select: D15600000502", "00 A4 04 00 06 D15600000502"),
    ("- select: 生命与健康信息区", "00 A4 04 00 10 C9FAC3FCD3EBBDA1BFB5D0C5CFA2C7F8"),
    ("- select: {file: DF03, by: child}", "00 A4 01 00 02 DF03"),
    ("- select: {file: EF05, by: fid}", "00 A4 00 00 02 EF05"),
    ("- select: {file: D156000005, next: yes}", "00 A4 04 02 05 D156000005"),
    ("- read_binary: {file: EF07, offset: 16, length: 8}\n  sw: 6982", "00 B0 87 10 08"),
    ("- read_binary: {offset: 258, length: 0}\n  sw: 6981", "00 B0 01 02 00"),
    ("- read_record: {file: EF05, number: 3, length: 6}", "00 B2 03 2C 06"),
    ("- read_record: {file: EF05, tag: 07, order: last, length: 11}", "00 B2 07 29 0B"),
    ("- read_record: {file: EF05, number: 1, run: to last, length: 64}", "00 B2 01 2D 40"),
    ("- read_record: {file: EF05, number: 1, run: from last, length: 64}", "00 B2 01 2E 40"),
    ("- update_binary: {file: EF07, offset: 1, data: AA BB}\n  sw: 6982", "00 D6 87 01 02 AABB"),
    ("- update_record: {file: EF05, tag: 02, data: 02 01 31}\n  sw: 6982", "00 DC 02 28 03 020131"),
    ("- update_record: {file: EF05, number: 2, data: 02 01 31}\n  sw: 6982", "00 DC 02 2C 03 020131"),
    ("- get_response: 16\n  sw: 6F00", "00 C0 00 00 10"),
    ("- change: FF\n  sw: 6700", "80 5E 01 00 01 **"),
]


@pytest.mark.parametrize(("step", "sent"), SENT, ids=[step.splitlines()[0] for step, _ in SENT])
def test_sends(run: Run, step: str, sent: str) -> None:
    result = run(step)
    assert result.passed
    events = [event for event in result.steps[-1].events if isinstance(event, Exchange)]
    assert events[0].command.replace(" ", "") == sent.replace(" ", "")


def test_a_key_is_proven_by_version_and_counted_by_version(run: Run) -> None:
    assert run(
        """
- select: DF01
- authenticate: {key: UK2DF01, version: 2}
  state: UK2DF01
- authenticate: {key: UK2DF01, version: 2, computed_version: 1}
  sw: 63C2
  key_tries: {UK2DF01: 3 2 3}
  state: ready
- authenticate: {key: UK2DF01, computed_with: UK1DF01}
  sw: 63C2
  key_tries: {UK2DF01: 2 2 3}
- authenticate: {key: UK2DF01, proof: wrong, wrong_byte: 8, challenge_length: 4}
  sw: 63C1
  key_tries: {UK2DF01: 1 2 3}
- authenticate: {key: UK2DF01, version: 0}
  sw: 6A88
"""
    ).passed


def test_the_hsm_checks_the_answer_of_the_card(run: Run) -> None:
    result = run("- internal_authenticate: {version: 3, proof: wrong}")
    assert result.failure is not None
    assert [(each.field, each.expected, each.actual) for each in result.failure.mismatches] == [
        ("proof", "wrong", "right")
    ]
    assert run("- internal_authenticate:\n- internal_authenticate: 4\n  sw: 6A88").passed


def test_an_update_carries_a_mac(run: Run) -> None:
    assert run(
        """
- select: DF01
- authenticate: {key: UK2DF01}
  state: UK2DF01
- update_record: {file: EF07, tag: 29, data: 29 01 31, secure: {mac: wrong, wrong_byte: 1}}
  sw: 6988
- update_record: {file: EF07, tag: 29, data: 29 01 31, secure: {key: STK}}
  sw: 6988
- update_record: {file: EF07, tag: 29, data: 29 01 31, secure: {challenge: none}}
  sw: 6984
- update_record: {file: EF07, tag: 29, data: 29 01 31}
  sw: 6987
- update_record: {file: EF07, tag: 29, data: 29 01 31, secure: {}}
- verify: 12 34 56
  state: UK2DF01 verified
- read_record: 29
  data: 29 01 31
""",
        "card: {choices: {updates_need_mac: yes}}",
    ).passed


def test_a_reset_carries_any_enciphered_bytes(run: Run) -> None:
    assert run(
        """
- authenticate: {key: PUK}
  state: PUK
- pin_change_unblock: {p2: 01, enciphered: 00 11 22 33 44 55 66 77 88 99 AA BB CC DD EE FF}
  sw: 6A80
"""
    ).passed


def test_a_pin_of_the_certificate_application_is_proven(run: Run) -> None:
    assert run(
        """
- select: SS.CERT.ADF1
- verify_certificate_pin: {user: 123456}
  state: certificate-user
- verify_certificate_pin: {user: 123456, challenge: last}
  sw: 6984
- verify_certificate_pin: {administrator: 12345678, cryptogram: wrong, challenge_length: 16}
  sw: 63C5
  certificate_tries: 6 5
""",
        "card: {choices: {certificate_application: stub}}",
    ).passed


def test_no_title_shows_a_pin(run: Run) -> None:
    steps = run(
        """
- verify: 12 34 56
  state: verified
- change: 12 34 56 FF 65 43 21
- authenticate: {key: PUK}
  state: PUK verified
- pin_change_unblock: {p2: 01, pin_bytes: 24 68 10}
  state: PUK
"""
    ).steps
    shown = " ".join(f"{say(each.step.title())} {each.step!r}" for each in steps)
    assert "123456" not in shown.replace(" ", "")
    assert "246810" not in shown.replace(" ", "")
    assert "x$h" not in shown  # repr of 24 68 10


WRONG = [
    ("- select: {file: DF3}", "not a file"),
    ("- select: {file: DF03, by: brother}", "select.by: "),
    ("- read_binary: {file: EF1F}", "not an EF"),
    ("- read_binary: {file: EF07, offset: 256}", "with an SFI the offset is at most 255"),
    ("- read_binary: {length: 256}", "length: "),
    ("- read_record: {file: EF05}", "a record is named by its tag or by its number"),
    ("- read_record: {tag: 08, number: 1}", "a record is named by its tag or by its number"),
    ("- read_record: {tag: 08, order: second}", "order: "),
    ("- read_record: {number: 1, order: next}", "records with a tag have an order"),
    ("- read_record: {tag: 08, run: to last}", "a run of records begins at a number"),
    ("- update_binary: {file: EF07}", "data"),
    ("- update_record: {tag: 08, data: 08 0}", "an odd number"),
    ("- authenticate: {key: PUK, wrong_byte: 9}", "wrong_byte: "),
    ("- verify_certificate_pin: {user: 123456, administrator: 12345678}", "a step proves one PIN"),
    ("- pin_change_unblock: {p2: 01, pin: 123456, pin_bytes: 12 34}", "the enciphered part is given twice"),
    ("- get_response: 256", "get_response: "),
    ("- get_response: 4\n  data: 00 ?? 0G", "no hex digit at position 6"),
    ("- get_response: 4\n  data: 00 ?? 0", "5 hex digits, an odd number"),
]


@pytest.mark.parametrize(("step", "problem"), WRONG, ids=[step for step, _ in WRONG])
def test_refuses(run: Run, step: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        run(step)
    assert problem in str(caught.value)
    assert caught.value.line >= 5
    assert caught.value.column > 1
