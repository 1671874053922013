"""Connections to the database of a journal: for writing, or for reading only.

Reading needs no write lock and writes nothing. An SQLite file is opened with
``mode=ro``: in WAL mode a reader sees the last commit and does not wait for a
writer. On PostgreSQL the transactions are ``READ ONLY``.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from functools import partial
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from sscard.errors import InputError, MissingPart
from sscard.files import FLAGS, mode_of, resolved
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.issuer.storage import Identity

SQLITE_WAIT: Final = 30
"""Seconds to wait for another process's transaction."""
NO_URL: Final = Phrase("--journal: not the URL of a journal")
EXPECTED: Final = Phrase("expected the path of an SQLite file, or postgresql://user@host/database")
FIRST_CASE: Final = Phrase("a first case makes it: sscard case open")
_HOST: Final = {"sqlite": re.compile(""), "postgresql": re.compile(r"[^\s\[\]]*")}
"""What may be the host in a URL, by database."""
HELD: Final = "sscard_file"
"""Device and inode of the SQLite file of a connection."""


def engine_for(url: str, *, create: bool) -> Engine:
    """Connections that read and write; with ``create``, an SQLite file that does not exist is created."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return _postgresql(parsed)
    if not create:
        _require(parsed)
    elif parsed.database:
        try:
            _create(Path(parsed.database))
        except OSError as error:
            problem = Phrase("cannot be a journal: {reason}", reason=reason_of(error))
            raise InputError(problem, file=parsed.database) from None
    try:
        engine = create_engine(parsed, connect_args={"timeout": SQLITE_WAIT})
    except ValueError:  # an option in the query of the URL
        raise InputError(NO_URL, remedy=EXPECTED) from None
    event.listen(engine, "connect", partial(_prepare_sqlite, parsed.database))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def engine_for_reading(url: str) -> Engine:
    """Connections that can only read; nothing is created."""
    parsed = _parsed(url)
    if parsed.get_backend_name() != "sqlite":
        return _postgresql(parsed)
    file = f"{_require(parsed).absolute().as_uri()}?mode=ro"
    options: dict[str, Any] = {"timeout": SQLITE_WAIT, "uri": True, "isolation_level": None, "check_same_thread": False}
    engine = create_engine(parsed, creator=lambda: sqlite3.connect(file, **options))
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        return create_engine(url)
    except ValueError:  # an option in the query of the URL
        raise InputError(NO_URL, remedy=EXPECTED) from None
    except ModuleNotFoundError as error:
        missing = Phrase("{name} is not installed", name=error.name or "")
        raise MissingPart(missing, 'pip install "sscard[postgresql]"') from None


def _parsed(url: str) -> URL:
    """The URL with its driver; ``InputError`` for a database that cannot be a journal."""
    try:
        file = None if "://" in url else str(Path(url).expanduser())
        parsed = URL.create("sqlite", database=file) if file else make_url(url)
        backend = parsed.get_backend_name()
        fits = _HOST[backend].fullmatch(parsed.host or "") and (parsed.port or 0) <= 0xFFFF
    except (ArgumentError, NoSuchModuleError, ValueError, RuntimeError, KeyError):  # as of a port in words, ~nobody
        fits = None
    if not fits:
        raise InputError(NO_URL, remedy=EXPECTED)
    return parsed.set(drivername="postgresql+psycopg") if backend == "postgresql" else parsed


def _require(url: URL) -> Path:
    """The SQLite file, which must exist and have content."""
    file = url.database or ""
    if not (file and mode_of(resolved(Path(file), EXPECTED))):
        raise InputError(Phrase("there is no journal"), file=file or str(url), remedy=FIRST_CASE)
    if not Path(file).stat().st_size:
        raise InputError(
            Phrase("is empty, expected the SQLite file of a journal"),
            file=file,
            remedy=Phrase("restore it from a copy, or give another with --journal"),
        )
    return Path(file)


def _create(path: Path) -> None:
    """An empty file for the owner only, which is an SQLite database, unless there is one; the target of a link."""
    if not mode_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):  # another process was first
            os.close(os.open(resolved(path, EXPECTED), os.O_WRONLY | os.O_CREAT | os.O_EXCL | FLAGS, 0o600))
    resolved(path, EXPECTED)


def is_same_file(db: Connection) -> bool:
    """Whether the path of an SQLite file still leads to the file that this connection writes."""
    held = db.info.get(HELD)
    try:
        return held is None or Identity.of(str(db.engine.url.database))[:2] == held
    except OSError:
        return False


def _prepare_sqlite(file: str | None, connection: Any, record: Any) -> None:
    if file:
        record.info[HELD] = Identity.of(file)[:2]
    connection.isolation_level = None  # the driver's own idea of when to begin is not ours
    _change_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")  # an intent must outlast a power cut


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


def _begin_sqlite(db: Connection) -> None:
    reads = db.get_execution_options().get("sscard_reads")
    db.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
