"""Runs raw scenarios on a card without a claim, such as one that is no social security card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from random import Random

from sscard.card import Snapshot
from sscard.chip.engine import SW_LENGTH, PowerError
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.cards import Placed, bench_at, first_moment
from sscard.scenario.context import Bench, Unlike
from sscard.scenario.issuing import Issuer
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, StepResult, run_at
from sscard.scenario.testbed.card import Ask, CardRun, reader_facts, supply
from sscard.scenario.testbed.card_kind import Look, look_at
from sscard.scenario.testbed.decision import decide
from sscard.scenario.testbed.file import Testbed
from sscard.scenario.testbed.plan import new_card
from sscard.terminal.cards import open_card, scheme_of
from sscard.transport.connection import Connection


class Unknown:
    """The connection to a card of which nothing is known; as an observer it sees only whether it has power."""

    def __init__(self, card: Connection) -> None:
        self.card = card
        self._powered = False

    def power_on(self) -> bytes:
        atr = self.card.power_on()
        self._powered = True
        return atr

    def power_off(self) -> None:
        self._powered = False
        self.card.power_off()

    def reset(self) -> bytes:
        return self.card.reset() if self._powered else self.power_on()

    def transmit(self, command: bytes) -> bytes:
        if not self._powered:
            raise PowerError("the card has no power: call power_on() first")
        self._powered = False
        answer = self.card.transmit(command)
        self._powered = len(answer) >= SW_LENGTH
        return answer

    def seen(self, predicted: Snapshot) -> Snapshot:
        """The state of a card that got no command, with or without power."""
        return replace(predicted, powered=self._powered)

    def rights(self) -> list[Unlike]:
        """None that could be compared."""
        return []


class UnclaimedRun:
    """The card of a testbed without a claim, opened, and the raw scenarios that run on it one after another.

    Nothing is read before and nothing restored after a scenario. With ``fresh`` each that may change the card runs on
    a new one. ``ask`` is that of ``CardRun``. Leaving the context closes the connection.
    """

    def __init__(self, testbed: Testbed, issuer: Issuer, ask: Ask) -> None:
        self._testbed = testbed
        self._issuer = issuer
        self._ask = ask
        self._numbers = count(1)
        self._stand_in = new_card(testbed, issuer)
        self._open = ExitStack()

    def __enter__(self) -> UnclaimedRun:
        try:
            self._connect()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def _connect(self) -> None:
        use, contact = self._testbed.card.use, self._testbed.contact
        connection = self._open.enter_context(open_card(use, contact=contact, exclusive=True))
        connection.power_on()
        self._reader = reader_facts(connection)
        self._look: Look = look_at(connection)
        self._card = Unknown(connection)
        self._spent = False

    def run(self, scenario: Scenario, seed: int) -> ScenarioResult:
        """The result of a scenario; its steps have no state of a card. Errors: ``MissingPart`` without a new card."""
        card = self._stand_in
        decision = decide(scenario, seed, self._testbed, card, card.card.memory, self._issuer)
        if decision.reason:
            scenario = replace(scenario, misfit=InputError(decision.said))
        elif decision.runs and decision.fresh and self._spent:
            self._open.close()
            supply(self._testbed.card, next(self._numbers), self._ask)
            self._connect()
        self._spent = self._spent or (decision.runs and decision.destroys)
        result = run_at(scenario, seed, self._opening(scenario, seed))
        return replace(result, steps=tuple(map(_stateless, result.steps)), facts=frozenset())

    def facts(self) -> dict[str, Sayable]:
        """What a report says about the card: its URL and ATR, what it is, which applications it lacks."""
        facts: dict[str, Sayable] = {
            "transport": scheme_of(self._testbed.card.use),
            "card": self._testbed.shown_card,
            "claim": Phrase("none: only raw commands are run, and no state of the card is known"),
            "atr": self._look.atr.hex(" ").upper(),
            "kind": self._look.kind,
            "lacks": self._look.lacks,
            "answers": self._look.answers,
        }
        facts |= self._reader
        return {name: said for name, said in facts.items() if said}

    @contextmanager
    def _opening(self, scenario: Scenario, seed: int) -> Iterator[Bench]:
        new, contact = self._stand_in, self._testbed.contact
        random = Random(f"{seed}/{scenario.title}")
        placed = Placed(new.card.chip(random, contact=contact), self._card, new.reference, new.holder, contact)
        now = first_moment(scenario.service, seed)
        try:
            with bench_at(placed, random, now, scenario.service, self._issuer, self._card) as bench:
                yield bench
        finally:
            self._card.power_off()


def _stateless(step: StepResult) -> StepResult:
    """The same without a state: a card that does not answer is taken as off, which the status word says already."""
    return replace(step, after=None, mismatches=tuple(wrong for wrong in step.mismatches if wrong.field != "state"))


def opened_card(testbed: Testbed, issuer: Issuer, ask: Ask) -> AbstractContextManager[CardRun | UnclaimedRun]:
    """The card of a testbed, to be entered: with a claim, or without."""
    return UnclaimedRun(testbed, issuer, ask) if testbed.claimed is None else CardRun(testbed, issuer, ask)
