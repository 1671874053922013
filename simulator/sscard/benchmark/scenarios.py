"""A scenario as a flow: an operation is its steps, on a new card that is issued outside the measured time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Final

from sscard.benchmark.clock import REAL_CLOCK, Clock
from sscard.benchmark.flows import NotCompleted, kind_of
from sscard.benchmark.layers import Watch
from sscard.benchmark.load import Load, Notify, run_load
from sscard.benchmark.pcsc import Terminals
from sscard.benchmark.result import FlowResult
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer import Personality
from sscard.scenario import Scenario
from sscard.scenario.cards import Connect, bench_of, in_process
from sscard.scenario.issuing import Issuer
from sscard.scenario.library import find_scenarios
from sscard.scenario.runner import run_at
from sscard.transport import Connection

LAYERS: Final = frozenset({"hsm", "transport", "card"})
"""The layers that are measured: steps, terminal and service of a scenario are in the remainder."""


def scenarios_in(file: str, personality: Personality | None) -> list[Scenario]:
    """The scenarios of a file that fit their cards. Errors: ``InputError``."""
    found = [each for each in find_scenarios([Path(file)], personality) if not each.misfit]
    if not found:
        raise InputError(Phrase("has no scenario that can be run"), file=file, remedy=Phrase("see: sscard run --list"))
    return found


class ScenarioClient:
    """A client whose operation is a scenario."""

    def __init__(self, scenario: Scenario, issuer: Issuer, clock: Clock, connect: Connect, seed: int) -> None:
        self.watch = watch = Watch(clock)
        self._scenario = scenario
        self._issuer = Issuer(issuer.keys, watch.measured("hsm", issuer.hsm))
        self._seed = seed
        self._held = ExitStack()

        @contextmanager
        def connected(card: Connection) -> Iterator[Connection]:
            with connect(watch.measured("card", card)) as connection:
                yield watch.measured("transport", connection)

        self._connect = connected

    def prepare(self) -> None:
        """See ``load.Client``."""
        scenario = self._scenario
        card = scenario.card, scenario.personality, scenario.title
        opening = bench_of(*card, self._seed, self._connect, scenario.service, self._issuer)
        self._bench = self._held.enter_context(opening)

    def operate(self) -> None:
        """See ``load.Client``."""
        result = run_at(self._scenario, self._seed, nullcontext(self._bench))
        if not result.passed:
            raise NotCompleted(result.verdict)

    def finish(self, _error: Exception | None, /) -> None:
        """See ``load.Client``."""
        self._held.close()

    def kind_of(self, error: Exception) -> str:
        """See ``load.Client``."""
        return kind_of(error)


def measure_scenario(
    scenario: Scenario,
    issuer: Issuer,
    load: Load,
    *,
    terminals: Terminals,
    clock: Clock = REAL_CLOCK,
    notify: Notify = None,
    seed: int = 1,
) -> FlowResult:
    """Measure a scenario on new cards."""
    connects = terminals.connects or [in_process] * load.clients
    clients = [ScenarioClient(scenario, issuer, clock, connect, seed) for connect in connects]
    try:
        recorded = run_load(load, clients, clock, notify)
    finally:
        for client in clients:
            client.finish(None)
    return FlowResult(scenario.title, scenario.label, recorded, LAYERS)
