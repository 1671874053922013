"""The steps of a run as rows of a form: what was expected, what came."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sscard.conversation import Exchange
from sscard.i18n.language import _, say, visible
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.pins import masked
from sscard.scenario.reader import Scenario
from sscard.scenario.reports.console import missed_text
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.scenario.state_words import state_name
from sscard.scenario.step import Step, show_stage, show_state, show_sw, show_tries

LIST: Final = "{first}; {rest}"
LONGEST: Final = 160
"""Characters of a value; the logs have it whole."""


class StepRow(NamedTuple):
    """A step of a form; ``verdict`` is that of the step, or empty if it was not run.

    ``missed`` are its expectations that were not met, each with its place.
    """

    number: int
    title: str
    expected: str
    got: str
    verdict: str
    missed: tuple[str, ...] = ()


def rows_of(result: ScenarioResult) -> Iterator[StepRow]:
    """The steps of a scenario, those after a failing one too; the insertion before them (0) if it failed."""
    scenario = result.scenario
    done = {step.number: step for step in result.steps}  # a fault that was not reached is the last of its step
    written = [(0, done[0].step)] if 0 in done and done[0].mismatches else []
    for number, step in (*written, *enumerate(scenario.steps, 1)):
        ran = done.get(number)
        title = visible(say((ran.step if ran else step).title()))
        title += f" ({visible(masked(step.note, scenario))})" if step.note else ""
        if ran is None:
            yield StepRow(number, title, _expected(step, scenario), _("not executed"), "")
        else:
            missed = tuple(missed_text(scenario, ran, wrong) for wrong in ran.mismatches)
            yield StepRow(number, title, _expected(ran.step, scenario), _got(ran), ran.verdict, missed)


def wire_of(result: ScenarioResult) -> str:
    """The exchanges of the last step, explained, without secrets."""
    lines: list[str] = []
    for event in result.steps[-1].events if result.steps else ():
        lines += str(event).splitlines()
        lines += [f"    {say(detail)}" for detail in event.details] if isinstance(event, Exchange) else []
    return "\n".join(map(visible, lines))


def _expected(step: Step, scenario: Scenario) -> str:
    parts: list[Sayable] = [show_sw(step.sw)]
    if step.tries is not None:
        parts.append(_("tries {left}", left=step.tries))
    parts += [show_tries(key, tries) for key, tries in step.key_tries.items()]
    if step.certificate_tries is not None:
        parts.append(show_tries("certificate", step.certificate_tries))
    if step.state is not None:
        parts.append(_("state {words}", words=state_name(show_state(step.state))))
    if step.stage is not None:
        parts.append(_("case {stage}", stage=show_stage(step.stage)))
    if step.data is not None:
        parts.append(_("data {data}", data=_short(step.data, scenario)))
    parts += [f"{name}: {_short(value, scenario)}" for name, value in step.answers().items()]
    if step.within is not None:
        parts.append(_("within {time}", time=f"{step.within * 1000:g} ms"))
    return masked(say(Phrase.joined(LIST, parts)), scenario)


def _got(ran: StepResult) -> str:
    parts: list[Sayable] = [show_sw(ran.sw)] if ran.executed else []
    if ran.after is not None:
        parts.append(_("tries {left} of {limit}", left=ran.after.tries, limit=ran.after.limit))
        parts.append(_("state {words}", words=ran.after.said))
        if ran.after.stage is not None:
            parts.append(_("case {stage}", stage=show_stage(ran.after.stage)))
    if not ran.mismatches and (ran.step.data is not None or ran.step.answers()):
        parts.append(_("values as expected"))
    return say(Phrase.joined(LIST, parts)) if parts else ""


def _short(value: str, scenario: Scenario) -> str:
    text = masked(visible(value), scenario)  # before its end is cut off: a part of a PIN is not masked
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
