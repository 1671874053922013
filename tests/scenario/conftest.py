from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kit.shared import made_once
from sscard.scenario import Scenario, ScenarioResult, read_scenario, run_scenario

Write = Callable[[str], Path]
Run = Callable[[str], ScenarioResult]


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory, scenarios: list[Scenario]) -> list[ScenarioResult]:
    """The results of the built-in suite, which runs once for all workers."""
    own = tmp_path_factory.getbasetemp()
    common = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    return made_once(common, "suite", lambda: [run_scenario(each).without_events() for each in scenarios])


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a scenario file."""

    def write(text: str) -> Path:
        path = tmp_path / "scenario.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def read(write: Write) -> Callable[[str], list[Scenario]]:
    """Reads the scenarios of a text."""
    return lambda text: read_scenario(write(text))


@pytest.fixture
def run(write: Write) -> Run:
    """Runs steps, written from the left margin, on a card (`card:` line and all) or on the default one."""

    def run(steps: str, card: str = "") -> ScenarioResult:
        [scenario] = read_scenario(write(f"name: a\nproves: b\n{card}\nsteps:\n{steps}\n"))
        return run_scenario(scenario)

    return run
