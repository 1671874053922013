"""The tables of a journal in a database, its statements, and the messages for errors of the database.

In a statement, ``?`` is a value. "case" is quoted because it is a word of SQL.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Final

from sscard.i18n.phrase import Phrase, Sayable

TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "journal": {
        "version": "INTEGER NOT NULL",
        "lanes": "INTEGER NOT NULL",
        "key_check": "VARCHAR(16) NOT NULL",
    },
    "lane": {
        "lane": "INTEGER NOT NULL PRIMARY KEY",
        "events": "INTEGER NOT NULL",
        "cases": "INTEGER NOT NULL",
        "last": "VARCHAR(64) NOT NULL",
        "seal": "VARCHAR(64) NOT NULL",
    },
    "event": {
        "lane": "INTEGER NOT NULL",
        "position": "INTEGER NOT NULL",
        "case": "VARCHAR(20) NOT NULL",
        "place": "INTEGER NOT NULL",
        "time": "VARCHAR(40) NOT NULL",
        "stage": "VARCHAR(20) NOT NULL",
        "act": "VARCHAR(20) NOT NULL",
        "text": "TEXT NOT NULL",
        "facts": "TEXT NOT NULL",
        "seal": "VARCHAR(64) NOT NULL, PRIMARY KEY (lane, position)",
    },
    "opening": {
        "key": "VARCHAR(200) NOT NULL PRIMARY KEY",
        "case": "VARCHAR(20) NOT NULL",
    },
    "summary": {
        "case": "VARCHAR(20) NOT NULL PRIMARY KEY",
        "stage": "VARCHAR(20) NOT NULL",
        "opened": "VARCHAR(26) NOT NULL",
        "due": "VARCHAR(10) NOT NULL",
    },
    "base": {
        "lane": "INTEGER NOT NULL PRIMARY KEY",
        "events": "INTEGER NOT NULL",
        "cases": "INTEGER NOT NULL",
        "last": "VARCHAR(64) NOT NULL",
        "kept": "VARCHAR(64) NOT NULL",
        "seal": "VARCHAR(64) NOT NULL",
    },
    "archived": {
        "key": "VARCHAR(200) NOT NULL PRIMARY KEY",
        "case": "VARCHAR(20) NOT NULL",
        "seal": "VARCHAR(64) NOT NULL",
    },
}
"""The columns of each table.

- journal: one row with schema version, number of lanes, check value of the key.
- lane: the head of each lane.
- event: the events; rows are only inserted.
- opening: the case of each idempotency key. The first event of the case contains the key too, under its seal.
- summary: stage, time of opening (UTC) and due day of each case, so that a list reads only the events of its cases.
  It has no seal: verification compares it with the events, which are sealed.
- base: the base of each lane whose beginning is in an archive.
- archived: the case in an archive of each idempotency key, so that a key never opens a second case; with the empty
  key, which no case has, the number of the others.
