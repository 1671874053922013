"""Personality files: the presets, the user's files, and their validation."""

from __future__ import annotations

import dataclasses
import re
from functools import cache, partial
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model

from sscard.document import Document, Model, parse_document, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.i18n.phrase import Phrase
from sscard.standard.choices import CHOICES, Choice, Personality

PRESETS = resources.files("sscard.issuer") / "personalities"
DEFAULT = "v3-sm4"


def presets() -> list[str]:
    """The names of the personalities that come with sscard."""
    return sorted(entry.name.removesuffix(".yaml") for entry in PRESETS.iterdir() if entry.name.endswith(".yaml"))


@cache
def preset(name: str) -> Personality:
    """A preset by name."""
    if name not in presets():
        raise InputError(Phrase("no personality {name!r}", name=name), remedy=suggestion(name, presets()))
    text = (PRESETS / f"{name}.yaml").read_text(encoding="utf-8")
    return _read(parse_document(text, f"{name}.yaml"))


def find_personality(name: str) -> Personality:
    """A preset by name, or a personality file by path (anything with a suffix or a slash)."""
    path = Path(name)
    return load_personality(path) if path.suffix or len(path.parts) > 1 else preset(name)


def load_personality(path: Path) -> Personality:
    """A user's personality file; fields it does not name come from ``based_on`` or the defaults."""
    return _read(read_document(path))


def vary(base: Personality, changes: Document) -> Personality:
    """A personality with the fields changed by a document (or a part of one)."""
    fields = written_fields(dataclasses.asdict(base))
    return personality_in(Document(fields | changes.content, changes.places, changes.source, changes.root))


def _read(document: Document) -> Personality:
    content = document.content
    base = content.pop("based_on", None) if isinstance(content, dict) else None
    if base is None:
        return personality_in(document)
    if base not in presets():
        raise document.error(
            ("based_on",), Phrase("no personality {base!r}", base=base), suggestion(str(base), presets())
        )
    for field, value in written_fields(dataclasses.asdict(preset(base))).items():
        content.setdefault(field, value)
    return personality_in(document)


def personality_in(document: Document) -> Personality:
    """The personality that a document describes; ``InputError`` if a field is unknown, missing or has no such value."""
    return Personality(**document.as_model(_model()).model_dump())


def written_fields(values: dict[str, Any]) -> dict[str, Any]:
    """The values of fields in the format of a file; a value of another type than its field's is unchanged."""
    return {name: _written(CHOICES.get(name), value) for name, value in values.items()}


def _written(choice: Choice | None, value: object) -> object:
    if choice is None or type(value) not in (bool, int):
        return value
    return f"{value:0{choice.digits}X}" if choice.digits and type(value) is int else str(value)


@cache
def _model() -> type[Model]:
    """The fields of a personality file, made from the table of choices."""
    defaults = {field.name: field.default for field in dataclasses.fields(Personality)}
    fields: dict[str, Any] = {
        name: (
            _type_of(CHOICES[name]) if name in CHOICES else str,
            ... if default is dataclasses.MISSING else default,
        )
        for name, default in defaults.items()
    }
    return create_model("Personality", __base__=Model, **fields)


def _type_of(choice: Choice) -> Any:
    """The type of a choice's field: a number in hex or decimal digits, yes or no, or a set of words."""
    allowed = choice.allowed
    if choice.digits:
        kind: Any = Annotated[
            int, BeforeValidator(partial(_hex, digits=choice.digits, allowed=tuple(map(int, allowed))))
        ]
    elif isinstance(allowed[0], bool):
        kind = bool
    elif isinstance(allowed[0], int):
        kind = Annotated[int, Field(ge=allowed[0], le=allowed[-1])]
    else:
        kind = Literal[allowed]
    if not choice.refused:
        return kind
    refuse = partial(_refuse, choice=choice)
    return Annotated[kind, BeforeValidator(refuse) if isinstance(choice.refused[0], str) else AfterValidator(refuse)]


def _refuse(value: object, choice: Choice) -> object:
    if value in choice.refused:
        raise InvalidValue(Phrase(choice.reason, value=value if isinstance(value, int) else str(value)))
    return value


def _hex(value: object, digits: int, allowed: tuple[int, ...]) -> int:
    """A number with this number of hex digits, one of those allowed; any number if none is listed."""
    if not isinstance(value, str) or not re.fullmatch(f"[0-9A-Fa-f]{{{digits}}}", value):
        raise InvalidValue(Phrase("two hex digits expected") if digits == 2 else Phrase("four hex digits expected"))
    number = int(value, 16)
    if allowed and number not in allowed:
        choices = ", ".join(f"{each:0{digits}X}" for each in allowed)
        raise InvalidValue(
            Phrase("{value} is not open here", value=value), Phrase("expected one of: {words}", words=choices)
        )
    return number
