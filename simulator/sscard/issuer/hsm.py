"""The issuer's HSM (加密机): what a terminal may ask of it, and the software HSM over a key hierarchy."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

from sscard.cipher import FACTOR_LENGTH, SUITES, BlockKey, CipherError, Suite
from sscard.issuer.hierarchy import Address, CardReference, KeyHierarchy, Use

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
            raise HsmError(f"original data has {FACTOR_LENGTH} bytes, got {len(original)}")
        found = self._permitted(address, ("authenticate",))
        return self._authenticate(suite, found, card, _factor(suite, factor), original) + original

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        suite = _suite(algorithm)
        if len(header) != HEADER_LENGTH:
            raise HsmError(f"a command header has {HEADER_LENGTH} bytes, got {len(header)}")
        if pin is not None and len(pin) > PIN_MAX_BYTES:
            raise HsmError(f"a PIN has at most {PIN_MAX_BYTES} bytes")
        uses: tuple[Use, ...] = ("mac", "mac and encipher") if pin is None else ("mac and encipher",)
        found = self._permitted(address, uses)
        message = self._message(suite, found, card, _factor(suite, factor), header, pin)
        if header[-1] != len(message) - HEADER_LENGTH:
            raise HsmError(f"Lc of the header is {header[-1]}, the data with its MAC has another length")
        return message

    def _permitted(self, address: str, uses: tuple[Use, ...]) -> Address:
        found = self._at(address)
        if found is None:
            raise HsmError(f"no key at address {address}")
        if found.use not in uses:
            raise HsmError(f"the key at address {address} may not {uses[-1]}: its use is {found.use!r}")
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
            raise HsmError(f"this HSM holds no {key} version {version + 1}") from None

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
        raise HsmError(f"algorithm {algorithm:02X} is not supported; 01 is DES, 03 is SM4") from None


def _factor(suite: Suite, factor: bytes) -> bytes:
    if len(factor) not in suite.challenge_lengths:
        raise HsmError(str(CipherError(f"{suite.name} takes no process factor of {len(factor)} bytes")))
    return factor
