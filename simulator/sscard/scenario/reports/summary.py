"""What a run ends with in the terminal: equal failures once, the comparison with an earlier run; the list of a run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final, NamedTuple

from rich.console import Console
from rich.text import Text

from sscard.i18n.language import _, say, visible
from sscard.i18n.phrase import Phrase
from sscard.scenario.comparison import Compared, Comparison, Earlier
from sscard.scenario.library import group_name
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.console import shortened
from sscard.scenario.runner import ScenarioResult

SHOWN: Final = 10
"""Scenarios of a failure or of a part of a comparison that are named; the others are counted."""


class Alike(NamedTuple):
    """Scenarios that failed at the same step with the same fields and values."""

    step: str
    missed: tuple[str, ...]
    results: list[ScenarioResult]


def missed_texts(result: ScenarioResult) -> tuple[str, ...]:
    """Each expectation that was not met, without its line, and why waivers do not cover it; else the reason."""
    failed = result.failure
    if failed is None:
        return (visible(say(result.reason)),)
    missed = tuple(
        _("{field}: expected {expected}, got {actual}", field=wrong.field, expected=wrong.expected, actual=wrong.actual)
        for wrong in failed.mismatches
    )
    return (visible(say(result.unwaived)), *missed) if result.unwaived else missed


def failure_place(result: ScenarioResult) -> tuple[str, int]:
    """File and line of the first expectation that was not met, or of the step that the scenario did not get past."""
    scenario, failed = result.scenario, result.failure
    if failed is not None:
        return scenario.file(failed.number), scenario.place(failed.number, failed.mismatches[0].field).line
    number = min(result.steps[-1].number + 1, len(scenario.steps)) if result.steps else 0
    return scenario.file(number), scenario.place(number).line


def alike(results: Sequence[ScenarioResult]) -> list[Alike]:
    """The failures of a run, grouped, the most frequent first."""
    groups: dict[tuple[str, tuple[str, ...]], list[ScenarioResult]] = {}
    for result in results:
        if not result.passed:
            step = visible(say(result.failure.step.title())) if result.failure else ""
            groups.setdefault((step, missed_texts(result)), []).append(result)
    found = [Alike(step, missed, members) for (step, missed), members in groups.items()]
    return sorted(found, key=lambda group: -len(group.results))


def print_failures(console: Console, results: Sequence[ScenarioResult]) -> None:
    """The failures that several scenarios have in common."""
    for group in alike(results):
        if len(group.results) < 2:
            continue
        head = _("{count} scenarios failed alike: {step}", count=len(group.results), step=group.step)
        console.print(Text(f"\n{shortened(head)}".rstrip(":： "), style="bold red"))
        for missed in group.missed:
            console.print(Text(f"  {shortened(missed)}", style="red"))
        places = [f"{visible(file)}:{line}" for file, line in map(failure_place, group.results)]
        rows = [
            f"{place}  {visible(say(result.scenario.label))}  {visible(result.scenario.personality.name)}"
            for place, result in zip(places, group.results, strict=True)
        ]
        _print_rows(console, rows)


KINDS: Final = {
    "newly_failing": Phrase("newly failing"),
    "fixed": Phrase("now fixed"),
    "missing": Phrase("now missing"),
    "no_longer_applicable": Phrase("no longer applicable"),
    "new": Phrase("new"),
    "slower": Phrase("slower"),
}
"""The kinds of scenarios of a comparison."""


def print_comparison(console: Console, comparison: Comparison, earlier: Earlier) -> None:
    """What differs from the earlier run of a report."""
    parts: dict[str, list[Compared]] = comparison._asdict()
    console.print(Text(f"\n{_('compared with {file}', file=earlier.file)}", style="bold cyan"))
    if earlier.done < earlier.planned:
        incomplete = Phrase.plural(
            "that run ended after {done} of {count} scenario",
            "that run ended after {done} of {count} scenarios",
            done=earlier.done,
            count=earlier.planned,
        )
        console.print(Text(f"  {say(incomplete)}", style="yellow"))
    if not any(parts.values()):
        console.print(f"  {_('no difference')}", markup=False)
    for name, members in parts.items():
        if members:
            console.print(Text(f"  {say(KINDS[name])}: {len(members)}", style="bold"))
            _print_rows(console, list(map(_row, members)))


def print_list(console: Console, scenarios: Sequence[Scenario], seeds: int) -> None:
    """The scenarios that a run would run, each with so many seeds, by folder, with file and tags."""
    for group, members in groupby(scenarios, lambda scenario: scenario.group):
        console.print(Text(f"\n{say(group_name(group))}", style="bold cyan"))
        for scenario in members:
            name, personality = visible(say(scenario.label)), visible(scenario.personality.name)
            tags = visible(" ".join(scenario.tags))
            place = f"{visible(scenario.source)}:{scenario.line}"
            console.print(Text.assemble("  ", name, Text(f"  {personality}  {place}  {tags}".rstrip(), style="dim")))
            if scenario.misfit:
                reason = _("not applicable: {problem}", problem=visible(say(scenario.misfit.said)))
                console.print(Text(f"    {reason}", style="dim"))
    count = Phrase.plural("{count} scenario", "{count} scenarios", count=len(scenarios))
    console.print(Text(f"\n{say(count)}", style="bold"))
    if seeds > 1:
        runs = Phrase.plural(
            "with each of {seeds} seeds: {count} run",
            "with each of {seeds} seeds: {count} runs",
            seeds=seeds,
            count=len(scenarios) * seeds,
        )
        console.print(Text(say(runs), style="bold"))


def _row(compared: Compared) -> str:
    name = f"{visible(compared.name)}  {visible(compared.personality)}  {visible(compared.file)}"
    if not compared.before:
        return name
    return _(
        "{name}  {now} s, before {before} s", name=name, now=f"{compared.seconds:.2f}", before=f"{compared.before:.2f}"
    )


def _print_rows(console: Console, rows: list[str]) -> None:
    for row in rows[:SHOWN]:
        console.print(Text(f"    {row}"))
    if more := len(rows[SHOWN:]):
        console.print(Text(f"    {_('and {count} more', count=more)}"))
