"""The YAML text of a step for reports, with its secrets masked."""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Iterator, Sequence
from functools import cache
from typing import Any, Final, cast, get_args

import yaml
from pydantic import BaseModel

from sscard.conversation.redaction import redact
from sscard.scenario.expansion import Part
from sscard.scenario.reader import Scenario
from sscard.scenario.verbs import VERBS

MASK: Final = "••••"
WIDTH: Final = 72
APDU: Final = "apdu"
"""The field of a command, of which only the secret bytes are masked."""
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}\s*)+")
_PIN: Final = re.compile("[0-9]{4,16}")
_WORD: Final = re.compile("[0-9]{4,}")


class StepTexts:
    """The YAML of the steps of scenarios, each written once: the steps of one on several personalities are the same."""

    def __init__(self) -> None:
        self._pins: dict[int, frozenset[str]] = {}
        self._texts: dict[int, tuple[Part, str]] = {}

    def text(self, scenario: Scenario, number: int) -> str:
        """The YAML of a step, numbered from 1, with its variables replaced.

        The fields that the models keep out of their ``repr`` are masked, and what is a
        PIN of the scenario everywhere else in it.
        """
        part = scenario.parts[number - 1]
        if id(part) not in self._texts:
            self._texts[id(part)] = part, _written(part.document.content, self._pins_of(scenario.parts))
        return self._texts[id(part)][1]

    def _pins_of(self, parts: tuple[Part, ...]) -> frozenset[str]:
        if id(parts) not in self._pins:
            self._pins = {
                id(parts): frozenset(pin for part in parts for pin in _secret_pins(part.document.content, ()))
            }
        return self._pins[id(parts)]


def _written(content: Any, pins: Collection[str]) -> str:
    step = _Fields(_masked(content, ()))
    text = yaml.dump([step], Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=WIDTH, default_flow_style=None)
    return _WORD.sub(lambda word: MASK if word[0] in pins else word[0], text).rstrip()


class _Fields(dict[str, Any]):
    """The fields of a step, each on a line of its own."""


class _Dumper(yaml.SafeDumper):
    """Writes a text without quotes also if it is a number, as scenario files do, in which every value is a text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - a value that is used twice is written twice
        return True

    def text(self, text: str) -> yaml.Node:
        tag: str = self.resolve(yaml.ScalarNode, text, (True, False))  # type: ignore[no-untyped-call]
        return self.represent_scalar(tag, text)

    def fields(self, fields: _Fields) -> yaml.Node:
        return self.represent_mapping("tag:yaml.org,2002:map", fields.items(), flow_style=False)


_Dumper.add_representer(str, _Dumper.text)
_Dumper.add_representer(_Fields, _Dumper.fields)


def _masked(content: Any, models: Sequence[type[BaseModel]]) -> Any:
    """A part of a step without its secrets; ``models`` are those that it may be one of."""
    if isinstance(content, list):
        return [_masked(each, models) for each in content]
    if not isinstance(content, dict):
        return content
    found = {}
    for key, value, hidden, inner in _fields(content, models):
        if key == APDU and not isinstance(value, dict | list):
            found[key] = redact(bytes.fromhex(value)) if _HEX.fullmatch(value) else MASK
        else:
            found[key] = (MASK if value else value) if hidden else _masked(value, inner)
    return found


def _secret_pins(content: Any, models: Sequence[type[BaseModel]]) -> Iterator[str]:
    """The values of the fields that are masked, if they are PINs."""
    if isinstance(content, list):
        for each in content:
            yield from _secret_pins(each, models)
    elif isinstance(content, dict):
        for key, value, hidden, inner in _fields(content, models):
            if hidden and key != APDU:
                yield from _PIN.findall(str(value))
            elif not hidden:
                yield from _secret_pins(value, inner)


def _fields(
    content: dict[str, Any], models: Sequence[type[BaseModel]]
) -> Iterator[tuple[str, Any, bool, tuple[type[BaseModel], ...]]]:
    """Each field with its value, whether it is secret, and the models of its value."""
    known = [*models, *(VERBS[key] for key in content if not models and key in VERBS)]
    for key, value in content.items():
        fields = [model.model_fields[key] for model in known if key in model.model_fields]
        yield (
            key,
            value,
            any(not field.repr for field in fields),
            tuple(inner for field in fields for inner in _models_in(cast("Hashable", field.annotation))),
        )


@cache
def _models_in(annotation: Hashable) -> tuple[type[BaseModel], ...]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return (annotation,)
    return tuple(inner for each in get_args(annotation) for inner in _models_in(each))
