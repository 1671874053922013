"""How P1 P2 of the read and update commands point at a file, an offset or a record."""

from __future__ import annotations

from typing import Final

from sscard.card.answers import FILE_NOT_FOUND, NO_CURRENT_EF
from sscard.card.layout import FileSpec, Layout, Structure
from sscard.card.session import Session
from sscard.encoding import records

BY_NUMBER: Final = 0b100
FROM_NUMBER: Final = 0b101
RESERVED_MODE: Final = 0b111
RESERVED_SFI: Final = 0b11111

FIRST: Final = 0b000
LAST: Final = 0b001
NEXT: Final = 0b010
PREVIOUS: Final = 0b011

NO_ADDRESS: Final = (-1, 0)
_ORDER: Final = ("first", "last", "next", "previous")


def binary_address(p1: int, p2: int) -> tuple[int, int]:
    """SFI (0: the current EF) and offset of a binary command; SFI −1 where P1 is reserved."""
    if not p1 & 0x80:
        return 0, p1 << 8 | p2
    sfi = p1 & 0b11111
    if p1 & 0x60 or sfi in (0, RESERVED_SFI):
        return NO_ADDRESS
    return sfi, p2


def locate(session: Session, sfi: int) -> FileSpec | None:
    """The EF with this SFI in the current DF; SFI 0 is the current EF. Only success makes it current."""
    return session.layout.file(session.df.fid, sfi) if sfi else session.ef


def absent(sfi: int) -> bytes:
    """The answer where ``locate`` found nothing."""
    return FILE_NOT_FOUND if sfi else NO_CURRENT_EF


def file_records(ef: FileSpec, content: bytes) -> list[bytes]:
    """The records of a file in their order: TLV records, or pieces of the record length."""
    if ef.structure == Structure.VARIABLE:
        return list(records(content))
    length = ef.record_length
    return [content[start : start + length] for start in range(0, len(content), length)]


def find_record(held: list[bytes], current: int, p1: int, mode: int) -> int:
    """The number (from 1) of the record that P1 and an identifier mode mean, 0 for none.

    P1=00 means records of any identifier. With no current record, "next" is
    the first and "previous" the last.
    """
    numbers = range(1, len(held) + 1)
    if mode == NEXT:
        numbers = numbers[current:]
    elif mode == PREVIOUS and current:
        numbers = numbers[: current - 1]
    matching = [number for number in numbers if not p1 or held[number - 1][0] == p1]
    if not matching:
        return 0
    return matching[-1] if mode in (LAST, PREVIOUS) else matching[0]


def binary_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> str:
    """What a binary command points at, in words."""
    sfi, offset = binary_address(p1, p2)
    length = len(data) if data else le
    return f"{_file_words(sfi)} from offset {offset}, {length or 'all'} bytes"


def record_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> str:
    """What a record command points at, in words."""
    where = _file_words(p2 >> 3)
    mode = p2 & 0b111
    if mode < BY_NUMBER:
        return f"{where}, {_ORDER[mode]} record {f'with identifier {p1:02X}' if p1 else 'of any identifier'}"
    number = str(p1) if p1 else "current"
    if mode == BY_NUMBER:
        return f"{where}, record {number}"
    return f"{where}, records {number} to last" if mode == FROM_NUMBER else f"{where}, records last to {number}"


def _file_words(sfi: int) -> str:
    return f"EF{sfi:02X}" if sfi > 0 else "current EF"
