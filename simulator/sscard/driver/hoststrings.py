"""The card-holder base (持卡库): the service behind the HSM that answers the strings of a driver's HSM steps.

An application keeps what iReadCardBas told it and sends it along with the
string of a step; the answer is the next step's pKey (driver API sheet §4, §5).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple, Protocol

from sscard.driver.fields import join, upper_hex
from sscard.hsm import Hsm, HsmError
from sscard.i18n.language import _
from sscard.issuer.hierarchy import Address, CardReference, KeyHierarchy, Use
from sscard.standard.atr import HISTORICAL_LENGTH, SERIAL_LENGTH
from sscard.standard.cipher import DES, SUITES, SUPPORTED, Suite, equal
from sscard.standard.encoding import digits_in

NO_ACCOUNT = bytes(4)
"""The account amount of a purchase by the driver."""
EIGHT_FIELDS = 8


class HostError(Exception):
    """The service cannot make sense of what an application sent; the text never holds a key or PIN."""


class PurchaseHsm(Protocol):
    """What the card-holder base asks of an HSM for purchases, beside ``Hsm``."""

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """MAC1, 4 bytes, under DPK over random(4) ‖ count(2) ‖ last two bytes of the terminal sequence."""

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """TAC, 4 bytes, under DTK itself, in a DES card under its halves XORed."""


class SoftPurchaseHsm:
    """Purchases in software, over the roots of a key file."""

    def __init__(self, hierarchy: KeyHierarchy) -> None:
        self._hierarchy = hierarchy

    def __repr__(self) -> str:
        return f"<SoftPurchaseHsm {self._hierarchy.name}>"

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``PurchaseHsm``."""
        suite = _suite(algorithm)
        key = self._key(suite, address, "purchase", card)
        return suite.mac(suite.session_key(suite.key(key), factor), message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``PurchaseHsm``."""
        suite = _suite(algorithm)
        key = self._key(suite, address, "proof", card)
        if suite is DES:
            key = bytes(left ^ right for left, right in zip(key[:8], key[8:], strict=True))
        return suite.mac(suite.key(key), message)

    def _key(self, suite: Suite, address: str, use: Use, card: CardReference) -> bytes:
        found: Address | None = self._hierarchy.at(address)
        if found is None or found.use != use:
            raise HsmError(_("no key for {use} at address {address}", use=use, address=address))
        return self._hierarchy.card_key(suite, found.key, found.version, card)


class _Receipt(NamedTuple):
    """The eight fields of iDoDebit."""

    algorithm: str
    address: str
    amounts: str
    kind: str
    terminal: str
    sequence: str
    time: str
    tac: str


class CardHolderBase:
    """The services that a driver's HSM steps lead to; ``HostError`` for a string of another shape, ``HsmError``.

    ``purchases`` may be ``None`` where nobody pays; ``sequences`` numbers the
    purchases where no PSAM does.
    """

    def __init__(self, hsm: Hsm, purchases: PurchaseHsm | None = None, sequences: Iterator[int] | None = None) -> None:
        self._hsm = hsm
        self._purchases = purchases
        self._sequences = sequences or count(1)

    def check_card(self, asked: str) -> str:
        """Internal authentication: pKey for iReadCardBas_HSM_Step2 out of what step 1 told."""
        city, historical, algorithm, _, factor, original, key_factor, key_original = _fields(asked, EIGHT_FIELDS)
        card = _reference(city, historical)
        internal = self._prove(algorithm, self._hsm.address_of("IRK"), card, factor, original)
        if not key_factor:
            return join(internal, "")
        return join(internal, self._prove(algorithm, self._hsm.address_of("RKSSSE"), card, key_factor, key_original))

    def authenticate(self, basic: str, asked: str) -> str:
        """Card check and external authentication (卡鉴权及外部认证): pKey of a Step2 out of what Step1 told."""
        algorithm, address, factor, original = _fields(asked, 4)
        return self._prove(algorithm, address, _card(basic), factor, original)

    def safe_message(self, basic: str, asked: str) -> str:
        """Safe-message (安全报文认证): pKey of a Step3, the whole command, out of what Step2 told."""
        algorithm, address, factor, header, plain = _fields(asked, 5)
        pin = _hex(plain) if plain else None
        if pin is not None and not digits_in(pin):
            raise HostError(_("the plaintext is no PIN"))
        message = self._hsm.safe_message(_algorithm(algorithm), address, _card(basic), _hex(factor), _hex(header), pin)
        return upper_hex(message)

    def purchase(self, basic: str, asked: str) -> str:
        """Card check and purchase: pKey of iDoDebit_HSM_Step2 out of what step 1 told."""
        algorithm, address, random, purchase_count, amounts, kind, terminal, time = _fields(asked, EIGHT_FIELDS)
        sequence = next(self._sequences).to_bytes(4, "big")
        factor = _hex(random) + _hex(purchase_count) + sequence[2:]
        message = NO_ACCOUNT + _hex(amounts) + _hex(kind) + _hex(terminal) + _hex(time)
        mac1 = self._pay().purchase_mac(_algorithm(algorithm), address, _card(basic), factor, message)
        return join(upper_hex(sequence), time, upper_hex(mac1))

    def settle(self, basic: str, receipt: str) -> bool:
        """Settlement check: whether the TAC of a purchase, of iDoDebit or of its last HSM step, is right."""
        told = receipt.split("|")[:-1]
        if len(told) not in (EIGHT_FIELDS, EIGHT_FIELDS + 1):
            raise HostError(_("a receipt has 8 fields, or 9 with MAC2"))
        paid = _Receipt(*told[-EIGHT_FIELDS:])
        parts = (paid.amounts, paid.kind, paid.terminal, paid.sequence, paid.time)
        message = NO_ACCOUNT + b"".join(map(_hex, parts))
        tac = self._pay().transaction_proof(_algorithm(paid.algorithm), paid.address, _card(basic), message)
        return equal(tac, _hex(paid.tac))

    def _prove(self, algorithm: str, address: str, card: CardReference, factor: str, original: str) -> str:
        proof = self._hsm.authentication_data(_algorithm(algorithm), address, card, _hex(factor), _hex(original))
        return upper_hex(proof)

    def _pay(self) -> PurchaseHsm:
        if self._purchases is None:
            raise HsmError(_("this HSM serves no purchases"))
        return self._purchases


def _card(basic: str) -> CardReference:
    """Which card the basic data of iReadCardBas are of."""
    told = basic.split("|")
    if len(told) < EIGHT_FIELDS:
        raise HostError(_("the basic data of iReadCardBas expected"))
    return _reference(told[0], told[5])


def _reference(city: str, historical: str) -> CardReference:
    held = _hex(historical)
    if len(held) != HISTORICAL_LENGTH or len(city) != 6 or not city.isdecimal():
        raise HostError(_("district of 6 digits and ATR historical bytes of 26 hex digits expected"))
    return CardReference(city, held[-SERIAL_LENGTH:])


def _fields(text: str, expected: int) -> list[str]:
    *told, rest = text.split("|")
    if rest or len(told) != expected:
        raise HostError(
            _("{expected} fields expected, each ended by a bar, got {count}", expected=expected, count=len(told))
        )
    return told


def _algorithm(text: str) -> int:
    return _hex(text)[0] if len(text) == 2 else 0


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise HostError(_("hex digits expected")) from None


def _suite(algorithm: int) -> Suite:
    try:
        return SUITES[algorithm]
    except KeyError:
        raise HsmError(
            _("algorithm {algorithm:02X} is not supported; supported: {names}", algorithm=algorithm, names=SUPPORTED)
        ) from None
