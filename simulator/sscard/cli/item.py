"""``sscard item``: every field of the service item under its own label, sections as tables, and its use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from rich.box import ROUNDED
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sscard.cli.options import json_option
from sscard.cli.output import print_json
from sscard.cli.types import FILE
from sscard.cli.usage import argument, command
from sscard.document import Model
from sscard.i18n.language import N_, columns, is_chinese, say
from sscard.i18n.phrase import Words
from sscard.service import load_item
from sscard.service.item import STATEMENTS, Item
from sscard.service.page import SEPARATOR
from sscard.service.statements import Statement, Use, label_of

NOTED: Final = "※"
MARKS: Final = {Use.ENFORCED: "●", Use.SHOWN: "○", Use.DISPLAY: ""}
INDENT: Final = (0, 0, 1, 2)
HEADING: Final = "bold cyan"


@command("item")
@argument("file", metavar=N_("FILE"), type=FILE, required=False, help=N_("Item file. Default: the built-in item."))
@json_option
def item(file: Path | None, as_json: bool) -> None:
    """Show the service item as its page states it, and what the service does with each statement."""
    found = load_item(file)
    if as_json:
        statements = {"statements": [_content(statement) for statement in STATEMENTS.values()]}
        print_json("item", found.model_dump(mode="json", by_alias=True) | statements)
    else:
        render_item(Console(), found)


def render_item(console: Console, item: Item) -> None:
    """Print the item; marks at the labels show what the service does with a field and which has a note of ours."""
    noted = {label: NOTED for note in item.notes for label in note.labels}
    marks = {field: MARKS[statement.use] for field, statement in STATEMENTS.items()}
    marks = {field: marks.get(field, "") + noted.get(field, "") for field in marks | noted}
    (_name, title), *sections, (notes_label, _notes) = _fields(item)
    console.print(Rule(Text(_plain(title), style="bold")))
    for label, value in sections:
        console.print(Text(_marked(label, marks), style=HEADING))
        console.print(_section(value, marks))
    separator = SEPARATOR if is_chinese() else ", "
    sections_of = {label.chinese: label for label, _value in sections}
    labels = sections_of | {label: statement.label for label, statement in STATEMENTS.items()}
    notes = [(separator.join(say(labels[label]) for label in note.labels), say(note.words)) for note in item.notes]
    _print_pairs(console, f"{NOTED} {say(notes_label)}", notes)
    for use in (Use.ENFORCED, Use.SHOWN):
        applied = [(say(one.label), say(one.how)) for one in STATEMENTS.values() if one.use is use]
        _print_pairs(console, f"{MARKS[use]} {say(use.words)}", applied)
    displayed: dict[str, list[str]] = {}
    for one in STATEMENTS.values():
        if one.use is Use.DISPLAY:
            displayed.setdefault(say(one.how), []).append(say(one.label))
    _print_pairs(console, say(Use.DISPLAY.words), [(why, separator.join(of)) for why, of in displayed.items()])


def _content(statement: Statement) -> dict[str, str]:
    """A statement for programs."""
    return {
        "label": statement.label.chinese,
        "english": statement.label.english,
        "use": statement.use.value,
        "how": say(statement.how),
        "by": statement.by,
        "scenario": statement.proof,
    }


def _print_pairs(console: Console, heading: str, rows: Iterable[tuple[str, str]]) -> None:
    console.print(Text(heading, style=HEADING))
    console.print(Padding(_pairs(rows), INDENT))


def _section(value: object, marks: Mapping[str, str]) -> RenderableType:
    if isinstance(value, Model):
        return Padding(_pairs((_marked(label, marks), _plain(text)) for label, text in _fields(value)), INDENT)
    if isinstance(value, tuple) and value and isinstance(value[0], Model):
        return _rows(value, marks)
    return Padding(Text(_plain(value), overflow="fold"), INDENT)


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    """Labels and values in two columns."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=2)
    for label, value in rows:
        table.add_row(Text(label), Text(value))
    return table


def _rows(rows: Sequence[Model], marks: Mapping[str, str]) -> Table:
    """A list of the item as a table with its labels on top."""
    table = Table(box=ROUNDED, show_lines=True, expand=True, header_style="dim")
    for label, _value in _fields(rows[0]):
        heading = _marked(label, marks)
        table.add_column(Text(heading), min_width=max(map(columns, heading.split())), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(value)) for _label, value in _fields(row)))
    return table


def _plain(value: object) -> str:
    """A value as text: one line per entry of a list."""
    if isinstance(value, tuple):
        return "\n".join(_plain(entry) for entry in value)
    if isinstance(value, Model):
        return "：".join(_plain(part) for _label, part in _fields(value) if part)
    return str(value)


def _marked(label: Words, marks: Mapping[str, str]) -> str:
    """A label in the current language, in English followed by the one on the page, after its marks."""
    mark = marks.get(label.chinese, "")
    if is_chinese():
        return mark + label.chinese
    return " ".join(filter(None, (mark, *dict.fromkeys(label))))


def _fields(model: Model) -> Iterator[tuple[Words, object]]:
    """Label and value of each field, in the page's order."""
    for name, field in type(model).model_fields.items():
        yield label_of(field), getattr(model, name)
