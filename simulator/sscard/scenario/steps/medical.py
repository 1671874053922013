"""The verbs of the medical account (医疗账户, DF04): load and purchase, in commands or whole."""

from __future__ import annotations

import re
from functools import partial
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from sscard.document import Model
from sscard.driver.fields import yuan
from sscard.errors import InvalidValue
from sscard.fields import of_form
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.expressions import Number
from sscard.scenario.step import Count, Outcome, PinOrNone, Step
from sscard.standard.apdu import SW, command
from sscard.standard.applications import DF04
from sscard.standard.cipher import equal
from sscard.standard.tree import PURCHASE_TYPES
from sscard.terminal import flows
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.flow import run
from sscard.terminal.psam import PsamError
from sscard.transport.connection import exchange

LOAD, PURCHASE = 1, 2
Mac = Literal["right", "wrong"]
By = Literal["psam", "hsm"]
"""What makes and checks proofs and MACs for the terminal."""
LARGEST: Final = 0xFFFF_FFFF
TERMINAL: Final = "510100000001"
MORNING: Final = "20260105093000"
"""The time of a transaction that states none."""


def _fen(text: object) -> object:
    if isinstance(text, int):
        return text
    if not re.fullmatch(r"[0-9]{1,8}\.[0-9]{2}", str(text)) or int(str(text).replace(".", "")) > LARGEST:
        raise InvalidValue(Phrase("not an amount"), Phrase("write yuan with two decimals, as 12.34"))
    return int(str(text).replace(".", ""))


Yuan = Annotated[int, BeforeValidator(_fen)]
"""An amount in yuan with two decimals, in the model in fen."""
Time = Annotated[
    str,
    AfterValidator(of_form("[0-9A-Fa-f]{14}", Phrase("not a time"), Phrase("write YYYYMMDDhhmmss, as 20260105093000"))),
]
"""Date and time at the terminal, YYYYMMDDhhmmss."""
Year = Annotated[
    str,
    AfterValidator(of_form("[0-9]{4}", Phrase("not a year"), Phrase("write four digits: {example}", example="2026"))),
]
KeyIndex = Annotated[int, Field(ge=0, le=255)]
PsamCode = Annotated[Number, Field(ge=-0xFFFF, le=0)]
"""The code of a refusal of the PSAM, as of the driver; 0 for none."""
NOT_A_TERMINAL: Final = Phrase("not a terminal number")
TERMINAL_FORM: Final = Phrase("write 12 digits: {example}", example=TERMINAL)
Terminal = Annotated[str, AfterValidator(of_form("[0-9]{12}", NOT_A_TERMINAL, TERMINAL_FORM))]
"""The number of a terminal, 12 digits."""


def amount_text(data: bytes) -> str:
    """An amount of the card in yuan."""
    return yuan(int.from_bytes(data, "big"))


def _amounts(*fen: int) -> bytes:
    return b"".join(amount.to_bytes(4, "big") for amount in fen)


def _type(bench: Bench, kind: int) -> bytes:
    """The transaction type byte of the card [OC-18]."""
    return bytes((PURCHASE_TYPES[bench.chip.profile.personality.transaction_type_ascii][0] - PURCHASE + kind,))


def _mac(bench: Bench, key: str, terminal_end: bytes, message: bytes) -> bytes:
    """A MAC of the open transaction under DLK or DPK, by the HSM."""
    opening = bench.transaction.opening
    address = bench.hsm.address_of(key, opening[2] - 1 if opening[2] else 0)
    factor = opening[4:] + opening[:2] + terminal_end
    return bench.hsm.purchase_mac(bench.suite.algorithm_id, address, bench.reference, factor, message)


def _tac(bench: Bench, message: bytes) -> bytes:
    address = bench.hsm.address_of("DTK")
    return bench.hsm.transaction_proof(bench.suite.algorithm_id, address, bench.reference, message)


def verdict(right: bool) -> str:
    """A check as a reported value."""
    return "right" if right else "wrong"


def stated(model: Model, *fields: str) -> dict[str, str]:
    """The values of a model's fields that are stated, as reported: amounts in yuan, counts as numbers."""
    values = {name: getattr(model, name) for name in fields}
    return {
        name: value if isinstance(value, str) else str(value) for name, value in values.items() if value is not None
    }


def _yuan_text(value: object) -> str:
    return yuan(int(str(_fen(value))))


Amount = Annotated[str, BeforeValidator(_yuan_text)]
"""An expected amount in yuan."""


class MedicalStep(Step):
    """DF04 is selected, and the PIN verified if the card has one. Times are YYYYMMDDhhmmss, amounts yuan."""

    proofs: ClassVar[tuple[str, ...]] = ()
    """The proofs and MACs of the card that are checked."""
    compares: ClassVar[tuple[str, ...]] = ()
    """The fields of the verb's value with what the card must report."""

    def answers(self) -> dict[str, str]:
        if self.sw != SW.OK:
            return {}
        return dict.fromkeys(self.proofs, "right") | stated(getattr(self, self.verb), *self.compares)

    def title(self) -> Sayable:
        asked = getattr(self, self.verb)
        amounts = [getattr(asked, name, 0) for name in ("amount", "account", "self_paid", "pool")]
        said = " ".join((self.verb, *(yuan(amount) for amount in amounts if isinstance(amount, int) and amount)))
        return Phrase("{command} (wrong MAC)", command=said) if getattr(asked, "mac", "right") != "right" else said


