"""The answers without data as bytes: a command returns one of these, or data ‖ ``OK``."""

from __future__ import annotations

from typing import Final

from sscard.standard.apdu import SW


def answer(sw: int) -> bytes:
    """The two bytes of a status word."""
    return bytes((sw >> 8, sw & 0xFF))


def wrong_le(right: int) -> bytes:
    """``6Cxx``: the Le to ask for, 256 written as 00."""
    return bytes((0x6C, right & 0xFF))


TRIES: Final = [answer(SW.TRIES_LEFT | tries) for tries in range(16)]
"""``63Cx`` by tries left."""
MORE_DATA: Final = [answer(SW.MORE_DATA | count & 0xFF) for count in range(257)]
"""``61xx`` by the number of waiting bytes, 256 written as 00."""

OK: Final = answer(SW.OK)
MEMORY_FAILURE: Final = answer(SW.MEMORY_FAILURE)
WRONG_LENGTH: Final = answer(SW.WRONG_LENGTH)
WRONG_STATE: Final = answer(SW.WRONG_STATE)
WRONG_FILE_STRUCTURE: Final = answer(SW.WRONG_FILE_STRUCTURE)
SECURITY_NOT_SATISFIED: Final = answer(SW.SECURITY_NOT_SATISFIED)
METHOD_BLOCKED: Final = answer(SW.METHOD_BLOCKED)
CONDITIONS_NOT_SATISFIED: Final = answer(SW.CONDITIONS_NOT_SATISFIED)
NO_CURRENT_EF: Final = answer(SW.NO_CURRENT_EF)
MAC_MISSING: Final = answer(SW.MAC_MISSING)
WRONG_SECURE_MESSAGE: Final = answer(SW.WRONG_SECURE_MESSAGE)
WRONG_DATA: Final = answer(SW.WRONG_DATA)
NOT_SUPPORTED: Final = answer(SW.NOT_SUPPORTED)
FILE_NOT_FOUND: Final = answer(SW.FILE_NOT_FOUND)
RECORD_NOT_FOUND: Final = answer(SW.RECORD_NOT_FOUND)
FILE_FULL: Final = answer(SW.FILE_FULL)
LC_NOT_TLV: Final = answer(SW.LC_NOT_TLV)
WRONG_P1P2: Final = answer(SW.WRONG_P1P2)
KEY_NOT_FOUND: Final = answer(SW.KEY_NOT_FOUND)
OFFSET_OUTSIDE: Final = answer(SW.OFFSET_OUTSIDE)
UNKNOWN_CLA: Final = answer(SW.UNKNOWN_CLA)
NO_DATA_PENDING: Final = answer(SW.NO_DATA_PENDING)
WRONG_MAC: Final = answer(SW.WRONG_MAC)
APPLICATION_BLOCKED: Final = answer(SW.APPLICATION_BLOCKED)
AMOUNT_INSUFFICIENT: Final = answer(SW.AMOUNT_INSUFFICIENT)
COUNTER_AT_MAXIMUM: Final = answer(SW.COUNTER_AT_MAXIMUM)
KEY_INDEX_UNKNOWN: Final = answer(SW.KEY_INDEX_UNKNOWN)
MAC_NOT_AVAILABLE: Final = answer(SW.MAC_NOT_AVAILABLE)
