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
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from random import SystemRandom
from typing import ClassVar, Final

from sscard.errors import InputError, MissingPart
from sscard.files import mode_of, remove_left, sync_folder
from sscard.i18n.phrase import Phrase
from sscard.service.case import Act, Case, Event, Stage, WrongStage
from sscard.service.journal import schema
from sscard.service.journal.archive import Moved, continues, copy_beginning, has_more, is_taken_out, take_out
from sscard.service.journal.chain import ARCHIVE, HEAD, Entry, Head, time_of, written
from sscard.service.journal.engine import EXPECTED, NO_SQLITE, Connection, Database, Row
from sscard.service.journal.memory import CaseArchived, JournalUnavailable, Overtaken, case_number
from sscard.service.journal.migrations import LAST, lanes_of, migrate, not_a_journal, version_of
from sscard.service.journal.opening import EXPECTED_ARCHIVE, open_database
from sscard.service.journal.schema import reason_in
from sscard.service.journal.summary import derived, moment
from sscard.service.journal.verification import (
    Archive,
    Checkpoint,
    Verification,
    is_sealed,
    verify,
    verify_lane,
)

logger = logging.getLogger("sscard.service")

CLOCK_TOLERANCE: Final = timedelta(minutes=1)

_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError, WrongStage)
"""What events raise that were not written by a journal."""


class JournalReader:
    """A journal that is only read: it must exist, and no writer is waited for.

    ``url`` is ``postgresql://…``, ``sqlite:///…`` or the path of an SQLite file;
    ``key`` (32 bytes) seals the chain and keys the digests of ID numbers. An
    object belongs to the process that made it. An archive is refused; see ``ArchiveReader``.
    """

    _seal: ClassVar = HEAD
    """Name under the seals of the lanes' heads."""
    _mistaken: ClassVar = ARCHIVE, Phrase("is an archive, which is only read"), Phrase("read it with --archive")
    """The name in what a user mistakes for it, and what the user is then advised."""

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
        """The case that was opened with an idempotency key; ``CaseArchived`` if it is in an archive."""
        with self._reading() as db:
            return self._opened_with(db, db.rows(schema.OPENED_WITH, key, key) if key else [])

    def cases(
        self,
        stages: Iterable[Stage] = Stage,
        since: datetime | None = None,
        due_before: date | None = None,
        until: datetime | None = None,
    ) -> Iterator[Case]:
        """Cases at one of these stages, opened at or after a time and before another, and due before a day, by number.

        No event of another case is read.
        """
        wanted = {stage.value for stage in stages}
        conditions: dict[str, list[str]] = {}
        if len(wanted) < len(Stage):
            conditions[f"stage IN ({','.join('?' * len(wanted)) or 'NULL'})"] = sorted(wanted)
        if since is not None:
            conditions["opened >= ?"] = [moment(since)]
        if until is not None:
            conditions["opened < ?"] = [moment(until)]
        if due_before is not None:
            conditions["due > '' AND due < ?"] = [due_before.isoformat()]
        some = schema.EVENTS_OF_SOME.format(schema.CASES_WHERE + " AND ".join(conditions))
        statement = some if conditions else schema.EVENTS_BY_CASE
        values = (value for some in conditions.values() for value in some)
        # Closed before the database, also if a case cannot be read.
        with self._reading() as db, closing(db.stream(statement, *values)) as rows:
            for number, events in groupby(map(Entry.of, rows), attrgetter("case")):
                yield self._built(number, [*events])

    def verify(self, since: Checkpoint | None = None, archives: Sequence[JournalReader] = ()) -> Verification:
        """Look at every event of every lane, as they stand at one moment; compare with a checkpoint.

        With archives, verify them too, and that each continues the one before it.
        """
        with ExitStack() as reading:
            opened = [Archive(each.shown, reading.enter_context(each._reading()), each._lanes) for each in archives]
            return verify(reading.enter_context(self._reading()), self.key, self._lanes, since, opened, name=self._seal)

    def verify_lane_of(self, case: Case) -> Verification:
        """Look at every event of the lane of a case; the notes are about this case only."""
        with self._reading() as db:
            lanes = db.rows(schema.LANE_OF, case.number)
            found = verify_lane(db, self.key, lanes[0][0] if lanes else -1, self._seal)
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
                self.has_archive = bool(db.rows(schema.BASES))
                other, problem, remedy = self._mistaken
                mistaken = is_sealed(key, db.rows(schema.HEADS), other)
        except BaseException:
            self.close()
            raise
        if mistaken:
            self.close()
            raise InputError(problem, file=self.shown, remedy=remedy)
        logger.info("journal opened", extra={"kind": database.kind, "database": database.name})

    def _bring_up(self, version: int) -> None:
        """Called for a journal of an older version, or for 0 without one."""
        if not version:
            raise not_a_journal(self.shown)
        problem = Phrase("is a journal of version {found}, expected {last}", found=version, last=LAST)
        raise InputError(problem, file=self.shown, remedy=Phrase("migrate it with: sscard case reindex"))

    def _opened_with(self, db: Connection, rows: Sequence[Row]) -> Case | None:
        for number, archived in rows:
            if archived:
                raise CaseArchived(number)
        return self._load(db, rows[0][0]) if rows else None

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


