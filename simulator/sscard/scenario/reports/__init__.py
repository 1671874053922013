"""Reports of a run: in the terminal (``console``), and one text per format for a file.

A format is a function ``write(results, seed)`` that returns the text. A new one
is its module and a row here; packages add theirs by entry points (``sscard.reports``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

from sscard.errors import InputError, MissingPart, TransportError
from sscard.files import write_text
from sscard.i18n.phrase import Phrase
from sscard.plugins import Registry
from sscard.scenario.reports import html, json, junit, trace
from sscard.scenario.runner import ScenarioResult

Report = Callable[[Sequence[ScenarioResult], int], str]
"""``write(results, seed)``: the results of a run, at least one, and the seed it had."""

REPORTS: Final[Registry[Report]] = Registry(
    "sscard.reports",
    Phrase("report format"),
    {"html": html.write, "json": json.write, "junit": junit.write, "trace": trace.write},
    result=str,
)


def write_reports(reports: Iterable[tuple[Report, Path]], results: Sequence[ScenarioResult], seed: int) -> None:
    """Write each report into its file; the first error is raised once the other reports are written."""
    errors: list[Exception] = []
    for write, file in reports:
        try:
            write_text(file, write(results, seed))
        except (InputError, MissingPart, TransportError) as error:
            errors.append(error)
    if errors:
        raise errors[0]
