"""The verbs ``driver`` (one function of the driver with its strings) and ``driver_options``."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from sscard.document import Model
from sscard.driver.api import FUNCTIONS, DriverOptions
from sscard.driver.errors import ErrorTable
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.fields import hidden
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import find_place
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.station import ReaderName
from sscard.scenario.step import Outcome, Step, without_power
from sscard.scenario.steps.driver import WRONG, DriverStep, card_info, reported, spoiled


def _function(name: str) -> str:
    if name not in FUNCTIONS:
        raise InvalidValue(Phrase("no function {function!r}", function=hidden(name)), suggestion(name, FUNCTIONS))
    return name


FunctionName = Annotated[str, AfterValidator(_function)]
DEFAULTS: Final = {"iType": "3", "iAuthType": "1"}
WORDS: Final = {"pCardInfo": ("own", "other"), "pKey": (WRONG,)}
"""The parameters that the bench knows, and the words for their values."""


class Call(Model):
    """A function of the driver with its strings.

    Parameters that are left out: ``iType`` is 3, ``iAuthType`` 1, ``pCardInfo``
    that of the card (``own``; ``other`` is another card), ``pKey`` the answer of
    the HSM to the step before (``wrong``: one digit differs).
    """

    call: FunctionName
    parameters: dict[str, str] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _has_these(self) -> Call:
        row = FUNCTIONS[self.call]
        known = [*row.parameters, *row.pins]
        for name, value in self.parameters.items():
            if name not in known:
                raise InvalidValue(
                    Phrase("{function} has no parameter {name!r}", function=self.call, name=hidden(name)),
                    suggestion(name, known),
                )
            if row.parameters.get(name) is int and not re.fullmatch("-?[0-9]{1,9}", value):
                raise InvalidValue(Phrase("{name} is a number", name=name), Phrase("write it in digits"))
        for name in row.parameters:
            if name not in (*self.parameters, *DEFAULTS, *WORDS):
                raise InvalidValue(
                    Phrase("{function} needs the parameter {name}", function=self.call, name=name),
                    Phrase("write it under parameters:"),
                )
        return self


class Driver(DriverStep):
    """Call one function of the driver; between the steps of an HSM group the card keeps its power."""

    verb: ClassVar[str] = "driver"
    driver: Call

    def called(self, bench: Bench) -> Outcome:
        asked, row = self.driver, FUNCTIONS[self.driver.call]
        given: list[int | str] = []
        for name, kind in row.parameters.items():
            text = asked.parameters.get(name, DEFAULTS.get(name))
            if text is None or text in WORDS.get(name, ()):
                text = _known(bench, asked, name)
            given.append(int(text) if kind is int else text)
        given += [asked.parameters[pin] for pin in row.pins if pin in asked.parameters]
        code, out = bench.station.call(asked.call, given)
        return reported(bench, asked.call, code, out)

    def title(self) -> Sayable:
        return f"driver {self.driver.call}"

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        if self.state is not None or self.code or not FUNCTIONS[self.driver.call].has_next_step:
            return super().expected_state(before, tries)
        lasting = without_power(before) - {"off"}
        return (lasting | {"blocked"} if tries == 0 else lasting - {"blocked"}) | {"challenge"}


def _known(bench: Bench, asked: Call, name: str) -> str:
    """The pCardInfo or pKey that is left out or written as a word."""
    word = asked.parameters.get(name, "")
    if name == "pCardInfo":
        return card_info(bench, word or "own")
    if not bench.station.asked:
        raise NotPossible(Phrase("no step waits for a pKey: add a step `driver:` with the step before this one"))
    key = bench.station.host_answer(asked.call)
    return spoiled(asked.call, key) if word == WRONG else key


def _place(name: str) -> str:
    try:
        find_place(name)
    except InputError as error:
        raise InvalidValue(error.problem, error.remedy) from None
    return name


class Options(Model):
    """How this driver differs from the default one.

    ``place`` is a place policy, whose PIN rules the driver applies (codes -35 and -36).
    ``longest_pin`` is in digits. ``reversed_tries: yes``: -25536, -25537 and -25538 mean 2, 1 and 0 tries left instead
    of 0, 1 and 2. ``errors`` is the table of return codes. ``purchase_key`` is the index of DPK. ``device_number`` is
    field 11 of the basic data, ``device_serial`` field 9 of iReadCardBas_HSM_Step1. ``internal_authentication`` names
    the cards that iReadCardBas_HSM_Step1 authenticates. ``readers`` are those of the terminal.
    """

    place: Annotated[str, AfterValidator(_place)] | None = None
    longest_pin: Literal["12", "16"] = "16"
    reversed_tries: bool = False
    errors: ErrorTable = ErrorTable.STANDARD
    purchase_key: Annotated[int, Field(ge=1, le=255)] = 1
    device_number: str = ""
    device_serial: Annotated[str, Field(max_length=128)] | None = None
    internal_authentication: Literal["all", "3.0"] = "all"
    readers: tuple[ReaderName, ...] = ("contact", "contactless")

    def of_driver(self, purchase_type: int) -> DriverOptions:
        """The options in the driver's form."""
        given: dict[str, Any] = self.model_dump(exclude={"place", "longest_pin", "readers"})
        return DriverOptions(
            place=find_place(self.place) if self.place else None,
            longest_pin=int(self.longest_pin),
            purchase_type=purchase_type,
            **given,
        )


class DriverOptionsStep(Step):
    """Set the options of the driver, and the readers that the terminal has."""

    verb: ClassVar[str] = "driver_options"
    inserts: ClassVar[bool] = False
    driver_options: Options

    def run(self, bench: Bench) -> Outcome:
        station = bench.station
        station.rebuild()
        station.options = self.driver_options.of_driver(station.options.purchase_type)
        station.readers = self.driver_options.readers
        return Outcome()
