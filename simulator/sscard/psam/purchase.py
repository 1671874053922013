"""INIT SAM FOR PURCHASE and CREDIT SAM FOR PURCHASE (医疗消费), driver-api.md §8 and card-commands.md §3.3."""

from __future__ import annotations

from typing import Final

from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    KEY_NOT_FOUND,
    NOT_SUPPORTED,
    OK,
    WRONG_LENGTH,
    WRONG_MAC,
    WRONG_STATE,
)
from sscard.chip.command import Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.psam.declared import FACTORS, IN_APPLICATION, NO_PARAMETERS, OPEN, SHEET, WRITE_FAILED
from sscard.psam.keys import KeyType
from sscard.psam.layout import TERMINAL_INFO, TERMINAL_SEQUENCE
from sscard.psam.session import PsamSession, Purchase
from sscard.psam.sessionkey import card_key
from sscard.standard.apdu import SW
from sscard.standard.cipher import FACTOR_LENGTH, MAC_LENGTH, equal

KEY_VERSION, ALGORITHM = 26, 27
HEAD: Final = 28
MAX_SEQUENCE: Final = 0xFFFF_FFFF


def init_sam_for_purchase(session: PsamSession) -> bytes:
    """Random(4) ‖ count(2) ‖ amounts(12) ‖ type ‖ time(7) ‖ key version ‖ algorithm ‖ factors → sequence(4) ‖ MAC1(4).

    The terminal sequence is incremented in the memory before it is returned, so
    that it is never used twice, even after a power cut.
    """
    data = session.data
    if not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    session.process = None
    suite = session.suite
    if data[ALGORITHM] != suite.algorithm_id:
        return NOT_SUPPORTED
    record = session.find_key(KeyType.PURCHASE, data[KEY_VERSION])
    if record is None:
        return KEY_NOT_FOUND
    if len(data) != HEAD + record.levels * FACTOR_LENGTH:
        return WRONG_LENGTH
    sequence = session.content(TERMINAL_SEQUENCE)
    following = int.from_bytes(sequence, "big") + 1
    if following > MAX_SEQUENCE:
        return CONDITIONS_NOT_SATISFIED
    session.memory.put_string(session.file_cell(TERMINAL_SEQUENCE), following.to_bytes(4, "big"))
    root = card_key(suite, record, data[HEAD:])
    random_and_count, amounts, kind, time = data[:6], data[6:18], data[18:19], data[19:26]
    key = suite.session_key(root, random_and_count + sequence[2:])
    session.process = Purchase(suite.mac(key, amounts))
    terminal = session.content(TERMINAL_INFO)
    return sequence + suite.mac(key, amounts + kind + terminal + time) + OK


def credit_sam_for_purchase(session: PsamSession) -> bytes:
    """Check the card's MAC2(4); the purchase ends also if it is wrong."""
    if not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    purchase = session.process
    if not isinstance(purchase, Purchase):
        return WRONG_STATE
    session.process = None
    return OK if equal(session.data, purchase.mac2) else WRONG_MAC


_SEQUENCE: Final = Field(Words("terminal sequence number", "终端交易序号"), (4,))
_BEGIN: Final = Sent(
    "8070010024 A1A2A3A4 0007 000003E8 000000C8 00000064 02 20250101123000 01 03 8649510100000001",
    "00000001XXXXXXXX9000",
)
INIT_SAM_FOR_PURCHASE: Final = Command(
    "INIT SAM FOR PURCHASE",
    "医疗消费初始化",
    SHEET,
    (0x80,),
    0x70,
    init_sam_for_purchase,
    {
        **IN_APPLICATION,
        SW.OK: Phrase("purchase begun; CREDIT SAM FOR PURCHASE completes it"),
        SW.MEMORY_FAILURE: WRITE_FAILED,
        SW.WRONG_LENGTH: Phrase("the number of factors does not fit the key"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase(
            "DF01 is not the current DF, or the terminal sequence number is at its maximum"
        ),
        SW.NOT_SUPPORTED: Phrase("the PSAM is locked, or the algorithm is not that of the environment"),
        SW.KEY_NOT_FOUND: Phrase("no purchase key of this version"),
    },
    parameters=(Parameter(0x01, 0x00),),
    data=(
        Field(Words("random of the card", "卡片随机数"), (4,)),
        Field(Words("card sequence number", "卡片交易序号"), (2,)),
        Field(Words("account amount in fen", "个人账户金额（分）"), (4,)),
        Field(Words("self-paid amount in fen", "个人自付金额（分）"), (4,)),
        Field(Words("pool fund amount in fen", "统筹基金支付金额（分）"), (4,)),
        Field(Words("transaction type", "交易类型"), (1,)),
        Field(Words("terminal time", "终端时间"), (7,), "cn"),
        Field(Words("key version", "密钥版本"), (1,)),
        Field(Words("algorithm identifier", "算法标识"), (1,)),
        FACTORS,
    ),
    answer=(_SEQUENCE, Field(Words("MAC1", "MAC1"), (4,))),
    example=(*OPEN, _BEGIN),
)
CREDIT_SAM_FOR_PURCHASE: Final = Command(
    "CREDIT SAM FOR PURCHASE",
    "医疗消费确认",
    SHEET,
    (0x80,),
    0x72,
    credit_sam_for_purchase,
    {
        **IN_APPLICATION,
        SW.OK: Phrase("MAC2 right; the purchase is over"),
        SW.WRONG_STATE: Phrase("no purchase is begun"),
        SW.WRONG_MAC: Phrase("MAC2 wrong; the purchase is over"),
    },
    parameters=NO_PARAMETERS,
    data=(Field(Words("MAC2", "MAC2"), (MAC_LENGTH,)),),
    example=(*OPEN, _BEGIN, Sent("8072000004 {MAC2}")),
)
