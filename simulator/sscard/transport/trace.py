"""What went over the wire: a recorder around any connection, and each exchange in words, redacted."""

from __future__ import annotations

from dataclasses import dataclass, field

from sscard.apdu import split, status_text
from sscard.card import PowerLost
from sscard.card.commands import COMMANDS
from sscard.transport.connection import Connection

MASK = "**"
_BY_INS = {command.ins: command for command in COMMANDS}


@dataclass(frozen=True, slots=True)
class Exchange:
    """One command and its answer as a trace shows them: hex digits, secrets masked."""

    name: str
    command: str
    answer: str
    meaning: str

    def __str__(self) -> str:
        answer = f"{self.answer}  {self.meaning}" if self.answer else self.meaning
        return f"> {self.command}  {self.name}\n< {answer}"


@dataclass(frozen=True, slots=True)
class PowerEvent:
    """Power on (with the ATR), off or reset."""

    name: str
    atr: str = ""

    def __str__(self) -> str:
        return f"# {self.name} {self.atr}".rstrip()


def describe(command: bytes, answer: bytes) -> Exchange:
    """An exchange in words; the PIN and enciphered PIN of a command are masked, whatever its CLA."""
    data, sw = split(answer)
    shown = f"{data.hex().upper()} {sw:04X}".strip()
    return Exchange(_name(command), redact(command), shown, status_text(sw))


def unanswered(command: bytes) -> Exchange:
    """A command during which the card lost its power."""
    return Exchange(_name(command), redact(command), "", "no answer: the power went")


def _name(command: bytes) -> str:
    declared = _BY_INS.get(command[1]) if len(command) > 1 else None
    return f"{declared.name} {declared.chinese}" if declared else "unknown command"


def redact(command: bytes) -> str:
    """A command in hex, header and length apart, with what its declaration calls secret masked."""
    header, rest = command[:5].hex().upper(), command[5:]
    declared = _BY_INS.get(command[1]) if len(command) > 1 else None
    bytes_ = [f"{byte:02X}" for byte in rest]
    if declared is not None and declared.secret is not None:
        masked = range(len(rest))[declared.secret]
        bytes_ = [MASK if place in masked else shown for place, shown in enumerate(bytes_)]
    return f"{header} {''.join(bytes_)}".strip()


@dataclass
class Recorder:
    """A connection that passes everything on and keeps what passed, redacted."""

    connection: Connection
    events: list[Exchange | PowerEvent] = field(default_factory=list)

    def power_on(self) -> bytes:
        atr = self.connection.power_on()
        self.events.append(PowerEvent("power on", atr.hex().upper()))
        return atr

    def power_off(self) -> None:
        self.connection.power_off()
        self.events.append(PowerEvent("power off"))

    def reset(self) -> bytes:
        atr = self.connection.reset()
        self.events.append(PowerEvent("reset", atr.hex().upper()))
        return atr

    def transmit(self, command: bytes) -> bytes:
        try:
            answer = self.connection.transmit(command)
        except PowerLost:
            self.events.append(unanswered(command))
            raise
        self.events.append(describe(command, answer))
        return answer
