"""The time that a real card takes: a connection whose answers come later.

The line: the contact ATR of these cards (``3B6D0000``) has no TA1, so ISO/IEC
7816-3 gives Fi = 372 and Di = 1, and a clock of 3.5712 MHz makes 9,600 bit/s.
Its TC1 is 00, so a character of T=0 takes 12 etu. Contactless: ISO/IEC 14443
type A at 106 kbit/s, 9 bits of 128 carrier periods (13.56 MHz) per byte.

The memory: 5 ms per write point, 2.5 ms to erase and 2.5 ms to write a cell
(Fudan Microelectronics, FM4442 technical manual V3.1; Siemens, SLE 4432/4442
data sheet). The chips of processor cards have no public data sheet; the time to
compute, and that of reader and USB, is not included.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from sscard.transport.connection import Connection

CLOCK: Final = 3_571_200
"""Hertz on the clock contact."""
CHARACTER: Final = 12 * 372 / CLOCK
"""Seconds per byte on the contacts, 1.25 ms."""
HEADER: Final = 5
"""Bytes of a command that are on the line in any case: CLA INS P1 P2 P3."""
STATUS: Final = 2
PROCEDURE: Final = 1
"""The byte that the card sends before data, its INS again."""

CONTACTLESS_BYTE: Final = 9 * 128 / 13_560_000
"""Seconds per byte over the air, 85 µs."""
FRAME: Final = 3
"""Bytes around those of a block: PCB and CRC."""

WRITE: Final = 0.005
"""Seconds per write point."""

Seconds = Callable[[bytes, bytes, int], float]
"""Seconds that an exchange takes: the command, empty for an ATR, the answer, and the write points passed."""


def contact_seconds(command: bytes, answer: bytes, writes: int) -> float:
    """Seconds of an exchange by T=0."""
    count = len(answer)
    if command:
        count += max(len(command), HEADER)
        count += PROCEDURE if len(command) > HEADER or len(answer) > STATUS else 0
    return count * CHARACTER + writes * WRITE


def contactless_seconds(command: bytes, answer: bytes, writes: int) -> float:
    """Seconds of an exchange by ISO/IEC 14443-4, a block each way."""
    return (len(command) + len(answer) + 2 * FRAME) * CONTACTLESS_BYTE + writes * WRITE


class TimedConnection:
    """A connection that answers as late as ``seconds`` says, counted from the arrival of the command.

    ``writes`` is the number of write points that the memory of the card has
    passed. ``wait`` sleeps; a reset and a power-on wait for the ATR.
    """

    def __init__(
        self,
        connection: Connection,
        seconds: Seconds,
        writes: Callable[[], int],
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._connection = connection
        self._seconds = seconds
        self._writes = writes
        self._wait = wait

    def power_on(self) -> bytes:
        return self._delayed(b"", self._connection.power_on)

    def power_off(self) -> None:
        self._connection.power_off()

    def reset(self) -> bytes:
        return self._delayed(b"", self._connection.reset)

    def transmit(self, command: bytes) -> bytes:
        return self._delayed(command, lambda: self._connection.transmit(command))

    def _delayed(self, command: bytes, answer: Callable[[], bytes]) -> bytes:
        begun, before = time.monotonic(), self._writes()
        answered = answer()
        left = begun + self._seconds(command, answered, self._writes() - before) - time.monotonic()
        if left > 0:
            self._wait(left)
        return answered
