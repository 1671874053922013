"""Recordings: the events of a recorder as a file of JSON lines, and their conversion to statements for replay.

The first line is the header: ``format``, ``version`` of the format and the ``atr``
if the first event is a power on. Then a line per event with
``at`` in seconds, ``event`` (power on, power off, reset, command) and, for a
command, the hex digits of ``command`` (secret bytes as ``**``), ``pins`` (which
PINs the masked bytes are, by number; 0 for an empty one), ``data`` and ``sw`` of
the answer, and the explanations ``name``, ``meaning`` and ``details``. ``sw`` is
empty if there was no status word. In a recording made of a log, X is a digit that
the log masks, ``data`` is null if the log does not state them, and times are 0.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from sscard.conversation.explain import Selection, explain_command, explain_data, find_declaration
from sscard.conversation.recorder import POWER_OFF, POWER_ON, RESET, Event, Exchange, Explanation, PowerEvent
from sscard.conversation.redaction import BLANK, DATA, LC, MASK, pins_in, secret_places
from sscard.conversation.scripts import ANY, Power, Send, Statement, pin_numbers, plain_bytes, powered, read_script
from sscard.conversation.wildcards import Wildcards
from sscard.document import Document, Model, Place
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.standard.apdu import status_words

FORMAT: Final = "sscard recording"
VERSION: Final = 1
COMMAND: Final = "command"
DIGITS: Final = 6
"""Decimal places of a time: microseconds."""
REMEDY: Final = Phrase("make recordings with: sscard record TARGET -o FILE")

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False)

Digits = Annotated[str, Field(pattern="^([0-9A-F]{2})*$")]
Pattern = Annotated[str, Field(pattern="^([0-9A-FX]{2})*$")]
Masked = Annotated[str, Field(pattern=r"^([0-9A-F]{2}|\*\*)*$")]


class Header(Model):
    """The first line."""

    format: Literal["sscard recording"]
    version: int
    atr: Digits = ""
    pins: Annotated[int, Field(ge=0)] = 0
    """How many PINs the masked bytes hold: in older recordings."""


class PowerLine(Model):
    """Power on, power off or a reset."""

    at: float
    event: Literal["power on", "power off", "reset"]
    atr: Digits = ""


class CommandLine(Model):
    """A command and its answer."""

    at: float
    event: Literal["command"]
    command: Masked
    pins: tuple[Annotated[int, Field(ge=0)], ...] = ()
    data: Pattern | None = ""
    sw: Annotated[str, Field(pattern="^([0-9A-FX]{4})?$")]
    name: str = ""
    meaning: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording: the first ATR, the events with their lines in the file."""

    atr: str
    events: tuple[tuple[int, Event], ...]


