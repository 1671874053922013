"""The verbs of the driver (LD/T 33): one function raw, or a whole operation by PSAM or by the steps of the HSM."""

from __future__ import annotations

import json
import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from sscard.document import Model
from sscard.driver.api import FUNCTIONS
from sscard.driver.errors import Code
from sscard.driver.errors import outcome as error_of
from sscard.driver.fields import join, yuan
from sscard.driver.libraries import without_pin
from sscard.errors import InvalidValue
from sscard.hsm import HsmError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.expressions import Number
from sscard.scenario.service_faults import ProcessKilled
from sscard.scenario.step import Mismatch, Outcome, Step, Texts, View, without_power
from sscard.scenario.steps.medical import MORNING, By, Time, Yuan
from sscard.standard.apdu import SW
from sscard.terminal.errors import WrongPin
from sscard.terminal.pinpad import EntryCancelled, EntryTimedOut

CardName = Literal["own", "other"]
READER_TYPES: Final = {"contact": 1, "contactless": 2, "contact-first": 3, "contactless-first": 4}
ReaderType = Literal["contact", "contactless", "contact-first", "contactless-first"]
SOURCES: Final = {"pin": 1, "key": 2}
OTHER_CARD: Final = "410402D15600000500000002A1B2C3D4|B00000019|"
"""The pCardInfo of a card that is not on the bench."""
Entry = str | type[EntryCancelled | EntryTimedOut]
ENTRIES: Final[dict[str, Entry]] = {"cancelled": EntryCancelled, "timed-out": EntryTimedOut}
"""What a holder does at the PIN pad instead of entering a PIN."""
ANY_TEXT: Final = "*"
"""Any text inside one field of pOutInfo."""
WRONG: Final = "wrong"


def _entries(value: object) -> object:
    return [str(entry) for entry in value] if isinstance(value, list) else [value]


def _minus(text: object) -> object:
    return str(text).replace("−", "-")


Entries = Annotated[tuple[str, ...], BeforeValidator(_entries)]
ReturnCode = Annotated[Number, BeforeValidator(_minus), Field(ge=-0xFFFF, le=0)]
"""A return code of the driver, as -51; an expression over the choices of the card: -25536 - (key_tries - 1)."""


class DriverStep(Step):
    """Steps of the driver call functions of LD/T 33; afterwards the card has no power, unless ``state`` is stated.

    ``entries`` is what the holder does at the PIN pad in turn: digits,
    ``cancelled`` or ``timed-out``; an entry that the driver does not ask for
    fails the step. ``prompts`` are the prompts of the pad. ``code`` is the
    return code, 0 for success, ``error`` its text (by default, that of -51
    names the tries left). ``out`` is pOutInfo. ``*`` in ``error`` and ``out``
    is any text up to the next bar. ``host: fails``: the HSM gives no answer for
    a step, and the program ends; then there is no ``code``. ``sw: none``: the
    program is killed (fault ``killed``); then nothing is returned.
    """

    inserts: ClassVar[bool] = False
    entries: Entries = Field(default=(), repr=False)
    prompts: Texts | None = None
    code: ReturnCode = 0
    error: str | None = None
    out: str | None = None
    host: Literal["answers", "fails"] = "answers"

    def run(self, bench: Bench) -> Outcome:
        station = bench.station
        done: list[Entry] = [ENTRIES.get(entry, entry) for entry in self.entries]
        station.pad.script(*done)
        bench.session = None
        faults = bench.hsm.happened
        try:
            return self.called(bench)
        except HsmError:
            station.rebuild()  # the program ends, and the card loses its power
            if self.host == "answers" and bench.hsm.happened == faults:
                raise
            return Outcome(reported={"host": "fails", "error": "", "out": "", **_at_pad(bench)})
        except ProcessKilled:
            station.rebuild()
            raise

    @property
    def succeeds(self) -> bool:
        """Whether the function is expected to return 0."""
        return not self.code and self.host == "answers" and self.sw is not None

    def called(self, bench: Bench) -> Outcome:
        """The outcome of the driver calls."""
        raise NotImplementedError

    def title(self) -> Sayable:
        how = getattr(self, self.verb)
        if not isinstance(how, Operated):
            return self.verb
        if how.wrong_step is None:
            return f"{self.verb} {how.by}"
        return Phrase("{verb} {by} (wrong pKey of step {step})", verb=self.verb, by=how.by, step=how.wrong_step)

    def answers(self) -> dict[str, str]:
        if self.sw is None:
            return {}
        answers = {} if self.host == "fails" else {"code": str(self.code)}
        answers["host"] = self.host
        return answers if self.prompts is None else answers | {"prompts": " ".join(self.prompts)}

    def compared(self) -> frozenset[str]:
        return super().compared() | (set() if self.sw is None else {"error", "out"})

    def check(self, before: View, after: View, outcome: Outcome) -> list[Mismatch]:
        found = super().check(before, after, outcome)
        error = self.error
        if error is None and self.code == Code.PIN_WRONG:
            _, error = error_of(WrongPin("", SW.TRIES_LEFT + after.tries))
        if outcome.failure or outcome.sw is None:
            return found
        entered = outcome.reported["entries"]
        if entered != str(len(self.entries)):
            found.append(Mismatch("entries", str(len(self.entries)), entered))
        for what, pattern in (("error", error), ("out", self.out)):
            text = outcome.reported[what]
            if pattern is not None and not _fits(pattern, text):
                quoted = json.dumps(text, ensure_ascii=False)
                found.append(Mismatch(what, pattern, text or Phrase("no data"), write=quoted))
        return found

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        return super().expected_state(before if self.state is not None else without_power(before), tries)


