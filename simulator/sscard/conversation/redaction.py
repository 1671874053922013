"""The secret bytes of a command, determined by the command's declaration, never by their values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sscard.card.commands import COMMANDS
from sscard.conversation.explain import find_declaration
from sscard.psam import PSAM_COMMANDS

MASK: Final = "**"
DATA: Final = 5
"""Index of the data in a command, after CLA INS P1 P2 Lc."""
PIN_INS: Final = frozenset((0x20, 0x21, 0x24, 0x25, 0x26, 0x28, 0x2C))
"""Commands of other cards that carry PINs or PUKs (ISO 7816-4)."""
_SECRET_INS: Final = PIN_INS.union(
    (command.ins for command in COMMANDS if command.secret is not None),
    (command.ins for command in PSAM_COMMANDS if command.secret is not None),
)


def redact(command: bytes) -> str:
    """A command in hex, header and length separated, with its secret bytes masked."""
    places = secret_places(command)
    shown = [MASK if place in places else f"{byte:02X}" for place, byte in enumerate(command)]
    return f"{''.join(shown[:DATA])} {''.join(shown[DATA:])}".strip()


def secret_places(command: bytes) -> Sequence[int]:
    """The indexes of a command's secret bytes.

    For a declared command these are the bytes of its ``secret``. If the length
    does not fit, or the CLA is that of another card, the meaning of the bytes is
    unknown: all of them are hidden, and the length byte too if it may be data.
    """
    length = len(command)
    if length <= DATA:
        return ()
    declared = find_declaration(command)
    secret = declared.secret if declared else slice(None) if command[1] in _SECRET_INS else None
    if secret is None:
        return ()
    follows = length - DATA
    if declared is not None and command[4] == follows:
        return range(DATA, length)[secret]
    return range(DATA if command[4] in (follows, follows - 1) else DATA - 1, length)


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
