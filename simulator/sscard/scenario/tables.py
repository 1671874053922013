"""The table of a scenario file, ``with:``: rows in the file itself, or in a CSV or JSON file."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AfterValidator

from sscard.document import Document, Place
from sscard.errors import InputError, InvalidValue
from sscard.fields import Path_, hidden, shown
from sscard.files import read_text
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.scenario.expansion import Variables, check_names, placeholders
from sscard.scenario.expressions import NAME, NAME_FORM
from sscard.scenario.json_table import read_json

ROW: Final = "row"
"""The field of a table's row that names it."""


class Row(NamedTuple):
    """A row of a table: its name in reports, its fields, and the part of the document that it is."""

    name: Sayable
    fields: Variables
    document: Document

    @property
    def place(self) -> Sayable:
        """Its name, file and line."""
        place = f"{self.document.source}:{self.document.place(()).line}"
        return Phrase("row {row}, {place}", row=_shown(self.name), place=place)


def table_rows(document: Document, folder: Path, caught: Callable[[], AbstractContextManager[None]]) -> list[Row]:
    """The rows of ``with:``, a list in the file, or the path of a CSV or JSON file relative to its folder.

    ``caught`` handles the error of a row; the others are read then.
    """
    table = document
    if isinstance(document.content, str):
        path = folder / document.content
        if path.suffix not in _READERS:
            raise document.error((), Phrase("no table"), _TABLE_FILE)
        table = document.read_at((), partial(_READERS[path.suffix], path))
        table.source = str(Path(document.source).parent / document.content)
    if not isinstance(table.content, list) or not table.content:
        raise table.error((), Phrase("no rows"), Phrase("write a list of rows, each with the same fields"))
    rows: list[Row] = []
    names: set[str] = set()
    for number, content in enumerate(table.content):
        with caught():
            row = _row(table.part((number,)), str(number + 1), rows[0].fields if rows else None)
            if identity(row.name) in names:
                path_of = (ROW,) if ROW in content else ()
                raise row.document.error(path_of, Phrase("row {row} is named twice", row=_shown(row.name)), _RENAME)
            names.add(identity(row.name))
            rows.append(row)
    return rows


def _row(part: Document, number: str, first: Variables | None) -> Row:
    fields = part.content
    if isinstance(fields, InputError):
        raise fields
    if not isinstance(fields, dict) or not fields:
        raise part.error((), Phrase("a row has fields"), Phrase("write it as {form}", form="{pin: 123456, sw: 63C5}"))
    values = {name: value for name, value in fields.items() if name != ROW}
    if first is None:
        check_names(part, values)
    for name in sorted(first.keys() ^ values.keys()) if first is not None else ():
        raise part.error(
            (),
            Phrase("not the fields of the first row: {name}", name=hidden(name)),
            Phrase("give each row the same fields"),
        )
    try:
        return Row(in_languages(fields[ROW]) if ROW in fields else number, values, part)
    except InvalidValue as error:
        raise part.error((ROW,), error.said, error.remedy) from None


def identity(label: Sayable) -> str:
    """A name that does not depend on the language: the English one."""
    return label.english if isinstance(label, Words) else str(label)


def _shown(label: Sayable) -> Sayable:
    """The name of a row for an error; a PIN may be in it."""
    return Words(*map(hidden, label)) if isinstance(label, Words) else hidden(label)


def in_languages(content: Any) -> Sayable:
    """A text, or a text in both languages: ``{en: …, zh: …}``; ``InvalidValue`` for anything else."""
    if isinstance(content, str) and content.strip():
        return content
    if isinstance(content, dict) and content.keys() == {"en", "zh"} and all(map(_is_text, content.values())):
        return Words(content["en"], content["zh"])
    raise InvalidValue(Phrase("not a text"), Phrase("write a text, or {form}", form="{en: …, zh: …}"))


def _without_variables(content: Any) -> Any:
    if found := placeholders(content):
        raise InvalidValue(
            Phrase("{name} would stay as it is", name=f"${{{sorted(found)[0]}}}"),
            Phrase("write it out: variables are replaced in card:, service:, needs: and steps:; row: names a row"),
        )
    return content


WITHOUT_VARIABLES: Final = AfterValidator(_without_variables)
"""A field of the scenario in which no variable is replaced."""
Text = Annotated[Any, WITHOUT_VARIABLES, AfterValidator(in_languages)]
"""A text without variables, in one language or in both."""


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _csv(path: Path) -> Document:
    """A CSV file, its first line the names of the fields, as a document; a wrong row is its error."""
    reader = csv.reader(StringIO(read_text(path).removeprefix("\ufeff")), strict=True)
    names: list[str] = []
    rows: list[dict[str, str] | InputError] = []
    places: dict[Path_, Place] = {(): Place(1, 1)}
    line = following = 1  # the lines on which rows begin: a cell in quotes may have several

    def wrong(problem: Sayable, remedy: Sayable) -> InputError:
        return InputError(problem, file=str(path), line=line, column=1, remedy=remedy)

    try:
        for cells in reader:
            line, following = following, reader.line_num + 1
            if not names:
                names = [cell.strip() for cell in cells]
                for name in names:
                    if names.count(name) > 1:
                        raise wrong(Phrase("column {name} is given twice", name=shown(name)), _RENAME)
                    if not NAME.fullmatch(name):
                        other = any(sign in name for sign in _OTHER_SEPARATORS)
                        remedy = Phrase("separate the cells with commas") if other else NAME_FORM
                        raise wrong(Phrase("not a name: {name!r}", name=hidden(name)), remedy)
                continue
            if not cells:
                continue
            places[(len(rows),)] = Place(line, 1)
            if len(cells) == len(names):
                rows.append(dict(zip(names, cells, strict=True)))
                continue
            problem = Phrase("{found} values, {count} expected", found=len(cells), count=len(names))
            rows.append(wrong(problem, Phrase("put a value with a comma in double quotes")))
    except csv.Error:
        line = following
        raise wrong(Phrase("not a CSV file"), _TABLE_FILE) from None
    return Document(rows, places, str(path))


_READERS: Final[dict[str, Callable[[Path], Document]]] = {".csv": _csv, ".json": read_json}
_OTHER_SEPARATORS: Final = ";\t|"
_RENAME: Final = Phrase("rename one of them")
_TABLE_FILE: Final = Phrase("write a list of rows, or the path of a .csv file with a line of names or a .json file")
