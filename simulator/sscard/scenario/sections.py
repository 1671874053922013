"""The sections of a scenario file, with the variables of a row replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sscard.document import Document
from sscard.issuer.lookup import is_path
from sscard.scenario.expansion import GroupAt, Scope, Variables, placeholders, replaced, resolved
from sscard.scenario.tables import Row


@dataclass
class Head:
    """What all rows of a file share, each part read once."""

    document: Document
    written: Any  # None if its fields are wrong
    groups: dict[str, GroupAt]
    variables: Variables  # none if they are wrong

    @cached_property
    def steps(self) -> tuple[Document, ...]:
        """The list of steps; empty if the file has none."""
        return (self.document.part(("steps",)),) if isinstance(self.document.content.get("steps"), list) else ()

    def files(self, *sections: Document) -> Iterator[str]:
        """The names of the files that the scenario reads besides its own."""
        own = self.document.content
        fields = [own.get("with"), own.get("include")]
        fields += [section.content.get(name) for section in sections for name in _FILES]
        for given in fields:
            for name in given if isinstance(given, list) else (given,):
                if isinstance(name, str) and is_path(name):
                    yield name

    @cached_property
    def _variables(self) -> dict[str, Document]:
        return {name: self.document.part(("variables", name)) for name in self.variables}

    @cached_property
    def _sections(self) -> dict[str, tuple[Document, set[str], bool]]:
        """The sections of the file, the names in their placeholders, and whether they have one or ``$${``."""
        content = self.document.content
        return {
            name: (self.document.part((name,)), placeholders(content[name]), "${" in repr(content[name]))
            for name in content
        }

    def scope(self, row: Row | None) -> Scope:
        """The variables of the file and the fields of a row."""
        written = self._variables
        if row is None:
            return resolved(written, Scope({}))
        fields = frozenset(row.fields)
        if not written and not any(map(placeholders, row.fields.values())):
            return Scope(row.fields, fields)
        return resolved(written | {name: row.document.part((name,)) for name in fields}, Scope({}), fields)

    def differs(self, scope: Scope, *sections: str) -> bool:
        """Whether a section depends on the row."""
        return any(not scope.of_row.isdisjoint(self._sections[name][1]) for name in sections if name in self._sections)

    def section(self, name: str, scope: Scope) -> Document:
        """A section of the file with its variables replaced; empty if the file has none."""
        if name not in self._sections:
            return Document({}, self.document.places, self.document.source, (name,))
        section, __, has_placeholder = self._sections[name]
        return replaced(section, scope.values).document if has_placeholder else section


_FILES: Final = ("personality", "image", "place", "policy")
"""Fields of the card and the service that may name a file."""
