"""The files that a person writes for the issuer, in YAML: key files, personalities, place policies."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

from pydantic import BeforeValidator, Field, create_model, model_validator

from sscard.document import Document, Model, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.fields import FieldError, no_fields
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import KeyFile, RootKey, Use
from sscard.issuer.personalities import PRESETS, personality_of, preset
from sscard.issuer.places import FIELDS, Place, errors_in, place_of
from sscard.standard.choices import CHOICES, Personality
from sscard.standard.cipher import SUITES

T = TypeVar("T")

UNKNOWN: Final = "unknown"
"""What a claim says of a choice that the card has to show."""


def _key_value(text: object) -> bytes:
    try:
        return bytes.fromhex(str(text))
    except ValueError:
        raise InvalidValue(Phrase("a key is written in hex digits"), Phrase("write two for each byte")) from None


def _address(text: object) -> object:
    if not re.fullmatch("[0-9A-F]{4}", str(text)):
        raise InvalidValue(Phrase("not a key address"), Phrase("write four hex digits, 0 to 9 and A to F: 100A"))
    return text


KeyValue = Annotated[bytes, BeforeValidator(_key_value)]
KeyAddress = Annotated[str, BeforeValidator(_address)]

if TYPE_CHECKING:
    _RootValues = Model
else:
    # One field per suite: another algorithm adds a list to the key file.
    _RootValues = create_model(
        "_RootValues",
        __base__=Model,
        **{suite.key_field: (list[KeyValue], Field(default=[], repr=False)) for suite in SUITES.values()},
    )


class WrittenRoot(_RootValues):
    """A root key as a key file has it, the values under each suite in a field of their own."""

    name: str
    use: Use
    addresses: list[KeyAddress]

    @model_validator(mode="after")
    def _complete(self) -> WrittenRoot:
        self.root()  # its error is at this key
        return self

    def root(self) -> RootKey:
        """The root key."""
        by_suite = {suite.key_field: getattr(self, suite.key_field) for suite in SUITES.values()}
        return RootKey(self.name, self.use, self.addresses, by_suite)


class WrittenKeys(Model):
    """A key file."""

    name: str
    keys: list[WrittenRoot]
    psam_keys: tuple[WrittenRoot, ...] = ()

    @model_validator(mode="after")
    def _unambiguous(self) -> WrittenKeys:
        self.key_file()
        return self

    def key_file(self) -> KeyFile:
        """The roots of the key file."""
        return KeyFile(self.name, [key.root() for key in self.keys], [key.root() for key in self.psam_keys])


def written_keys(path: Path) -> KeyFile:
    """A key file; ``InputError`` with the line if it is invalid."""
    return read_document(path).as_model(WrittenKeys).key_file()


def read_personality(path: Path) -> Personality:
    """A user's personality file; fields it does not name come from ``based_on`` or the defaults."""
    return stated_personality(read_document(path))


def read_claim(document: Document) -> tuple[Personality, frozenset[str]]:
    """What a vendor claims, as in a personality file, and the choices whose value is ``unknown``."""
    content = document.content
    if not isinstance(content, dict):
        return stated_personality(document), frozenset()
    unknown = frozenset(name for name, value in content.items() if value == UNKNOWN and name in CHOICES)
    stated = {name: value for name, value in content.items() if name not in unknown}
    return stated_personality(document.with_content(stated)), unknown


def stated_personality(document: Document) -> Personality:
    """The personality that a document, or a part of one, states as a personality file does. Errors: ``InputError``."""
    content = document.content
    base = content.pop("based_on", None) if isinstance(content, dict) else None
    if base is None:
        return personality_in(document)
    if base not in PRESETS:
        problem = Phrase("no personality {base!r}", base=base)
        raise document.error(("based_on",), problem, suggestion(str(base), PRESETS))
    return vary(preset(base), document)


def vary(base: Personality, changes: Document) -> Personality:
    """A personality with the fields changed by a document (or a part of one)."""
    generation = changes.content.get("generation", base.generation)
    kept = {
        field.name: getattr(base, field.name)
        for field in dataclasses.fields(base)
        # A choice of some generations is not that of a card of another one, which has its own default.
        if generation == base.generation or field.name not in CHOICES or not CHOICES[field.name].generations
    }
    return _made(changes, partial(personality_of, kept=kept), Personality)


def personality_in(document: Document) -> Personality:
    """The personality that a document describes; ``InputError`` if a field is unknown, missing or has no such value."""
    return _made(document, personality_of, Personality)


def read_place(path: Path) -> Place:
    """A place policy file; ``InputError`` with the line if it is invalid."""
    return place_in(read_document(path))


def place_in(document: Document) -> Place:
    """The place policy that a document, or a part of one, describes; ``InputError`` with the line if it is invalid."""
    return _made(document, place_of, Place)


def errors_in_place(path: Path) -> list[InputError]:
    """Every error of a place policy file, in the order of the file."""
    try:
        document = read_document(path)
    except InputError as error:
        return [error]
    content = document.content
    errors = errors_in(content) if isinstance(content, dict) else [no_fields((), FIELDS)]
    found = [document.error(error.path, error.problem, error.remedy) for error in errors]
    return sorted(found, key=lambda error: (error.line, error.column))


def _made(document: Document, make: Callable[[Mapping[str, Any]], T], kind: type[Any]) -> T:
    """What a function makes of the fields of a document; its error gets the place of the field."""
    try:
        if not isinstance(document.content, dict):
            raise no_fields((), [field.name for field in dataclasses.fields(kind)])
        return make(document.content)
    except FieldError as error:
        raise document.error(error.path, error.problem, error.remedy) from None
