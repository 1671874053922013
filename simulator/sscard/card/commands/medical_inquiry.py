"""GET BALANCE, GET TRANSACTION PROOF, GET and UPDATE STARTING DAY, LD/T 32.5, card-commands.md §3.2."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.declared import NO_PARAMETERS, WRITE_FAILED, proof
from sscard.card.commands.medical_account import (
    BEGIN_LOAD,
    COMMON_STATUSES,
    CREDIT,
    LOAD,
    MEDICAL_CLAS,
    OPEN_ACCOUNT,
    PIN_STATUSES,
    SELECT_MEDICAL,
    SEQUENCE,
    TAC,
    account_refusal,
    amount_bytes,
    number,
    year_bytes,
)
from sscard.card.session import Session
from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    MAC_NOT_AVAILABLE,
    OK,
    SECURITY_NOT_SATISFIED,
    wrong_le,
)
from sscard.chip.command import NOTHING, Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.tree import Account, Layout


def get_balance(session: Session) -> bytes:
    """P2 01: balance(4); 02 self-paid total, 03 pool total: amount(4) ‖ year(2)."""
    p2 = session.p2
    le = session.le
    refused = account_refusal(session, True)
    if refused:
        return refused
    found = amount_bytes(session, Account(Account.BALANCE + p2 - 1))
    if p2 > 1:
        found += year_bytes(session)
    return found + OK if le == len(found) else wrong_le(len(found))


def get_transaction_proof(session: Session) -> bytes:
    """Count(2) of a load (P2=01) or purchase (P2=02) → MAC(4) ‖ TAC(4) of the last one."""
    refused = account_refusal(session, False)
    if refused:
        return refused
    proof = session.memory.strings[session.layout.proofs + session.p2 - LOAD]
    return proof[2:] + OK if proof[:2] == session.data else MAC_NOT_AVAILABLE


def update_starting_day(session: Session) -> bytes:
    """Set the first day of the settlement year, month and day as cn; DSK must be authenticated."""
    data = session.data
    refused = account_refusal(session, False)
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


def get_starting_day(session: Session) -> bytes:
    """Month and day as cn(2)."""
    refused = account_refusal(session, False)
    if refused:
        return refused
    if session.le != 2:
        return wrong_le(2)
    return bytes.fromhex(f"{number(session, Account.START_DAY):04d}") + OK


def _balance_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    return (NOTHING, Phrase("account"), Phrase("self-paid total"), Phrase("pool total"))[p2 & 3]


def _proof_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    number = int.from_bytes(data, "big")
    return (
        Phrase("load number {number}", number=number)
        if p2 == LOAD
        else Phrase("purchase number {number}", number=number)
    )


GET_BALANCE: Final = Command(
    "GET BALANCE",
    "读余额",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x26,
    get_balance,
    {
        **PIN_STATUSES,
        SW.OK: Phrase("amount read"),
        SW.WRONG_LE: Phrase("Le is not the length of the answer, which is xx"),
    },
    parameters=(
        Parameter(0x00, 0x01, Phrase("account balance (Le 04)")),
        Parameter(0x00, 0x02, Phrase("self-paid total of the year (Le 06)")),
        Parameter(0x00, 0x03, Phrase("pool fund total of the year (Le 06)")),
    ),
    answer=(
        Field(Words("amount in fen", "金额（分）"), (4,)),
        Field(Words("settlement year, not with the account balance", "结算年度，个人账户余额无此项"), (0, 2), "cn"),
    ),
    example=(*OPEN_ACCOUNT, Sent("B026000104", "000000009000")),
    words=_balance_words,
)
GET_TRANSACTION_PROOF: Final = Command(
    "GET TRANSACTION PROOF",
    "取交易认证码",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x2E,
    get_transaction_proof,
    {
        **COMMON_STATUSES,
        SW.OK: Phrase("proof of the last transaction of this type"),
        SW.MAC_NOT_AVAILABLE: Phrase("the last transaction of this type has another sequence number, or there is none"),
    },
    parameters=(Parameter(0x00, 0x01, Phrase("load")), Parameter(0x00, 0x02, Phrase("purchase"))),
    data=(SEQUENCE,),
    answer=(Field(Words("MAC2 of a purchase, zeros for a load", "消费的MAC2，划入为零"), (4,)), TAC),
    example=(*OPEN_ACCOUNT, BEGIN_LOAD, CREDIT, Sent("B02E000102 0000", "00000000XXXXXXXX9000")),
    words=_proof_words,
    random_answer=slice(0, 4),
)
_STARTING_DAY: Final = Field(Words("month and day", "月日"), (2,), "cn")
UPDATE_STARTING_DAY: Final = Command(
    "UPDATE STARTING DAY",
    "修改年度起始日期",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x56,
    update_starting_day,
    {
        **COMMON_STATUSES,
        SW.OK: Phrase("written"),
        SW.MEMORY_FAILURE: WRITE_FAILED,
        SW.SECURITY_NOT_SATISFIED: Phrase("DSK is not proven"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase(
            "DF04 is not the current DF, the card is used on line (item 8F), or the day does not exist"
        ),
    },
    parameters=NO_PARAMETERS,
    data=(_STARTING_DAY,),
    example=(SELECT_MEDICAL, *proof("DSK", 0x87), Sent("B056000002 0401")),
)
GET_STARTING_DAY: Final = Command(
    "GET STARTING DAY",
    "读年度起始日期",
    "card-commands.md §3.2",
    MEDICAL_CLAS,
    0x56,
    get_starting_day,
    {
        **COMMON_STATUSES,
        SW.OK: Phrase("day read"),
        SW.SECURITY_NOT_SATISFIED: Phrase("listed by the standard; reading needs no right"),
        SW.WRONG_LE: Phrase("Le is not the length of the answer, which is xx"),
    },
    parameters=(Parameter(0x01, 0x00),),
    answer=(_STARTING_DAY,),
    example=(SELECT_MEDICAL, Sent("B056010002", "01019000")),
)
