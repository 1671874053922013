"""Secure messaging (命令带MAC): the session key of a challenge and the MAC of a command (card-security.md §4, §6)."""

from __future__ import annotations

from sscard.card.session import Session
from sscard.standard.cipher import MAC_LENGTH, BlockKey, equal


def session_key(session: Session, stk: int) -> BlockKey:
    """The session key of a STK (by index) over the challenge the card gave last."""
    suite = session.profile.suite
    return suite.session_key(suite.key(session.profile.key(stk)), session.challenge)


def mac_is_right(session: Session, key: BlockKey, header: bytes) -> bool:
    """Whether the command's data ‖ MAC(4) under its header (CLA INS P1 P2) carry the right MAC; Lc counts the MAC."""
    data = session.data
    message = header + bytes((len(data),)) + data[:-MAC_LENGTH]
    return equal(session.profile.suite.mac(key, message), data[-MAC_LENGTH:])
