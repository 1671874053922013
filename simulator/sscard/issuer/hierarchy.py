"""The issuer's key hierarchy: root keys from a key file, diversified province → city → card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from io import FileIO
from typing import Any, Final, Literal, NamedTuple

from sscard.errors import InputError, InvalidValue
from sscard.i18n.phrase import EITHER, Phrase
from sscard.standard.cipher import SUITES, BlockKey, Suite, city_factor, province_factor
from sscard.standard.keys import ROOT_OF

TEST_KEYS: Final = f"{__file__.removesuffix('hierarchy.py')}test-keys.yaml"
"""The test keys that come with sscard, in the part of YAML that is JSON, which is read without YAML's parser.

Not a ``Path``: a program that issues cards needs no other, and ``pathlib`` takes longer to import than a card to make.
"""

CHECK_LENGTH: Final = 3
"""Bytes of a key check value."""

Use = Literal["authenticate", "mac", "mac and encipher", "load", "purchase", "proof"]


class CardReference(NamedTuple):
    """Diversification data of a card: city code (6 digits of the identification code), card serial (f3, 8 bytes)."""

    city_code: str
    serial: bytes


class Address(NamedTuple):
    """The key at a key address (密钥逻辑地址): name, version from 0, and its permitted use."""

    key: str
    version: int
    use: Use


@dataclass(frozen=True, slots=True)
class RootKey:
    """A root key of a key file: per version one address, and one value under each suite that the issuer uses.

    ``by_suite`` has the values by the ``key_field`` of the suite: ``sm4``,
    ``des``. ``InvalidValue`` if they do not fit each other.
    """

    name: str
    use: Use
    addresses: list[str]
    by_suite: Mapping[str, list[bytes]] = field(repr=False)

    def __post_init__(self) -> None:
        given = [suite for suite in SUITES.values() if self.values(suite)]
        if not given or any(len(self.values(suite)) != len(self.addresses) for suite in given):
            fields = ", ".join(suite.key_field for suite in given or SUITES.values())
            raise InvalidValue(
                Phrase(
                    "{name}: one address and one value of each of {fields} expected per version",
                    name=self.name,
                    fields=fields,
                )
            )
        for suite in given:
            if any(len(value) not in suite.key_lengths for value in self.values(suite)):
                lengths, digits = suite.key_lengths, [2 * length for length in suite.key_lengths]
                raise InvalidValue(
                    Phrase(
                        "{name}: {field} values have {lengths} bytes",
                        name=self.name,
                        field=suite.key_field,
                        lengths=Phrase.joined(EITHER, lengths),
                    ),
                    Phrase("write {digits} hex digits", digits=Phrase.joined(EITHER, digits)),
                )

    def values(self, suite: Suite) -> list[bytes]:
        """The values under a suite, one per version; empty if the issuer does not use it."""
        return self.by_suite.get(suite.key_field, [])


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A key file: the roots of an issuer's cards and of its PSAMs' own keys.

    ``InvalidValue`` if a name or an address occurs twice.
    """

    name: str
    keys: list[RootKey]
    psam_keys: list[RootKey] = field(default_factory=list)

    def __post_init__(self) -> None:
        every = [*self.keys, *self.psam_keys]
        for problem, given in (
            (Phrase("addresses given twice: {names}"), [address for key in every for address in key.addresses]),
            (Phrase("keys given twice: {names}"), [key.name for key in every]),
        ):
            twice = {word for word in given if given.count(word) > 1}
            if twice:
                raise InvalidValue(problem.filled(names=", ".join(sorted(twice))), Phrase("keep one of them"))


class KeyHierarchy:
    """The roots of one issuer and the card keys derived from them; values are never shown.

    ``psam_keys`` is the hierarchy of its PSAMs' own keys, ``None`` if the key file holds none.
    """

    def __init__(self, file: KeyFile) -> None:
        self.name = file.name
        self.file = file
        self.psam_keys = KeyHierarchy(KeyFile(file.name, file.psam_keys)) if file.psam_keys else None
        self._roots = {key.name: key for key in file.keys}
        self._addresses = {
            address: Address(key.name, version, key.use)
            for key in file.keys
            for version, address in enumerate(key.addresses)
        }
        self._city_key = lru_cache(maxsize=4096)(self._derive_city_key)

    def __repr__(self) -> str:
        return f"<KeyHierarchy {self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # The built-in test keys by reference; a pickle of others holds the roots.
        return (builtin_keys, ()) if self is builtin_keys() else (type(self), (self.file,))

    def at(self, address: str) -> Address | None:
        """The key at a key address, ``None`` if there is no key."""
        return self._addresses.get(address)

    def address_of(self, key: str, version: int = 0) -> str:
        """The address of a key's version; ``KeyError`` if the issuer does not have it."""
        return self._roots[ROOT_OF.get(key, key)].addresses[version]

    def check_values(self, suite: Suite) -> dict[str, list[str]]:
        """Key check values (KCV) of the roots under a suite, by name, one per version, in hex.

        The first 3 bytes of a block of zeros that the root enciphers: enough to compare two copies of a key, too few
        to find the key by.
        """
        return {
            key.name: [suite.key(value).encrypt(bytes(suite.block))[:CHECK_LENGTH].hex().upper() for value in values]
            for key in self.file.keys
            if (values := key.values(suite))
        }

    def card_key(self, suite: Suite, key: str, version: int, card: CardReference) -> bytes:
        """A card's key: root → province → city → card (LD/T 32.4 diversification).

        ``InputError`` if the key file has no such root.
        """
        return suite.diversify(self._city_key(suite, key, version, card.city_code), card.serial)

    def root(self, suite: Suite, key: str, version: int) -> bytes | None:
        """A root's value (8 or 16 bytes), ``None`` if the issuer does not have it."""
        held = self._roots.get(ROOT_OF.get(key, key))
        values = held.values(suite) if held else []
        return values[version] if version < len(values) else None

    def needed(self, suite: Suite, key: str, version: int) -> bytes:
        """A root's value; ``InputError`` if the issuer does not have it."""
        value = self.root(suite, key, version)
        if value is None:
            raise InputError(
                Phrase(
                    "the key file {name!r} holds no root {key} version {version}",
                    name=self.name,
                    key=ROOT_OF.get(key, key),
                    version=version + 1,
                ),
                remedy=Phrase("add it, as in sscard's own test-keys.yaml"),
            )
        return value

    def _derive_city_key(self, suite: Suite, key: str, version: int, city_code: str) -> BlockKey:
        value = self.needed(suite, key, version)
        for factor in (province_factor(city_code), city_factor(city_code)):
            value = suite.diversify(suite.key(value), factor)
        return suite.key(value)


@cache
def builtin_keys() -> KeyHierarchy:
    """The hierarchy of the test keys that come with sscard."""
    return KeyHierarchy(builtin_key_file())


def builtin_key_file() -> KeyFile:
    """The test keys that come with sscard."""
    with FileIO(TEST_KEYS) as file:
        lines = file.read().decode().splitlines()
    content = json.loads("\n".join(line for line in lines if not line.startswith("#")))
    return KeyFile(content["name"], _roots(content["keys"]), _roots(content["psam_keys"]))


def _roots(written: Iterable[dict[str, Any]]) -> list[RootKey]:
    return [
        RootKey(
            key["name"],
            key["use"],
            key["addresses"],
            {
                suite.key_field: [bytes.fromhex(value) for value in key.get(suite.key_field, ())]
                for suite in SUITES.values()
            },
        )
        for key in written
    ]
