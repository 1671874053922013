"""What a scenario relies on: choices, interface, keys, applications and faults.

A scenario is not applicable to a card product without them. The names of
``needs:`` are the choices of a personality, each with the values that fit
(one, a list, or a range of numbers as 4-15), and ``interface``, ``keys``,
``applications`` and ``faults``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from sscard.card import Personality
from sscard.document import Document, Report
from sscard.errors import InputError, first_of, suggestion
from sscard.fields import FieldError, hidden, shown
from sscard.i18n.phrase import EITHER, Phrase
from sscard.issuer.personalise import layout_of
from sscard.issuer.personalities import choice_value
from sscard.scenario.coverage.facts import MEMORY, POWER_CUT, choice_text
from sscard.scenario.faults import ALL_FAULTS, FaultStep
from sscard.scenario.step import Step, application_names, authenticated_keys
from sscard.scenario.steps.memory import CutPower, FailMemory
from sscard.standard.choices import CHOICES

INTERFACES: Final = ("contact", "contactless")
MEMORY_FAULTS: Final = (POWER_CUT, MEMORY)
"""Faults inside the card, which only a card whose memory the bench owns can have."""
FAULTS: Final = "faults"
"""The field that names faults."""
_RANGE: Final = re.compile(r"\s*([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*")


@dataclass(frozen=True, slots=True)
class Needs:
    """The needs of a scenario: values that fit by choice, and the names of keys, applications and faults."""

    choices: dict[str, tuple[int | str, ...]] = field(default_factory=dict)
    interface: tuple[str, ...] = INTERFACES
    keys: tuple[str, ...] = ()
    applications: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()

    def unmet(self, personality: Personality, interface: str) -> Phrase | None:
        """The first need that a card product over an interface does not meet."""
        for name, fitting in self.choices.items():
            value = getattr(personality, name)
            if value not in fitting:
                texts = tuple(choice_text(name, fit) for fit in fitting)
                needed = texts[0] if len(texts) == 1 else Phrase.joined(EITHER, texts)
                return Phrase(
                    "needs {choice}: {needed}, this card has {value}",
                    choice=name,
                    needed=needed,
                    value=choice_text(name, value),
                )
        if interface not in self.interface:
            return Phrase("needs the interface {interface}", interface=self.interface[0])
        layout = layout_of(personality)
        keys = {key.name for key in layout.keys}
        for key in self.keys:
            if key not in keys:
                return Phrase("needs the key {key}, which this card does not have", key=key)
        applications = {df.name for df in layout.dfs}
        for name in self.applications:
            if name not in applications:
                return Phrase("needs the application {name}, which this card does not have", name=name)
        return None


def read_needs(document: Document, report: Report | None = None) -> Needs:
    """The needs of a scenario file; ``InputError`` with the place of a need that no card can meet.

    ``report`` gets the errors after the first.
    """
    content = document.content
    if not isinstance(content, dict):
        remedy = Phrase("write it as {form}", form="{generation: 3.0, keys: [PUK]}")
        raise document.error((), Phrase("needs: fields expected"), remedy)
    choices: dict[str, tuple[int | str, ...]] = {}
    others: dict[str, tuple[str, ...]] = {}
    wrong: list[InputError] = []
    for name in content:
        try:
            texts = _texts(document, name)
            if name in CHOICES:
                choices[name] = tuple(fit for text in texts for fit in _values(document, name, text))
            else:
                others[name] = _words(document, name, texts)
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise first_of(wrong, report)
    return Needs(choices, **others)


def _texts(document: Document, name: str) -> list[str]:
    """What a need states, one text or several."""
    value = document.content[name]
    given = value if isinstance(value, list) else [value]
    texts = [each if isinstance(each, str) else hidden(each) for each in given]
    if not texts:
        problem = Phrase("{need}: a value expected", need=shown(name))
        raise document.error((name,), problem, Phrase("write a value, or leave {name} out", name=shown(name)))
    return texts


def _words(document: Document, name: str, texts: list[str]) -> tuple[str, ...]:
    """The texts of a need that is no choice, each of which is a word of it."""
    known = _WORDS.get(name)
    if known is None:
        problem = Phrase("unknown need {name}", name=shown(name))
        raise document.error((name,), problem, suggestion(name, (*CHOICES, *_WORDS)))
    for text in texts:
        if text not in known():
            problem = Phrase("{need}: {word} is not known", need=name, word=shown(text))
            raise document.error((name,), problem, suggestion(text, known()))
    return tuple(texts)


def check_faults(document: Document, needs: Needs, steps: Iterable[Step]) -> None:
    """Check that the steps inject the faults of ``needs``, the section ``document``."""
    found = {*injected(steps)}
    for fault in needs.faults:
        if fault not in found:
            problem = Phrase("the scenario does not inject the fault {fault}", fault=shown(fault))
            raise document.error((FAULTS,), problem, Phrase("leave it out, or add the step"))


def injected(steps: Iterable[Step]) -> Iterator[str]:
    """The names of the faults that steps inject."""
    for step in steps:
        if isinstance(step, FaultStep):
            yield step.fault.name
        elif isinstance(step, FailMemory):
            yield MEMORY
        elif isinstance(step, CutPower):
            yield POWER_CUT


_WORDS: Final[dict[str, Any]] = {
    "interface": lambda: INTERFACES,
    "keys": authenticated_keys,
    "applications": application_names,
    FAULTS: lambda: (*MEMORY_FAULTS, *ALL_FAULTS),
}


def _values(document: Document, name: str, text: str) -> list[int | str]:
    numbers = _RANGE.fullmatch(text)
    allowed = CHOICES[name].allowed
    if numbers and type(allowed[0]) is int and not CHOICES[name].digits:
        first, last = int(numbers[1]), int(numbers[2])
        fitting = [value for value in allowed if isinstance(value, int) and first <= value <= last]
        if not fitting:
            raise document.error(
                (name,),
                Phrase("{name}: no value of the choice is in this range", name=name),
                Phrase("write a range with at least one of: {words}", words=", ".join(map(str, allowed))),
            )
        return list(fitting)
    try:
        value = choice_value(name, text)
    except FieldError as error:
        raise document.error((name,), error.problem, error.remedy) from None
    assert isinstance(value, int | str)
    return [value]
