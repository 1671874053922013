"""The terminal of a driver: readers, PIN pad, PSAM and key-address map, shared by all functions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar

from sscard.driver.errors import Code, DriverError, ErrorTable
from sscard.driver.fields import SERIAL, SSSE, identification_code, join, upper_hex
from sscard.driver.files import file_at
from sscard.driver.pins import PinEntry
from sscard.driver.requests import BeginPurchase, Require
from sscard.errors import InputError
from sscard.hsm import HsmError
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import KeyHierarchy, builtin_keys
from sscard.issuer.places import Place
from sscard.issuer.psam import Level, issue_psam
from sscard.standard.apdu import SW, Answer
from sscard.standard.atr import HISTORICAL_LENGTH, check_byte, historical_bytes
from sscard.standard.generations import GENERATIONS
from sscard.terminal import flows
from sscard.terminal.card import Identity, IssuerData, OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import AskPin, Flow, run
from sscard.terminal.flows import EF_HOLDER
from sscard.terminal.pinpad import PinPad
from sscard.terminal.psam import Psam, PsamError
from sscard.transport.connection import Connection, exchange
from sscard.transport.faults import CardRemoved, TransportError

T = TypeVar("T")
Reader = Callable[[], Connection]
"""Opens a reader."""
KeyAddresses = Callable[[str, int], str]
"""Key name and version (from 0) → address (密钥逻辑地址), four hex digits; ``KeyError`` or ``HsmError`` if missing."""

PsamOfCity = Callable[[str], Psam]
"""City code, 6 digits → the PSAM for cards of this city."""

DPK: Final = "DPK"
NO_TERMINAL: Final = "0" * 12
FIRST_OF_CITY: Final = "000001"
"""The city's own part of a terminal number, 6 digits."""


class InternalAuth(StrEnum):
    """Which cards iReadCardBas_HSM_Step1 authenticates."""

    ALL = "all"
    ONLY_3 = "3.0"


@dataclass(frozen=True, slots=True)
class Readers:
    """The readers of a terminal, ``None`` for a missing one."""

    contact: Reader | None = None
    contactless: Reader | None = None

    def by_type(self, reader_type: int) -> list[Reader]:
        """The readers that ``reader_type`` selects, in order; −1 for an unknown type, −12 if the reader is missing."""
        orders = {
            1: (self.contact,),
            2: (self.contactless,),
            3: (self.contact, self.contactless),
            4: (self.contactless, self.contact),
        }
        if reader_type not in orders:
            raise DriverError(Code.CARD_TYPE)
        found = [reader for reader in orders[reader_type] if reader is not None]
        if not found:
            raise DriverError(Code.NOT_CONNECTED)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOptions:
    """Options for the differences between existing drivers."""

    longest_pin: int = 16
    """Maximum digits of a PIN: 16 (LD/T 33), or 12 (part 8)."""
    reversed_tries: bool = False
    """−25536, −25537, −25538 mean 2, 1, 0 tries left (list of the standard) instead of 0, 1, 2 (−SW)."""
    place: Place | None = None
    """Whose PIN rules apply: −35 for uses of the initial PIN, −36 for new PINs."""
    device_number: str = ""
    """Field 11 of the basic data."""
    device_serial: str | None = None
    """Field 9 of iReadCardBas_HSM_Step1, which programs send to the host as terminal code; ``None``: 8 fields."""
    internal_authentication: InternalAuth = InternalAuth.ALL
    """Cards that iReadCardBas_HSM_Step1 authenticates: all, or 3.0 only, with fields 5–8 empty otherwise [OC-44]."""
    errors: ErrorTable = ErrorTable.STANDARD
    """Table of return codes [OC-43]."""
    purchase_key: int = 1
    """Index of DPK in INITIALIZE FOR PURCHASE."""
    purchase_type: int = 2
    """Transaction type byte of a purchase: 02, or 32 in ASCII [OC-18]."""

    def __post_init__(self) -> None:
        if not SERIAL.fullmatch(self.device_serial or ""):
            raise InputError(Phrase("a device serial has up to 128 characters, no bar and no control character"))


