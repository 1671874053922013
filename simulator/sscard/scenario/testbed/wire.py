"""The connection to a card under test, and the bytes of the scenario that runs: with secrets, so they are not shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from sscard.chip.engine import SW_LENGTH
from sscard.i18n.phrase import Phrase
from sscard.transport import CardMute
from sscard.transport.connection import Connection, Removable, ShortAnswer

Action = Literal["on", "off", "reset", "send"]


@dataclass(frozen=True, slots=True)
class Event:
    """Power on, power off, a reset, or a command APDU with its answer: data ‖ SW, ``None`` without one."""

    action: Action
    sent: bytes = field(default=b"", repr=False)
    answer: bytes | None = field(default=None, repr=False)


class Played:
    """The answers of a card to commands that it got before."""

    def __init__(self, events: Iterable[Event]) -> None:
        self._answers = iter([event.answer for event in events if event.action == "send"])

    def power_on(self) -> bytes:
        return b""

    def power_off(self) -> None:
        pass

    def reset(self) -> bytes:
        return b""

    def transmit(self, _command: bytes) -> bytes:
        answer = next(self._answers)
        if answer is None:
            raise CardMute(Phrase("the card does not answer"))
        return answer


class Wire:
    """A connection that keeps what the card got since ``clear``.

    ``events`` are in the order of time, ``step`` is the number of those before the step that was looked at last.
    ``pins`` are the PINs (cn) that the card had after its steps.
    """

    def __init__(self, card: Connection) -> None:
        self._card = card
        self.clear()

    def clear(self) -> None:
        """Forget everything: another scenario begins."""
        self.events: list[Event] = []
        self.pins: set[bytes] = set()
        self.step = self._looked = 0

    @property
    def unanswered(self) -> bool:
        """Whether the last event is a command without an answer: its failure is reported, not that of a next one."""
        return bool(self.events) and self.events[-1].action == "send" and self.events[-1].answer is None

    def looked(self, pin: bytes) -> None:
        """A step has ended, and the card has this PIN."""
        self.step, self._looked = self._looked, len(self.events)
        self.pins.add(pin)

    def power_on(self) -> bytes:
        self.events.append(Event("on"))
        return self._card.power_on()

    def power_off(self) -> None:
        self.events.append(Event("off"))
        self._card.power_off()

    def reset(self) -> bytes:
        self.events.append(Event("reset"))
        return self._card.reset()

    def unplug(self) -> None:
        """Take the power from the card, which has answered its last command."""
        self.events.append(Event("off"))
        if isinstance(self._card, Removable):
            self._card.unplug()
        else:
            self._card.power_off()

    def cut(self, command: bytes, attempt: int) -> bool:
        """Send a command and take the power before its answer is used; as ``Removable``."""
        self.events += [Event("send", command), Event("off")]
        if isinstance(self._card, Removable):
            return self._card.cut(command, attempt)
        self._card.transmit(command)
        self._card.power_off()
        return False

    def transmit(self, command: bytes) -> bytes:
        """See ``Connection``; ``ShortAnswer`` for an answer without a status word, which PC/SC delivers as it is."""
        place = len(self.events)
        self.events.append(Event("send", command))
        answer = self._card.transmit(command)
        if len(answer) < SW_LENGTH:
            raise ShortAnswer(len(answer))
        self.events[place] = Event("send", command, answer)
        return answer
