"""READ RECORD (读取记录), LD/T 32.5, command sheet §1.3."""

from __future__ import annotations

from typing import Final

from sscard.apdu import SW
from sscard.card.answers import (
    FILE_NOT_FOUND,
    NO_CURRENT_EF,
    OK,
    RECORD_NOT_FOUND,
    SECURITY_NOT_SATISFIED,
    WRONG_FILE_STRUCTURE,
    WRONG_P1P2,
    wrong_le,
)
from sscard.card.commands.declaration import Command
from sscard.card.layout import FileSpec, Structure
from sscard.card.session import Session
from sscard.encoding import records

BY_NUMBER: Final = 0b100
FROM_NUMBER: Final = 0b101
TO_NUMBER: Final = 0b110
RESERVED_MODE: Final = 0b111
RESERVED_SFI: Final = 0b11111

FIRST: Final = 0b000
LAST: Final = 0b001
NEXT: Final = 0b010
PREVIOUS: Final = 0b011


def file_records(ef: FileSpec, content: bytes) -> list[bytes]:
    """The records of a file in their order: TLV records, or pieces of the record length."""
    if ef.structure == Structure.VARIABLE:
        return list(records(content))
    length = ef.record_length
    return [content[start : start + length] for start in range(0, len(content), length)]


def find_record(session: Session, held: list[bytes], p1: int, mode: int) -> int:
    """The number (from 1) of the record that P1 and an identifier mode mean, 0 for none.

    P1=00 means records of any identifier. With no current record, "next" is
    the first and "previous" the last.
    """
    numbers = range(1, len(held) + 1)
    current = session.record
    if mode == NEXT:
        numbers = numbers[current:]
    elif mode == PREVIOUS:
        numbers = numbers[: current - 1] if current else numbers
    matching = [number for number in numbers if not p1 or held[number - 1][0] == p1]
    if not matching:
        return 0
    return matching[-1] if mode in (LAST, PREVIOUS) else matching[0]


def read_record(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Answer one record, or a run of records, whole with tag and length."""
    sfi, mode = p2 >> 3, p2 & 0b111
    if sfi == RESERVED_SFI or mode == RESERVED_MODE:
        return WRONG_P1P2
    ef = session.layout.file(session.df.fid, sfi) if sfi else session.ef
    if ef is None:
        return FILE_NOT_FOUND if sfi else NO_CURRENT_EF
    session.open(ef)
    if ef.structure == Structure.TRANSPARENT:
        return WRONG_FILE_STRUCTURE
    if not session.allows(ef.read):
        return SECURITY_NOT_SATISFIED
    held = file_records(ef, session.memory.strings[ef.cell])
    if mode & BY_NUMBER:
        found = _by_number(session, held, p1, mode)
    else:
        number = find_record(session, held, p1, mode)
        if number:
            session.record = number
        found = held[number - 1] if number else b""
    if not found:
        return RECORD_NOT_FOUND
    return _deliver(session, found, le)


def _by_number(session: Session, held: list[bytes], p1: int, mode: int) -> bytes:
    number = p1 or session.record
    if not 1 <= number <= len(held):
        return b""
    if mode == BY_NUMBER:
        return held[number - 1]
    tail = held[number - 1 :]
    return b"".join(tail if mode == FROM_NUMBER else reversed(tail))


def _deliver(session: Session, found: bytes, le: int) -> bytes:
    if le == len(found):
        return found + OK
    if le and le < len(found) and session.personality.short_record_le == "truncate":
        return found[:le] + OK
    return wrong_le(len(found))


READ_RECORD: Final = Command(
    "READ RECORD",
    "读取记录",
    "1.3",
    (0x00,),
    0xB2,
    read_record,
    (
        SW.OK,
        SW.WRONG_FILE_STRUCTURE,
        SW.SECURITY_NOT_SATISFIED,
        SW.NO_CURRENT_EF,
        SW.NOT_SUPPORTED,
        SW.FILE_NOT_FOUND,
        SW.RECORD_NOT_FOUND,
        SW.WRONG_P1P2,
        SW.WRONG_LE,
        SW.UNKNOWN_CLA,
        SW.APPLICATION_BLOCKED,
    ),
)
