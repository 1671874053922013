"""APDU scripts: parsing and writing of commands with expected answers; no I/O.

The parser accepts the two common formats, also mixed:

- the form of ETSI TS 101 955 Annex B: ``RST``, ``OFF``, ``REM``, and ``CMD`` with
  bytes, then ``[expected data]`` and ``(expected status words, …)``;
- pcsc-tools' ``scriptor`` files: bytes, ``reset``, ``exit``.

In both, ``\\`` at the end of a line continues it, ``#`` begins a comment, X matches
any digit of an expected answer, and ``{pin1}``, ``{pin2}`` … (``{pin}`` is the first)
are replaced by the PINs given when the script is run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.standard.encoding import encode_pin

COMMENT: Final = "#"
CONTINUED: Final = "\\"
ANY: Final = "X"
BYTES_PER_LINE: Final = 16
LC: Final = 4
HEX_REMEDY: Final = Phrase("a command is written like 00A4040000, spaces allowed")

_PARTS: Final = r"([^\[\]()]*)(?:\[([^\[\]()]*)\])?\s*(?:\(([^\[\]()]*)\))?"
_HEX: Final = r"(?:[0-9A-F]{2})+"
_DATA: Final = r"(?:[0-9A-FX]{2})+"
_STATUS: Final = r"[0-9A-FX]{4}"
_PIN: Final = r"\{PIN([0-9]*)\}"
_DATA_UNITS: Final = r"[0-9A-FX]{2}"
_UNITS: Final = r"\{PIN[0-9]+\}|[0-9A-F*]{2}"


@dataclass(frozen=True, slots=True)
class Power:
    """Power on, power off, or reset; ``atr`` is the recorded ATR."""

    action: Literal["on", "off", "reset"]
    line: int = 0
    atr: str = ""


@dataclass(frozen=True, slots=True)
class Send:
    """A command to send and the answer to expect.

    ``command`` is in hex digits with PINs as ``{PIN1}`` and unknown secret bytes
    as ``**``. ``data`` is the expected data, X for any digit, ``None`` if not
    checked; ``sws`` are the accepted status words, empty for any. ``obstacle``
    is the reason why it cannot be sent, ``note`` and ``details`` describe the
    recorded command and answer.
    """

    command: str = field(repr=False)
    data: str | None = None
    sws: tuple[str, ...] = ()
    line: int = 0
    obstacle: Sayable = ""
    note: Sayable = ""
    details: tuple[Sayable, ...] = ()

    @property
    def expects(self) -> bool:
        """Whether the answer is checked."""
        return self.data is not None or bool(self.sws)


Statement = Power | Send


def read_script(lines: Iterable[str], source: str) -> Iterator[Statement]:
    """The statements of a script, each as soon as its last line is read; ``source`` names the script in errors."""
    for line, text in _joined(lines):
        word, __, rest = text.partition(" ")
        match word.upper():
            case "EXIT":
                return
            case "REM":
                continue
            case "RST" | "RESET" | "OFF":
                if rest.strip():
                    raise InputError(
                        Phrase("{word} stands alone on its line", word=word),
                        file=source,
                        line=line,
                        remedy=Phrase("write {word}", word=word),
                    )
                yield Power("off" if word.upper() == "OFF" else "reset", line)
            case "CMD":
                yield _send(rest, source, line)
            case _:
                _refuse_other_statements(word, source, line)
                yield _send(text, source, line)


def check_pins(statements: Iterable[Statement], pins: Sequence[str], source: str) -> None:
    """Raise ``InputError`` for a missing or unsuitable PIN before sending any command."""
    for statement in statements:
        if isinstance(statement, Send):
            if statement.obstacle:
                return
            fill(statement, pins, source)


def powered(statements: Iterable[Statement], on: bool = False) -> Iterator[Statement]:
    """The same statements, with power on before the first command and instead of a reset of a card without power."""
    for statement in statements:
        if isinstance(statement, Send):
            if not on:
                yield Power("on", statement.line)
            on = True
            yield statement
        else:
            rises = statement.action == "reset" and not on
            yield replace(statement, action="on") if rises else statement
            on = statement.action != "off"


def fill(statement: Send, pins: Sequence[str], source: str) -> bytes:
    """The bytes to send, with these PINs (4–16 digits each, in the order of their numbers) inserted."""
    filled = re.sub(_PIN, lambda found: _pin(int(found[1]), pins, source, statement.line), statement.command)
    command = bytes.fromhex(filled)
    if filled != statement.command and command[LC] != len(command) - LC - 1:
        raise InputError(
            Phrase.plural(
                "Lc counts {count} byte of data, with the PIN given there are {given}",
                "Lc counts {count} bytes of data, with the PIN given there are {given}",
                count=command[LC],
                given=len(command) - LC - 1,
            ),
            file=source,
            line=statement.line,
            remedy=Phrase("give a PIN with as many digits as the one that stood here"),
        )
    return command


def fits(pattern: str, data: bytes) -> bool:
    """Whether data match a pattern of hex digits, X for any digit."""
    digits = data.hex().upper()
    return len(pattern) == len(digits) and all(
        wanted in (ANY, got) for wanted, got in zip(pattern, digits, strict=True)
    )


def meets(statement: Send, answer: bytes, *, sw_only: bool = False) -> bool:
    """Whether an answer (data ‖ SW) matches the expectation of the statement."""
    if statement.sws and not any(fits(sw, answer[-2:]) for sw in statement.sws):
        return False
    return sw_only or statement.data is None or fits(statement.data, answer[:-2])


def write_etsi(statements: Iterable[Statement]) -> str:
    """A script in the format of ETSI TS 101 955 Annex B, with commands that cannot be sent as remarks."""
    return _write(statements, "REM", _etsi_power, _etsi_send)


def write_scriptor(statements: Iterable[Statement]) -> str:
    """A scriptor file, with expected answers as comments."""
    return _write(statements, COMMENT, _scriptor_power, _scriptor_send)


def _joined(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Lines without comments and with continuation lines joined, each with its first line number."""
    kept, begun = "", 0
    for number, line in enumerate(lines, 1):
        text = line.partition(COMMENT)[0].strip()
        begun = begun or number
        if text.endswith(CONTINUED):
            kept += text.removesuffix(CONTINUED) + " "
            continue
        if kept + text:
            yield begun, (kept + text).replace("\t", " ").strip()
        kept, begun = "", 0
    if kept.strip():
        yield begun, kept.strip()


