"""Defects of the card: the medical account in DF04."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from sscard.card.chip import Chip
from sscard.card.commands import medical_account, medical_inquiry, medical_load, medical_purchase
from sscard.card.session import Session
from sscard.chip.answers import AMOUNT_INSUFFICIENT, OK
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard.tree import PIN_VERIFIED, Account

catalogue = Catalogue(Part.CARD)


@catalogue.defect("card-commands.md §3.2: CREDIT FOR LOAD checks MAC2 of the host", "load-wrong-mac")
def credit_for_load_without_checking_mac2(patch: Patch) -> None:
    """CREDIT FOR LOAD does not check MAC2."""
    patch.attribute(medical_load, "equal", lambda *_: True)


@catalogue.defect("card-commands.md §3.2: DEBIT FOR PURCHASE checks MAC1 of the terminal", "purchase-wrong-mac")
def debit_without_checking_mac1(patch: Patch) -> None:
    """DEBIT FOR PURCHASE does not check MAC1."""
    patch.attribute(medical_purchase, "equal", lambda *_: True)


@catalogue.defect("card-commands.md §3.2: a purchase may take the whole balance, not more", "whole-balance")
def purchase_of_the_whole_balance_is_refused(patch: Patch) -> None:
    """A purchase of the whole balance is refused with 9401."""

    def run(session: Session) -> bytes:
        whole = session.data[1:5] == medical_account.amount_bytes(session, Account.BALANCE) != bytes(4)
        answered = original(session)
        return AMOUNT_INSUFFICIENT if whole and answered.endswith(OK) else answered

    original = medical_purchase.INITIALIZE_FOR_PURCHASE.run
    patch.command(medical_purchase.INITIALIZE_FOR_PURCHASE, run)


@catalogue.defect("card-commands.md §3.2: a purchase needs the PIN, if one is set", "without-pin")
def purchase_without_pin(patch: Patch) -> None:
    """A purchase does not need the PIN."""

    def run(session: Session) -> bytes:
        before = session.status
        session.status |= PIN_VERIFIED
        answered = original(session)
        session.status = before
        return answered

    original = medical_purchase.INITIALIZE_FOR_PURCHASE.run
    patch.command(medical_purchase.INITIALIZE_FOR_PURCHASE, run)


@catalogue.defect("card-commands.md §3.1: any command but the expected one ends the transaction", "foreign-command")
def medical_transaction_survives_foreign_commands(patch: Patch) -> None:
    """A medical transaction continues after a command that does not belong to it."""

    def look_after(chip: Chip, session: Session, declared: Any, answered: bytes) -> None:
        transaction = session.transaction
        original(chip, session, declared, answered)
        session.transaction = transaction
        session.attentive = session.attentive or transaction is not None

    original = patch.attribute(Chip, "look_after", look_after)


@catalogue.defect(
    "card-commands.md §3.2: the yearly totals begin at zero on the first day of the settlement year", "yearly-totals"
)
def yearly_totals_restart_a_day_late(patch: Patch) -> None:
    """The yearly totals begin at zero one day late."""

    def number(session: Session, which: Account) -> int:
        return int(original(session, which)) + (which is Account.START_DAY)

    original = patch.attribute(medical_purchase, "number", number)


@catalogue.defect(
    "card-commands.md §3.2, card-security.md §10: a purchase is one transaction of the memory", "torn-purchase"
)
def purchase_in_two_transactions(patch: Patch) -> None:
    """A purchase is written in two parts, and a power cut can separate them."""

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


@catalogue.defect(
    "card-commands.md §3.2: GET TRANSACTION PROOF answers for the last sequence number only, else 9406",
    "medical and proof",
)
def transaction_proof_of_any_number(patch: Patch) -> None:
    """GET TRANSACTION PROOF answers for any sequence number."""

    def run(session: Session) -> bytes:
        held = session.memory.strings[session.layout.proofs + session.p2 - 1]
        session.data = held[:2] or session.data
        return original(session)

    original = medical_inquiry.GET_TRANSACTION_PROOF.run
    patch.command(medical_inquiry.GET_TRANSACTION_PROOF, run)


@catalogue.defect("card-commands.md §3.2: UPDATE STARTING DAY needs DSK", "starting-day")
def starting_day_is_written_without_its_key(patch: Patch) -> None:
    """UPDATE STARTING DAY does not need its key DSK."""

    def run(session: Session) -> bytes:
        before = session.status
        session.status |= 2 << session.layout.key_named("DSK")
        answered = original(session)
        session.status = before
        return answered

    original = medical_inquiry.UPDATE_STARTING_DAY.run
    patch.command(medical_inquiry.UPDATE_STARTING_DAY, run)


@catalogue.defect(
    "card-commands.md §3.2: each transaction adds a record to the details (EF08)", "load.yaml or thirty-records"
)
def a_load_is_not_in_the_details(patch: Patch) -> None:
    """A load is not recorded in the transaction details."""
    original: Any = patch.attribute(
        medical_account,
        "cycle",
        lambda ef, content, record: content if record[2] & 0xF == 1 else original(ef, content, record),
    )


@catalogue.defect("card-commands.md §3.2: the sequence number of loads counts each load", "load.yaml")
def load_count_stays(patch: Patch) -> None:
    """The sequence number of loads is not increased."""

    def post(session: Session, kind: int, changes: list[tuple[Account, int]], *given: Any) -> None:
        original(session, kind, [each for each in changes if each[0] is not Account.LOAD_COUNT], *given)

    original = patch.attribute(medical_load, "post", post)


@catalogue.defect("card-commands.md §3: the account is used with off-line mode only (item 8F is 2)", "on-line-card")
def a_card_used_on_line_pays(patch: Patch) -> None:
    """A card in on-line mode accepts off-line purchases."""
    patch.attribute(medical_account, "_card_mode", lambda _session: medical_account.OFF_LINE)


@catalogue.defect("card-commands.md §3.2: an unknown key index is refused (9403)", "unknown-key-index")
def unknown_key_index_means_the_first_key(patch: Patch) -> None:
    """A purchase with an unknown key index uses the first key."""

    def run(session: Session) -> bytes:
        if session.data[0] > 3:
            session.data = b"\x01" + session.data[1:]
        return original(session)

    original = medical_purchase.INITIALIZE_FOR_PURCHASE.run
    patch.command(medical_purchase.INITIALIZE_FOR_PURCHASE, run)


@catalogue.defect(
    "card-commands.md §3.2: a sequence number at FFFF ends the transactions (9402)", "counter-full or counters-full"
)
def a_full_sequence_number_is_used(patch: Patch) -> None:
    """A transaction is accepted although its sequence number is FFFF."""
    patch.attribute(medical_account, "MAX_COUNT", medical_account.MAX_COUNT + 1)


@catalogue.defect("card-commands.md §3.3: self-paid and pool amount are added to their own totals", "yearly-totals")
def self_paid_and_pool_total_are_swapped(patch: Patch) -> None:
    """The totals of self-paid and pool amounts are swapped."""

    def settle(*given: Any) -> list[tuple[Account, int]]:
        other = {Account.SELF_PAID: Account.POOL_PAID, Account.POOL_PAID: Account.SELF_PAID}
        return [(other.get(which, which), value) for which, value in original(*given)]

    original = patch.attribute(medical_purchase, "_settle", settle)


@catalogue.defect(
    "card-commands.md §3.3: TAC of a purchase covers the sequence number of the terminal", "medical and purchase.yaml"
)
def tac_of_a_purchase_leaves_out_the_terminal_sequence(patch: Patch) -> None:
    """The TAC of a purchase does not cover the sequence number of the terminal."""
    original: Any = patch.attribute(
        medical_purchase, "proof_of", lambda session, message: original(session, message[:-11] + message[-7:])
    )


@catalogue.defect(
    "card-commands.md §3.3: the card proves a purchase to the PSAM with MAC2", "medical and purchase.yaml"
)
def mac2_of_a_purchase_is_mac1(patch: Patch) -> None:
    """The card returns the terminal's MAC1 as its MAC2."""

    def run(session: Session) -> bytes:
        mac1 = session.data[11:]
        answered = original(session)
        return answered[:4] + mac1 + OK if answered.endswith(OK) else answered

    original = medical_purchase.DEBIT_FOR_PURCHASE.run
    patch.command(medical_purchase.DEBIT_FOR_PURCHASE, run)


DEFECTS = tuple(catalogue.defects)
