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
from sscard.chip.command import EVERY_COMMAND, Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.psam.declared import CHALLENGE, NO_CHALLENGE, NO_PARAMETERS, OPEN, PROVE_NATIONAL, SHEET
from sscard.psam.layout import MAIN_KEY, tries_cell
from sscard.psam.session import PsamSession
from sscard.standard.apdu import SW
from sscard.standard.cipher import AUTHENTICATION_LENGTH, equal

WITHOUT_CHALLENGE: Final = answer(SW.NO_CHALLENGE)
DES_PLACE: Final = 0
SSF33_PROVINCE: Final = "11"
ONLY_VERSION: Final = b"\x01"


def get_challenge(session: PsamSession) -> bytes:
    """Answer Le random bytes: 4 or 8, with blocks of 16 also 16. They are valid once, in the current DF."""
    le = session.le
    if le not in session.suite.challenge_lengths:
        return WRONG_LENGTH
    return session.give_challenge(le) + OK


def initialize_environment(session: PsamSession) -> bytes:
    """Select the application for a card without an algorithm tag by the first byte of its identification code.

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
    """Check authentication data(8) ‖ original data(8) [‖ version(1)] of a PSAM key; a failure uses a try of the key."""
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
        return WITHOUT_CHALLENGE
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
    """The status word if a right that needs a PSAM key is refused, else empty."""
    if number in session.authenticated:
        return b""
    blocked = session.memory.numbers[tries_cell(session.environment, number)] == 0
    return METHOD_BLOCKED if blocked else SECURITY_NOT_SATISFIED


GET_CHALLENGE: Final = Command(
    "GET CHALLENGE",
    "获取随机数",
    SHEET,
    (0x00,),
    0x84,
    get_challenge,
    {
        **EVERY_COMMAND,
        SW.OK: Phrase("random, valid once within the current DF"),
        SW.WRONG_LENGTH: Phrase("Le is not 04, 08 or, with SM4, 10"),
    },
    parameters=NO_PARAMETERS,
    answer=(Field(Words("random; 16 bytes with SM4 only", "随机数；16字节仅限SM4"), (4, 8, 16)),),
    example=(CHALLENGE,),
    gives_challenge=True,
)
INITIALIZE_ENVIRONMENT: Final = Command(
    "INITIALIZE ENVIRONMENT",
    "环境初始化",
    SHEET,
    (0xBF,),
    0xEC,
    initialize_environment,
    {
        **EVERY_COMMAND,
        SW.OK: Phrase("the application of the environment for this card is the current DF"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase("the card needs SSF33, which this PSAM lacks"),
        SW.WRONG_DATA: Phrase("no province code"),
    },
    parameters=NO_PARAMETERS,
    data=(Field(Words("first byte of the identification code", "卡识别码首字节"), (1,), "cn"),),
    example=(Sent("BFEC000001 51"),),
)
EXTERNAL_AUTHENTICATION: Final = Command(
    "EXTERNAL AUTHENTICATION",
    "外部鉴别",
    SHEET,
    (0x00,),
    0x82,
    external_authentication,
    {
        **EVERY_COMMAND,
        SW.OK: Phrase("key proven until another DF is selected; its retry counter is at the limit"),
        SW.MEMORY_FAILURE: Phrase("memory failure; nothing is compared"),
        SW.SECURITY_NOT_SATISFIED: Phrase("authentication data wrong; a try of the key is used"),
        SW.METHOD_BLOCKED: Phrase("the key is blocked"),
        SW.NO_CHALLENGE: NO_CHALLENGE,
        SW.CONDITIONS_NOT_SATISFIED: Phrase("a key of the application, and DF01 is not the current DF"),
        SW.KEY_NOT_FOUND: Phrase("no such key or key version"),
    },
    parameters=(
        Parameter("00", "00", Phrase("DDF-MK, the main key of the environment")),
        Parameter("00", "01–03", Phrase("KID-01 to KID-03: writes the files of nation, province, city")),
    ),
    p1p2=range(0x100),
    data=(
        Field(Words("authentication data", "鉴别数据"), (8,)),
        Field(Words("original data", "原始数据"), (8,)),
        Field(Words("key version, may be absent", "密钥版本，可缺省"), (0, 1)),
    ),
    example=(*OPEN, *PROVE_NATIONAL),
    spends_challenge=True,
)
