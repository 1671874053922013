"""Repeats the life of one card of a campaign, with its trace."""

from __future__ import annotations

from typing import NamedTuple

from sscard.campaign.life import Office
from sscard.campaign.rows import Failure, Row
from sscard.campaign.shard import Task, failure_of, lived, recorded
from sscard.issuer.hierarchy import builtin_keys


class Repeated(NamedTuple):
    """The row of a card, the exchanges with its terminals as text with masked PINs, and what it broke."""

    row: Row
    trace: tuple[str, ...]
    failure: Failure | None


def repeat_card(task: Task, index: int) -> Repeated:
    """Repeat the life of a card, the same as in the campaign."""
    office = Office(task.population, task.seed, task.through, builtin_keys())
    life, recorder = recorded(office, index)
    row, error = lived(life)
    trace = tuple(map(str, recorder.events))
    return Repeated(row, trace, failure_of(life, error, recorder) if error else None)
