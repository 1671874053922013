"""What goes wrong at a reader: the errors of a transport, and a connection that lets them happen on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sscard.chip.memory import Moment, PowerLost
from sscard.errors import CardRemoved, TransportError
from sscard.i18n.phrase import Phrase
from sscard.transport.connection import Connection

__all__ = [
    "Armed",
    "CardMute",
    "CardRemoved",
    "Corrupted",
    "Fault",
    "FaultyConnection",
    "Mute",
    "Removal",
    "Slow",
    "Swap",
    "TransportError",
    "Truncated",
]

INS: Final = 1
"""Where the instruction byte stands in a command."""


class CardMute(TransportError):
    """The card is in the reader but does not answer; a reset or power-on may bring it back."""


@dataclass(frozen=True, slots=True)
class Removal:
    """The card leaves the reader.

    ``BEFORE``: it never saw the command. ``DURING``: it lost its power over
    the command; ``interrupt`` says at which write point (for a card in
    process ``partial(memory.cut_power, point, moment)``), without it the card
    did its work and only the answer is lost. ``AFTER``: the answer arrives,
    the next command finds no card (a ``VirtualReaderSlot`` around it learns of
    it then; to let a program see an idle card leave, use the slot's ``remove``).
    """

    moment: Moment = Moment.BEFORE
    interrupt: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """The card falls silent, the command unheard, until it is reset or powered on again."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer comes ``seconds`` late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Truncated:
    """Only the first ``length`` bytes of the answer arrive (at least 1: nothing at all is ``Mute``)."""

    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"a truncated answer keeps at least 1 byte, got {self.length}; see Mute")


@dataclass(frozen=True, slots=True)
class Corrupted:
    """One byte of the answer arrives with the bits of ``mask`` flipped; ``position`` counts as an index does."""

    position: int = -1
    mask: int = 0xFF


@dataclass(frozen=True, slots=True)
class Swap:
    """Another card takes the reader: this command is lost, ``power_on`` finds the other card."""

    other: Connection


Fault = Removal | Mute | Slow | Truncated | Corrupted | Swap


@dataclass(slots=True)
class Armed:
    """A fault that waits for its command; ``happened`` once that came."""

    fault: Fault
    ins: int | None
    left: int
    happened: bool = False

    def counts(self, command: bytes) -> bool:
        return self.ins is None or command[INS : INS + 1] == bytes((self.ins,))


class FaultyConnection:
    """A connection whose reader fails on command.

    Wrap what the terminal speaks to, or what a ``VirtualReaderSlot`` serves:
    the terminal sees the same errors. ``wait`` lets the time of ``Slow`` pass.
    A card that loses its power at a write point (``PowerLost``) counts as
    removed too: ``insert`` puts it back. With ``keep_power_loss`` the error
    passes as it is, and the card stays in the reader.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        wait: Callable[[float], object] = time.sleep,
        keep_power_loss: bool = False,
    ) -> None:
        self.connection = connection
        self._wait = wait
        self._keep_power_loss = keep_power_loss
        self._armed: list[Armed] = []
        self._removed = False
        self._lost = False
        self._mute = False

    def arm(self, fault: Fault, *, nth: int = 1, ins: int | None = None) -> Armed:
        """Let the fault happen once, at the ``nth`` command from now (1 is the next), or the ``nth`` of this INS."""
        if nth < 1:
            raise ValueError(f"commands count from 1, got {nth}")
        armed = Armed(fault, ins, nth)
        self._armed.append(armed)
        return armed

    def disarm(self) -> None:
        """Take back every fault that has not happened yet."""
        self._armed.clear()

    def remove(self) -> None:
        """Take the card out, between two commands."""
        self._removed = self._lost = True
        self._mute = False
        self.connection.power_off()

    def insert(self, other: Connection | None = None) -> None:
        """Put the card back, or another one in its place; it has no power before ``power_on``."""
        self.connection = other or self.connection
        self._removed = False

    def power_on(self) -> bytes:
        self._mute = False
        if self._removed:
            raise CardRemoved(Phrase("no card in the reader: insert() it first"))
        self._lost = False
        return self._under_power(self.connection.power_on)

    def power_off(self) -> None:
        self._mute = False
        self.connection.power_off()

    def reset(self) -> bytes:
        self._demand_card()
        self._mute = False
        return self._under_power(self.connection.reset)

    def transmit(self, command: bytes) -> bytes:
        """Pass the command on, unless a fault is due."""
        self._demand_card()
        if self._mute:
            raise CardMute(Phrase("the card is mute"))
        counting = [armed for armed in self._armed if armed.counts(command)]
        for armed in counting:
            armed.left -= 1
        due = next((armed for armed in counting if armed.left <= 0), None)
        if due is None:
            return self._ask(command)
        self._armed.remove(due)  # another one that is due waits for its next command
        due.happened = True
        match due.fault:
            case Removal() as removal:
                return self._leave(removal, command)
            case Mute():
                self._mute = True
                raise CardMute(Phrase("the card fell silent"))
            case Slow(seconds):
                answer = self._ask(command)
                self._wait(seconds)
                return answer
            case Truncated(length):
                return self._ask(command)[:length]
            case Corrupted(position, mask):
                damaged = bytearray(self._ask(command))
                if not -len(damaged) <= position < len(damaged):
                    raise TransportError(Phrase("the answer has no byte {position} to corrupt", position=position))
                damaged[position] ^= mask
                return bytes(damaged)
            case Swap(other):
                self.remove()
                self.insert(other)
                raise CardRemoved(Phrase("the card was taken out for another"))

    def _leave(self, fault: Removal, command: bytes) -> bytes:
        if fault.moment == Moment.BEFORE:
            self.remove()
            raise CardRemoved(Phrase("the card was taken out before the command"))
        if fault.moment == Moment.DURING and fault.interrupt is not None:
            fault.interrupt()
        answer = self._ask(command)
        self.remove()
        if fault.moment == Moment.DURING:
            raise CardRemoved(Phrase("the card was taken out during the command"))
        return answer

    def _ask(self, command: bytes) -> bytes:
        return self._under_power(lambda: self.connection.transmit(command))

    def _under_power(self, answer: Callable[[], bytes]) -> bytes:
        try:
            return answer()
        except PowerLost:
            if self._keep_power_loss:
                raise
            self.remove()
            raise CardRemoved(Phrase("the card lost its power")) from None

    def _demand_card(self) -> None:
        if self._lost:
            raise CardRemoved(Phrase("the card was taken out: insert() it, then power_on()"))
