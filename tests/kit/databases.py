"""The database of a journal, behind the back of the journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sscard.service import Case
from sscard.service.journal.database import SqlJournal


def execute(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Execute statements in one transaction on an SQLite file or a PostgreSQL server; the rows of all."""
    if "://" not in url:
        with closing(sqlite3.connect(url)) as file, file:
            return [row for statement in statements for row in file.execute(statement)]
    import psycopg

    with psycopg.connect(url) as server:
        cursors = [server.execute(statement.encode()) for statement in statements]
        return [row for cursor in cursors if cursor.description for row in cursor]


def copies(journal: SqlJournal, case: Case, numbers: range, *, batch: int = 200) -> None:
    """Open a case again, each so many minutes later, with all its events; a batch of cases is a transaction."""
    for start in range(0, len(numbers), batch):
        with one_transaction(journal):
            for number in numbers[start : start + batch]:
                events = [replace(event, time=event.time + timedelta(minutes=number)) for event in case.events]
                copy = journal.open_case(events[0])
                for event in events[1:]:
                    journal.append(copy, event)


@contextmanager
def one_transaction(journal: SqlJournal) -> Iterator[None]:
    """All events that are written inside are one transaction."""
    with journal._writing() as db:
        journal._writing = lambda: nullcontext(db)  # type: ignore[method-assign]
        try:
            yield
        finally:
            del journal._writing  # type: ignore[method-assign]
