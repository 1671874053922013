"""The issuer's key hierarchy: root keys from a key file, diversified province → city → card."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BeforeValidator, Field, model_validator

from sscard.document import Document, Model, parse_document, read_document
from sscard.errors import InputError
from sscard.i18n.language import N_, _
from sscard.standard.cipher import SM4, BlockKey, Suite, city_factor, province_factor

Use = Literal["authenticate", "mac", "mac and encipher", "load", "purchase", "proof"]

ROOT_OF = {"UKMF": "UKSSSE"}
"""Keys that a generation calls by another name than the key file."""


class CardReference(NamedTuple):
    """What picks a card's keys: city code (6 digits of the identification code), card serial (f3, 8 bytes)."""

    city_code: str
    serial: bytes


class Address(NamedTuple):
    """Where a key address (密钥逻辑地址) leads: key name, version from 0, what the HSM lets it do."""

    key: str
    version: int
    use: Use


KEY_REMEDY = N_("write 32 hex digits; a des root whose card key has 8 bytes takes 16")


def _key_value(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        raise ValueError(_("a key is written in hex digits\n{remedy}", remedy=_(KEY_REMEDY))) from None


def _address(text: object) -> object:
    if not re.fullmatch("[0-9A-F]{4}", str(text)):
        raise ValueError(_("not a key address\nwrite four hex digits, 0 to 9 and A to F: 100A"))
    return text


KeyValue = Annotated[bytes, BeforeValidator(_key_value)]
KeyAddress = Annotated[str, BeforeValidator(_address)]


class RootKey(Model):
    """A root key of the key file: one address and one value per version."""

    name: str
    use: Use
    addresses: list[KeyAddress]
    sm4: list[KeyValue] = Field(repr=False)
    des: list[KeyValue] = Field(repr=False)

    @model_validator(mode="after")
    def _complete(self) -> RootKey:
        if not len(self.addresses) == len(self.sm4) == len(self.des):
            raise ValueError(_("{name}: one address, one sm4 and one des value per version expected", name=self.name))
        if any(len(value) != 16 for value in self.sm4):
            raise ValueError(_("{name}: an sm4 root has 16 bytes\n{remedy}", name=self.name, remedy=_(KEY_REMEDY)))
        if any(len(value) not in (8, 16) for value in self.des):
            raise ValueError(_("{name}: a des root has 8 or 16 bytes\n{remedy}", name=self.name, remedy=_(KEY_REMEDY)))
        return self

    def value(self, suite: Suite, version: int) -> bytes:
        return (self.sm4 if suite is SM4 else self.des)[version]


class KeyFile(Model):
    """A key file: the roots an issuer holds."""

    name: str
    keys: list[RootKey]

    @model_validator(mode="after")
    def _unambiguous(self) -> KeyFile:
        for problem, given in (
            (N_("addresses given twice: {names}"), [address for key in self.keys for address in key.addresses]),
            (N_("keys given twice: {names}"), [key.name for key in self.keys]),
        ):
            twice = {word for word in given if given.count(word) > 1}
            if twice:
                raise ValueError(_(problem, names=", ".join(sorted(twice))) + "\n" + _("keep one of them"))
        return self


class KeyHierarchy:
    """The roots of one issuer and every card key under them; values stay inside the issuer."""

    def __init__(self, file: KeyFile) -> None:
        self.name = file.name
        self._roots = {key.name: key for key in file.keys}
        self._addresses = {
            address: Address(key.name, version, key.use)
            for key in file.keys
            for version, address in enumerate(key.addresses)
        }
        self._city_key = lru_cache(maxsize=4096)(self._derive_city_key)

    def __repr__(self) -> str:
        return f"<KeyHierarchy {self.name}>"

    def at(self, address: str) -> Address | None:
        """What stands at a key address, ``None`` for nothing."""
        return self._addresses.get(address)

    def address_of(self, key: str, version: int = 0) -> str:
        """The address of a key's version; ``KeyError`` where the issuer does not hold it."""
        return self._roots[ROOT_OF.get(key, key)].addresses[version]

    def card_key(self, suite: Suite, key: str, version: int, card: CardReference) -> bytes:
        """A card's key: root → province → city → card (LD/T 32.4 diversification).

        ``InputError`` where the key file has no such root.
        """
        return suite.diversify(self._city_key(suite, key, version, card.city_code), card.serial)

    def root(self, suite: Suite, key: str, version: int) -> bytes | None:
        """A root's value (8 or 16 bytes), ``None`` where the issuer does not hold it."""
        held = self._roots.get(ROOT_OF.get(key, key))
        return held.value(suite, version) if held and version < len(held.addresses) else None

    def _derive_city_key(self, suite: Suite, key: str, version: int, city_code: str) -> BlockKey:
        value = self.root(suite, key, version)
        if value is None:
            raise InputError(
                _(
                    "the key file {name!r} holds no root {key} version {version}",
                    name=self.name,
                    key=ROOT_OF.get(key, key),
                    version=version + 1,
                ),
                remedy=_("add it, as in sscard's own test-keys.yaml"),
            )
        for factor in (province_factor(city_code), city_factor(city_code)):
            value = suite.diversify(suite.key(value), factor)
        return suite.key(value)


def load_keys(path: Path) -> KeyHierarchy:
    """The hierarchy of a user's key file."""
    return _hierarchy(read_document(path))


@cache
def builtin_keys() -> KeyHierarchy:
    """The hierarchy of the test keys that come with sscard."""
    text = (resources.files("sscard.issuer") / "test-keys.yaml").read_text(encoding="utf-8")
    return _hierarchy(parse_document(text, "test-keys.yaml"))


def _hierarchy(document: Document) -> KeyHierarchy:
    return KeyHierarchy(document.as_model(KeyFile))
