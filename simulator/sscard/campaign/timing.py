"""The time that real hardware and people take, in virtual time: line, memory and ciphers of the card, terminal, HSM.

The parameters and their sources are in ``timing.yaml``; docs/timing-model.md explains each. Times inside are whole
nanoseconds, so that a sum does not depend on its order.

A write of the memory is a write point of ``chip.memory``. ``Memory.writes`` counts them in any case, so a card
without a timing model pays nothing, and a compiled chip is read like any other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from typing import Final

from sscard.campaign.line_time import HEADER, ContactlessLine, ContactLine
from sscard.campaign.units import DAY_NS
from sscard.chip.memory import Memory
from sscard.service.words import Operation
from sscard.transport import Connection

NORMAL_95: Final = NormalDist().inv_cdf(0.95)
LONGEST: Final = DAY_NS
"""No person takes longer, whatever the 95th percentile."""
LAYERS: Final = ("line", "memory", "cipher", "terminal")
"""Where the time of an APDU goes."""

MAC_LENGTH: Final = 4
SECURE: Final = 0x84, 0x04
"""CLA of commands with a MAC."""
CIPHER_BLOCKS: Final[Mapping[int, int]] = {0x82: 2, 0x88: 2, 0x28: 3, 0x2A: 7, 0x2C: 11}
"""Blocks that a command without secure messaging enciphers, by INS (card-security.md §4, card-commands.md §3.3)."""


@dataclass(frozen=True, slots=True)
class PersonTime:
    """How long a person takes, in nanoseconds: log-normal with this median and 95th percentile; equal if fixed."""

    median: int
    p95: int

    def at(self, part: float) -> int:
        """The time that a part of people (above 0, below 1) does not exceed."""
        if self.p95 == self.median:
            return self.median
        deviations = NormalDist().inv_cdf(part) / NORMAL_95
        return round(min(self.median * math.pow(self.p95 / self.median, deviations), LONGEST))


def cipher_blocks(command: bytes) -> int:
    """Blocks that the card enciphers or deciphers for a command: session key, PIN and MAC (card-security.md §4–6)."""
    if command[0] not in SECURE:
        return CIPHER_BLOCKS.get(command[1], 0)
    protected = len(command) - HEADER - MAC_LENGTH
    block = 8 if protected == 8 else 16
    return 1 + protected // block + (HEADER + protected) // block + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TimingModel:
    """The times of one interface; pickles. All times are in nanoseconds."""

    line: ContactLine | ContactlessLine
    write: int
    page: int
    cipher: int
    terminal: int
    hsm_operation: int
    key: int
    thought: int
    papers: Mapping[Operation, PersonTime] = field(default_factory=dict)

    def at(self, atr: bytes) -> TimingModel:
        """The model for a card with this ATR."""
        return replace(self, line=self.line.at(atr))

    def parts(self, sent: int, received: int, writes: int, blocks: int) -> tuple[int, int, int, int]:
        """The nanoseconds of an APDU on the line, in the memory, in the cipher and in the terminal.

        Of the APDU: its bytes each way, the write points of the chip, and the cipher blocks that it computes.
        """
        return (
            self.line.exchange(sent, received),
            self.pages(sent, writes) * self.write,
            blocks * self.cipher,
            self.terminal,
        )

    def pages(self, sent: int, writes: int) -> int:
        """Pages that are erased and written: one per write point; data longer than a page are in log and cell."""
        return writes + 2 * ((max(sent - HEADER, 1) - 1) // self.page) if writes else 0

    def hsm(self, operations: int) -> int:
        """So many operations of the HSM."""
        return operations * self.hsm_operation

    def entry(self, digits: int) -> int:
        """A person types a PIN at the pad and confirms it."""
        return self.thought + (digits + 1) * self.key

    def person(self, operation: Operation, part: float) -> int:
        """The clerk takes the papers and checks the identity; ``part`` as in ``PersonTime.at``.

        ``KeyError`` if the model does not state it: ``TimingFile.for_windows`` checks that.
        """
        return self.papers[operation].at(part)


class ModelledConnection:
    """A connection that sums the virtual time of its card by layer, and waits for nothing.

    One serves many cards: ``insert`` the next. Without the memory of the card, as behind PC/SC, its writes are not
    known, and the layer ``memory`` stays 0.
    """

    def __init__(self, model: TimingModel) -> None:
        self._model = model
        self._begin = b""
        self._known: dict[tuple[int, int, bytes, int, int, int], tuple[int, int, int, int]] = {}
        """By CLA, INS, Lc (Le without data), bytes sent and received, and writes."""
        self._spent = [0, 0, 0, 0]

    def insert(self, card: Connection, memory: Memory | None = None) -> None:
        """Sum for this card from now on, in addition to what was summed before."""
        self._card = card
        self._memory = memory

    def taken(self) -> dict[str, int]:
        """The nanoseconds by layer since the last call."""
        spent, self._spent = self._spent, [0, 0, 0, 0]
        return dict(zip(LAYERS, spent, strict=True))

    def power_on(self) -> bytes:
        return self._after(self._card.power_on())

    def power_off(self) -> None:
        self._card.power_off()

    def reset(self) -> bytes:
        return self._after(self._card.reset())

    def transmit(self, command: bytes) -> bytes:
        memory = self._memory
        before = 0 if memory is None else memory.writes
        answer = b""
        try:
            answer = self._card.transmit(command)
        finally:
            # A torn card has not answered; what it wrote and what was sent took their time.
            writes = 0 if memory is None else memory.writes - before
            key = command[0], command[1], command[4:5], len(command), len(answer), writes
            parts = self._known.get(key)
            if parts is None:
                parts = self._known[key] = self._model.parts(
                    self._model.line.length(command), len(answer), writes, cipher_blocks(command)
                )
            spent = self._spent
            for layer, nanoseconds in enumerate(parts):
                spent[layer] += nanoseconds
        return answer

    def _after(self, atr: bytes) -> bytes:
        # Cards of one product differ by their historical bytes only, which the line does not depend on.
        begin = atr[: len(atr) - (sum(atr[1:2]) & 0x0F)]
        if begin != self._begin:
            self._begin = begin
            self._known.clear()
            self._model = self._model.at(atr)
        self._spent[0] += self._model.line.power_on()
        return atr
