"""The medical account (医疗账户专有命令) of DF04, LD/T 32.5, command sheet §3: amounts in fen, big-endian."""

from __future__ import annotations

from typing import Final

from sscard.apdu import SW
from sscard.card.answers import (
    AMOUNT_INSUFFICIENT,
    CONDITIONS_NOT_SATISFIED,
    COUNTER_AT_MAXIMUM,
    KEY_INDEX_UNKNOWN,
    MAC_NOT_AVAILABLE,
    OK,
    SECURITY_NOT_SATISFIED,
    WRONG_LENGTH,
    WRONG_MAC,
    WRONG_STATE,
    wrong_le,
)
from sscard.card.commands.declaration import Command
from sscard.card.commands.update import cycle
from sscard.card.layout import PIN, PIN_VERIFIED, Account, FileSpec, Layout
from sscard.card.session import Session, Transaction
from sscard.cipher import MAC_LENGTH, BlockKey, equal
from sscard.encoding import records

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
NO_MAC: Final = bytes(MAC_LENGTH)


def _refusal(session: Session, controlled: bool) -> bytes:
    """Why a medical command is refused here, empty where it is not; controlled ones need the PIN if one is set."""
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


def _number(session: Session, which: Account) -> int:
    return session.memory.numbers[session.layout.medical + which]


def _amount(session: Session, which: Account) -> bytes:
    return _number(session, which).to_bytes(4, "big")


def _year(session: Session) -> bytes:
    return bytes.fromhex(f"{_number(session, Account.YEAR):04d}")


def _type(session: Session, kind: int) -> bytes:
    """The transaction type byte [OC-18]."""
    return bytes((kind + ASCII if session.personality.transaction_type_ascii else kind,))


def _has_version(session: Session, key: str, version: int) -> bool:
    layout = session.layout
    return 1 <= version <= layout.keys[layout.key_named(key)].versions


def _key(session: Session, name: str, version: int) -> BlockKey:
    value = session.profile.key(session.layout.key_named(name), version - 1)
    return session.profile.suite.key(value)


def _load_key(session: Session, transaction: Transaction) -> BlockKey:
    """SESLK: DLK over random ‖ load count ‖ 8000."""
    factor = transaction.random + transaction.count.to_bytes(2, "big") + b"\x80\x00"
    return session.profile.suite.session_key(_key(session, "DLK", transaction.key_version), factor)


def _purchase_key(session: Session, transaction: Transaction, terminal_count: bytes) -> BlockKey:
    """SESPK: DPK over random ‖ purchase count ‖ last two bytes of the terminal's count."""
    factor = transaction.random + transaction.count.to_bytes(2, "big") + terminal_count[2:]
    return session.profile.suite.session_key(_key(session, "DPK", transaction.key_version), factor)


def _proof(session: Session, message: bytes) -> bytes:
    """TAC (交易验证码): under DTK itself, in a DES card under its halves XORed."""
    suite = session.profile.suite
    value = session.profile.key(session.layout.key_named("DTK"))
    if suite.block == 8:
        value = bytes(left ^ right for left, right in zip(value[:8], value[8:], strict=True))
    return suite.mac(suite.key(value), message)


