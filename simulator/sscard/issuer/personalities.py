"""Personalities: the presets, and the check of the fields of one from a file, an image or a card file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from sscard.errors import InputError, suggestion
from sscard.fields import (
    FieldError,
    Path_,
    check_names,
    hidden,
    not_one_of,
    unknown_field,
    whole_number,
    wrong_kind,
    wrong_value,
    yes_or_no,
)
from sscard.i18n.phrase import EITHER, Phrase
from sscard.standard.choices import CHOICES, Choice, Personality, make_personality
from sscard.standard.cipher import ALGORITHM_NAMES, SSF33_ID, SUITES_BY_NAME
from sscard.standard.suite import algorithm_of

PRESETS: Final = {
    preset.name: preset
    for preset in (
        # DES and 3DES: SSSE's files are read freely, rights after part 6.
        make_personality("1.0", name="v1-des", algorithm="DES"),
        # DES and 3DES: EF06 is read freely.
        make_personality("2.0", name="v2-3des", algorithm="DES"),
        # SM4: EF06 is read behind RKSSSE.
        make_personality("3.0", name="v3-sm4", algorithm="SM4"),
    )
}
"""The personalities that come with sscard; fields that are not named have the defaults of their generation."""

_REQUIRED: Final = {field.name: field.default is dataclasses.MISSING for field in dataclasses.fields(Personality)}
"""The fields, and whether a personality must state them."""
_LIMITED: Final = tuple(
    (field.name, field.default, CHOICES[field.name])
    for field in dataclasses.fields(Personality)
    if field.name in CHOICES and CHOICES[field.name].generations
)
"""The choices that cards of some generations do not have, with their defaults."""


def presets() -> list[str]:
    """The names of the personalities that come with sscard."""
    return sorted(PRESETS)


def preset(name: str) -> Personality:
    """A preset by name."""
    if name not in PRESETS:
        raise InputError(Phrase("no personality {name!r}", name=hidden(name)), remedy=suggestion(name, PRESETS))
    return PRESETS[name]


def personality_of(fields: Mapping[str, object], kept: Mapping[str, Any] = MappingProxyType({})) -> Personality:
    """The personality with these fields, in the format of a file; the others are those of another one, ``kept``.

    ``FieldError`` if a field is unknown, missing or has no such value.
    """
    check_names(fields, _REQUIRED, (name for name, required in _REQUIRED.items() if required and name not in kept))
    values: Any = {name: choice_value(name, fields[name]) for name in _REQUIRED if name in fields}
    personality = make_personality(**{**kept, **values})
    check_generation(personality)
    return personality


def errors_in(fields: Mapping[str, object]) -> Iterator[FieldError]:
    """Each of these fields that is unknown or has no such value, on a card of any generation."""
    for name, written in fields.items():
        if name not in _REQUIRED:
            yield unknown_field((name,), _REQUIRED)
            continue
        try:
            choice_value(name, written)
        except FieldError as error:
            yield error


def check_generation(personality: Personality) -> None:
    """``FieldError`` names the first field whose value no card of this generation can have."""
    generation = personality.generation
    for name, default, choice in _LIMITED:
        value = getattr(personality, name)
        if generation not in choice.generations and value != dict(choice.older).get(generation, default):
            only = Phrase.joined(EITHER, choice.generations)
            problem = Phrase(
                "{value!r} is for cards of generation {generations} only, this one is {generation}",
                value=("no", "yes")[value] if isinstance(value, bool) else value,
                generations=only,
                generation=generation,
            )
            remedy = Phrase("leave it out, or set generation: {generation}", generation=choice.generations[-1])
            raise wrong_value((name,), problem, remedy)


def served_as(personality: Personality, city_code: str) -> Phrase | None:
    """A warning if a terminal takes a card of this product for one with another algorithm.

    None for SSF33: ``personalise`` refuses such a card.
    """
    own = SUITES_BY_NAME[personality.algorithm]
    taken = own.algorithm_id if personality.fci_algorithm else algorithm_of(b"", city_code)
    if taken in (own.algorithm_id, SSF33_ID):
        return None
    return Phrase(
        "warning: fci_algorithm: no: terminals take {taken} for a card whose FCI names no algorithm, this one has "
        "{own}; each reset and unblock will cost a try of the PUK; set fci_algorithm: yes",
        taken=ALGORITHM_NAMES[taken],
        own=own.name,
    )


def choice_value(name: str, written: object) -> object:
    """The value of a field: a number in hex or decimal digits, yes or no, or one of a set of words."""
    choice, path = CHOICES.get(name), (name,)
    if choice is None:
        if not isinstance(written, str):
            raise wrong_kind(path, "string_type")
        return written
    value: object
    if choice.digits:
        value = _hex(path, written, choice)
    elif isinstance(choice.allowed[0], bool):
        value = yes_or_no(path, written)
    elif isinstance(choice.allowed[0], int):
        value = whole_number(path, written, choice.allowed[0], int(choice.allowed[-1]))
    elif written in (*choice.allowed, *choice.refused):
        value = written
    else:
        raise not_one_of(path, written, [*map(str, choice.allowed)])
    if value in choice.refused:
        raise wrong_value(
            path,
            Phrase(choice.reason, value=value if isinstance(value, int) else str(value)),
            Phrase("write another value"),
        )
    return value


def _hex(path: Path_, written: object, choice: Choice) -> int:
    """A number with the number of hex digits of its choice, one of those allowed; any number if none is listed."""
    digits = choice.digits
    if not isinstance(written, str) or not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", written):
        raise wrong_value(
            path,
            Phrase("two hex digits expected") if digits == 2 else Phrase("four hex digits expected"),
            Phrase("write hex digits: {example}", example="6A88"[4 - digits :]),
        )
    number = int(written, 16)
    if choice.allowed and number not in (*choice.allowed, *choice.refused):
        choices = ", ".join(f"{each:0{digits}X}" for each in choice.allowed)
        raise wrong_value(
            path,
            Phrase("{value} is not open here", value=hidden(written)),
            Phrase("expected one of: {words}", words=choices),
        )
    return number


def written_fields(values: dict[str, Any]) -> dict[str, Any]:
    """The values of fields in the format of a file; a value of another type than its field's is unchanged."""
    return {name: _written(CHOICES.get(name), value) for name, value in values.items()}


def _written(choice: Choice | None, value: object) -> object:
    if choice is None or type(value) not in (bool, int):
        return value
    return f"{value:0{choice.digits}X}" if choice.digits and type(value) is int else str(value)
