"""APPLICATION BLOCK (应用锁定) and CARD BLOCK (卡片锁定), LD/T 32.5, card-commands.md §1.12–1.13; both permanent."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import (
    CHALLENGE,
    LOCKABLE,
    MAC,
    NO_CHALLENGE,
    NO_PARAMETERS,
    SELECT_SSSE,
    WRITE_FAILED,
    WRONG_MAC,
    proof,
)
from sscard.card.commands.secure import mac_is_right, session_key
from sscard.card.session import Session
from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    KEY_NOT_FOUND,
    OK,
    SECURITY_NOT_SATISFIED,
    WRONG_SECURE_MESSAGE,
    answer,
)
from sscard.chip.command import Command, Parameter, Sent
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW
from sscard.standard.tree import CARD_BLOCKED

BK_NUMBER: Final = 0x05
DF_STK_NUMBER: Final = 0x82


def application_block(session: Session) -> bytes:
    """Block the current application: requires its lock key (BK if it has none) and a MAC with its STK."""
    df = session.df
    if df.outside:
        return KEY_NOT_FOUND
    if df.ddf:
        return CONDITIONS_NOT_SATISFIED
    layout = session.layout
    own = [index for index, key in enumerate(layout.keys) if key.df == df.fid and key.name.startswith("LK")]
    lock = own[0] if own else _bk(session)
    refused = _refusal(session, lock, layout.key(df.fid, DF_STK_NUMBER), b"\x84\x1e\x00\x01")
    if refused:
        return refused
    session.memory.put_number(df.blocked_cell, 1)
    session.barred = session.block_of(df)
    return OK


def card_block(session: Session) -> bytes:
    """Block the card, in SSSE: requires BK and a MAC with STK."""
    if session.df.outside:
        return KEY_NOT_FOUND
    if session.df is not session.layout.ssse:
        return CONDITIONS_NOT_SATISFIED
    refused = _refusal(session, _bk(session), session.layout.stk, b"\x84\x16\x00\x00")
    if refused:
        return refused
    session.memory.put_number(CARD_BLOCKED, 1)
    session.barred = session.block_of(session.df)
    return OK


def _bk(session: Session) -> int | None:
    return session.layout.key(session.layout.ssse.fid, BK_NUMBER)


def _refusal(session: Session, lock: int | None, stk: int | None, header: bytes) -> bytes:
    """The status word if a block is refused, else empty; a failure does not block a key (LD/T 32.7 §13.1)."""
    if lock is None or stk is None:
        return KEY_NOT_FOUND
    if not session.status & 2 << lock:
        return SECURITY_NOT_SATISFIED
    if not session.challenge:
        return answer(session.personality.no_challenge)
    return b"" if mac_is_right(session, session_key(session, stk), header) else WRONG_SECURE_MESSAGE


_STATUSES: Final = {
    **LOCKABLE,
    SW.MEMORY_FAILURE: WRITE_FAILED,
    SW.NO_CHALLENGE: NO_CHALLENGE,
    SW.WRONG_SECURE_MESSAGE: WRONG_MAC,
    SW.KEY_NOT_FOUND: Phrase("the current DF has no such keys"),
}
APPLICATION_BLOCK: Final = Command(
    "APPLICATION BLOCK",
    "应用锁定",
    "card-commands.md §1.12",
    (0x84,),
    0x1E,
    application_block,
    {
        **_STATUSES,
        SW.OK: Phrase("the current application is locked permanently"),
        SW.SECURITY_NOT_SATISFIED: Phrase("the lock key of the application is not proven (BK if it has none)"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase("SSSE is not an application"),
    },
    parameters=(Parameter(0x00, 0x01, Phrase("lock permanently")),),
    data=(MAC,),
    choices=("no_challenge", "challenge_lasts"),
    example=(
        Sent("00A4000002 DF03", "6F088406D156000005029000"),
        *proof("LKDF03", 0x83),
        CHALLENGE,
        Sent("841E000104 {mac STKDF03}"),
    ),
    spends_challenge=True,
)
CARD_BLOCK: Final = Command(
    "CARD BLOCK",
    "卡片锁定",
    "card-commands.md §1.13",
    (0x84,),
    0x16,
    card_block,
    {
        **_STATUSES,
        SW.OK: Phrase("the card is locked permanently; it answers 6A81 only"),
        SW.SECURITY_NOT_SATISFIED: Phrase("BK is not proven"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase("SSSE is not the current DF"),
    },
    parameters=NO_PARAMETERS,
    data=(MAC,),
    choices=("no_challenge", "challenge_lasts", "card_block_reaches_financial"),
    example=(SELECT_SSSE, *proof("BK", 0x05), CHALLENGE, Sent("8416000004 {mac STK}"), Sent("0084000008", "6A81")),
    spends_challenge=True,
)
