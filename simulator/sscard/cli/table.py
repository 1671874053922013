"""A table that fits the terminal: what is too long for its column continues in the next line."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import zip_longest
from typing import Final

from sscard.cli.formatter import terminal_width, wrapped
from sscard.i18n.language import columns, padded, visible

GAP: Final = 2
NAME: Final = 8
"""Columns of a name before other words are broken: four Chinese characters."""
NARROWEST: Final = 2
"""Columns of a cell in a terminal that is too narrow: of one Chinese character."""


def table_lines(
    headings: Sequence[str],
    rows: Collection[Sequence[str]],
    *,
    names: Collection[int] = (),
    whole: Collection[int] = (),
    numbers: Collection[int] = (),
) -> Iterator[str]:
    """The lines of a table; ``numbers`` are columns aligned to the right.

    Between columns are two spaces, one in a terminal that is too narrow. Then the widest columns become narrower: a
    cell is broken between words, and a number stays beside its unit. If all columns are as narrow as their longest
    words, words are broken: first in the columns ``names``, last in the columns ``whole``.
    """
    shown = [[visible(cell) for cell in row] for row in (headings, *rows)]
    widths = [max(map(columns, column)) for column in zip(*shown, strict=True)]
    gap = GAP
    if sum(widths) + gap * (len(widths) - 1) > (width := terminal_width()):
        gap = 1
        words = []
        for number, (heading, *below) in enumerate(zip(*shown, strict=True)):
            parts = [part for cell in below for part in ([cell] if number in numbers else cell.split())]
            words.append(max(map(columns, ["", *heading.split(), *parts])))
        named = [min(NAME, least) if column in names else least for column, least in enumerate(words)]
        short = [least if column in whole else NARROWEST for column, least in enumerate(named)]
        for least in (words, named, short, [NARROWEST] * len(widths)):
            _narrow(widths, least, width - (len(widths) - 1))
    for row in shown:
        folded = [_folded(cell, limit) for cell, limit in zip(row, widths, strict=True)]
        for cells in zip_longest(*folded, fillvalue=""):
            aligned = (
                " " * (limit - columns(cell)) + cell if number in numbers else padded(cell, limit)
                for number, (cell, limit) in enumerate(zip(cells, widths, strict=True))
            )
            yield (" " * gap).join(aligned).rstrip()


def _narrow(widths: list[int], least: Sequence[int], width: int) -> None:
    """Make the widest columns narrower until all fit, or are as narrow as they may be."""
    while sum(widths) > width:
        wide = [column for column, now in enumerate(widths) if now > least[column]]
        if not wide:
            return
        widths[max(wide, key=widths.__getitem__)] -= 1


def _folded(text: str, width: int) -> Iterator[str]:
    """The lines of a cell; a word that is wider than the cell is broken."""
    for line in wrapped(text, width):
        part = ""
        for character in line:
            if part and columns(part + character) > width:
                yield part
                part = ""
            part += character
        yield part
