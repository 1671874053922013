"""What a scenario file abbreviates: variables, tables and step groups, expanded to steps that keep their places.

``${name}`` is replaced by a variable, a field of the table's row, a parameter of
the step group, or a value that an earlier step captures. A value that is written
as ``${name}`` alone may be a list or have fields. ``$${`` stays ``${``.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import Field

from sscard.document import Document, Model, Place, read_document
from sscard.errors import InputError, suggestion
from sscard.fields import Path_
from sscard.files import read_text
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.scenario.expressions import NAME

USE, GIVEN, NOTE = "use", "with", "note"
"""The fields of a step that is a step group."""
ROW: Final = "row"
"""The field of a table's row that names it."""
MOST_STEPS: Final = 10_000
"""Steps of one scenario, those of step groups included."""

_PLACEHOLDER: Final = re.compile(r"(\$?)\$\{([^{}]*)\}")

Variables = Mapping[str, Any]


class Group(Model):
    """A step group: its parameters, with a default or without (a list: all without), and its steps."""

    parameters: dict[str, Any] | list[str] = Field(default_factory=list)
    steps: list[Any]


class GroupAt(NamedTuple):
    """A step group and where its steps are."""

    defaults: dict[str, Any]
    required: tuple[str, ...]
    steps: Document


class Row(NamedTuple):
    """A row of a table: its name in reports, its fields, and its place for errors."""

    name: Sayable
    fields: Variables
    place: str


@dataclass(frozen=True, slots=True)
class Part:
    """A step as written, variables replaced; ``late`` if it needs a value that is captured when the scenario runs.

    ``used`` are the places of the step groups around it, the outermost first.
    """

    document: Document
    late: bool = False
    used: tuple[str, ...] = ()


def within(error: InputError, places: tuple[Sayable, ...]) -> InputError:
    """An error with more places: the row of a table, the use of a step group."""
    problem = error.problem
    for place in places:
        problem = Phrase("{problem} ({place})", problem=problem, place=place)
    return InputError(problem, file=error.file, line=error.line, column=error.column, remedy=error.remedy)


def replaced(document: Document, variables: Variables, captured: Collection[str] = ()) -> Part:
    """A part of a document with its variables replaced; those captured later stay as they are written."""
    replacing = _Replacing(document, variables, captured)
    content = replacing.value(document.content, ())
    if replacing.unchanged:
        return Part(document, replacing.late)
    return Part(Document(content, replacing.places, document.source, document.root), replacing.late)


class _Replacing:
    """One pass over a part of a document."""

    def __init__(self, document: Document, variables: Variables, captured: Collection[str]) -> None:
        self.places = document.places
        self.unchanged = True
        self.late = False
        self._document = document
        self._variables = variables
        self._captured = captured

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
                raise self._document.error((*path, key), Phrase("key {key} is given twice", key=repr(name)))
            fields[name] = self.value(item, (*path, key))
        return fields

    def _key(self, key: str, path: Path_) -> str:
        if "${" not in key:
            return key
        name = self._text(key, (*path, key))
        if not isinstance(name, str):
            raise self._document.error((*path, key), Phrase("a key must be a word"))
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
        if name in self._captured:
            self.late = True
            return written
        if name not in self._variables:
            known = [*self._variables, *self._captured]
            remedy = suggestion(name, known) if known else Phrase("add it to variables:")
            raise self._document.error(path, Phrase("no variable {name!r}", name=name), remedy)
        self.unchanged = False
        value = self._variables[name]
        self.late = self.late or any(f"${{{late}}}" in str(value) for late in self._captured)
        return value


def table_rows(document: Document, folder: Path) -> list[Row]:
    """The rows of ``with:``, a list in the file, or the path of a CSV or JSON file relative to its folder."""
    table = document
    if isinstance(document.content, str):
        path = folder / document.content
        if path.suffix not in _READERS:
            raise document.error((), Phrase("no table"), _TABLE_FILE)
        table = _READERS[path.suffix](path)  # JSON is YAML, whose values stay text
        table.source = str(Path(document.source).parent / document.content)
    if not isinstance(table.content, list) or not table.content:
        raise table.error((), Phrase("no rows"), Phrase("write a list of rows, each with the same fields"))
    rows = [_row(table, number) for number in range(len(table.content))]
    for number, row in enumerate(rows):
        missing = rows[0].fields.keys() - row.fields.keys()
        unknown = row.fields.keys() - rows[0].fields.keys()
        for name in sorted(missing | unknown):
            raise table.error(
                (number,),
                Phrase("not the fields of the first row: {name}", name=name),
                Phrase("give each row the same fields"),
            )
    return rows