def initialize_for_load(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Key index(1) ‖ amount(4) ‖ terminal(6) → balance(4) ‖ count(2) ‖ version(1) ‖ algorithm(1) ‖ random(4) ‖ MAC1."""
    if len(data) != 11:
        return WRONG_LENGTH
    refused = _refusal(session, True)
    if refused:
        return refused
    count = _number(session, Account.LOAD_COUNT)
    if not _has_version(session, "DLK", data[0]):
        return KEY_INDEX_UNKNOWN
    if count == MAX_COUNT:
        return COUNTER_AT_MAXIMUM
    amount = data[1:5]
    if _number(session, Account.BALANCE) + int.from_bytes(amount, "big") > MAX_AMOUNT:
        return CONDITIONS_NOT_SATISFIED
    transaction = _begin(session, Transaction(False, data[0], amount, data[5:], count, session.random(4)))
    balance = _amount(session, Account.BALANCE)
    message = balance + amount + _type(session, LOAD) + transaction.terminal
    mac = session.profile.suite.mac(_load_key(session, transaction), message)
    return balance + _opening(session, transaction) + mac + OK


def initialize_for_purchase(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Key index(1) ‖ account, self-paid, pool amount(12) ‖ terminal(6) → 22 bytes: totals, count, random."""
    if len(data) != 19:
        return WRONG_LENGTH
    refused = _refusal(session, True)
    if refused:
        return refused
    count = _number(session, Account.PURCHASE_COUNT)
    if not _has_version(session, "DPK", data[0]):
        return KEY_INDEX_UNKNOWN
    if count == MAX_COUNT:
        return COUNTER_AT_MAXIMUM
    if int.from_bytes(data[1:5], "big") > _number(session, Account.BALANCE):
        return AMOUNT_INSUFFICIENT
    transaction = _begin(session, Transaction(True, data[0], data[1:13], data[13:], count, session.random(4)))
    totals = _amount(session, Account.BALANCE) + _amount(session, Account.SELF_PAID)
    totals += _amount(session, Account.POOL_PAID) + _year(session)
    return totals + _opening(session, transaction) + OK


def _begin(session: Session, transaction: Transaction) -> Transaction:
    session.transaction = transaction
    session.attentive = True
    return transaction


def _opening(session: Session, transaction: Transaction) -> bytes:
    """Count(2) ‖ key version(1) ‖ algorithm id(1) ‖ random(4)."""
    kind = bytes((transaction.key_version, session.profile.suite.algorithm_id))
    return transaction.count.to_bytes(2, "big") + kind + transaction.random


def credit_for_load(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Host time(7) ‖ MAC2(4) → TAC(4): the amount is on the account."""
    refused = _refusal(session, False)
    if refused:
        return refused
    transaction = session.transaction
    if transaction is None or transaction.purchase:
        return WRONG_STATE
    suite = session.profile.suite
    time, mac2 = data[:7], data[7:]
    entry = transaction.amounts + _type(session, LOAD) + transaction.terminal
    if not equal(suite.mac(_load_key(session, transaction), entry + time), mac2):
        return WRONG_MAC
    balance = _number(session, Account.BALANCE) + int.from_bytes(transaction.amounts, "big")
    count = transaction.count.to_bytes(2, "big")
    tac = _proof(session, balance.to_bytes(4, "big") + count + entry + time)
    changes = [(Account.BALANCE, balance), (Account.LOAD_COUNT, transaction.count + 1)]
    _post(session, LOAD, changes, count + NO_MAC + tac, time)
    return tac + OK


def debit_for_purchase(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Terminal count(4) ‖ time(7) ‖ MAC1(4) → TAC(4) ‖ MAC2(4): the amounts are posted."""
    refused = _refusal(session, False)
    if refused:
        return refused
    transaction = session.transaction
    if transaction is None or not transaction.purchase:
        return WRONG_STATE
    suite = session.profile.suite
    terminal_count, time, mac1 = data[:4], data[4:11], data[11:]
    key = _purchase_key(session, transaction, terminal_count)
    entry = transaction.amounts + _type(session, PURCHASE) + transaction.terminal
    if not equal(suite.mac(key, entry + time), mac1):
        return WRONG_MAC
    if not time.hex().isdecimal():
        return CONDITIONS_NOT_SATISFIED
    changes = _settle(session, transaction, time)
    if any(value > MAX_AMOUNT for _, value in changes):
        return CONDITIONS_NOT_SATISFIED
    mac2 = suite.mac(key, transaction.amounts)
    tac = _proof(session, entry + terminal_count + time)
    _post(session, PURCHASE, changes, transaction.count.to_bytes(2, "big") + mac2 + tac, time)
    return tac + mac2 + OK


def _settle(session: Session, transaction: Transaction, time: bytes) -> list[tuple[Account, int]]:
    """The amounts after a purchase; the yearly totals begin anew in a new settlement year."""
    account, self_paid, pool = (int.from_bytes(transaction.amounts[at : at + 4], "big") for at in (0, 4, 8))
    start = _number(session, Account.START_DAY)
    today = int(time[:4].hex())
    year = _number(session, Account.YEAR)
    if today - (year * 10000 + start) < 10000:
        self_paid += _number(session, Account.SELF_PAID)
        pool += _number(session, Account.POOL_PAID)
    else:
        year = today // 10000 if today % 10000 >= start else today // 10000 - 1
    return [
        (Account.BALANCE, _number(session, Account.BALANCE) - account),
        (Account.SELF_PAID, self_paid),
        (Account.POOL_PAID, pool),
        (Account.YEAR, year),
        (Account.PURCHASE_COUNT, transaction.count + 1),
    ]


def _post(session: Session, kind: int, changes: list[tuple[Account, int]], proof: bytes, time: bytes) -> None:
    """One transaction of the memory: proof, amounts, count and detail record, all or nothing."""
    layout = session.layout
    transaction = session.transaction
    session.transaction = None
    numbers = [(layout.medical + which, value) for which, value in changes]
    strings = [(layout.proofs + kind - LOAD, proof)]
    details = layout.file(MEDICAL, DETAILS_SFI)
    if details is not None and transaction is not None:
        content = session.memory.strings[details.cell]
        strings.append((details.cell, cycle(details, content, _detail(session, details, kind, transaction, time))))
    session.memory.commit(numbers, strings)


def _detail(session: Session, details: FileSpec, kind: int, transaction: Transaction, time: bytes) -> bytes:
    """A record of EF08: count(2) type(1) terminal(6) time(7) account(4) [self-paid(4) pool(4)]."""
    head = transaction.count.to_bytes(2, "big") + _type(session, kind) + transaction.terminal + time
    amounts = transaction.amounts.ljust(12, b"\x00")
    return head + (amounts[:4] if details.record_length == ACCOUNT_ONLY_RECORD else amounts)


def get_balance(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """P2 01: balance(4); 02 self-paid total, 03 pool total: amount(4) ‖ year(2)."""
    refused = _refusal(session, True)
    if refused:
        return refused
    found = _amount(session, Account(Account.BALANCE + p2 - 1))
    if p2 > 1:
        found += _year(session)
    return found + OK if le == len(found) else wrong_le(len(found))


def get_transaction_proof(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Count(2) of a load (P2=01) or purchase (P2=02) → MAC(4) ‖ TAC(4) of the last one."""
    refused = _refusal(session, False)
    if refused:
        return refused
    proof = session.memory.strings[session.layout.proofs + p2 - LOAD]
    return proof[2:] + OK if proof[:2] == data else MAC_NOT_AVAILABLE


def update_starting_day(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Set the first day of the settlement year, month and day as cn; DSK must be authenticated."""
    refused = _refusal(session, False)
    if refused:
        return refused
    if not session.status & 2 << session.layout.key_named("DSK"):
        return SECURITY_NOT_SATISFIED
    if not data.hex().isdecimal():
        return CONDITIONS_NOT_SATISFIED
    day = int(data.hex())
    if not (1 <= day // 100 <= 12 and 1 <= day % 100 <= 31):
        return CONDITIONS_NOT_SATISFIED
    session.memory.put_number(session.layout.medical + Account.START_DAY, day)
    return OK


def get_starting_day(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Month and day as cn(2)."""
    refused = _refusal(session, False)
    if refused:
        return refused
    if le != 2:
        return wrong_le(2)
    return bytes.fromhex(f"{_number(session, Account.START_DAY):04d}") + OK


def _load_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> str:
    return f"{_yuan(data[1:5])}, terminal {data[5:11].hex()}, key index {data[0]}" if len(data) == 11 else ""


def _purchase_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> str:
    if len(data) != 19:
        return ""
    account, self_paid, pool = (_yuan(data[at : at + 4]) for at in (1, 5, 9))
    return f"account {account}, self-paid {self_paid}, pool {pool}, terminal {data[13:].hex()}, key index {data[0]}"


def _balance_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> str:
    return ("", "account 个人账户余额", "self-paid total 个人自付累计", "pool total 统筹基金支付累计")[p2 & 3]


def _proof_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> str:
    return f"{'load' if p2 == LOAD else 'purchase'} number {int.from_bytes(data, 'big')}"


def _yuan(fen: bytes) -> str:
    amount = int.from_bytes(fen, "big")
    return f"{amount // 100}.{amount % 100:02d} yuan"


_CLAS: Final = (0xB0,)
_COMMON: Final = (
    SW.OK,
    SW.CONDITIONS_NOT_SATISFIED,
    SW.NOT_SUPPORTED,
    SW.WRONG_P1P2,
    SW.UNKNOWN_CLA,
    SW.APPLICATION_BLOCKED,
)
_INITIALIZE: Final = (
    *_COMMON,
    SW.MEMORY_FAILURE,
    SW.WRONG_LENGTH,
    SW.SECURITY_NOT_SATISFIED,
    SW.COUNTER_AT_MAXIMUM,
    SW.KEY_INDEX_UNKNOWN,
)
_POST: Final = (*_COMMON, SW.MEMORY_FAILURE, SW.WRONG_LENGTH, SW.WRONG_STATE, SW.WRONG_MAC)

INITIALIZE_FOR_LOAD: Final = Command(
    "INITIALIZE FOR LOAD",
    "帐户划入初始化",
    "3.2",
    _CLAS,
    0x28,
    initialize_for_load,
    _INITIALIZE,
    p1p2=(0x0001,),
    lengths=(0x0B, 0x13),
    answers_data=True,
    words=_load_words,
    random_answer=slice(8, None),
)
INITIALIZE_FOR_PURCHASE: Final = Command(
    "INITIALIZE FOR PURCHASE",
    "医疗消费初始化",
    "3.2",
    _CLAS,
    0x28,
    initialize_for_purchase,
    (*_INITIALIZE, SW.AMOUNT_INSUFFICIENT),
    p1p2=(0x0101,),
    lengths=(0x0B, 0x13),
    answers_data=True,
    words=_purchase_words,
    random_answer=slice(18, None),
)
CREDIT_FOR_LOAD: Final = Command(
    "CREDIT FOR LOAD",
    "帐户划入",
    "3.2",
    _CLAS,
    0x2A,
    credit_for_load,
    _POST,
    p1p2=(0x0000,),
    lengths=(0x0B,),
    answers_data=True,
    bound_to_random=True,
)
DEBIT_FOR_PURCHASE: Final = Command(
    "DEBIT FOR PURCHASE",
    "医疗消费",
    "3.2",
    _CLAS,
    0x2C,
    debit_for_purchase,
    _POST,
    p1p2=(0x0100,),
    lengths=(0x0F,),
    answers_data=True,
    random_answer=slice(4, None),
    bound_to_random=True,
)
GET_BALANCE: Final = Command(
    "GET BALANCE",
    "读余额",
    "3.2",
    _CLAS,
    0x26,
    get_balance,
    (*_COMMON, SW.WRONG_LENGTH, SW.SECURITY_NOT_SATISFIED),
    p1p2=(0x0001, 0x0002, 0x0003),
    words=_balance_words,
)
GET_TRANSACTION_PROOF: Final = Command(
    "GET TRANSACTION PROOF",
    "取交易认证码",
    "3.2",
    _CLAS,
    0x2E,
    get_transaction_proof,
    (*_COMMON, SW.WRONG_LENGTH, SW.MAC_NOT_AVAILABLE),
    p1p2=(0x0001, 0x0002),
    lengths=(0x02,),
    answers_data=True,
    words=_proof_words,
    random_answer=slice(0, 4),
)
UPDATE_STARTING_DAY: Final = Command(
    "UPDATE STARTING DAY",
    "修改年度起始日期",
    "3.2",
    _CLAS,
    0x56,
    update_starting_day,
    (*_COMMON, SW.SECURITY_NOT_SATISFIED),
    p1p2=(0x0000,),
    lengths=(0x02,),
)
GET_STARTING_DAY: Final = Command(
    "GET STARTING DAY",
    "读年度起始日期",
    "3.2",
    _CLAS,
    0x56,
    get_starting_day,
    (*_COMMON, SW.SECURITY_NOT_SATISFIED),
    p1p2=(0x0100,),
)
