"""What takes long to make and is the same for all tests: made by the first worker that needs it, read by the others."""

from __future__ import annotations

import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

LONGEST = 1800
"""Seconds that a worker waits for another one to make it. If that one dies, the next makes it."""


def made_once(folder: Path, name: str, make: Callable[[], T]) -> T:
    """What ``make`` returns, kept in a folder that all workers of a test run have in common."""
    with closing(sqlite3.connect(folder / f"{name}.db", timeout=LONGEST, isolation_level=None)) as database:
        database.execute("BEGIN EXCLUSIVE")
        database.execute("CREATE TABLE IF NOT EXISTS made (value BLOB)")
        for (value,) in database.execute("SELECT value FROM made"):
            found: T = pickle.loads(value)  # noqa: S301 - of this test run
            return found
        made = make()
        database.execute("INSERT INTO made VALUES (?)", (pickle.dumps(made),))
        database.execute("COMMIT")
        return made
