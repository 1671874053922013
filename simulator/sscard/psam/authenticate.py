"""The PSAM's own state and keys: GET CHALLENGE, INITIALIZE ENVIRONMENT, EXTERNAL AUTHENTICATION (driver-api.md §8)."""

from __future__ import annotations

from typing import Final

from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    KEY_NOT_FOUND,
    METHOD_BLOCKED,
    OK,
    SECURITY_NOT_SATISFIED,
    WRONG_DATA,
    WRONG_LENGTH,
    answer,
)
from sscard.chip.command import Command
from sscard.psam.layout import MAIN_KEY, tries_cell
from sscard.psam.session import PsamSession
from sscard.standard.apdu import SW
from sscard.standard.cipher import AUTHENTICATION_LENGTH, equal

NO_CHALLENGE: Final = answer(SW.NO_CHALLENGE)
DES_PLACE: Final = 0
SSF33_PROVINCE: Final = "11"
ONLY_VERSION: Final = b"\x01"


def get_challenge(session: PsamSession) -> bytes:
    """Answer Le randoms: 4 or 8, under blocks of 16 also 16. They are valid once, in the current DF."""
    le = session.le
    if le not in session.suite.challenge_lengths:
        return WRONG_LENGTH
    session.challenge = session.random(le)
    session.attentive = True
    return session.challenge + OK


def initialize_environment(session: PsamSession) -> bytes:
    """Enter the application that a card without an algorithm tag needs, by the first byte of its identification code.

    The rule is that of card-security.md §3: province 11 is SSF33, which this PSAM
    lacks, any other DES. What the command does is inferred.
    """
    province = session.data.hex()
    if not province.isdecimal() or province[0] == "0":
        return WRONG_DATA
    if province == SSF33_PROVINCE:
        return CONDITIONS_NOT_SATISFIED
    session.enter(DES_PLACE, application=True)
    return OK


def external_authentication(session: PsamSession) -> bytes:
    """Check authentication data(8) ‖ original data(8) [‖ version(1)] of an own key; a failure costs it a try."""
    p2 = session.p2
    data = session.data
    value = session.own_key(p2)
    if value is None or data[16:] not in (b"", ONLY_VERSION):
        return KEY_NOT_FOUND
    if p2 != MAIN_KEY and not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    memory = session.memory
    counter = tries_cell(session.environment, p2)
    tries = memory.numbers[counter]
    if tries == 0:
        return METHOD_BLOCKED
    if not session.challenge:
        return NO_CHALLENGE
    memory.put_number(counter, tries - 1)
    suite = session.suite
    expected = suite.authenticate(suite.key(value), session.challenge, data[AUTHENTICATION_LENGTH:16])
    if not equal(expected, data[:AUTHENTICATION_LENGTH]):
        session.authenticated -= {p2}
        return SECURITY_NOT_SATISFIED
    memory.put_number(counter, session.profile.key_tries)
    session.authenticated |= {p2}
    return OK


def right_refusal(session: PsamSession, number: int) -> bytes:
    """Why a right that needs an own key is refused, empty where it is not."""
    if number in session.authenticated:
        return b""
    blocked = session.memory.numbers[tries_cell(session.environment, number)] == 0
    return METHOD_BLOCKED if blocked else SECURITY_NOT_SATISFIED


GET_CHALLENGE: Final = Command(
    "GET CHALLENGE",
    "获取随机数",
    "8",
    (0x00,),
    0x84,
    get_challenge,
    (SW.OK, SW.WRONG_LENGTH, SW.NOT_SUPPORTED, SW.WRONG_P1P2),
    p1p2=(0x0000,),
    gives_challenge=True,
)
INITIALIZE_ENVIRONMENT: Final = Command(
    "INITIALIZE ENVIRONMENT",
    "环境初始化",
    "8",
    (0xBF,),
    0xEC,
    initialize_environment,
    (SW.OK, SW.WRONG_LENGTH, SW.CONDITIONS_NOT_SATISFIED, SW.WRONG_DATA, SW.NOT_SUPPORTED, SW.WRONG_P1P2),
    p1p2=(0x0000,),
    lengths=(0x01,),
)
EXTERNAL_AUTHENTICATION: Final = Command(
    "EXTERNAL AUTHENTICATION",
    "外部鉴别",
    "8",
    (0x00,),
    0x82,
    external_authentication,
    (
        SW.OK,
        SW.MEMORY_FAILURE,
        SW.WRONG_LENGTH,
        SW.SECURITY_NOT_SATISFIED,
        SW.METHOD_BLOCKED,
        SW.NO_CHALLENGE,
        SW.CONDITIONS_NOT_SATISFIED,
        SW.NOT_SUPPORTED,
        SW.WRONG_P1P2,
        SW.KEY_NOT_FOUND,
    ),
    p1p2=range(0x100),
    lengths=(0x10, 0x11),
    spends_challenge=True,
)
