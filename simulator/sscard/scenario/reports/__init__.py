"""Reports of a run: in the terminal (``console``), and files.

A format is a function ``write(run)`` that returns the text of a file, with a
row in ``FORMATS``; packages add theirs by entry points (``sscard.reports``). A
format that writes during the run is a class, as ``trace.TraceFile``; one that
writes a folder is a ``Folder`` too. Each is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from sscard.files import write_text
from sscard.i18n.phrase import Phrase
from sscard.plugins import Registry
from sscard.scenario.reports.run import Run
from sscard.scenario.runner import ScenarioResult


class Report(Protocol):
    """A report that is being written. A run that ended before its first result leaves what exists as it is."""

    @property
    def shows_passed(self) -> bool:
        """Whether ``finish`` needs the exchanges of the scenarios that passed."""

    def begin(self, run: Run) -> None:
        """The run begins; it has no result yet."""

    def add(self, result: ScenarioResult) -> None:
        """A scenario has ended; its result has all exchanges."""

    def finish(self, run: Run) -> None:
        """The run has ended, completely or not."""


@runtime_checkable
class Folder(Protocol):
    """A report that is a folder."""

    def foreign(self) -> str:
        """The name of a file in it that is not part of such a report and is never replaced, or empty.

        Errors: ``OSError``.
        """


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A report of one text, which is written at the end of the run."""

    write: Callable[[Run], str]
    path: Path
    shows_passed: bool = True

    def begin(self, run: Run) -> None:
        """See ``Report``."""

    def add(self, result: ScenarioResult) -> None:
        """See ``Report``."""

    def finish(self, run: Run) -> None:
        """See ``Report``."""
        if run.results or not self.path.exists():
            write_text(self.path, self.write(run))


FORMATS: Final[Mapping[str, str]] = {
    "allure": "sscard.scenario.reports.allure:AllureFolder",
    "form": "sscard.scenario.reports.form:write",
    "html": "sscard.scenario.reports.html:write",
    "json": "sscard.scenario.reports.json:write",
    "junit": "sscard.scenario.reports.junit:write",
    "trace": "sscard.scenario.reports.trace:TraceFile",
}
"""The formats of this package."""
WITHOUT_PASSED: Final = ("form", "json", "junit")
"""Those that need no exchanges of scenarios that passed."""
REPORTS: Final[Registry[Callable[[Any], Any]]] = Registry(
    "sscard.reports", Phrase("report format"), FORMATS, result=str
)
"""Those formats, and ``write(run)`` of each package that adds one."""


def report(name: str, path: Path) -> Report:
    """A new report of a format. ``InputError`` if there is none of this name."""
    found = REPORTS.find(name)
    opened: Report = (
        found(path) if isinstance(found, type) else WholeFile(found, path, shows_passed=name not in WITHOUT_PASSED)
    )
    return opened


class Reports:
    """The reports of a run. An error of one does not cost the others."""

    def __init__(self, reports: Iterable[Report]) -> None:
        self._reports = list(reports)
        self._shows_passed = any(report.shows_passed for report in self._reports)
        self._error: Exception | None = None

    def append(self, report: Report) -> None:
        """Add a report before the first result."""
        self._reports.append(report)
        self._shows_passed |= report.shows_passed

    @property
    def need_events(self) -> bool:
        """Whether a report is written from the exchanges of scenarios that passed, now or at the end."""
        return any(report.shows_passed or not isinstance(report, WholeFile) for report in self._reports)

    def begin(self, run: Run) -> None:
        """The run begins."""
        for report in self._reports:
            report.begin(run)

    def add(self, result: ScenarioResult) -> ScenarioResult:
        """Add a result to each report; return it, without the exchanges of a passed one that no report needs later."""
        for report in self._reports:
            with self._noting():
                report.add(result)
        return result if self._shows_passed or result.failure or not result.passed else result.without_events()

    def finish(self, run: Run) -> None:
        """End each report; then the first error of any is raised."""
        for report in self._reports:
            with self._noting():
                report.finish(run)
        if self._error:
            raise self._error

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # one report must not cost the others
            self._error = self._error or error
