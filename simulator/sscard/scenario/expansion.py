"""What a scenario file abbreviates: variables and step groups, expanded to steps that keep their places.

``${name}`` is replaced by a variable, a field of the table's row, a parameter of
the step group, or a value that an earlier step captures. A value that is written
as ``${name}`` alone may be a list or have fields. ``$${`` stays ``${``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field, field_validator

from sscard.document import MOST_NESTED, Document, Model, read_document
from sscard.errors import InputError, InvalidValue, suggestion
from sscard.fields import Path_, hidden, shown
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.expressions import NAME, NAME_FORM

USE, GIVEN, NOTE = "use", "with", "note"
"""The fields of a step that is a step group."""
MOST_STEPS: Final = 10_000
"""Steps of one scenario, those of step groups included."""

_PLACEHOLDER: Final = re.compile(r"(\$?)\$\{([^{}]*)\}")

MOST_TEXT: Final = 100_000
"""Characters of a variable, those of the variables in it included."""

Variables = Mapping[str, Any]


class Scope(NamedTuple):
    """Variables with their values; ``of_row`` are those whose values depend on the row of the table."""

    values: Variables
    of_row: frozenset[str] = frozenset()


class Group(Model):
    """A step group: its parameters, with a default or without (a list: all without), and its steps."""

    parameters: dict[str, Any] | list[str] = Field(default_factory=list)
    steps: list[Any]

    @field_validator("parameters", mode="before")
    @classmethod
    def _are_names(cls, given: object) -> object:
        if isinstance(given, dict) or (isinstance(given, list) and all(isinstance(name, str) for name in given)):
            return given
        raise InvalidValue(Phrase("a list of names expected, or names with defaults"), _GROUPS)


class GroupAt(NamedTuple):
    """A step group and where its steps are."""

    defaults: dict[str, Document]
    required: tuple[str, ...]
    steps: Document


@dataclass(frozen=True, slots=True)
class Part:
    """A step as written, variables replaced; ``late`` if it needs a value that is captured when the scenario runs.

    ``used`` says where the step groups around it are used, the outermost first; ``names`` are the variables in it, of
    which one is ``of_row`` if it differs from row to row.
    """

    document: Document
    late: bool = False
    used: tuple[Sayable, ...] = ()
    names: frozenset[str] = frozenset()
    of_row: bool = False
    as_written: Document | None = None

    @property
    def written(self) -> Document:
        """The step before its variables were replaced."""
        return self.as_written or self.document


def within(error: InputError, places: tuple[Sayable, ...], remedy: Sayable = "") -> InputError:
    """An error with more places: the row of a table, the use of a step group; and with another remedy."""
    problem = error.problem
    for place in places:
        problem = Phrase("{problem} ({place})", problem=problem, place=place)
    return InputError(problem, file=error.file, line=error.line, column=error.column, remedy=remedy or error.remedy)


def replaced(document: Document, variables: Variables, captured: Collection[str] | None = None) -> Part:
    """A part of a document with its variables replaced; those captured later stay as they are written.

    Without ``captured`` this is the last time, in which ``$${`` becomes ``${``.
    """
    replacing = _Replacing(document, variables, captured)
    content = replacing.value(document.content, ())
    if replacing.unchanged:
        return Part(document, replacing.late, names=frozenset(replacing.names))
    replaced_document = Document(content, replacing.places, document.source, document.root, document.text)
    return Part(replaced_document, replacing.late, names=frozenset(replacing.names))


def placeholders(content: Any) -> set[str]:
    """The names in the placeholders of a part of a document."""
    if isinstance(content, str):
        return {found[2] for found in _PLACEHOLDER.finditer(content) if not found[1]} if "${" in content else set()
    inner = (*content, *content.values()) if isinstance(content, dict) else content
    return set().union(*map(placeholders, inner))


def resolved(written: Mapping[str, Document], outer: Scope, row: frozenset[str] = frozenset()) -> Scope:
    """A scope with more variables, those in their values replaced; ``row`` are those that are fields of the table.

    Names that are no variables stay as they are written, for they may be captured when the scenario runs.
    """
    values = {name: value for name, value in outer.values.items() if name not in written}
    of_row = set(row | outer.of_row - written.keys())

    def settle(name: str, within: tuple[str, ...]) -> None:
        document = written[name]
        names = placeholders(document.content)
        if name in within or len(within) > MOST_NESTED:
            problem = Phrase("variable {name!r} refers to itself, or through too many others", name=hidden(name))
            raise document.error((), problem, Phrase("write its value out"))
        for other in sorted(names & written.keys() - values.keys()):
            settle(other, (*within, name))
        values[name] = replaced(document, values, names - values.keys()).document.content
        if names and len(str(values[name])) > MOST_TEXT:
            problem = Phrase("longer than {limit} characters", limit=MOST_TEXT)
            raise document.error((), problem, Phrase("write a shorter value"))
        if names & of_row:
            of_row.add(name)

    for name in written:
        if name not in values:
            settle(name, ())
    return Scope(values, frozenset(of_row))


class _Replacing:
    """One pass over a part of a document."""

    def __init__(self, document: Document, variables: Variables, captured: Collection[str] | None) -> None:
        self.places = document.places
        self.unchanged = True
        self.late = False
        self.names: set[str] = set()
        self._document = document
        self._variables = variables
        self._captured = captured or ()
        self._is_last = captured is None

    def value(self, content: Any, path: Path_) -> Any:
        if isinstance(content, str):
            return self._text(content, path) if "${" in content else content
        if isinstance(content, list):
            return [self.value(item, (*path, index)) for index, item in enumerate(content)]
        return self._fields(content, path)

    def _fields(self, content: dict[str, Any], path: Path_) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, item in content.items():
            name = self._key(key, path)
            if name in fields:
                raise self._document.error((*path, key), Phrase("key {key} is given twice", key=shown(name)))
            fields[name] = self.value(item, (*path, key))
        return fields

    def _key(self, key: str, path: Path_) -> str:
        if "${" not in key:
            return key
        name = self._text(key, (*path, key))
        if not isinstance(name, str):
            raise self._document.error(
                (*path, key), Phrase("a key must be a word"), Phrase("write a text in its place")
            )
        root = (*self._document.root, *path)
        moved = {
            (*root, name, *place[len(root) + 1 :]): found
            for place, found in self.places.items()
            if place[: len(root) + 1] == (*root, key)
        }
        self.places = {**self.places, **moved}
        return name

    def _text(self, text: str, path: Path_) -> Any:
        whole = _PLACEHOLDER.fullmatch(text)
        if whole and not whole[1]:
            return self._named(whole[2], path, text)

        def fill(found: re.Match[str]) -> str:
            if found[1]:
                if not self._is_last:
                    return found[0]
                self.unchanged = False
                return found[0][1:]
            value = self._named(found[2], path, found[0])
            if isinstance(value, str):
                return value
            raise self._document.error(
                path,
                Phrase("{name}: a list or fields in the middle of a text", name=found[0]),
                Phrase("write {name} alone as the value", name=found[0]),
            )

        return _PLACEHOLDER.sub(fill, text)

    def _named(self, name: str, path: Path_, written: str) -> Any:
        if name not in self._variables:
            if name in self._captured:
                self.late = True
                return written
            known = [*self._variables, *self._captured]
            remedy = suggestion(name, known) if known else Phrase("add it to variables:")
            raise self._document.error(path, Phrase("no variable {name!r}", name=hidden(name)), remedy)
        self.unchanged = False
        self.names.add(name)
        value = self._variables[name]
        self.late = self.late or any(f"${{{late}}}" in str(value) for late in self._captured)
        return value


def read_groups(document: Document, folder: Path) -> dict[str, GroupAt]:
    """The step groups of a scenario file: its own, and those of the files that it includes."""
    found: dict[str, GroupAt] = {}
    included = document.content.get("include", [])
    for place, name in enumerate(included if isinstance(included, list) else [included]):
        path = ("include", place) if isinstance(included, list) else ("include",)
        if not isinstance(name, str) or not name:
            raise document.error(path, Phrase("not a file"), Phrase("write the path of a file with groups:"))
        try:
            found |= _groups_of_file(folder / name, str(Path(document.source).parent / name))
        except InputError as error:
            at = f"{document.source}:{document.place(path).line}"
            raise within(error, (Phrase("included at {place}", place=at),)) from None
    for name, group in _groups_in(document).items():
        if name in found:
            raise document.error(
                ("groups", name),
                Phrase("group {name!r} is in an included file too", name=hidden(name)),
                Phrase("rename it"),
            )
        found[name] = group
    return found


def _groups_of_file(path: Path, source: str) -> dict[str, GroupAt]:
    document = read_document(path)
    document.source = source
    if not isinstance(document.content, dict) or document.content.keys() != {"groups"}:
        raise document.error((), Phrase("not a file of step groups"), _GROUPS)
    return _groups_in(document)


def _groups_in(document: Document) -> dict[str, GroupAt]:
    groups = document.content.get("groups", {})
    if not isinstance(groups, dict):
        raise document.error(("groups",), Phrase("not step groups"), _GROUPS)
    return {name: _group(document.part(("groups", name))) for name in groups}


def _group(document: Document) -> GroupAt:
    group = document.as_model(Group)
    given = group.parameters if isinstance(group.parameters, dict) else {}
    defaults = {name: document.part(("parameters", name)) for name in given}
    required = () if isinstance(group.parameters, dict) else tuple(group.parameters)
    check_names(document, [*defaults, *required], "parameters")
    if not group.steps:
        raise document.error(("steps",), Phrase("a group without steps"), _GROUPS)
    return GroupAt(defaults, required, document.part(("steps",)))


def check_names(document: Document, names: Collection[str], *path: str) -> None:
    """Check the names of variables, fields of a table or parameters, which stand at a path of the document."""
    for name in names:
        if not NAME.fullmatch(name):
            problem = Phrase("not a name: {name!r}", name=hidden(name))
            raise document.error(path or (name,), problem, NAME_FORM)


def read_variables(document: Document) -> Variables:
    """The field ``variables:`` of a scenario file."""
    variables = document.content.get("variables", {})
    if not isinstance(variables, dict):
        raise document.error(
            ("variables",), Phrase("not variables"), Phrase("write it as {form}", form="{pin: 123456}")
        )
    check_names(document.part(("variables",)) if variables else document, variables)
    return variables


@dataclass(slots=True)
class Expansion:
    """Expands the steps of one scenario: ``groups`` by name, and the names that steps so far ``captured``.

    ``caught`` gets where the groups are used, and handles the error of a step; the others are expanded then.
    """

    groups: Mapping[str, GroupAt]
    caught: Callable[..., AbstractContextManager[None]]
    captured: set[str] = field(default_factory=set)
    count: int = 0

    def parts(self, steps: Document, scope: Scope, used: tuple[Sayable, ...] = ()) -> Iterator[Part]:
        """The steps of a list, those of step groups in place of their use."""
        for number in range(len(steps.content)):
            if self.count > MOST_STEPS:
                return
            document = steps.part((number,))
            parts: Iterable[Part] = ()
            with self.caught(*used):
                part = replaced(document, scope.values, self.captured)
                part = replace(part, used=used, of_row=not part.names.isdisjoint(scope.of_row), as_written=document)
                if isinstance(document.content, dict) and USE in document.content:
                    parts = self._group(part, scope)
                else:
                    parts = self._step(part, scope)
            yield from parts

    def _step(self, part: Part, scope: Scope) -> Iterable[Part]:
        self.count += 1
        if self.count > MOST_STEPS:
            raise part.document.error(
                (), Phrase("more than {limit} steps", limit=MOST_STEPS), Phrase("split the scenario")
            )
        content = part.document.content
        captured = content.get("capture", {}) if isinstance(content, dict) else {}
        for name in captured if isinstance(captured, dict) else ():
            if name in scope.values:
                raise part.document.error(
                    ("capture", name),
                    Phrase("{name!r} is a variable", name=hidden(name)),
                    Phrase("capture another name"),
                )
            self.captured.add(name)
        is_last = not part.late and "${" in repr(content)
        return [replace(part, document=replaced(part.document, {}).document) if is_last else part]

    def used_group(self, document: Document) -> tuple[GroupAt, dict[str, Any]]:
        """The group that a step uses, and the parameters that it gives."""
        content: dict[str, Any] = document.content
        name = content[USE]
        for field_name in content:
            if field_name not in (USE, GIVEN, NOTE):
                raise document.error(
                    (field_name,),
                    Phrase("unknown field {field!r}", field=hidden(field_name)),
                    Phrase("state expectations at the steps of the group"),
                )
        if not isinstance(name, str) or name not in self.groups:
            remedy = suggestion(str(name), self.groups) if self.groups else Phrase("add it to groups:")
            raise document.error((USE,), Phrase("no group {name!r}", name=hidden(name)), remedy)
        group = self.groups[name]
        given = content.get(GIVEN, {})
        if not isinstance(given, dict):
            raise document.error((GIVEN,), Phrase("not parameters"), Phrase("write it as {form}", form="{pin: 123456}"))
        for parameter in given:
            if parameter not in (*group.required, *group.defaults):
                raise document.error(
                    (GIVEN, parameter),
                    Phrase(
                        "group {name!r} has no parameter {parameter!r}", name=hidden(name), parameter=hidden(parameter)
                    ),
                    suggestion(parameter, (*group.required, *group.defaults)),
                )
        for parameter in group.required:
            if parameter not in given:
                raise document.error(
                    (USE,),
                    Phrase(
                        "group {name!r} needs the parameter {parameter!r}",
                        name=hidden(name),
                        parameter=hidden(parameter),
                    ),
                    Phrase("add it: {field}: …", field=parameter),
                )
        return group, given

    def _group(self, part: Part, scope: Scope) -> Iterator[Part]:
        """The steps of a group that is used."""
        group, given = self.used_group(part.document)
        document = part.document
        place = f"{document.source}:{document.place(()).line}"
        used = (*part.used, Phrase("used at {place}", place=place))
        if len(used) > len(self.groups):
            problem = Phrase("group {name!r} uses itself", name=hidden(document.content[USE]))
            raise document.error((USE,), problem, Phrase("write its steps out"))
        of_row = (scope.of_row - given.keys()) | (given.keys() if part.of_row else set())
        defaults = {name: default for name, default in group.defaults.items() if name not in given}
        inner = resolved(defaults, Scope({**scope.values, **given}, of_row))
        return self.parts(group.steps, inner, used)


_GROUPS: Final = Phrase("write it as {form}", form="groups: {name: {parameters: [pin], steps: […]}}")
