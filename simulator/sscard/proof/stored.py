"""A file under a sequence of operations: what a process sees of it, and what a power loss leaves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from random import Random
from typing import Final, NamedTuple

SECTOR: Final = 512
"""Bytes that a disk writes whole or not at all."""
FEW: Final = 16
"""Images of unsynced sectors up to which every subset is taken, and the size of the sample otherwise."""


class Operation(NamedTuple):
    """A change of a file: write, truncate, sync or delete, with its place; ``data`` is what is written."""

    kind: str
    file: str
    offset: int = 0
    length: int = 0
    data: bytes = b""

    @property
    def shape(self) -> tuple[str, str, int, int]:
        """What an observer of the file system sees without the contents."""
        return self[:4]


class Stored:
    """A file under a sequence of operations: what a process sees of it, and what a power loss may leave.

    ``content`` ends with the last byte that was written; up to ``length`` there
    are zeros. Of each sector that is not synced there are all contents since
    the last sync, of which a power loss leaves one.
    """

    def __init__(self, content: bytes) -> None:
        self.content = bytearray(content.rstrip(b"\0"))
        self.length = len(content)
        self._synced = bytes(self.content), self.length
        self._sectors: dict[int, list[bytes]] = {}
        self._lengths: list[int] = []

    def copy(self) -> Stored:
        """A copy for what a process sees."""
        copy = Stored(bytes(self.content))
        copy.length = self.length
        return copy

    def apply(self, operation: Operation) -> None:
        """Do an operation on this file."""
        start, end = operation.offset, operation.offset + operation.length
        if operation.kind == "write":
            self.content.extend(bytes(max(0, end - len(self.content))))
            self.content[start:end] = operation.data
            self.length = max(self.length, end)
            self._lengths.append(self.length)
            for sector in range(start // SECTOR, (end - 1) // SECTOR + 1):
                held = bytes(self.content[sector * SECTOR : (sector + 1) * SECTOR])
                self._sectors.setdefault(sector, []).append(held)
        elif operation.kind == "truncate":
            del self.content[start:]
            self.length = start
            self._lengths.append(start)
        elif operation.kind == "sync":
            self._synced = bytes(self.content), self.length
            self._sectors.clear()
            self._lengths.clear()

    def after_power_loss(self, random: Random) -> Iterator[tuple[bytes, int]]:
        """Contents and lengths that a power loss may leave: all if they are few, otherwise a sample."""
        choices = [range(len(versions) + 1) for versions in self._sectors.values()]
        count = prod(map(len, choices))
        if count <= FEW:
            for chosen in product(*choices):
                yield self._left(chosen, self.length)
            return
        full = [len(each) - 1 for each in choices]
        yield self._left(full, self.length)
        yield self._left([0] * len(full), self._synced[1])
        for _ in range(FEW - 2):
            share = random.random()
            some = [
                last if random.random() < share else random.choice(each)
                for each, last in zip(choices, full, strict=True)
            ]
            yield self._left(some, random.choice([self._synced[1], *self._lengths]))

    def _left(self, chosen: Sequence[int], length: int) -> tuple[bytes, int]:
        left = bytearray(self._synced[0])
        for (sector, versions), number in zip(self._sectors.items(), chosen, strict=True):
            if number:
                start = sector * SECTOR
                left.extend(bytes(max(0, start - len(left))))
                left[start : start + len(versions[number - 1])] = versions[number - 1]
        return bytes(left[:length]), length
