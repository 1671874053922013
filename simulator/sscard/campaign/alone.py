"""One card of a campaign, whose life is repeated alone."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from sscard.campaign.life import Life, Office
from sscard.campaign.rows import Failure, Row
from sscard.campaign.shard import Task, run_card
from sscard.conversation.recorder import Recorder
from sscard.issuer.hierarchy import builtin_keys
from sscard.transport import Connection


class Alone(NamedTuple):
    """The row of a card, the exchanges with its terminals as text with masked PINs, and what it broke."""

    row: Row
    trace: tuple[str, ...]
    failure: Failure | None


def card_alone(task: Task, index: int) -> Alone:
    """Repeat the life of a card, the same as in the campaign."""
    office = Office(task.population, task.seed, task.through, builtin_keys())
    failures: list[Failure] = []
    row = run_card(office, index, failures)
    recorders: list[Recorder] = []

    def record(connection: Connection) -> Recorder:
        recorders.append(Recorder(connection, clock=lambda: 0.0))
        return recorders[0]

    with suppress(Exception):  # what the card broke is known by now
        Life(office, index, record).live()
    return Alone(row, tuple(map(str, recorders[0].events)), failures[0] if failures else None)
