"""Observations that change with the defects of ``sscard.scenario.defects.psam``."""

from __future__ import annotations

from collections.abc import Mapping

from kit.slot import CARD, Slot
from sscard.standard.cipher import city_factor, province_factor
from witnesses.witness import Witness

WRONG_MAC2 = "807200000400000000"


def _words(*commands: str) -> list[int]:
    slot = Slot(level="city")
    return [slot.sw(command) for command in commands]


def _purchases(**how: int) -> list[str]:
    """The answers to the beginnings of two purchases."""
    slot = Slot(level="city")
    answers = (slot.send(slot.init(**how)) for __ in range(2))
    return [f"{data.hex()} {sw:04X}" for data, sw in answers]


def _enciphered() -> str:
    slot = Slot()
    slot.get(slot.deliver(0x67, 0x08, CARD.serial + city_factor(CARD.city_code) + province_factor(CARD.city_code)))
    return slot.get(slot.cipher(0x00, bytes(16))).hex()


def _after_a_wrong_mac2() -> list[int]:
    begin = Slot(level="city").init()
    return _words(begin, WRONG_MAC2, WRONG_MAC2)


WITNESSES: Mapping[str, Witness] = {
    "psam-takes-a-wrong-mac2": _after_a_wrong_mac2,
    "purchase-survives-a-wrong-mac2": _after_a_wrong_mac2,
    "credit-without-a-purchase-is-accepted": lambda: _words(WRONG_MAC2),
    "terminal-sequence-stays": _purchases,
    "unknown-version-of-a-psam-key-means-the-first": lambda: _purchases(version=9),
    "psam-applies-the-factors-in-the-wrong-order": _enciphered,
}
