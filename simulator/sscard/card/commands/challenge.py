"""GET CHALLENGE (获取随机数), LD/T 32.5, card-commands.md §1.6."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import CHALLENGE, LOCKABLE, NO_PARAMETERS
from sscard.card.session import Session
from sscard.chip.answers import OK, WRONG_LENGTH
from sscard.chip.command import Command, Field
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import SM4
from sscard.standard.tree import Layout


def get_challenge(session: Session) -> bytes:
    """Answer Le randoms (4, 8, under SM4 also 16) and keep them for one use."""
    le = session.le
    suite = SM4 if session.df.certificates else session.profile.suite
    if le not in suite.challenge_lengths:
        return WRONG_LENGTH
    return session.give_challenge(le) + OK


def _words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    return Phrase.plural("{count} byte", "{count} bytes", count=le)


GET_CHALLENGE: Final = Command(
    "GET CHALLENGE",
    "获取随机数",
    "card-commands.md §1.6",
    (0x00,),
    0x84,
    get_challenge,
    {
        **LOCKABLE,
        SW.OK: Phrase("random, valid once within the current application"),
        SW.WRONG_LENGTH: Phrase("Le is not 04, 08 or, with SM4, 10"),
    },
    parameters=NO_PARAMETERS,
    answer=(Field(Words("random; 16 bytes with SM4 only", "随机数；16字节仅限SM4"), (4, 8, 16)),),
    choices=("challenge_lasts",),
    example=(CHALLENGE,),
    words=_words,
    gives_challenge=True,
    random_answer=slice(None),
)
