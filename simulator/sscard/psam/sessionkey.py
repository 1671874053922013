"""DELIVERY SESSION KEY (过程密钥分散) and CIPHER DATA (数据加密), driver-api.md §8."""

from __future__ import annotations

from typing import Final

from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    KEY_NOT_FOUND,
    NOT_SUPPORTED,
    OK,
    WRONG_DATA,
    WRONG_LENGTH,
    WRONG_P1P2,
    WRONG_STATE,
)
from sscard.chip.command import EVERY_COMMAND, Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.psam.authenticate import right_refusal
from sscard.psam.chaining import chain
from sscard.psam.declared import DELIVER, FACTORS, IN_APPLICATION, OPEN, SHEET
from sscard.psam.keys import LEVELS_SHIFT, MAX_LEVELS, TYPE_MASK, KeyRecord, KeyType
from sscard.psam.session import Delivery, PsamSession
from sscard.standard.apdu import SW
from sscard.standard.cipher import FACTOR_LENGTH, BlockKey, Suite

MAC, MORE, FIRST = 0b001, 0b010, 0b100
"""The bits of P1 of CIPHER DATA: MAC or encryption, blocks follow, the first block is the IV."""
ONLY_MAC: Final = MAC | FIRST
MAX_BLOCKS: Final = 8
RESERVED_IDS: Final = 0xC0
"""Key ids from here on are reserved."""

ENCRYPTING: Final = (KeyType.ENCRYPT, KeyType.MAC_AND_ENCRYPT)
SIGNING: Final = (KeyType.MAC, KeyType.MAC_AND_ENCRYPT)


def delivery_session_key(session: PsamSession) -> bytes:
    """Factors(8 each, 0–3) ‖ session key input(one block): the key of usage P1 and id P2 makes a session key.

    The factors are in the order card, city, province, as for INIT SAM; their
    number must match the key's usage byte.
    """
    p1 = session.p1
    p2 = session.p2
    data = session.data
    if p2 >= RESERVED_IDS:
        return WRONG_P1P2
    factors, rest = divmod(len(data) - session.suite.block, FACTOR_LENGTH)
    if rest or not 0 <= factors <= MAX_LEVELS:
        return WRONG_LENGTH
    if not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    kind = p1 & TYPE_MASK
    if kind not in ENCRYPTING and kind not in SIGNING:
        return NOT_SUPPORTED
    record = session.find_key(kind, p2)
    if record is None:
        return KEY_NOT_FOUND
    refused = right_refusal(session, record.right) if record.right else b""
    if refused:
        return refused
    if not factors == record.levels == p1 >> LEVELS_SHIFT:
        return WRONG_DATA
    cut = factors * FACTOR_LENGTH
    suite = session.suite
    key = card_key(suite, record, data[:cut])
    session.process = Delivery(suite.passing_key(key.encrypt(data[cut:])), kind)
    return OK


def card_key(suite: Suite, record: KeyRecord, factors: bytes) -> BlockKey:
    """The key derived from a root by factors; the last factor is applied first."""
    key = suite.key(record.value)
    for start in range(len(factors) - FACTOR_LENGTH, -1, -FACTOR_LENGTH):
        key = suite.key(suite.diversify(key, factors[start : start + FACTOR_LENGTH]))
    return key


def cipher_data(session: PsamSession) -> bytes:
    """Encipher whole blocks in ECB, or take them into a MAC in CBC; the last call of either ends the session key."""
    p1 = session.p1
    data = session.data
    block = session.suite.block
    fewest = 2 * block if p1 == ONLY_MAC else block
    if len(data) % block or not fewest <= len(data) <= MAX_BLOCKS * block:
        return WRONG_LENGTH
    if not session.in_application:
        return CONDITIONS_NOT_SATISFIED
    delivery = session.process
    if not isinstance(delivery, Delivery):
        return WRONG_STATE
    if delivery.kind not in (SIGNING if p1 & MAC else ENCRYPTING):
        return CONDITIONS_NOT_SATISFIED
    if p1 & MAC:
        return _mac(session, delivery, p1, data)
    if delivery.chained:
        return WRONG_STATE
    if not p1 & MORE:
        session.process = None
    return delivery.key.encrypt(data) + OK


def _mac(session: PsamSession, delivery: Delivery, p1: int, data: bytes) -> bytes:
    """A first call begins a chain, the others continue it; the last answers the MAC(4)."""
    block = session.suite.block
    if bool(p1 & FIRST) == bool(delivery.chained):
        return WRONG_STATE
    initial, blocks = (data[:block], data[block:]) if p1 & FIRST else (delivery.chained, data)
    chained = chain(delivery.key, initial, blocks)
    if p1 & MORE:
        delivery.chained = chained
        return OK
    session.process = None
    return session.suite.fold(chained) + OK


DELIVERY_SESSION_KEY: Final = Command(
    "DELIVERY SESSION KEY",
    "过程密钥分散",
    SHEET,
    (0xBF,),
    0xDE,
    delivery_session_key,
    {
        **IN_APPLICATION,
        SW.OK: Phrase("session key made; CIPHER DATA uses it"),
        SW.WRONG_LENGTH: Phrase("not 0 to 3 factors and one block"),
        SW.SECURITY_NOT_SATISFIED: Phrase("the key that this key demands is not proven"),
        SW.METHOD_BLOCKED: Phrase("the key that this key demands is blocked"),
        SW.WRONG_DATA: Phrase("the number of factors does not fit the usage of the key"),
        SW.NOT_SUPPORTED: Phrase("the PSAM is locked, or the usage is neither MAC nor encryption"),
        SW.WRONG_P1P2: Phrase("key id reserved (C0–FF)"),
        SW.KEY_NOT_FOUND: Phrase("no such key"),
    },
    parameters=(
        Parameter(
            "lllttttt", "00–BF", Phrase("usage of the key: lll levels of diversification, ttttt type; P2 is its id")
        ),
    ),
    data=(FACTORS, Field(Words("session key input, one block", "过程因子，一个分组"), (8, 16))),
    example=(*OPEN, DELIVER),
)
CIPHER_DATA: Final = Command(
    "CIPHER DATA",
    "数据加密",
    SHEET,
    (0x80,),
    0xFA,
    cipher_data,
    {
        **EVERY_COMMAND,
        SW.OK: Phrase("enciphered, or taken into the MAC"),
        SW.WRONG_LENGTH: Phrase("not 1 to 8 whole blocks, or one block only with P1=05"),
        SW.WRONG_STATE: Phrase("no session key, or P1 does not continue what is begun"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase("DF01 is not the current DF, or the key is not for this use"),
    },
    parameters=(
        Parameter(0x00, 0x00, Phrase("encipher, the last or only blocks")),
        Parameter(0x01, 0x00, Phrase("MAC, the last blocks")),
        Parameter(0x02, 0x00, Phrase("encipher, more blocks follow")),
        Parameter(0x03, 0x00, Phrase("MAC, more blocks follow")),
        Parameter(0x05, 0x00, Phrase("MAC over these blocks alone; the first is the IV")),
        Parameter(0x07, 0x00, Phrase("MAC, the first blocks; the first is the IV")),
    ),
    data=(Field(Words("1 to 8 blocks", "1至8个分组"), range(8, 129, 8)),),
    answer=(
        Field(
            Words("enciphered blocks, or the MAC of 4 bytes after its last blocks", "密文，或最后分组后的4字节MAC"),
            (0, 4, *range(8, 129, 8)),
        ),
    ),
    example=(*OPEN, DELIVER, Sent("80FA000010 01020304050607080000000000000000", "XX" * 16 + "9000")),
    secret=slice(None),
)
