"""Runs a scenario with its own card and random numbers, and checks every step against its expectations."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Final, NamedTuple

from sscard.conversation import Exchange, PowerEvent
from sscard.errors import InputError, PhrasedError, TransportError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.cards import Connect, bench_of, in_process
from sscard.scenario.context import Bench
from sscard.scenario.coverage.facts import Fact
from sscard.scenario.coverage.watch import facts_of_faults, facts_of_step
from sscard.scenario.defaults import DEFAULT_SEED
from sscard.scenario.execution import perform, view_at
from sscard.scenario.issuing import Issuer
from sscard.scenario.messages import Message
from sscard.scenario.pins import masked
from sscard.scenario.reader import Scenario, insertion
from sscard.scenario.repetition import Repetition
from sscard.scenario.state_words import state_name
from sscard.scenario.step import Mismatch, Outcome, Step, show_state
from sscard.scenario.waivers import WaiverAt
from sscard.service import Stage

logger = logging.getLogger("sscard.scenario")

NOT_APPLICABLE: Final = "not applicable"
INCONCLUSIVE: Final = "inconclusive"
KNOWN_ISSUE: Final = "known issue"
WAIVED: Final = "waived"


class CardState(NamedTuple):
    """The card and the case after a step: PIN tries left and their limit, the words of its state, stage of the case."""

    tries: int
    limit: int
    state: frozenset[str]
    stage: Stage | None

    @property
    def words(self) -> str:
        """The state words in a fixed order."""
        return show_state(self.state)

    @property
    def said(self) -> Sayable:
        """The state words as reports print them."""
        return state_name(self.words)


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of a step: its number from 1 (0: the insertion before the first), the exchanges, unmet expectations.

    ``inconclusive`` if it could not be judged, because the transport or the HSM failed. ``executed`` unless something
    else than the card kept it from being done as written; then a known issue does not excuse it. ``after`` is the
    state after it, ``sw`` the status word (``None``: no answer), ``notice`` the text for the citizen, ``messages`` what
    other parts were asked. ``at`` is its begin in seconds as that of an exchange, ``seconds`` its time.
    """

    number: int
    step: Step
    events: tuple[Exchange | PowerEvent, ...]
    mismatches: tuple[Mismatch, ...]
    inconclusive: bool = False
    executed: bool = True
    after: CardState | None = None
    sw: int | None = None
    notice: str = ""
    messages: tuple[Message, ...] = ()
    at: float = field(default=0.0, compare=False)
    seconds: float = field(default=0.0, compare=False)

    @property
    def happened(self) -> list[Exchange | PowerEvent | Message]:
        """The exchanges, and what other parts were asked, in the order of time."""
        return sorted((*self.events, *self.messages), key=lambda each: each.at)

    @property
    def verdict(self) -> str:
        """``passed``, ``failed`` or ``inconclusive``; known issue and waiver excuse a scenario, not its step."""
        if not self.mismatches:
            return "passed"
        return INCONCLUSIVE if self.inconclusive else "failed"


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """Result of a scenario, up to its first failing step; ``commands`` is the number of command APDUs sent to the card.

    A scenario that fits no card of its personality has no steps, and passes as ``not applicable``.
    ``crash`` says why a scenario did not get to its end; then it is
    ``inconclusive``. ``predicted`` is the number of steps after which the tries left of a card under test could not be
    observed, ``removals`` that of the removals in the place of power cuts that it survived. ``started`` (UTC) and
    ``seconds`` are those of the machine, not of the scenario's clock. ``zero`` (UTC) is
    the moment from which ``at`` of its steps, exchanges and messages counts. ``waivers`` are those that apply to it,
    ``unwaived`` says why it fails with them: another value, met expectations, expired. ``repetition`` is set after a
    failure on a card under test. Results that differ in times only are equal.
    """

    scenario: Scenario
    steps: tuple[StepResult, ...]
    commands: int
    started: datetime = field(compare=False)
    seconds: float = field(compare=False)
    facts: frozenset[Fact] = frozenset()
    seed: int = DEFAULT_SEED
    crash: Sayable = ""
    zero: datetime | None = field(default=None, compare=False)
    predicted: int = 0
    removals: int = 0
    waivers: tuple[WaiverAt, ...] = ()
    unwaived: Sayable = ""
    repetition: Repetition | None = None

    @property
    def failure(self) -> StepResult | None:
        """The failed step."""
        return self.steps[-1] if self.steps and self.steps[-1].mismatches else None

    @property
    def passed(self) -> bool:
        """Whether the run may be green: also if it is not applicable, waived, or failed as its known issue says."""
        return self.verdict not in ("failed", INCONCLUSIVE)

    @property
    def verdict(self) -> str:
        """``passed``, ``failed``, ``inconclusive``, ``not applicable`` (it was not run), ``known issue`` or ``waived``.

        A scenario with a known issue fails if all its steps are as stated, or one could not be executed.
        """
        if self.scenario.misfit:
            return NOT_APPLICABLE
        if self.crash or (self.failure and self.failure.inconclusive):
            return INCONCLUSIVE
        if self.waivers:
            return "failed" if self.unwaived else WAIVED
        if self.scenario.known_issue:
            return KNOWN_ISSUE if self.failure and self.failure.executed else "failed"
        return "failed" if self.failure else "passed"

    @property
    def reason(self) -> Sayable:
        """Why the verdict is not that of the steps: missing need, crash, ticket of a known issue, waivers."""
        if self.scenario.misfit:
            return self.scenario.misfit.problem
        if self.verdict == WAIVED:
            waived = [
                Phrase(
                    "waived until {day}, {ticket}: {reason}",
                    day=waiver.expires.isoformat(),
                    ticket=masked(waiver.ticket, self.scenario),
                    reason=masked(waiver.reason, self.scenario),
                )
                for waiver, _file, _line in self.waivers
            ]
            return Phrase.joined("{first}; {rest}", [*dict.fromkeys(waived)])
        if self.unwaived and not self.crash:
            return self.unwaived
        ticket = self.scenario.known_issue
        if self.crash or not ticket:
            return self.crash
        if self.failure:
            return Phrase("known issue {ticket}", ticket=ticket) if self.verdict == KNOWN_ISSUE else ""
        return Phrase("known issue {ticket}: the scenario passes, remove known_issue:", ticket=ticket)

    def without_events(self) -> ScenarioResult:
        """The same result without the exchanges, messages and notices of its steps, which need most of its memory."""
        return replace(self, steps=tuple(replace(step, events=(), messages=(), notice="") for step in self.steps))


