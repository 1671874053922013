"""Compare the steps of one scenario on two cards."""

from __future__ import annotations

from itertools import zip_longest

from sscard.conversation import Exchange
from sscard.i18n.language import _, say
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.console import missed_text, step_name
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.standard.apdu import named_status


def differing_steps(left: ScenarioResult, right: ScenarioResult, names: tuple[str, str]) -> list[list[str]]:
    """The steps with different outcomes, each as lines of text; the cards have different holders.

    A step's outcome is the status words of its exchanges if both sent the same
    commands, else the last status word; and its unmet expectations.
    """
    found = []
    for one, other in zip_longest(left.steps, right.steps):
        if one is None or other is None or _outcome(one, other) != _outcome(other, one):
            scenario = left.scenario if one is not None else right.scenario
            found.append(
                [step_name(scenario, one or other), *_side(scenario, names[0], one), *_side(scenario, names[1], other)]
            )
    return found


def _outcome(step: StepResult, other: StepResult) -> tuple[list[str], list[str]]:
    words, others = (
        # The number of bytes waiting depends on the data.
        ["61" if event.sw.startswith("61") else event.sw for event in one.events if isinstance(event, Exchange)]
        for one in (step, other)
    )
    return (words if len(words) == len(others) else words[-1:]), [mismatch.field for mismatch in step.mismatches]


def _side(scenario: Scenario, name: str, step: StepResult | None) -> list[str]:
    if step is None:
        return [f"  {name}: {_('not reached')}"]
    words = [event.sw for event in step.events if isinstance(event, Exchange)]
    came = say(named_status(int(words[-1], 16))) if words and words[-1] else _("no status word")
    missed = [f"    {missed_text(scenario, step, one)}" for one in step.mismatches]
    events = [f"    {line}" for event in step.events for line in str(event).splitlines()]
    return [f"  {name}: {came}", *missed, *events]
