"""The ATR (复位应答) of card and PSAM (ISO/IEC 7816-3 §8.2; card-files.md §2)."""

from __future__ import annotations

from typing import Final

HISTORICAL_LENGTH: Final = 13
"""Historical bytes: chip maker(2) ‖ COS(3) ‖ card serial(8)."""
SERIAL_LENGTH: Final = 8


def contact_atr(historical: bytes) -> bytes:
    """ATR of the contact interface, 17 bytes: T=0, direct convention, no check byte."""
    return b"\x3b\x6d\x00\x00" + historical


def contactless_atr(historical: bytes) -> bytes:
    """ATR that a PC/SC reader builds from the ATS, 18 bytes: the same historical bytes, then TCK."""
    body = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
    return b"\x3b" + body + bytes((check_byte(body),))


def check_byte(data: bytes) -> int:
    """The XOR of all bytes: TCK over the bytes between TS and TCK, 0 over these bytes with TCK."""
    result = 0
    for byte in data:
        result ^= byte
    return result


def historical_bytes(atr: bytes) -> bytes:
    """The historical bytes of an ATR, contact or contactless; ``IndexError`` if the ATR is too short."""
    count = atr[1] & 0x0F
    present = atr[1] >> 4
    place = 2
    while True:
        place += (present & 0b0111).bit_count()
        if not present & 0b1000:
            return atr[place : place + count]
        present = atr[place] >> 4
        place += 1
