"""What went over the wire: a recorder around any connection, and each exchange in words, redacted."""

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
    """One command and its answer as a trace shows them: hex digits, secrets masked.

    ``sw`` is empty where no status word came; ``meaning`` then says why.
    ``details`` tells what the data hold. ``pins`` says which PINs the masked
    bytes are: numbers from 1 in the order in which the conversation first used
    them, 0 for an empty PIN. ``at`` is in seconds since the recorder began.
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
        """The whole exchange in words."""
        status = f"{self.sw} {say(self.meaning)}".lstrip()
        return [f"{say(self.name)}: {status}", *(f"  {say(line)}" for line in self.details)]

    def __str__(self) -> str:
        meaning = say(self.meaning)
        return f"> {self.command}  {say(self.name)}\n< {f'{self.answer}  {meaning}' if self.answer else meaning}"


@dataclass(frozen=True, slots=True)
class PowerEvent:
    """Power on (with the ATR), off or reset."""

    name: Phrase
    atr: str = ""
    at: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"# {say(self.name)} {self.atr}".rstrip()


Event = Exchange | PowerEvent


@dataclass
class Recorder:
    """A connection that passes everything on and keeps what passed, redacted.

    ``clock`` gives seconds from any beginning; an exchange is put
    into words by what was selected before it.
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
        """Pass a command on; what keeps its answer away is kept too, and raised again."""
        try:
            answer = self.connection.transmit(command)
        except PowerLost:
            self._keep(command, b"", Phrase("no answer: the power went"))
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
