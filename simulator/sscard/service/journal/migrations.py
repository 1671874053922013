"""Migrate the schema of a journal step by step; a new journal begins at version 0."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.service.journal import schema
from sscard.service.journal.chain import HEAD, START, Head, key_check
from sscard.service.journal.engine import Connection, Row
from sscard.service.journal.schema import ADDED, INDICES, TABLES
from sscard.service.journal.summary import summaries

SHARED_LANES: Final = 64
VERSION_1: Final = "head"
VERSION_2: Final = "head 2"
"""The names under the seal of a lane's head in these versions."""

Step = Callable[[Connection, bytes], None]


def _create(db: Connection, key: bytes) -> None:
    """0 → 1: the tables of version 1, every lane empty."""
    create_tables(db, TABLES.keys() - ADDED.keys())
    db.rows(schema.NEW_JOURNAL, db.lanes, key_check(key))
    for lane in range(db.lanes):
        db.later(schema.NEW_HEAD, lane, 0, 0, START, Head(lane).sealed(key, VERSION_1))


def _summarise(db: Connection, key: bytes) -> None:
    """1 → 2: the summary of each case.

    The seals of the lane heads change, so that a process of an older sscard,
    which would write events without summary, refuses to write. A head that was
    tampered with is left as it is.
    """
    heads = db.rows(schema.HEADS + db.lock)  # waits for every writer
    create_tables(db, ("summary",))
    db.run_in_parts((schema.NEW_SUMMARY, summary) for summary, _, _ in summaries(db.stream(schema.SUMMARISED)))
    _seal_anew(db, key, heads, VERSION_1, VERSION_2)


def _prepare_archives(db: Connection, key: bytes) -> None:
    """2 → 3: the bases of lanes, and the keys of archived cases.

    The seals of the lane heads change, so that a process of an older sscard,
    which would open a second case with such a key, refuses to write.
    """
    heads = db.rows(schema.HEADS + db.lock)
    create_tables(db, ("base", "archived"))
    _seal_anew(db, key, heads, VERSION_2, HEAD)


def _seal_anew(db: Connection, key: bytes, heads: Iterable[Row], before: str, after: str) -> None:
    for row in heads:
        head = Head.of(row)
        if head.sealed(key, before) == row[-1]:
            db.later(schema.SEAL_HEAD, head.sealed(key, after), head.lane)


def create_tables(db: Connection, names: Iterable[str] = TABLES) -> None:
    """Create these tables as they are in the last version, with their indices."""
    for name in names:
        columns = ", ".join(f'"{column}" {kind}' for column, kind in TABLES[name].items())
        db.later(f"CREATE TABLE {name} ({columns})")
        for index in INDICES.get(name, ()):
            db.later(index)
    db.run()


STEPS: Final[Mapping[int, Step]] = {0: _create, 1: _summarise, 2: _prepare_archives}
"""Migration steps by the version they start from."""


LAST: Final = max(STEPS) + 1
"""The version of the tables in ``schema``."""

_TABLES: Final = ", ".join(sorted(TABLES))
ANOTHER: Final = Phrase("give the journal with --journal, or restore it from a copy")


def migrate(db: Connection, key: bytes, shown: str, steps: Mapping[int, Step] = STEPS) -> None:
    """Migrate the journal to the last version in the caller's transaction; errors as ``version_of``.

    Nothing is written to a foreign SQLite file. A PostgreSQL database may hold other tables beside the journal's.
    """
    db.run(*db.schema_lock)
    found = version_of(db, shown, max(steps) + 1)
    if not found and db.private and db.rows(db.columns):
        raise not_a_journal(shown)
    if found:
        lanes_of(db, key, shown)  # another key would seal what it cannot verify
    for version in range(found, max(steps) + 1):
        steps[version](db, key)
        db.rows(schema.SET_VERSION, version + 1)


def version_of(db: Connection, shown: str, last: int = LAST) -> int:
    """The version of the journal in a database, 0 if the database has none of its tables.

    ``InputError``, with the name ``shown``, if a table or column is missing,
    or if a newer sscard wrote the journal.
    """
    columns: dict[str, set[str]] = {name: set() for name in TABLES}
    for table, column in db.rows(db.columns):
        if table in columns:
            columns[table].add(column)
    if not any(columns.values()):
        return 0
    rows = db.rows(schema.VERSION) if "version" in columns["journal"] else []
    found = rows[0][0] if len(rows) == 1 else None
    if isinstance(found, int) and found > last:
        problem = Phrase("is a journal of version {found}, this sscard knows up to {last}", found=found, last=last)
        raise InputError(problem, file=shown, remedy=Phrase("use a newer sscard"))
    for name, table in TABLES.items():
        missing = sorted(table.keys() - columns[name])
        added = ADDED.get(name, 1)
        if isinstance(found, int) and 1 <= found < added:
            if columns[name]:
                lacks = Phrase(
                    "its version is {found}, but it has table {table} of version {added}",
                    found=found,
                    table=name,
                    added=added,
                )
                raise InputError(Phrase("is not a journal: {problem}", problem=lacks), file=shown, remedy=ANOTHER)
        elif missing and (found is None or isinstance(found, int)):
            lacks = Phrase("it has no table {table}", table=name)
            if columns[name]:
                lacks = Phrase("table {table} has no column {columns}", table=name, columns=", ".join(missing))
            raise InputError(Phrase("is not a journal: {problem}", problem=lacks), file=shown, remedy=ANOTHER)
    if not isinstance(found, int) or found < 1:
        problem = Phrase("is not a journal: {problem}", problem=Phrase("it has no valid version"))
        raise InputError(problem, file=shown, remedy=ANOTHER)
    return found


def lanes_of(db: Connection, key: bytes, shown: str) -> int:
    """The number of lanes of a journal; ``InputError`` if another key seals it."""
    lanes, check = db.rows(schema.LANES)[0]
    if check != key_check(key):
        raise InputError(
            Phrase("is sealed with another key"), file=shown, remedy=Phrase("give its key file with --journal-key")
        )
    if lanes not in range(1, SHARED_LANES + 1):
        lacks = Phrase("it has no valid number of lanes, expected 1 to {most}", most=SHARED_LANES)
        raise InputError(Phrase("is not a journal: {problem}", problem=lacks), file=shown, remedy=ANOTHER)
    return int(lanes)


def not_a_journal(shown: str) -> InputError:
    """The error for a database without the tables of a journal."""
    return InputError(
        Phrase("is not a journal, expected a database with the tables {tables}", tables=_TABLES),
        file=shown,
        remedy=ANOTHER,
    )
