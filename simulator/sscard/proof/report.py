"""The result of a proof, also while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple


class Violation(NamedTuple):
    """A broken invariant: its name, what happened, and the seed, command and point that reproduce it."""

    invariant: str
    happened: str
    reproduce: str


def quiet(_proof: Proof) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Proof:
    """What a proof has done so far: a proof that is interrupted has counted what it did.

    ``counts`` are numbers of things tried, by name (``commands``, ``cuts``);
    ``notify`` is called after each step.
    """

    name: str
    seed: int
    counts: dict[str, int] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    notify: Callable[[Proof], None] = quiet

    def count(self, what: str, number: int = 1) -> None:
        """Add to a count, and show the progress."""
        self.counts[what] = self.counts.get(what, 0) + number
        self.notify(self)
