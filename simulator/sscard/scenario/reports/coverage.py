"""Coverage as text, as JSON and as a heat map in one HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from sscard.i18n.language import _, columns, padded, say
from sscard.i18n.phrase import Phrase
from sscard.scenario.coverage.dimensions import Key
from sscard.scenario.coverage.facts import COMMAND_STATUS, FILE_RIGHTS, STANDARD_ITEMS
from sscard.scenario.coverage.measure import Coverage, Entry, Measured, Status
from sscard.scenario.reports.page import page_template
from sscard.version import __version__

SIGNS: Final[dict[Status, str]] = {"covered": "✓", "partly": "~", "missing": "✗", "unreachable": "–"}
SPARSE: Final = 0.2
FEW_COLUMNS: Final = 6
MOST_ROWS: Final = 25
HEAT: Final = (1, 3, 10, 30)
"""The fewest scenarios of each shade."""


def summary_lines(coverage: Coverage) -> list[str]:
    """A row per dimension, with the percentage rounded down: 100 % only if nothing is missing."""
    rows = [
        (say(part.dimension.title), f"{part.covered}", f"{part.total}", f"{int(part.percent)} %", _beyond(part))
        for part in coverage.measured()
    ]
    labels = (_("dimension"), _("covered"), _("total"), "", "")
    widths = [max(map(columns, column)) for column in zip(labels, *rows, strict=True)]
    heading = Phrase.plural(
        "Coverage of {count} scenario that passed",
        "Coverage of {count} scenarios that passed",
        count=coverage.scenarios,
    )
    return [say(heading), *(_row(cells, widths) for cells in (labels, *rows))]


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers, last = cells
    right = (" " * (width - columns(cell)) + cell for cell, width in zip(numbers, widths[1:], strict=False))
    return "  ".join(["", padded(first, widths[0]), *right, last]).rstrip()


def _beyond(part: Measured) -> str:
    """What is neither covered nor missing."""
    partly, unreachable = len(part.having("partly")), len(part.having("unreachable"))
    words = [_("{count} partly", count=partly)] if partly else []
    return ", ".join([*words, *([_("{count} not possible", count=unreachable)] if unreachable else [])])


def text_lines(coverage: Coverage) -> list[str]:
    """The summary, what is missing of each dimension, and every item of the test standard."""
    lines = summary_lines(coverage)
    measured = coverage.measured()
    for part in measured:
        missing = part.having("missing")
        if missing and part.dimension.name != STANDARD_ITEMS:
            lines += ["", _("not covered: {dimension}", dimension=part.dimension.title)]
            lines += [f"  {line}" for line in _missing_lines(part, missing)]
    if undeclared := coverage.undeclared():
        lines += ["", _("answers that the command does not declare")]
        lines += [f"  {' '.join(key)}" for key in undeclared]
    items = next(part for part in measured if part.dimension.name == STANDARD_ITEMS)
    lines += ["", say(items.dimension.title)]
    width = max(columns(entry.key[0]) for entry in items.entries)
    for entry in items.entries:
        title = say(items.dimension.titles[entry.key])
        reason = f" ({say(entry.reason)})" if entry.reason else ""
        lines.append(f"  {SIGNS[entry.status]} {padded(entry.key[0], width)}  {title}{reason}")
    return lines


def _missing_lines(part: Measured, missing: Sequence[Entry]) -> Iterator[str]:
    """The missing keys, those with the same beginning in one line; a key with a title in a line of its own."""
    for beginning, entries in groupby(missing, lambda entry: entry.key[:-1]):
        found = list(entries)
        if beginning:
            yield f"{' '.join(beginning)}: {', '.join(entry.key[-1] for entry in found)}"
            continue
        titles = part.dimension.titles
        for entry in found:
            yield f"{entry.key[-1]}  {say(titles[entry.key])}" if titles else entry.key[-1]


def as_facts(coverage: Coverage) -> dict[str, Any]:
    """The coverage for programs, schema ``sscard.coverage/1``."""
    return {
        "version": __version__,
        "scenarios": coverage.scenarios,
        **{part.dimension.name: _dimension_facts(part) for part in coverage.measured()},
        "undeclared": [{"command": command, "sw": sw} for command, sw in coverage.undeclared()],
    }


def _dimension_facts(part: Measured) -> dict[str, Any]:
    def entries(status: Status) -> Iterator[dict[str, str]]:
        for entry in part.having(status):
            title = part.dimension.titles.get(entry.key, "")
            texts = {name: say(text) for name, text in (("title", title), ("reason", entry.reason)) if text}
            yield dict(zip(part.dimension.axes, entry.key, strict=True)) | texts

    return {
        "covered": part.covered,
        "total": part.total,
        "reachable": part.reachable,
        "percent": round(part.percent, 1),
        "missing": [*entries("missing")],
        "partly": [*entries("partly")],
        "unreachable": [*entries("unreachable")],
    }


class Grid:
    """A dimension as tables: a row per beginning of the keys, a column per last part; without rows a list.

    A narrow table is divided into several of ``height`` rows. In a sparse one each row lists its own last parts.
    """

    def __init__(self, part: Measured) -> None:
        self.part = part
        self.entries = {entry.key: entry for entry in part.entries}
        self.rows = list(dict.fromkeys(entry.key[:-1] for entry in part.entries))
        ends = dict.fromkeys(entry.key[-1] for entry in part.entries)
        self.columns = sorted(ends) if part.dimension.name in (COMMAND_STATUS, FILE_RIGHTS) else list(ends)
        self.is_list = self.rows == [()]
        self.is_sparse = len(part.entries) < SPARSE * len(self.rows) * len(self.columns)
        self.height = len(self.rows) if len(self.columns) > FEW_COLUMNS else MOST_ROWS

    def cell(self, row: Key, column: str) -> Entry | None:
        """The entry of a cell; ``None`` if there is none."""
        return self.entries.get((*row, column))


def heat(entry: Entry) -> str:
    """The class of a cell: its status, and for a covered one the shade by the number of scenarios."""
    if entry.status != "covered":
        return entry.status
    return f"heat{sum(entry.scenarios >= least for least in HEAT)}"


def html_page(coverage: Coverage) -> str:
    """The heat map: one page that needs no network."""
    return _rendered("coverage.html.j2", coverage)


def coverage_maps(coverage: Coverage) -> str:
    """The heat map as a part of another page."""
    return _rendered("coverage_maps.html.j2", coverage)


def _rendered(template: str, coverage: Coverage) -> str:
    return page_template(template).render(
        grids=[Grid(part) for part in coverage.measured()],
        coverage=coverage,
        heat=heat,
        signs=SIGNS,
        shades=[(f"heat{shade}", least) for shade, least in enumerate(HEAT, 1)],
        beyond=_beyond,
    )
