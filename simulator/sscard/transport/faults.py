"""Faults at a reader: the errors of a transport, and a connection that injects them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from sscard.chip.memory import Moment, PowerLost
from sscard.errors import CardRemoved, TransportError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.transport.connection import Connection, reader_answers

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
"""Index of the instruction byte in a command."""


class CardMute(TransportError):
    """The card is in the reader but does not answer; a reset or power-on may bring it back."""


@dataclass(frozen=True, slots=True)
class Removal:
    """The card is removed from the reader.

    ``BEFORE``: the card does not receive the command. ``DURING``: it loses power
    during the command; ``interrupt`` sets the write point (for a card in process
    ``partial(memory.cut_power, point, moment)``), without it the card executes
    the command and only the answer is lost. ``AFTER``: the answer arrives, the
    next command finds no card (a ``VirtualReaderSlot`` around it notices the
    removal only then; to remove an idle card, use the slot's ``remove``);
    ``interrupt`` is called when the card is gone. An error that it raises ends
    the command in the place of the removal.
    """

    moment: Moment = Moment.BEFORE
    interrupt: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Mute:
    """The card ignores this command and all others until it is reset or powered on again."""


@dataclass(frozen=True, slots=True)
class Slow:
    """The answer is delayed by ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Truncated:
    """Only the first ``length`` bytes of the answer arrive (at least 1; for no answer use ``Mute``)."""

    length: int

    def __post_init__(self) -> None:
        if self.length < 1:
            raise ValueError(f"a truncated answer keeps at least 1 byte, got {self.length}; see Mute")


@dataclass(frozen=True, slots=True)
class Corrupted:
    """One byte of the answer arrives with the bits of ``mask`` flipped; a negative ``position`` counts from the end."""

    position: int = -1
    mask: int = 0xFF


@dataclass(frozen=True, slots=True)
class Swap:
    """The card is replaced by another one: this command is lost, ``power_on`` finds the other card."""

    other: Connection


Fault = Removal | Mute | Slow | Truncated | Corrupted | Swap


@dataclass(slots=True)
class Armed:
    """A fault that waits for its command; ``happened`` is set when the command arrives.

    ``obstacle`` says why the fault cannot damage the answer it met: the answer is too short and arrives unchanged.
    """

    fault: Fault
    ins: int | None
    left: int
    happened: bool = False
    obstacle: Sayable = ""

    def counts(self, command: bytes) -> bool:
        return self.ins is None or command[INS : INS + 1] == bytes((self.ins,))


class FaultyConnection:
    """A connection that injects faults.

    Wrap the connection of the terminal, or the one that a ``VirtualReaderSlot``
    serves: the terminal sees the same errors. ``wait`` sleeps for ``Slow``. A
    card that loses power at a write point (``PowerLost``) counts as removed
    too, until ``insert``. With ``keep_power_loss`` the error is raised
    unchanged, and the card stays in the reader. With ``contact=False`` the
    commands that a contactless reader answers do not count, and no fault meets
    them.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        wait: Callable[[float], object] = time.sleep,
        keep_power_loss: bool = False,
        contact: bool = True,
    ) -> None:
        self.connection = connection
        self._wait = wait
        self._keep_power_loss = keep_power_loss
        self._contact = contact
        self._armed: list[Armed] = []
        self._removed = False
        self._lost = False
        self._mute = False

    @property
    def removed(self) -> bool:
        """Whether the reader is empty, until ``insert``."""
        return self._removed

    def arm(self, fault: Fault, *, nth: int = 1, ins: int | None = None) -> Armed:
        """Inject the fault once, at the ``nth`` command from now (1 is the next), or the ``nth`` with this INS."""
        if nth < 1:
            raise ValueError(f"commands count from 1, got {nth}")
        armed = Armed(fault, ins, nth)
        self._armed.append(armed)
        return armed

    def disarm(self) -> None:
        """Cancel all faults that have not happened yet."""
        self._armed.clear()

    def remove(self) -> None:
        """Remove the card, between two commands."""
        self._removed = self._lost = True
        self._mute = False
        self.connection.power_off()

    def insert(self, other: Connection | None = None) -> None:
        """Insert the card again, or another one; it has no power before ``power_on``."""
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
        """Forward the command, unless a fault is due."""
        self._demand_card()
        if self._mute:
            raise CardMute(Phrase("the card is mute"))
        reaches = not reader_answers(command, contact=self._contact)
        counting = [armed for armed in self._armed if reaches and armed.counts(command)]
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
                answer = self._ask(command)
                if length >= len(answer):
                    due.obstacle = Phrase.plural(
                        "the answer has only {count} byte", "the answer has only {count} bytes", count=len(answer)
                    )
                return answer[:length]
            case Corrupted(position, mask):
                damaged = bytearray(self._ask(command))
                if not -len(damaged) <= position < len(damaged):
                    due.obstacle = Phrase("the answer has no byte {position} to corrupt", position=position)
                    return bytes(damaged)
                damaged[position] ^= mask
                return bytes(damaged)
            case Swap(other):
                self.remove()
                self.insert(other)
                raise CardRemoved(Phrase("the card was replaced by another"))

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
        if fault.interrupt is not None:
            fault.interrupt()
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