# Load


class LoadBegun(Model):
    """The amount of a load in yuan, and the expected balance and load count before it.

    ``key_index`` is the index of DLK in the command, ``terminal`` the terminal number.
    """

    amount: Yuan
    key_index: KeyIndex = 1
    terminal: Terminal = TERMINAL
    balance: Amount | None = None
    count: Count | None = None


class InitializeForLoad(MedicalStep):
    """INITIALIZE FOR LOAD; after ``9000`` the HSM checks MAC1."""

    verb: ClassVar[str] = "initialize_for_load"
    proofs: ClassVar[tuple[str, ...]] = ("mac1",)
    compares: ClassVar[tuple[str, ...]] = ("balance", "count")
    initialize_for_load: LoadBegun

    def run(self, bench: Bench) -> Outcome:
        return _begin_load(bench, self.initialize_for_load)


class Ending(Model):
    """A right or wrong MAC for the card, and the time at the host or terminal."""

    mac: Mac = "right"
    time: Time = MORNING


class CreditForLoad(MedicalStep):
    """CREDIT FOR LOAD; after ``9000`` the HSM checks the TAC."""

    verb: ClassVar[str] = "credit_for_load"
    proofs: ClassVar[tuple[str, ...]] = ("tac",)
    credit_for_load: Ending

    def run(self, bench: Bench) -> Outcome:
        return _credit(bench, self.credit_for_load)


class WholeLoad(Model):
    """The amount of a load in yuan."""

    amount: Yuan
    time: Time = MORNING
    key_index: KeyIndex = 1


class Load(MedicalStep):
    """A whole load: INITIALIZE FOR LOAD and CREDIT FOR LOAD."""

    verb: ClassVar[str] = "load"
    proofs: ClassVar[tuple[str, ...]] = ("mac1", "tac")
    load: WholeLoad

    def run(self, bench: Bench) -> Outcome:
        begun = _begin_load(bench, LoadBegun(amount=self.load.amount, key_index=self.load.key_index))
        if begun.sw != SW.OK:
            return begun
        done = _credit(bench, Ending(time=self.load.time))
        return Outcome(done.sw, done.data, reported=begun.reported | done.reported)


def _begin_load(bench: Bench, asked: LoadBegun) -> Outcome:
    amount, terminal = _amounts(asked.amount), bytes.fromhex(asked.terminal)
    sent = command(0xB0, 0x28, 0x00, 0x01, bytes((asked.key_index,)) + amount + terminal)
    data, sw = exchange(bench.connection, sent)
    if sw != SW.OK:
        return Outcome(sw, data)
    now = bench.transaction
    now.opening, now.amounts, now.balance = data[4:12], amount, int.from_bytes(data[:4], "big")
    now.entry = amount + _type(bench, LOAD) + terminal
    mac1 = _mac(bench, "DLK", b"\x80\x00", data[:4] + now.entry)
    return Outcome(
        sw,
        data,
        reported={
            "balance": amount_text(data[:4]),
            "count": str(int.from_bytes(data[4:6], "big")),
            "mac1": verdict(equal(mac1, data[12:])),
        },
    )


def _credit(bench: Bench, asked: Ending) -> Outcome:
    now, time = bench.transaction, bytes.fromhex(asked.time)
    mac2 = _mac(bench, "DLK", b"\x80\x00", now.entry + time)
    balance = _amounts(min(LARGEST, now.balance + int.from_bytes(now.amounts[:4], "big")))
    tac = _tac(bench, balance + now.opening[:2] + now.entry + time)
    before, now.proof = now.proof, bytes(4) + tac
    data, sw = exchange(bench.connection, command(0xB0, 0x2A, 0x00, 0x00, time + _chosen(mac2, asked.mac)))
    if sw != SW.OK:
        now.proof = before
        return Outcome(sw, data)
    return Outcome(sw, data, reported={"tac": verdict(equal(tac, data))})


def _chosen(mac: bytes, which: Mac) -> bytes:
    return mac if which == "right" else mac[:-1] + bytes((mac[-1] ^ 1,))


# Purchase


class PurchaseBegun(Model):
    """The amounts of a purchase in yuan; expected balance, yearly totals, settlement year and count before it.

    ``account`` is paid by the account, ``self_paid`` by the holder, ``pool`` by the fund.
    ``key_index`` is the index of DPK in the command, ``terminal`` the terminal number.
    """

    account: Yuan = 0
    self_paid: Yuan = 0
    pool: Yuan = 0
    key_index: KeyIndex = 1
    terminal: Terminal = TERMINAL
    balance: Amount | None = None
    self_paid_total: Amount | None = None
    pool_total: Amount | None = None
    year: Year | None = None
    count: Count | None = None


