"""The reference of the commands, generated from their declarations as text, Markdown and JSON."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from sscard.card.commands import DECLARED
from sscard.chip.command import Command, Field, total_lengths
from sscard.errors import InputError, suggestion
from sscard.i18n.language import _, columns, is_chinese, padded, say
from sscard.i18n.phrase import Phrase, Words
from sscard.issuer.personalities import written_fields
from sscard.psam import PSAM_COMMANDS
from sscard.standard.apdu import SW
from sscard.standard.choices import CHOICES, Personality

AnyCommand = Command[Any]

SCHEMA: Final = "sscard.commands/1"
DEFAULTS: Final = {field.name: field.default for field in dataclasses.fields(Personality)}
FAMILIES: Final = {SW.MORE_DATA: "61xx", SW.TRIES_LEFT: "63Cx", SW.WRONG_LE: "6Cxx"}
PLACEHOLDERS: Final = {
    "proof": Phrase("authentication data(8) ‖ original data(8), computed with the key over the last challenge"),
    "enciphered": Phrase("LD ‖ data ‖ padding, enciphered under the session key of the last challenge"),
    "mac": Phrase("MAC(4) over the command, with the key and the last challenge"),
    "cryptogram": Phrase(
        "cryptogram(16) of this PIN over the last challenge, on a card with certificate_application: stub"
    ),
    "MAC1": Phrase("MAC1 of the transaction, computed by the PSAM or HSM"),
    "MAC2": Phrase("MAC2 of the transaction, computed by the HSM (load) or the card (purchase)"),
}
"""The meaning of computed bytes in examples, by the first word in the braces."""
_INS: Final = re.compile(r"(?:0x)?([0-9a-f]{2})", re.IGNORECASE)
_NO_MARK: Final = re.compile(r"[^\w\- ]")


class Chip(NamedTuple):
    """A chip with its commands, and the card of the examples."""

    name: Words
    prefix: str
    standard: str
    commands: tuple[AnyCommand, ...]
    example: Phrase


CARD: Final = Chip(
    Words("Commands of the card", "卡片命令"),
    "",
    "LD/T 32.5",
    DECLARED,
    Phrase("Example, for a card just issued (v3-sm4, PIN 123456)"),
)
PSAM: Final = Chip(
    Words("Commands of the PSAM", "PSAM命令"), "PSAM ", "", PSAM_COMMANDS, Phrase("Example, for a PSAM just issued")
)


class Table(NamedTuple):
    """A section of an entry: title, column labels, rows."""

    title: str
    labels: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def find_commands(chip: Chip, wanted: str) -> list[AnyCommand]:
    """The commands with an INS (``20``, ``0x20``) or a name or its prefix; ``InputError`` if unknown or ambiguous."""
    ins = _INS.fullmatch(wanted.strip())
    found = [command for command in chip.commands if ins and command.ins == int(ins[1], 16)]
    if found:
        return found
    name = " ".join(re.split(r"[\s_-]+", wanted.strip())).upper()
    names = list(dict.fromkeys(command.name for command in chip.commands))
    exact = [command for command in chip.commands if name in (command.name, command.chinese.upper())]
    meant = [known for known in names if known.startswith(name)] if name else []
    if exact or len(meant) == 1:
        return exact or [command for command in chip.commands if command.name == meant[0]]
    if meant:
        raise InputError(
            Phrase("{name!r} is the beginning of several names", name=wanted),
            remedy=Phrase("expected one of: {words}", words=", ".join(meant)),
        )
    raise InputError(Phrase("no command {name!r}", name=wanted), remedy=suggestion(name, names))


def spans(numbers: Iterable[int], form: str = "d") -> str:
    """Numbers as text with ranges: ``0, 2–8``, ``8, 16 … 128``."""
    waiting = sorted(numbers)
    parts = []
    while waiting:
        step = waiting[1] - waiting[0] if len(waiting) > 1 else 1
        run = 1
        while run < len(waiting) and waiting[run] - waiting[run - 1] == step:
            run += 1
        if run > 2 and step == 1:
            parts.append(f"{waiting[0]:{form}}–{waiting[run - 1]:{form}}")
        elif run > 3:
            parts.append(f"{waiting[0]:{form}}, {waiting[1]:{form}} … {waiting[run - 1]:{form}}")
        else:
            parts.append(f"{waiting[0]:{form}}")
            run = 1
        waiting = waiting[run:]
    return ", ".join(parts)


def called(command: AnyCommand) -> str:
    """The name of a command: the standard's English name, in Chinese followed by the Chinese name."""
    return f"{command.name} {command.chinese}" if is_chinese() else command.name


