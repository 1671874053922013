"""A contactless reader with a card in it: what the reader answers for the card (PC/SC part 3, card-files.md §2)."""

from __future__ import annotations

from sscard.card import Chip
from sscard.chip.answers import NOT_SUPPORTED, OK, WRONG_LENGTH, wrong_le
from sscard.chip.engine import PowerError
from sscard.standard.apdu import LESS_THAN_LE
from sscard.standard.atr import uid
from sscard.transport.connection import Connection, reader_answers

UID, HISTORICAL_BYTES = b"\x00\x00", b"\x01\x00"
"""P1 P2 of GET DATA."""


def in_reader(chip: Chip, *, contact: bool) -> Connection:
    """What a terminal is connected to: the chip, or a contactless reader with it."""
    return chip if contact else ContactlessReader(chip)


class ContactlessReader:
    """A connection to a contactless chip through its reader.

    The reader answers GET DATA: ``FF CA 00 00 00`` with the card's UID,
    ``FF CA 01 00 00`` with the historical bytes of its ATS. The chip never gets
    these commands, and gets all others.
    """

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        profile = chip.profile
        self._data = {
            UID: uid(profile.historical, long=profile.personality.long_uid),
            HISTORICAL_BYTES: profile.historical,
        }

    def power_on(self) -> bytes:
        return self.chip.power_on()

    def power_off(self) -> None:
        self.chip.power_off()

    def reset(self) -> bytes:
        return self.chip.reset()

    def transmit(self, command: bytes) -> bytes:
        """Data ‖ SW, of the reader or the chip."""
        if not reader_answers(command, contact=False):
            return self.chip.transmit(command)
        if not self.chip.snapshot().powered:
            raise PowerError("the card has no power: call power_on() first")
        data = self._data.get(command[2:4])
        if data is None:
            return NOT_SUPPORTED
        if len(command) != 5:
            return WRONG_LENGTH
        le = command[4] or len(data)
        if le < len(data):
            return wrong_le(len(data))
        return data + (OK if le == len(data) else LESS_THAN_LE.to_bytes(2, "big"))
