"""Explain a conversation with the card: commands, status words, FCI, records (from the card's declarations)."""

from __future__ import annotations

from functools import cache
from typing import Final, Literal

from sscard.card.commands import CERTIFICATE_TABLE, DECLARED, TABLE, CardCommand
from sscard.card.commands.read import READ_BINARY, READ_RECORD
from sscard.card.commands.select import BY_NAME, NEXT, SELECT
from sscard.card.commands.update import UPDATE_BINARY, UPDATE_RECORD
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.standard.addressing import binary_address
from sscard.standard.apdu import GET_RESPONSE_INS, SW
from sscard.standard.certificates import fid_from
from sscard.standard.cipher import ALGORITHM_NAMES
from sscard.standard.encoding import decode_an, decode_cn, records
from sscard.standard.generations import NEWEST, build_layout
from sscard.standard.tree import MF, SSSE_BELOW_MF, DfSpec, FileSpec, Item, Layout, Structure

SELECT_INS, READ_RECORD_INS = SELECT.ins, READ_RECORD.ins
RECORD_INS = (READ_RECORD_INS, UPDATE_RECORD.ins)
BINARY_INS = (READ_BINARY.ins, UPDATE_BINARY.ins)
HEADER_LENGTH = 4
DONE, MORE = SW.OK.to_bytes(2, "big"), bytes((SW.MORE_DATA >> 8,))
LOCKED = SW.APPLICATION_BLOCKED.to_bytes(2, "big")
FCI, NAME, PROPRIETARY, ISSUER_DATA, ALGORITHM, DIRECTORY = "6F", "84", "A5", "9F0C", "86", "88"

_OF_THE_READER: Final = {
    bytes.fromhex("FFCA0000"): Phrase("UID of the card, asked of the reader"),
    bytes.fromhex("FFCA0100"): Phrase("historical bytes of the ATS, asked of the reader"),
}
"""Commands that a contactless reader answers, by their first bytes."""
_BY_INS = {command.ins: command for command in DECLARED}


FCI_DATA: Final = "FCI"
Source = FileSpec | Literal["FCI"] | None
"""Where the data of an answer come from: the FCI, the file of a record, or ``None`` if they are not explained."""


@cache
def _any_layout() -> Layout:
    return build_layout(NEWEST, MF, optional_applications=True, certificates=True, bank=True)


class Selection:
    """Follows the selection of a conversation, so that a record is explained by the file it comes from.

    ``layout`` is the card's; the default is that of the newest generation.
    """

    def __init__(self, layout: Layout | None = None) -> None:
        self._layout = layout or _any_layout()
        self._df: DfSpec = self._layout.dfs[0]
        self._ef: FileSpec | None = None
        self._selecting = False
        self._walk = (b"", 0)

    @property
    def df(self) -> int:
        """The FID of the current DF."""
        return self._df.fid

    @property
    def current(self) -> DfSpec:
        """The current DF."""
        return self._df

    @property
    def file(self) -> FileSpec | None:
        """The current EF."""
        return self._ef

    def follow(self, command: bytes, answer: bytes) -> Source:
        """Track the selection like the card; return where the data of the answer come from.

        Called for every command that is recorded: nothing is explained here.
        """
        if len(command) < HEADER_LENGTH or command[0] << 8 | command[1] not in TABLE.by_code:
            return None
        ins = command[1]
        if answer[-2:] == LOCKED and ins == SELECT_INS:
            self._select(command)  # the locked application is the current one
        elif answer[-2:] == DONE or answer[-2:-1] == MORE:
            if ins == SELECT_INS:
                self._select(command)
            elif ins != GET_RESPONSE_INS:
                self._selecting = False
            if ins in RECORD_INS and command[3] >> 3:
                self._ef = self._layout.file(self._df.fid, command[3] >> 3)
            if ins in BINARY_INS and binary_address(command[2], command[3])[0] > 0:
                self._ef = self._layout.file(self._df.fid, binary_address(command[2], command[3])[0])
        if ins == READ_RECORD_INS:
            return self._ef
        return FCI_DATA if ins == SELECT_INS or (ins == GET_RESPONSE_INS and self._selecting) else None

    def _select(self, command: bytes) -> None:
        data = (command[5 : 5 + command[4]] if len(command) > 5 else b"") or MF.to_bytes(2, "big")
        if command[2] == BY_NAME:
            found = self._named(data, command[3])
        else:
            fid = fid_from(self._df.certificates, int.from_bytes(data, "big"), self._layout.ssse.fid)
            found = self._layout.df(self._layout.ssse.fid if fid == SSSE_BELOW_MF else fid)
        if found is not None:
            self._df, self._ef, self._selecting = found, None, True
            return
        self._ef = self._layout.file(self._df.fid, data[-1])
        self._selecting = False

    def _named(self, name: bytes, p2: int) -> DfSpec | None:
        """The DF of a name, which may be partial: P2=02 selects its next occurrence."""
        matching = [df for df in self._layout.dfs if df.aid.startswith(name)]
        walked, place = self._walk
        place = place if p2 == NEXT and walked == name else 0
        self._walk = (name, place + 1)
        return matching[place] if place < len(matching) else None


