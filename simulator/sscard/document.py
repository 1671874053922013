"""Files a person writes (scenarios, personalities, key files): YAML read as text, errors with their place.

YAML's own typing corrupts status words and PINs (``0020``, ``6E00``, ``NO``),
so every scalar stays the text that was written, and the model of the document
(pydantic) gives it a type. Duplicate and unknown keys are refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from sscard.errors import InputError
from sscard.i18n.language import _, reason_of, retell


class Model(BaseModel):
    """A part of a document: unknown fields refused, input never shown in errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


Path_ = tuple[int | str, ...]
M = TypeVar("M", bound=BaseModel)

try:
    _Loader: Any = yaml.CSafeLoader
except AttributeError:  # PyYAML built without libyaml
    _Loader = yaml.SafeLoader


MOST_REPEATED: Final = 10_000
"""Parts that aliases (``*name``) may repeat in a document."""


class Document:
    """One YAML document as text: ``content`` (dicts, lists, strings) and the place of every part.

    ``root`` is where the content stands in the file; paths count from there.
    """

    def __init__(self, content: Any, places: dict[Path_, Place], source: str, root: Path_ = ()) -> None:
        self.content = content
        self.places = places
        self.source = source
        self.root = root

    def part(self, path: Path_) -> Document:
        """A part of the document as one of its own."""
        content = self.content
        for step in path:
            content = content[step]
        return Document(content, self.places, self.source, (*self.root, *path))

    def place(self, path: Path_) -> Place:
        """Where a part stands: its own place, or the nearest enclosing part's."""
        path = (*self.root, *path)
        while path not in self.places:
            path = path[:-1]
        return self.places[path]

    def error(self, path: Path_, problem: str, remedy: str = "") -> InputError:
        """An input error at this part of the document."""
        line, column = self.place(path)
        return InputError(problem, file=self.source, line=line, column=column, remedy=remedy)

    def as_model(self, model: type[M]) -> M:
        """The content as a model; ``InputError`` with file, line, column and remedy where it does not fit.

        A validator may put a remedy on the second line of its error's text.
        """
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            raise self._explain(model, _first(error)) from None

    def _explain(self, model: type[BaseModel], detail: ErrorDetails) -> InputError:
        path: Path_ = detail["loc"]
        field = ".".join(str(part) for part in path)
        if detail["type"] == "extra_forbidden":
            allowed = _fields_at(model, path[:-1])
            return self.error(
                path, _("unknown field {field}", field=shown(path[-1])), suggestion(str(path[-1]), allowed)
            )
        if detail["type"] == "missing":
            return self.error(
                path, _("field {field!r} is missing", field=field), _("add it: {field}: …", field=path[-1])
            )
        if detail["type"] == "model_type":
            return self.error(
                path,
                _("{field}: fields expected", field=field or _("document")),
                suggestion("", _fields_at(model, path)),
            )
        problem, *remedy = detail["msg"].removeprefix("Value error, ").split("\n", 1)
        return self.error(path, f"{field or _('document')}: {retell(problem)}", "".join(remedy))


def _first(error: ValidationError) -> ErrorDetails:
    """The detail to tell: an unknown field before the missing one it may be a misspelling of."""
    details = error.errors(include_url=False, include_input=False)
    return next((detail for detail in details if detail["type"] == "extra_forbidden"), details[0])


def shown(word: object) -> str:
    """A word of the document, quoted; a long run of hex digits may be key material and is not repeated."""
    return _("(hex digits)") if re.fullmatch("[0-9A-Fa-f]{16,}", str(word)) else repr(str(word))


def suggestion(word: str, allowed: Iterable[str], otherwise: str = "") -> str:
    """The nearest allowed word, or what to say otherwise, or all of them."""
    known = sorted(allowed)
    near = difflib.get_close_matches(word, known, n=1)
    if near:
        return _("did you mean {word!r}?", word=near[0])
    return otherwise or _("expected one of: {words}", words=", ".join(known))


def read_document(path: Path) -> Document:
    """Read a YAML file as text with places."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(_("cannot be read: {reason}", reason=reason_of(error)), file=str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError(_("is not UTF-8 text (byte {start})", start=error.start), file=str(path)) from error
    return parse_document(text, str(path))


def parse_document(text: str, source: str) -> Document:
    """Parse YAML text; ``source`` names it in errors."""
    try:
        root = yaml.compose(text, Loader=_Loader)
        if root is None:
            raise InputError(_("is empty"), file=source)
        reader = _Reader(source)
        return Document(reader.plain(root, ()), reader.places, source)
    except RecursionError:
        raise InputError(_("refers to itself, or is nested too deeply"), file=source) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise InputError(
            _("not YAML: {problem}", problem=retell(error.problem or "")), file=source, line=line, column=column
        ) from error
    except yaml.YAMLError as error:
        raise InputError(_("not YAML: {error}", error=error), file=source) from error


class _Reader:
    """Turns the nodes of a document into dicts, lists and text, and notes their places."""

    def __init__(self, source: str) -> None:
        self.places: dict[Path_, Place] = {}
        self._source = source
        self._read: set[int] = set()
        self._repeated = 0

    def plain(self, node: yaml.Node, path: Path_) -> Any:
        self._count(node)
        self.places.setdefault(path, _place(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, index)) for index, item in enumerate(node.value)]
        return node.value

    def _mapping(self, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._error(key_node, _("a key must be a word"))
            if key in mapping:
                raise self._error(key_node, _("key {key} is given twice", key=shown(key)), _("keep one of them"))
            self.places[(*path, key)] = _place(key_node)
            mapping[key] = self.plain(value_node, (*path, key))
        return mapping

    def _count(self, node: yaml.Node) -> None:
        """Stop at a document of a few lines that aliases of aliases would make too large for the memory."""
        if id(node) not in self._read:
            self._read.add(id(node))
            return
        self._repeated += 1
        if self._repeated > MOST_REPEATED:
            raise self._error(
                node,
                _("aliases repeat more than {limit} parts of the document", limit=MOST_REPEATED),
                _("write out what is meant, with fewer aliases"),
            )

    def _error(self, node: yaml.Node, problem: str, remedy: str = "") -> InputError:
        line, column = _place(node)
        return InputError(problem, file=self._source, line=line, column=column, remedy=remedy)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _fields_at(model: type[BaseModel], path: Path_) -> list[str]:
    """The field names a model allows at a path, through nested models, lists and optionals."""
    current: Any = model
    for part in path:
        models = list(_models_in(current))
        if isinstance(part, int) or not models:
            continue
        annotations = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        named = [m for m in models if m.__name__ == part]
        current = annotations[0] if annotations else named[0] if named else current
    return [name for m in _models_in(current) for name in m.model_fields]


def _models_in(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for argument in getattr(annotation, "__args__", ()):
        yield from _models_in(argument)
