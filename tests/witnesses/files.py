"""Observations that change with the defects of ``sscard.scenario.defects.files``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from kit.cards import PIN
from kit.desk import Desk, verify
from sscard.chip.memory import Moment, PowerLost
from witnesses.pins import answers
from witnesses.witness import Witness

READ_FINGERPRINT, READ_ISSUER = "00B0870008", "00B201282C"
WRITE_PHOTO, READ_PHOTO = "00D6880002AABB", "00B0880004"
EMPLOYMENT_RECORD = bytes(range(0x55))


def _read_with(*proven: str, personality: str = "v3-sm4", df: str = "", pin: bool = False, commands: str) -> list[str]:
    """The answers to commands of a DF after the proof of these keys."""
    desk = Desk(personality)
    if df:
        answers(f"00A4000002{df}", desk=desk)
    if pin:
        desk.verify()
    for key in proven:
        desk.authenticate(key)
    return answers(*commands.split(), desk=desk)


def _cyclic() -> list[str]:
    """Two records written to the employment records, then the newest read."""
    desk = Desk()
    answers("00A4000002DF02", desk=desk)
    desk.authenticate("UK3DF02")
    appended = [bytes((0x00, 0xDC, 0x00, 0x3B, 0x55)) + bytes((first,)) + EMPLOYMENT_RECORD[1:] for first in (1, 2)]
    desk.verify()
    return answers(*appended, "00B2013C00", desk=desk)


def _torn_write() -> str:
    """The contents of EF08 after a power cut between the halves of a write."""
    desk = Desk()
    desk.authenticate("UKSSSE")
    desk.memory.cut_power(1, Moment.DURING)
    with contextlib.suppress(PowerLost):
        answers(WRITE_PHOTO, desk=desk)
    desk.repower()
    desk.authenticate("RKSSSE")
    return answers(READ_PHOTO, "00B00FF004", desk=desk)[1]


WITNESSES: Mapping[str, Witness] = {
    "access-rule-and-is-treated-as-or": lambda: _read_with(
        personality="v1-des", df="DF03", pin=True, commands="00B2013C00"
    ),
    "read-and-write-right-of-the-fingerprint-are-swapped": lambda: _read_with("RKSSSE", commands=READ_FINGERPRINT),
    "update-without-the-right": lambda: _read_with(commands=WRITE_PHOTO),
    "read-without-the-right": lambda: _read_with(commands=READ_PHOTO),
    "read-binary-ignores-the-offset": lambda: _read_with("UKSSSE", "RKSSSE", commands=f"{WRITE_PHOTO} 00B0880104"),
    "update-binary-writes-up-to-the-end": lambda: _read_with(
        "UKSSSE", commands="00D688FF02AABB 00A40200 00B0000000 00D60FFF02AABB"
    ),
    "cyclic-file-counts-from-the-oldest-record": _cyclic,
    "wrong-le-moves-the-record-pointer": lambda: _read_with(commands="00A4020002EF05 00B2000201 00B2000200"),
    "unknown-record-answers-the-first": lambda: _read_with(commands="00A4020002EF05 00B2770000"),
    "select-of-a-child-df-is-refused": lambda: _read_with(commands="00A4010002DF01"),
    "fci-names-no-algorithm": lambda: answers("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"),
    "failed-select-returns-to-ssse": lambda: _read_with(commands="00A4000002DF01 00A4000002DF99 00A4020002EF16"),
    "a-power-cut-leaves-half-of-a-file": _torn_write,
    "wrong-pin-leaves-the-pin-verified": lambda: (
        (desk := Desk()) and (answers(verify(PIN), verify("999999"), desk=desk), desk.chip.snapshot().pin_verified)
    ),
    "records-from-the-current-one-begin-at-the-first": lambda: _read_with(
        commands="00A4020002EF05 00B2060006 00B2000500 00B2000511"
    ),
}
