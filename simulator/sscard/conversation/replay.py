"""Run recordings and scripts on a card, and compare the answers with the expected ones or with another card.

No I/O except through the connections, which the caller opens; the caller prints the results.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from sscard.chip.memory import PowerLost
from sscard.conversation import Event, Exchange, PowerEvent, Recorder
from sscard.conversation.explain import explain_command
from sscard.conversation.recording import event_facts
from sscard.conversation.scripts import (
    ANY,
    Power,
    Send,
    Statement,
    check_pins,
    fill,
    fits,
    meets,
    plain_bytes,
    powered,
)
from sscard.conversation.wildcards import Wildcards
from sscard.i18n.language import _, say
from sscard.i18n.phrase import EITHER, Phrase, Sayable
from sscard.standard.apdu import status_words
from sscard.standard.atr import HISTORICAL_LENGTH, SERIAL_LENGTH, historical_bytes
from sscard.transport import Connection, TransportError, exchange

BEFORE: Final = 3
"""Number of exchanges reported before a difference."""
UNSEEN: Final = Phrase("not visible through this reader")

Sides = tuple[tuple[Sayable, tuple[Sayable, ...]], ...]
"""Names and answers that differ; empty if the answers match."""


class Side:
    """A card on which statements are run; ``state`` describes the card's state, if it is accessible."""

    def __init__(self, name: str, connection: Connection, state: Callable[[], Sayable] | None = None) -> None:
        self.name = name
        self.connection = connection
        self.recorder = Recorder(connection)
        self._state = state

    def state(self) -> Sayable:
        """Tries left and state words of the card."""
        return UNSEEN if self._state is None else self._state()

    def power(self, statement: Power) -> PowerEvent:
        """Power on, power off or reset."""
        actions = {"on": self.recorder.power_on, "off": self.recorder.power_off, "reset": self.recorder.reset}
        actions[statement.action]()
        event = self.recorder.events[-1]
        assert isinstance(event, PowerEvent)
        return event

    def send(self, command: bytes) -> Exchange:
        """Send a command; a missing answer is an outcome too."""
        with suppress(PowerLost, TransportError):
            self.recorder.transmit(command)
        event = self.recorder.events[-1]
        assert isinstance(event, Exchange)
        return event

    def complete(self, command: bytes) -> Exchange:
        """Send a command and fetch the whole answer, with the lengths that the card states in ``61xx`` and ``6Cxx``."""
        seen, received = len(self.recorder.events), b""
        with suppress(PowerLost, TransportError):
            data, sw = exchange(self.recorder, command)
            received = data + sw.to_bytes(2, "big")
        first, last = self.recorder.events[seen], self.recorder.events[-1]
        assert isinstance(first, Exchange)
        assert isinstance(last, Exchange)
        return replace(first, received=received, source=last.source, failure=last.failure)


class AsRecorded:
    """Plays statements with the bytes that were recorded; ``pins`` in the order of their numbers."""

    any_atr = False
    """Whether an ATR is not compared."""

    def __init__(self, pins: Sequence[str], source: str) -> None:
        self._pins = pins
        self._source = source

    def prepare(self, statements: list[Statement]) -> list[Statement]:
        """The statements to play, before any command is sent; ``InputError`` if something is missing to play them."""
        check_pins(statements, self._pins, self._source)
        return statements

    def identify(self, connection: Connection) -> None:
        """Read what has to be known of the card, without power before and after."""

    def obstacle(self, statement: Send) -> Sayable:
        """Why a statement cannot be played; empty if it can."""
        return statement.obstacle

    def play(self, statement: Send, side: Side) -> tuple[Exchange, Send]:
        """Send the command; the exchange, and the statement with the answer to expect from this card."""
        return side.send(fill(statement, self._pins, self._source)), statement

    def powered(self) -> None:
        """The power went on or off, or the card was reset."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference between two sides.

    ``sides`` are name and explained answer of each side, ``states`` name and
    state of each card before it, ``before`` the preceding exchanges.
    """

    line: int
    title: Sayable
    sides: Sides
    states: tuple[tuple[str, Sayable], ...] = ()
    before: tuple[Event, ...] = ()

    def facts(self) -> dict[str, Any]:
        """The difference for programs."""
        return {
            "line": self.line,
            "command": say(self.title),
            "answers": [{"card": say(name), "lines": [say(line) for line in lines]} for name, lines in self.sides],
            "states": [{"card": name, "state": say(state)} for name, state in self.states],
            "before": [event_facts(event) for event in self.before],
        }

    def lines(self) -> list[str]:
        """The difference as text."""
        sides = [(say(name), [say(line) for line in answer]) for name, answer in self.sides]
        width = max(len(name) for name, __ in sides)
        lines = [_("line {line}: {title}", line=self.line, title=self.title)]
        for name, (first, *rest) in sides:
            lines += [f"  {name:{width}}  {first}", *(f"  {'':{width}}    {line}" for line in rest)]
        lines += ["  " + _("state before, {name}: {state}", name=name, state=state) for name, state in self.states]
        lines += ["  " + _("before it:")] if self.before else []
        return lines + [f"    {line}" for event in self.before for line in str(event).splitlines()]


