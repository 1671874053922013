"""Record a conversation: a wrapper around any connection that keeps each exchange, redacted, to explain it later."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import NamedTuple, NoReturn

from sscard.chip.memory import PowerLost
from sscard.conversation.explain import Selection, Source, explain_command, explain_data
from sscard.conversation.redaction import blank, masked, pins_in, secret_places
from sscard.errors import TransportError
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.standard.apdu import status_words
from sscard.transport.connection import Connection

SW_LENGTH = 2
MOST_PINS = 10_000
"""PINs that a recorder distinguishes: a program that tries many must not fill the memory."""
NO_STATUS = Phrase("no status word")
POWER_ON, POWER_OFF, RESET = Phrase("power on"), Phrase("power off"), Phrase("reset")


class Explanation(NamedTuple):
    """The explanation of an exchange, as a recording keeps it."""

    name: Sayable
    meaning: Sayable
    details: tuple[Sayable, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer, without secrets; explained only when shown.

    ``sent`` is the command, blank at the indexes ``hidden``: no secret byte is
    kept, so whatever is made of an exchange cannot show one. ``received`` is
    the answer with its status word, or what came of it; ``failure`` says why
    there was no answer. ``source`` says what the answer's data are. ``pins``
    numbers the PINs in the hidden bytes from 1, in the order in which the
    conversation first used them; 0 is an empty PIN. ``at`` is the time of the
    answer in seconds since the recorder was created, ``seconds`` how long the
    answer took. ``explanation`` is that of a recording, ``None`` if
    it is made from the bytes. ``logged`` are data and status word of an answer in
    hex digits with X for those that a log has masked, data ``None`` if the log
    has none of them; then ``received`` is empty.
    """

    sent: bytes
    received: bytes
    hidden: Collection[int] = ()
    source: Source = field(default=None, compare=False)
    pins: tuple[int, ...] = ()
    failure: Sayable = ""
    explanation: Explanation | None = field(default=None, compare=False)
    at: float = field(default=0.0, compare=False)
    logged: tuple[str | None, str] | None = None
    seconds: float = field(default=0.0, compare=False)

    def __reduce__(self) -> tuple[type[Exchange], tuple[object, ...]]:
        """Pickled with its explanation instead of the file that explains it, which belongs to a card's layout."""
        explanation = Explanation(self.name, self.meaning, self.details)
        kept = (self.sent, self.received, self.hidden, None, self.pins, self.failure, explanation, self.at)
        return Exchange, (*kept, self.logged, self.seconds)

    @property
    def command(self) -> str:
        """The command in hex digits, header and data separated, secret bytes as ``**``."""
        return masked(self.sent, self.hidden)

    @property
    def data(self) -> str:
        """The data of the answer in hex digits."""
        if self.logged:
            return self.logged[0] or ""
        whole = len(self.received) >= SW_LENGTH
        return (self.received[:-SW_LENGTH] if whole else self.received).hex().upper()

    @property
    def sw(self) -> str:
        """The status word in hex digits, empty without one."""
        if self.logged:
            return self.logged[1]
        return self.received[-SW_LENGTH:].hex().upper() if len(self.received) >= SW_LENGTH else ""

    @property
    def name(self) -> Sayable:
        """The command with its parameters."""
        return self.explanation.name if self.explanation else explain_command(self.sent)

    @property
    def meaning(self) -> Sayable:
        """The status word in words; without one, the reason."""
        if self.explanation:
            return self.explanation.meaning
        if self.failure or len(self.received) < SW_LENGTH:
            return self.failure or NO_STATUS
        return status_words(int.from_bytes(self.received[-SW_LENGTH:], "big"))

    @property
    def details(self) -> tuple[Sayable, ...]:
        """The data of the answer in words."""
        if self.explanation:
            return self.explanation.details
        return tuple(explain_data(self.source, self.received[:-SW_LENGTH]))

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

    ``clock`` returns seconds from any origin. ``heard`` gets each event as it
    happens, and the recorder then keeps none, so that a long conversation needs
    no more memory than a short one; by default they are kept in ``events``.
    """

    connection: Connection
    clock: Callable[[], float] = time.monotonic
    heard: Callable[[Event], object] | None = None
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._note = self.heard or self.events.append
        self._selection = Selection()
        self._pins: dict[bytes, int] = {}
        self._pins_seen = 0

    @property
    def now(self) -> float:
        """Seconds since the recorder was created, as ``at`` of an event."""
        return self.clock() - self._began

    def __reduce__(self) -> NoReturn:
        raise TypeError("a recorder knows the PINs it has seen: pickle its events")

    def power_on(self) -> bytes:
        return self._powered(POWER_ON, self.connection.power_on())

    def power_off(self) -> None:
        self.connection.power_off()
        self._note(PowerEvent(POWER_OFF, at=self.now))

    def reset(self) -> bytes:
        return self._powered(RESET, self.connection.reset())

    def transmit(self, command: bytes) -> bytes:
        """Forward a command; an error instead of the answer is recorded and raised again."""
        sent = self.now
        try:
            answer = self.connection.transmit(command)
        except PowerLost:
            self._keep(sent, command, b"", Phrase("no answer: the power was cut"))
            raise
        except TransportError as error:
            self._keep(sent, command, b"", Phrase("no answer: {error}", error=error.said))
            raise
        self._keep(sent, command, answer)
        return answer

    def _powered(self, name: Phrase, atr: bytes) -> bytes:
        self._selection = Selection()
        self._note(PowerEvent(name, atr.hex().upper(), self.now))
        return atr

    def _number_of(self, pin: bytes) -> int:
        """The number of a PIN, 0 of an empty one; the oldest of many is forgotten and gets a new number later."""
        if pin and pin not in self._pins:
            if len(self._pins) == MOST_PINS:
                del self._pins[next(iter(self._pins))]
            self._pins_seen += 1
            self._pins[pin] = self._pins_seen
        return self._pins.get(pin, 0)

    def _keep(self, sent: float, command: bytes, answer: bytes, failure: Sayable = "") -> None:
        source = self._selection.follow(command, answer)
        hidden = secret_places(command)
        pins: tuple[int, ...] = ()
        if hidden:
            pins = tuple(map(self._number_of, pins_in(command)))
            command = blank(command, hidden)
        at = self.now
        self._note(Exchange(command, answer, hidden, source, pins, failure, None, at, seconds=at - sent))