class RecordingWriter:
    """Writes a recording as it is made: called with each event, it writes its line, and the header before the first."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._begun = False

    def __call__(self, event: Event) -> None:
        if not self._begun:
            atr = event.atr if isinstance(event, PowerEvent) else ""
            self._line({"format": FORMAT, "version": VERSION, "atr": atr})
            self._begun = True
        self._line(event_facts(event))

    def _line(self, facts: dict[str, Any]) -> None:
        self._write(_ENCODER.encode(facts) + "\n")


def read_statements(text: str, source: str) -> list[Statement]:
    """The statements of a recording or a script; a recording begins with a JSON object."""
    if text.lstrip().startswith('{"'):
        return list(statements_of(read_recording(text, source)))
    statements = list(read_script(text.splitlines(), source))
    if not statements:
        raise InputError(Phrase("holds no command"), file=source, remedy=REMEDY)
    return statements


def read_recording(text: str, source: str) -> Recording:
    """A recording from its text; ``InputError`` with the line of an error."""
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(Phrase("is empty"), file=source, remedy=REMEDY)
    header = _document(*lines[0], source).as_model(Header)
    if header.version != VERSION:
        raise InputError(
            Phrase("format version {version}, this sscard reads {own}", version=header.version, own=VERSION),
            file=source,
            line=lines[0][0],
        )
    return Recording(header.atr, tuple((number, _event(number, line, source)) for number, line in lines[1:]))


def statements_of(recording: Recording) -> Iterator[Statement]:
    """The statements for replay, with expected answers; ``obstacle`` is set if a command cannot be replayed."""
    wildcards = Wildcards()
    for line, event in recording.events:
        if isinstance(event, PowerEvent):
            yield Power(_ACTIONS[event.name], line, event.atr)
        else:
            yield _statement(line, event, wildcards)


_ACTIONS: Final[dict[Phrase, Literal["on", "off", "reset"]]] = {POWER_ON: "on", POWER_OFF: "off", RESET: "reset"}


def event_facts(event: Event) -> dict[str, Any]:
    """An event for programs, as a line of a recording has it."""
    if isinstance(event, PowerEvent):
        line = {"at": round(event.at, DIGITS), "event": event.name.text}
        return line | ({"atr": event.atr} if event.atr else {})
    return {
        "at": round(event.at, DIGITS),
        "event": COMMAND,
        "command": event.command.replace(" ", ""),
        **({"pins": event.pins} if event.pins else {}),
        "data": event.logged[0] if event.logged else event.data,
        "sw": event.sw,
        "name": say(event.name),
        "meaning": say(event.meaning),
        "details": [say(line) for line in event.details],
    }


def events_of(statements: Iterable[Statement], source: str) -> Iterator[Event]:
    """The events that a script states as a log does: each command with its answer, without secrets.

    Errors: ``InputError`` for a command without one status word.
    """
    selection, numbers = Selection(), dict[object, int]({b"": 0, 0: 0})
    for each in powered(statements):
        if isinstance(each, Power):
            selection = Selection()
            yield PowerEvent(_EVENTS[each.action], each.atr)
            continue
        if len(each.sws) != 1:
            raise InputError(
                Phrase("a log states one status word of each answer, got {count}", count=len(each.sws)),
                file=source,
                line=each.line,
                remedy=Phrase("write what the card answered: 00 84 00 00 04 [XXXXXXXX] (9000)"),
            )
        yield _logged(each, selection, numbers, source)


_EVENTS: Final = {"on": POWER_ON, "off": POWER_OFF, "reset": RESET}


def _logged(send: Send, selection: Selection, numbers: dict[object, int], source: str) -> Exchange:
    """A command of a log and its answer; ``numbers`` are those of the PINs so far."""
    named = pin_numbers(send)
    declared = find_declaration(plain_bytes(send))
    takes_pins = declared is not None and declared.pins is not None
    if named:
        head = send.command[: 2 * DATA]
        if not takes_pins or len(head) < 2 * DATA or "{" in head:
            raise InputError(
                Phrase("a PIN is expected in VERIFY and CHANGE PIN only, after CLA INS P1 P2 Lc"),
                file=source,
                line=send.line,
                remedy=Phrase("write the bytes that were sent"),
            )
        digits = head + MASK * int(head[2 * LC :], 16)
    else:
        digits = send.command
    sent, masked = bytes.fromhex(digits.replace(MASK, "00")), _masked_places(digits)
    pins: tuple[object, ...] = tuple(named)
    if takes_pins and masked and not named:
        # Nobody knows whether masked PINs are equal: each has a number of its own.
        pins = tuple(object() for _ in range(2 if declared and declared.pins else 1))
    elif not masked:
        pins = pins_in(sent)
    hidden = {*masked, *secret_places(sent)}
    data, sw = send.data, send.sws[0]
    answer = bytes.fromhex(((data or "") + sw).replace(ANY, "0"))
    found = selection.follow(sent, answer)
    known = data is not None and ANY not in data + sw
    return Exchange(
        sent=bytes(BLANK[0] if place in hidden else byte for place, byte in enumerate(sent)),
        received=answer if known else b"",
        hidden=hidden,
        pins=tuple(numbers.setdefault(pin, max(numbers.values()) + 1) for pin in pins),
        explanation=Explanation(
            explain_command(sent),
            "" if ANY in sw else status_words(int(sw, 16)),
            tuple(explain_data(found, answer[:-2])) if known else (),
        ),
        logged=None if known else (data, sw),
    )


def _document(line: int, text: str, source: str) -> Document:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(
            Phrase("not valid JSON"),
            file=source,
            line=line,
            column=error.colno,
            remedy=REMEDY,
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; brackets
        raise InputError(
            Phrase("a number is too long, or brackets are nested too deeply"), file=source, line=line, remedy=REMEDY
        ) from None
    document = Document(content, {(): Place(line, 1)}, source)
    if not isinstance(content, dict):
        raise document.error((), Phrase("not a line of a recording"), REMEDY)
    return document


def _event(line: int, text: str, source: str) -> Event:
    document = _document(line, text, source)
    if document.content.get("event") != COMMAND:
        power = document.as_model(PowerLine)
        return PowerEvent(Phrase(power.event), power.atr, power.at)
    read = document.as_model(CommandLine)
    logged = (read.data, read.sw) if read.data is None or ANY in read.data + read.sw else None
    return Exchange(
        sent=bytes.fromhex(read.command.replace(MASK, BLANK.hex())),
        received=b"" if logged else bytes.fromhex(f"{read.data}{read.sw}"),
        hidden=_masked_places(read.command),
        pins=read.pins,
        explanation=Explanation(read.name, read.meaning, read.details),
        at=read.at,
        logged=logged,
    )


def _masked_places(command: str) -> tuple[int, ...]:
    return tuple(place for place in range(len(command) // 2) if command.startswith(MASK, 2 * place))


def _statement(line: int, event: Exchange, wildcards: Wildcards) -> Send:
    command = event.command.replace(" ", "")
    plain = bytes.fromhex(command.replace(MASK, "00"))
    template = _with_pins(command, plain, event.pins)
    data = None
    if event.sw:
        answer = (event.data + event.sw).replace(ANY, "0")
        data = _merged(wildcards.pattern(plain, bytes.fromhex(answer)), event.data)
    return Send(
        template,
        None if event.logged and event.logged[0] is None else data,
        (event.sw,) if event.sw else (),
        line,
        _obstacle(template, plain, event),
        event.name,
        event.details,
    )


def _merged(pattern: str, logged: str) -> str:
    """A pattern of random digits with the digits that a log masks."""
    return "".join(ANY if ANY in pair else pair[0] for pair in zip(pattern, logged, strict=True))


def _with_pins(command: str, plain: bytes, pins: tuple[int, ...]) -> str:
    """The command with its masked bytes replaced by PIN numbers, if they are PINs."""
    declared = find_declaration(plain)
    if not pins or declared is None or declared.pins is None:
        return command
    names = declared.pins.hex().upper().join(f"{{PIN{pin}}}" for pin in pins)
    return command[: 2 * DATA] + names


def _obstacle(template: str, plain: bytes, event: Exchange) -> Sayable:
    """Why a recorded command cannot be sent again."""
    declared = find_declaration(plain)
    if declared is not None and declared.bound_to_random:
        return Phrase("not replayable: its data are computed over a random number of the card")
    if MASK in template:
        return Phrase("not replayable: its masked data are not a PIN that can be entered again")
    return "" if event.sw else Phrase("not replayable: no answer was recorded")
