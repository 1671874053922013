"""APDU scripts: parsing and writing of commands with expected answers; no I/O.

The parser accepts the two common formats, also mixed:

- the form of ETSI TS 101 955 Annex B: ``RST``, ``OFF``, ``REM``, and ``CMD`` with
  bytes, then ``[expected data]`` and ``(expected status words, …)``;
- pcsc-tools' ``scriptor`` files: bytes, ``reset``, ``exit``.

In both, ``\\`` at the end of a line continues it, ``#`` begins a comment, X matches
any digit of an expected answer, and ``{pin1}``, ``{pin2}`` … (``{pin}`` is the first)
are replaced by the PINs given when the script is run. ``XX`` or ``**`` in the data of
a command is a byte that a log has masked: it can be recorded, and not sent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from sscard.conversation.redaction import MASK
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
_STATUS: Final = r"[0-9A-FX]{4}"
_PIN: Final = r"\{PIN([0-9]*)\}"
_DATA_UNITS: Final = r"[0-9A-FX]{2}"
_UNITS: Final = r"\{PIN[0-9]+\}|[0-9A-F*]{2}"
_MASKED_UNITS: Final = r"[0-9A-F]{2}|XX|\*\*"
_NOT_HEX: Final = Phrase("not hex digits in pairs")
HEADER_LENGTH: Final = 5
"""Bytes of a header with Lc, which cannot be masked."""


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
    for line in _joined(lines, source):
        word, __, rest = line.text.partition(" ")
        match word.upper():
            case "EXIT":
                return
            case "REM":
                continue
            case "RST" | "RESET" | "OFF":
                if rest.strip():
                    raise line.error(
                        line.text.index(rest.strip()),
                        Phrase("{word} stands alone on its line", word=word),
                        Phrase("write {word}", word=word),
                    )
                yield Power("off" if word.upper() == "OFF" else "reset", line.number)
            case "CMD":
                yield _send(line, len(word))
            case _:
                if word.isalpha() and not re.fullmatch(_HEX, word.upper()):
                    raise line.error(
                        0,
                        Phrase("unknown statement {word!r}", word=word),
                        Phrase("write CMD, RST, OFF or REM, or a command in hex digits, reset or exit"),
                    )
                yield _send(line, 0)


def check_pins(statements: Iterable[Statement], pins: Sequence[str], source: str) -> None:
    """Raise ``InputError`` for a missing or unsuitable PIN before sending any command."""
    lacking: Send | None = None
    needed = 0
    for statement in statements:
        if not isinstance(statement, Send):
            continue
        if statement.obstacle:
            break
        needed = max([needed, *pin_numbers(statement)])
        if needed <= len(pins):
            fill(statement, pins, source)
        lacking = lacking or (statement if needed > len(pins) else None)
    if lacking is not None:
        number = next(number for number in pin_numbers(lacking) if number > len(pins))
        raise _pin_missing(number, pins, source, lacking.line, needed)


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
    if MASK in statement.command:
        raise InputError(
            Phrase("masked bytes cannot be sent"),
            file=source,
            line=statement.line,
            remedy=Phrase("write the bytes, or {pin} for a PIN; sscard record --from makes a recording of a log"),
        )
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


def pin_numbers(statement: Send) -> list[int]:
    """The numbers of the PINs in a command, in their order."""
    return [int(number) for number in re.findall(_PIN, statement.command)]


def plain_bytes(statement: Send) -> bytes:
    """The bytes of a command without its PINs, zeros in place of masked bytes: for what its header states."""
    return bytes.fromhex(re.sub(_PIN, "", statement.command).replace(MASK, "00"))


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


class _Line:
    """A statement as text, joined of lines of the script that are continued; ``number`` is that of the first."""

    def __init__(self, number: int, source: str) -> None:
        self.number = number
        self.text = ""
        self._source = source
        self._pieces: list[tuple[int, int, int]] = []

    def add(self, number: int, line: str, text: str) -> None:
        """Add what a line holds besides blanks, a comment and its continuation."""
        self._pieces.append((len(self.text), number, len(line) - len(line.lstrip()) + 1))
        self.text += text.replace("\t", " ")

    def error(self, at: int, problem: Sayable, remedy: Sayable) -> InputError:
        """The error at a character of the text, with its line and column in the script; it never repeats the input."""
        start, number, column = next(piece for piece in reversed(self._pieces) if piece[0] <= at or not piece[0])
        return InputError(problem, file=self._source, line=number, column=column + at - start, remedy=remedy)


def _joined(lines: Iterable[str], source: str) -> Iterator[_Line]:
    """Lines without comments and with continuation lines joined."""
    held: _Line | None = None
    for number, line in enumerate(lines, 1):
        text = line.partition(COMMENT)[0].strip()
        held = held or _Line(number, source)
        if text.endswith(CONTINUED):
            held.add(number, line, text.removesuffix(CONTINUED) + " ")
            continue
        held.add(number, line, text)
        if held.text.strip():
            yield held
        held = None
    if held is not None and held.text.strip():
        yield held


def _send(line: _Line, start: int) -> Send:
    text = line.text[start:].upper()
    parts = re.fullmatch(_PARTS, text)
    if parts is None:
        begun = re.match(rf"{_PARTS}\s*", text)
        raise line.error(
            start + (begun.end() if begun else 0),
            Phrase("not a command with what it expects"),
            Phrase("write bytes, [expected data], (expected status words): 00 84 00 00 04 [XXXXXXXX] (9000)"),
        )
    command, data, sws = parts.groups()
    expected = None
    if data and data.strip():
        problem, remedy = Phrase("expected data are not hex digits in pairs"), Phrase("write X for any digit")
        expected = "".join(
            _pairs(line, start + parts.start(2) + found.start(), found[0], _DATA_UNITS, problem, remedy)
            for found in re.finditer(r"\S+", data)
        )
    words = []
    for found in re.finditer("[^,]+|(?<=,)(?=,|$)", sws if sws and sws.strip() else ""):
        words.append("".join(found[0].split()))
        if not re.fullmatch(_STATUS, words[-1]):
            at = start + parts.start(3) + found.start() + len(found[0]) - len(found[0].lstrip())
            remedy = Phrase("write four hex digits, X for any: (9000), (90 00, 61 XX)")
            raise line.error(at, Phrase("not a status word"), remedy)
    return Send(_template(line, start + parts.start(1), command), expected, tuple(words), line.number)


def _template(line: _Line, start: int, command: str) -> str:
    """The bytes of a command, with PINs by number and masked bytes of the data as ``**``."""
    units, sent = "", 0
    for found in re.finditer(r"\{[^{}\s]*\}?|[^\s{]+", command):
        at, word = start + found.start(), found[0]
        if word.startswith("{"):
            named = re.fullmatch(_PIN, word)
            if named is None:
                raise line.error(at, Phrase("unknown name in braces"), Phrase("write {pin}, or {pin1}, {pin2}, …"))
            units += f"{{PIN{int(named[1] or 1)}}}"
            sent += HEADER_LENGTH
            continue
        if re.fullmatch(_HEX, word):
            units, sent = units + word, sent + len(word) // 2
            continue
        for place in range(0, len(word), 2):
            shape = _HEX if sent < HEADER_LENGTH else _MASKED_UNITS
            unit = _pairs(line, at + place, word[place : place + 2], shape, _NOT_HEX, HEX_REMEDY)
            units += MASK if ANY in unit else unit
            sent += 1
    if not units:
        raise line.error(start, _NOT_HEX, HEX_REMEDY)
    return units


def _pairs(line: _Line, at: int, word: str, shape: str, problem: Phrase, remedy: Phrase) -> str:
    """A word of pairs of this shape; else the error at its first character that is wrong."""
    begun = re.match(f"(?:{shape})*", word)
    end = begun.end() if begun else 0
    if end == len(word):
        return word
    half = len(word) > end + 1 and re.fullmatch(shape, word[end] * 2)  # the next digit is the wrong one
    raise line.error(at + end + (1 if half else 0), problem, remedy)


def _pin(number: int, pins: Sequence[str], source: str, line: int) -> str:
    if number == 0:
        return ""
    if number > len(pins):
        raise _pin_missing(number, pins, source, line, number)
    return encode_pin(pins[number - 1]).hex().upper()


def _pin_missing(number: int, pins: Sequence[str], source: str, line: int, needed: int) -> InputError:
    """The error at the first PIN that is missing; ``needed`` is the number of all PINs."""
    return InputError(
        Phrase("PIN {number} is needed here, PINs given: {count}", number=number, count=len(pins)),
        file=source,
        line=line,
        remedy=Phrase.plural(
            "give --pin {count} time: the PINs in the order in which they first appear",
            "give --pin {count} times: the PINs in the order in which they first appear",
            count=needed,
        ),
    )


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
