"""Defects of the card: the medical account in DF04."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

from defects.catalogue import Catalogue, Patch
from defects.pins import answers
from kit.desk import Desk
from sscard.card.chip import Chip
from sscard.card.commands import medical_account, medical_inquiry, medical_load, medical_purchase
from sscard.card.session import Session
from sscard.chip.answers import AMOUNT_INSUFFICIENT, OK
from sscard.chip.memory import Moment, PowerLost
from sscard.standard.tree import PIN_VERIFIED, Account

catalogue = Catalogue("card")
HINT = "medical or load or purchase"


def _account(balance: int = 1000) -> Desk:
    """A card with money, DF04 selected, PIN verified."""
    desk = Desk()
    desk.open_account()
    desk.set_account(Account.BALANCE, balance)
    return desk


def _load(*, right: bool = True) -> list[str]:
    desk = _account()
    opened = desk.begin_load(500)
    return answers(desk.credit(opened, 500, right=right), "B026000104", desk=desk)


def _purchase(amount: int = 100, *, right: bool = True, between: str = "", time: str = "20250101123000") -> list[str]:
    """A purchase, the balance and the self-paid total after it."""
    desk = _account()
    desk.set_account(Account.SELF_PAID, 700)
    desk.set_account(Account.YEAR, 2024)
    opened = desk.begin_purchase(amount, 30)
    if opened[-2:] != OK:
        return [opened.hex()]
    answers(*filter(None, [between]), desk=desk)
    debit = desk.debit(opened, amount, 30, right=right, time=time)
    return answers(debit, "B026000104", "B026000206", desk=desk)


def _purchase_without_pin() -> list[str]:
    desk = _account()
    desk.repower()
    answers("00A4000002DF04", desk=desk)
    return [desk.begin_purchase(1).hex()[-4:]]


def _torn_purchase() -> tuple[int, ...]:
    """Balance and number of details after a cut behind the amounts."""
    desk = _account()
    opened = desk.begin_purchase(100)
    debit = desk.debit(opened, 100)
    desk.memory.cut_power(7, Moment.BEFORE)
    with contextlib.suppress(PowerLost):
        answers(debit, desk=desk)
    desk.repower()
    return desk.account(Account.BALANCE), len(desk.details())


def _proof(count: str) -> list[str]:
    desk = _account()
    desk.load(500)
    return answers(f"B02E000102{count}", desk=desk)


def _starting_day() -> list[str]:
    desk = _account()
    return answers("B0560000020401", "B056010002", desk=desk)


def _counts() -> tuple[int, int]:
    desk = _account()
    desk.load(500)
    return desk.account(Account.LOAD_COUNT), len(desk.details())


@catalogue.add("card-commands.md §3.2: CREDIT FOR LOAD checks MAC2 of the host", lambda: _load(right=False), HINT)
def credit_for_load_without_checking_mac2(patch: Patch) -> None:
    patch.attribute(medical_load, "equal", lambda *_: True)


@catalogue.add(
    "card-commands.md §3.2: DEBIT FOR PURCHASE checks MAC1 of the terminal", lambda: _purchase(right=False), HINT
)
def debit_without_checking_mac1(patch: Patch) -> None:
    patch.attribute(medical_purchase, "equal", lambda *_: True)


@catalogue.add("card-commands.md §3.2: a purchase may take the whole balance, not more", lambda: _purchase(1000), HINT)
def purchase_of_the_whole_balance_is_refused(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        whole = session.data[1:5] == medical_account.amount_bytes(session, Account.BALANCE) != bytes(4)
        answered = original(session)
        return AMOUNT_INSUFFICIENT if whole and answered.endswith(OK) else answered

    original = medical_purchase.INITIALIZE_FOR_PURCHASE.run
    patch.command(medical_purchase.INITIALIZE_FOR_PURCHASE, run)


@catalogue.add("card-commands.md §3.2: a purchase needs the PIN, if one is set", _purchase_without_pin, HINT)
def purchase_without_pin(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        before = session.status
        session.status |= PIN_VERIFIED
        answered = original(session)
        session.status = before
        return answered

    original = medical_purchase.INITIALIZE_FOR_PURCHASE.run
    patch.command(medical_purchase.INITIALIZE_FOR_PURCHASE, run)


@catalogue.add(
    "card-commands.md §3.1: any command but the expected one ends the transaction",
    lambda: _purchase(between="0020000000"),
    HINT,
)
def medical_transaction_survives_foreign_commands(patch: Patch) -> None:
    def look_after(chip: Chip, session: Session, declared: Any, answered: bytes) -> None:
        transaction = session.transaction
        original(chip, session, declared, answered)
        session.transaction = transaction
        session.attentive = session.attentive or transaction is not None

    original = patch.attribute(Chip, "look_after", look_after)


@catalogue.add(
    "card-commands.md §3.2: the yearly totals begin at zero on the first day of the settlement year",
    lambda: _purchase(time="20250101000000"),
    HINT,
)
def yearly_totals_restart_a_day_late(patch: Patch) -> None:
    def number(session: Session, which: Account) -> int:
        return int(original(session, which)) + (which is Account.START_DAY)

    original = patch.attribute(medical_purchase, "number", number)


@catalogue.add(
    "card-commands.md §3.2, card-security.md §10: a purchase is one transaction of the memory", _torn_purchase, HINT
)
def purchase_in_two_transactions(patch: Patch) -> None:
    def post(session: Session, *given: Any) -> None:
        def commit(numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
            memory.commit(numbers, [])
            memory.commit([], strings)

        memory = session.memory
        session.memory = SimpleNamespace(numbers=memory.numbers, strings=memory.strings, commit=commit)  # type: ignore[assignment]
        try:
            original(session, *given)
        finally:
            session.memory = memory

    original = patch.attribute(medical_purchase, "post", post)


@catalogue.add(
    "card-commands.md §3.2: GET TRANSACTION PROOF answers for the last sequence number only, else 9406",
    lambda: _proof("0007"),
    "proof or medical",
)
def transaction_proof_of_any_number(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        held = session.memory.strings[session.layout.proofs + session.p2 - 1]
        session.data = held[:2] or session.data
        return original(session)

    original = medical_inquiry.GET_TRANSACTION_PROOF.run
    patch.command(medical_inquiry.GET_TRANSACTION_PROOF, run)


@catalogue.add("card-commands.md §3.2: UPDATE STARTING DAY needs DSK", _starting_day, "starting or medical")
def starting_day_is_written_without_its_key(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        before = session.status
        session.status |= 2 << session.layout.key_named("DSK")
        answered = original(session)
        session.status = before
        return answered

    original = medical_inquiry.UPDATE_STARTING_DAY.run
    patch.command(medical_inquiry.UPDATE_STARTING_DAY, run)


@catalogue.add("card-commands.md §3.2: each transaction adds a record to the details (EF08)", _counts, HINT)
def a_load_is_not_in_the_details(patch: Patch) -> None:
    original = patch.attribute(
        medical_account,
        "cycle",
        lambda ef, content, record: content if record[2] & 0xF == 1 else original(ef, content, record),
    )


@catalogue.add("card-commands.md §3.2: the sequence number of loads counts each load", _counts, HINT)
def load_count_stays(patch: Patch) -> None:
    def post(session: Session, kind: int, changes: list[tuple[Account, int]], *given: Any) -> None:
        original(session, kind, [each for each in changes if each[0] is not Account.LOAD_COUNT], *given)

    original = patch.attribute(medical_load, "post", post)


DEFECTS = tuple(catalogue.defects)
