"""The ATR (复位应答) of card and PSAM (ISO/IEC 7816-3 §8.2; card-files.md §2)."""

from __future__ import annotations

from typing import Final

HISTORICAL_LENGTH: Final = 13
"""Historical bytes: chip maker(2) ‖ COS(3) ‖ card serial(8)."""
SERIAL_LENGTH: Final = 8


def contact_atr(historical: bytes) -> bytes:
    """ATR of the contact interface, 17 bytes: T=0, direct convention, no check byte."""
    return b"\x3b\x6d\x00\x00" + historical


def ats(historical: bytes) -> bytes:
    """ATS of the contactless interface, 18 bytes: TL T0 TA TB TC ‖ the same historical bytes (ISO/IEC 14443-4)."""
    interface = b"\x78\x80\xa0\x02"
    return bytes((1 + len(interface) + len(historical),)) + interface + historical


def contactless_atr(sent: bytes) -> bytes:
    """ATR that a PC/SC reader builds from an ATS (PC/SC part 3): its historical bytes, then TCK.

    They follow T0 and the TA, TB and TC that T0 announces.
    """
    historical = sent[2 + (sent[1] >> 4).bit_count() : sent[0]]
    body = bytes((0x80 | len(historical), 0x80, 0x01)) + historical
    return b"\x3b" + body + bytes((check_byte(body),))


def check_byte(data: bytes) -> int:
    """The XOR of all bytes: TCK over the bytes between TS and TCK, 0 over these bytes with TCK."""
    result = 0
    for byte in data:
        result ^= byte
    return result


def uid(historical: bytes, *, long: bool) -> bytes:
    """UID of the contactless interface, 4 bytes or (``long``) 7: the same at every insertion of a card.

    It is made from the serial. The first byte of the 4, and the fourth of the
    7, is neither 08 of a random UID nor 88, which is reserved (ISO/IEC 14443-3).
    """
    number = bytes((historical[-4] & 0xF7,)) + historical[-3:]
    return historical[1:2] + historical[-6:-4] + number if long else number


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
