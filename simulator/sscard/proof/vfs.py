"""A file system under SQLite that records each operation, fails at one of them, and computes what a crash leaves.

The SQLite is that of apsw, because the standard library's takes no VFS. The
operations go to the real files, so that what a store does beside SQLite (look,
reserve space) sees them too.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from math import prod
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple, cast

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase
from sscard.issuer.database import SETTINGS

try:
    import apsw
except ImportError:
    raise MissingPart(Phrase("apsw is not installed"), "pip install 'sscard[proof]'") from None

SECTOR: Final = 512
"""Bytes that a disk writes whole or not at all."""
FEW: Final = 16
"""Images of unsynced sectors up to which every subset is taken, and the size of the sample otherwise."""
ERRORS: Final = {errno.ENOSPC: apsw.FullError, errno.EIO: apsw.IOError}


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


class Disk:
    """The operations on the files in a folder; the ``fail_at``-th one fails, and all later ones if ``lasting``."""

    def __init__(self, fail_at: int = -1, error: int = errno.EIO, *, lasting: bool = True) -> None:
        self.operations: list[Operation] = []
        self.dead = False
        self._fail_at = fail_at
        self._error = error
        self._lasting = lasting

    def pass_on(self, operation: Operation) -> None:
        """Note an operation, or raise the error of this disk."""
        number = len(self.operations)
        self.operations.append(operation)
        if self.dead or number == self._fail_at or (self._lasting and 0 <= self._fail_at < number):
            raise ERRORS[errno.EIO if self.dead else self._error]


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        self._name = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's names
        self._disk.pass_on(Operation("write", self._name, offset, len(data), bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        self._disk.pass_on(Operation("truncate", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        self._disk.pass_on(Operation("sync", self._name))
        super().xSync(flags)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        self._disk.pass_on(Operation("delete", Path(filename).name))
        super().xDelete(filename, syncdir)


class Connection:
    """What a card store uses of ``sqlite3.Connection``, on a disk; errors are those of ``sqlite3``."""

    def __init__(self, disk: Disk, path: Path, mode: str) -> None:
        name = f"sscard-proof-{id(self)}"
        self._vfs = _Vfs(name, disk)
        flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_URI
        self._connection = apsw.Connection(f"{path.as_uri()}?{mode}", flags, name)
        for setting in SETTINGS:
            self.execute(f"PRAGMA {setting}")

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def execute(self, sql: str, values: Iterable[Any] = ()) -> Any:
        """Run a statement; a cursor of its rows."""
        return self._run(self._connection.execute, sql, tuple(values))

    def executemany(self, sql: str, rows: Iterable[Iterable[Any]]) -> Any:
        """Run a statement for each row of values."""
        return self._run(self._connection.executemany, sql, [tuple(row) for row in rows])

    def close(self) -> None:
        """Close the database; an error in it is of no use any more."""
        with suppress(apsw.Error):
            self._connection.close()

    def _run(self, act: Callable[..., Any], *arguments: Any) -> Any:
        try:
            return act(*arguments)
        except apsw.Error as error:
            translated = sqlite3.OperationalError(str(error))
            translated.sqlite_errorcode = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
            raise translated from None


def connector(disk: Disk) -> Callable[[Path, str], sqlite3.Connection]:
    """What opens the database of a card store on a disk."""

    def connect_on_disk(path: Path, mode: str) -> sqlite3.Connection:
        return cast("sqlite3.Connection", Connection(disk, path, mode))

    return connect_on_disk


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
