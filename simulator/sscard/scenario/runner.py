"""Runs a scenario with its own card and random numbers, and checks every step against its expectations."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone
from random import Random
from time import perf_counter
from typing import Final

from sscard.chip.engine import PowerError
from sscard.chip.memory import PowerLost
from sscard.conversation import Exchange, PowerEvent, Recorder
from sscard.hsm import HsmError, SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import Holder, builtin_keys, make_holder, make_order, personalise
from sscard.issuer.personalise import card_reference
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.reader import Scenario, insertion
from sscard.scenario.step import Mismatch, Outcome, Step, View, view_of
from sscard.service import PinService
from sscard.standard.tree import CARD_BLOCKED, PIN_TRIES
from sscard.terminal.errors import ApduError
from sscard.transport import CardMute, CardRemoved, Connection, FaultyConnection, TransportError
from sscard.transport.connection import ShortAnswer
from sscard.transport.contactless import ContactlessReader

logger = logging.getLogger("sscard.scenario")

DEFAULT_SEED = 1
FIRST_MORNING = datetime(2026, 1, 5, 9, 0, tzinfo=timezone(timedelta(hours=8)))
"""A Monday in China."""
CARD_AGE = timedelta(days=400)
NOT_APPLICABLE: Final = "not applicable"

Connect = Callable[[Connection], AbstractContextManager[Connection]]
"""Connects a terminal to a chip or a contactless reader with it; only this depends on the transport."""


@contextmanager
def in_process(card: Connection) -> Iterator[Connection]:
    """Use the chip, or the contactless reader with it, as the connection."""
    yield card


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of a step: its number from 1 (0: the insertion before the first), the exchanges, unmet expectations."""

    number: int
    step: Step
    events: tuple[Exchange | PowerEvent, ...]
    mismatches: tuple[Mismatch, ...]


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """Result of a scenario, up to its first failing step; ``commands`` is the number of command APDUs sent to the card.

    A scenario that fits no card of its personality has no steps, and passes as ``not applicable``.
    ``started`` (UTC) and ``seconds`` are those of the machine, not of the
    scenario's clock. Results that differ only in them are equal.
    """

    scenario: Scenario
    steps: tuple[StepResult, ...]
    commands: int
    started: datetime = field(compare=False)
    seconds: float = field(compare=False)

    @property
    def failure(self) -> StepResult | None:
        """The failed step."""
        return self.steps[-1] if self.steps and self.steps[-1].mismatches else None

    @property
    def passed(self) -> bool:
        return self.failure is None

    @property
    def verdict(self) -> str:
        """``passed``, ``failed``, or ``not applicable`` for a scenario that was not run."""
        if self.scenario.misfit:
            return NOT_APPLICABLE
        return "passed" if self.passed else "failed"

    def without_events(self) -> ScenarioResult:
        """The same result without the exchanges of its steps, which need most of its memory."""
        return replace(self, steps=tuple(replace(step, events=()) for step in self.steps))


def run_scenario(scenario: Scenario, seed: int = DEFAULT_SEED, connect: Connect = in_process) -> ScenarioResult:
    """Run a scenario on a new card; the same seed gives the same bytes on the wire."""
    started, begin = datetime.now(UTC), perf_counter()
    if scenario.misfit:
        return ScenarioResult(scenario, (), 0, started, 0.0)
    with bench_of(scenario, seed, connect) as bench:
        steps = tuple(_run_steps(scenario, bench))
        commands = sum(isinstance(event, Exchange) for event in bench.connection.events)
        result = ScenarioResult(scenario, steps, commands, started, perf_counter() - begin)
    logger.debug("scenario finished", extra={"scenario": scenario.title, "passed": result.passed})
    return result


@contextmanager
def bench_of(scenario: Scenario, seed: int = DEFAULT_SEED, connect: Connect = in_process) -> Iterator[Bench]:
    """The new card of a scenario at its terminal, before the first step."""
    random = _random(f"{seed}/{scenario.title}")
    now = FIRST_MORNING + timedelta(weeks=_random(str(seed)).randrange(52))
    wanted = scenario.card
    holder = Holder(wanted.holder.name, wanted.holder.id_number) if wanted.holder else make_holder(random)
    issued = wanted.issued or (now - CARD_AGE).date()
    order = replace(make_order(scenario.personality, random, holder, wanted.city_code, issued), pin=wanted.pin)
    card = personalise(order, builtin_keys())
    if wanted.tries_left is not None:
        card.memory.put_number(PIN_TRIES, wanted.tries_left)
    if wanted.card_blocked:
        card.memory.put_number(CARD_BLOCKED, 1)
    contact = wanted.interface == "contact"
    chip = card.chip(random, contact=contact)
    with connect(chip if contact else ContactlessReader(chip)) as connection:
        reader = FaultyConnection(connection, keep_power_loss=True, contact=contact)
        yield Bench(
            connection=Recorder(reader),
            reader=reader,
            chip=chip,
            hsm=SoftHsm(builtin_keys()),
            reference=card_reference(order),
            holder=order.holder,
            service=PinService(lambda: now),
            random=random,
            contact=contact,
        )


def _run_steps(scenario: Scenario, bench: Bench) -> Iterator[StepResult]:
    first = insertion(scenario)
    steps = [(0, first)] if first else []
    steps += enumerate(scenario.steps, 1)
    before = view_at(bench)
    for number, step in steps:
        seen = len(bench.connection.events)
        outcome = perform(step, bench)
        after = view_at(bench)
        mismatches = step.check(before, after, outcome)
        yield StepResult(number, step, tuple(bench.connection.events[seen:]), tuple(mismatches))
        if mismatches:
            return
        before = after
    for number, step in steps:
        for owner, armed in bench.armed:
            if owner is step and (armed.obstacle or not armed.happened):
                actual = armed.obstacle or Phrase("no command reached it")
                missed = Mismatch(step.verb, Phrase("a command meets the fault"), actual)
                yield StepResult(number, step, (), (missed,))
                return


def perform(step: Step, bench: Bench) -> Outcome:
    """The outcome of a step, also if the card or the terminal refuses it."""
    try:
        return step.run(bench)
    except ApduError as error:
        return Outcome(error.sw, error.data)
    except (PowerLost, CardRemoved, CardMute, ShortAnswer):
        return Outcome(None)
    except PowerError:
        return Outcome(failure=Phrase("the card has no power: add a step `power_on:` before this one"))
    except TransportError as error:
        return Outcome(failure=error.said)
    except (NotPossible, HsmError) as error:
        return Outcome(failure=error.said)


def view_at(bench: Bench) -> View:
    """The state that steps are checked against."""
    return view_of(bench.look(), bench.case.stage if bench.case else None)


def _random(seed: str) -> Random:
    return Random(seed)
