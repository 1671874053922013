"""Measures a flow on cards of sscard: in this process, or through PC/SC with an echo card as the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from random import Random
from typing import Final

from sscard.benchmark.clients import PIN, Behind, FreshCopies
from sscard.benchmark.clock import REAL_CLOCK, Clock
from sscard.benchmark.flows import DRIVER, Measured
from sscard.benchmark.histogram import Latencies
from sscard.benchmark.load import Load, Notify, run_load
from sscard.benchmark.pcsc import Tape, Terminals, measure_baseline
from sscard.benchmark.result import FlowResult
from sscard.issuer import Card, KeyHierarchy, Personality, issue_card
from sscard.scenario.cards import Connect, in_process
from sscard.transport import Connection

TERMINAL_LAYERS: Final = frozenset({"terminal", "hsm", "transport", "card"})
DRIVER_LAYERS: Final = TERMINAL_LAYERS - {"terminal"} | {"driver"}
IN_PROCESS: Final = Terminals()
CASE_LAYERS: Final = TERMINAL_LAYERS | {"service", "journal"}


def layers_of(flow: Measured) -> frozenset[str]:
    """The layers that a flow on a card of sscard passes."""
    if flow.is_case:
        return CASE_LAYERS
    return DRIVER_LAYERS if flow.name.startswith(DRIVER) else TERMINAL_LAYERS


def card_for(personality: Personality | str, keys: KeyHierarchy, seed: int) -> Card:
    """The card that is measured: a new copy of it for each operation."""
    return issue_card(personality=personality, pin=PIN, seed=seed, keys=keys)


def measure(
    flow: Measured,
    card: Card,
    behind: Behind,
    load: Load,
    *,
    terminals: Terminals = IN_PROCESS,
    clock: Clock = REAL_CLOCK,
    notify: Notify = None,
    seed: int = 1,
) -> FlowResult:
    """Measure a flow on copies of a card, with an echo card before and after if ``terminals`` have one."""
    baseline: Latencies | None = None
    with ExitStack() as open_clients:

        def client(number: int, connect: Connect) -> FreshCopies:
            made = FreshCopies(flow, card, behind, clock, connect, Random(f"{seed}/{number}"))
            open_clients.callback(made.close)
            return made

        connects = terminals.connects or [in_process] * load.clients
        clients = [client(number, connects[number]) for number in range(load.clients)]
        if terminals.echo:
            baseline = Latencies()
            echo = partial(measure_baseline, terminals.echo, _taped(partial(client, load.clients)), clock, baseline)
            echo()
            recorded = run_load(load, clients, clock, notify)
            echo()
        else:
            recorded = run_load(load, clients, clock, notify)
    return FlowResult(flow.name, flow.title, recorded, layers_of(flow), baseline)


def _taped(client: Callable[[Connect], FreshCopies]) -> Tape:
    """The commands and answers of one operation, in this process."""
    tapes: list[Tape] = []

    @contextmanager
    def taping(card: Connection) -> Iterator[Connection]:
        tapes.append(Tape(card))
        yield tapes[0]

    once = client(taping)
    once.prepare()
    once.operate()
    once.finish(None)
    return tapes[0]
