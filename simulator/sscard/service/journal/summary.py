"""The summary of each case: its stage, when it was opened and when it is due, so that a list need not read the rest.

A summary follows from the events of its case, which are sealed. It has no seal:
it only decides which cases a list reads, and verification compares it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any, NamedTuple

from sscard.service.case import Act
from sscard.service.journal import schema
from sscard.service.journal.chain import time_of
from sscard.service.journal.engine import Connection, Row, Statement


class Summary(NamedTuple):
    """A row of the table; ``opened`` as ``moment``, ``due`` a day as ISO text or empty."""

    case: str
    stage: str
    opened: str
    due: str = ""


def moment(time: datetime | None) -> str:
    """A time as UTC and of one length, so that its text has the order of time; empty if there is none."""
    try:
        return time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") if time else ""
    except OverflowError:  # the year 1, of an event that was edited
        return ""


def summaries(rows: Iterable[Row]) -> Iterator[tuple[Summary, str, list[Row]]]:
    """Summary and idempotency key of each case by its rows of ``SUMMARISED``, whose case and place are in order."""
    for case, found in groupby(rows, itemgetter(0)):
        events = [*found]
        first, last = events[0], events[-1]
        due = next((facts_of(row[5]).get("due") for row in events if row[4] == Act.ACCEPTED), "")
        key = facts_of(first[5]).get("key")
        summary = Summary(str(case), str(last[3]), moment(time_of(first[2])), due[:10] if isinstance(due, str) else "")
        yield summary, key if isinstance(key, str) else "", events


def derived(db: Connection) -> Iterator[Statement]:
    """The statements that write the summary and the idempotency key of each case."""
    for summary, key, _ in summaries(db.stream(schema.SUMMARISED)):
        yield schema.NEW_SUMMARY, summary
        if key:
            yield schema.SAME_OPENING, (key, summary.case)


def facts_of(stored: Any) -> dict[str, Any]:
    """The facts of an event as stored, empty if no journal wrote them."""
    try:
        facts = json.loads(stored)
    except (ValueError, TypeError, RecursionError):
        return {}
    return facts if isinstance(facts, dict) else {}
