"""The tables of a journal in a database, and the messages for errors of the database."""

from __future__ import annotations

import sqlite3
from typing import Final

from sqlalchemy import Column, Index, Integer, MetaData, String, Table, Text

from sscard.i18n.phrase import Phrase, Sayable

METADATA: Final = MetaData()

JOURNAL: Final = Table(
    "journal",
    METADATA,
    Column("version", Integer, nullable=False),
    Column("lanes", Integer, nullable=False),
    Column("key_check", String(16), nullable=False),
)
"""One row: schema version, number of lanes, check value of the key."""

LANE: Final = Table(
    "lane",
    METADATA,
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("events", Integer, nullable=False),
    Column("cases", Integer, nullable=False),
    Column("last", String(64), nullable=False),
    Column("seal", String(64), nullable=False),
)
"""The head of each lane: the only rows that are ever updated."""

EVENT: Final = Table(
    "event",
    METADATA,
    Column("lane", Integer, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("case", String(20), nullable=False),
    Column("place", Integer, nullable=False),
    Column("time", String(40), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("act", String(20), nullable=False),
    Column("text", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("seal", String(64), nullable=False),
    Index("event_of_case", "case", "place", unique=True),
)
"""The events; rows are only inserted."""

OPENING: Final = Table(
    "opening",
    METADATA,
    Column("key", String(200), primary_key=True),
    Column("case", String(20), nullable=False),
)
"""The case of each idempotency key; the first event of the case contains the key too, under its seal."""

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: Phrase("another process writes to it"),
    sqlite3.SQLITE_LOCKED: Phrase("another process writes to it"),
    sqlite3.SQLITE_READONLY: Phrase("Read-only file system"),
    sqlite3.SQLITE_IOERR: Phrase("Input/output error"),
    sqlite3.SQLITE_CORRUPT: Phrase("the file is damaged"),
    sqlite3.SQLITE_FULL: Phrase("No space left on device"),
    sqlite3.SQLITE_CANTOPEN: Phrase("the file cannot be opened"),
    sqlite3.SQLITE_NOTADB: Phrase("the file is not an SQLite database"),
}
_POSTGRESQL: Final = {
    "08": Phrase("the connection to the database server was lost"),
    "28": Phrase("the database server refuses the user or the password"),
    "3D": Phrase("the database server has no such database"),
    "42": Phrase("the database user may not do this, or the tables of the journal are missing"),
    "53": Phrase("the database server is out of disk space, memory or connections"),
    "57": Phrase("the database server is starting or stopping"),
}
"""By the class of an SQLSTATE, its first two characters."""


def reason_in(error: BaseException | None) -> Sayable:
    """Why a database failed, by error number or SQLSTATE; the driver's own text may contain values."""
    number: int | None = getattr(error, "sqlite_errorcode", None)
    if number is not None:
        return _SQLITE.get(number & 0xFF, Phrase("SQLite error {number}", number=number))
    if isinstance(error, sqlite3.Error):  # such as text that is not UTF-8
        return _SQLITE[sqlite3.SQLITE_CORRUPT]
    state: str | None = getattr(error, "sqlstate", None)
    if state is not None:
        return _POSTGRESQL.get(state[:2], Phrase("the database server refused (SQLSTATE {state})", state=state))
    return Phrase("the database server cannot be reached")
