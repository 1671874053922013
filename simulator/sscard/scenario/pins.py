"""The PINs of a scenario, as its file has them, and texts in which they are masked."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from functools import cache
from typing import Any, Final, Protocol, cast, get_args

from pydantic import BaseModel

from sscard.conversation.redaction import secret_places
from sscard.document import Document
from sscard.fields import MASK
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.scenario.cards import CardData
from sscard.scenario.expansion import Part
from sscard.scenario.tables import ROW, Row
from sscard.scenario.verbs import VERBS

APDU: Final = "apdu"
"""The field of a command, of which only the secret bytes are masked."""
HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}\s*)+")
_WITHOUT_PINS: Final = ("psam_apdu", "enciphered")
"""Fields of bytes that are masked whole, in which a number is no PIN."""
_PIN: Final = re.compile("[0-9]{4,16}")
_WORD: Final = re.compile("[0-9]{4,}|(?<![0-9])[0-9]{2}(?: [0-9]{2})+(?![0-9])")
"""A number that may be a PIN, or its digits as the bytes of a command have them."""


class Scenario(Protocol):
    """What has PINs: the card, and the steps as written; and the texts that every report repeats."""

    @property
    def card(self) -> CardData: ...
    @property
    def parts(self) -> tuple[Part, ...]: ...
    @property
    def document(self) -> Document: ...
    @property
    def own_label(self) -> Sayable: ...
    @property
    def proves(self) -> Sayable: ...


def check_texts(scenario: Scenario, row: Row | None) -> None:
    """Errors: ``InputError`` if the name of a scenario or of its row, or its purpose, has one of its PINs."""
    places = [(scenario.document, "name", scenario.own_label), (scenario.document, "proves", scenario.proves)]
    places += [(row.document, ROW, row.name)] if row and ROW in row.document.content else []
    for document, field, text in places:
        for said in text if isinstance(text, Words) else (str(text),):
            if masked(said, scenario) != said:
                problem = Phrase("{field}: a PIN of the scenario, which every report would print", field=field)
                raise document.error((field,), problem, Phrase("write what the PIN is, such as: the birth date"))


def without_pins(text: str, pins: Collection[str]) -> str:
    """The text with the numbers masked that are PINs."""
    return _WORD.sub(lambda word: MASK if word[0].replace(" ", "") in pins else word[0], text)


def masked(text: str, scenario: Scenario) -> str:
    """A text of a scenario, such as a note or an expected value, with its PINs masked."""
    return without_pins(text, pins_of(scenario)) if _WORD.search(text) else text


def pins_of(scenario: Scenario) -> frozenset[str]:
    """The values of the fields of card and steps that the models keep out of their ``repr``, if they are PINs."""
    card = scenario.card
    given = [card.pin] if "pin" in card.model_fields_set else []
    given += [pin for pin in (card.certificate_pin, card.administrator_pin) if pin]
    return frozenset((*given, *(pin for part in scenario.parts for pin in _secret_pins(part.document.content, ()))))


def _secret_pins(content: Any, models: Sequence[type[BaseModel]]) -> Iterator[str]:
    """The values of the fields that are masked, if they are PINs."""
    if isinstance(content, list):
        for each in content:
            yield from _secret_pins(each, models)
    elif isinstance(content, dict):
        for key, value, hidden, inner in fields_of(content, models):
            if key == APDU and isinstance(value, str) and HEX.fullmatch(value):
                command = bytes.fromhex(value)
                places = secret_places(command)
                yield from _PIN.findall(command[places.start : places.stop].hex())
            elif hidden and key not in (APDU, *_WITHOUT_PINS):
                yield from _PIN.findall("".join(str(value).split()))  # also of bytes as pairs of digits
            elif not hidden:
                yield from _secret_pins(value, inner)


def fields_of(
    content: dict[str, Any], models: Sequence[type[BaseModel]]
) -> Iterator[tuple[str, Any, bool, tuple[type[BaseModel], ...]]]:
    """Each field of a part of a step with its value, whether it is secret, and the models of its value.

    ``models`` are those that the part may be one of; without one the part is a step.
    """
    known = [*models, *(VERBS[key] for key in content if not models and key in VERBS)]
    for key, value in content.items():
        fields = [model.model_fields[key] for model in known if key in model.model_fields]
        yield (
            key,
            value,
            any(not field.repr for field in fields),
            tuple(inner for field in fields for inner in models_in(cast("Hashable", field.annotation))),
        )


@cache
def models_in(annotation: Hashable) -> tuple[type[BaseModel], ...]:
    """The models that the value of a field with this annotation may be one of, or contain."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(inner for each in get_args(annotation) for inner in models_in(each))
