"""Archives: the beginning of a journal, moved to a file of its own that still verifies.

**What an archive is.** An SQLite file with the tables of a journal. It holds
the beginning of each lane, complete up to a position, under its first seals,
and ends with a head of its own, whose seal has another name: no process can add
an event. In the journal a sealed *base* takes the place of the beginning: the
position, the number of cases and the last seal, with which the rest of the lane
is verified. Cases interleave in a lane. A case that was not closed at the
position keeps all its events in the journal; they are in both, and a seal in
the base covers those before the position. An archive that follows another
begins with the base that the journal had. So from the first archive to the
journal each begins where the one before it ends.

**Which cases move.** The position is before the first event of the day, and
before the lane's last event. A case moves if an event up to the position closed
it, because no event can follow. This depends on nothing but the position, so a
writer that works meanwhile changes nothing about it.

**Interruption.** The archive is written beside its file, synced and verified.
Then one transaction of the journal, which holds the head of every lane, gives
it its name and takes out what it has. A process killed before the name leaves
files ``.new`` that the next archiving to the same file removes; one killed after it leaves a whole archive and
a whole journal, and the same call takes out what the archive has.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sscard.service.journal import schema
from sscard.service.journal.chain import (
    ARCHIVE,
    Base,
    Entry,
    Head,
    key_check,
    seal_of_count,
    seal_of_kept,
    seal_of_key,
    time_of,
)
from sscard.service.journal.engine import Connection, Row
from sscard.service.journal.migrations import LAST, create_tables
from sscard.service.journal.summary import derived

PART: Final = 1000
"""Events that are held in memory."""
NOTHING: Final = Base(0).end


@dataclass(frozen=True, slots=True)
class Moved:
    """What moved to an archive: numbers of events and cases.

    Of the cases that stay with older events, ``kept`` counts the open ones, and ``later`` those that were closed since
    and move with a later archive, such as a case that was closed by the last event of its lane.
    """

    events: int = 0
    cases: int = 0
    kept: int = 0
    later: int = 0


def copy_beginning(db: Connection, archive: Connection, key: bytes, lanes: int, before: datetime) -> bool:
    """Write the archive of what is before a time to an empty database; whether a case moves."""
    archive.begin(write=True)
    create_tables(archive)
    archive.later(schema.NEW_JOURNAL, lanes, key_check(key))
    archive.later(schema.SET_VERSION, LAST)
    bases = {row[0]: row for row in db.rows(schema.BASES)}
    more = False
    for head in map(Head.of, db.rows(schema.HEADS)):
        base = Base(head.lane)
        if stored := bases.get(head.lane):
            base = Base.of(stored)
            archive.later(schema.NEW_BASE, *stored)
            rows = db.stream(schema.EVENTS_UP_TO, base.lane, base.events)
            archive.run_in_parts((schema.NEW_EVENT, row) for row in rows)
        end = Head(head.lane, *base.end)
        with closing(_beginning(db, head, base, before)) as entries:
            for entry in entries:
                archive.later(schema.NEW_EVENT, *entry)
                if not entry.position % PART:
                    archive.run()
                end = Head(head.lane, entry.position, end.cases + (entry.place == 1), entry.seal)
        more |= bool(db.rows(schema.COUNT_CLOSED, head.lane, end.events)[0][0])
        archive.later(schema.NEW_HEAD, end.lane, end.events, end.cases, end.last, end.sealed(key, ARCHIVE))
    archive.run_in_parts(derived(archive))
    archive.commit()
    return more


def _beginning(db: Connection, head: Head, base: Base, before: datetime) -> Generator[Entry]:
    """The events of a lane after its base that move: up to the first one of the day, without the lane's last one."""
    with closing(db.stream(schema.EVENTS_AFTER, head.lane, base.events)) as rows:
        for entry in map(Entry.of, rows):
            time = time_of(entry.time)
            if entry.position >= head.events or time is None or time >= before:
                return
            yield entry


def has_more(db: Connection, before: datetime) -> bool:
    """Whether there are events before a time that would move to another archive."""
    bases = {row[0]: Base.of(row) for row in db.rows(schema.BASES)}
    for head in map(Head.of, db.rows(schema.HEADS)):
        with closing(_beginning(db, head, bases.get(head.lane, Base(head.lane)), before)) as entries:
            if next(entries, None):
                return True
    return False


def is_taken_out(db: Connection, archive: Connection) -> bool:
    """Whether the journal begins where the archive ends."""
    return {row[0]: row[1:4] for row in db.rows(schema.BASES)} == _ends(archive)


def continues(db: Connection, archive: Connection) -> bool:
    """Whether the archive begins where the journal does, and its last events are those of the journal."""
    if db.rows(schema.BASES) != archive.rows(schema.BASES):
        return False
    began = {row[0]: row[1:4] for row in archive.rows(schema.BASES)}
    return all(
        began.get(lane, NOTHING) == end or db.rows(schema.SEAL_AT, lane, end[0]) == [(end[2],)]
        for lane, end in _ends(archive).items()
    )


def _ends(archive: Connection) -> dict[int, Row]:
    return {row[0]: row[1:4] for row in archive.rows(schema.HEADS)}


def take_out(db: Connection, archive: Connection, key: bytes) -> Moved:
    """Remove from the journal what the archive has, except for cases that were not closed, and write the bases.

    In a transaction that holds the head of every lane.
    """
    events = cases = kept = later = 0
    for lane, (position, opened, last) in _ends(archive).items():
        found = db.rows(schema.COUNT_CLOSED, lane, position)[0]
        events, cases = events + found[0], cases + found[1]
        db.run_in_parts(
            (schema.NEW_ARCHIVED, (opening, case, seal_of_key(key, opening, case)))
            for opening, case in db.stream(schema.CLOSED_WITH_KEY, lane, position)
        )
        db.run(*((statement, (lane, position)) for statement in schema.FORGET_CLOSED))
        seal = seal_of_kept(key, map(Entry.of, db.stream(schema.EVENTS_UP_TO, lane, position)))
        stay, closed = db.rows(schema.COUNT_KEPT, lane, position)[0]
        kept, later = kept + stay - closed, later + closed
        base = Base(lane, position, opened, last, seal)
        db.later(schema.NO_BASE, lane)
        db.later(schema.NEW_BASE, lane, *base.end, seal, base.sealed(key))
    count = db.rows(schema.COUNT_ARCHIVED)[0][0]
    db.later(schema.NO_COUNT)
    db.later(schema.NEW_ARCHIVED, "", str(count), count_seal(db, key, count))
    return Moved(events, cases, kept, later)


def count_seal(db: Connection, key: bytes, count: int) -> str:
    """The seal of this number of idempotency keys of archived cases, at the bases of the journal."""
    return seal_of_count(key, count, [row[-1] for row in db.rows(schema.BASES)])
