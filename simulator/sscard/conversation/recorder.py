"""Record a conversation: a wrapper around any connection that keeps each exchange, explained and redacted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from sscard.chip.memory import PowerLost
from sscard.conversation.explain import Explainer
from sscard.conversation.redaction import pins_in, redact
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.standard.apdu import status_words
from sscard.transport.connection import Connection
from sscard.transport.faults import TransportError

SW_LENGTH = 2
NO_ANSWER, NO_STATUS = Phrase("no answer"), Phrase("no status word")
POWER_ON, POWER_OFF, RESET = Phrase("power on"), Phrase("power off"), Phrase("reset")


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer for a trace: hex digits, secrets masked.

    ``sw`` is empty without a status word; ``meaning`` then contains the reason.
    ``details`` explains the data. ``pins`` numbers the PINs in the masked bytes
    from 1, in the order in which the conversation first used them; 0 is an
    empty PIN. ``at`` is in seconds since the recorder was created.
    """

    name: Sayable
    command: str
    data: str
    sw: str
    meaning: Sayable
    details: tuple[Sayable, ...] = ()
    pins: tuple[int, ...] = ()
    at: float = field(default=0.0, compare=False)

    @property
    def answer(self) -> str:
        """Data and status word."""
        return f"{self.data} {self.sw}".strip()

    def lines(self) -> list[str]:
        """The explained exchange."""
        status = f"{self.sw} {say(self.meaning)}".lstrip()
        return [f"{say(self.name)}: {status}", *(f"  {say(line)}" for line in self.details)]

    def __str__(self) -> str:
        meaning = say(self.meaning)
        return f"> {self.command}  {say(self.name)}\n< {f'{self.answer}  {meaning}' if self.answer else meaning}"


@dataclass(frozen=True, slots=True)
class PowerEvent:
    """Power on (with the ATR), power off or reset."""

    name: Phrase
    atr: str = ""
    at: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"# {say(self.name)} {self.atr}".rstrip()


Event = Exchange | PowerEvent


@dataclass
class Recorder:
    """A connection that forwards everything and records it, redacted.

    ``clock`` returns seconds from any origin; an exchange is explained by the
    current selection.
    """

    connection: Connection
    clock: Callable[[], float] = time.monotonic
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._explainer = Explainer()
        self._pins: dict[bytes, int] = {b"": 0}

    def power_on(self) -> bytes:
        return self._powered(POWER_ON, self.connection.power_on())

    def power_off(self) -> None:
        self.connection.power_off()
        self.events.append(PowerEvent(POWER_OFF, at=self._now()))

    def reset(self) -> bytes:
        return self._powered(RESET, self.connection.reset())

    def transmit(self, command: bytes) -> bytes:
        """Forward a command; an error instead of the answer is recorded and raised again."""
        try:
            answer = self.connection.transmit(command)
        except PowerLost:
            self._keep(command, b"", Phrase("no answer: the power was cut"))
            raise
        except TransportError as error:
            self._keep(command, b"", Phrase("no answer: {error}", error=error.said))
            raise
        self._keep(command, answer)
        return answer

    def _powered(self, name: Phrase, atr: bytes) -> bytes:
        self._explainer = Explainer()
        self.events.append(PowerEvent(name, atr.hex().upper(), self._now()))
        return atr

    def _keep(self, command: bytes, answer: bytes, meaning: Sayable = "") -> None:
        explained = self._explainer.explain(command, answer)
        whole = len(answer) >= SW_LENGTH
        if not meaning:
            sw = int.from_bytes(answer[-SW_LENGTH:], "big")
            meaning = status_words(sw) if whole else NO_STATUS
        self.events.append(
            Exchange(
                name=explained.command,
                command=redact(command),
                data=(answer[:-SW_LENGTH] if whole else answer).hex().upper(),
                sw=answer[-SW_LENGTH:].hex().upper() if whole else "",
                meaning=meaning,
                details=explained.data,
                pins=tuple(self._pins.setdefault(pin, len(self._pins)) for pin in pins_in(command)),
                at=self._now(),
            )
        )

    def _now(self) -> float:
        return round(self.clock() - self._began, 6)