def _refuse_other_statements(word: str, source: str, line: int) -> None:
    if not word.isalpha() or re.fullmatch(_HEX, word.upper()):
        return
    raise InputError(
        Phrase("unknown statement {word!r}", word=word),
        file=source,
        line=line,
        remedy=Phrase("write CMD, RST, OFF or REM, or a command in hex digits, reset or exit"),
    )


def _send(text: str, source: str, line: int) -> Send:
    parts = re.fullmatch(_PARTS, text.strip().upper())
    if parts is None:
        raise InputError(
            Phrase("not a command with what it expects"),
            file=source,
            line=line,
            remedy=Phrase("write bytes, [expected data], (expected status words): 00 84 00 00 04 [XXXXXXXX] (9000)"),
        )
    command, data, sws = parts.groups()
    expected = None if not data or not data.strip() else _digits(data, _DATA)
    words = tuple("".join(word.split()) for word in sws.split(",")) if sws and sws.strip() else ()
    if expected == "":
        raise InputError(
            Phrase("expected data are not hex digits in pairs"),
            file=source,
            line=line,
            remedy=Phrase("write X for any digit"),
        )
    if not all(re.fullmatch(_STATUS, word) for word in words):
        remedy = Phrase("write four hex digits, X for any: (9000), (90 00, 61 XX)")
        raise InputError(Phrase("not a status word"), file=source, line=line, remedy=remedy)
    return Send(_template(command, source, line), expected, words, line)


