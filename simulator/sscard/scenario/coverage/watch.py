"""What a scenario does besides the exchanges with its card: cases of the service, driver functions, faults."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sscard.driver.api import FUNCTIONS
from sscard.scenario.context import Bench
from sscard.scenario.coverage.facts import (
    APPLICANTS,
    DRIVER_FUNCTIONS,
    FAULTS,
    GROUNDS,
    HAND_OVERS,
    REFUSAL,
    SUCCESS,
    Fact,
)
from sscard.scenario.coverage.situations import OPERATED, situations_of
from sscard.scenario.faults import FaultStep
from sscard.scenario.step import Outcome
from sscard.service import Rule, Stage

HANDED_OVER: Final = (Stage.ACCEPTED, *OPERATED)


def facts_of_step(bench: Bench, outcome: Outcome) -> Iterator[Fact]:
    """The facts of a step that was done: grounds of refusal, the case after it, the driver functions so far.

    A driver function succeeds with its last step, and is refused by a return code of any step.
    """
    grounds = outcome.reported.get("grounds", "").split()
    yield from (Fact(GROUNDS, (rule.value,)) for rule in Rule if rule.value in grounds)
    case = bench.case
    if case is not None and case.stage in OPERATED:
        yield Fact(APPLICANTS, (case.channel.value, case.operation.value, case.person.kind.value))
    if case is not None and case.handling is not case.channel and case.stage in HANDED_OVER:
        yield Fact(HAND_OVERS, (case.channel.value, case.handling.value))
    yield from situations_of(bench, outcome)
    for function, code in bench.station.called if "station" in vars(bench) else ():
        name, _hsm, step = function.partition("_HSM_")
        if code or not FUNCTIONS[function].has_next_step:
            yield Fact(DRIVER_FUNCTIONS, (name, "HSM" if step else "PSAM", REFUSAL if code else SUCCESS))


def facts_of_faults(bench: Bench) -> Iterator[Fact]:
    """The faults that happened."""
    for step, armed in bench.armed:
        if isinstance(step, FaultStep) and armed.happened:
            yield Fact(FAULTS, (step.fault.name,))