def explain_command(command: bytes) -> Sayable:
    """A command with its parameters; of secret data only the length counts."""
    declared = find_declaration(command)
    if declared is None:
        return _OF_THE_READER.get(command[:4]) or _name_of_unknown(command)
    p3 = command[4] if len(command) > 4 else 0
    data, le = (command[5 : 5 + p3], 0) if declared.lengths else (b"", p3)
    words = declared.words(_any_layout(), command[2], command[3], data, le)
    return Phrase("{command} ({words})", command=_name(declared), words=words) if words.text else _name(declared)


def explain_data(source: Source, data: bytes) -> list[Sayable]:
    """The data of an answer."""
    if not data or source is None:
        return []
    return explain_records(source, data) if isinstance(source, FileSpec) else explain_fci(data)


def find_declaration(command: bytes) -> CardCommand | None:
    """The declaration of a command by CLA, INS and, where siblings share them, P1 P2."""
    if len(command) < 4:
        return None
    first = None
    for table in (TABLE, CERTIFICATE_TABLE):
        declared = table.by_code.get(command[0] << 8 | command[1])
        first = first or declared
        while declared is not None:
            if not declared.p1p2 or (command[2] << 8 | command[3]) in declared.p1p2:
                return declared
            declared = declared.sibling
    return first


def _name_of_unknown(command: bytes) -> Phrase:
    """An undeclared command: the name of the command with another CLA, or the complete command."""
    meant = _BY_INS.get(command[1]) if len(command) > 1 else None
    if meant is None:
        return Phrase("unknown command")
    words = Phrase("under another CLA") if len(command) >= HEADER_LENGTH else Phrase("cut short")
    return Phrase("{command} ({words})", command=_name(meant), words=words)


def _name(declared: CardCommand) -> Words:
    """The command's English name from the standard, in Chinese with a description."""
    return Words(declared.name, f"{declared.name} {declared.chinese}")


def explain_fci(fci: bytes) -> list[Sayable]:
    """Explain the FCI (文件控制信息)."""
    found = dict(_walk(fci))
    lines: list[Sayable] = []
    if NAME in found:
        lines.append(Phrase("DF name {name} ({text!r})", name=found[NAME].hex().upper(), text=decode_an(found[NAME])))
    if found.get(DIRECTORY):
        lines.append(Phrase("DIR file has SFI {sfi:02X}", sfi=found[DIRECTORY][0]))
    if found.get(ALGORITHM):
        number = found[ALGORITHM][0]
        name = ALGORITHM_NAMES.get(number) or Phrase("unknown")
        lines.append(Phrase("algorithm {number:02X} {name}", number=number, name=name))
    return lines


def explain_records(ef: FileSpec, data: bytes) -> list[Sayable]:
    """Records of a file, item by item."""
    if ef.structure == Structure.CYCLIC:
        return _fields(ef.items, data)
    lines: list[Sayable] = []
    for record in records(data):
        item = next((item for item in ef.items if item.tag == record[0]), None)
        lines += _item_lines(record[0], item, record[2:])
    return lines


def _item_lines(tag: int, item: Item | None, value: bytes) -> list[Sayable]:
    if item is None:
        return [f"{tag:02X}: {value.hex().upper()}"]
    label = _label(item)
    name = Words(f"{tag:02X} {label.english}".rstrip(), f"{tag:02X} {label.chinese}".rstrip())
    if item.type != "tlv":
        return [Phrase("{name}: {value}", name=name, value=value_text(item, value))]
    parts = {part.tag: part for part in item.parts}
    inner = (_item_lines(record[0], parts.get(record[0]), record[2:]) for record in records(value))
    return [Phrase("{name}:", name=name), *(Phrase("  {line}", line=line) for lines in inner for line in lines)]


def _fields(items: tuple[Item, ...], data: bytes) -> list[Sayable]:
    """The untagged fields of cyclic records."""
    lines: list[Sayable] = []
    start = 0
    while start < len(data):
        for item in items:
            value = data[start : start + item.length]
            label = _label(item)
            name = label if label.english else item.type
            lines.append(Phrase("{name}: {value}", name=name, value=value_text(item, value)))
            start += item.length
    return lines


def value_text(item: Item, value: bytes) -> Sayable:
    """An item's value for display; "not written" if it contains only padding."""
    if item.type in ("an", "cn") and value == item.blank():
        return Phrase("not written")
    if item.type == "cn":
        return decode_cn(value)
    text = decode_an(value) if item.type == "an" else ""
    return text if text.isprintable() and text else value.hex().upper()


def _label(item: Item) -> Words:
    """The name of an item in the standard; some items have a name in one language only."""
    return Words(item.name or item.chinese, item.chinese or item.name)


def _walk(data: bytes) -> list[tuple[str, bytes]]:
    """Every TLV of an FCI, templates before their contents."""
    found = []
    place = 0
    while place + 2 <= len(data):
        width = 2 if data[place] & 0x1F == 0x1F else 1
        if place + width >= len(data):
            break
        tag = data[place : place + width].hex().upper()
        end = place + width + 1 + data[place + width]
        value = data[place + width + 1 : end]
        found.append((tag, value))
        if tag in (FCI, PROPRIETARY, ISSUER_DATA):
            found += _walk(value)
        place = end
    return found