class Terminal:
    """One terminal; ``card`` is the card that ``open`` found last."""

    def __init__(
        self,
        readers: Readers,
        pinpad: PinPad,
        psam: Psam | PsamOfCity | None,
        addresses: KeyAddresses | None,
        options: DriverOptions | None,
    ) -> None:
        self.options = options or DriverOptions()
        self._psam_of_city = None if isinstance(psam, Psam) else psam
        self.psam = psam if isinstance(psam, Psam) else Psam(None)
        self.pins = PinEntry(pinpad, self.options.longest_pin, self.options.place)
        self._readers = readers
        self._addresses = addresses or builtin_keys().address_of
        self.stays_powered = False
        self._device: Connection | None = None
        self._known: tuple[Identity, str] | None = None

    def open(self, reader_type: int, expected: Identity | None = None) -> OpenedCard:
        """Power the first card found; −2 without a card, −13 for an unknown version, −22 for an unexpected card."""
        card = self._find(reader_type, _open)
        if card.generation not in GENERATIONS:
            raise DriverError(Code.UNSUPPORTED)
        if expected is not None and card.identity != expected:
            raise DriverError(Code.OTHER_CARD)
        if self._psam_of_city is not None:
            self.psam = self._psam_of_city(card.identity.city_code)
        return card

    def select(self, reader_type: int) -> None:
        """Power the first card found and select SSSE; it stays powered after the function."""
        self._find(reader_type, _select)
        self.stays_powered = True

    def close(self) -> None:
        """Power the card off."""
        self.stays_powered = False
        device, self._device = self._device, None
        if device is not None:
            with suppress(TransportError):
                device.power_off()

    def send(self, command: bytes) -> Answer:
        """Send a command to the open card."""
        if self._device is None:
            raise DriverError(Code.NOT_CONNECTED)
        return exchange(self._device, command)

    def answer(self, asked: Any) -> object:
        """Answer a request of an operation with the PSAM."""
        match asked:
            case Require():
                return None
            case BeginPurchase():
                self.psam.environment(asked.card.algorithm)
                return self.psam.terminal_number()
            case AskPin():
                return self.ask(asked)
        return self.psam.answer(asked)

    def ask(self, asked: AskPin) -> str:
        """A PIN from the pad."""
        return self.pins.ask(asked.prompt)

    def initial_pin(self, card: OpenedCard) -> Flow[str]:
        """The initial PIN of this card's holder if the place restricts it, empty if it cannot be determined."""
        return self.pins.initial_pin((yield from self._id_number(card)) if self.pins.needs_id_number else "")

    def id_number_for_rules(self, card: OpenedCard) -> Flow[str]:
        """The holder's ID number if the place's rules for new PINs need it, else empty.

        If EF06 needs a key and the basic data of this card were not read
        before, the PSAM proves it; without such a PSAM the function ends with
        its code (−2201, −2203), so that no rule is passed over.
        """
        if not self.pins.rules_need_id_number:
            return ""
        return (yield from self._id_number(card)) or run(
            flows.read_basic(card), self.send, self.answer
        ).social_security_number

    def _id_number(self, card: OpenedCard) -> Flow[str]:
        """The ID number of the last basic data of this card, or of EF06; empty if EF06 needs a key."""
        if self._known is not None and self._known[0] == card.identity:
            return self._known[1]
        if file_at(card, SSSE, EF_HOLDER).read_rule != "free":
            return ""
        id_number, _ = yield from flows.read_holder(card)
        return id_number

    def basic_data(self, card: OpenedCard, issuer: IssuerData, terminal: str) -> Flow[str]:
        """The eleven fields of iReadCardBas."""
        id_number, name = yield from flows.read_holder(card)
        identity = card.identity
        self._known = (identity, id_number)
        return join(
            identity.city_code,
            id_number,
            identity.card_number,
            identity.identification_code,
            name,
            upper_hex(card.historical),
            issuer.version,
            issuer.issued,
            issuer.expires,
            terminal,
            self.options.device_number,
        )

    def _find(self, reader_type: int, flow: Callable[[bytes], Flow[T]]) -> T:
        """The result of a flow over the ATR of the first card found; −2 without a card."""
        for reader in self._readers.by_type(reader_type):
            self._device = reader()
            with suppress(CardRemoved):
                return run(flow(self._device.power_on()), self.send, self.answer)
        raise DriverError(Code.NO_CARD)

    def number(self) -> str:
        """The terminal number (终端机编号) of the PSAM; zeros without a PSAM."""
        try:
            return self.psam.terminal_number()
        except PsamError:
            return NO_TERMINAL

    def address(self, key: str, version: int = 0) -> str:
        """A key's address in the operator's map; −27272 if the map lacks it."""
        try:
            return self._addresses(key, version)
        except (KeyError, IndexError, HsmError):
            raise DriverError(Code.KEY_NOT_FOUND) from None


def following_psam(level: Level, keys: KeyHierarchy) -> PsamOfCity:
    """Virtual PSAMs with number 000001 of the city of each card.

    A PSAM's STK and DPK work with cards of its own city only, so the terminal
    gets another PSAM with the first card of another city, and that of a city
    keeps its counters.
    """
    return cache(lambda city: Psam(issue_psam(keys, city + FIRST_OF_CITY, level).chip()))


def _open(atr: bytes) -> Flow[OpenedCard]:
    """Select SSSE and read EF05; −1 if it is not a social security card."""
    historical, fci = yield from _select(atr)
    issuer = yield from flows.read_issuer()
    identification_code(issuer.identity.identification_code)
    return OpenedCard(historical, fci, issuer.identity, issuer)


def _select(atr: bytes) -> Flow[tuple[bytes, bytes]]:
    """Select SSSE; the historical bytes and the FCI."""
    historical = _historical(atr)
    try:
        fci = yield from flows.select_ssse()
    except ApduError as error:
        if error.sw == SW.FILE_NOT_FOUND:
            raise DriverError(Code.CARD_TYPE) from None
        raise
    return historical, fci


def _historical(atr: bytes) -> bytes:
    """The 13 historical bytes (else −1) before the check byte TCK (wrong: −15; ISO/IEC 7816-3 §8.2.5)."""
    try:
        historical = historical_bytes(atr)
    except IndexError:
        raise DriverError(Code.CARD_TYPE) from None
    if len(historical) != HISTORICAL_LENGTH:
        raise DriverError(Code.CARD_TYPE)
    if not atr.endswith(historical) and check_byte(atr[1:]):
        raise DriverError(Code.CHECKSUM)
    return historical
