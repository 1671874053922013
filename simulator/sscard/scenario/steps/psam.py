"""The verbs of a terminal's PSAM, and of data that a terminal reads and writes with rights from HSM or PSAM."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from sscard.document import Model
from sscard.driver.errors import DriverError
from sscard.driver.fields import FileFields
from sscard.driver.files import BY_KEY, BY_PIN, Access, file_at, prepare, read_access, read_file, write_file
from sscard.errors import InvalidValue, suggestion
from sscard.fields import hidden, of_form
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.psam import Level
from sscard.psam.keys import CARD_KEYS, PURCHASE_KEY
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.station import PsamKeys
from sscard.scenario.step import Hex, Mismatch, Outcome, PinOrNone, Step, Texts, View
from sscard.scenario.steps.medical import NOT_A_TERMINAL, TERMINAL_FORM, By, PsamCode
from sscard.standard.apdu import SW, split
from sscard.standard.tree import FileSpec, Structure
from sscard.terminal import flows
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import Flow, run
from sscard.terminal.psam import PsamError
from sscard.transport.connection import exchange

ANY = "*"
"""An expected value that is not compared."""
Rights = Literal["none", "pin", "key", "pin-then-key", "key-then-pin"]


def _key_names(names: tuple[str, ...]) -> tuple[str, ...]:
    known = [*CARD_KEYS, PURCHASE_KEY]
    for name in names:
        if name not in known:
            raise InvalidValue(Phrase("a PSAM holds no key {name!r}", name=hidden(name)), suggestion(name, known))
    return names


KeyNames = Annotated[Texts, AfterValidator(_key_names)]


TerminalOrNone = Annotated[str, AfterValidator(of_form("([0-9]{12})?", NOT_A_TERMINAL, TERMINAL_FORM))]
"""The number of a terminal, 12 digits, or empty for the one of the city."""


class PsamData(Model):
    """The PSAM in the terminal's slot; ``none`` is an empty slot.

    ``level`` is that of its keys. ``terminal_number`` begins
    with the city code of the PSAM; default: the city of the card. ``missing``
    are keys of the card that the PSAM lacks, ``foreign`` those that come from
    another issuer. ``sm4: no``: it computes 3DES only. ``stk_enciphers: no``:
    its STK makes MACs only, so that it cannot reset a PIN.
    """

    level: Level | Literal["none"] = "province"
    terminal_number: TerminalOrNone = ""
    missing: KeyNames = ()
    foreign: KeyNames = ()
    sm4: bool = True
    stk_enciphers: bool = True


class InsertPsam(Step):
    """Put another PSAM into the terminal's slot."""

    verb: ClassVar[str] = "psam"
    psam: PsamData

    def run(self, bench: Bench) -> Outcome:
        asked = self.psam
        keys = PsamKeys(asked.missing, asked.foreign)
        bench.station.insert_psam(
            asked.level, asked.terminal_number, keys, sm4=asked.sm4, stk_enciphers=asked.stk_enciphers
        )
        return Outcome()


class PsamApdu(Step):
    """Send these bytes to the PSAM, which is powered on before the first of them."""

    verb: ClassVar[str] = "psam_apdu"
    inserts: ClassVar[bool] = False
    psam_apdu: Annotated[Hex, Field(repr=False)]

    def run(self, bench: Bench) -> Outcome:
        answer = bench.station.psam_transmit(self.psam_apdu)
        if answer is None:
            raise NotPossible(Phrase("no PSAM is in the terminal: add a step `psam:` with a level before this one"))
        data, sw = split(answer)
        return Outcome(sw, data)

    def title(self) -> Sayable:
        return f"psam_apdu {self.psam_apdu[:4].hex(' ').upper()}"


class RightsStep(Step):
    """``psam_code`` is the code with which the PSAM refuses, 0 if it does not."""

    psam_code: PsamCode = 0

    def answers(self) -> dict[str, str]:
        return {} if self.sw is None else {"psam_code": str(self.psam_code)}

    def title(self) -> Sayable:
        asked = getattr(self, self.verb)
        return f"{self.verb} {asked.file} {asked.by}" if isinstance(asked, FileData) else f"{self.verb} {asked}"

    def ask(self, bench: Bench, by: By, flow: Flow[dict[str, str]]) -> Outcome:
        """The outcome of a flow on the inserted card."""
        bench.terminal.card.df = 0  # a step may have selected another DF: select it again
        answer = bench.station.psam.answer if by == "psam" else HsmAnswers(bench.hsm)
        try:
            return Outcome(reported={"psam_code": "0", **run(flow, partial(exchange, bench.connection), answer)})
        except ApduError as error:
            return Outcome(error.sw, error.data, reported={"psam_code": "0"})
        except PsamError as error:
            return Outcome(reported={"psam_code": str(error.code)})
        except DriverError as error:
            raise NotPossible(
                Phrase("the items or values do not fit the file: {error}", error=error.description)
            ) from None


class InternalAuthentication(RightsStep):
    """Internal authentication at the terminal: the HSM or the PSAM finds the card ``genuine`` or not."""

    verb: ClassVar[str] = "check_genuine"
    check_genuine: Literal["hsm", "psam"]
    genuine: bool = True

    def run(self, bench: Bench) -> Outcome:
        def check() -> Flow[dict[str, str]]:
            yield from flows.select_ssse()
            genuine = yield from flows.is_genuine(bench.terminal.card)
            return {"genuine": "yes" if genuine else "no"}

        return self.ask(bench, self.check_genuine, check())

    def answers(self) -> dict[str, str]:
        answers = super().answers()
        return answers if self.psam_code or self.sw != SW.OK else answers | {"genuine": "yes" if self.genuine else "no"}