def _row(table: Document, number: int) -> Row:
    part = table.part((number,))
    fields = part.content
    if not isinstance(fields, dict) or not fields:
        raise part.error((), Phrase("a row has fields"), Phrase("write it as {form}", form="{pin: 123456, sw: 63C5}"))
    place = f"{table.source}:{part.place(()).line}"
    values = {name: value for name, value in fields.items() if name != ROW}
    _check_names(part, values)
    name: Sayable = str(number + 1)
    if ROW in fields:
        name = in_languages(part.part((ROW,)))
    return Row(name, values, place)


def in_languages(document: Document) -> Sayable:
    """A text, or a text in both languages: ``{en: …, zh: …}``."""
    content = document.content
    if isinstance(content, str) and content.strip():
        return content
    if isinstance(content, dict) and content.keys() == {"en", "zh"} and all(map(_is_text, content.values())):
        return Words(content["en"], content["zh"])
    raise document.error((), Phrase("not a text"), Phrase("write a text, or {form}", form="{en: …, zh: …}"))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _csv(path: Path) -> Document:
    """A CSV file, its first line the names of the fields, as a document."""
    reader = csv.reader(StringIO(read_text(path).removeprefix("\ufeff")), strict=True)
    names: list[str] = []
    rows: list[dict[str, str]] = []
    places: dict[Path_, Place] = {(): Place(1, 1)}
    try:
        for cells in reader:
            if not names:
                names = [cell.strip() for cell in cells]
                continue
            if not cells:
                continue
            if len(cells) != len(names):
                raise InputError(
                    Phrase("{found} values, {count} expected", found=len(cells), count=len(names)),
                    file=str(path),
                    line=reader.line_num,
                    column=1,
                    remedy=Phrase("put a value with a comma in double quotes"),
                )
            places[(len(rows),)] = Place(reader.line_num, 1)
            rows.append(dict(zip(names, cells, strict=True)))
    except csv.Error:
        raise InputError(
            Phrase("not a CSV file"), file=str(path), line=reader.line_num, column=1, remedy=_TABLE_FILE
        ) from None
    return Document(rows, places, str(path))


def read_groups(document: Document, folder: Path) -> dict[str, GroupAt]:
    """The step groups of a scenario file: its own, and those of the files that it includes."""
    found: dict[str, GroupAt] = {}
    content = document.content
    included = content.get("include", [])
    for place, name in enumerate(included if isinstance(included, list) else [included]):
        path = ("include", place) if isinstance(included, list) else ("include",)
        if not isinstance(name, str) or not name:
            raise document.error(path, Phrase("not a file"), Phrase("write the path of a file with groups:"))
        found |= _groups_of_file(folder / name, str(Path(document.source).parent / name))
    groups = content.get("groups", {})
    if not isinstance(groups, dict):
        raise document.error(("groups",), Phrase("not step groups"), _GROUPS)
    for name in groups:
        if name in found:
            raise document.error(
                ("groups", name), Phrase("group {name!r} is in an included file too", name=name), Phrase("rename it")
            )
        found[name] = _group(document.part(("groups", name)))
    return found


def _groups_of_file(path: Path, source: str) -> dict[str, GroupAt]:
    document = read_document(path)
    document.source = source
    if not isinstance(document.content, dict) or document.content.keys() != {"groups"}:
        raise document.error((), Phrase("not a file of step groups"), _GROUPS)
    groups = document.content["groups"]
    if not isinstance(groups, dict):
        raise document.error(("groups",), Phrase("not step groups"), _GROUPS)
    return {name: _group(document.part(("groups", name))) for name in groups}