class InitializeForPurchase(MedicalStep):
    """INITIALIZE FOR PURCHASE."""

    verb: ClassVar[str] = "initialize_for_purchase"
    compares: ClassVar[tuple[str, ...]] = ("balance", "self_paid_total", "pool_total", "year", "count")
    initialize_for_purchase: PurchaseBegun

    def run(self, bench: Bench) -> Outcome:
        asked = self.initialize_for_purchase
        amounts, terminal = _amounts(asked.account, asked.self_paid, asked.pool), bytes.fromhex(asked.terminal)
        sent = command(0xB0, 0x28, 0x01, 0x01, bytes((asked.key_index,)) + amounts + terminal)
        data, sw = exchange(bench.connection, sent)
        if sw != SW.OK:
            return Outcome(sw, data)
        now = bench.transaction
        now.opening, now.amounts = data[14:22], amounts
        now.entry = amounts + _type(bench, PURCHASE) + terminal
        amount_names = ("balance", "self_paid_total", "pool_total")
        reported = {name: amount_text(data[at : at + 4]) for name, at in zip(amount_names, (0, 4, 8), strict=True)}
        reported |= {"year": data[12:14].hex(), "count": str(int.from_bytes(data[14:16], "big"))}
        return Outcome(sw, data, reported=reported)


class TerminalEnding(Ending):
    """A right or wrong MAC1 for the card, with time and sequence number of the terminal."""

    sequence: Annotated[int, Field(ge=0, le=LARGEST)] = 35


class DebitForPurchase(MedicalStep):
    """DEBIT FOR PURCHASE; after ``9000`` the HSM checks TAC and MAC2."""

    verb: ClassVar[str] = "debit_for_purchase"
    proofs: ClassVar[tuple[str, ...]] = ("tac", "mac2")
    debit_for_purchase: TerminalEnding

    def run(self, bench: Bench) -> Outcome:
        asked, now = self.debit_for_purchase, bench.transaction
        sequence, time = asked.sequence.to_bytes(4, "big"), bytes.fromhex(asked.time)
        mac1 = _mac(bench, "DPK", sequence[2:], now.entry + time)
        mac2 = _mac(bench, "DPK", sequence[2:], now.amounts)
        tac = _tac(bench, now.entry + sequence + time)
        before, now.proof = now.proof, mac2 + tac  # the proof also of a purchase whose answer is lost
        sent = command(0xB0, 0x2C, 0x01, 0x00, sequence + time + _chosen(mac1, asked.mac))
        data, sw = exchange(bench.connection, sent)
        if sw != SW.OK:
            now.proof = before
            return Outcome(sw, data)
        return Outcome(
            sw, data, reported={"tac": verdict(equal(tac, data[:4])), "mac2": verdict(equal(mac2, data[4:]))}
        )


class WholePurchase(Model):
    """The amounts of a purchase in yuan, who makes and checks the MACs, and the PIN if it must be verified.

    ``count`` is the expected purchase count before it.
    """

    account: Yuan = 0
    self_paid: Yuan = 0
    pool: Yuan = 0
    by: By = "psam"
    pin: PinOrNone = Field(default="", repr=False)
    time: Time = MORNING
    key_index: KeyIndex = 1
    count: Count | None = None


class Purchase(MedicalStep):
    """A whole purchase at a terminal: DF04, PIN, INITIALIZE, MAC1, DEBIT, check of MAC2 and TAC.

    ``psam_code`` is the code with which the PSAM refuses, 0 if it does not.
    """

    verb: ClassVar[str] = "purchase"
    purchase: WholePurchase
    psam_code: PsamCode = 0

    def run(self, bench: Bench) -> Outcome:
        asked, session, station = self.purchase, bench.terminal, bench.station
        answer = station.psam.answer if asked.by == "psam" else HsmAnswers(bench.hsm, station.sequences)
        send = partial(exchange, bench.connection)
        amounts, time = _amounts(asked.account, asked.self_paid, asked.pool), bytes.fromhex(asked.time)
        kind = _type(bench, PURCHASE)
        session.run(flows.select_df(DF04))
        session.card.df = DF04
        if asked.pin:
            session.verify_pin(asked.pin)
        try:
            terminal = station.psam.terminal_number() if asked.by == "psam" else TERMINAL
            bought = run(flows.purchase(session.card, asked.key_index, amounts, kind, terminal, time), send, answer)
        except PsamError as error:
            return Outcome(reported={"psam_code": str(error.code)})
        bench.transaction.proof = bought.mac2 + bought.tac
        entry = amounts + kind + bytes.fromhex(terminal) + bought.made.sequence + time
        return Outcome(
            reported={
                "psam_code": "0",
                "tac": verdict(equal(_tac(bench, entry), bought.tac)),
                "count": str(int.from_bytes(bought.asked.purchase_count, "big")),
            }
        )

    def answers(self) -> dict[str, str]:
        if self.sw != SW.OK:
            return {}
        answers = {"psam_code": str(self.psam_code)}
        if self.psam_code:
            return answers
        return answers | {"tac": "right"} | stated(self.purchase, "count")
