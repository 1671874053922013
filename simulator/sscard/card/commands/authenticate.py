"""INTERNAL and EXTERNAL AUTHENTICATION (内部鉴别, 外部鉴别), LD/T 32.5, card-commands.md §1.7–1.8."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import (
    AUTHENTICATION_DATA,
    CHALLENGE,
    KEY_VERSION,
    LOCKABLE,
    NO_PARAMETERS,
    ORIGINAL_DATA,
    SELECT_SSSE,
    proof,
)
from sscard.card.session import Session
from sscard.chip.answers import KEY_NOT_FOUND, METHOD_BLOCKED, OK, TRIES, answer
from sscard.chip.command import Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import AUTHENTICATION_LENGTH, FACTOR_LENGTH, equal
from sscard.standard.tree import Layout, Purpose

LOCAL: Final = 0x80
"""Bit 7 of P2: the key belongs to the current DF, else to SSSE."""
UNKNOWN_VERSION: Final = -1
INTERNAL_KEY: Final = 0x00


def key_version(session: Session, versions: int, named: bytes) -> int:
    """The version (from 0) in 0 or 1 trailing bytes; ``UNKNOWN_VERSION`` if the card does not have it [OC-23]."""
    if not named:
        return 0 if session.personality.default_key_version == "lowest" else versions - 1
    return named[0] - 1 if 1 <= named[0] <= versions else UNKNOWN_VERSION


def external_authentication(session: Session) -> bytes:
    """Check authentication data(8) ‖ original data(8) [‖ version(1)] against the card's challenge.

    If the key has a retry counter, it is decremented before the comparison and reset on success.
    """
    p2 = session.p2
    data = session.data
    personality = session.personality
    if p2 == 0:
        return answer(personality.reserved_key)
    layout = session.layout
    if p2 & LOCAL:
        index = layout.key(session.df.fid, p2)
    else:  # SSSE's keys are not valid in the MF above it or in the financial DDF
        index = None if session.df.outside else layout.key(layout.ssse.fid, p2)
    if index is None or layout.keys[index].purpose != Purpose.EXTERNAL:
        return KEY_NOT_FOUND
    version = key_version(session, layout.keys[index].versions, data[16:])
    if version == UNKNOWN_VERSION:
        return answer(personality.unknown_key_version)
    counted = layout.keys[index].counted
    memory = session.memory
    counter = layout.counter(index, version) if counted else 0
    tries = memory.numbers[counter]
    if counted and tries == 0:
        return METHOD_BLOCKED
    if not session.challenge:
        return answer(personality.no_challenge_external)
    if counted:
        memory.put_number(counter, tries - 1)
    suite = session.profile.suite
    key = suite.key(session.profile.key(index, version))
    expected = suite.authenticate(key, session.challenge, data[AUTHENTICATION_LENGTH:16])
    if not equal(expected, data[:AUTHENTICATION_LENGTH]):
        if personality.failed_authentication_clears:
            session.status &= ~(2 << index)
        return TRIES[tries - 1] if counted else answer(personality.uncounted_failure)
    if counted:
        memory.put_number(counter, personality.key_tries)
    session.status |= 2 << index
    return OK


def internal_authentication(session: Session) -> bytes:
    """Prove the card: session key input(8) ‖ original data(8) [‖ version(1)] → authentication data(8)."""
    data = session.data
    index = session.layout.key(session.df.fid, INTERNAL_KEY)
    if index is None:
        return KEY_NOT_FOUND
    version = key_version(session, session.layout.keys[index].versions, data[16:])
    if version == UNKNOWN_VERSION:
        return answer(session.personality.unknown_key_version)
    suite = session.profile.suite
    key = suite.key(session.profile.key(index, version))
    return suite.authenticate(key, data[:FACTOR_LENGTH], data[FACTOR_LENGTH:16]) + OK


def _internal_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if len(data) > 16:
        return Phrase("the card proves IRK, version {version}", version=data[16])
    return Phrase("the card proves IRK")


def _external_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    names: str | Words = " / ".join(key.name for key in layout.keys if key.number == p2)
    names = names or Words("unknown", "未知")
    if len(data) > 16:
        return Phrase("prove key {number:02X} ({names}), version {version}", number=p2, names=names, version=data[16])
    return Phrase("prove key {number:02X} ({names})", number=p2, names=names)


_VERSION_CHOICES: Final = ("default_key_version", "unknown_key_version")

INTERNAL_AUTHENTICATION: Final = Command(
    "INTERNAL AUTHENTICATION",
    "内部鉴别",
    "card-commands.md §1.7",
    (0x00,),
    0x88,
    internal_authentication,
    {
        **LOCKABLE,
        SW.OK: Phrase("authentication data computed with IRK"),
        SW.KEY_NOT_FOUND: Phrase("no IRK in the current DF, or not this version of it"),
    },
    parameters=NO_PARAMETERS,
    data=(Field(Words("session key input", "过程因子"), (FACTOR_LENGTH,)), ORIGINAL_DATA, KEY_VERSION),
    answer=(AUTHENTICATION_DATA,),
    choices=_VERSION_CHOICES,
    example=(SELECT_SSSE, Sent("0088000010 1122334455667788 0102030405060708", "XX" * 8 + "9000")),
    words=_internal_words,
)
EXTERNAL_AUTHENTICATION: Final = Command(
    "EXTERNAL AUTHENTICATION",
    "外部鉴别",
    "card-commands.md §1.8",
    (0x00,),
    0x82,
    external_authentication,
    {
        **LOCKABLE,
        SW.OK: Phrase("key proven until power-off or the selection of another DF; its retry counter is at the limit"),
        SW.TRIES_LEFT: Phrase("authentication data wrong, x tries of the key left; 63CF: the key has no retry counter"),
        SW.MEMORY_FAILURE: Phrase("memory failure; nothing is compared"),
        SW.METHOD_BLOCKED: Phrase("the key is blocked"),
        SW.NO_CHALLENGE: Phrase("no challenge"),
        SW.KEY_NOT_FOUND: Phrase("no such key or key version"),
    },
    parameters=(
        Parameter("00", "0kkkkkkk", Phrase("key kkkkkkk of SSSE: 04 UKMF or UKSSSE, 05 BK, 06 PUK, 0A RKSSSE")),
        Parameter("00", "1kkkkkkk", Phrase("key kkkkkkk of the current DF, from 83")),
    ),
    p1p2=range(0x100),
    data=(AUTHENTICATION_DATA, ORIGINAL_DATA, KEY_VERSION),
    choices=(
        "key_tries",
        "uncounted_failure",
        "failed_authentication_clears",
        "challenge_lasts",
        *_VERSION_CHOICES,
        "no_challenge_external",
        "reserved_key",
    ),
    example=(SELECT_SSSE, *proof("PUK", 0x06), CHALLENGE, Sent("0082000610 0000000000000000 0102030405060708", "63C2")),
    spends_challenge=True,
    words=_external_words,
)
