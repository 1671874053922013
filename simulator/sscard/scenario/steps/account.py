"""The verbs that read the medical account (DF04): balances, proofs, starting day, transaction records."""

from __future__ import annotations

from functools import partial
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.fields import of_form
from sscard.i18n.phrase import Phrase
from sscard.scenario.context import Bench
from sscard.scenario.step import Count, Mismatch, Outcome, View
from sscard.scenario.steps.medical import LOAD, PURCHASE, Amount, MedicalStep, Time, Year, amount_text, stated, verdict
from sscard.standard.apdu import SW, command
from sscard.standard.cipher import equal
from sscard.terminal import flows
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.flow import Flow, run
from sscard.transport.connection import exchange

KINDS: Final = {"load": LOAD, "purchase": PURCHASE}
Kind = Literal["load", "purchase"]
DETAILS: Final = 0xEF08
FIELDS: Final = ("kind", "count", "account", "self_paid", "pool", "time")
"""The fields of a record in the order of a report."""
NO_RECORD: Final = Phrase("no record")


Day = Annotated[
    str,
    AfterValidator(
        of_form("[0-9A-Fa-f]{4}", Phrase("not a day"), Phrase("write month and day in four digits, as 0401"))
    ),
]
"""Month and day, MMDD."""


class Balances(Model):
    """The expected amounts in yuan and the settlement year; only what is stated is read.

    If the card refuses, the amounts only say what is read.
    """

    account: Amount | None = None
    self_paid: Amount | None = None
    pool: Amount | None = None
    year: Year | None = None

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise InvalidValue(
                Phrase("no amount is stated"),
                Phrase("write one or more of {words}", words=", ".join(Balances.model_fields)),
            )
        return self


class GetBalance(MedicalStep):
    """GET BALANCE: the account, the yearly totals and their year."""

    verb: ClassVar[str] = "get_balance"
    compares: ClassVar[tuple[str, ...]] = ("account", "self_paid", "pool", "year")
    get_balance: Balances

    def run(self, bench: Bench) -> Outcome:
        reported: dict[str, str] = {}
        years: list[str] = []
        for p2, name in enumerate(("account", "self_paid", "pool"), 1):
            year_too = p2 > 1 and self.get_balance.year is not None
            if getattr(self.get_balance, name) is None and not year_too:
                continue
            data, sw = exchange(bench.connection, command(0xB0, 0x26, 0x00, p2, le=4 if p2 == 1 else 6))
            if sw != SW.OK:
                return Outcome(sw, data)
            reported[name] = amount_text(data[:4])
            if p2 > 1:
                years.append(data[4:].hex())
        if years:
            reported["year"] = " ".join(dict.fromkeys(years))  # both totals have one
        return Outcome(reported=reported)

    def compared(self) -> frozenset[str]:
        return frozenset(stated(self.get_balance, *self.compares))


class ProofOf(Model):
    """The transaction whose proof is asked: load or purchase, and its count."""

    kind: Kind
    count: Annotated[int, Field(ge=0, le=0xFFFF)]


class GetTransactionProof(MedicalStep):
    """GET TRANSACTION PROOF; after ``9000`` it must repeat MAC and TAC of the last transaction."""

    verb: ClassVar[str] = "get_transaction_proof"
    proofs: ClassVar[tuple[str, ...]] = ("proof",)
    get_transaction_proof: ProofOf

    def run(self, bench: Bench) -> Outcome:
        asked = self.get_transaction_proof
        sent = command(0xB0, 0x2E, 0x00, KINDS[asked.kind], asked.count.to_bytes(2, "big"))
        data, sw = exchange(bench.connection, sent)
        return Outcome(sw, data, reported={"proof": verdict(equal(data, bench.transaction.proof))})


class GetStartingDay(MedicalStep):
    """GET STARTING DAY: the expected month and day, MMDD."""

    verb: ClassVar[str] = "get_starting_day"
    get_starting_day: Day

    def run(self, bench: Bench) -> Outcome:
        data, sw = exchange(bench.connection, command(0xB0, 0x56, 0x01, 0x00, le=2))
        return Outcome(sw, data, reported={"day": data.hex()})

    def answers(self) -> dict[str, str]:
        return {"day": self.get_starting_day} if self.sw == SW.OK else {}


class UpdateStartingDay(MedicalStep):
    """UPDATE STARTING DAY, without authenticating DSK first; month and day, MMDD."""

    verb: ClassVar[str] = "update_starting_day"
    update_starting_day: Day

    def run(self, bench: Bench) -> Outcome:
        data, sw = exchange(bench.connection, command(0xB0, 0x56, 0x00, 0x00, bytes.fromhex(self.update_starting_day)))
        return Outcome(sw, data)


class Record(Model):
    """The expected fields of a record of EF08; amounts in yuan."""

    kind: Kind
    count: Count
    account: Amount = "0.00"
    self_paid: Amount = "0.00"
    pool: Amount = "0.00"
    time: Time | None = None


def _records(value: object) -> object:
    return value or []


class TransactionRecords(MedicalStep):
    """Read the transaction records (DF04 EF08), the newest first; no value: the card has none."""

    verb: ClassVar[str] = "transaction_records"
    transaction_records: Annotated[tuple[Record, ...], BeforeValidator(_records)]

    def run(self, bench: Bench) -> Outcome:
        def read() -> Flow[list[bytes]]:
            yield from flows.select_ef(DETAILS)
            return (yield from flows.read_cycle())

        held = run(read(), partial(exchange, bench.connection), HsmAnswers(bench.hsm))
        shown = [
            _record_text(record, timed=one.time is not None)
            for record, one in zip(held, self.transaction_records, strict=False)
        ]
        shown += [_record_text(record, timed=False) for record in held[len(shown) :]]
        return Outcome(reported={"records": "; ".join(shown)})

    def compared(self) -> frozenset[str]:
        refused = self.sw != SW.OK and self.transaction_records
        return super().compared() | (set() if refused else {self.verb})

    def check(self, before: View, after: View, outcome: Outcome) -> list[Mismatch]:
        found = super().check(before, after, outcome)
        expected = "; ".join(
            " ".join((one.kind, str(one.count), one.account, one.self_paid, one.pool, one.time or "")).rstrip()
            for one in self.transaction_records
        )
        held = outcome.reported.get("records", expected)
        if held != expected:
            fields = [
                f"{{{', '.join(map(': '.join, zip(FIELDS, one.split(), strict=False)))}}}" for one in held.split("; ")
            ]
            write = f"[{', '.join(fields if held else [])}]"
            found.append(Mismatch(self.verb, expected or NO_RECORD, held or NO_RECORD, write=write))
        return found


def _record_text(record: bytes, *, timed: bool) -> str:
    """Kind, count, account, self-paid and pool amount, and the time."""
    kind = "load" if record[2] & 0x0F == LOAD else "purchase"
    amounts = [amount_text(record[at : at + 4]) for at in (16, 20, 24)]
    time = [record[9:16].hex()] if timed else []
    return " ".join((kind, str(int.from_bytes(record[:2], "big")), *amounts, *time))
