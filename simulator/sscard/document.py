"""Files a person writes (scenarios, personalities, key files): YAML read as text, errors with their place.

YAML's own typing corrupts status words and PINs (``0020``, ``6E00``, ``NO``),
so every scalar stays the text that was written, and the model of the document
(pydantic) gives it a type. Duplicate and unknown keys are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from sscard.errors import InputError, first_of, said_by
from sscard.fields import (
    DOCUMENT,
    PROBLEMS,
    REMEDIES,
    FieldsOf,
    Path_,
    either,
    missing_field,
    nearest,
    no_fields,
    shown,
    unknown_field,
    wrong_value,
)
from sscard.files import read_text
from sscard.i18n.phrase import Phrase, Sayable


class Model(BaseModel):
    """A part of a document: unknown fields refused, input never shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
Report = Callable[[InputError], None]
"""Receives every error of a document."""

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml
    _Loader = yaml.SafeLoader


MOST_NODES: Final = 100_000
"""Values and keys of a document, those that aliases (``*name``) repeat counted each time."""
MOST_NESTED: Final = 100
"""Lists and mappings around a value, those of an alias included."""
MERGE: Final = "<<"
"""The key, written without quotes, that takes the fields of another mapping."""


class Document:
    """One YAML document as text: ``content`` (dicts, lists, strings) and the place of every part.

    ``root`` is where the content stands in the file; paths count from there. ``text`` is the whole file, empty if
    the content is of none.
    """

    def __init__(self, content: Any, places: dict[Path_, Place], source: str, root: Path_ = (), text: str = "") -> None:
        self.content = content
        self.places = places
        self.source = source
        self.root = root
        self.text = text

    def part(self, path: Path_) -> Document:
        """A part of the document as one of its own."""
        content = self.content
        for step in path:
            content = content[step]
        return Document(content, self.places, self.source, (*self.root, *path), self.text)

    def with_content(self, content: Any) -> Document:
        """Another content at the same place."""
        return Document(content, self.places, self.source, self.root, self.text)

    def place(self, path: Path_) -> Place:
        """Where a part stands: its own place, or the nearest enclosing part's."""
        path = (*self.root, *path)
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def error(self, path: Path_, problem: Sayable, remedy: Sayable = "") -> InputError:
        """An input error at this part of the document."""
        line, column = self.place(path)
        return InputError(problem, file=self.source, line=line, column=column, remedy=remedy)

    def read_at(self, path: Path_, read: Callable[[], T]) -> T:
        """What a part names; the error of a file that cannot be read gets the place that names the file."""
        try:
            return read()
        except InputError as error:
            if error.line:
                raise
            raise self.error(path, error.said, error.remedy) from None

    def as_model(self, model: type[M], context: object = None, report: Report | None = None) -> M:
        """The content as a model; ``InputError`` with file, line, column and remedy where it does not fit.

        A validator raises ``InvalidValue``, which may have a remedy, and gets the ``context``. The
        first error is raised; ``report`` gets the others.
        """
        try:
            return model.model_validate(self.content, context=context)
        except ValidationError as error:
            raise first_of((self._explain(model, detail) for detail in _details_of(error)), report) from None

    def errors(self, model: type[BaseModel], context: object, is_open: Callable[[Any], object]) -> list[InputError]:
        """What is wrong with the content, apart from values that are ``is_open``, or have a part that is."""
        found: list[InputError] = []
        try:
            model.model_validate(self.content, context=context)
        except ValidationError as error:
            for detail in _details_of(error):
                content = self.content
                for step in detail["loc"]:  # which names kinds of values too
                    if isinstance(content, dict):
                        content = content.get(step, content)
                    elif isinstance(content, list) and isinstance(step, int):
                        content = content[step]
                if detail["type"] in _OF_NAMES or not is_open(content):
                    found.append(self._explain(model, detail))
        return found

    def _explain(self, model: type[BaseModel], detail: ErrorDetails) -> InputError:
        path: Path_ = detail["loc"]
        if path[-1:] == (_OF_A_KEY,):
            path = path[:-1]
        if detail["type"] == "extra_forbidden":
            found = unknown_field(path, _fields_at(model, path[:-1]))
        elif detail["type"] == "missing":
            found = missing_field(path)
        elif detail["type"] == "model_type":
            found = no_fields(path or self.root, _fields_at(model, path))
        else:
            found = wrong_value(path or self.root, *problem_in(detail))
        return self.error(path, found.problem, found.remedy)


