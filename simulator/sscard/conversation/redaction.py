"""The secret bytes of a command, determined by the command's declaration, never by their values."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Final

from sscard.card.commands import DECLARED
from sscard.conversation.explain import find_declaration

MASK: Final = "**"
BLANK: Final = b"\xff"
"""A secret byte in what is kept of a command."""
LC, DATA = 4, 5
"""Indexes of the length byte and the data in a command, after CLA INS P1 P2."""
NOWHERE: Final = range(0)
PIN_INS: Final = frozenset((0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2C))
"""Commands of other cards that carry PINs or PUKs (ISO 7816-4)."""
PSAM_INS: Final = frozenset((0xD4, 0xFA))
"""Commands of a PSAM with secrets; importing their declarations would take longer than a card to answer."""
CERTIFICATE_INS: Final = frozenset((0x4A, 0xC2, 0xC4))
"""Commands of the certificate application, which the stub does not know: load a key, store one, hash a PIN."""
_SECRET_INS: Final = PIN_INS.union(
    PSAM_INS, CERTIFICATE_INS, (command.ins for command in DECLARED if command.secret is not None)
)


def redact(command: bytes) -> str:
    """A command in hex, header and length separated, with its secret bytes masked."""
    return masked(command, secret_places(command))


def masked(command: bytes, hidden: Collection[int]) -> str:
    """A command in hex, header and length separated, with the bytes at these indexes masked."""
    if not hidden:
        return f"{command[:DATA].hex()} {command[DATA:].hex()}".strip().upper()
    shown = [MASK if place in hidden else f"{byte:02X}" for place, byte in enumerate(command)]
    return f"{''.join(shown[:DATA])} {''.join(shown[DATA:])}".strip()


def blank(command: bytes, hidden: range) -> bytes:
    """A command without the bytes at these indexes: each is ``FF``.

    A hidden length byte then counts more than the data, whatever it was.
    """
    return command[: hidden.start] + BLANK * len(hidden) + command[hidden.stop :]


def secret_places(command: bytes) -> range:
    """The indexes of a command's secret bytes.

    For a declared command these are the bytes of its ``secret``. If the length
    does not fit, or the CLA is that of another card, the meaning of the bytes is
    unknown: all of them are hidden, and the length byte too if it may be data.
    """
    length = len(command)
    if length <= DATA or command[1] not in _SECRET_INS:
        return NOWHERE
    return _places(command[:DATA], length)


@lru_cache(maxsize=1024)
def _places(header: bytes, length: int) -> range:
    declared = find_declaration(header)
    secret = declared.secret if declared else slice(None)
    if secret is None:
        return NOWHERE
    follows = length - DATA
    if declared is not None and header[LC] == follows:
        return range(DATA, length)[secret]
    return range(DATA if header[LC] in (follows, follows - 1) else LC, length)


def pins_in(command: bytes) -> tuple[bytes, ...]:
    """The plaintext PINs in a well-formed command; an absent PIN is empty."""
    declared = find_declaration(command)
    if declared is None or declared.pins is None or len(command) <= DATA or command[4] != len(command) - DATA:
        return ()
    data = command[DATA:]
    if not declared.pins:
        return (data,)
    old, separator, new = data.partition(declared.pins)
    return (old, new) if separator else ()