class RestoreFailed(TransportError):
    """A card under test could not be brought back into its state; the text says what it holds. Exit code 1.

    ``result`` is that of the scenario before, after which the run stops.
    """

    result: ScenarioResult | None = None


def run_scenario(
    scenario: Scenario, seed: int = DEFAULT_SEED, connect: Connect = in_process, issuer: Issuer | None = None
) -> ScenarioResult:
    """Run a scenario on a new card; the same seed gives the same bytes on the wire.

    An exception that no step expects makes the result ``inconclusive``, with the steps before it.
    """
    card = scenario.card, scenario.personality, scenario.title
    return run_at(scenario, seed, bench_of(*card, seed, connect, scenario.service, issuer))


def run_at(scenario: Scenario, seed: int, opening: AbstractContextManager[Bench]) -> ScenarioResult:
    """Run a scenario on the card that ``opening`` places at a terminal; as ``run_scenario``."""
    started, begin = datetime.now(UTC), perf_counter()
    if scenario.misfit:
        return ScenarioResult(scenario, (), 0, started, 0.0, seed=seed)
    steps: list[StepResult] = []
    commands = 0
    facts: frozenset[Fact] = frozenset()
    crash: Sayable = ""
    zero = started
    try:
        with opening as bench:
            # By the clock that measures the steps: the time of day may be set meanwhile.
            zero = started + timedelta(seconds=perf_counter() - begin - bench.connection.now)
            try:
                steps.extend(_run_steps(scenario, bench))  # those before an exception stay
            finally:
                commands = sum(isinstance(event, Exchange) for event in bench.connection.events)
                facts = frozenset((*bench.facts, *facts_of_faults(bench)))
    except Exception as error:
        crash = crash_of(error)
    seconds = perf_counter() - begin
    result = ScenarioResult(scenario, tuple(steps), commands, started, seconds, facts, seed, crash, zero)
    logger.debug("scenario finished", extra={"scenario": scenario.title, "passed": result.passed})
    return result