def _fits(pattern: str, text: str) -> bool:
    """Whether a pOutInfo matches a pattern."""
    return re.fullmatch("[^|]*".join(map(re.escape, pattern.split(ANY_TEXT))), text) is not None


def reported(bench: Bench, function: str, code: int, out: str) -> Outcome:
    """The outcome of one or several calls; a PIN in pOutInfo is masked."""
    return Outcome(
        reported={
            "code": str(code),
            "host": "answers",
            "error": out if code else "",
            "out": "" if code else without_pin(function, out),
            **_at_pad(bench),
        }
    )


def _at_pad(bench: Bench) -> dict[str, str]:
    """The prompts of the PIN pad, and the number of entries that were asked for."""
    prompts = bench.station.pad.prompts
    return {"prompts": " ".join(prompts), "entries": str(len(prompts))}


# Whole operations


class Operated(Model):
    """How an operation of the driver is called.

    ``by``: with the PSAM, or by the steps for an HSM, which the HSM of the bench
    answers. ``reader`` is iType. ``card`` is pCardInfo: that of the card (``own``), of ``other``, or
    a text. ``wrong_step`` is a step (2 or 3) for which the HSM gives a wrong
    proof or MAC: one digit differs.
    """

    by: By = "psam"
    reader: ReaderType = "contact-first"
    card: CardName | str = "own"
    wrong_step: Annotated[int, Field(ge=2, le=3)] | None = None

    @model_validator(mode="after")
    def _has_steps(self) -> Operated:
        if self.wrong_step and self.by == "psam":
            raise InvalidValue(Phrase("a PSAM has no steps"), Phrase("write by: hsm, or remove wrong_step"))
        return self


def _operate(bench: Bench, name: str, how: Operated, parameters: list[int | str], later: str | None = None) -> Outcome:
    """All calls of an operation, until one fails; ``later`` is a parameter that the second HSM step takes."""
    station = bench.station
    if how.by == "psam":
        given = parameters if later is None else [*parameters, later]
        return reported(bench, name, *station.call(name, given))
    function, given = f"{name}_HSM_Step1", parameters
    while True:
        code, out = station.call(function, given)
        following = FUNCTIONS[function].next_step
        if code or not following:
            return reported(bench, function, code, out)
        key = station.host_answer(following)
        if str(how.wrong_step) == following[-1:]:
            key = spoiled(following, key)
        function, given = following, [key]
        if later is not None:
            given.append(later)


def spoiled(step: str, key: str) -> str:
    """A pKey in which one digit differs: the last of a MAC, the first of a proof."""
    place = len(key.rstrip("|")) - 1 if step.endswith("Step3") or step == "iDoDebit_HSM_Step2" else 0
    return key[:place] + ("1" if key[place] == "0" else "0") + key[place + 1 :]


def _type_and_card(bench: Bench, how: Operated) -> list[int | str]:
    return [READER_TYPES[how.reader], card_info(bench, how.card)]


def card_info(bench: Bench, card: str) -> str:
    """The pCardInfo of a card by word, or the text itself."""
    if card == "own":
        return join(bench.identity.identification_code, bench.identity.card_number)
    return OTHER_CARD if card == "other" else card


class ReadBasicData(Operated):
    """``as_issued: no`` does not compare identity and holder with those of the card."""

    as_issued: bool = True


class DriverReadBasic(DriverStep):
    """iReadCardBas: internal authentication and the eleven fields of the basic data."""

    verb: ClassVar[str] = "driver_read_basic"
    driver_read_basic: ReadBasicData

    def called(self, bench: Bench) -> Outcome:
        asked, identity = self.driver_read_basic, bench.identity
        outcome = _operate(bench, "iReadCardBas", asked, [READER_TYPES[asked.reader]])
        fields = outcome.reported["out"].split("|")
        # A card that fills a name with digits (choice an_padding) cannot show where it ends.
        fill = chr(bench.chip.profile.personality.an_padding)
        issued = [identity.city_code, bench.holder.id_number, identity.card_number, identity.identification_code]
        right = not asked.as_issued or [*issued, bench.holder.name.rstrip(fill)] == [
            *fields[:4],
            *(name.rstrip(fill) for name in fields[4:5]),
        ]
        return Outcome(reported=outcome.reported | {"holder": "issued" if right else "other"})

    def answers(self) -> dict[str, str]:
        return super().answers() | ({"holder": "issued"} if self.succeeds else {})


