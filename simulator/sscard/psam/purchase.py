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
from sscard.chip.command import Command
from sscard.psam.keys import KeyType
from sscard.psam.layout import TERMINAL_INFO, TERMINAL_SEQUENCE
from sscard.psam.session import PsamSession, Purchase
from sscard.psam.sessionkey import card_key
from sscard.standard.apdu import SW
from sscard.standard.cipher import FACTOR_LENGTH, MAC_LENGTH, equal

KEY_VERSION, ALGORITHM = 26, 27
FACTORS: Final = 28
MAX_SEQUENCE: Final = 0xFFFF_FFFF


def init_sam_for_purchase(session: PsamSession) -> bytes:
    """Random(4) ‖ count(2) ‖ amounts(12) ‖ type ‖ time(7) ‖ key version ‖ algorithm ‖ factors → sequence(4) ‖ MAC1(4).

    The terminal sequence is stepped in the memory before it is told, so that
    no cut of the power lets it come twice.
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
    if len(data) != FACTORS + record.levels * FACTOR_LENGTH:
        return WRONG_LENGTH
    sequence = session.content(TERMINAL_SEQUENCE)
    following = int.from_bytes(sequence, "big") + 1
    if following > MAX_SEQUENCE:
        return CONDITIONS_NOT_SATISFIED
    session.memory.put_string(session.file_cell(TERMINAL_SEQUENCE), following.to_bytes(4, "big"))
    root = card_key(suite, record, data[FACTORS:])
    random_and_count, amounts, kind, time = data[:6], data[6:18], data[18:19], data[19:26]
    key = suite.session_key(root, random_and_count + sequence[2:])
    session.process = Purchase(suite.mac(key, amounts))
    terminal = session.content(TERMINAL_INFO)
    return sequence + suite.mac(key, amounts + kind + terminal + time) + OK


def credit_sam_for_purchase(session: PsamSession) -> bytes:
    """Check the card's MAC2(4); right or wrong, the purchase is over."""
    if not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    purchase = session.process
    if not isinstance(purchase, Purchase):
        return WRONG_STATE
    session.process = None
    return OK if equal(session.data, purchase.mac2) else WRONG_MAC


_COMMON: Final = (
    SW.OK,
    SW.WRONG_LENGTH,
    SW.CONDITIONS_NOT_SATISFIED,
    SW.NOT_SUPPORTED,
    SW.WRONG_P1P2,
    SW.UNKNOWN_INS,
    SW.UNKNOWN_CLA,
)
INIT_SAM_FOR_PURCHASE: Final = Command(
    "INIT SAM FOR PURCHASE",
    "医疗消费初始化",
    "8",
    (0x80,),
    0x70,
    init_sam_for_purchase,
    (*_COMMON, SW.MEMORY_FAILURE, SW.KEY_NOT_FOUND),
    p1p2=(0x0100,),
    lengths=range(FACTORS, FACTORS + 3 * FACTOR_LENGTH + 1, FACTOR_LENGTH),
    answers_data=True,
)
CREDIT_SAM_FOR_PURCHASE: Final = Command(
    "CREDIT SAM FOR PURCHASE",
    "医疗消费确认",
    "8",
    (0x80,),
    0x72,
    credit_sam_for_purchase,
    (*_COMMON, SW.WRONG_STATE, SW.WRONG_MAC),
    p1p2=(0x0000,),
    lengths=(MAC_LENGTH,),
)
