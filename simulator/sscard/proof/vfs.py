"""A file system under SQLite that records each operation and fails at one of them.

The SQLite is that of apsw, because the standard library's takes no VFS. The
operations go to the real files, so that what a store does beside SQLite (look,
reserve space) sees them too.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, cast

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase
from sscard.issuer.database import SETTINGS
from sscard.proof.stored import Operation

try:
    import apsw
except ImportError:
    raise MissingPart(Phrase("apsw is not installed"), "pip install 'sscard[proof]'") from None

ERRORS: Final = {errno.ENOSPC: apsw.FullError, errno.EIO: apsw.IOError}


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

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.pass_on(Operation("write", self._name, offset, len(data), bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.pass_on(Operation("truncate", self._name, newsize))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        self._disk.pass_on(Operation("sync", self._name))
        super().xSync(flags)


class _Vfs(apsw.VFS):
    def __init__(self, name: str, disk: Disk) -> None:
        self._disk = disk
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:
        return _File(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
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
