"""The report in the terminal, and a step and its failure in words for the other reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import StringIO
from time import monotonic
from typing import Final

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.status import Status
from rich.table import Table
from rich.text import Text

from sscard.i18n.language import _, padded, say, visible
from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.scenario.acceptance import PLACEHOLDER, computes, observed, part_at, where
from sscard.scenario.library import group_name
from sscard.scenario.pins import masked
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE, WAIVED, ScenarioResult, StepResult
from sscard.scenario.step import Mismatch

MARKS: Final = {
    "passed": ("✓", "green"),
    "failed": ("✗", "bold red"),
    INCONCLUSIVE: ("?", "bold red"),
    NOT_APPLICABLE: ("–", "yellow"),
    KNOWN_ISSUE: ("!", "yellow"),
    WAIVED: ("~", "yellow"),
}
"""The mark of each verdict, and its style."""
PERSONALITY, BESIDE_NAME = 8, 28
"""Columns of a row: those of the personality, and all but those of the name."""
LABEL_WIDTH = 10
TEXT_WIDTH = 120
LONGEST: Final = 1000
"""Characters of a line in the terminal; of a longer one both ends. JSON report, HTML page and trace are whole."""


def shortened(text: str) -> str:
    """A line for the terminal, without the middle of a long one."""
    half = LONGEST // 2
    return text if len(text) <= LONGEST else f"{text[:half]} … {text[-half:]}"


def step_name(scenario: Scenario, step: StepResult) -> str:
    """A step's place and its title."""
    if step.number == 0:
        return _("before the first step: insert")
    return _("{place}: {title}", place=scenario.shown_place(step.number), title=step.step.title())


def missed_text(scenario: Scenario, step: StepResult, wrong: Mismatch) -> str:
    """An expectation that was not met, with its place."""
    return _(
        "{place}: {field}: expected {expected}, got {actual}",
        place=scenario.shown_place(step.number, wrong.field),
        field=wrong.field,
        expected=wrong.expected,
        actual=wrong.actual,
    )


def remedy_text(scenario: Scenario, step: StepResult, wrong: Mismatch) -> str:
    """What to write if the observed value is right; empty if no value of the field states it."""
    value = observed(step.step, wrong)
    if not value:
        return ""
    *outer, name = path = where(step.step, wrong)
    written = part_at(scenario.parts[step.number - 1].written.content, path) if step.number else None
    if isinstance(written, str) and computes(written):
        written = masked(written, scenario)
        if PLACEHOLDER in written:
            return _("if this is right, change the value of {text} so that it gives {value}", text=written, value=value)
        return _("if this is right, change the expression {text} so that it gives {value}", text=written, value=value)
    stated = f"{name}: {value}"
    for field in reversed(outer):
        stated = f"{field}: {{{stated}}}"
    return _("if this is right, write  {stated}", stated=visible(stated))


def reason_text(result: ScenarioResult) -> str:
    """Why the verdict is not that of the steps: the missing need, the known issue, the waivers; empty if it is."""
    if misfit := result.scenario.misfit:
        return _("not applicable: {problem}", problem=visible(say(misfit.said)))
    return visible(say(result.reason))


def repetition_text(result: ScenarioResult) -> str:
    """What a card under test did when the commands of a failure were sent again; empty if they were not."""
    return visible(say(result.repetition.said)) if result.repetition else ""


COUNTS: Final = {
    "passed": Phrase("{count} passed"),
    "failed": Phrase("{count} failed"),
    INCONCLUSIVE: Phrase("{count} inconclusive"),
    KNOWN_ISSUE: Phrase.plural("{count} known issue", "{count} known issues", count=0),
    WAIVED: Phrase("{count} waived"),
    NOT_APPLICABLE: Phrase("{count} not applicable"),
}
"""How many scenarios have a verdict."""


def counts_text(results: Sequence[ScenarioResult]) -> str:
    """How many scenarios passed and failed, and of the other verdicts those that there were."""
    counts = Counter(result.verdict for result in results)
    named = [verdict for verdict in COUNTS if counts[verdict] or verdict in ("passed", "failed")]
    return say(Phrase.joined(ROW, [COUNTS[verdict].filled(count=counts[verdict]) for verdict in named]))


def failure_text(result: ScenarioResult, width: int = TEXT_WIDTH) -> str:
    """What a failing step did as plain text: place, expectation, what came, the wire; empty if all passed.

    Lines are folded at ``width`` columns and not padded.
    """
    if result.failure is None:
        return ""
    # FORCE_COLOR is for the terminal: neither a log nor a file has colours.
    console = Console(file=StringIO(), width=width, highlight=False, color_system=None)
    console.print(_failure(result, result.failure))
    file = console.file
    assert isinstance(file, StringIO)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())


