"""Help pages as plain text: wrapped to the terminal, where a Chinese character takes two columns.

Text that is not printed to a terminal is not wrapped.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Final

import click

from sscard.i18n.language import _, columns, padded

UNWRAPPED: Final = 100_000
"""The width without a terminal."""
WIDEST: Final = 120
"""The width of a help page on a wider terminal: longer lines are hard to read."""

WIDE: Final = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
OPENING: Final = r"\[（《〈「『【“‘"
CLOSING: Final = r"\]，。；：、！？）》〉」』】”’…"
PIECE: Final = rf"\s+|[{OPENING}]*(?:[^\s{WIDE}]+|[{WIDE}])[{CLOSING}]*|[{OPENING}{CLOSING}]+"
"""A line may be broken between two of these: between Chinese characters, but not before a comma."""
JOINT: Final = rf"(?<=[{WIDE}])\n(?=[{WIDE}])"
WORD: Final = r"\s+|\S+"
"""``PIECE`` without the classes of Chinese characters: compiling these is a tenth of the time of ``sscard --help``."""


def terminal_width(stream: int = 1) -> int:
    """Columns of the terminal at a file descriptor, or COLUMNS if it is set; ``UNWRAPPED`` without a terminal."""
    if (asked := os.environ.get("COLUMNS", "")).isdigit() and int(asked):
        return int(asked)
    try:
        return os.get_terminal_size(stream).columns or UNWRAPPED
    except OSError:  # it is no terminal, or closed
        return UNWRAPPED


def wrapped(text: str, width: int) -> list[str]:
    """The lines of a paragraph, at most ``width`` columns each unless a single word is longer."""
    pieces = re.findall(WORD, text) if text.isascii() else re.findall(PIECE, re.sub(JOINT, "", text))
    lines, line = [], ""
    for piece in pieces:
        if line and not piece.isspace() and columns(line) + columns(piece) > width:
            lines.append(line.rstrip())
            line = ""
        line += " " if piece.isspace() and line else piece.strip()
    return [*lines, line.rstrip()]


class Formatter(click.HelpFormatter):
    """Writes a help page. A paragraph whose lines are all indented is kept as it is."""

    def __init__(self, indent_increment: int = 2, width: int | None = None, max_width: int | None = None) -> None:
        found = terminal_width() if width is None else width
        super().__init__(indent_increment, found if found == UNWRAPPED else min(found, max_width or WIDEST))

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        head = f"{prefix or _('Usage:')} {prog} "
        self._write_beside(head, wrapped(args, self.width - columns(head)))

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section, which has its colon already."""
        self.write(f"{'':{self.current_indent}}{heading}\n")

    def write_text(self, text: str) -> None:
        """Write paragraphs, an empty line between two."""
        paragraphs = []
        for paragraph in text.split("\n\n"):
            lines = paragraph.splitlines()
            if not all(line[:1].isspace() for line in lines):
                lines = wrapped(paragraph, self.width - self.current_indent)
            paragraphs.append("".join(f"{'':{self.current_indent}}{line}\n" for line in lines))
        self.write("\n".join(paragraphs))

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = 0, col_spacing: int = 2) -> None:
        """Write a row per term; a term longer than ``col_max`` (default: 2/5 of the page) has a line of its own."""
        rows = list(rows)
        longest = max(columns(term) for term, _text in rows)
        first = min(longest, col_max or self.width * 2 // 5) + col_spacing
        for term, text in rows:
            lines = wrapped(text, self.width - self.current_indent - first)
            if columns(term) + col_spacing > first:
                self.write(f"{'':{self.current_indent}}{term}\n")
                term = ""  # noqa: PLW2901 - it is written
            self._write_beside(f"{'':{self.current_indent}}{padded(term, first)}", lines)

    def _write_beside(self, head: str, lines: list[str]) -> None:
        """Write lines behind a head, those after the first below it."""
        lead = head
        for line in lines:
            self.write(f"{lead}{line}".rstrip() + "\n")
            lead = " " * columns(head)
