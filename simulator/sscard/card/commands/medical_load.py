"""INITIALIZE FOR LOAD and CREDIT FOR LOAD (帐户划入), LD/T 32.5, card-commands.md §3.2."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import NO_PARAMETERS
from sscard.card.commands.medical_account import (
    ACCOUNT_AMOUNT,
    BALANCE,
    BEGIN_LOAD,
    CREDIT,
    INITIALIZE_STATUSES,
    KEY_INDEX,
    LOAD,
    MAX_AMOUNT,
    MEDICAL_CLAS,
    OPEN_ACCOUNT,
    OPENING,
    POST_STATUSES,
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
    yuan,
)
from sscard.card.session import Session, Transaction
from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    OK,
    WRONG_LENGTH,
    WRONG_MAC,
    WRONG_STATE,
)
from sscard.chip.command import NOTHING, Command, Field, Parameter
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import MAC_LENGTH, BlockKey, equal
from sscard.standard.tree import Account, Layout

NO_MAC: Final = bytes(MAC_LENGTH)


def _load_key(session: Session, transaction: Transaction) -> BlockKey:
    """SESLK: DLK over random ‖ load count ‖ 8000."""
    factor = transaction.random + transaction.count.to_bytes(2, "big") + b"\x80\x00"
    return session.profile.suite.session_key(account_key(session, "DLK", transaction.key_version), factor)


def initialize_for_load(session: Session) -> bytes:
    """Key index(1) ‖ amount(4) ‖ terminal(6) → balance(4) ‖ count(2) ‖ version(1) ‖ algorithm(1) ‖ random(4) ‖ MAC1."""
    data = session.data
    if len(data) != 11:
        return WRONG_LENGTH
    count = number(session, Account.LOAD_COUNT)
    refused = initialize_refusal(session, "DLK", data[0], count)
    if refused:
        return refused
    amount = data[1:5]
    if number(session, Account.BALANCE) + int.from_bytes(amount, "big") > MAX_AMOUNT:
        return CONDITIONS_NOT_SATISFIED
    transaction = begin(session, Transaction(False, data[0], amount, data[5:], count, session.random(4)))
    balance = amount_bytes(session, Account.BALANCE)
    message = balance + amount + type_byte(session, LOAD) + transaction.terminal
    mac = session.profile.suite.mac(_load_key(session, transaction), message)
    return balance + opening(session, transaction) + mac + OK


def credit_for_load(session: Session) -> bytes:
    """Host time(7) ‖ MAC2(4) → TAC(4): credit the amount to the account."""
    data = session.data
    refused = account_refusal(session, False)
    if refused:
        return refused
    transaction = session.transaction
    if transaction is None or transaction.purchase:
        return WRONG_STATE
    suite = session.profile.suite
    time, mac2 = data[:7], data[7:]
    entry = transaction.amounts + type_byte(session, LOAD) + transaction.terminal
    if not equal(suite.mac(_load_key(session, transaction), entry + time), mac2):
        return WRONG_MAC
    balance = number(session, Account.BALANCE) + int.from_bytes(transaction.amounts, "big")
    count = transaction.count.to_bytes(2, "big")
    tac = proof_of(session, balance.to_bytes(4, "big") + count + entry + time)
    changes = [(Account.BALANCE, balance), (Account.LOAD_COUNT, transaction.count + 1)]
    post(session, LOAD, changes, count + NO_MAC + tac, time)
    return tac + OK


def _load_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if len(data) != 11:
        return NOTHING
    return Phrase(
        "{amount} yuan, terminal {terminal}, key index {index}",
        amount=yuan(data[1:5]),
        terminal=data[5:11].hex(),
        index=data[0],
    )


INITIALIZE_FOR_LOAD: Final = Command(
    "INITIALIZE FOR LOAD",
    "帐户划入初始化",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x28,
    initialize_for_load,
    {
        **INITIALIZE_STATUSES,
        SW.OK: Phrase("load begun; CREDIT FOR LOAD completes it"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase(
            "DF04 is not the current DF, the card is used on line (item 8F), or the balance would be too large"
        ),
    },
    parameters=(Parameter(0x00, 0x01),),
    data=(KEY_INDEX, ACCOUNT_AMOUNT, TERMINAL),
    lengths=(0x0B, 0x13),
    answer=(BALANCE, *OPENING, Field(Words("MAC1", "MAC1"), (4,))),
    choices=TYPE_CHOICES,
    example=(*OPEN_ACCOUNT, BEGIN_LOAD),
    words=_load_words,
    random_answer=slice(8, None),
)
CREDIT_FOR_LOAD: Final = Command(
    "CREDIT FOR LOAD",
    "帐户划入",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x2A,
    credit_for_load,
    {
        **POST_STATUSES,
        SW.OK: Phrase("the amount is on the account"),
        SW.WRONG_STATE: Phrase("no load is begun"),
        SW.WRONG_MAC: Phrase("MAC2 wrong; the load is over"),
    },
    parameters=NO_PARAMETERS,
    data=(Field(Words("host time", "主机时间"), (7,), "cn"), Field(Words("MAC2", "MAC2"), (4,))),
    answer=(TAC,),
    choices=TYPE_CHOICES,
    example=(*OPEN_ACCOUNT, BEGIN_LOAD, CREDIT),
    bound_to_random=True,
)