class ConsoleReport:
    """A row per scenario as it ends, its group above it, and failures in full; on a terminal the progress below.

    With ``seeds`` a row has the seed of the scenario.
    """

    def __init__(self, console: Console, total: int, *, seeds: bool = False) -> None:
        self._console = console
        self._total = total
        self._seeds = seeds
        self._done = self._failed = 0
        self._group = ""
        self._name: Sayable = ""
        self._begin = monotonic()
        self._status: Status | None = None

    def __enter__(self) -> ConsoleReport:
        if self._console.is_terminal:
            self._status = self._console.status(self)
            self._status.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._status is not None:
            self._status.stop()

    @property
    def seconds(self) -> float:
        """The time of the run up to now."""
        return monotonic() - self._begin

    def __rich__(self) -> Text:
        """The progress: scenarios, failures, elapsed time, and the scenario that is running."""
        minutes, seconds = divmod(int(self.seconds), 60)
        mark, style = MARKS["failed"]
        failures = Text(f"  {mark} {self._failed}" if self._failed else "", style=style)
        count = f"{min(self._done + 1, self._total)}/{self._total}"
        return Text.assemble(count, failures, f"  {minutes}:{seconds:02}  ", visible(say(self._name)))

    def begin(self, scenario: Scenario) -> None:
        """A scenario begins."""
        self._name = scenario.label

    def add(self, result: ScenarioResult) -> None:
        """A scenario has ended."""
        self._done += 1
        self._failed += not result.passed
        if result.scenario.group != self._group or self._done == 1:
            self._group = result.scenario.group
            self._console.print(Text(f"\n{say(group_name(self._group))}", style="bold cyan"))
        mark = MARKS[result.verdict]
        steps = say(Phrase.plural("{count} step", "{count} steps", count=len(result.scenario.steps)))
        # Columns on a terminal only: a log is not padded.
        name, personality = visible(say(result.scenario.label)), visible(result.scenario.personality.name)
        if self._console.is_terminal:
            name, personality = padded(name, self._console.width - BESIDE_NAME), padded(personality, PERSONALITY)
        facts = f"  {personality}  {steps}" + (f"  {_('seed {seed}', seed=result.seed)}" if self._seeds else "")
        self._console.print(Text.assemble("  ", mark, " ", name, Text(facts, style="dim")))
        if reason := reason_text(result):
            self._console.print(Text(f"    {reason}", style="dim"))
        if result.failure is not None and self._console.is_terminal:
            self._console.print(_failure(result, result.failure))
        elif result.failure is not None:
            self._console.out(failure_text(result, self._console.width), highlight=False)


def print_summary(console: Console, results: Sequence[ScenarioResult], seconds: float) -> None:
    """The counts of a run that has ended, or was interrupted, and how long it took."""
    failed = not all(result.passed for result in results)
    run = [result for result in results if result.verdict != NOT_APPLICABLE]
    wire = _(
        "{commands} to {cards} in {seconds} s",
        seconds=f"{seconds:.1f}",
        commands=Phrase.plural("{count} command", "{count} commands", count=sum(result.commands for result in results)),
        cards=Phrase.plural("{count} card", "{count} cards", count=len(run)),
    )
    console.print(Text(f"\n{wire}", style="dim"))
    console.print(Text(counts_text(results), style="bold red" if failed else "bold green"))


def _failure(result: ScenarioResult, step: StepResult) -> RenderableType:
    """Where it failed, what was expected, what came, the outcome of a repetition, and the wire of that step."""
    scenario = result.scenario
    table = Table.grid(padding=(0, 1))
    table.add_column(width=LABEL_WIDTH, style="dim", justify="right")
    table.add_column(overflow="fold")
    for mistake in step.mismatches:
        place = scenario.place(step.number, mistake.field)
        table.add_row(
            _("at"),
            Text(
                f"{visible(scenario.file(step.number))}:{place.line}  {shortened(say(step.step.title()))}", style="bold"
            ),
        )
        table.add_row(
            Text(visible(mistake.field)),
            Text(shortened(_("expected  {expected}", expected=mistake.expected)), style="green"),
        )
        table.add_row("", Text(shortened(_("got       {actual}", actual=mistake.actual)), style="red"))
        if remedy := remedy_text(scenario, step, mistake):
            table.add_row("", Text(shortened(remedy), style="dim"))
    if repeated := repetition_text(result):
        table.add_row(_("repetition"), Text(shortened(repeated)))
    table.add_row(_("proves"), Text(visible(say(scenario.proves))))
    if step.step.note:
        table.add_row(_("note"), Text(visible(masked(step.step.note, scenario))))
    for event in step.events:
        for line in str(event).split("\n"):
            table.add_row("", Text(shortened(visible(line)), style="dim"))
    return Padding(table, (0, 0, 1, 2))
