"""The journal in a database: SQLite (one machine) or PostgreSQL (several), through SQLAlchemy."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from random import SystemRandom
from stat import S_ISREG
from time import monotonic, sleep
from typing import Any, Final

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Row,
    Select,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
)
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, NoSuchModuleError, ProgrammingError

from sscard.errors import InputError, MissingPart
from sscard.files import mode_of
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.service.case import Act, Case, Event, Stage
from sscard.service.journal.chain import Entry, Finding, Head, examine, written
from sscard.service.journal.memory import JournalUnavailable, Overtaken, case_number
from sscard.service.journal.migrations import migrate
from sscard.service.journal.schema import EVENT, LANE, OPENING, reason_in

SQLITE_WAIT: Final = 30
"""Seconds to wait for another process's transaction."""
KEY_LENGTH: Final = 32

_HEAD: Final = select(LANE).where(LANE.c.lane == bindparam("of")).with_for_update()
_MOVE_HEAD: Final = (
    LANE.update()
    .where(LANE.c.lane == bindparam("of"))
    .values({name: bindparam(name) for name in ("events", "cases", "last", "seal")})
)
_LANE_OF: Final = select(EVENT.c.lane).where(EVENT.c.case == bindparam("of"), EVENT.c.place == 1)
_EVENTS_OF: Final = select(EVENT).where(EVENT.c.case == bindparam("of")).order_by(EVENT.c.place)


@dataclass(frozen=True, slots=True)
class Verification:
    """What ``verify`` found: how much it looked at, and what is not as it was written."""

    events: int
    cases: int
    findings: tuple[Finding, ...]