def _group(document: Document) -> GroupAt:
    group = document.as_model(Group)
    defaults = group.parameters if isinstance(group.parameters, dict) else {}
    required = () if isinstance(group.parameters, dict) else tuple(group.parameters)
    _check_names(document, [*defaults, *required], "parameters")
    if not group.steps:
        raise document.error(("steps",), Phrase("a group without steps"), _GROUPS)
    return GroupAt(defaults, required, document.part(("steps",)))


def _check_names(document: Document, names: Collection[str], *path: str) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise document.error(
                path if path else (name,),
                Phrase("not a name: {name!r}", name=name),
                Phrase("write letters, digits and underscores, a letter first"),
            )


def read_variables(document: Document) -> Variables:
    """The field ``variables:`` of a scenario file."""
    variables = document.content.get("variables", {})
    if not isinstance(variables, dict):
        raise document.error(
            ("variables",), Phrase("not variables"), Phrase("write it as {form}", form="{pin: 123456}")
        )
    _check_names(document.part(("variables",)) if variables else document, variables)
    return variables


@dataclass(slots=True)
class Expansion:
    """Expands the steps of one scenario: ``groups`` by name, and the names that steps so far ``captured``."""

    groups: Mapping[str, GroupAt]
    captured: set[str] = field(default_factory=set)
    count: int = 0

    def parts(self, steps: Document, variables: Variables, used: tuple[str, ...] = ()) -> Iterator[Part]:
        """The steps of a list, those of step groups in place of their use."""
        for number in range(len(steps.content)):
            document = steps.part((number,))
            part = replaced(document, variables, self.captured)
            part = Part(part.document, part.late, used)
            if isinstance(document.content, dict) and USE in document.content:
                yield from self._group(part, variables)
                continue
            self.count += 1
            if self.count > MOST_STEPS:
                raise document.error((), Phrase("more than {limit} steps", limit=MOST_STEPS))
            yield part
            self._note(part.document, variables)

    def _note(self, document: Document, variables: Variables) -> None:
        content = document.content
        captured = content.get("capture", {}) if isinstance(content, dict) else {}
        for name in captured if isinstance(captured, dict) else ():
            if name in variables:
                raise document.error(
                    ("capture", name), Phrase("{name!r} is a variable", name=name), Phrase("capture another name")
                )
            self.captured.add(name)

    def _group(self, part: Part, variables: Variables) -> Iterator[Part]:
        document = part.document
        content: dict[str, Any] = document.content
        name = content[USE]
        for field_name in content:
            if field_name not in (USE, GIVEN, NOTE):
                raise document.error(
                    (field_name,),
                    Phrase("unknown field {field!r}", field=field_name),
                    Phrase("state expectations at the steps of the group"),
                )
        if not isinstance(name, str) or name not in self.groups:
            remedy = suggestion(str(name), self.groups) if self.groups else Phrase("add it to groups:")
            raise document.error((USE,), Phrase("no group {name!r}", name=str(name)), remedy)
        group = self.groups[name]
        given = content.get(GIVEN, {})
        if not isinstance(given, dict):
            raise document.error((GIVEN,), Phrase("not parameters"), Phrase("write it as {form}", form="{pin: 123456}"))
        for parameter in given:
            if parameter not in (*group.required, *group.defaults):
                raise document.error(
                    (GIVEN, parameter),
                    Phrase("group {name!r} has no parameter {parameter!r}", name=name, parameter=parameter),
                    suggestion(parameter, (*group.required, *group.defaults)),
                )
        for parameter in group.required:
            if parameter not in given:
                raise document.error(
                    (USE,),
                    Phrase("group {name!r} needs the parameter {parameter!r}", name=name, parameter=parameter),
                    Phrase("add it: {field}: …", field=parameter),
                )
        line = document.place(()).line
        used = (*part.used, f"{document.source}:{line}")
        if len(used) > len(self.groups):
            raise document.error((USE,), Phrase("group {name!r} uses itself", name=name))
        yield from self.parts(group.steps, {**variables, **group.defaults, **given}, used)


_READERS: Final = {".csv": _csv, ".json": read_document}
_TABLE_FILE: Final = Phrase("write a list of rows, or the path of a .csv file with a line of names or a .json file")
_GROUPS: Final = Phrase("write it as {form}", form="groups: {name: {parameters: [pin], steps: […]}}")