def written_sw(word: int) -> str:
    """A declared status word, with x for digits that contain a number."""
    return FAMILIES.get(SW(word), f"{word:04X}")


def form(command: AnyCommand) -> str:
    """The form of a command: ``00 20 00 00 Lc data``."""
    parameters = "P1 P2"
    if len(command.parameters) == 1 and len(command.p1p2) == 1:
        (pair,) = command.p1p2
        parameters = f"{pair >> 8:02X} {pair & 0xFF:02X}"
    parts = [f"{command.clas[0]:02X} {command.ins:02X} {parameters}"]
    if command.data:
        parts.append(f"{spans(command.lc, '02X')} {_('data')}" if len(command.lc) == 1 else f"Lc {_('data')}")
    elif command.answer:
        lengths = total_lengths(command.answer)
        parts.append(spans(lengths, "02X") if len(lengths) == 1 else "Le")
    return " ".join(parts)


def tables(chip: Chip, command: AnyCommand) -> list[Table]:
    """The tables of an entry."""
    labels = (_("part"), _("bytes"), _("form"))
    found = [
        Table(
            "P1 P2",
            ("P1", "P2", _("meaning")),
            [(*_pair(row), say(row.meaning)) for row in command.parameters if row.meaning.text],
        ),
        Table(_("Data, Lc {lengths} (hex)", lengths=spans(command.lc, "02X")), labels, _parts(command.data)),
        Table(_("Answer"), labels, _parts(command.answer)),
        Table(
            _("Status words"),
            ("SW", _("meaning")),
            [(written_sw(word), say(command.statuses[word])) for word in sorted(command.statuses, key=_success_first)],
        ),
        Table(
            _("Open choices"),
            (_("choice"), _("default"), _("values"), _("meaning")),
            [
                (name, "; ".join(_defaults(name)), ", ".join(_values(name)), _(CHOICES[name].help))
                for name in command.choices
            ],
        ),
    ]
    return [table for table in found if table.rows]


def index(chip: Chip) -> Table:
    """All commands of a chip, one row each."""
    rows = [
        (form(command), called(command), spans(command.lc, "02X"), source(chip, command)) for command in chip.commands
    ]
    return Table(say(chip.name), ("APDU", _("command"), "Lc", _("clause")), rows)


def source(chip: Chip, command: AnyCommand) -> str:
    """The sections of the standard and the fact sheets that describe a command."""
    return ", ".join(filter(None, (standard_of(chip, command), command.section)))


def standard_of(chip: Chip, command: AnyCommand) -> str:
    """The standard that describes a command; none is public for those of the certificate application."""
    return chip.standard if command.section.startswith("card-commands.md") else ""


def entry_lines(chip: Chip, command: AnyCommand) -> list[str]:
    """The complete entry of a command as text."""
    lines = [called(command), f"  {form(command)}", f"  {source(chip, command)}"]
    for table in tables(chip, command):
        lines += ["", *table_lines(table)]
    lines += ["", say(chip.example)]
    for step in command.example:
        lines += [f"  > {step.command}", f"  < {step.answer}"]
    return lines + [f"  {{{word} …}}: {meaning}" for word, meaning in placeholders(command)]


