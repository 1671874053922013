"""The report in the terminal, and a step and its failure in words for the other reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import StringIO

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from sscard.errors import InputError
from sscard.i18n.language import _, padded, say, visible
from sscard.i18n.phrase import Phrase
from sscard.scenario.library import group_name
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import NOT_APPLICABLE, ScenarioResult, StepResult
from sscard.scenario.step import Mismatch

PASSED, FAILED, LEFT_OUT = "✓", "✗", "–"
PERSONALITY, BESIDE_NAME = 8, 28
"""Columns of a row: those of the personality, and all but those of the name."""
LABEL_WIDTH = 10
TEXT_WIDTH = 120


def step_name(scenario: Scenario, step: StepResult) -> str:
    """A step's line in the file and its title."""
    if step.number == 0:
        return _("before the first step: insert")
    return _("line {line}: {title}", line=scenario.place(step.number).line, title=step.step.title())


def missed_text(scenario: Scenario, step: StepResult, wrong: Mismatch) -> str:
    """An expectation that was not met, with its line in the file."""
    return _(
        "line {line}: {field}: expected {expected}, got {actual}",
        line=scenario.place(step.number, wrong.field).line,
        field=wrong.field,
        expected=wrong.expected,
        actual=wrong.actual,
    )


def misfit_text(misfit: InputError) -> str:
    """Why a scenario was not run."""
    return _("not applicable: {problem}", problem=visible(say(misfit.said)))


def counts_text(results: Sequence[ScenarioResult]) -> str:
    """How many scenarios passed, failed, and were not applicable, if any were not."""
    counts = Counter(result.verdict for result in results)
    values = {"passed": counts["passed"], "failed": counts["failed"]}
    if counts[NOT_APPLICABLE]:
        return _("{passed} passed, {failed} failed, {left} not applicable", **values, left=counts[NOT_APPLICABLE])
    return _("{passed} passed, {failed} failed", **values)


def failure_text(result: ScenarioResult) -> str:
    """What a failing step did as plain text: place, expectation, what came, the wire; empty where all passed."""
    if result.failure is None:
        return ""
    console = Console(file=StringIO(), width=TEXT_WIDTH, highlight=False)
    console.print(_failure(result.scenario, result.failure))
    file = console.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


class ConsoleReport:
    """A row per scenario as it ends, its group above it, and failures in full."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._results: list[ScenarioResult] = []
        self._group = ""
        self._status: Status | None = None

    def __enter__(self) -> ConsoleReport:
        if self._console.is_terminal:
            self._status = self._console.status("")
            self._status.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._status is not None:
            self._status.stop()

    def begin(self, scenario: Scenario) -> None:
        """A scenario begins."""
        if self._status is not None:
            self._status.update(Text(f"{len(self._results) + 1}/{self._total} {visible(scenario.name)}"))

    def add(self, result: ScenarioResult) -> None:
        """A scenario has ended."""
        self._results.append(result)
        if result.scenario.group != self._group or len(self._results) == 1:
            self._group = result.scenario.group
            self._console.print(Text(f"\n{say(group_name(self._group))}", style="bold cyan"))
        misfit = result.scenario.misfit
        mark = (LEFT_OUT, "yellow") if misfit else (PASSED, "green") if result.passed else (FAILED, "bold red")
        steps = say(Phrase.plural("{count} step", "{count} steps", count=len(result.scenario.steps)))
        # Columns on a terminal only: a log is not padded.
        name, personality = visible(result.scenario.name), visible(result.scenario.personality.name)
        if self._console.is_terminal:
            name, personality = padded(name, self._console.width - BESIDE_NAME), padded(personality, PERSONALITY)
        self._console.print(Text.assemble("  ", mark, " ", name, Text(f"  {personality}  {steps}", style="dim")))
        if misfit:
            self._console.print(Text(f"    {misfit_text(misfit)}", style="dim"))
        if result.failure is not None:
            self._console.print(_failure(result.scenario, result.failure))


def print_summary(console: Console, results: Sequence[ScenarioResult]) -> None:
    """The counts of a run that has ended, or was interrupted."""
    failed = not all(result.passed for result in results)
    run = [result for result in results if result.verdict != NOT_APPLICABLE]
    wire = _(
        "{commands} to {cards}",
        commands=Phrase.plural("{count} command", "{count} commands", count=sum(result.commands for result in results)),
        cards=Phrase.plural("{count} card", "{count} cards", count=len(run)),
    )
    console.print(Text(f"\n{wire}", style="dim"))
    console.print(Text(counts_text(results), style="bold red" if failed else "bold green"))


def _failure(scenario: Scenario, step: StepResult) -> RenderableType:
    """Where it failed, what was expected, what came, and the wire of that step."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=LABEL_WIDTH, style="dim", justify="right")
    table.add_column(overflow="fold")
    for mistake in step.mismatches:
        place = scenario.place(step.number, mistake.field)
        table.add_row(_("at"), Text(f"{visible(scenario.source)}:{place.line}  {say(step.step.title())}", style="bold"))
        table.add_row(
            Text(visible(mistake.field)), Text(_("expected  {expected}", expected=mistake.expected), style="green")
        )
        table.add_row("", Text(_("got       {actual}", actual=mistake.actual), style="red"))
    table.add_row(_("proves"), Text(visible(scenario.proves)))
    if step.step.note:
        table.add_row(_("note"), Text(visible(step.step.note)))
    for event in step.events:
        for line in str(event).split("\n"):
            table.add_row("", Text(visible(line), style="dim"))
    return Padding(table, (0, 0, 1, 2))
