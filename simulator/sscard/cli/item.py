"""``sscard item``: every field of the service item under its own label, sections as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.box import ROUNDED
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from sscard.cli.options import json_option
from sscard.cli.output import print_json
from sscard.cli.usage import command
from sscard.document import Model
from sscard.service import load_item
from sscard.service.item import Item

MARK = "※"
INDENT = (0, 0, 1, 2)


@command("item")
@json_option
def item(as_json: bool) -> None:
    """Show the service item as its page states it."""
    found = load_item()
    if as_json:
        print_json("item", found.model_dump(mode="json", by_alias=True))
    else:
        render_item(Console(), found)


def render_item(console: Console, item: Item) -> None:
    """Print the item; fields with a note of ours are marked, and the notes stand at the end."""
    noted = frozenset(note.field for note in item.notes)
    (_, title), *sections = _fields(item)
    console.print(Rule(Text(_plain(title), style="bold")))
    for label, value in sections:
        console.print(Text(_marked(label, noted), style="bold cyan"))
        console.print(_section(value, noted))


def _section(value: object, noted: frozenset[str]) -> RenderableType:
    if isinstance(value, Model):
        return Padding(_sheet(value, noted), INDENT)
    if isinstance(value, tuple) and value and isinstance(value[0], Model):
        return _rows(value)
    return Padding(Text(_plain(value), overflow="fold"), INDENT)


def _sheet(section: Model, noted: frozenset[str]) -> Table:
    """A section as label and value."""
    table = Table.grid(padding=(0, 2), expand=True)
    table.add_column(style="dim", overflow="fold", ratio=1)
    table.add_column(overflow="fold", ratio=2)
    for label, value in _fields(section):
        table.add_row(Text(_marked(label, noted)), Text(_plain(value)))
    return table


def _rows(rows: Sequence[Model]) -> Table:
    """A list of the item as a table with its labels on top."""
    table = Table(box=ROUNDED, show_lines=True, expand=True, header_style="dim")
    for label, _ in _fields(rows[0]):
        table.add_column(Text(label), min_width=2 * len(label), overflow="fold")
    for row in rows:
        table.add_row(*(Text(_plain(value)) for _, value in _fields(row)))
    return table


def _plain(value: object) -> str:
    """A value as text: one line per entry of a list."""
    if isinstance(value, tuple):
        return "\n".join(_plain(entry) for entry in value)
    if isinstance(value, Model):
        return "：".join(_plain(part) for _, part in _fields(value) if part)
    return str(value)


def _marked(label: str, noted: frozenset[str]) -> str:
    return f"{label} {MARK}" if label in noted else label


def _fields(model: Model) -> Iterator[tuple[str, object]]:
    """Label and value of each field, in the page's order."""
    for name, field in type(model).model_fields.items():
        yield field.alias or name, getattr(model, name)
