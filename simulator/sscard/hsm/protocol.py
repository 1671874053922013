"""The issuer's HSM (加密机): what a terminal may ask of it, and the checks before a key is used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from sscard.i18n.language import _
from sscard.issuer.hierarchy import Address, CardReference, Use
from sscard.standard.cipher import FACTOR_LENGTH, SUITES, SUPPORTED, Suite

HEADER_LENGTH = 5
PIN_MAX_BYTES = 8


class HsmError(Exception):
    """The HSM refused; the text says why and never holds a key or PIN."""


class HsmUnavailable(HsmError):
    """No HSM to ask: not reachable, no such token, wrong token or PIN. Exit code 3, with ``remedy``.

    ``remedy`` is the command or the setting that helps.
    """

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Access:
    """What an HSM asks for beside its URL, because a secret never stands in a URL."""

    token_file: Path | None = None
    """The file with the token of an HSM service."""
    ask_pin: Callable[[], str] | None = None
    """Asks the user for the PIN of a PKCS#11 token."""


@runtime_checkable
class Hsm(Protocol):
    """What a terminal asks a real HSM for. Keys go by address, and never leave it."""

    def address_of(self, key: str, version: int = 0) -> str:
        """The address, 4 hex digits, that the HSM's map gives a key's version (from 0)."""

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """Authentication data(8) ‖ original data(8) for a process factor (the card's random) and original data."""

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """The command APDU for a 5-byte header: header ‖ enciphered PIN ‖ MAC(4).

        ``pin`` is 0–8 bytes cn, ``None`` for a command without one. Lc in the
        header already counts the MAC.
        """

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """MAC1 or MAC2, 4 bytes, under DPK.

        ``factor`` is random(4) ‖ purchase sequence(2) ‖ last two bytes of the
        terminal sequence; ``message`` the data of the MAC without a header.
        """

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """TAC, 4 bytes, under DTK itself; on a DES card under its two halves XORed."""


class CheckedHsm(ABC):
    """The checks every backend makes before it computes with a key; a backend computes for a permitted address."""

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        if len(original) != FACTOR_LENGTH:
            raise HsmError(
                _("original data has {length} bytes, got {count}", length=FACTOR_LENGTH, count=len(original))
            )
        found = self._permitted(address, ("authenticate",))
        return self._authenticate(suite, found, card, _factor(suite, factor), original) + original

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        if len(header) != HEADER_LENGTH:
            raise HsmError(
                _("a command header has {length} bytes, got {count}", length=HEADER_LENGTH, count=len(header))
            )
        if pin is not None and len(pin) > PIN_MAX_BYTES:
            raise HsmError(_("a PIN has at most {limit} bytes", limit=PIN_MAX_BYTES))
        uses: tuple[Use, ...] = ("mac", "mac and encipher") if pin is None else ("mac and encipher",)
        found = self._permitted(address, uses)
        message = self._message(suite, found, card, _factor(suite, factor), header, pin)
        if header[-1] != len(message) - HEADER_LENGTH:
            raise HsmError(
                _("Lc of the header is {length}, the data with its MAC has another length", length=header[-1])
            )
        return message

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        found = self._permitted(address, ("purchase",))
        return self._purchase_mac(suite, found, card, _factor(suite, factor), message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        return self._transaction_proof(suite, self._permitted(address, ("proof",)), card, message)

    def _permitted(self, address: str, uses: tuple[Use, ...]) -> Address:
        found = self._at(address)
        if found is None:
            raise HsmError(_("no key at address {address}", address=address))
        if found.use not in uses:
            raise HsmError(
                _(
                    "the key at address {address} is not for {wanted!r} but for {use!r}",
                    address=address,
                    wanted=uses[-1],
                    use=found.use,
                )
            )
        return found

    @abstractmethod
    def _at(self, address: str) -> Address | None:
        """What stands at an address, ``None`` for nothing."""

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
        raise HsmError(
            _("algorithm {algorithm:02X} is not supported; supported: {names}", algorithm=algorithm, names=SUPPORTED)
        ) from None


def _factor(suite: Suite, factor: bytes) -> bytes:
    if len(factor) not in suite.challenge_lengths:
        raise HsmError(_("{suite} takes no process factor of {length} bytes", suite=suite.name, length=len(factor)))
    return factor
