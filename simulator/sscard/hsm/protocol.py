"""The issuer's HSM (加密机): what a terminal may ask of it, and the software HSM over a key hierarchy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from sscard.i18n.language import _
from sscard.issuer.hierarchy import Address, CardReference, KeyHierarchy, Use
from sscard.standard.cipher import FACTOR_LENGTH, SUITES, SUPPORTED, BlockKey, Suite

HEADER_LENGTH = 5
PIN_MAX_BYTES = 8


class HsmError(Exception):
    """The HSM refused; the text says why and never holds a key or PIN."""


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


class SoftHsm(CheckedHsm):
    """The HSM in software, over the roots of a key file."""

    def __init__(self, hierarchy: KeyHierarchy) -> None:
        self._hierarchy = hierarchy

    def __repr__(self) -> str:
        return f"<SoftHsm {self._hierarchy.name}>"

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        try:
            return self._hierarchy.address_of(key, version)
        except (KeyError, IndexError):
            raise HsmError(_("this HSM holds no {key} version {version}", key=key, version=version + 1)) from None

    def _at(self, address: str) -> Address | None:
        return self._hierarchy.at(address)

    def _authenticate(self, suite: Suite, at: Address, card: CardReference, factor: bytes, original: bytes) -> bytes:
        return suite.authenticate(self._card_key(suite, at, card), factor, original)

    def _message(
        self, suite: Suite, at: Address, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        session = suite.session_key(self._card_key(suite, at, card), factor)
        message = header + (b"" if pin is None else suite.encipher_pin(session, pin))
        return message + suite.mac(session, message)

    def _card_key(self, suite: Suite, at: Address, card: CardReference) -> BlockKey:
        return suite.key(self._hierarchy.card_key(suite, at.key, at.version, card))


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
