"""Migrate the schema of a journal step by step; a new journal begins at version 0."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Connection, inspect, select, text

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.service.journal.chain import Head, key_check
from sscard.service.journal.schema import JOURNAL, LANE, METADATA

logger = logging.getLogger("sscard.service")

LANES: Final = {"sqlite": 1}
"""SQLite has one writer at a time anyway."""
SHARED_LANES: Final = 64
LOCK: Final = 0x55CA2D
"""The number of the advisory lock under which PostgreSQL migrates."""

Step = Callable[[Connection, bytes], None]


def _create(db: Connection, key: bytes) -> None:
    """0 → 1: all tables, every lane empty."""
    METADATA.create_all(db)
    lanes = LANES.get(db.dialect.name, SHARED_LANES)
    db.execute(JOURNAL.insert().values(version=0, lanes=lanes, key_check=key_check(key)))
    heads = [Head(lane) for lane in range(lanes)]
    rows = [{"lane": head.lane, "events": 0, "cases": 0, "last": head.last, "seal": head.sealed(key)} for head in heads]
    db.execute(LANE.insert(), rows)


STEPS: Final[Mapping[int, Step]] = {0: _create}
"""Migration steps by the version they start from."""


LAST: Final = max(STEPS) + 1
"""The version of the tables in ``schema``."""

_TABLES: Final = ", ".join(sorted(METADATA.tables))
_REMEDY: Final = Phrase("give the journal with --journal, or restore it from a copy")


def migrate(db: Connection, key: bytes, shown: str, steps: Mapping[int, Step] = STEPS) -> None:
    """Migrate the journal to the last version in the caller's transaction; errors as ``version_of``.

    Nothing is written to a foreign SQLite file. A PostgreSQL database may hold other tables beside the journal's.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    found = version_of(db, shown, max(steps) + 1)
    if not found and db.dialect.name == "sqlite" and inspect(db).get_table_names():
        raise not_a_journal(shown)
    for version in range(found, max(steps) + 1):
        steps[version](db, key)
        db.execute(JOURNAL.update().values(version=version + 1))


def version_of(db: Connection, shown: str, last: int = LAST) -> int:
    """The version of the journal in a database, 0 if the database has none of its tables.

    ``InputError``, with the name ``shown``, if a table or column is missing,
    or if a newer sscard wrote the journal.
    """
    columns: dict[str, set[str]] = {name: set() for name in METADATA.tables}
    for (_schema, name), found_columns in inspect(db).get_multi_columns(filter_names=list(columns)).items():
        columns[name] = {column["name"] for column in found_columns}
    if not any(columns.values()):
        return 0
    rows = db.execute(select(JOURNAL.c.version)).scalars().all() if "version" in columns[JOURNAL.name] else []
    found = rows[0] if len(rows) == 1 else None
    if isinstance(found, int) and found > last:
        problem = Phrase("is a journal of version {found}, this sscard knows up to {last}", found=found, last=last)
        raise InputError(problem, file=shown, remedy=Phrase("use a newer sscard"))
    for name, table in METADATA.tables.items():
        missing = sorted({column.name for column in table.columns} - columns[name])
        if found in (None, LAST) and missing:
            lacks = Phrase("it has no table {table}", table=name)
            if columns[name]:
                lacks = Phrase("table {table} has no column {columns}", table=name, columns=", ".join(missing))
            raise InputError(Phrase("is not a journal: {problem}", problem=lacks), file=shown, remedy=_REMEDY)
    if not isinstance(found, int) or found < 1:
        problem = Phrase("is not a journal: {problem}", problem=Phrase("it has no valid version"))
        raise InputError(problem, file=shown, remedy=_REMEDY)
    return found


def lanes_of(db: Connection, key: bytes, shown: str) -> int:
    """The number of lanes of a journal of the last version; ``InputError`` if another key seals it."""
    lanes, check = db.execute(select(JOURNAL.c.lanes, JOURNAL.c.key_check)).one()
    if check != key_check(key):
        raise InputError(
            Phrase("is sealed with another key"), file=shown, remedy=Phrase("give its key file with --journal-key")
        )
    if lanes not in range(1, SHARED_LANES + 1):
        lacks = Phrase("it has no valid number of lanes, expected 1 to {most}", most=SHARED_LANES)
        raise InputError(Phrase("is not a journal: {problem}", problem=lacks), file=shown, remedy=_REMEDY)
    url = db.engine.url
    logger.info("journal opened", extra={"kind": url.get_backend_name(), "database": url.database})
    return int(lanes)


def not_a_journal(shown: str) -> InputError:
    """The error for a database without the tables of a journal."""
    return InputError(
        Phrase("is not a journal, expected a database with the tables {tables}", tables=_TABLES),
        file=shown,
        remedy=_REMEDY,
    )
