"""Data types of the card: cn (BCD), an (text), the PIN, TLV (LD/T 32.6)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.pickling import PortableError

_TWO_DIGITS: Final = bytes(high << 4 | low for high in range(10) for low in range(10))
"""The bytes of two decimal digits."""
_LAST_DIGITS: Final = bytes(high << 4 | 0xF for high in range(10))
"""The last bytes of an odd number of digits."""
PIN_MIN_DIGITS: Final = 4
PIN_MAX_DIGITS: Final = 16


class InvalidPin(PortableError, ValueError):
    """Digits that are not a PIN; ``said`` is the reason as a phrase, without the digits."""

    def __init__(self, said: Phrase) -> None:
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return self.said.text.format(**self.said.values)


def encode_cn(digits: str, length: int) -> bytes:
    """Digits as BCD, left-aligned, filled with F nibbles to ``length`` bytes; an empty field was never written."""
    if digits and not (digits.isascii() and digits.isdigit()):
        raise ValueError("cn takes decimal digits only")
    if len(digits) > 2 * length:
        raise ValueError(f"cn of {length} bytes takes {2 * length} digits, got {len(digits)}")
    return bytes.fromhex(digits.ljust(2 * length, "F"))


def decode_cn(data: bytes) -> str:
    """The digits of a cn field, without its F padding."""
    return data.hex().upper().rstrip("F")


def encode_an(text: str, length: int, padding: int = 0) -> bytes:
    """Text in GBK (ASCII one byte, Chinese two), filled with the padding byte to ``length`` bytes."""
    raw = text.encode("gbk")
    if len(raw) > length:
        raise ValueError(f"an of {length} bytes cannot hold {len(raw)} bytes of text")
    return raw.ljust(length, bytes((padding,)))


def decode_an(data: bytes) -> str:
    """The text of an an field, without its padding, 00 or blanks [OC-22]."""
    return data.rstrip(b"\x00 ").decode("gbk", errors="replace")


def decode_name(*fields: bytes) -> str:
    """The name in items 09 and 4E, without its padding.

    The specification prescribes 00 (generation 1.0: blanks), but some cards
    fill a short name with the digit 0 [OC-22]. Zeros count as padding only at
    the end of a field without 00 or blank; a name whose own zeros end such a
    field is read without them.
    """
    return "".join(decode_an(each if each.endswith((b"\x00", b" ")) else each.rstrip(b"0")) for each in fields)


def encode_pin(digits: str) -> bytes:
    """A PIN (个人密码) of 4–16 digits as cn, 2–8 bytes, odd counts padded with F.

    The empty string is the empty PIN, 0 bytes. ``12345`` becomes ``12 34 5F``.
    The error names the rule and never the digits.
    """
    if not digits:
        return b""
    if not digits.isascii() or not digits.isdigit():
        raise InvalidPin(Phrase("a PIN has decimal digits only"))
    if not PIN_MIN_DIGITS <= len(digits) <= PIN_MAX_DIGITS:
        raise InvalidPin(
            Phrase(
                "a PIN has {least} to {most} digits, got {count}",
                least=PIN_MIN_DIGITS,
                most=PIN_MAX_DIGITS,
                count=len(digits),
            )
        )
    return encode_cn(digits, (len(digits) + 1) // 2)


def encode_given_pin(pin: str) -> bytes:
    """A PIN of 4–16 digits as cn; an empty PIN is refused."""
    if not pin:
        raise InvalidPin(Phrase("a PIN has 4 to 16 digits, got none"))
    return encode_pin(pin)


def digits_in(pin: bytes) -> int:
    """Number of digits in a PIN of 2–8 bytes; 0 if it is not cn (F only as the last nibble) [OC-19]."""
    if not 2 <= len(pin) <= 8:
        return 0
    rest = pin.lstrip(_TWO_DIGITS)
    if not rest:
        return 2 * len(pin)
    return 2 * len(pin) - 1 if len(rest) == 1 and rest in _LAST_DIGITS else 0


def tlv(tag: int, value: bytes) -> bytes:
    """One TLV of the card's records and FCI: tag of 1 or 2 bytes, length 1 byte."""
    head = bytes((tag,)) if tag < 0x100 else tag.to_bytes(2, "big")
    return head + bytes((len(value),)) + value


def records(data: bytes) -> Iterator[bytes]:
    """Split concatenated TLV records (tag and length 1 byte each) into complete records."""
    start = 0
    while start + 2 <= len(data):
        end = start + 2 + data[start + 1]
        yield data[start:end]
        start = end
