"""Reports of a run: in the terminal (``console``), and one text per format for a file.

A format is a function ``write(results, seed)`` that returns the text. A new one
is its module and a row here; packages add theirs by entry points (``sscard.reports``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sscard.files import TextFile, write_text
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


class ReportFiles:
    """The report files of a run: traces are written scenario by scenario, the others at the end.

    So a long run needs no memory for what it sent, and leaves its traces if it is killed.
    """

    def __init__(self, reports: Iterable[tuple[Report, Path]]) -> None:
        given = list(reports)
        self._traces = [TextFile(file) for write, file in given if write is trace.write]
        self._others = [(write, file) for write, file in given if write is not trace.write]
        self._show_passed = any(write not in (json.write, junit.write) for write, _ in self._others)
        self._errors: list[Exception] = []

    @property
    def need_events(self) -> bool:
        """Whether a report shows the exchanges of scenarios that passed."""
        return bool(self._traces) or self._show_passed

    def add(self, result: ScenarioResult, seed: int) -> ScenarioResult:
        """Write a result to the traces; return it, without its exchanges if no other report shows them."""
        text = trace.write([result], seed) if self._traces else ""
        for file in self._traces:
            with self._noting():
                file.write(text)
        return result if self._show_passed or not result.passed else result.without_events()

    def finish(self, results: Sequence[ScenarioResult], seed: int) -> None:
        """Write the other reports; the first error of any report is raised once they are written.

        A run that was interrupted before its first result leaves files that exist as they are.
        """
        for file in self._traces:
            with self._noting(), file:
                if results or not file.path.exists():
                    file.write("")
        for write, path in self._others:
            with self._noting():
                if results or not path.exists():
                    write_text(path, write(results, seed))
        if self._errors:
            raise self._errors[0]

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # one report must not cost the others
            self._errors.append(error)
