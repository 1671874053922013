"""The journal in a database: SQLite (one machine) or PostgreSQL (several), through SQLAlchemy.

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

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby
from random import SystemRandom
from typing import Any, Final

from sqlalchemy import Connection, Engine, Row, Select, bindparam, func, select
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from sscard.errors import InputError, MissingPart
from sscard.i18n.phrase import Phrase
from sscard.service.case import Act, Case, Event, Stage, WrongStage
from sscard.service.journal.chain import Entry, Head, time_of, written
from sscard.service.journal.engine import EXPECTED, NO_URL, engine_for, engine_for_reading, is_same_file
from sscard.service.journal.memory import JournalUnavailable, Overtaken, case_number
from sscard.service.journal.migrations import LAST, lanes_of, migrate, not_a_journal, version_of
from sscard.service.journal.schema import EVENT, LANE, OPENING, reason_in
from sscard.service.journal.verification import Checkpoint, Verification, verify, verify_lane

CLOCK_TOLERANCE: Final = timedelta(minutes=1)

_HEAD: Final = select(LANE).where(LANE.c.lane == bindparam("of")).with_for_update()
_TIME: Final = select(EVENT.c.time).where(EVENT.c.lane == bindparam("of"), EVENT.c.position == bindparam("at"))
_MOVE_HEAD: Final = (
    LANE.update()
    .where(LANE.c.lane == bindparam("of"))
    .values({name: bindparam(name) for name in ("events", "cases", "last", "seal")})
)
_LANE_OF: Final = select(EVENT.c.lane).where(EVENT.c.case == bindparam("of"), EVENT.c.place == 1)
_EVENTS_OF: Final = select(EVENT).where(EVENT.c.case == bindparam("of")).order_by(EVENT.c.place)
_NO_JOURNAL: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
_ONE_MOMENT: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}
_UNREADABLE: Final = (ValueError, TypeError, LookupError, AttributeError, RecursionError, WrongStage)
"""What events raise that were not written by a journal."""


class JournalReader:
    """A journal that is only read: it must exist, and no writer is waited for.

    ``url`` is an SQLAlchemy URL or the path of an SQLite file; ``key`` (32
    bytes) seals the chain and keys the digests of ID numbers. An object belongs
    to the process that made it.
    """

    def __init__(self, url: str, key: bytes) -> None:
        self._begin(engine_for_reading(url), key)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.shown}>"

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def case(self, number: str) -> Case | None:
        """The case of a number, built from its events."""
        with self._reading() as db:
            return self._load(db, number)

    def case_of_key(self, key: str) -> Case | None:
        """The case that was opened with an idempotency key."""
        with self._reading() as db:
            number = self._opened_with(db, key)
            return self._load(db, number) if number else None

    def cases(self, stages: Iterable[Stage] = Stage, since: datetime | None = None) -> Iterator[Case]:
        """Cases at one of these stages and opened at or after a time, by number."""
        with self._reading() as db:
            rows = db.execution_options(yield_per=1000).execute(_cases_at(list(stages)))
            for number, events in groupby(rows, lambda row: str(row.case)):
                case = self._built(number, events)
                if since is None or case.events[0].time >= since:
                    yield case

    def verify(self, since: Checkpoint | None = None) -> Verification:
        """Look at every event of every lane, as they stand at one moment; compare with a checkpoint."""
        with self._reading() as db:
            return verify(db, self.key, self._lanes, since)

    def verify_lane_of(self, case: Case) -> Verification:
        """Look at every event of the lane of a case; the notes are about this case only."""
        with self._reading() as db:
            lane = db.execute(_LANE_OF, {"of": case.number}).scalar()
            found = verify_lane(db, self.key, -1 if lane is None else lane)
        return replace(found, notes=tuple(note for note in found.notes if note.case == case.number))

    def _begin(self, engine: Engine, key: bytes) -> None:
        self.key = key
        self._engine = engine
        self.file = engine.url.database if engine.dialect.name == "sqlite" else None
        self.shown = self.file or engine.url.render_as_string(hide_password=True)
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

    def _bring_up(self, version: int) -> None:
        """Called for a journal of an older version, or for 0 without one."""
        if not version:
            raise not_a_journal(self.shown)
        problem = Phrase("is a journal of version {found}, expected {last}", found=version, last=LAST)
        raise InputError(problem, file=self.shown, remedy=Phrase("the next case migrates it: sscard case open"))

    def _opened_with(self, db: Connection, key: str) -> str | None:
        if not key:
            return None
        found: str | None = db.execute(select(OPENING.c.case).where(OPENING.c.key == key)).scalar()
        return found

    def _load(self, db: Connection, number: str) -> Case | None:
        rows = db.execute(_EVENTS_OF, {"of": number}).all()
        return self._built(number, rows) if rows else None

    def _built(self, number: str, rows: Iterable[Row[Any]]) -> Case:
        entries = [Entry.of(row._asdict()) for row in rows]
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

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        try:
            with self._engine.connect() as connection:
                self._check_file(connection)
                yield connection.execution_options(sscard_reads=True, **_ONE_MOMENT[self._engine.dialect.name])
        except DBAPIError as error:
            raise self._unavailable(error) from None

    def _connect(self) -> None:
        """The first connection: what fails here is the file, the URL or the server."""
        try:
            self._engine.connect().close()
        except DBAPIError as error:
            reason = self._unavailable(error)
            if isinstance(error, ProgrammingError):  # an option in the query of the URL
                raise InputError(NO_URL, remedy=EXPECTED) from None
            if getattr(error.orig, "sqlite_errorcode", 0) in _NO_JOURNAL:
                raise InputError(reason.said, remedy=EXPECTED) from None
            if self._engine.dialect.name == "postgresql":
                raise MissingPart(reason.said, Phrase("start the database server, or correct --journal")) from None
            raise reason from None

    def _check_file(self, db: Connection) -> None:
        """What is written to a file that was replaced would be lost."""
        if not is_same_file(db):
            problem = Phrase("was deleted or replaced while it was in use")
            raise JournalUnavailable(Phrase("journal {shown}: {problem}", shown=self.shown, problem=problem))

    def _unavailable(self, error: DBAPIError) -> JournalUnavailable:
        # The statement and its values, which SQLAlchemy would add, stay out.
        return JournalUnavailable(Phrase("journal {shown}: {problem}", shown=self.shown, problem=reason_in(error.orig)))


class SqlJournal(JournalReader):
    """A journal that is read and written.

    It is migrated when it is opened; with ``create``, a journal that does not exist is created.
    """

    def __init__(self, url: str, key: bytes, *, create: bool = True) -> None:
        self._create = create
        self._begin(engine_for(url, create=create), key)
        self._lane = SystemRandom().randrange(self._lanes)  # a lane of its own, most likely
        self._lane_of: dict[str, int] = {}

    def open_case(self, event: Event) -> Case:
        """See ``Journal``; the lane follows from the number, so lanes assign numbers independently."""
        key = event.facts["key"]
        try:
            with self._writing() as db:
                opened = self._opened_with(db, key)
                known = self._load(db, opened) if opened else None
                if known:
                    return known
                head = self._head(db, self._lane)
                number = case_number(event, head.cases * self._lanes + self._lane + 1)
                if key:
                    db.execute(OPENING.insert().values(key=key, case=number))
                event = self._write(db, replace(head, cases=head.cases + 1), number, 1, event)
        except IntegrityError:  # pressed twice at once: the other was first
            known = self.case_of_key(key)
            if known is None:
                raise self._damaged() from None
            return known
        self._lane_of[number] = self._lane
        return Case(number, [event])

    def append(self, case: Case, event: Event) -> None:
        """See ``Journal``."""
        case.check(event)
        try:
            with self._writing() as db:
                if case.number not in self._lane_of:
                    lane = db.execute(_LANE_OF, {"of": case.number}).scalar()
                    if lane is None:
                        raise self._damaged()
                    self._lane_of[case.number] = lane
                head = self._head(db, self._lane_of[case.number])
                event = self._write(db, head, case.number, case.length + 1, event)
        except IntegrityError:
            raise Overtaken(case.number) from None
        case.add(event)

    def _bring_up(self, version: int) -> None:
        if not (version or self._create):
            raise not_a_journal(self.shown)
        with self._writing() as db:
            migrate(db, self.key, self.shown)

    def _head(self, db: Connection, lane: int) -> Head:
        """A lane's head, locked until the transaction ends; a chain that was tampered with is not made longer."""
        row = db.execute(_HEAD, {"of": lane}).one_or_none()
        head = Head.of(row._asdict()) if row else Head(lane)
        if row is None or head.sealed(self.key) != row.seal:
            raise self._damaged()
        return head

    def _write(self, db: Connection, head: Head, number: str, place: int, event: Event) -> Event:
        """Write an event under the lock of its lane; return it with the time it was written with."""
        if head.events:
            before = time_of(db.execute(_TIME, {"of": head.lane, "at": head.events}).scalar())
            if before is None:
                raise self._damaged()
            early = before - event.time
            if early > CLOCK_TOLERANCE:
                event = replace(event, facts=event.facts | {"clock_back": int(early.total_seconds())})
            elif early > timedelta():
                event = replace(event, time=before.astimezone(event.time.tzinfo))
        row: dict[str, Any] = {"lane": head.lane, "position": head.events + 1, "case": number, "place": place}
        row |= written(event)
        entry = Entry(**row)
        seal = entry.sealed(self.key, head.last)
        db.execute(EVENT.insert(), row | {"seal": seal})
        moved = replace(head, events=entry.position, last=seal)
        numbers = {"of": moved.lane, "events": moved.events, "cases": moved.cases}
        db.execute(_MOVE_HEAD, numbers | {"last": moved.last, "seal": moved.sealed(self.key)})
        return event

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when it ends well."""
        try:
            with self._engine.begin() as db:
                self._check_file(db)
                yield db
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self._unavailable(error) from None

    def _damaged(self) -> JournalUnavailable:
        said = Phrase("journal {shown}: the chain is damaged, see: sscard case verify", shown=self.shown)
        return JournalUnavailable(said)


def _cases_at(stages: list[Stage]) -> Select[Any]:
    last = select(EVENT.c.case, func.max(EVENT.c.place).label("place")).group_by(EVENT.c.case).subquery()
    at_stage = (
        select(EVENT.c.case)
        .join(last, (EVENT.c.case == last.c.case) & (EVENT.c.place == last.c.place))
        .where(EVENT.c.stage.in_([stage.value for stage in stages]))
    )
    return select(EVENT).where(EVENT.c.case.in_(at_stage)).order_by(EVENT.c.case, EVENT.c.place)
