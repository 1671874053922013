"""GET CHALLENGE (获取随机数), LD/T 32.5, card-commands.md §1.6."""

from __future__ import annotations

from typing import Final

from sscard.card.session import Session
from sscard.chip.answers import OK, WRONG_LENGTH
from sscard.chip.command import Command
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW
from sscard.standard.tree import Layout


def get_challenge(session: Session) -> bytes:
    """Answer Le randoms (4, 8, under SM4 also 16) and keep them for one use."""
    le = session.le
    if le not in session.profile.suite.challenge_lengths:
        return WRONG_LENGTH
    session.challenge = session.random(le)
    session.attentive = True
    return session.challenge + OK


def _words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    return Phrase("{length} bytes", length=le)


GET_CHALLENGE: Final = Command(
    "GET CHALLENGE",
    "获取随机数",
    "1.6",
    (0x00,),
    0x84,
    get_challenge,
    (SW.OK, SW.WRONG_LENGTH, SW.NOT_SUPPORTED, SW.WRONG_P1P2, SW.UNKNOWN_CLA, SW.APPLICATION_BLOCKED),
    p1p2=(0x0000,),
    words=_words,
    gives_challenge=True,
    random_answer=slice(None),
)