"""
ADDED: Final[Mapping[str, int]] = {"summary": 2, "base": 3, "archived": 3}
"""The version that added a table, unless it is version 1."""
INDICES: Final[Mapping[str, tuple[str, ...]]] = {
    "event": ('CREATE UNIQUE INDEX event_of_case ON event ("case", place)',),
    "summary": (
        "CREATE INDEX summary_by_stage ON summary (stage, due)",
        "CREATE INDEX summary_by_day ON summary (opened)",
    ),
}
"""Further indices of a table."""

VERSION: Final = "SELECT version FROM journal"
SET_VERSION: Final = "UPDATE journal SET version = ?"
LANES: Final = "SELECT lanes, key_check FROM journal"
NEW_JOURNAL: Final = "INSERT INTO journal (version, lanes, key_check) VALUES (0, ?, ?)"
NEW_HEAD: Final = "INSERT INTO lane (lane, events, cases, last, seal) VALUES (?, ?, ?, ?, ?)"

HEADS: Final = "SELECT lane, events, cases, last, seal FROM lane ORDER BY lane"
HEAD: Final = "SELECT lane, events, cases, last, seal FROM lane WHERE lane = ?"
TIME: Final = "SELECT time FROM event WHERE lane = ? AND position = (SELECT events FROM lane WHERE lane = ?)"
"""The time of the last event of a lane. A join would let PostgreSQL read the whole lane."""
LANE_OF: Final = 'SELECT lane FROM event WHERE "case" = ? AND place = 1'
HEAD_OF: Final = HEAD.replace("?", f"({LANE_OF})")
TIME_OF: Final = TIME.replace("?", f"({LANE_OF})")
MOVE_HEAD: Final = "UPDATE lane SET events = ?, cases = ?, last = ?, seal = ? WHERE lane = ?"
SEAL_HEAD: Final = "UPDATE lane SET seal = ? WHERE lane = ?"
SEAL_AT: Final = "SELECT seal FROM event WHERE lane = ? AND position = ?"

NEW_EVENT: Final = (
    'INSERT INTO event (lane, position, "case", place, time, stage, act, text, facts, seal)'
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
EVENTS: Final = 'SELECT lane, position, "case", place, time, stage, act, text, facts, seal FROM event '
EVENTS_AFTER: Final = EVENTS + "WHERE lane = ? AND position > ? ORDER BY position"
EVENTS_UP_TO: Final = EVENTS + "WHERE lane = ? AND position <= ? ORDER BY position"
EVENTS_ELSEWHERE: Final = EVENTS + "WHERE lane < 0 OR lane >= ? ORDER BY lane, position"
EVENTS_OF_CASE: Final = EVENTS + 'WHERE "case" = ? ORDER BY place'
EVENTS_BY_CASE: Final = EVENTS + 'ORDER BY "case", place'
EVENTS_OF_SOME: Final = EVENTS + 'WHERE "case" IN ({}) ORDER BY "case", place'
CASES_WHERE: Final = 'SELECT "case" FROM summary WHERE '

NEW_OPENING: Final = 'INSERT INTO opening (key, "case") VALUES (?, ?)'
OPENED_WITH: Final = (
    'SELECT "case", 0 FROM opening WHERE key = ? UNION ALL SELECT "case", 1 FROM archived WHERE key = ?'
)
"""The case of a key, and whether it is in an archive."""

BASES: Final = "SELECT lane, events, cases, last, kept, seal FROM base ORDER BY lane"
BASE: Final = "SELECT lane, events, cases, last, kept, seal FROM base WHERE lane = ?"
NO_BASE: Final = "DELETE FROM base WHERE lane = ?"
NEW_BASE: Final = "INSERT INTO base (lane, events, cases, last, kept, seal) VALUES (?, ?, ?, ?, ?, ?)"
CLOSED: Final = (
    "SELECT \"case\" FROM event WHERE lane = ? AND position <= ? AND stage IN ('completed', 'refused', 'failed')"
)
"""The cases that were closed up to a position: no event follows."""
CLOSED_WITH_KEY: Final = 'SELECT key, "case" FROM opening WHERE "case" IN (?)'.replace("?", CLOSED)
KEYS_OF_CLOSED: Final = (
    'SELECT key, "case" FROM opening WHERE "case" IN'
    " (SELECT \"case\" FROM event WHERE stage IN ('completed', 'refused', 'failed'))"
)
NEW_ARCHIVED: Final = 'INSERT INTO archived (key, "case", seal) VALUES (?, ?, ?)'
ARCHIVED: Final = 'SELECT key, "case", seal FROM archived WHERE key <> \'\' ORDER BY "case"'
COUNT_ARCHIVED: Final = "SELECT count(*) FROM archived WHERE key <> ''"
STORED_COUNT: Final = "SELECT \"case\", seal FROM archived WHERE key = ''"
NO_COUNT: Final = "DELETE FROM archived WHERE key = ''"
ARCHIVED_WITH: Final = 'SELECT "case" FROM archived WHERE key = ?'
COUNT_CLOSED: Final = 'SELECT count(*), count(DISTINCT "case") FROM event WHERE "case" IN (?)'.replace("?", CLOSED)
COUNT_KEPT: Final = (
    'SELECT count(DISTINCT "case"), count(DISTINCT CASE WHEN "case" IN'
    " (SELECT \"case\" FROM event WHERE stage IN ('completed', 'refused', 'failed'))"
    ' THEN "case" END) FROM event WHERE lane = ? AND position <= ?'
)
"""The cases with events up to a position, and how many of them are closed now."""
FORGET_CLOSED: Final = (
    'DELETE FROM opening WHERE "case" IN (?)'.replace("?", CLOSED),
    'DELETE FROM summary WHERE "case" IN (?)'.replace("?", CLOSED),
    'DELETE FROM event WHERE "case" IN (?)'.replace("?", CLOSED),
)

SAME_OPENING: Final = NEW_OPENING + " ON CONFLICT DO NOTHING"
CLEAR_DERIVED: Final = ("DELETE FROM summary", "DELETE FROM opening")
"""What follows from the events; ``SqlJournal.reindex`` writes it anew."""
NEW_SUMMARY: Final = 'INSERT INTO summary ("case", stage, opened, due) VALUES (?, ?, ?, ?)'
SET_STAGE: Final = 'UPDATE summary SET stage = ? WHERE "case" = ?'
SET_DUE: Final = 'UPDATE summary SET stage = ?, due = ? WHERE "case" = ?'
SUMMARISED: Final = (
    "SELECT event.\"case\", place, time, event.stage, act, CASE WHEN place = 1 OR act = 'accepted' THEN facts END"
    ' FROM event ORDER BY event."case", place'
)
"""What the summary of each case follows from."""
WITH_SUMMARY: Final = SUMMARISED.replace(
    " FROM event",
    ", summary.stage, summary.opened, summary.due, opening.key FROM event"
    ' LEFT JOIN summary ON summary."case" = event."case"'
    ' LEFT JOIN opening ON opening."case" = event."case" AND place = 1',
)
"""The same, beside the summary and the idempotency key."""
COUNTS: Final = "SELECT (SELECT count(*) FROM summary), (SELECT count(*) FROM opening)"

_SQLITE: Final = {
    sqlite3.SQLITE_ERROR: Phrase("a table of the journal is missing, or is not as sscard creates it"),
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
