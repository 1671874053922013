"""The time of a visit at the window: what the citizen and the clerk do, and what card, terminal and HSM take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from sscard.campaign.timing import ModelledConnection, TimingModel
from sscard.campaign.units import DAY_MS, MS_NS
from sscard.chip.memory import Memory
from sscard.service.words import Operation
from sscard.transport import Connection

ENTRIES: Final[Mapping[Operation, int]] = {Operation.CHANGE: 3, Operation.RESET: 2, Operation.UNBLOCK: 0}
"""PINs that the citizen types: the old one, the new one, and the new one again (terminal-flows.md §9)."""
DIGITS: Final = 6
PAPERS, ENTRY, HSM = "papers", "entry", "hsm"


def part_of(seed: int, index: int, visit: int) -> float:
    """Which part of people is faster than those at this visit of a card, above 0 and below 1; even over the cards.

    It draws nothing, so a campaign has the same lives with a timing model and without.
    """
    drawn = blake2b(f"{seed} {index} {visit}".encode(), digest_size=6).digest()
    return (int.from_bytes(drawn, "big") + 0.5) / 2**48


class VisitMeter:
    """Times the visits of one card after another; ``connection`` is the terminal's side of the card in the reader."""

    def __init__(self, model: TimingModel) -> None:
        self.connection = ModelledConnection(model)
        self.nanoseconds: Counter[str] = Counter()
        """Of all visits so far by layer."""
        self._model = model
        self._hsm = 0

    def insert(self, card: Connection, memory: Memory) -> Connection:
        """The connection to a card whose time counts from now on."""
        self.connection.insert(card, memory)
        self.connection.taken()
        return self.connection

    def begin(self, hsm_operations: int) -> None:
        """A visit begins after so many operations of the HSM: what was before does not count."""
        self.connection.taken()
        self._hsm = hsm_operations

    def end(self, operation: Operation, hsm_operations: int, part: float) -> int:
        """The visit ends, after so many operations of the HSM; its milliseconds, a day at most.

        ``part``: see ``part_of``. The next visit begins, if there is one.
        """
        model = self._model
        spent = self.connection.taken()
        spent[HSM] = model.hsm(hsm_operations - self._hsm)
        spent[ENTRY] = ENTRIES[operation] * model.entry(DIGITS)
        spent[PAPERS] = model.person(operation, part)
        self._hsm = hsm_operations
        self.nanoseconds.update(spent)
        return min(sum(spent.values()) // MS_NS, DAY_MS)

    def modelled(self) -> dict[str, int]:
        """The milliseconds of all visits since the last call, by layer."""
        summed, self.nanoseconds = self.nanoseconds, Counter()
        return {layer: nanoseconds // MS_NS for layer, nanoseconds in summed.items()}
