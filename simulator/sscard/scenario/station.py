"""A scenario's terminal for the driver and the medical account: readers, PIN pad, PSAM, and the card-holder base."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from itertools import count
from random import Random
from typing import Final, Literal

from sscard.driver.api import FUNCTIONS, DriverOptions, Readers, Result, SSCardDriver
from sscard.driver.fields import join
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import CardReference, KeyHierarchy
from sscard.issuer.psam import Level, issue_psam
from sscard.psam import PsamChip
from sscard.terminal.pinpad import ScriptedPad
from sscard.terminal.psam import Psam
from sscard.transport.connection import Connection
from sscard.transport.faults import CardRemoved

FIRST_OF_CITY: Final = "000001"
"""The city's own part of a terminal number."""
HISTORICAL_START: Final = "00" * 5
"""Chip maker and COS in the historical bytes; the host uses only the serial after them."""
EVERY_LEVEL: Final[Level] = "province"
"""The level of a PSAM that holds the keys of all driver functions, PUK among them."""

ReaderName = Literal["contact", "contactless"]


class EmptyReader:
    """A reader without a card."""

    def power_on(self) -> bytes:
        raise CardRemoved(Phrase("no card in the reader"))

    def power_off(self) -> None:
        """No card has power."""

    def reset(self) -> bytes:
        return self.power_on()

    def transmit(self, _command: bytes, /) -> bytes:
        return self.power_on()


@dataclass(frozen=True, slots=True)
class PsamKeys:
    """Which keys a PSAM lacks, and which come from another issuer, by the names of the card's keys."""

    missing: Collection[str] = ()
    foreign: Collection[str] = ()

    def of(self, issuer: KeyHierarchy) -> KeyHierarchy:
        """The roots of an issuer with these changes."""
        file = issuer.file
        keys = [
            replace(
                key,
                by_suite={
                    suite: [bytes(byte ^ 0x5A for byte in value) for value in values]
                    for suite, values in key.by_suite.items()
                },
            )
            if key.name in self.foreign
            else key
            for key in file.keys
            if key.name not in self.missing
        ]
        return KeyHierarchy(replace(file, keys=keys))


@dataclass
class Station:
    """The terminal of the driver; ``connection`` is the reader with the card.

    ``issuer`` has the root keys of its PSAMs. ``hsm`` returns the HSM of the
    bench, which a step may replace. The driver is made when it is first called,
    with the PSAM and the ``options`` of that moment. Between the steps of an HSM
    group it keeps the string for the host, ``asked``. ``called`` are the
    functions with their return codes.
    """

    connection: Connection
    reference: CardReference
    contact: bool
    issuer: KeyHierarchy
    hsm: Callable[[], Hsm]
    random: Random
    options: DriverOptions = field(default_factory=DriverOptions)
    readers: Collection[ReaderName] = ("contact", "contactless")
    pad: ScriptedPad = field(default_factory=ScriptedPad)
    asked: str = field(default="", repr=False)
    called: set[tuple[str, int]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.sequences = count(1)
        self._chip: PsamChip | None = None
        self._driver: SSCardDriver | None = None
        self._psam = Psam(None)
        self._raw = False
        self.insert_psam(EVERY_LEVEL)

    @property
    def city_terminal(self) -> str:
        """The number of the city's first terminal, 12 digits."""
        return self.reference.city_code + FIRST_OF_CITY

    @property
    def psam(self) -> Psam:
        """The PSAM in the slot; after a raw command it is powered on again."""
        if self._raw:
            self._psam.close()
            self._raw = False
        return self._psam

    def insert_psam(
        self,
        level: Level | Literal["none"],
        terminal_number: str = "",
        keys: PsamKeys | None = None,
        *,
        sm4: bool = True,
        stk_enciphers: bool = True,
    ) -> None:
        """Put another PSAM into the slot, or leave it empty (``none``)."""
        self._psam.close()
        self._raw = False
        self._chip = None
        if level != "none":
            self._chip = issue_psam(
                (keys or PsamKeys()).of(self.issuer),
                terminal_number or self.city_terminal,
                level,
                sm4=sm4,
                stk_enciphers=stk_enciphers,
            ).chip(self.random)
        self._psam = Psam(self._chip)
        self.rebuild()

    def psam_transmit(self, command: bytes) -> bytes | None:
        """The answer of the PSAM to a raw command; ``None`` without a PSAM."""
        if self._chip is None:
            return None
        if not self._raw:
            self._psam.close()
            self._chip.power_on()
            self._raw = True
        return self._chip.transmit(command)

    def rebuild(self) -> None:
        """End an open group; the next call creates a new driver."""
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.close()

    def call(self, function: str, parameters: list[int | str]) -> Result:
        """Call a driver function as a program does."""
        psam = self.psam
        if self._driver is None:
            here, empty = (lambda: self.connection), EmptyReader
            given = {"contact": here if self.contact else empty, "contactless": empty if self.contact else here}
            self._driver = SSCardDriver(
                Readers(**{name: given[name] for name in self.readers}), self.pad, psam, options=self.options
            )
        result: Result = getattr(self._driver, function)(*parameters)
        self.called.add((function, result[0]))
        self.asked = result[1] if not result[0] and FUNCTIONS[function].has_next_step else ""
        return result

    def host_answer(self, step: str) -> str:
        """The pKey of a step from the string of the step before it (driver-api.md §4)."""
        host, basic = CardHolderBase(self.hsm(), self.sequences), self._basic()
        match step:
            case "iReadCardBas_HSM_Step2":
                return host.check_card(self.asked)
            case "iReloadPIN_HSM_Step3" | "iUnblockPIN_HSM_Step3":
                return host.safe_message(basic, self.asked)
            case "iDoDebit_HSM_Step2":
                return host.purchase(basic, self.asked)
        return host.authenticate(basic, self.asked)

    def settles(self, receipt: str) -> bool:
        """Whether the host accepts the TAC of a purchase."""
        return CardHolderBase(self.hsm()).settle(self._basic(), receipt)

    def _basic(self) -> str:
        """What the host needs of the output of iReadCardBas: district and historical bytes."""
        historical = HISTORICAL_START + self.reference.serial.hex().upper()
        return join(self.reference.city_code, "", "", "", "", historical)
