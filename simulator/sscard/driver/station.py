"""The terminal a driver works at: readers, PIN pad, PSAM, key-address map; what all functions share."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from sscard.driver.card import GENERATIONS, DriverCard, needs_pin
from sscard.driver.duties import is_genuine
from sscard.driver.errors import Code, DriverError
from sscard.driver.fields import join, upper_hex
from sscard.driver.pins import PinEntry, Use
from sscard.hsm import HsmError
from sscard.issuer.hierarchy import builtin_keys
from sscard.issuer.places import Place
from sscard.terminal.card import Identity
from sscard.terminal.flows import EF_HOLDER
from sscard.terminal.pinpad import ENTER, PinPad
from sscard.terminal.psam import Psam, PsamError
from sscard.transport.connection import Connection
from sscard.transport.faults import CardRemoved, TransportError

Reader = Callable[[], Connection]
"""Opens a reader."""
KeyAddresses = Callable[[str, int], str]
"""Key name and version (from 0) → address (密钥逻辑地址), four hex digits; ``KeyError`` or ``HsmError`` for none."""

IRK, STK = "IRK", "STK"
NO_TERMINAL: Final = "0" * 12


@dataclass(frozen=True, slots=True)
class Readers:
    """The readers of a terminal, ``None`` where it has none of a kind."""

    contact: Reader | None = None
    contactless: Reader | None = None

    def by_type(self, reader_type: int) -> list[Reader]:
        """The readers reader_type means, in its order: −14 for an unknown type, −12 where there is no such reader."""
        orders = {
            1: (self.contact,),
            2: (self.contactless,),
            3: (self.contact, self.contactless),
            4: (self.contactless, self.contact),
        }
        if reader_type not in orders:
            raise DriverError(Code.PARAMETER)
        found = [reader for reader in orders[reader_type] if reader is not None]
        if not found:
            raise DriverError(Code.NOT_CONNECTED)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DriverOptions:
    """What drivers in the field do differently."""

    longest_pin: int = 16
    """Digits the pad takes at most: 16 (LD/T 33), or 12 (part 8)."""
    reversed_tries: bool = False
    """−25536, −25537, −25538 mean 2, 1, 0 tries left (the sheet's list) instead of 0, 1, 2 (−SW)."""
    place: Place | None = None
    """Whose rules on the initial PIN apply: −35 and −36."""
    device_number: str = ""
    """Field 11 of the basic data."""
    purchase_key: int = 1
    """Index of DPK in INITIALIZE FOR PURCHASE."""
    purchase_type: int = 2
    """Transaction type byte of a purchase: 02, or 32 in ASCII [OC-18]."""


class Terminal:
    """One terminal; ``card`` is whatever ``open`` found last."""

    def __init__(
        self,
        readers: Readers,
        pinpad: PinPad,
        psam: Psam | None,
        addresses: KeyAddresses | None,
        options: DriverOptions | None,
    ) -> None:
        self.options = options or DriverOptions()
        self.psam = psam or Psam(None)
        self.pins = PinEntry(pinpad, self.options.longest_pin, self.options.place)
        self._readers = readers
        self._addresses = addresses or builtin_keys().address_of
        self._device: Connection | None = None
        self._known: tuple[Identity, str] | None = None

    def open(self, reader_type: int, expected: Identity | None = None) -> DriverCard:
        """Power the first card found: −2 for none, −13 for an unknown version, −22 where it is not the expected one."""
        card = self._power(self._readers.by_type(reader_type))
        if card.issuer.generation not in GENERATIONS:
            raise DriverError(Code.UNSUPPORTED)
        if expected is not None and card.identity != expected:
            raise DriverError(Code.OTHER_CARD)
        return card

    def close(self) -> None:
        """Take the card's power away."""
        device, self._device = self._device, None
        if device is not None:
            with suppress(TransportError):
                device.power_off()

    def prove_genuine(self, card: DriverCard) -> None:
        """Internal authentication against the PSAM's own computation: −21 where they differ."""

        def prove(factor: bytes, original: bytes) -> bytes:
            return self.psam.authentication_data(card.algorithm, IRK, card.reference, factor, original)

        if not is_genuine(card, prove):
            raise DriverError(Code.NOT_GENUINE)

    def prove_key(self, card: DriverCard, key: str) -> None:
        """External authentication by the PSAM."""
        original, factor = card.two_challenges()
        card.prove(key, self.psam.authentication_data(card.algorithm, key, card.reference, factor, original))

    def send_message(self, card: DriverCard, header: bytes, pin: bytes | None, operation: str) -> None:
        """A command under MAC by the PSAM."""
        message = self.psam.safe_message(card.algorithm, card.reference, card.challenge(), header, pin)
        card.demand(message, operation)

    def prove_pin(self, card: DriverCard, use: Use, initial: str = "") -> None:
        """Ask for the PIN and verify it, where the card has one."""
        if not needs_pin(card):
            return
        pin = self.pins.ask(ENTER)
        card.verify_pin(pin)
        self.pins.permit(pin, initial, use)

    def initial_pin(self, card: DriverCard) -> str:
        """The initial PIN of this card's holder where the place guards it, empty where nobody can tell.

        The ID number comes from the last basic data of this card, or from
        EF06 where it is read freely.
        """
        if not self.pins.needs_id_number:
            return self.pins.initial_pin("")
        if self._known is not None and self._known[0] == card.identity:
            return self.pins.initial_pin(self._known[1])
        if card.file("SSSE", EF_HOLDER).read_rule != "free":
            return ""
        return self.pins.initial_pin(card.holder()[0])

    def basic_data(self, card: DriverCard, terminal: str) -> str:
        """The eleven fields of iReadCardBas."""
        id_number, name = card.holder()
        identity, issuer = card.identity, card.issuer
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

    def number(self) -> str:
        """The terminal number (终端机编号) of the PSAM; zeros without one."""
        try:
            return self.psam.terminal_number()
        except PsamError:
            return NO_TERMINAL

    def key_inputs(self, card: DriverCard, key: str) -> str:
        """What an HSM needs to prove a key: algorithm, key address, process factor, original data."""
        address = self.address(key)
        original, factor = card.two_challenges()
        return join(algorithm_text(card), address, upper_hex(factor), upper_hex(original))

    def message_inputs(self, card: DriverCard, header: bytes, plain: bytes) -> str:
        """What an HSM needs for a command under MAC: algorithm, address of STK, process factor, header, plaintext."""
        address = self.address(STK)
        factor = card.challenge()
        return join(algorithm_text(card), address, upper_hex(factor), upper_hex(header), upper_hex(plain))

    def address(self, key: str, version: int = 0) -> str:
        """A key's address in the operator's map; −27272 for none."""
        try:
            return self._addresses(key, version)
        except (KeyError, IndexError, HsmError):
            raise DriverError(Code.KEY_NOT_FOUND) from None

    def _power(self, readers: list[Reader]) -> DriverCard:
        for reader in readers:
            self._device = reader()
            with suppress(CardRemoved):
                return DriverCard.start(self._device, self._device.power_on())
        raise DriverError(Code.NO_CARD)


def algorithm_text(card: DriverCard) -> str:
    """The algorithm as the strings name it, two hex digits."""
    return f"{card.algorithm:02X}"
