"""INITIALIZE FOR PURCHASE and DEBIT FOR PURCHASE (医疗消费), LD/T 32.5, card-commands.md §3.2."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.medical_account import (
    ACCOUNT_AMOUNT,
    BALANCE,
    INITIALIZE_STATUSES,
    KEY_INDEX,
    MAX_AMOUNT,
    MEDICAL_CLAS,
    OPEN_ACCOUNT,
    OPENING,
    POOL_AMOUNT,
    POST_STATUSES,
    PURCHASE,
    SELF_PAID_AMOUNT,
    TAC,
    TERMINAL,
    TYPE_CHOICES,
    account_key,
    account_refusal,
    amount_bytes,
    begin,
    initialize_refusal,
    number,
    opening,
    post,
    proof_of,
    type_byte,
    year_bytes,
    yuan,
)
from sscard.card.session import Session, Transaction
from sscard.chip.answers import (
    AMOUNT_INSUFFICIENT,
    CONDITIONS_NOT_SATISFIED,
    OK,
    WRONG_LENGTH,
    WRONG_MAC,
    WRONG_STATE,
)
from sscard.chip.command import NOTHING, Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import equal
from sscard.standard.tree import Account, Layout


def initialize_for_purchase(session: Session) -> bytes:
    """Key index(1) ‖ account, self-paid, pool amount(12) ‖ terminal(6) → 22 bytes: totals, count, random."""
    data = session.data
    if len(data) != 19:
        return WRONG_LENGTH
    count = number(session, Account.PURCHASE_COUNT)
    refused = initialize_refusal(session, "DPK", data[0], count)
    if refused:
        return refused
    if int.from_bytes(data[1:5], "big") > number(session, Account.BALANCE):
        return AMOUNT_INSUFFICIENT
    transaction = begin(session, Transaction(True, data[0], data[1:13], data[13:], count, session.random(4)))
    totals = amount_bytes(session, Account.BALANCE) + amount_bytes(session, Account.SELF_PAID)
    totals += amount_bytes(session, Account.POOL_PAID) + year_bytes(session)
    return totals + opening(session, transaction) + OK


def debit_for_purchase(session: Session) -> bytes:
    """Terminal count(4) ‖ time(7) ‖ MAC1(4) → TAC(4) ‖ MAC2(4): post the amounts."""
    data = session.data
    refused = account_refusal(session, False)
    if refused:
        return refused
    transaction = session.transaction
    if transaction is None or not transaction.purchase:
        return WRONG_STATE
    suite = session.profile.suite
    terminal_count, time, mac1 = data[:4], data[4:11], data[11:]
    # SESPK: DPK over random ‖ purchase count ‖ last two bytes of the terminal's count.
    factor = transaction.random + transaction.count.to_bytes(2, "big") + terminal_count[2:]
    key = suite.session_key(account_key(session, "DPK", transaction.key_version), factor)
    entry = transaction.amounts + type_byte(session, PURCHASE) + transaction.terminal
    if not equal(suite.mac(key, entry + time), mac1):
        return WRONG_MAC
    if not time.hex().isdecimal():
        return CONDITIONS_NOT_SATISFIED
    changes = _settle(session, transaction, time)
    if any(value > MAX_AMOUNT for _, value in changes):
        return CONDITIONS_NOT_SATISFIED
    mac2 = suite.mac(key, transaction.amounts)
    tac = proof_of(session, entry + terminal_count + time)
    post(session, PURCHASE, changes, transaction.count.to_bytes(2, "big") + mac2 + tac, time)
    return tac + mac2 + OK


def _settle(session: Session, transaction: Transaction, time: bytes) -> list[tuple[Account, int]]:
    """The amounts after a purchase; the yearly totals are reset in a new settlement year."""
    account, self_paid, pool = (int.from_bytes(transaction.amounts[at : at + 4], "big") for at in (0, 4, 8))
    start = number(session, Account.START_DAY)
    today = int(time[:4].hex())
    year = number(session, Account.YEAR)
    if today - (year * 10000 + start) < 10000:
        self_paid += number(session, Account.SELF_PAID)
        pool += number(session, Account.POOL_PAID)
    else:
        year = today // 10000 if today % 10000 >= start else today // 10000 - 1
    return [
        (Account.BALANCE, number(session, Account.BALANCE) - account),
        (Account.SELF_PAID, self_paid),
        (Account.POOL_PAID, pool),
        (Account.YEAR, year),
        (Account.PURCHASE_COUNT, transaction.count + 1),
    ]


def _purchase_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if len(data) != 19:
        return NOTHING
    account, self_paid, pool = (yuan(data[at : at + 4]) for at in (1, 5, 9))
    return Phrase(
        "account {account} yuan, self-paid {self_paid} yuan, pool {pool} yuan, terminal {terminal}, key index {index}",
        account=account,
        self_paid=self_paid,
        pool=pool,
        terminal=data[13:].hex(),
        index=data[0],
    )


_BEGIN: Final = Sent(
    "B028010113 01 00000000 000000C8 00000064 510100000001",
    "000000000000000000000000XXXX00000103XXXXXXXX9000",
)
INITIALIZE_FOR_PURCHASE: Final = Command(
    "INITIALIZE FOR PURCHASE",
    "医疗消费初始化",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x28,
    initialize_for_purchase,
    {
        **INITIALIZE_STATUSES,
        SW.OK: Phrase("purchase begun; DEBIT FOR PURCHASE completes it"),
        SW.AMOUNT_INSUFFICIENT: Phrase("the account amount is larger than the balance"),
    },
    parameters=(Parameter(0x01, 0x01),),
    data=(KEY_INDEX, ACCOUNT_AMOUNT, SELF_PAID_AMOUNT, POOL_AMOUNT, TERMINAL),
    lengths=(0x0B, 0x13),
    answer=(
        BALANCE,
        Field(Words("self-paid total of the year", "个人自付累计"), (4,)),
        Field(Words("pool fund total of the year", "统筹基金支付累计"), (4,)),
        Field(Words("settlement year", "结算年度"), (2,), "cn"),
        *OPENING,
    ),
    example=(*OPEN_ACCOUNT, _BEGIN),
    words=_purchase_words,
    random_answer=slice(18, None),
)
DEBIT_FOR_PURCHASE: Final = Command(
    "DEBIT FOR PURCHASE",
    "医疗消费",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x2C,
    debit_for_purchase,
    {
        **POST_STATUSES,
        SW.OK: Phrase("the amounts are posted"),
        SW.WRONG_STATE: Phrase("no purchase is begun"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase(
            "DF04 is not the current DF, the card is used on line (item 8F), the time is not cn, or a total would be "
            "too large"
        ),
        SW.WRONG_MAC: Phrase("MAC1 wrong; the purchase is over"),
    },
    parameters=(Parameter(0x01, 0x00),),
    data=(
        Field(Words("terminal sequence number", "终端交易序号"), (4,)),
        Field(Words("terminal time", "终端时间"), (7,), "cn"),
        Field(Words("MAC1", "MAC1"), (4,)),
    ),
    answer=(TAC, Field(Words("MAC2", "MAC2"), (4,))),
    choices=TYPE_CHOICES,
    example=(*OPEN_ACCOUNT, _BEGIN, Sent("B02C01000F 00000023 20250101123000 {MAC1}", "XXXXXXXXXXXXXXXX9000")),
    random_answer=slice(4, None),
    bound_to_random=True,
)
