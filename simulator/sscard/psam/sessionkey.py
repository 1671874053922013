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
from sscard.chip.command import Command
from sscard.psam.authenticate import right_refusal
from sscard.psam.chaining import chain
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

    The factors stand in the order card, city, province, as for INIT SAM; they
    must be as many as the key's usage byte says.
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
    session.process = Delivery(suite.key(key.encrypt(data[cut:])), kind)
    return OK


def card_key(suite: Suite, record: KeyRecord, factors: bytes) -> BlockKey:
    """A root's key after its factors; the last one given is applied first."""
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
    "8",
    (0xBF,),
    0xDE,
    delivery_session_key,
    (
        SW.OK,
        SW.WRONG_LENGTH,
        SW.SECURITY_NOT_SATISFIED,
        SW.METHOD_BLOCKED,
        SW.CONDITIONS_NOT_SATISFIED,
        SW.WRONG_DATA,
        SW.NOT_SUPPORTED,
        SW.WRONG_P1P2,
        SW.KEY_NOT_FOUND,
        SW.UNKNOWN_INS,
        SW.UNKNOWN_CLA,
    ),
    lengths=range(0x08, 0x29, 8),
)
CIPHER_DATA: Final = Command(
    "CIPHER DATA",
    "数据加密",
    "8",
    (0x80,),
    0xFA,
    cipher_data,
    (
        SW.OK,
        SW.MORE_DATA,
        SW.WRONG_LENGTH,
        SW.WRONG_STATE,
        SW.CONDITIONS_NOT_SATISFIED,
        SW.NOT_SUPPORTED,
        SW.WRONG_P1P2,
        SW.UNKNOWN_INS,
        SW.UNKNOWN_CLA,
    ),
    p1p2=(0x0000, 0x0100, 0x0200, 0x0300, 0x0500, 0x0700),
    lengths=range(0x08, 0x81, 8),
    answers_data=True,
    secret=slice(None),
)