def problem_in(detail: ErrorDetails) -> tuple[Sayable, Sayable]:
    """What a validation found, by its type, and the remedy if it names one; pydantic's own words for a rare type."""
    facts = detail.get("ctx", {})
    if detail["type"] == "value_error":
        error = facts["error"]
        return said_by(error), getattr(error, "remedy", "")
    if detail["type"] in ("literal_error", "enum"):
        first, _, last = facts["expected"].rpartition(" or ")
        words = re.findall("'([^']*)'", facts["expected"])
        return either(first, last), nearest(detail["input"], words)
    kind = f"bytes_{detail['type']}" if facts.get("field_type") == "Value" else detail["type"]
    found = PROBLEMS.get(kind)
    if found is None:
        return detail["msg"], Phrase("write another value")
    remedy = REMEDIES[kind]
    limit = next((facts[name] for name in _LIMITS if name in facts), 0)
    if found.many:
        return found.filled(count=limit, found=facts.get("actual_length") or 0), remedy
    return found.filled(limit=limit, pattern=facts.get("pattern", "")), remedy


_OF_NAMES: Final = ("extra_forbidden", "missing")
"""The errors that do not depend on a value."""
_OF_A_KEY: Final = "[key]"
"""How pydantic ends the path to a key, after the key."""
_LIMITS: Final = ("ge", "gt", "le", "lt", "min_length", "max_length")


def _details_of(error: ValidationError) -> list[ErrorDetails]:
    """The errors of a validation; an unknown field first, for it may be the missing one, misspelled."""
    return sorted(error.errors(include_url=False), key=lambda detail: detail["type"] != "extra_forbidden")


