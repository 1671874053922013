"""Results as a trace: every step of every scenario with its commands, redacted."""

from __future__ import annotations

from pathlib import Path

from sscard.files import TextFile
from sscard.i18n.language import visible, visible_lines
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.console import missed_text, reason_text, repetition_text, step_name
from sscard.scenario.reports.run import Run
from sscard.scenario.runner import ScenarioResult, StepResult


class TraceFile:
    """The trace of a run, written scenario by scenario: a run that is killed leaves it up to there.

    The same seed gives the same text. A seed that is not that of the first result is named.
    """

    shows_passed = False

    def __init__(self, path: Path) -> None:
        self._file = TextFile(path)
        self._seed: int | None = None

    def begin(self, run: Run) -> None:
        """See ``Report``."""

    def add(self, result: ScenarioResult) -> None:
        """Write the trace of a scenario."""
        self._seed = result.seed if self._seed is None else self._seed
        self._file.write(text_of(result, self._seed))

    def finish(self, run: Run) -> None:
        """Close the file, which exists then, also if nothing was run."""
        with self._file:
            if run.results or not self._file.path.exists():
                self._file.write("")


def text_of(result: ScenarioResult, seed: int) -> str:
    """The trace of a scenario, which names its seed if it is not ``seed``."""
    other = f" seed {result.seed}" if result.seed != seed else ""
    lines = [f"== {visible(result.scenario.title)}{other}", f"   {visible(result.scenario.source)}"]
    if reason := reason_text(result):
        lines.append(reason)
    for step in result.steps:
        lines += step_lines(result.scenario, step)
    if repeated := repetition_text(result):
        lines.append(f"!! {repeated}")
    return "".join(f"{line}\n" for line in (*lines, ""))


def step_lines(scenario: Scenario, step: StepResult) -> list[str]:
    """The trace of a step: its place and title, the exchanges, the expectations that were not met."""
    exchanges = [visible_lines(str(event)) for event in step.events]
    missed = [f"!! {missed_text(scenario, step, wrong)}" for wrong in step.mismatches]
    return [f"-- {step_name(scenario, step)}", *exchanges, *missed]