class SqlJournal:
    """A journal in a database, made or migrated when it is opened.

    ``url`` is an SQLAlchemy URL or the path of an SQLite file; ``key`` (32
    bytes) seals the chain and keys the digests of ID numbers. Without
    ``create`` an SQLite file must be there. An object belongs to the process
    that made it.
    """

    def __init__(self, url: str, key: bytes, *, create: bool = True) -> None:
        self.key = key
        self._engine = _engine(url, create)
        self.shown = self._engine.url.render_as_string(hide_password=True)
        try:
            self._connect()
            with self._writing() as db:
                lanes = migrate(db, key, self.shown)
        except BaseException:
            self.close()
            raise
        self._lane = SystemRandom().randrange(lanes)  # a lane of its own, most likely
        self._lanes = lanes
        self._lane_of: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<SqlJournal {self.shown}>"

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def open_case(self, event: Event) -> Case:
        """See ``Journal``; the lane follows from the number, so lanes assign numbers independently."""
        key = event.facts["key"]
        try:
            with self._writing() as db:
                known = self._opened_with(db, key)
                if known:
                    return self._load(db, known)
                head = self._head(db, self._lane)
                number = case_number(event, head.cases * self._lanes + self._lane + 1)
                if key:
                    db.execute(OPENING.insert().values(key=key, case=number))
                self._write(db, replace(head, cases=head.cases + 1), number, 1, event)
        except IntegrityError:  # pressed twice at once: the other was first
            opened = self.case_of_key(key)
            if opened is None:
                raise self._damaged() from None
            return opened
        self._lane_of[number] = self._lane
        return Case(number, [event])

    def append(self, case: Case, event: Event) -> None:
        """See ``Journal``."""
        case.check(event)
        try:
            with self._writing() as db:
                if case.number not in self._lane_of:
                    self._lane_of[case.number] = int(db.execute(_LANE_OF, {"of": case.number}).scalar_one())
                head = self._head(db, self._lane_of[case.number])
                self._write(db, head, case.number, case.length + 1, event)
        except IntegrityError:
            raise Overtaken(case.number) from None
        case.add(event)

    def case(self, number: str) -> Case | None:
        """The case of a number, built from its events."""
        with self._reading() as db:
            found = db.execute(_EVENTS_OF, {"of": number}).all()
        return Case(number, map(_event, found)) if found else None

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
                case = Case(number, map(_event, events))
                if since is None or case.events[0].time >= since:
                    yield case

    def verify(self) -> Verification:
        """Look at every event of every lane, as they stand at one moment."""
        findings: list[Finding] = []
        keys: dict[str, str] = {}
        events = cases = 0
        with self._reading() as db:
            heads = db.execute(select(LANE).order_by(LANE.c.lane)).all()
            for row in heads:
                head = _head(row)
                of_lane = select(EVENT).where(EVENT.c.lane == head.lane).order_by(EVENT.c.position)
                entries = map(_entry, db.execution_options(yield_per=1000).execute(of_lane))
                findings += examine(self.key, head, row.seal, _with_keys(entries, keys))
                events, cases = events + head.events, cases + head.cases
            gone = set(range(self._lanes)).difference(int(row.lane) for row in heads)
            findings += [Finding(lane, 0, Phrase("the lane's head is gone")) for lane in sorted(gone)]
            findings += _strays(db, self._lanes)
            findings += _wrong_keys(db, keys)
        return Verification(events, cases, tuple(findings))

    def _head(self, db: Connection, lane: int) -> Head:
        """A lane's head, locked until the transaction ends; a chain that was tampered with is not made longer."""
        row = db.execute(_HEAD, {"of": lane}).one_or_none()
        if row is None or _head(row).sealed(self.key) != row.seal:
            raise self._damaged()
        return _head(row)

    def _write(self, db: Connection, head: Head, number: str, place: int, event: Event) -> None:
        row: dict[str, Any] = {"lane": head.lane, "position": head.events + 1, "case": number, "place": place}
        row |= written(event)
        entry = Entry(**row)
        seal = entry.sealed(self.key, head.last)
        db.execute(EVENT.insert(), row | {"seal": seal})
        moved = replace(head, events=entry.position, last=seal)
        numbers = {"of": moved.lane, "events": moved.events, "cases": moved.cases}
        db.execute(_MOVE_HEAD, numbers | {"last": moved.last, "seal": moved.sealed(self.key)})

    def _opened_with(self, db: Connection, key: str) -> str | None:
        if not key:
            return None
        found: str | None = db.execute(select(OPENING.c.case).where(OPENING.c.key == key)).scalar()
        return found

    def _load(self, db: Connection, number: str) -> Case:
        return Case(number, map(_event, db.execute(_EVENTS_OF, {"of": number})))

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """A transaction that is on disk when it ends well."""
        try:
            with self._engine.begin() as db:
                yield db
        except IntegrityError:
            raise
        except DBAPIError as error:
            raise self._unavailable(error) from None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """A transaction that sees one moment."""
        try:
            with self._engine.connect() as connection:
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
                raise InputError(_NO_URL, remedy=_REMEDY) from None
            if getattr(error.orig, "sqlite_errorcode", 0) in _NO_JOURNAL:
                raise InputError(reason.said, remedy=_REMEDY) from None
            if self._engine.dialect.name == "postgresql":
                raise MissingPart(reason.said, Phrase("start the database server, or correct --journal")) from None
            raise reason from None

    def _damaged(self) -> JournalUnavailable:
        said = Phrase("journal {shown}: the chain is damaged, see: sscard case verify", shown=self.shown)
        return JournalUnavailable(said)

    def _unavailable(self, error: DBAPIError) -> JournalUnavailable:
        # The statement and its values, which SQLAlchemy would add, stay out.
        return JournalUnavailable(Phrase("journal {shown}: {problem}", shown=self.shown, problem=reason_in(error.orig)))


_NO_JOURNAL: Final = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CANTOPEN)
_NO_URL: Final = Phrase("--journal: not the URL of a journal")
_REMEDY: Final = Phrase("expected the path of an SQLite file, or postgresql://user@host/database")
_HOST: Final = {"sqlite": re.compile(""), "postgresql": re.compile(r"[^\s\[\]]*")}
"""What may be the host in a URL, by database."""
_ONE_MOMENT: Final[dict[str, dict[str, Any]]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ"},
}


def _cases_at(stages: list[Stage]) -> Select[Any]:
    last = select(EVENT.c.case, func.max(EVENT.c.place).label("place")).group_by(EVENT.c.case).subquery()
    at_stage = (
        select(EVENT.c.case)
        .join(last, (EVENT.c.case == last.c.case) & (EVENT.c.place == last.c.place))
        .where(EVENT.c.stage.in_([stage.value for stage in stages]))
    )
    return select(EVENT).where(EVENT.c.case.in_(at_stage)).order_by(EVENT.c.case, EVENT.c.place)