def read_document(path: Path) -> Document:
    """Read a YAML file as text with places."""
    return parse_document(read_text(path), str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse YAML text; ``source`` names it in errors."""
    try:
        _check_size(text, source)
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise InputError(Phrase("is empty"), file=source, line=1, column=1, remedy=_FIELDS)
        reader = _Reader(source)
        return Document(reader.plain(root, ()), reader.places, source, text=text)
    except RecursionError:
        raise InputError(_too_deep(DOCUMENT), file=source, remedy=_SPLIT) from None
    except yaml.YAMLError as error:
        line, column = _place_of(error, text)
        if getattr(error, "problem", "") == _LIBYAML_TOO_DEEP:
            raise InputError(_too_deep(DOCUMENT), file=source, line=line, column=column, remedy=_SPLIT) from None
        problem = next(said for kind, said in _NOT_YAML.items() if isinstance(error, kind))
        # YAML has more line ends than these, and then counts more lines.
        if [char for row in text.split("\n")[line - 1 : line] for char in row[column - 1 : column]] == ["\t"]:
            problem = Phrase("not valid YAML: a tab, indent with spaces")
        remedy = Phrase("correct this line, or the one before it")
        if getattr(error, "context", "") == _OPEN_QUOTE:
            problem, remedy = Phrase("not valid YAML: a quote is not closed"), Phrase("write the second quote")
        raise InputError(problem, file=source, line=line, column=column, remedy=remedy) from error


def _place_of(error: yaml.YAMLError, text: str) -> Place:
    """Where YAML is wrong; line and column 0 if the parser does not say."""
    if isinstance(error, yaml.reader.ReaderError):
        before = text[: error.position].split("\n")
        return Place(len(before), len(before[-1]) + 1)
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    if getattr(error, "context", "") == _OPEN_QUOTE:
        mark = error.context_mark  # type: ignore[attr-defined]
    return Place(mark.line + 1, mark.column + 1) if mark else Place(0, 0)


class _Part:
    """A list or mapping that is being counted: its anchor, the nodes before it, and how deep it is nested itself."""

    def __init__(self, anchor: str | None, before: int) -> None:
        self.anchor = anchor
        self.before = before
        self.height = 1


def _check_size(text: str, source: str) -> None:
    """Count the nodes and the nesting of a document without expanding an alias; ``InputError`` if it has too many."""
    counted: dict[str, tuple[int, int]] = {}
    parts: list[_Part] = []
    nodes = 0
    for event in yaml.parse(text, Loader=_Loader):
        height, said = 0, DOCUMENT
        match event:
            case yaml.AliasEvent(anchor=str() as anchor):
                said = Phrase("alias {name}", name=shown(anchor))
                if anchor not in counted or any(part.anchor == anchor for part in parts):
                    raise _no_anchor(event, source, said, within=anchor in {part.anchor for part in parts})
                size, height = counted[anchor]
                nodes += size
            case yaml.CollectionStartEvent():
                parts.append(_Part(event.anchor, nodes))
                nodes += 1
            case yaml.CollectionEndEvent():
                part = parts.pop()
                height = part.height
                if part.anchor is not None:
                    counted[part.anchor] = (nodes - part.before, height)
            case yaml.ScalarEvent():
                nodes += 1
                if event.anchor is not None:
                    counted[event.anchor] = (1, 0)
        if parts:
            parts[-1].height = max(parts[-1].height, height + 1)
        remedy = _FEWER_ALIASES if isinstance(event, yaml.AliasEvent) else _SPLIT
        if nodes > MOST_NODES:
            many = Phrase(
                "{said}: at most {limit} values expected, aliases counted each time", said=said, limit=MOST_NODES
            )
            raise _at(event, source, many, remedy)
        if len(parts) + height > MOST_NESTED:
            raise _at(event, source, _too_deep(said), remedy)


def _at(node: yaml.Node | yaml.Event, source: str, problem: Sayable, remedy: Sayable = "") -> InputError:
    """An error at a node or event of a document."""
    line, column = _place(node)
    return InputError(problem, file=source, line=line, column=column, remedy=remedy)


def _too_deep(said: Sayable) -> Phrase:
    return Phrase("{said}: nested too deeply, at most {limit} levels expected", said=said, limit=MOST_NESTED)


def _no_anchor(event: yaml.Event, source: str, alias: Phrase, *, within: bool) -> InputError:
    """The error of an alias without an anchor before it, or ``within`` the part that has it."""
    if within:
        return _at(event, source, Phrase("{said}: refers to itself", said=alias), _FEWER_ALIASES)
    return _at(event, source, Phrase("{said}: there is no anchor of this name", said=alias), _FEWER_ALIASES)


_FIELDS: Final = Phrase("expected fields, for example name: value")
_FEWER_ALIASES: Final = Phrase("write out what is meant, with fewer aliases")
_SPLIT: Final = Phrase("split it into several files")
_LIBYAML_TOO_DEEP: Final = "exceeded maximum nesting depth"
_OPEN_QUOTE: Final = "while scanning a quoted scalar"
_NOT_YAML: Final = {
    yaml.scanner.ScannerError: Phrase(
        "not valid YAML: a character that cannot stand here, or a colon, space or quote missing before it"
    ),
    yaml.parser.ParserError: Phrase("not valid YAML: a comma or bracket is missing, or the indentation is wrong"),
    yaml.composer.ComposerError: Phrase("not valid YAML: a second document in the file"),
    yaml.reader.ReaderError: Phrase("not valid YAML: a control character"),
    yaml.YAMLError: Phrase("not valid YAML"),
}


class _Reader:
    """Turns the nodes of a document into dicts, lists and text, and notes their places."""

    def __init__(self, source: str) -> None:
        self.places: dict[Path_, Place] = {}
        self._source = source

    def plain(self, node: yaml.Node, path: Path_) -> Any:
        self.places.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, index)) for index, item in enumerate(node.value)]
        return node.value

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key, (key_node, value_node) in self._fields(node).items():
            self.places[(*path, key)] = _place(key_node)
            mapping[key] = self.plain(value_node, (*path, key))
        return mapping

    def _fields(self, node: yaml.MappingNode) -> dict[str, tuple[yaml.ScalarNode, yaml.Node]]:
        """The nodes of a mapping by key: its own, then those of its merge key, of which the first counts."""
        fields: dict[str, tuple[yaml.ScalarNode, yaml.Node]] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _at(key_node, self._source, Phrase("a key must be a word"), _FIELDS)
            key = key_node.value
            if key in fields:
                problem = Phrase("key {key} is given twice", key=shown(key))
                raise _at(key_node, self._source, problem, Phrase("keep one of them"))
            fields[key] = (key_node, value_node)
        if MERGE in fields and not fields[MERGE][0].style:
            key_node, value_node = fields.pop(MERGE)
            for merged in value_node.value if isinstance(value_node, yaml.SequenceNode) else [value_node]:
                if not isinstance(merged, yaml.MappingNode):
                    problem = Phrase("the merge key << takes fields, or a list of them")
                    raise _at(key_node, self._source, problem, Phrase("for example <<: *name"))
                fields = self._fields(merged) | fields
        return fields


def _place(node: yaml.Node | yaml.Event) -> Place:
    mark = node.start_mark
    assert mark is not None
    return Place(mark.line + 1, mark.column + 1)


def _fields_at(model: type[BaseModel], path: Path_) -> list[str]:
    """The field names a model allows at a path, through nested models, lists and optionals."""
    current: Any = model
    for part in path:
        models = list(_models_in(current))
        if isinstance(part, int) or not models:
            continue
        annotations = [
            next((each.model for each in field.metadata if isinstance(each, FieldsOf)), field.annotation)
            for m in models
            for name, field in _named_fields(m)
            if name == part
        ]
        named = [m for m in models if m.__name__ == part]
        current = annotations[0] if annotations else named[0] if named else current
    models = list(_models_in(current))
    names = [name for m in models for name, _field in _named_fields(m)]
    return names + [name for m in models for name in getattr(m, "file_fields", ())]


def _named_fields(model: type[BaseModel]) -> Iterable[tuple[str, FieldInfo]]:
    """The fields by the names that a file has for them."""
    return ((field.alias or name, field) for name, field in model.model_fields.items())


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)
