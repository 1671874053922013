"""Shared by the commands of the medical account (医疗账户): conditions, keys, proofs, posting (card-commands.md §3)."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import LOCKABLE, SET_PIN, WRITE_FAILED
from sscard.card.commands.update import cycle
from sscard.card.session import Session, Transaction
from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    COUNTER_AT_MAXIMUM,
    KEY_INDEX_UNKNOWN,
    SECURITY_NOT_SATISFIED,
)
from sscard.chip.command import Field, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import BlockKey
from sscard.standard.encoding import records
from sscard.standard.tree import PIN, PIN_VERIFIED, Account

MEDICAL: Final = 0xDF04
BASIC_DATA_SFI: Final = 0x05
DETAILS_SFI: Final = 0x08
CARD_MODE_TAG: Final = 0x8F
OFF_LINE: Final = b"2"
ACCOUNT_ONLY_RECORD: Final = 20
"""Length of a detail record without self-paid and pool amount."""
MAX_AMOUNT: Final = 0xFFFF_FFFF
MAX_COUNT: Final = 0xFFFF
LOAD: Final = 0x01
PURCHASE: Final = 0x02
ASCII: Final = 0x30


def account_refusal(session: Session, controlled: bool) -> bytes:
    """The status word if a medical command is refused, else empty; controlled commands need the PIN if one is set."""
    if session.df.fid != MEDICAL or _card_mode(session) != OFF_LINE:
        return CONDITIONS_NOT_SATISFIED
    if controlled and session.memory.strings[PIN] and not session.status & PIN_VERIFIED:
        return SECURITY_NOT_SATISFIED
    return b""


def _card_mode(session: Session) -> bytes:
    """Item 8F (用卡方式) of DF04 EF05: 1 on-line, 2 off-line."""
    basic = session.layout.file(MEDICAL, BASIC_DATA_SFI)
    if basic is None:
        return b""
    for record in records(session.memory.strings[basic.cell]):
        if record[0] == CARD_MODE_TAG:
            return record[2:]
    return b""


def number(session: Session, which: Account) -> int:
    """A count, amount (fen), year or day of the account."""
    return session.memory.numbers[session.layout.medical + which]


def amount_bytes(session: Session, which: Account) -> bytes:
    """An amount of the account as in answers and MACs: 4 bytes."""
    return number(session, which).to_bytes(4, "big")


def year_bytes(session: Session) -> bytes:
    """The settlement year as cn, 2 bytes."""
    return bytes.fromhex(f"{number(session, Account.YEAR):04d}")


def type_byte(session: Session, kind: int) -> bytes:
    """The transaction type byte [OC-18]."""
    return bytes((kind + ASCII if session.personality.transaction_type_ascii else kind,))


def has_version(session: Session, key: str, version: int) -> bool:
    """Whether the card has this version (from 1) of a key; for a purchase the version is the key index."""
    layout = session.layout
    return 1 <= version <= layout.keys[layout.key_named(key)].versions


def account_key(session: Session, name: str, version: int) -> BlockKey:
    """A version (from 1) of DLK or DPK."""
    value = session.profile.key(session.layout.key_named(name), version - 1)
    return session.profile.suite.key(value)


def proof_of(session: Session, message: bytes) -> bytes:
    """TAC (交易验证码) with DTK; on a DES card with the XOR of its halves."""
    suite = session.profile.suite
    value = session.profile.key(session.layout.key_named("DTK"))
    return suite.mac(suite.key(suite.proof_key(value)), message)


def initialize_refusal(session: Session, key: str, index: int, count: int) -> bytes:
    """The status word if a transaction cannot begin (conditions, PIN, key index, count at maximum), else empty."""
    refused = account_refusal(session, True)
    if refused:
        return refused
    if not has_version(session, key, index):
        return KEY_INDEX_UNKNOWN
    return COUNTER_AT_MAXIMUM if count == MAX_COUNT else b""


def begin(session: Session, transaction: Transaction) -> Transaction:
    """Open a transaction; the chip ends it on any event that must end it."""
    session.transaction = transaction
    session.attentive = True
    return transaction


def opening(session: Session, transaction: Transaction) -> bytes:
    """Count(2) ‖ key version(1) ‖ algorithm id(1) ‖ random(4)."""
    kind = bytes((transaction.key_version, session.profile.suite.algorithm_id))
    return transaction.count.to_bytes(2, "big") + kind + transaction.random


def post(session: Session, kind: int, changes: list[tuple[Account, int]], proof: bytes, time: bytes) -> None:
    """One transaction of the memory: proof, amounts, count and detail record, all or nothing."""
    layout = session.layout
    transaction = session.transaction
    session.transaction = None
    numbers = [(layout.medical + which, value) for which, value in changes]
    strings = [(layout.proofs + kind - LOAD, proof)]
    details = layout.file(MEDICAL, DETAILS_SFI)
    if details is not None and transaction is not None:
        # A record of EF08: count(2) type(1) terminal(6) time(7) account(4) [self-paid(4) pool(4)].
        amounts = transaction.amounts.ljust(12, b"\x00")
        record = transaction.count.to_bytes(2, "big") + type_byte(session, kind) + transaction.terminal + time
        record += amounts[:4] if details.record_length == ACCOUNT_ONLY_RECORD else amounts
        strings.append((details.cell, cycle(details, session.memory.strings[details.cell], record)))
    session.memory.commit(numbers, strings)


def yuan(fen: bytes) -> str:
    """An amount in yuan."""
    amount = int.from_bytes(fen, "big")
    return f"{amount // 100}.{amount % 100:02d}"


MEDICAL_CLAS: Final = (0xB0,)
COMMON_STATUSES: Final = {
    **LOCKABLE,
    SW.CONDITIONS_NOT_SATISFIED: Phrase("DF04 is not the current DF, or the card is used on line (item 8F)"),
}
PIN_STATUSES: Final = {**COMMON_STATUSES, SW.SECURITY_NOT_SATISFIED: Phrase("a PIN is set and not verified")}
INITIALIZE_STATUSES: Final = {
    **PIN_STATUSES,
    SW.MEMORY_FAILURE: Phrase("listed by the standard; the command writes nothing"),
    SW.COUNTER_AT_MAXIMUM: Phrase("sequence number at its maximum"),
    SW.KEY_INDEX_UNKNOWN: Phrase("no key with this index"),
}
POST_STATUSES: Final = {**COMMON_STATUSES, SW.MEMORY_FAILURE: WRITE_FAILED}

KEY_INDEX: Final = Field(Words("key index", "密钥索引"), (1,))
TERMINAL: Final = Field(Words("terminal number", "终端编号"), (6,), "cn")
ACCOUNT_AMOUNT: Final = Field(Words("account amount in fen", "个人账户金额（分）"), (4,))
SELF_PAID_AMOUNT: Final = Field(Words("self-paid amount in fen", "个人自付金额（分）"), (4,))
POOL_AMOUNT: Final = Field(Words("pool fund amount in fen", "统筹基金支付金额（分）"), (4,))
SEQUENCE: Final = Field(Words("card sequence number", "卡片交易序号"), (2,))
BALANCE: Final = Field(Words("account balance", "个人账户余额"), (4,))
OPENING: Final = (
    SEQUENCE,
    Field(Words("key version", "密钥版本"), (1,)),
    Field(Words("algorithm identifier", "算法标识"), (1,)),
    Field(Words("random", "随机数"), (4,)),
)
TAC: Final = Field(Words("TAC", "交易验证码TAC"), (4,))
TYPE_CHOICES: Final = ("transaction_type_ascii",)
SELECT_MEDICAL: Final = Sent("00A4000002 DF04", "6F088406D156000005039000")
OPEN_ACCOUNT: Final = (SET_PIN, SELECT_MEDICAL)
BEGIN_LOAD: Final = Sent("B02800010B 01 000001F4 510100000001", "0000000000000103XXXXXXXXXXXXXXXX9000")
CREDIT: Final = Sent("B02A00000B 20250101123000 {MAC2}", "XXXXXXXX9000")