class ArchiveReader(JournalReader):
    """An archive of a journal, which is only read; a journal in its place is refused."""

    _seal = ARCHIVE
    _mistaken = HEAD, Phrase("is a journal and not an archive"), EXPECTED_ARCHIVE


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
                # The lock first: an archiving that it waits for moves keys.
                *end, opened = db.run(
                    (schema.HEAD + db.lock, (at,)), (schema.TIME, (at, at)), (schema.OPENED_WITH, (key, key))
                )
                known = self._opened_with(db, opened) if key else None
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
            db.run_in_parts(derived(db))
            return verify(db, self.key, self._lanes)

    def archive(self, before: datetime, file: Path) -> Moved:
        """Move cases that were closed before a time to an archive; see ``archive``.

        If the file is an archive that an interrupted call left, it is completed, whatever ``before`` is. Errors:
        ``InputError`` if it is another file, or a completed archive and there is more to move; ``JournalUnavailable``
        if the chain is damaged, or if another process archived meanwhile.
        """
        new = file.with_name(f".{file.name}.{os.getpid()}.new")
        written = file if mode_of(file) else new
        try:
            if written == new and not self._copy_beginning(new, before):
                return Moved()
            moved = self._take_out(written, file, before)
            remove_left(file)
            return moved
        finally:
            new.unlink(missing_ok=True)

    def _copy_beginning(self, new: Path, before: datetime) -> bool:
        """Write and verify the archive; whether there is something to move."""
        database = open_database(str(new), write=True, create=True)
        with closing(database.connect()) as archive:
            with self._reading() as db:
                if not verify(db, self.key, self._lanes).whole:
                    raise self._damaged()
                more = copy_beginning(db, archive, self.key, self._lanes, before)
            if not verify(archive, self.key, self._lanes, name=ARCHIVE).whole:
                raise self._damaged()
            archive.rows("PRAGMA journal_mode = DELETE")  # one file, which can be read where nothing can be written
        return more

    def _take_out(self, written: Path, file: Path, before: datetime) -> Moved:
        """Name an archive, and take out what it has, under the locks of all lanes."""
        other = InputError(Phrase("exists already"), file=str(file), remedy=Phrase("choose another name"))
        with self._writing() as db:
            db.rows(schema.HEADS + db.lock)  # waits for every writer
            with self._archive(written) as archive:
                if is_taken_out(db, archive):
                    if written == file and has_more(db, before):
                        raise other
                    return Moved()
                if not is_sealed(self.key, archive.rows(schema.HEADS), ARCHIVE) or not continues(db, archive):
                    if written == file:
                        raise other
                    problem = Phrase("another process archived cases meanwhile; call it again")
                    raise JournalUnavailable(Phrase("journal {shown}: {problem}", shown=self.shown, problem=problem))
            if written != file:
                if mode_of(file):
                    raise other
                written.replace(file)
                sync_folder(file.absolute().parent)
            with self._archive(file) as archive:
                return take_out(db, archive, self.key)

    @contextmanager
    def _archive(self, file: Path) -> Iterator[Connection]:
        with closing(ArchiveReader(str(file), self.key)) as reader, reader._reading() as db:
            yield db

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
