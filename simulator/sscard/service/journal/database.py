"""The journal in a database: SQLite (one machine) or PostgreSQL (several), by their drivers.

``JournalReader`` reads and verifies, without a write lock and without changing
the database; ``SqlJournal`` also writes.

**Time.** Events of a lane are in the order in which they were written, and the
journal never writes an earlier time silently. An event whose time is up to
``CLOCK_TOLERANCE`` earlier than that of the event before it has waited for
another's transaction, or comes from a machine whose clock is slightly slow: it
gets the time of the event before it, after which it was in fact written. If the
clock is further back, a correction would hide the error and hold up all later
times, so the event keeps the clock's time and says in its facts how many
seconds it is early (``clock_back``, under its seal).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from random import SystemRandom
from typing import Final

from sscard.errors import InputError, MissingPart
from sscard.i18n.phrase import Phrase
from sscard.service.case import Act, Case, Event, Stage, WrongStage
from sscard.service.journal import schema
from sscard.service.journal.chain import Entry, Head, time_of, written
from sscard.service.journal.engine import EXPECTED, NO_SQLITE, Connection, Database, Row, Statement
from sscard.service.journal.memory import JournalUnavailable, Overtaken, case_number
from sscard.service.journal.migrations import LAST, lanes_of, migrate, not_a_journal, version_of
from sscard.service.journal.opening import open_database
from sscard.service.journal.schema import reason_in
from sscard.service.journal.summary import moment, summaries
from sscard.service.journal.verification import Checkpoint, Verification, verify, verify_lane

logger = logging.getLogger("sscard.service")

CLOCK_TOLERANCE: Final = timedelta(minutes=1)

_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError, WrongStage)
"""What events raise that were not written by a journal."""


class JournalReader:
    """A journal that is only read: it must exist, and no writer is waited for.

    ``url`` is ``postgresql://…``, ``sqlite:///…`` or the path of an SQLite file;
    ``key`` (32 bytes) seals the chain and keys the digests of ID numbers. An
    object belongs to the process that made it.
    """

    def __init__(self, url: str, key: bytes) -> None:
        self._begin(open_database(url, write=False), key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shown}>"

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def case(self, number: str) -> Case | None:
        """The case of a number, built from its events."""
        with self._reading() as db:
            return self._load(db, number)

    def case_of_key(self, key: str) -> Case | None:
        """The case that was opened with an idempotency key."""
        with self._reading() as db:
            found = db.rows(schema.OPENED_WITH, key) if key else []
            return self._load(db, found[0][0]) if found else None

    def cases(
        self, stages: Iterable[Stage] = Stage, since: datetime | None = None, due_before: date | None = None
    ) -> Iterator[Case]:
        """Cases at one of these stages, opened at or after a time, and due before a day, by number.

        No event of another case is read.
        """
        wanted = {stage.value for stage in stages}
        conditions: dict[str, list[str]] = {}
        if len(wanted) < len(Stage):
            conditions[f"stage IN ({','.join('?' * len(wanted)) or 'NULL'})"] = sorted(wanted)
        if since is not None:
            conditions["opened >= ?"] = [moment(since)]
        if due_before is not None:
            conditions["due > '' AND due < ?"] = [due_before.isoformat()]
        some = schema.EVENTS_OF_SOME.format(schema.CASES_WHERE + " AND ".join(conditions))
        statement = some if conditions else schema.EVENTS_BY_CASE
        values = (value for some in conditions.values() for value in some)
        # Closed before the database, also if a case cannot be read.
        with self._reading() as db, closing(db.stream(statement, *values)) as rows:
            for number, events in groupby(map(Entry.of, rows), attrgetter("case")):
                yield self._built(number, [*events])

    def verify(self, since: Checkpoint | None = None) -> Verification:
        """Look at every event of every lane, as they stand at one moment; compare with a checkpoint."""
        with self._reading() as db:
            return verify(db, self.key, self._lanes, since)

    def verify_lane_of(self, case: Case) -> Verification:
        """Look at every event of the lane of a case; the notes are about this case only."""
        with self._reading() as db:
            lanes = db.rows(schema.LANE_OF, case.number)
            found = verify_lane(db, self.key, lanes[0][0] if lanes else -1)
        return replace(found, notes=tuple(note for note in found.notes if note.case == case.number))

    def _begin(self, database: Database, key: bytes) -> None:
        self.key = key
        self._database = database
        self.shown = database.shown
        self.file = database.file
        try:
            self._connect()
            with self._reading() as db:
                version = version_of(db, self.shown)
            if version < LAST:
                self._bring_up(version)
            with self._reading() as db:
                self._lanes = lanes_of(db, key, self.shown)
        except BaseException:
            self.close()
            raise
        logger.info("journal opened", extra={"kind": database.kind, "database": database.name})

    def _bring_up(self, version: int) -> None:
        """Called for a journal of an older version, or for 0 without one."""
        if not version:
            raise not_a_journal(self.shown)
        problem = Phrase("is a journal of version {found}, expected {last}", found=version, last=LAST)
        raise InputError(problem, file=self.shown, remedy=Phrase("migrate it with: sscard case reindex"))

    def _load(self, db: Connection, number: str) -> Case | None:
        entries = [*map(Entry.of, db.rows(schema.EVENTS_OF_CASE, number))]
        return self._built(number, entries) if entries else None

    def _built(self, number: str, entries: Sequence[Entry]) -> Case:
        try:
            if [entry.place for entry in entries] != [*range(1, len(entries) + 1)] or entries[0].act != Act.RECEIVED:
                raise ValueError(number)
            return Case(number, [entry.event() for entry in entries])
        except _UNREADABLE:
            said = Phrase(
                "journal {shown}: case {number} was tampered with, see: sscard case verify",
                shown=self.shown,
                number=number,
            )
            raise JournalUnavailable(said) from None

    def _reading(self) -> AbstractContextManager[Connection]:
        """A transaction that sees one moment."""
        return self._transaction(write=False)

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        try:
            with self._database.transaction(write=write) as db:
                if db.is_lost_file():  # what is written to a file that was replaced would be lost
                    problem = Phrase("was deleted or replaced while it was in use")
                    raise JournalUnavailable(Phrase("journal {shown}: {problem}", shown=self.shown, problem=problem))
                yield db
        except self._database.integrity_error:
            raise
        except self._database.error as error:
            raise self._unavailable(error) from None

    def _connect(self) -> None:
        """The first connection: what fails here is the file or the server."""
        try:
            self._database.open()
        except self._database.error as error:
            reason = self._unavailable(error)
            if self.file is None:
                raise MissingPart(reason.said, Phrase("start the database server, or correct --journal")) from None
            if getattr(error, "sqlite_errorcode", 0) in NO_SQLITE:
                raise InputError(reason.said, remedy=EXPECTED) from None
            raise reason from None

    def _unavailable(self, error: Exception) -> JournalUnavailable:
        # The driver's text, which may contain values, stays out.
        return JournalUnavailable(Phrase("journal {shown}: {problem}", shown=self.shown, problem=reason_in(error)))


class SqlJournal(JournalReader):
    """A journal that is read and written.

    It is migrated when it is opened; with ``create``, a journal that does not exist is created.
    """

    def __init__(self, url: str, key: bytes, *, create: bool = True) -> None:
        self._create = create
        self._begin(open_database(url, write=True, create=create), key)
        self._lane = SystemRandom().randrange(self._lanes)  # a lane of its own, most likely

    def open_case(self, event: Event) -> Case:
        """See ``Journal``; the lane follows from the number, so lanes assign numbers independently."""
        key = event.facts["key"]
        at = self._lane
        try:
            with self._writing() as db:
                opened, *end = db.run(
                    (schema.OPENED_WITH, (key,)), (schema.HEAD + db.lock, (at,)), (schema.TIME, (at, at))
                )
                known = self._load(db, opened[0][0]) if key and opened else None
                if known:
                    return known
                head, before = self._end(*end)
                number = case_number(event, head.cases * self._lanes + at + 1)
                if key:
                    db.later(schema.NEW_OPENING, key, number)
                event = self._write(db, replace(head, cases=head.cases + 1), before, number, 1, event)
                db.later(schema.NEW_SUMMARY, number, event.stage.value, moment(event.time), "")
        except self._database.integrity_error:  # pressed twice at once: the other was first
            known = self.case_of_key(key)
            if known is None:
                raise self._damaged() from None
            return known
        return Case(number, [event])

    def append(self, case: Case, event: Event) -> None:
        """See ``Journal``."""
        case.check(event)
        of = case.number
        try:
            with self._writing() as db:
                head, before = self._end(*db.run((schema.HEAD_OF + db.lock, (of,)), (schema.TIME_OF, (of, of))))
                event = self._write(db, head, before, case.number, case.length + 1, event)
                if event.act is Act.ACCEPTED:
                    db.later(schema.SET_DUE, event.stage.value, event.facts["due"], case.number)
                elif event.stage is not case.stage:
                    db.later(schema.SET_STAGE, event.stage.value, case.number)
        except self._database.integrity_error:
            raise Overtaken(case.number) from None
        case.add(event)

    def reindex(self) -> Verification:
        """Rebuild what follows from the events: the list of cases and the idempotency keys; verify the journal.

        If the chain is broken, nothing is rebuilt. If several cases were opened with one key, which can happen only
        after its row was removed, it leads to the first.
        """
        with self._writing() as db:
            db.rows(schema.HEADS + db.lock)  # waits for every writer
            found = verify(db, self.key, self._lanes)
            if not found.whole or not found.findings:
                return found
            db.run(*((statement, ()) for statement in schema.CLEAR_DERIVED))
            db.run_in_parts(self._derived(db))
            return verify(db, self.key, self._lanes)

    @staticmethod
    def _derived(db: Connection) -> Iterator[Statement]:
        for summary, key, _ in summaries(db.stream(schema.SUMMARISED)):
            yield schema.NEW_SUMMARY, summary
            if key:
                yield schema.SAME_OPENING, (key, summary.case)

    def _bring_up(self, version: int) -> None:
        if not (version or self._create):
            raise not_a_journal(self.shown)
        with self._writing() as db:
            migrate(db, self.key, self.shown)

    def _end(self, heads: list[Row], times: list[Row]) -> tuple[Head, datetime | None]:
        """Head of a lane and time of its last event; a chain that was tampered with is not made longer."""
        head = Head.of(heads[0]) if heads else None
        before = time_of(times[0][0]) if times else None
        if head is None or head.sealed(self.key) != heads[0][-1] or (head.events and before is None):
            raise self._damaged()
        return head, before

    def _write(
        self, db: Connection, head: Head, before: datetime | None, number: str, place: int, event: Event
    ) -> Event:
        """Write an event under the lock of its lane; return it with the time it was written with."""
        early = before - event.time if before else timedelta()
        if early > CLOCK_TOLERANCE:
            event = replace(event, facts=event.facts | {"clock_back": int(early.total_seconds())})
        elif before and early > timedelta():
            event = replace(event, time=before.astimezone(event.time.tzinfo))
        entry = Entry(lane=head.lane, position=head.events + 1, case=number, place=place, **written(event))
        seal = entry.sealed(self.key, head.last)
        db.later(schema.NEW_EVENT, *entry[:-1], seal)
        moved = Head(head.lane, entry.position, head.cases, seal)
        db.later(schema.MOVE_HEAD, moved.events, moved.cases, moved.last, moved.sealed(self.key), moved.lane)
        return event

    def _writing(self) -> AbstractContextManager[Connection]:
        """A transaction that is on disk when it ends well."""
        return self._transaction(write=True)

    def _damaged(self) -> JournalUnavailable:
        said = Phrase("journal {shown}: the chain is damaged, see: sscard case verify", shown=self.shown)
        return JournalUnavailable(said)
