"""The database of a journal: connections and transactions, the same for both kinds of database.

SQLite (one machine) is here, PostgreSQL (several) in ``postgresql``. All that
differs between them is in these two classes of connections.

Reading needs no write lock and writes nothing. An SQLite file is opened with
``mode=ro``: in WAL mode a reader sees the last commit and does not wait for a
writer. On PostgreSQL the transactions are ``READ ONLY``.
"""

from __future__ import annotations

import os
import re
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from pkgutil import resolve_name
from time import monotonic, sleep
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl, unquote

from sscard.errors import InputError, MissingPart
from sscard.files import FLAGS, check_not_beside, mode_of, resolved
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.issuer.storage import Identity

SQLITE_WAIT: Final = 30
"""Seconds to wait for another process's transaction."""
NO_URL: Final = Phrase("--journal: not the URL of a journal")
EXPECTED: Final = Phrase("expected the path of an SQLite file, or postgresql://user@host/database")
FIRST_CASE: Final = Phrase("a first case makes it: sscard case open")
NO_SQLITE: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
"""The error codes for a file that is no database."""
_URL: Final = re.compile(
    r"(?P<kind>sqlite|postgresql)(?:\+\w+)?://"
    r"(?:(?P<user>[^:/?]*)(?::(?P<password>[^@]*))?@)?"
    r"(?:\[(?P<ipv6>[^\s\[\]/?]+)\]|(?P<host>[^\s\[\]:/?]*))(?::(?P<port>[0-9]{1,5}))?"
    r"(?:/(?P<dbname>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)

Row = tuple[Any, ...]
Statement = tuple[str, Sequence[Any]]


class Connection(ABC):
    """A connection to a database, with one transaction at a time. ``?`` is a value in a statement."""

    lanes: ClassVar[int]
    """Lanes of a new journal."""
    reusable: ClassVar[bool] = True
    """Whether it can be used again after a statement failed."""
    private: ClassVar[bool]
    """Whether the database may hold nothing but a journal."""
    lock: ClassVar[str]
    """The end of a SELECT that locks its rows until the transaction ends."""
    schema_lock: ClassVar[Sequence[Statement]]
    """What makes other processes wait with a migration."""
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
    """What the driver raises."""
    integrity_error: type[Exception]
    """What it raises for a key that exists."""

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
        source = file if write else f"{Path(file).absolute().as_uri()}?mode=ro"
        self._raw = sqlite3.connect(
            source, timeout=SQLITE_WAIT, isolation_level=None, check_same_thread=False, uri=not write
        )
        try:
            self._held = self._found() if write else None
            if write:
                _change_to_wal(self._raw)
                self._raw.execute("PRAGMA synchronous = FULL")  # an intent must outlast a power cut
            else:
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


def open_database(url: str, *, write: bool, create: bool = False) -> Database:
    """The database of a journal; with ``create``, an SQLite file that does not exist is created.

    ``url`` is the path of an SQLite file, ``sqlite:///PATH`` or ``postgresql://…``.
    ``InputError`` for another, and for a path without a file.
    """
    parts = _URL.fullmatch(url if "://" in url else "")
    if parts is not None and parts["kind"] == "postgresql":
        return _server(url, parts)
    rest = parts is not None and any(parts[name] for name in ("user", "ipv6", "host", "port", "query"))
    try:
        file = str(Path(url).expanduser()) if "://" not in url else unquote(parts["dbname"] or "") if parts else ""
    except RuntimeError:  # ~nobody
        file = ""
    if rest or not file:
        raise InputError(NO_URL, remedy=EXPECTED)
    check_not_beside(Path(file))
    if create:
        try:
            _create(Path(file))
        except OSError as error:
            problem = Phrase("cannot be a journal: {reason}", reason=reason_of(error))
            raise InputError(problem, file=file) from None
    elif not mode_of(resolved(Path(file), EXPECTED)):
        raise InputError(Phrase("there is no journal"), file=file, remedy=FIRST_CASE)
    elif not Path(file).stat().st_size:
        raise InputError(
            Phrase("is empty, expected the SQLite file of a journal"),
            file=file,
            remedy=Phrase("restore it from a copy, or give another with --journal"),
        )
    return SqliteFile(file, write=write)


def _server(url: str, parts: re.Match[str]) -> Database:
    """PostgreSQL, with the options that the URL has; the password is not shown."""
    query = parse_qsl(parts["query"] or "")
    if int(parts["port"] or 0) > 0xFFFF or len(dict(query)) < len(query):
        raise InputError(NO_URL, remedy=EXPECTED)
    shown = url.replace(f":{parts['password']}@", "@", 1) if parts["password"] else url
    shown = re.sub(r"(?<=[?&])(\w*password)=[^&]*", r"\1=***", shown)
    named = {name: unquote(parts[name] or "") for name in ("host", "user", "password", "port", "dbname")}
    options = named | {"host": parts["ipv6"] or named["host"]} | dict(query)
    try:
        kind = resolve_name("sscard.service.journal.postgresql:PostgresqlServer")  # imports psycopg, an extra
    except ModuleNotFoundError as error:
        missing = Phrase("{name} is not installed", name=error.name or "")
        raise MissingPart(missing, 'pip install "sscard[postgresql]"') from None
    server: Database = kind(shown, {name: value for name, value in options.items() if value})
    return server


def _create(path: Path) -> None:
    """An empty file for the owner only, which is an SQLite database, unless there is one; the target of a link."""
    if not mode_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was first
            os.close(os.open(resolved(path, EXPECTED), os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600))
    resolved(path, EXPECTED)


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
