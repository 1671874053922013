"""Does a part of a campaign: what a worker gets, and what it makes of it."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from sscard.campaign.checked_card import Broken
from sscard.campaign.life import Life, Office
from sscard.campaign.population import Population
from sscard.campaign.rows import Done, Failure, Outcome, Row, Shard, Through
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
    through: Through = Through.SERVICE


class _Last(threading.local):
    """The office of the last task: each thread has its own, since one life at a time uses it."""

    task: Task | None = None
    office: Office


_last: Final = _Last()


def run_shard(task: Task, shard: Shard) -> Done:
    """Live the lives of the cards of a shard. A card that breaks an invariant is a ``Failure``."""
    office = _office(task)
    office.measure_from_here()
    began = perf_counter()
    rows: list[bytes] = []
    broken: list[tuple[Life, Exception]] = []
    for index in range(shard.first, shard.first + shard.count):
        life = Life(office, index)
        row, error = lived(life)
        rows.append(row.packed())
        if error:
            broken.append((life, error))
    layers = {**office.layers, "hsm": office.hsm.seconds}
    layers["service" if office.desk else "terminal"] = perf_counter() - began - sum(layers.values())
    modelled = office.meter.modelled() if office.meter else {}
    # What is measured has ended: each of these cards lives again, with a recorder.
    failures: list[Failure] = []
    for life, error in broken:
        again, recorder = recorded(office, life.index)
        lived(again)
        failures.append(failure_of(life, error, recorder))
    return Done(shard, b"".join(rows), layers, modelled, tuple(failures))


def _office(task: Task) -> Office:
    if _last.task != task:
        _last.office = Office(task.population, task.seed, task.through, builtin_keys())
        _last.task = task
    return _last.office


def lived(life: Life) -> tuple[Row, Exception | None]:
    """Live a life: its row, and ``Broken`` or another error that ended it."""
    try:
        return life.live(), None
    except Exception as error:
        return life.row(Outcome.UNFINISHED), error


def recorded(office: Office, index: int) -> tuple[Life, Recorder]:
    """A life, and what records the exchanges with its terminals, with masked PINs."""
    recorders: list[Recorder] = []

    def record(connection: Connection) -> Recorder:
        recorders.append(Recorder(connection, clock=lambda: 0.0))
        return recorders[0]

    return Life(office, index, record), recorders[0]


def failure_of(life: Life, error: Exception, recorder: Recorder) -> Failure:
    """What a card broke, with its image and what a recorder kept of the same life."""
    invariant = error.invariant if isinstance(error, Broken) else ONLY_ERRORS
    happened = error.happened if isinstance(error, Broken) else type(error).__name__
    step = Phrase("{step}, command {number}: {happened}", step=life.step, number=life.commands, happened=happened)
    trace = "\n".join(map(str, recorder.events))
    return Failure(life.index, invariant, say(step), write_image(life.card), trace)
