"""What can be said in any language: pure data, put into words by ``sscard.i18n.language``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple


class Words(NamedTuple):
    """A name that stands in both languages, as the standard or the service item has it."""

    english: str
    chinese: str


class Phrase:
    """A sentence that is not yet in a language: English with named places, and what stands there.

    ``Phrase("{tries} tries left", tries=3)``. The English text is the key of
    the catalog; a value is text or a number, ``Words`` or another phrase.
    """

    __slots__ = ("text", "values")

    def __init__(self, text: str = "", /, **values: str | int | Words | Phrase) -> None:
        self.text = text
        self.values = values

    @classmethod
    def joined(cls, template: str, parts: Sequence[Phrase]) -> Phrase:
        """One or more phrases in a row, by a template with the places ``first`` and ``rest``."""
        first, *rest = parts
        return cls(template, first=first, rest=cls.joined(template, rest)) if rest else first

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phrase) and (self.text, self.values) == (other.text, other.values)

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Phrase({self.text!r}, {self.values!r})"

    def to_facts(self) -> list[Any]:
        """As JSON keeps it: the text and its values, ``Words`` as a pair of texts."""
        return [self.text, {name: _fact(value) for name, value in self.values.items()}]

    @classmethod
    def quoting(cls, text: str) -> Phrase:
        """Words that are told as they stand, in any language."""
        return cls("{text}", text=text)

    @classmethod
    def from_facts(cls, facts: list[Any] | str) -> Phrase:
        """The phrase that ``to_facts`` wrote; a text that was written as such is quoted."""
        if isinstance(facts, str):
            return cls.quoting(facts)
        text, values = facts
        return cls(text, **{name: _value(value) for name, value in values.items()})


def _fact(value: str | int | Words | Phrase) -> Any:
    if isinstance(value, Phrase):
        return value.to_facts()
    return list(value) if isinstance(value, Words) else value


def _value(fact: Any) -> str | int | Words | Phrase:
    if not isinstance(fact, list):
        return fact  # type: ignore[no-any-return]
    return Phrase.from_facts(fact) if isinstance(fact[1], dict) else Words(*fact)
