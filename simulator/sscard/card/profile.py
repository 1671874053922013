"""The data fixed by personalisation: personality, layout, ATR bytes and key values."""

from __future__ import annotations

from collections.abc import Callable

from sscard.chip.memory import Memory
from sscard.standard.atr import ats, contact_atr, contactless_atr
from sscard.standard.certificates import INITIAL_PINS
from sscard.standard.choices import Personality
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import CARD_BLOCKED, PIN_TRIES, Account, CertificatePin, Layout

FIRST_OF_JANUARY = 101

Diversify = Callable[["Profile", int, int], bytes]
"""Derives a card's key from its profile, the key's index in the layout and its version; shared by all its cards."""


def certificate_limit(personality: Personality, which: CertificatePin) -> int:
    """The retry limit of a PIN of the certificate application."""
    if which == CertificatePin.USER:
        return personality.certificate_user_tries
    return personality.certificate_administrator_tries


class Profile:
    """The unchanging part of a card.

    ``historical`` is the 13 historical bytes of the ATR, ``keys`` the values
    of each key of the layout, one per version, or the function that derives
    one: a card uses few of its keys, so each is derived on first use.
    """

    __slots__ = ("_keys", "_used", "historical", "layout", "personality", "suite")

    def __init__(
        self, personality: Personality, layout: Layout, historical: bytes, keys: list[tuple[bytes, ...]] | Diversify
    ) -> None:
        self.personality = personality
        self.layout = layout
        self.suite = SUITES_BY_NAME[personality.algorithm]
        self.historical = historical
        self._keys = keys
        self._used: dict[int, bytes] | None = None

    def __repr__(self) -> str:
        return f"<Profile {self.personality.name}>"

    def key(self, index: int, version: int = 0) -> bytes:
        """The value of a key's version (from 0); ``IndexError`` if the key has no such version."""
        keys = self._keys
        if isinstance(keys, list):
            return keys[index][version]
        if version >= self.layout.keys[index].versions:
            raise IndexError(version)
        used = self._used
        if used is None:
            used = self._used = {}
        cell = self.layout.counter(index, version)
        if cell not in used:
            used[cell] = keys(self, index, version)
        return used[cell]

    def all_keys(self) -> list[tuple[bytes, ...]]:
        """The values of all keys, as for the constructor; those that were not used are derived and not kept."""
        keys = self._keys
        if isinstance(keys, list):
            return keys
        return [
            tuple(keys(self, index, version) for version in range(key.versions))
            for index, key in enumerate(self.layout.keys)
        ]

    def atr(self, contact: bool = True) -> bytes:
        """ATR (复位应答): 17 bytes contact, 18 bytes contactless."""
        return contact_atr(self.historical) if contact else contactless_atr(ats(self.historical))

    def new_memory(self, pin: bytes, contents: dict[int, bytes]) -> Memory:
        """A fresh memory with this PIN (0 or 2–8 bytes cn); files not in ``contents`` (by cell) are blank.

        The PINs of the certificate application are those it has if nobody names others.
        """
        numbers = [0] * (CARD_BLOCKED + 1 + len(self.layout.dfs))
        numbers[PIN_TRIES] = self.personality.pin_tries
        for key in self.layout.keys:
            numbers += [self.personality.key_tries if key.counted else 0] * key.versions
        numbers += [0] * len(Account)
        numbers[self.layout.medical + Account.START_DAY] = FIRST_OF_JANUARY
        numbers.append(0)  # the PIN's unlocks
        numbers += [certificate_limit(self.personality, which) for which in self.layout.own_pins]
        strings = [pin] + [contents.get(file.cell) or file.blank() for file in self.layout.files]
        strings += [b"", b"", *(encode_pin(INITIAL_PINS[which]) for which in self.layout.own_pins)]
        return Memory(numbers, strings)
