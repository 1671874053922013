"""The pytest plugin: scenario files as test items, so that ``-k``, ``-n``, JUnit XML and every reporter work.

Installed with sscard it collects nothing by itself. A project names its
scenarios in its pytest configuration, ``sscard_scenarios = scenarios``, or on
the command line, ``pytest --scenarios FOLDER FOLDER``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sscard.i18n.language import _

if TYPE_CHECKING:
    from _pytest._code.code import TerminalRepr

    from sscard.scenario.reader import Scenario
    from sscard.scenario.runner import ScenarioResult

SUFFIXES = (".yaml", ".yml")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--scenarios``, ``--scenario-seed`` and the ini option ``sscard_scenarios``."""
    group = parser.getgroup("sscard", _("scenarios of the virtual social security card"))
    group.addoption("--scenarios", action="append", default=[], metavar="PATH", help=_("collect YAML files there"))
    group.addoption("--scenario-seed", type=int, default=1, metavar="N", help=_("fixes challenges, holders, clock"))
    parser.addini("sscard_scenarios", _("folders whose YAML files are scenarios"), type="paths", default=[])


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> ScenarioFile | None:
    """A YAML file in one of the named folders is a scenario file."""
    if file_path.suffix not in SUFFIXES or not _is_named(file_path, parent.config):
        return None
    return ScenarioFile.from_parent(parent, path=file_path)


class ScenarioFile(pytest.File):
    """One scenario file; each personality it names is an item."""

    def collect(self) -> Iterator[ScenarioItem]:
        """The items of the file; a file that cannot be read is an error with its place."""
        from sscard.errors import InputError
        from sscard.scenario import find_scenarios

        try:
            scenarios = find_scenarios([self.path])
        except InputError as error:
            raise self.CollectError(str(error)) from None
        for scenario in scenarios:
            yield ScenarioItem.from_parent(self, name=scenario.title, scenario=scenario)


class ScenarioItem(pytest.Item):
    """One scenario on one personality."""

    def __init__(self, *, scenario: Scenario, **arguments: object) -> None:
        super().__init__(**arguments)  # type: ignore[arg-type]
        self.scenario = scenario

    def runtest(self) -> None:
        """Run it; a step that is not as stated fails the item."""
        from sscard.scenario import run_scenario

        result = run_scenario(self.scenario, self.config.getoption("--scenario-seed"))
        if not result.passed:
            raise StepFailed(result)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException]) -> str | TerminalRepr:  # type: ignore[override]
        """The failing step with its decoded, redacted trace instead of a traceback."""
        if isinstance(excinfo.value, StepFailed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> tuple[Path, int, str]:
        """File, line from 0, name."""
        return self.path, 0, self.name


class StepFailed(Exception):
    """A step was not as its scenario states; the text is the report of it."""

    def __init__(self, result: ScenarioResult) -> None:
        from sscard.scenario.reports.console import failure_text

        super().__init__(failure_text(result))


def _is_named(path: Path, config: pytest.Config) -> bool:
    named = [*config.getini("sscard_scenarios"), *(Path(given).resolve() for given in config.getoption("--scenarios"))]
    return any(path.is_relative_to(folder) for folder in named)
