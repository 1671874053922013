"""Does a part of a campaign: what a worker gets, and what it makes of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from sscard.campaign.checked_card import Broken
from sscard.campaign.life import Life, Office, Through
from sscard.campaign.population import Population
from sscard.campaign.rows import Done, Failure, Outcome, Row, Shard
from sscard.conversation.recorder import Recorder
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import builtin_keys
from sscard.issuer.image import write_image
from sscard.model.invariants import ONLY_ERRORS
from sscard.transport import Connection


@dataclass(frozen=True)
class Task:
    """All that a worker needs for any card of a campaign; ``seed`` is a whole number from 0."""

    population: Population
    seed: int
    through: Through = "service"


_offices: Final[list[tuple[Task, Office]]] = []
"""Of the last task of this process."""


def run_shard(task: Task, shard: Shard) -> Done:
    """Live the lives of the cards of a shard. A card that breaks an invariant is a ``Failure``."""
    office = _office(task)
    began = perf_counter()
    for layer in office.layers:
        office.layers[layer] = 0.0
    office.hsm.seconds = 0.0
    failures: list[Failure] = []
    rows = [run_card(office, index, failures).packed() for index in range(shard.first, shard.first + shard.count)]
    layers = {**office.layers, "hsm": office.hsm.seconds}
    layers["service" if office.desk else "terminal"] = perf_counter() - began - sum(layers.values())
    modelled = office.meter.modelled() if office.meter else {}
    return Done(shard, b"".join(rows), layers, modelled, tuple(failures))


def _office(task: Task) -> Office:
    if not _offices or _offices[0][0] != task:
        _offices[:] = [(task, Office(task.population, task.seed, task.through, builtin_keys()))]
    return _offices[0][1]


def run_card(office: Office, index: int, failures: list[Failure]) -> Row:
    """The life of one card; if it breaks an invariant it is lived again with a recorder."""
    life = Life(office, index)
    try:
        return life.live()
    except Exception as error:
        row = life.row(Outcome.UNFINISHED)
        failures.append(_failure(office, life, error))
        return row


def trace_of(office: Office, index: int) -> tuple[str, ...]:
    """Repeat a life up to its end or to what it breaks: the exchanges with the terminals as text with masked PINs."""
    recorders: list[Recorder] = []

    def record(connection: Connection) -> Recorder:
        recorders.append(Recorder(connection, clock=lambda: 0.0))
        return recorders[0]

    life = Life(office, index, record)
    with suppress(Exception):  # it is known from the life without a recorder
        life.live()
    return tuple(map(str, recorders[0].events))


def _failure(office: Office, life: Life, error: Exception) -> Failure:
    invariant = error.invariant if isinstance(error, Broken) else ONLY_ERRORS
    happened = error.happened if isinstance(error, Broken) else type(error).__name__
    step = Phrase("{step}, command {number}: {happened}", step=life.step, number=life.commands, happened=happened)
    trace = trace_of(office, life.index)
    return Failure(life.index, invariant, say(step), write_image(life.card), "\n".join(trace))
