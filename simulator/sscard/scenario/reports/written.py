"""The YAML text of a step for reports, with its secrets masked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import yaml
from pydantic import BaseModel

from sscard.conversation.redaction import redact
from sscard.fields import MASK
from sscard.scenario.expansion import Part
from sscard.scenario.pins import APDU, HEX, fields_of, pins_of, without_pins
from sscard.scenario.reader import Scenario

WIDTH: Final = 72


class StepTexts:
    """The YAML of the steps of scenarios, each written once: the steps of one on several personalities are the same."""

    def __init__(self) -> None:
        self._pins: dict[tuple[int, str], frozenset[str]] = {}
        self._texts: dict[int, tuple[Part, str]] = {}

    def text(self, scenario: Scenario, number: int) -> str:
        """The YAML of a step, numbered from 1, with its variables replaced.

        The fields that the models keep out of their ``repr`` are masked, and what is a
        PIN of the scenario everywhere else in it.
        """
        part = scenario.parts[number - 1]
        if id(part) not in self._texts:
            self._texts[id(part)] = part, _written(part.document.content, self._pins_of(scenario))
        return self._texts[id(part)][1]

    def _pins_of(self, scenario: Scenario) -> frozenset[str]:
        key = id(scenario.parts), scenario.card.pin
        if key not in self._pins:
            self._pins = {key: pins_of(scenario)}
        return self._pins[key]


def _written(content: Any, pins: Collection[str]) -> str:
    step = _Fields(_masked(content, ()))
    text = yaml.dump([step], Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=WIDTH, default_flow_style=None)
    return without_pins(text, pins).rstrip()


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
    for key, value, hidden, inner in fields_of(content, models):
        if key == APDU and not isinstance(value, dict | list):
            found[key] = redact(bytes.fromhex(value)) if HEX.fullmatch(value) else MASK
        else:
            found[key] = (MASK if value else value) if hidden else _masked(value, inner)
    return found
