"""What a campaign keeps of a card: one row of 48 bytes, the same whatever worker made it."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from hashlib import sha256
from typing import Any, Final, NamedTuple

CARDS_PER_SHARD: Final = 500
"""Fixed, so that the digest of a campaign does not depend on the number of workers."""
NEVER: Final = 2**32 - 1
"""The time of something that did not happen."""
_ROW: Final = struct.Struct("<I8BHH6I8s")


class Through(StrEnum):
    """What the cards of a campaign go through: the whole service with its journal, or card and HSM alone."""

    SERVICE = "service"
    CARD = "card"


class Outcome(IntEnum):
    """How the life of a card in the campaign ended."""

    UNTOUCHED = 0
    """The citizen kept the PIN and no window was needed."""
    CHANGED = 1
    RESET = 2
    UNBLOCKED = 3
    LOCKED = 4
    """The PIN stayed blocked."""
    REFUSED = 5
    """The service refused the application."""
    UNFINISHED = 6
    """The case waits: HSM down, or the terminal gave up."""


class Row(NamedTuple):
    """A card of a campaign.

    Times are whole virtual seconds since the campaign began, ``NEVER`` if there is none. ``visit_ms`` and
    ``return_ms`` are how long the citizen stood at the window, in virtual milliseconds; 0 without a timing model.
    ``state`` is the beginning of the SHA-256 of the memory of the card at the end.
    """

    index: int  # type: ignore[assignment]  # it hides the method of tuples
    product: int
    """Number in the list ``products`` of the population file; so ``place`` and ``behaviour``."""
    place: int
    behaviour: int
    outcome: Outcome
    tries_limit: int
    tries_left: int
    wrong_tries: int
    """Wrong PINs in all, 255 at most."""
    lockouts: int
    commands: int
    hsm_operations: int
    arrival: int
    """When the citizen first uses the card."""
    locked_at: int
    """When the PIN became blocked first."""
    visit_at: int
    """When the citizen came to the window first, and ``return_at`` again."""
    visit_ms: int
    return_at: int
    return_ms: int
    state: bytes

    def packed(self) -> bytes:
        """The 48 bytes of the row, little-endian."""
        return _ROW.pack(*self)


def values_of(rows: bytes) -> Iterator[tuple[Any, ...]]:
    """The rows of a shard as plain values in the order of the fields of ``Row``, the outcome as its number."""
    return _ROW.iter_unpack(rows)


def row_of(values: Iterable[Any]) -> Row:
    """The row of such values."""
    row = Row._make(values)
    return row._replace(outcome=Outcome(row.outcome))


class Shard(NamedTuple):
    """A part of the cards, done by one worker."""

    first: int
    count: int  # type: ignore[assignment]  # it hides the method of tuples


def shards(cards: int) -> Iterator[Shard]:
    """The shards of a campaign of so many cards."""
    for first in range(0, cards, CARDS_PER_SHARD):
        yield Shard(first, min(CARDS_PER_SHARD, cards - first))


@dataclass(frozen=True, slots=True)
class Failure:
    """A card that broke an invariant: which, at which step, with its image (JSON) and its trace.

    The trace masks PINs. The image holds the PIN and keys of the card, so a file with it has mode 0600.
    """

    index: int
    invariant: str
    step: str
    image: str = field(repr=False)
    trace: str


@dataclass(frozen=True, slots=True)
class Done:
    """A shard that is done: its packed rows, and what was measured, which no digest contains."""

    shard: Shard
    rows: bytes
    layers: Mapping[str, float] = field(default_factory=dict)
    """Seconds of this process's work by layer."""
    modelled: Mapping[str, int] = field(default_factory=dict)
    """Virtual milliseconds of the timing model by layer, all cards together."""
    failures: tuple[Failure, ...] = ()

    @property
    def digest(self) -> bytes:
        """SHA-256 of the rows."""
        return sha256(self.rows).digest()


def digest(of_shards: Iterable[bytes]) -> str:
    """The digest of a campaign: SHA-256 in hex over those of its shards, in their order."""
    whole = sha256()
    for each in of_shards:
        whole.update(each)
    return whole.hexdigest()
