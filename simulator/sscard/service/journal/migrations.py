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


def migrate(db: Connection, key: bytes, shown: str, steps: Mapping[int, Step] = STEPS) -> int:
    """Migrate the journal to the last version in the caller's transaction; return the number of its lanes.

    ``InputError``, with the name ``shown``, if a newer sscard wrote the journal
    or it is sealed with another key.
    """
    if db.dialect.name == "postgresql":
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    exists = inspect(db).has_table(JOURNAL.name)
    found = int(db.execute(select(JOURNAL.c.version)).scalar_one()) if exists else 0
    last = max(steps) + 1
    if found > last:
        problem = Phrase("is a journal of version {found}, this sscard knows up to {last}", found=found, last=last)
        raise InputError(problem, file=shown, remedy=Phrase("use a newer sscard"))
    for version in range(found, last):
        steps[version](db, key)
        db.execute(JOURNAL.update().values(version=version + 1))
    lanes, check = db.execute(select(JOURNAL.c.lanes, JOURNAL.c.key_check)).one()
    if check != key_check(key):
        raise InputError(
            Phrase("is sealed with another key"), file=shown, remedy=Phrase("give its key file with --journal-key")
        )
    url = db.engine.url
    logger.info(
        "journal opened", extra={"kind": url.get_backend_name(), "database": url.database, "migrations": last - found}
    )
    return int(lanes)