def _strays(db: Connection, lanes: int) -> Iterator[Finding]:
    """Events outside every lane."""
    for row in db.execute(select(EVENT).where(~EVENT.c.lane.between(0, lanes - 1))):
        yield Finding(row.lane, row.position, Phrase("in no lane of this journal"), row.case)


def _with_keys(entries: Iterator[Entry], keys: dict[str, str]) -> Iterator[Entry]:
    """Pass entries on and note the case of each idempotency key."""
    for entry in entries:
        if entry.act == Act.RECEIVED:
            with suppress(ValueError, KeyError):  # edited facts are found by their seal
                keys[entry.event().facts["key"]] = entry.case
        yield entry


def _wrong_keys(db: Connection, keys: dict[str, str]) -> Iterator[Finding]:
    """Keys that do not lead to the case that was opened with them: pressed again, they would open another."""
    keys.pop("", None)
    kept = {row.key: row.case for row in db.execute(select(OPENING))}
    for key in keys.keys() | kept.keys():
        if keys.get(key) != kept.get(key):
            yield Finding(0, 0, Phrase("an idempotency key does not lead to its case"), keys.get(key, ""))


def _entry(row: Row[Any]) -> Entry:
    return Entry(**row._mapping)


def _event(row: Row[Any]) -> Event:
    return _entry(row).event()


def _head(row: Row[Any]) -> Head:
    return Head(row.lane, row.events, row.cases, row.last)


def _engine(url: str, create: bool) -> Engine:
    parsed = _parsed(url)
    try:
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed, create)
        return create_engine(parsed)
    except ValueError:  # an option in the query of the URL
        raise InputError(_NO_URL, remedy=_REMEDY) from None
    except ModuleNotFoundError as error:
        missing = Phrase("{name} is not installed", name=error.name or "")
        raise MissingPart(missing, 'pip install "sscard[postgresql]"') from None


def _parsed(url: str) -> URL:
    """The URL with its driver; ``InputError`` for a database that cannot be a journal."""
    try:
        file = None if "://" in url else str(Path(url).expanduser())
        parsed = URL.create("sqlite", database=file) if file else make_url(url)
        backend = parsed.get_backend_name()
        fits = _HOST[backend].fullmatch(parsed.host or "") and (parsed.port or 0) <= 0xFFFF
    except (ArgumentError, NoSuchModuleError, ValueError, RuntimeError, KeyError):  # as of a port in words, ~nobody
        fits = None
    if not fits:
        raise InputError(_NO_URL, remedy=_REMEDY)
    return parsed.set(drivername="postgresql+psycopg") if backend == "postgresql" else parsed


def _sqlite(url: URL, create: bool) -> Engine:
    if url.database:
        mode = mode_of(Path(url.database))
        if mode and not S_ISREG(mode):
            raise InputError(Phrase("is not a regular file"), file=url.database, remedy=_REMEDY)
        if not mode and not create:
            remedy = Phrase("a first case makes it: sscard case open")
            raise InputError(Phrase("there is no journal"), file=url.database, remedy=remedy)
        try:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = Phrase("cannot be a journal: {reason}", reason=reason_of(error))
            raise InputError(problem, file=url.database) from None
    engine = create_engine(url, connect_args={"timeout": SQLITE_WAIT})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver's own idea of when to begin is not ours
    _change_to_wal(connection)
    connection.execute("PRAGMA synchronous = FULL")  # an intent must outlast a power cut


def _change_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite's own wait for a lock does not cover this change if another process writes to the new database."""
    deadline = monotonic() + SQLITE_WAIT
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > deadline:
                raise
            sleep(0.01)
        else:
            return


def _begin_sqlite(db: Connection) -> None:
    reads = db.get_execution_options().get("sscard_reads")
    db.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def load_key(path: Path) -> bytes:
    """The journal's key (32 bytes as 64 hex digits) from its file, created for the owner only if it does not exist."""
    try:
        _make_key(path)
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise InputError(Phrase("cannot be read: {reason}", reason=reason_of(error)), file=str(path)) from None
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH:
        raise InputError(
            Phrase("is not the key of a journal"), file=str(path), remedy=Phrase("64 hex digits are expected")
        )
    return key


def _make_key(path: Path) -> None:
    """Whole or not at all, and once: a file beside it takes its place unless another did."""
    if mode_of(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, os.urandom(KEY_LENGTH).hex().encode())
        os.fsync(handle)
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        beside.unlink()