class ReadFiles(Operated):
    """``files`` is pFileAddr; ``right`` is what to prove if a file leaves a choice, ``pin`` or ``key`` (iAuthType)."""

    files: str
    right: Literal["pin", "key"] = "pin"


class DriverRead(DriverStep):
    """iReadCard: items of files; by HSM only the first file, which needs a key."""

    verb: ClassVar[str] = "driver_read"
    driver_read: ReadFiles

    def called(self, bench: Bench) -> Outcome:
        asked = self.driver_read
        reader, card = _type_and_card(bench, asked)
        source: list[int | str] = [SOURCES[asked.right]] if asked.by == "psam" else []
        return _operate(bench, "iReadCard", asked, [reader, *source, card, asked.files])


class WriteFiles(Operated):
    """``files`` is pFileAddr, ``values`` is pWriteData."""

    files: str
    values: str


class DriverWrite(DriverStep):
    """iWriteCard: items of files; by HSM only the first file."""

    verb: ClassVar[str] = "driver_write"
    driver_write: WriteFiles

    def called(self, bench: Bench) -> Outcome:
        asked = self.driver_write
        return _operate(bench, "iWriteCard", asked, [*_type_and_card(bench, asked), asked.files], asked.values)


class OnReader(Model):
    """``reader`` is iType."""

    reader: ReaderType = "contact-first"


def _call(bench: Bench, function: str, how: OnReader) -> Outcome:
    return reported(bench, function, *bench.station.call(function, [READER_TYPES[how.reader]]))


class DriverVerifyPin(DriverStep):
    """iVerifyPIN: ``entries`` is the PIN at the pad."""

    verb: ClassVar[str] = "driver_verify_pin"
    driver_verify_pin: OnReader = OnReader()

    def called(self, bench: Bench) -> Outcome:
        return _call(bench, "iVerifyPIN", self.driver_verify_pin)


class DriverChangePin(DriverStep):
    """iChangePIN: ``entries`` are the old PIN and twice the new one."""

    verb: ClassVar[str] = "driver_change_pin"
    driver_change_pin: OnReader = OnReader()

    def called(self, bench: Bench) -> Outcome:
        return _call(bench, "iChangePIN", self.driver_change_pin)


class DriverResetPin(DriverStep):
    """iReloadPIN: ``entries`` is twice the new PIN."""

    verb: ClassVar[str] = "driver_reset_pin"
    driver_reset_pin: Operated

    def called(self, bench: Bench) -> Outcome:
        return _operate(bench, "iReloadPIN", self.driver_reset_pin, _type_and_card(bench, self.driver_reset_pin))


class DriverUnblockPin(DriverStep):
    """iUnblockPIN: the old PIN stays valid."""

    verb: ClassVar[str] = "driver_unblock_pin"
    driver_unblock_pin: Operated

    def called(self, bench: Bench) -> Outcome:
        return _operate(bench, "iUnblockPIN", self.driver_unblock_pin, _type_and_card(bench, self.driver_unblock_pin))


class Payment(Operated):
    """Amounts in yuan: the total, and what the account and the pool pay; the time is YYYYMMDDhhmmss."""

    total: Yuan
    account_and_pool: Yuan = 0
    time: Time = MORNING


class DriverPurchase(DriverStep):
    """iDoDebit: ``entries`` is the PIN; the receipt's TAC must be the one that the host computes."""

    verb: ClassVar[str] = "driver_purchase"
    driver_purchase: Payment

    def called(self, bench: Bench) -> Outcome:
        paid = self.driver_purchase
        info = join(yuan(paid.total), yuan(paid.account_and_pool), paid.time)
        outcome = _operate(bench, "iDoDebit", paid, [*_type_and_card(bench, paid), info])
        out = outcome.reported["out"]
        tac = "right" if out and bench.station.settles(out) else WRONG
        return Outcome(reported=outcome.reported | {"tac": tac})

    def answers(self) -> dict[str, str]:
        return super().answers() | ({"tac": "right"} if self.succeeds else {})


class DriverPurchaseRecords(DriverStep):
    """iReadDebitRecord: ``entries`` is the PIN, ``out`` the records, the newest first."""

    verb: ClassVar[str] = "driver_purchase_records"
    driver_purchase_records: OnReader = OnReader()

    def called(self, bench: Bench) -> Outcome:
        return _call(bench, "iReadDebitRecord", self.driver_purchase_records)
