"""GET RESPONSE (获取响应), LD/T 32.5, command sheet §1.14: data that T=0 keeps waiting."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declaration import Command
from sscard.card.session import Session
from sscard.chip.answers import NO_DATA_PENDING, OK, answer, wrong_le
from sscard.standard.apdu import SW


def get_response(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Answer up to Le bytes of the data the last command left."""
    waiting = session.pending
    if not waiting:
        return NO_DATA_PENDING
    if le == 0 or le > len(waiting):
        return wrong_le(len(waiting))
    session.pending = waiting[le:]
    if session.pending:
        return waiting[:le] + answer(SW.MORE_DATA | len(session.pending))
    return waiting + OK


GET_RESPONSE: Final = Command(
    "GET RESPONSE",
    "获取响应",
    "1.14",
    (0x00,),
    0xC0,
    get_response,
    (
        SW.OK,
        SW.MORE_DATA,
        SW.WRONG_LENGTH,
        SW.NOT_SUPPORTED,
        SW.WRONG_P1P2,
        SW.WRONG_LE,
        SW.UNKNOWN_CLA,
        SW.NO_DATA_PENDING,
        SW.APPLICATION_BLOCKED,
    ),
    p1p2=(0x0000,),
)
