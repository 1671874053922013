"""A PostgreSQL server as the database of a journal, by psycopg."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping, Sequence
from functools import cache
from typing import Any, ClassVar, Final

import psycopg
from psycopg.conninfo import make_conninfo

from sscard.errors import InputError
from sscard.service.journal.engine import EXPECTED, NO_URL, Connection, Database, Row, Statement

# psycopg raises an error of a pipeline and logs it too. Without a handler, Python prints the log message.
logging.getLogger("psycopg").addHandler(logging.NullHandler())

LOCK: Final = 0x55CA2D
"""The number of the advisory lock under which a journal is migrated."""


class PostgresqlServer(Database):
    """A server, and the options of a connection to it."""

    kind = "postgresql"
    error = psycopg.Error
    integrity_error = psycopg.IntegrityError

    def __init__(self, shown: str, options: Mapping[str, str]) -> None:
        super().__init__(shown, options.get("dbname", ""))
        try:
            self._options = make_conninfo(**options)
        except psycopg.ProgrammingError:  # no such option
            raise InputError(NO_URL, remedy=EXPECTED) from None

    def connect(self) -> Connection:
        return _Postgresql(psycopg.connect(self._options, autocommit=True))


class _Postgresql(Connection):
    lanes = 64
    # After a statement fails, psycopg treats later ones as prepared although the server has skipped them.
    reusable = False
    private = False
    lock = " FOR UPDATE"
    schema_lock = (("SELECT pg_advisory_xact_lock(?)", (LOCK,)),)
    columns = (
        "SELECT t.relname, c.attname FROM pg_attribute AS c JOIN pg_class AS t ON t.oid = c.attrelid"
        " WHERE t.relkind IN ('r', 'p') AND c.attnum > 0 AND NOT c.attisdropped AND pg_table_is_visible(t.oid)"
        " AND t.relnamespace <> 'pg_catalog'::regnamespace"
    )
    # READ COMMITTED: after the wait for a lock, a statement sees what was committed in the meantime.
    _begin: ClassVar = {
        True: "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        False: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    }

    def __init__(self, raw: psycopg.Connection) -> None:
        super().__init__()
        self._raw = raw

    def stream(self, statement: str, *values: Any) -> Generator[Row, None, None]:
        self.run()
        with self._raw.cursor(name="rows") as cursor:
            cursor.itersize = 500
            yield from cursor.execute(_translated(statement), values)

    def close(self) -> None:
        self._raw.close()

    def is_lost_file(self) -> bool:
        return False

    def _send(self, statements: Sequence[Statement]) -> list[list[Row]]:
        with self._raw.pipeline():
            cursors = [self._raw.execute(_translated(statement), values) for statement, values in statements]
        return [cursor.fetchall() if cursor.description else [] for cursor in cursors]


@cache
def _translated(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()