def table_lines(table: Table) -> list[str]:
    """A table as text with padded columns, except the last column."""
    widths = [max(map(columns, column)) for column in zip(table.labels, *table.rows, strict=True)]
    return [
        table.title,
        *(
            "  " + "  ".join(padded(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (table.labels, *table.rows)
        ),
    ]


def placeholders(command: AnyCommand) -> list[tuple[str, str]]:
    """The computed parts of an example, with their meaning."""
    text = " ".join(step.command for step in command.example)
    return [(word, say(meaning)) for word, meaning in PLACEHOLDERS.items() if re.search(rf"\{{{word}\b", text)]


def as_facts(chip: Chip, command: AnyCommand) -> dict[str, Any]:
    """An entry for programs; bytes in hex, lengths in bytes."""
    return {
        "name": command.name,
        "chinese": command.chinese,
        "cla": [f"{cla:02X}" for cla in command.clas],
        "ins": f"{command.ins:02X}",
        "parameters": [
            {"p1": p1, "p2": p2, "meaning": say(row.meaning) if row.meaning.text else ""}
            for row in command.parameters
            for p1, p2 in [_pair(row)]
        ],
        "lc": sorted(command.lc),
        "data": [_facts(part) for part in command.data],
        "answer": [_facts(part) for part in command.answer],
        "status_words": [
            {"sw": written_sw(word), "meaning": say(meaning)} for word, meaning in command.statuses.items()
        ],
        "standard": standard_of(chip, command),
        "section": command.section,
        "choices": [
            {
                "name": name,
                "numbers": CHOICES[name].numbers,
                "default": default,
                "values": _values(name),
                "meaning": _(CHOICES[name].help),
            }
            for name, default in written_fields({name: DEFAULTS[name] for name in command.choices}).items()
        ],
        "example": [{"command": step.command, "answer": step.answer} for step in command.example],
    }


def markdown(chips: Sequence[Chip] = (CARD, PSAM)) -> str:
    """The Markdown page with all commands."""
    parts = [f"# {_('Commands')}", say(PAGE)]
    for chip in chips:
        table = index(chip)
        rows = [
            (row[0], f"[{row[1]}](#{anchor(heading(chip, command))})", *row[2:])
            for row, command in zip(table.rows, chip.commands, strict=True)
        ]
        parts += [f"## {table.title}", _markdown_table(table.labels, rows)]
        for command in chip.commands:
            sheet, _space, number = command.section.partition(" ")
            where = f"[{sheet}](../standard/{sheet}) {number}"
            parts += [f"### {heading(chip, command)}", f"`{form(command)}`"]
            standard = standard_of(chip, command)
            parts.append(", ".join(filter(None, (standard and f"{standard} {command.name}", where))))
            for table in tables(chip, command):
                parts += [f"**{table.title}**", _markdown_table(table.labels, table.rows)]
            steps = "\n".join(f"> {step.command}\n< {step.answer}" for step in command.example)
            parts += [f"**{say(chip.example)}**", f"```\n{steps}\n```"]
            parts += [f"`{{{word} …}}`: {meaning}" for word, meaning in placeholders(command)]
    return "\n\n".join(parts) + "\n"


PAGE: Final = Phrase(
    "This page is generated by tools/commands_page.py from the declarations of the commands. "
    "`sscard commands` prints the same. Numbers are hex, except lengths in bytes. In examples, X is any digit, and "
    "`{…}` marks bytes that are computed. Examples show data and status word in one answer, as a contactless "
    "reader or a PC/SC application sees them; on contact, 61xx announces the data. An INS that no command has is "
    "answered with 6D00."
)


def heading(chip: Chip, command: AnyCommand) -> str:
    """The unique heading of a command."""
    return f"{chip.prefix}{called(command)} ({command.clas[0]:02X} {command.ins:02X})"


def anchor(text: str) -> str:
    """The anchor of a heading in rendered Markdown."""
    return _NO_MARK.sub("", text.lower()).replace(" ", "-")


def _markdown_table(labels: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [labels, ["---"] * len(labels), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in lines)


def _pair(row: Any) -> tuple[str, str]:
    p1, p2 = (f"{value:02X}" if isinstance(value, int) else value for value in (row.p1, row.p2))
    return p1, p2


def _parts(fields: Sequence[Field]) -> list[tuple[str, ...]]:
    return [(say(part.name), spans(part.lengths) or _("varies"), part.form) for part in fields]


def _facts(part: Field) -> dict[str, Any]:
    return {"name": say(part.name), "lengths": list(part.lengths), "form": part.form}


def _defaults(name: str) -> list[str]:
    """The default of a choice in the format of a personality file, then that of each generation with another one."""
    older = [f"{generation}: {written_fields({name: value})[name]}" for generation, value in CHOICES[name].older]
    return [str(written_fields({name: DEFAULTS[name]})[name]), *older]


def _values(name: str) -> list[str]:
    """The values of a choice in the format of a personality file, many numbers as a range."""
    allowed = CHOICES[name].allowed
    numbers = [value for value in allowed if type(value) is int]
    if numbers and not CHOICES[name].digits:
        return [spans(numbers)]
    return [str(written_fields({name: value})[name]) for value in allowed]


def _success_first(word: int) -> tuple[bool, int]:
    return word != SW.OK, word
