"""How P1 P2 of the read and update commands point at a file, an offset or a record (card-commands.md §1.2–1.5)."""

from __future__ import annotations

from typing import Final

BY_NUMBER: Final = 0b100
FROM_NUMBER: Final = 0b101
RESERVED_MODE: Final = 0b111
RESERVED_SFI: Final = 0b11111

FIRST: Final = 0b000
LAST: Final = 0b001
NEXT: Final = 0b010
PREVIOUS: Final = 0b011

NO_ADDRESS: Final = (-1, 0)


def binary_address(p1: int, p2: int) -> tuple[int, int]:
    """SFI (0: the current EF) and offset of a binary command; SFI −1 if P1 is reserved."""
    if not p1 & 0x80:
        return 0, p1 << 8 | p2
    sfi = p1 & 0b11111
    if p1 & 0x60 or sfi in (0, RESERVED_SFI):
        return NO_ADDRESS
    return sfi, p2


def find_record(held: list[bytes], current: int, p1: int, mode: int) -> int:
    """The number (from 1) of the record selected by P1 and an identifier mode, 0 if there is no such record.

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
