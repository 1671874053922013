"""Messages independent of the language: pure data, translated by ``sscard.i18n.language``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple


class Words(NamedTuple):
    """A name in both languages, from the standard or the service item."""

    english: str
    chinese: str


class Phrase:
    """A message that is not translated yet: English text with named placeholders, and their values.

    ``Phrase("no file {name}", name=name)``. The English text is the key of the
    catalog; a value is text or a number, ``Words`` or another phrase. ``many``
    is the text for any ``count`` but 1, empty if the phrase has one form.
    """

    __slots__ = ("many", "text", "values")

    def __init__(self, text: str = "", /, **values: Sayable) -> None:
        self.text = text
        self.many = ""
        self.values = values

    @classmethod
    def plural(cls, one: str, many: str, /, count: int, **values: Sayable) -> Phrase:
        """A phrase with a number before a noun: ``Phrase.plural("{count} card", "{count} cards", count=2)``."""
        phrase = cls(one, count=count, **values)
        phrase.many = many
        return phrase

    def filled(self, **values: Sayable) -> Phrase:
        """The same phrase with other values."""
        phrase = Phrase(self.text, **values)
        phrase.many = self.many
        return phrase

    @classmethod
    def joined(cls, template: str, parts: Sequence[Sayable]) -> Sayable:
        """One or more parts joined by a template with the placeholders ``first`` and ``rest``."""
        if len(parts) == 1:
            return parts[0]
        middle = len(parts) // 2  # in halves, to limit the nesting of a long row
        return cls(template, first=cls.joined(template, parts[:middle]), rest=cls.joined(template, parts[middle:]))

    @classmethod
    def quoting(cls, text: str) -> Phrase:
        """Words that are the same in any language."""
        return cls("{text}", text=text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phrase) and (self.text, self.many, self.values) == (
            other.text,
            other.many,
            other.values,
        )

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        many = f", {self.many!r}" if self.many else ""
        return f"Phrase({self.text!r}{many}, {self.values!r})"

    def to_facts(self) -> list[Any]:
        """The JSON form: text, values (``Words`` as a pair of texts) and the plural, if any."""
        facts: list[Any] = [self.text, {name: _fact(value) for name, value in self.values.items()}]
        return [*facts, self.many] if self.many else facts

    @classmethod
    def from_facts(cls, facts: list[Any] | str) -> Phrase:
        """The phrase that ``to_facts`` wrote; a text that was written as such is quoted."""
        if isinstance(facts, str):
            return cls.quoting(facts)
        text, values, *many = facts
        phrase = cls(text, **{name: _value(value) for name, value in values.items()})
        phrase.many = "".join(many)
        return phrase


Sayable = str | int | float | Words | Phrase
"""The argument of ``say``: a phrase, a name in both languages, or text for every language."""


ROW: Final = "{first}, {rest}"
EITHER: Final = "{first} or {rest}"
"""Templates of ``Phrase.joined`` for lists and alternatives."""


def _fact(value: Sayable) -> Any:
    if isinstance(value, Phrase):
        return value.to_facts()
    return list(value) if isinstance(value, Words) else value


def _value(fact: Any) -> Sayable:
    if not isinstance(fact, list):
        return fact  # type: ignore[no-any-return]
    return Phrase.from_facts(fact) if isinstance(fact[1], dict) else Words(*fact)
