"""The result of a proof, also while it runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sscard.i18n.phrase import Sayable

FIRST: Final = 10


class Violation(NamedTuple):
    """A broken invariant: its name, what happened, and the command and point that reproduce it under the seed."""

    invariant: str
    happened: Sayable
    reproduce: Sayable


def quiet(_proof: Proof) -> None:
    """Show no progress."""


@dataclass(frozen=True)
class Proof:
    """What a proof has done so far: a proof that is interrupted has counted what it did.

    ``counts`` are numbers of things tried, by name (``commands``, ``cuts``),
    ``violations`` the first ones of each invariant; ``notify`` is called after
    each step.
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

    def violate(self, invariant: str, happened: Sayable, reproduce: Sayable) -> None:
        """Note a violation; of one invariant only the first ones."""
        if sum(known.invariant == invariant for known in self.violations) < FIRST:
            self.violations.append(Violation(invariant, happened, reproduce))