def crashed(scenario: Scenario, seed: int, error: Exception) -> ScenarioResult:
    """The result of a scenario without steps, because its process died."""
    return ScenarioResult(scenario, (), 0, datetime.now(UTC), 0.0, seed=seed, crash=crash_of(error))


def crash_of(error: Exception) -> Sayable:
    """What an exception is, without its text unless it is one of sscard: other texts may contain a PIN or key."""
    if isinstance(error, PhrasedError):
        return error.said
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return Phrase("{kind} in {place}", kind=type(error).__name__, place=place)


def _run_steps(scenario: Scenario, bench: Bench) -> Iterator[StepResult]:
    first = insertion(scenario)
    steps = [(0, first)] if first else []
    steps += enumerate(scenario.steps, 1)
    arming: list[tuple[int, Step]] = []
    before = view_at(bench)
    captured: dict[str, str] = {}
    for place, (number, written) in enumerate(steps):
        step, seen, asked, seconds = written, len(bench.connection.events), len(bench.messages), 0.0
        at = bench.connection.now
        try:
            step = scenario.step(number, captured) if number else written
        except InputError as error:
            outcome = Outcome(failure=Phrase("a captured value does not fit: {problem}", problem=error.problem))
        else:
            begin = perf_counter()
            outcome = perform(step, bench)
            seconds = perf_counter() - begin
        arming += [(number, step)] * (len(bench.armed) - len(arming))
        bench.facts.update(facts_of_step(bench, outcome))
        after = view_at(bench)
        mismatches = step.check(before, after, outcome)
        mismatches += _late(step, seconds) if not outcome.failure else []
        if bench.observer is not None and place == len(steps) - 1 and not mismatches:
            mismatches += [Mismatch("rights", *unlike) for unlike in bench.observer.rights()]
        for name, source in step.capture.items() if not mismatches else ():
            value = outcome.captured(source, after.tries)
            if value is None:
                outcome = replace(outcome, failure=Phrase("the step has no such value"))
                mismatches.append(Mismatch("capture", source, Phrase("the step has no such value")))
            captured[name] = value or ""
        events = tuple(bench.connection.events[seen:])
        yield StepResult(
            number,
            step,
            events,
            tuple(_without_pins(wrong, scenario) for wrong in mismatches),
            outcome.inconclusive,
            not outcome.failure,
            CardState(after.tries, after.card.pin_tries_max, after.state, after.stage),
            outcome.sw,
            outcome.notice,
            tuple(bench.messages[asked:]),
            at,
            seconds,
        )
        if mismatches:
            return
        before = after
    for (number, step), (__, armed) in zip(arming, bench.armed, strict=True):
        if armed.obstacle or not armed.happened:
            actual = armed.obstacle or Phrase("no later step reached it")
            missed = Mismatch(step.verb, Phrase("a later step meets the fault"), actual)
            yield StepResult(number, step, (), (missed,), executed=False, at=bench.connection.now)
            return


def _without_pins(wrong: Mismatch, scenario: Scenario) -> Mismatch:
    """The same without a PIN of the scenario in the expected value, which its file has; what came is redacted."""
    return replace(wrong, expected=masked(wrong.expected, scenario)) if isinstance(wrong.expected, str) else wrong


def _late(step: Step, seconds: float) -> list[Mismatch]:
    if step.within is None or seconds <= step.within:
        return []
    return [Mismatch("within", f"{step.within * 1000:g} ms", f"{seconds * 1000:.0f} ms")]