@dataclass(frozen=True, slots=True)
class Played:
    """One executed statement; ``event`` is ``None`` if it could not be executed."""

    statement: Statement
    event: Event | None
    difference: Difference | None = None


def replay(
    statements: Iterable[Statement], side: Side, player: AsRecorded, *, sw_only: bool = False
) -> Iterator[Played]:
    """Run statements on a card and compare each answer with the expected one.

    Ends at a statement with an ``obstacle``, because later statements depend on it.
    """
    for statement in powered(statements):
        seen, state = len(side.recorder.events), side.state()
        if isinstance(statement, Power):
            power = side.power(statement)
            event: Event = power
            player.powered()
            atr = "" if player.any_atr else statement.atr
            sides = _atr_sides(Phrase("expected"), atr, side.name, power.atr) if atr else ()
        elif obstacle := player.obstacle(statement):
            note = statement.note or explain_command(plain_bytes(statement))
            yield Played(replace(statement, obstacle=obstacle, note=note), None)
            return
        else:
            answered, expected = player.play(statement, side)
            event = answered
            sides = _expected_sides(expected, side.name, answered, sw_only)
        states = ((side.name, state),)
        yield Played(statement, event, _difference(statement, event, sides, states, side, seen))


def compare(
    statements: Iterable[Statement],
    left: Side,
    right: Side,
    pins: Sequence[str],
    source: str,
    *,
    sw_only: bool = False,
) -> Iterator[Played]:
    """Run the same statements on two cards and compare the answers, except random bytes."""
    wildcards = Wildcards()
    for statement in powered(statements):
        seen = len(left.recorder.events)
        states = tuple((side.name, side.state()) for side in (left, right))
        if isinstance(statement, Power):
            power = left.power(statement)
            event: Event = power
            sides = _atr_sides(left.name, power.atr, right.name, right.power(statement).atr)
        else:
            command = fill(statement, pins, source)
            exchange = left.send(command)
            event = exchange
            answers = (left.name, exchange), (right.name, right.send(command))
            sides = _answer_sides(command, wildcards, *answers, sw_only)
        yield Played(statement, event, _difference(statement, event, sides, states, left, seen))


def _difference(
    statement: Statement, event: Event, sides: Sides, states: tuple[tuple[str, Sayable], ...], side: Side, seen: int
) -> Difference | None:
    if not sides:
        return None
    title: Sayable = event.name
    if isinstance(event, Exchange):
        title = Phrase("{name}\n  > {command}", name=title, command=event.command)
    return Difference(statement.line, title, sides, states, tuple(side.recorder.events[max(0, seen - BEFORE) : seen]))


def _expected_sides(statement: Send, name: str, event: Exchange, sw_only: bool) -> Sides:
    if event.sw and meets(statement, _bytes(event), sw_only=sw_only):
        return ()
    if not statement.expects and event.sw:
        return ()
    words = [
        sw if ANY in sw else Phrase("{answer}  {meaning}", answer=sw, meaning=status_words(int(sw, 16)))
        for sw in statement.sws
    ]
    expected = Phrase.joined(EITHER, words) if words else statement.data or Phrase("an answer")
    if words and statement.data:
        expected = Phrase("{data} {status}", data=statement.data, status=expected)
    return ((Phrase("expected"), (expected, *statement.details)), (name, _words(event)))


def _answer_sides(
    command: bytes, wildcards: Wildcards, left: tuple[str, Exchange], right: tuple[str, Exchange], sw_only: bool
) -> Sides:
    expected, got = left[1], right[1]
    if expected.sw == got.sw and (expected.sw or expected.meaning == got.meaning):
        pattern = wildcards.pattern(command, _bytes(expected)) if expected.sw else expected.data
        if sw_only or fits(pattern, bytes.fromhex(got.data)):
            return ()
    return tuple((name, _words(event)) for name, event in (left, right))


def _atr_sides(left: Sayable, expected: str, right: str, got: str) -> Sides:
    """The difference of two ATRs, ignoring the card's serial number."""
    if _kind(bytes.fromhex(expected)) == _kind(bytes.fromhex(got)):
        return ()
    return ((left, (expected,)), (right, (got,)))


def _kind(atr: bytes) -> bytes:
    """An ATR without the card's serial number and the check byte."""
    try:
        historical = historical_bytes(atr)
    except IndexError:
        return atr
    return atr.partition(historical)[0] + historical[:-SERIAL_LENGTH] if len(historical) == HISTORICAL_LENGTH else atr


def _words(event: Exchange) -> tuple[Sayable, ...]:
    if not event.answer:
        return (event.meaning, *event.details)
    return (Phrase("{answer}  {meaning}", answer=event.answer, meaning=event.meaning), *event.details)


def _bytes(event: Exchange) -> bytes:
    return bytes.fromhex(event.data + event.sw)
