"""The issuer's HSM (加密机): the operations for a terminal, and the checks before a key is used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from sscard.errors import HsmError, HsmUnavailable
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.hierarchy import Address, CardReference, Use
from sscard.standard.cipher import FACTOR_LENGTH, SSF33_ID, SUITES, SUPPORTED, Suite
from sscard.standard.suite import SSF33_CITIES

__all__ = ["Access", "CheckedHsm", "Hsm", "HsmError", "HsmUnavailable", "UnusableAnswer", "factor_refusal"]

HEADER_LENGTH = 5
PIN_MAX_BYTES = 8


class UnusableAnswer(HsmUnavailable):
    """An HSM answers an operation with a result of another form; ``given`` is the result, empty if it is not bytes."""

    def __init__(self, problem: Sayable, remedy: Sayable, given: bytes = b"") -> None:
        super().__init__(problem, remedy)
        self.args = (problem, remedy, given)
        self.given = given


@dataclass(frozen=True, slots=True)
class Access:
    """What an HSM needs besides its URL: a URL never contains a secret."""

    token_file: Path | None = None
    """The file with the token of an HSM service."""
    ask_pin: Callable[[], str] | None = None
    """Asks the user for the PIN of a PKCS#11 token."""


@runtime_checkable
class Hsm(Protocol):
    """The operations of a real HSM for a terminal. Keys are named by address and never leave the HSM."""

    def address_of(self, key: str, version: int = 0) -> str:
        """The address, 4 hex digits, of a key's version (from 0) in the HSM."""

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """Authentication data(8) ‖ original data(8) for a process factor (the card's random) and original data."""

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """The command APDU for a 5-byte header: header ‖ enciphered PIN ‖ MAC(4).

        ``pin`` is 0–8 bytes cn, ``None`` for a command without one; then plain
        data may follow the header, and the MAC covers both. Lc in the header
        already counts the MAC.
        """

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """MAC1 or MAC2, 4 bytes, of a purchase under DPK or of a load under DLK.

        ``factor`` is random(4) ‖ card sequence(2) ‖ last two bytes of the
        terminal sequence, ``8000`` for a load; ``message`` the data of the MAC
        without a header.
        """

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """TAC, 4 bytes, under DTK itself; on a DES card under its two halves XORed."""


@runtime_checkable
class NamesKeys(Protocol):
    """An ``Hsm`` that looks up the address of a key during the operation: a remote one saves a request."""

    def reference_to(self, key: str, version: int = 0) -> str:
        """What the operations take for ``address``: a reference to a key, made without a request."""


def locator(hsm: Hsm) -> Callable[[str, int], str]:
    """The function that finds what the operations of an HSM take for ``address``, with as few requests as it can."""
    return hsm.reference_to if isinstance(hsm, NamesKeys) else hsm.address_of


class CheckedHsm(ABC):
    """The checks of every backend before a key is used; a backend computes for a permitted address."""

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        if len(original) != FACTOR_LENGTH:
            raise HsmError(
                Phrase("original data has {length} bytes, got {count}", length=FACTOR_LENGTH, count=len(original))
            )
        found = self._permitted(address, ("authenticate",))
        return self._authenticate(suite, found, card, _factor(suite, factor), original) + original

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        if len(header) < HEADER_LENGTH or (pin is not None and len(header) > HEADER_LENGTH):
            raise HsmError(
                Phrase("a command header has {length} bytes, got {count}", length=HEADER_LENGTH, count=len(header))
            )
        if pin is not None and len(pin) > PIN_MAX_BYTES:
            raise HsmError(Phrase("a PIN has at most {limit} bytes", limit=PIN_MAX_BYTES))
        uses: tuple[Use, ...] = ("mac", "mac and encipher") if pin is None else ("mac and encipher",)
        found = self._permitted(address, uses)
        message = self._message(suite, found, card, _factor(suite, factor), header, pin)
        if header[HEADER_LENGTH - 1] != len(message) - HEADER_LENGTH:
            raise HsmError(
                Phrase(
                    "Lc of the header is {length}, the data with its MAC has another length",
                    length=header[HEADER_LENGTH - 1],
                )
            )
        return message

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        found = self._permitted(address, ("load", "purchase"))
        return self._purchase_mac(suite, found, card, _factor(suite, factor), message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        return self._transaction_proof(suite, self._permitted(address, ("proof",)), card, message)

    def _permitted(self, address: str, uses: tuple[Use, ...]) -> Address:
        found = self._at(address)
        if found is None:
            raise HsmError(Phrase("no key at address {address}", address=address))
        if found.use not in uses:
            raise HsmError(
                Phrase(
                    "the key at address {address} is not for {wanted!r} but for {use!r}",
                    address=address,
                    wanted=uses[-1],
                    use=found.use,
                )
            )
        return found

    @abstractmethod
    def _at(self, address: str) -> Address | None:
        """The key at an address, ``None`` if there is none."""

    @abstractmethod
    def _authenticate(self, suite: Suite, at: Address, card: CardReference, factor: bytes, original: bytes) -> bytes:
        """Authentication data(8)."""

    @abstractmethod
    def _message(
        self, suite: Suite, at: Address, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """Header ‖ enciphered PIN ‖ MAC(4)."""

    @abstractmethod
    def _purchase_mac(self, suite: Suite, at: Address, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """MAC(4) under the session key."""

    @abstractmethod
    def _transaction_proof(self, suite: Suite, at: Address, card: CardReference, message: bytes) -> bytes:
        """MAC(4) under the key itself."""


def _suite(algorithm: int) -> Suite:
    try:
        return SUITES[algorithm]
    except KeyError:
        values: dict[str, Sayable] = {"algorithm": algorithm, "names": SUPPORTED}
        problem = Phrase("algorithm {algorithm:02X} is not supported; supported: {names}", **values)
        if algorithm == SSF33_ID:
            problem = Phrase(
                "algorithm {algorithm:02X} is not supported; supported: {names} "
                "(an FCI without an algorithm means {algorithm:02X} on a card of city {city})",
                **values,
                city=SSF33_CITIES,
            )
        raise HsmError(problem) from None


def factor_refusal(suite: Suite, factor: bytes) -> Phrase:
    """The reason why a process factor is refused."""
    return Phrase.plural(
        "{suite} takes no process factor of {count} byte",
        "{suite} takes no process factor of {count} bytes",
        count=len(factor),
        suite=suite.name,
    )


def _factor(suite: Suite, factor: bytes) -> bytes:
    if len(factor) not in suite.challenge_lengths:
        raise HsmError(factor_refusal(suite, factor))
    return factor
