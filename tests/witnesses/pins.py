"""Observations that change with the defects of ``sscard.scenario.defects.pins``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace

from kit.desk import Desk, change, verify
from sscard.chip.memory import Moment, PowerLost
from sscard.issuer import preset
from sscard.standard.encoding import encode_pin
from witnesses.witness import Witness

RIGHT, WRONG, NEW = "123456", "999999", "654321"
UNBLOCK, RESET = 0x00, 0x01


def answers(*commands: bytes | str, desk: Desk | None = None) -> list[str]:
    """What a card answers to these commands."""
    sent = (bytes.fromhex(each) if isinstance(each, str) else each for each in commands)
    chip = (desk or Desk()).chip
    return [chip.transmit(each).hex() for each in sent]


def _after_reset(new: str, *, right: bool = True, old: str = RIGHT, wrong_pins: int = 0) -> tuple[str, str, int]:
    """The answers to a reset and to a VERIFY of its PIN, and the tries left between them."""
    desk = Desk(pin=old)
    for __ in range(wrong_pins):
        desk.verify(WRONG)
    desk.authenticate()
    desk.challenge()
    (first,) = answers(desk.message(RESET, desk.block(encode_pin(new)), right=right), desk=desk)
    tries = desk.tries
    (second,) = answers(verify(new), desk=desk)
    return first, second, tries


def _tries_after_cut(point: int) -> int:
    """The tries left after the power was cut at a write point of a wrong VERIFY."""
    desk = Desk()
    desk.memory.cut_power(point, Moment.BEFORE)
    with contextlib.suppress(PowerLost):
        desk.verify(WRONG)
    desk.repower()
    return desk.tries


def _after_warm_reset() -> bool:
    desk = Desk()
    desk.verify()
    desk.chip.reset()
    return desk.chip.snapshot().pin_verified


def _tries_after_power_on() -> int:
    desk = Desk()
    desk.verify(WRONG)
    desk.repower()
    return desk.tries


def _tries_after(*commands: bytes) -> int:
    desk = Desk()
    answers(*commands, desk=desk)
    return desk.tries


def _reset_with_blocked_puk() -> list[str]:
    desk = Desk()
    desk.authenticate()
    desk.memory.put_number(desk.card.profile.layout.counter(desk.card.profile.layout.puk, 0), 0)
    desk.challenge()
    return answers(desk.message(UNBLOCK), desk=desk)


def _limit_after_right_pin() -> int:
    desk = Desk(replace(preset("v3-sm4"), pin_tries=15))
    desk.verify(RIGHT)
    return desk.tries


def _another_pin() -> list[str]:
    return answers(change(RIGHT, NEW), desk=Desk(replace(preset("v3-sm4"), same_pin_allowed=False)))


WITNESSES: Mapping[str, Witness] = {
    "change-pin-takes-any-old-pin-after-verify": lambda: answers(verify(RIGHT), change(WRONG, NEW)),
    "blocked-puk-still-resets": _reset_with_blocked_puk,
    "change-pin-does-not-restore-the-tries": lambda: _tries_after(verify(WRONG), change(RIGHT, NEW)),
    "length-of-the-old-pin-stays-after-reset": lambda: _after_reset("1234", old="12345678"),
    "pin-of-another-length-is-not-counted": lambda: _tries_after(verify("99999999")),
    "a-power-cut-restores-the-try": lambda: _tries_after_cut(1),
    "wrong-pin-answers-630x": lambda: answers(verify(WRONG)),
    "pin-stays-verified-over-a-warm-reset": _after_warm_reset,
    "power-on-restores-the-tries": _tries_after_power_on,
    "empty-verify-costs-a-try": lambda: _tries_after(bytes.fromhex("0020000000")),
    "empty-old-pin-is-not-counted": lambda: (desk := Desk()) and (answers(change("", NEW), desk=desk), desk.tries),
    "right-pin-does-not-restore-the-tries": lambda: _tries_after(verify(WRONG), verify(RIGHT)),
    "reset-does-not-restore-the-tries": lambda: _after_reset(NEW, wrong_pins=2),
    "reset-takes-a-wrong-mac": lambda: _after_reset(NEW, right=False),
    "the-last-try-is-never-used": lambda: answers(*[verify(WRONG)] * 7, desk=Desk()),
    "verify-compares-only-the-length-of-the-stored-pin": lambda: answers(verify("1234569999")),
    "right-pin-restores-six-tries-whatever-the-limit": _limit_after_right_pin,
    "product-that-refuses-the-same-pin-refuses-every-pin": _another_pin,
}
