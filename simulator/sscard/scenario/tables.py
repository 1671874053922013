"""The table of a scenario file, ``with:``: rows in the file itself, or in a CSV or JSON file."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path
from typing import Final, NamedTuple

from sscard.document import Document, Place, read_document
from sscard.errors import InputError
from sscard.fields import Path_, shown
from sscard.files import read_text
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.scenario.expansion import Variables, check_names

ROW: Final = "row"
"""The field of a table's row that names it."""


class Row(NamedTuple):
    """A row of a table: its name in reports, its fields, and its place for errors."""

    name: Sayable
    fields: Variables
    place: str


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
    names: set[str] = set()
    for number, row in enumerate(rows):
        missing = rows[0].fields.keys() - row.fields.keys()
        unknown = row.fields.keys() - rows[0].fields.keys()
        for name in sorted(missing | unknown):
            raise table.error(
                (number,),
                Phrase("not the fields of the first row: {name}", name=name),
                Phrase("give each row the same fields"),
            )
        if identity(row.name) in names:
            raise table.error(
                (number, ROW), Phrase("row {row} is named twice", row=row.name), Phrase("rename one of them")
            )
        names.add(identity(row.name))
    return rows


def _row(table: Document, number: int) -> Row:
    part = table.part((number,))
    fields = part.content
    if not isinstance(fields, dict) or not fields:
        raise part.error((), Phrase("a row has fields"), Phrase("write it as {form}", form="{pin: 123456, sw: 63C5}"))
    place = f"{table.source}:{part.place(()).line}"
    values = {name: value for name, value in fields.items() if name != ROW}
    check_names(part, values)
    name: Sayable = str(number + 1)
    if ROW in fields:
        name = in_languages(part.part((ROW,)))
    return Row(name, values, place)


def identity(label: Sayable) -> str:
    """A name that does not depend on the language: the English one."""
    return label.english if isinstance(label, Words) else str(label)


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
                for name in names:
                    if names.count(name) > 1:
                        raise InputError(
                            Phrase("column {name} is given twice", name=shown(name)),
                            file=str(path),
                            line=reader.line_num,
                            column=1,
                            remedy=Phrase("rename one of them"),
                        )
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


_READERS: Final = {".csv": _csv, ".json": read_document}
_TABLE_FILE: Final = Phrase("write a list of rows, or the path of a .csv file with a line of names or a .json file")