def _template(command: str, source: str, line: int) -> str:
    """The bytes of a command, with PINs by number; errors never repeat the input."""
    named = re.sub(_PIN, lambda found: f" {{PIN{int(found[1] or 1)}}} ", command)
    if re.sub(_PIN, "", named).count("{"):
        raise InputError(
            Phrase("unknown name in braces"), file=source, line=line, remedy=Phrase("write {pin}, or {pin1}, {pin2}, …")
        )
    words = named.split()
    if not words or not all(re.fullmatch(_PIN, word) or re.fullmatch(_HEX, word) for word in words):
        raise InputError(Phrase("not hex digits in pairs"), file=source, line=line, remedy=HEX_REMEDY)
    return "".join(words)


def _digits(text: str, shape: str) -> str:
    """The hex digits of words if all match the pattern, otherwise empty."""
    words = text.split()
    return "".join(words) if all(re.fullmatch(shape, word) for word in words) else ""


def _pin(number: int, pins: Sequence[str], source: str, line: int) -> str:
    if number == 0:
        return ""
    if number > len(pins):
        raise InputError(
            Phrase("PIN {number} is needed here, PINs given: {count}", number=number, count=len(pins)),
            file=source,
            line=line,
            remedy=Phrase.plural(
                "give --pin {count} time: the PINs in the order in which they first appear",
                "give --pin {count} times: the PINs in the order in which they first appear",
                count=number,
            ),
        )
    return encode_pin(pins[number - 1]).hex().upper()


def _write(
    statements: Iterable[Statement],
    remark: str,
    power: Callable[[Power], list[str]],
    send: Callable[[Send], list[str]],
) -> str:
    lines: list[str] = []
    for statement in statements:
        if isinstance(statement, Power):
            lines += power(statement)
            continue
        lines += [f"{remark} {line}" for line in (say(statement.note), say(statement.obstacle)) if line]
        written = send(statement)
        lines += (
            [f"{remark} {line.removesuffix(CONTINUED).rstrip()}" for line in written] if statement.obstacle else written
        )
    return "".join(f"{line}\n" for line in lines)


def _etsi_power(power: Power) -> list[str]:
    return ["OFF" if power.action == "off" else "RST"]


def _etsi_send(send: Send) -> list[str]:
    """Header and length on one line; then data and expected data, 16 bytes per line."""
    units = _units(send.command)
    lines = [f"CMD {' '.join(units[: LC + 1])}", *_rows(units[LC + 1 :])]
    if send.data:
        rows = _rows(_units(send.data, _DATA_UNITS))
        lines += [f"{'' if row else '['}{text}" for row, text in enumerate(rows)]
        lines[-1] += "]"
    if send.sws:
        lines.append(f"({', '.join(f'{sw[:2]} {sw[2:]}' for sw in send.sws)})")
    indented = [lines[0], *(f"    {line}" for line in lines[1:])]
    return [*(f"{line} {CONTINUED}" for line in indented[:-1]), indented[-1]]


def _scriptor_power(power: Power) -> list[str]:
    """scriptor has no power off; the reset of the next power on replaces it."""
    return [] if power.action == "off" else ["reset"]


def _scriptor_send(send: Send) -> list[str]:
    expected = " ".join((*([send.data] if send.data else []), " or ".join(send.sws)))
    comment = [f"{COMMENT} expected: {expected}"] if expected and not send.obstacle else []
    return [" ".join(_units(send.command)), *comment]


def _units(text: str, shape: str = _UNITS) -> list[str]:
    return [unit.lower() if unit.startswith("{") else unit for unit in re.findall(shape, text)]


def _rows(units: list[str]) -> list[str]:
    return [" ".join(units[at : at + BYTES_PER_LINE]) for at in range(0, len(units), BYTES_PER_LINE)]
