"""VERIFY of the certificate application's own PINs, docs/standard/certificate-application.md §3, §5."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import LOCKABLE
from sscard.card.profile import certificate_limit
from sscard.card.session import Session
from sscard.chip.answers import METHOD_BLOCKED, OK, TRIES, answer
from sscard.chip.command import Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.certificates import (
    CRYPTOGRAM_LENGTH,
    PIN_BY_P1P2,
    VERIFY_ADMINISTRATOR,
    VERIFY_USER,
    cryptogram,
)
from sscard.standard.cipher import equal
from sscard.standard.tree import CertificatePin, Layout

USER: Final = Phrase("user PIN")
ADMINISTRATOR: Final = Phrase("administrator PIN")
NO_CHALLENGE: Final = answer(SW.NO_CHALLENGE)


def verify_certificate_pin(session: Session) -> bytes:
    """Check the cryptogram of the user or the administrator PIN over the card's challenge.

    The retry counter is decremented before the comparison and reset on success.
    """
    which = PIN_BY_P1P2[session.p1 << 8 | session.p2]
    memory, layout = session.memory, session.layout
    cell = layout.certificate_tries + which
    tries = memory.numbers[cell]
    if not tries:
        return METHOD_BLOCKED
    if not session.challenge:
        return NO_CHALLENGE
    memory.put_number(cell, tries - 1)
    if not equal(cryptogram(memory.strings[layout.certificate_pins + which], session.challenge), session.data):
        session.own_status &= ~(1 << which)
        return TRIES[tries - 1]
    memory.put_number(cell, certificate_limit(session.personality, which))
    session.own_status |= 1 << which
    return OK


def _words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    return USER if PIN_BY_P1P2[p1 << 8 | p2] == CertificatePin.USER else ADMINISTRATOR


VERIFY_CERTIFICATE_PIN: Final = Command(
    "VERIFY CERTIFICATE PIN",
    "校验证书应用密码",
    "certificate-application.md §3",
    (0x00,),
    0x20,
    verify_certificate_pin,
    {
        **LOCKABLE,
        SW.OK: Phrase("PIN right, and verified until power-off; its retry counter is at the limit"),
        SW.TRIES_LEFT: Phrase("cryptogram wrong, x tries of this PIN left"),
        SW.MEMORY_FAILURE: Phrase("memory failure; nothing is compared"),
        SW.METHOD_BLOCKED: Phrase("this PIN is blocked; the social PIN is another one"),
        SW.NO_CHALLENGE: Phrase("no challenge"),
        SW.WRONG_P1P2: Phrase("the certificate application is not the current one; no try is lost"),
    },
    parameters=(
        Parameter(VERIFY_USER >> 8, VERIFY_USER & 0xFF, USER),
        Parameter(VERIFY_ADMINISTRATOR >> 8, VERIFY_ADMINISTRATOR & 0xFF, ADMINISTRATOR),
    ),
    data=(
        Field(
            Words("SM4 of the challenge under the hash of the PIN", "以密码杂凑值为密钥对随机数作SM4的密文"),
            (CRYPTOGRAM_LENGTH,),
        ),
    ),
    choices=("certificate_user_tries", "certificate_administrator_tries", "challenge_lasts"),
    example=(
        Sent("00A404000C 504B492EC9E7BBE1B1A3D5CF", "6F10840C504B492EC9E7BBE1B1A3D5CFA5009000"),
        Sent("00A404000C 53532E434552542E41444631", "6F0E840C53532E434552542E414446319000"),
        Sent("0084000010", "XX" * 16 + "9000"),
        Sent("0020018110 {cryptogram 123456}"),
    ),
    words=_words,
    spends_challenge=True,
    # Not the PIN itself, but who has the challenge too can try all PINs of six digits in seconds.
    secret=slice(None),
)