def _file(name: str) -> str:
    if not re.fullmatch(r"(SSSE|DF[0-9A-F]{2}) ?EF[0-9A-F]{2}", name):
        raise InvalidValue(Phrase("not a file"), Phrase("write DF and EF, as DF01 EF05 or SSSE EF06"))
    return name.replace(" ", "")


DfAndEf = Annotated[str, AfterValidator(_file)]
"""A file as DF03 EF05."""


class FileData(Model):
    """A file, as DF03 EF05, and the rights to use it, proven ``by`` the HSM or the PSAM.

    ``rights`` are what the terminal proves: ``none``, ``pin``, ``key``, or both
    in this order; by default what the file requires, with its key if there is a
    choice. ``key`` is another key than the one that the file names. ``items``
    are tags, ``40:2`` is the second record of tag 40; a cyclic or transparent
    file has none.
    """

    file: DfAndEf
    by: By = "hsm"
    rights: Rights | None = None
    key: str = ""
    pin: PinOrNone = Field(default="", repr=False)
    items: Texts = ()

    def address(self) -> FileFields:
        """The file with its items in the driver's form."""
        df, _, ef = self.file.partition("EF")
        return FileFields(df, int(f"EF{ef}", 16), self.items)

    def spec(self, bench: Bench) -> Flow[FileSpec]:
        """The file on this card; selects its DF."""
        card = bench.terminal.card
        yield from flows.issuer_of(card)
        try:
            spec = file_at(card, *self.address().place)
        except ApduError:
            raise NotPossible(Phrase("this card has no {file}", file=self.file)) from None
        if (spec.structure in (Structure.VARIABLE, Structure.FIXED)) != bool(self.items):
            raise NotPossible(
                Phrase("write items:, the tags of the records")
                if not self.items
                else Phrase("{file} has no tags: remove items:", file=self.file)
            )
        yield from flows.enter(card, spec.df)
        return spec

    def prove(self, bench: Bench, access: Access) -> Flow[None]:
        """Get the rights; ``access`` is what the file requires."""
        both = "key-then-pin" if access.key else "pin"
        wanted = self.rights or (both if access.pin else "key" if access.key else "none")
        for word in wanted.split("-then-"):
            if word == "pin":
                if not self.pin:
                    raise NotPossible(Phrase("{file} requires the PIN: write pin:", file=self.file))
                yield from flows.verify_pin(self.pin)
            elif word == "key":
                yield from self._prove_key(bench, self.key or access.key)

    def _prove_key(self, bench: Bench, name: str) -> Flow[None]:
        card = bench.terminal.card
        try:
            number = card.layout.keys[card.layout.key_named(name)].number
        except KeyError:
            missing = name or Phrase("key of this file")
            raise NotPossible(Phrase("this card has no {key}", key=missing)) from None
        yield from flows.authenticate(card, name, number)


class ReadData(FileData):
    """``values`` are the expected values: of the items, of each record of a cyclic file, or of a transparent file."""

    values: Texts = (ANY,)


class ReadFile(RightsStep):
    """Read a file at the terminal: the values as text, digits or hex digits."""

    verb: ClassVar[str] = "read_file"
    read_file: ReadData

    def run(self, bench: Bench) -> Outcome:
        asked = self.read_file

        def read() -> Flow[dict[str, str]]:
            spec = yield from asked.spec(bench)
            by = BY_PIN if asked.rights == "pin" else BY_KEY
            yield from asked.prove(bench, read_access(spec.read_rule, by))
            text = yield from read_file(bench.terminal.card, spec, asked.address())
            found = text.removesuffix("|$").split("|")[1:]
            return {"values": "|".join(found)}

        return self.ask(bench, asked.by, read())

    def compared(self) -> frozenset[str]:
        read = not self.psam_code and self.sw == SW.OK
        return super().compared() | ({"values"} if read else set())

    def check(self, before: View, after: View, outcome: Outcome) -> list[Mismatch]:
        found = super().check(before, after, outcome)
        expected = self.read_file.values
        if "values" not in outcome.reported or expected == (ANY,):
            return found
        held = outcome.reported["values"].split("|")
        fits = [one in (ANY, other) for one, other in zip(expected, held, strict=False)]
        if len(expected) != len(held) or not all(fits):
            write = json.dumps(held, ensure_ascii=False)
            found.append(Mismatch("values", "|".join(expected), "|".join(held) or Phrase("no data"), write=write))
        return found


class WriteData(FileData):
    """``values`` are the new values: of the items, of the record to add to a cyclic file, or of a transparent file."""

    values: Texts


class WriteFile(RightsStep):
    """Write a file at the terminal."""

    verb: ClassVar[str] = "write_file"
    write_file: WriteData

    def run(self, bench: Bench) -> Outcome:
        asked = self.write_file

        def write() -> Flow[dict[str, str]]:
            spec = yield from asked.spec(bench)
            address = asked.address()
            updates = prepare(spec, address, address._replace(fields=asked.values))
            yield from asked.prove(bench, Access(False, "" if spec.write_rule == "never" else spec.write_rule))
            yield from write_file(spec, updates)
            return {}

        return self.ask(bench, asked.by, write())
