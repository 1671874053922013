"""The database of a journal: connections and transactions, the same for both kinds of database.

SQLite (one machine) is here, PostgreSQL (several machines) in ``postgresql``. The
two classes of connections contain all differences; ``opening`` chooses one.

Reading needs no write lock and changes nothing. In WAL mode a reader of an
SQLite file sees the last commit and does not wait for a writer; with
``query_only`` SQLite refuses its writing statements. A reader opens the file
with ``mode=rw``: the last connection that may write removes the files ``-wal``
and ``-shm``, one with ``mode=ro`` leaves them. On PostgreSQL the transactions
are ``READ ONLY``.
"""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar, Final

from sscard.i18n.phrase import Phrase
from sscard.issuer.storage import Identity

SQLITE_WAIT: Final = 30
"""Seconds to wait for another process's transaction."""
NO_URL: Final = Phrase("--journal: not the URL of a journal")
EXPECTED: Final = Phrase("expected the path of an SQLite file, or postgresql://user@host/database")
NO_SQLITE: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
"""The error codes for a file that is no database."""

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]


class Connection(ABC):
    """A connection to a database, with one transaction at a time. ``?`` is a value in a statement."""

    lanes: ClassVar[int]
    """Lanes of a new journal."""
    reusable: ClassVar[bool] = True
    """Whether the connection can be used again after a statement failed."""
    private: ClassVar[bool]
    """Whether the database may contain a journal only."""
    lock: ClassVar[str]
    """End of a SELECT that locks its rows until the end of the transaction."""
    schema_lock: ClassVar[Sequence[Statement]]
    """Statements that make other processes wait with a migration."""
    columns: ClassVar[str]
    """The statement that returns table and name of each column."""
    _begin: ClassVar[dict[bool, str]]

    def __init__(self) -> None:
        self._waiting: list[Statement] = []

    @abstractmethod
    def stream(self, statement: str, *values: Any) -> Generator[Row, None, None]:
        """The rows of a SELECT, of which the memory holds at most 500."""

    @abstractmethod
    def close(self) -> None: ...

    @abstractmethod
    def is_lost_file(self) -> bool:
        """Whether the path of the file that this connection writes leads to another file or to none."""

    def begin(self, *, write: bool) -> None:
        self.later(self._begin[write])

    def later(self, statement: str, *values: Any) -> None:
        """Execute a statement with the next ``run``: on PostgreSQL, they share a round trip."""
        self._waiting.append((statement, values))

    def run(self, *statements: Statement) -> list[list[Row]]:
        """Execute statements in this order; the rows of each."""
        waiting, self._waiting = self._waiting, []
        return self._send([*waiting, *statements])[len(waiting) :]

    def rows(self, statement: str, *values: Any) -> list[Row]:
        """Execute one statement."""
        return self.run((statement, values))[0]

    def run_in_parts(self, statements: Iterable[Statement]) -> None:
        """Execute any number of statements, of which the memory holds at most 1,000."""
        for count, (statement, values) in enumerate(statements, start=1):
            self.later(statement, *values)
            if not count % 1000:
                self.run()

    def commit(self) -> None:
        self.run(("COMMIT", ()))

    def rollback(self) -> None:
        self._waiting.clear()
        self._send([("ROLLBACK", ())])

    @abstractmethod
    def _send(self, statements: Sequence[Statement]) -> list[list[Row]]: ...


class Database(ABC):
    """A database and its connections that are not in use."""

    error: type[Exception]
    """The base class of the driver's errors."""
    integrity_error: type[Exception]
    """The error for a key that exists already."""

    kind: ClassVar[str]
    file: str | None = None
    """The path of an SQLite file."""

    def __init__(self, shown: str, name: str) -> None:
        self.shown = shown
        self.name = name
        self._idle: list[Connection] = []

    def open(self) -> None:
        """Connect, so that a database that cannot be reached is noticed now."""
        self._idle.append(self.connect())

    @abstractmethod
    def connect(self) -> Connection: ...

    @contextmanager
    def transaction(self, *, write: bool) -> Iterator[Connection]:
        """A transaction, on disk when it ends well; without ``write``, one that sees one moment."""
        db = self._idle.pop() if self._idle else self.connect()
        try:
            db.begin(write=write)
            yield db
            db.commit()
        except BaseException:
            try:
                db.rollback()
            except self.error:  # the connection is lost, and so are the others if the server restarted
                db.close()
                self.close()
            else:
                if db.reusable:
                    self._idle.append(db)
                else:
                    db.close()
            raise
        self._idle.append(db)

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()


class SqliteFile(Database):
    """An SQLite file."""

    kind = "sqlite"
    error = sqlite3.Error
    integrity_error = sqlite3.IntegrityError

    def __init__(self, file: str, *, write: bool) -> None:
        super().__init__(file, file)
        self.file = file
        self._write = write

    def connect(self) -> Connection:
        return _Sqlite(self.name, write=self._write)


class _Sqlite(Connection):
    lanes = 1  # SQLite has one writer at a time anyway
    private = True
    lock = ""
    schema_lock = ()
    columns = "SELECT t.name, c.name FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table'"
    _begin: ClassVar = {True: "BEGIN IMMEDIATE", False: "BEGIN"}

    def __init__(self, file: str, *, write: bool) -> None:
        super().__init__()
        self._file = file
        # A file that the user may not write is opened for reading then.
        source = file if write else f"{Path(file).absolute().as_uri()}?mode=rw"
        self._raw = sqlite3.connect(
            source, timeout=SQLITE_WAIT, isolation_level=None, check_same_thread=False, uri=not write
        )
        try:
            self._held = self._found() if write else None
            if write:
                _change_to_wal(self._raw)
                self._raw.execute("PRAGMA synchronous = FULL")  # an intent must outlast a power cut
            else:
                self._raw.execute("PRAGMA query_only = ON")
                self._raw.execute("PRAGMA schema_version")  # the first look into the file
        except BaseException:
            self.close()
            raise

    def stream(self, statement: str, *values: Any) -> Generator[Row, None, None]:
        self.run()
        with closing(self._raw.execute(statement, values)) as cursor:
            yield from cursor

    def close(self) -> None:
        self._raw.close()

    def is_lost_file(self) -> bool:
        return self._held is not None and self._found() != self._held

    def rollback(self) -> None:
        self._waiting.clear()
        if self._raw.in_transaction:
            super().rollback()

    def _send(self, statements: Sequence[Statement]) -> list[list[Row]]:
        return [self._raw.execute(statement, values).fetchall() for statement, values in statements]

    def _found(self) -> tuple[int, ...]:
        """Device and inode of the file at the path, empty if there is none."""
        try:
            return Identity.of(self._file)[:2]
        except OSError:
            return ()


def _change_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite's own wait for a lock does not cover this change if another process writes to the new database."""
    deadline = monotonic() + SQLITE_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(0.01)
        else:
            return
