"""A JSON file as a document: numbers stay as they are written, and errors have line and column."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from pathlib import Path
from typing import Any, Final

from sscard.document import MOST_NESTED, Document, Place
from sscard.errors import InputError
from sscard.fields import Path_, shown
from sscard.files import read_text
from sscard.i18n.phrase import Phrase, Sayable

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null")
_TEXT: Final = json.JSONDecoder()


def read_json(path: Path) -> Document:
    """Read a JSON file as text with the places of its lists and objects."""
    return _Reader(read_text(path).removeprefix("\ufeff"), str(path)).document()


class _Reader:
    """Reads one text; ``_at`` is the position of the next character."""

    def __init__(self, text: str, source: str) -> None:
        self._text = text
        self._source = source
        self._at = 0
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._places: dict[Path_, Place] = {}

    def document(self) -> Document:
        self._places[()] = Place(1, 1)
        content = self._value(())
        if self._next():
            raise self._error(Phrase("not valid JSON: text after the end"), _REMOVE)
        return Document(content, self._places, self._source)

    def _next(self) -> str:
        """The next character that is not blank, empty at the end of the text."""
        blank = _BLANK.match(self._text, self._at)
        assert blank is not None
        self._at = blank.end()
        return self._text[self._at : self._at + 1]

    def _value(self, path: Path_) -> Any:
        first = self._next()
        if first in ("[", "{"):
            if len(path) >= MOST_NESTED:
                problem = Phrase("nested too deeply, at most {limit} levels expected", limit=MOST_NESTED)
                raise self._error(problem, _REMOVE)
            self._places[path] = self._place(self._at)
            return self._list(path) if first == "[" else self._object(path)
        if first == '"':
            return self._string()
        number = _NUMBER.match(self._text, self._at)
        if number is None or self._text[number.end() : number.end() + 1].isalnum():
            raise self._error(Phrase("not valid JSON: a value expected"), _VALUE)
        self._at = number.end()
        return number[0]

    def _string(self) -> str:
        begin = self._at
        try:
            text, self._at = _TEXT.raw_decode(self._text, self._at)
            text.encode()  # refuses half a surrogate pair, which no report can be written with
        except (json.JSONDecodeError, UnicodeEncodeError) as error:
            self._at = error.pos if isinstance(error, json.JSONDecodeError) else begin
            raise self._error(
                Phrase("not valid JSON: a quote is missing, or a character that cannot stand in a text"), _QUOTED
            ) from None
        assert isinstance(text, str)
        return text

    def _list(self, path: Path_) -> list[Any]:
        items: list[Any] = []
        while self._continues(len(items), "]"):
            items.append(self._value((*path, len(items))))
        return items

    def _object(self, path: Path_) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        while self._continues(len(fields), "}"):
            if self._next() != '"':
                raise self._error(Phrase("not valid JSON: the name of a field in double quotes expected"), _QUOTED)
            begin = self._at
            name = self._string()
            if name in fields:
                self._at = begin
                raise self._error(Phrase("key {key} is given twice", key=shown(name)), Phrase("keep one of them"))
            if self._next() != ":":
                raise self._error(Phrase("not valid JSON: a colon expected"), _VALUE)
            self._at += 1
            fields[name] = self._value((*path, name))
        return fields

    def _continues(self, before: int, end: str) -> bool:
        """Whether another entry follows in a list or object with this end; its bracket or comma is passed."""
        if not before:
            self._at += 1
        found = self._next()
        if found == end:
            self._at += 1
            return False
        if before and found != ",":
            raise self._error(Phrase("not valid JSON: a comma or {end} expected", end=end), _VALUE)
        if before:
            comma = self._at
            self._at += 1
            if self._next() == end:
                self._at = comma
                raise self._error(Phrase("not valid JSON: a comma before {end}", end=end), _REMOVE)
        return True

    def _place(self, at: int) -> Place:
        line = bisect_right(self._lines, at)
        return Place(line, at - self._lines[line - 1] + 1)

    def _error(self, problem: Sayable, remedy: Sayable) -> InputError:
        line, column = self._place(self._at)
        return InputError(problem, file=self._source, line=line, column=column, remedy=remedy)


_REMOVE: Final = Phrase("remove it")
_QUOTED: Final = Phrase('write it in double quotes: "name"')
_VALUE: Final = Phrase("write it as {form}", form='[{"pin": "123456", "sw": "63C5"}]')
