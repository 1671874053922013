"""Measures a flow on cards of sscard: in this process, or through PC/SC with an echo card as the floor."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from random import Random
from typing import Final

from sscard.benchmark.clients import PIN, Behind, FreshCopies
from sscard.benchmark.clock import REAL_CLOCK, Clock
from sscard.benchmark.flows import CASE, Measured
from sscard.benchmark.histogram import Latencies
from sscard.benchmark.load import Load, Recorded, run_load
from sscard.benchmark.pcsc import Tape, Terminals, measure_floor, pcsc_versions
from sscard.benchmark.result import FlowResult
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import Card, KeyHierarchy, Personality, issue_card
from sscard.scenario.cards import Connect, in_process
from sscard.scenario.reports.run import LABELS, this_machine
from sscard.transport import Connection

TERMINAL_LAYERS: Final = frozenset({"terminal", "hsm", "transport", "card"})
IN_PROCESS: Final = Terminals()
CASE_LAYERS: Final = TERMINAL_LAYERS | {"service", "journal"}

Notify = Callable[[Recorded], None]


def layers_of(flow: Measured) -> frozenset[str]:
    """The layers that a flow on a card of sscard passes."""
    return CASE_LAYERS if flow.name.startswith(CASE) else TERMINAL_LAYERS


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
    notify: Notify | None = None,
    seed: int = 1,
) -> FlowResult:
    """Measure a flow on copies of a card, with an echo card before and after if ``terminals`` have one."""
    floor = Latencies() if terminals.echo else None
    with ExitStack() as open_clients:

        def client(number: int, connect: Connect) -> FreshCopies:
            made = FreshCopies(flow, card, behind, clock, connect, Random(f"{seed}/{number}"))
            open_clients.callback(made.close)
            return made

        connects = terminals.connects or [in_process] * load.clients
        clients = [client(number, connects[number]) for number in range(load.clients)]
        tape = _taped(partial(client, load.clients)) if terminals.echo else None
        if terminals.echo and tape and floor is not None:
            measure_floor(terminals.echo, tape, clock, floor)
        recorded = run_load(load, clients, clock, notify)
        if terminals.echo and tape and floor is not None:
            measure_floor(terminals.echo, tape, clock, floor)
    return FlowResult(flow.name, flow.title, recorded, layers_of(flow), floor)


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


MACHINE: Final[Mapping[str, Sayable]] = {
    **LABELS,
    "processor": Phrase("processor"),
    "processors": Phrase("number of processors"),
    "hdrhistogram": "hdrhistogram",
    "pcscd": "pcscd",
    "pyscard": "pyscard",
    "journal": Phrase("journal"),
}
"""The facts that figures depend on, and what they are called."""


def machine(*, pcsc: bool = False) -> dict[str, Sayable]:
    """What figures depend on besides the options: versions, system and processor; with ``pcsc`` its versions too."""
    return {
        **this_machine(),
        "processor": _processor(),
        "processors": os.cpu_count() or 1,
        "hdrhistogram": version("hdrhistogram"),
        **(pcsc_versions() if pcsc else {}),
    }


def _processor() -> str:
    """The name of the processor, as the system gives it."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
            names = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            return next(names, "") or platform.machine()
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
