"""Verification of a journal, and the checkpoint: one line to keep outside of it.

The chain shows that an event was removed, edited or moved. It does not show
that the whole database, or one lane with its head, was replaced by an older
copy of itself: an older copy is a valid chain. Only something kept elsewhere
can show it, and a checkpoint is the smallest such thing.

**What a checkpoint holds, and why.** A digest over all lane heads proves that
two states are the same, but a journal grows: a later state has other heads.
Because the seal of an event covers everything before it in its lane, the old
digest can be recomputed from today's events if the old *number of events* of
each lane is known. So the line holds these counts. A sequence number over all
lanes would make one count sufficient, but all writers would wait for it, and
lanes exist to avoid this wait. From counts and digest alone, only a lane that
is shorter can be named; so that a lane that differs can be named too, each
count is followed by the first four digits of the lane's seal. The digest (128
bits) stays the proof. With four check digits, a typing error is not mistaken for a rollback.

    sscard-journal:1:KEY:COUNT.SEAL,COUNT.SEAL,0,…:DIGEST:CHECK

KEY is the start of the key's check value, ``0`` a lane without events. The line
has about 80 characters with SQLite (one lane), at most 900 with PostgreSQL (64
lanes). It contains no secret.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.service.journal import schema
from sscard.service.journal.archive import continues, count_seal
from sscard.service.journal.chain import (
    ARCHIVE,
    HEAD,
    START,
    Base,
    Entry,
    Finding,
    Head,
    equal,
    examine,
    key_check,
    note_clock,
    seal_of_kept,
    seal_of_key,
)
from sscard.service.journal.engine import Connection, Row
from sscard.service.journal.summary import summaries

MARK: Final = 4
"""Digits of a seal in a checkpoint."""
_CHECKPOINT: Final = re.compile(r"(sscard-journal:1:([0-9a-f]{8}):([0-9a-f.,]+):([0-9a-f]{32}):)([0-9a-f]{4})")
_NO_HEAD: Final = Phrase("the lane's head is gone")
_ASTRAY: Final = Phrase("an idempotency key does not lead to its case; rebuild the list of cases: sscard case reindex")
_DIFFERS: Final = Phrase(
    "the list of cases differs from the events of this case; rebuild the list of cases: sscard case reindex"
)
_WITHOUT_EVENTS: Final = Phrase(
    "the list of cases has a case without events; rebuild the list of cases: sscard case reindex"
)
_ASTRAY_ARCHIVED: Final = Phrase("the idempotency key of this case, which is in an archive, was changed")
_KEYS_ARE_GONE: Final = Phrase(
    "idempotency keys of cases that are in an archive were removed or added; find the cases: --archive FILE"
)
_ARCHIVED: Final = Phrase("older cases are in an archive; verify it too: --archive FILE")
_NO_NEIGHBOUR: Final = Phrase(
    "does not end where the journal, or the archive after it, begins: it is of another journal or another time, "
    "or an archive between them is missing"
)
_INTERRUPTED: Final = Phrase(
    "the archiving was interrupted: repeat sscard case archive with the same options; "
    "if none was interrupted, the journal is an older copy"
)
_BY_REINDEX: Final = (_ASTRAY, _DIFFERS, _WITHOUT_EVENTS)
_CHANGED_ARCHIVE: Final = Phrase("its list of cases or an idempotency key was changed; restore the archive from a copy")
_LANE_IN_IT: Final = re.compile(r"0|([1-9][0-9]{0,17})\.([0-9a-f]{4})")


@dataclass(frozen=True, slots=True)
class VerifiedArchive:
    """An archive that was verified with its journal: its file, and what was looked at in it."""

    file: str
    events: int
    cases: int


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    ``events`` and ``cases`` count what it looked at in the journal, ``archives``
    in its archives, the oldest first. An event of a case that was open when it
    was archived is in both, and so is the case. ``findings`` differ from
    what was written, ``notes`` are strange but written so. ``checkpoint`` is
    the line to keep, empty if there are findings or only one lane was verified.
    ``whole`` says whether the chain is; then ``SqlJournal.reindex`` corrects
    what else was found, except for a difference from a checkpoint.
    """

    events: int
    cases: int
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...] = ()
    checkpoint: str = ""
    whole: bool = True
    archives: tuple[VerifiedArchive, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """State of a journal as one line: start of the key's check value, number of events and seal of each lane."""

    key: str
    lanes: tuple[tuple[int, str], ...]
    digest: str

    @classmethod
    def of(cls, key: bytes, ends: Sequence[tuple[int, str]]) -> Checkpoint:
        """The checkpoint of lanes with these numbers of events and these seals of their last events."""
        text = json.dumps([key_check(key), *map(list, ends)], separators=(",", ":"))
        digest = hashlib.sha256(text.encode()).hexdigest()[:32]
        return cls(key_check(key)[:8], tuple((count, seal[:MARK]) for count, seal in ends), digest)

    @classmethod
    def read(cls, line: str) -> Checkpoint:
        """The checkpoint of a line, in which spaces and line breaks are ignored; ``InputError`` if it is mistyped."""
        parts = _CHECKPOINT.fullmatch("".join(line.split()))
        lanes = [_LANE_IN_IT.fullmatch(lane) for lane in parts[3].split(",")] if parts else []
        if parts is None or not all(lanes) or parts[5] != _check_digits(parts[1]):
            raise InputError(
                Phrase("--since: not a checkpoint, or one with a typing error"),
                remedy=Phrase("expected the line sscard-journal:1:… that sscard case verify printed"),
            )
        ends = tuple((int(lane[1] or 0), lane[2] or START[:MARK]) for lane in lanes if lane)
        return cls(parts[2], ends, parts[4])

    def __str__(self) -> str:
        lanes = ",".join(f"{count}.{seal}" if count else "0" for count, seal in self.lanes)
        line = f"sscard-journal:1:{self.key}:{lanes}:{self.digest}:"
        return line + _check_digits(line)


def _check_digits(line: str) -> str:
    return hashlib.sha256(line.encode()).hexdigest()[:MARK]


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is open for reading: its file, and its number of lanes."""

    file: str
    db: Connection
    lanes: int


def is_sealed(key: bytes, heads: Iterable[Row], name: str) -> bool:
    """Whether a lane head has the seal of this name: ``HEAD`` in a journal, ``ARCHIVE`` in an archive."""
    return any(equal(Head.of(row).sealed(key, name), str(row[-1])) for row in heads)


def verify(
    db: Connection,
    key: bytes,
    lanes: int,
    since: Checkpoint | None = None,
    archives: Sequence[Archive] = (),
    *,
    name: str = HEAD,
) -> Verification:
    """Look at every event of every lane, also in the archives, and compare with a checkpoint.

    ``name`` is that of the seals of the heads, so that an archive in place of the journal is found.
    """
    findings: list[Finding] = []
    notes: list[Finding] = []
    heads: dict[int, Head] = {}
    bases: dict[int, Base] = {row[0]: Base.of(row) for row in db.rows(schema.BASES)}
    count: Counter[str] = Counter()
    for row in db.rows(schema.HEADS):
        heads[row[0]] = Head.of(row)
        findings += _in_lane(db, key, row, name, notes, count)
    findings += [Finding(lane, None, _NO_HEAD) for lane in range(lanes) if lane not in heads]
    for stray in _entries(db, schema.EVENTS_ELSEWHERE, lanes):
        findings.append(Finding(stray.lane, stray.position, Phrase("in no lane of this journal"), stray.case))
    whole = not findings
    findings += _derived(db, whole=whole)
    if bases and name == HEAD and not _has_every_key(db, key):
        findings.append(Finding(None, None, _KEYS_ARE_GONE))
    older: list[VerifiedArchive] = []
    findings += _in_archives(db, key, lanes, bases, archives, older)
    if bases and not archives:
        notes.append(Finding(None, None, _ARCHIVED))
    if since:
        findings += _changes([db, *(archive.db for archive in archives)], key, since, heads, bases)
    return Verification(
        count["events"],
        count["cases"],
        tuple(findings),
        tuple(notes),
        "" if findings else str(Checkpoint.of(key, [(head.events, head.last) for head in heads.values()])),
        whole,
        tuple(reversed(older)),
    )


def verify_lane(db: Connection, key: bytes, lane: int, name: str) -> Verification:
    """Look at every event of one lane; ``name`` as for ``verify``."""
    notes: list[Finding] = []
    count: Counter[str] = Counter()
    rows = db.rows(schema.HEAD, lane)
    if not rows:
        return Verification(0, 0, (Finding(lane, None, _NO_HEAD),), whole=False)
    findings = tuple(_in_lane(db, key, rows[0], name, notes, count))
    return Verification(count["events"], count["cases"], findings, tuple(notes), whole=not findings)


def _in_lane(
    db: Connection, key: bytes, row: Row, name: str, notes: list[Finding], count: Counter[str]
) -> Iterator[Finding]:
    """The problems of a lane by the row of its head, whose seal has a name; notes and numbers are added."""

    def counted(entries: Iterator[Entry]) -> Iterator[Entry]:
        for entry in entries:
            count["events"] += 1
            count["cases"] += entry.place == 1
            yield entry

    head = Head.of(row)
    stored = db.rows(schema.BASE, head.lane)
    base = Base.of(stored[0]) if stored else Base(head.lane)
    if stored and not equal(base.sealed(key), str(stored[0][-1])):
        yield Finding(head.lane, None, Phrase("the beginning that is in an archive is not the one that was written"))
    kept = counted(_entries(db, schema.EVENTS_UP_TO, head.lane, base.events))
    if not equal(seal_of_kept(key, kept), base.kept):
        yield Finding(head.lane, None, Phrase("events of open cases that are in an archive too were changed"))
    entries = note_clock(counted(_entries(db, schema.EVENTS_AFTER, head.lane, base.events)), notes)
    yield from examine(key, head, str(row[-1]), entries, base, name)


def _has_every_key(db: Connection, key: bytes) -> bool:
    """Whether a journal has as many idempotency keys of archived cases as were written."""
    count, stored = db.rows(schema.COUNT_ARCHIVED)[0][0], db.rows(schema.STORED_COUNT)
    return bool(stored) and stored[0][0] == str(count) and equal(count_seal(db, key, count), str(stored[0][1]))


def _in_archives(
    db: Connection,
    key: bytes,
    lanes: int,
    bases: Mapping[int, Base],
    archives: Sequence[Archive],
    verified: list[VerifiedArchive],
) -> Iterator[Finding]:
    """What is wrong in the archives of a journal: each begins where the one before it ends, the last at the bases.

    What was looked at is added to ``verified``, the newest first.
    """
    for opening, case, seal in db.stream(schema.ARCHIVED):
        if not equal(seal_of_key(key, str(opening), str(case)), str(seal)):
            yield Finding(None, None, _ASTRAY_ARCHIVED, str(case))
    ends = {lane: bases.get(lane, Base(lane)).end for lane in range(lanes)}
    given: dict[tuple[Row, ...], Archive] = {}
    for archive in sorted(archives, key=lambda each: sum(row[1] for row in each.db.rows(schema.HEADS)), reverse=True):
        content = (*archive.db.rows(schema.HEADS), *archive.db.rows(schema.BASES))
        same = given.setdefault(content, archive)
        if content and same is not archive:
            problem = Phrase("the same archive as {other}: give each archive once", other=same.file)
            yield Finding(None, None, _in_file(problem, archive.file))
            continue
        own = verify(archive.db, key, archive.lanes, name=ARCHIVE)
        verified.append(VerifiedArchive(archive.file, own.events, own.cases))
        for finding in own.findings:
            problem = _CHANGED_ARCHIVE if finding.problem in _BY_REINDEX else finding.problem
            yield replace(finding, problem=_in_file(problem, archive.file))
        found = {row[0]: row[1:4] for row in archive.db.rows(schema.HEADS)}
        interrupted = found != ends and continues(db, archive.db)
        if found != ends:
            yield Finding(None, None, _in_file(_INTERRUPTED if interrupted else _NO_NEIGHBOUR, archive.file))
        ends = dict.fromkeys(range(archive.lanes), (0, 0, START))
        ends |= {row[0]: Base.of(row).end for row in archive.db.rows(schema.BASES)}
        for opening, case in () if interrupted else archive.db.stream(schema.KEYS_OF_CLOSED):
            if db.rows(schema.ARCHIVED_WITH, opening) != [(case,)]:
                yield Finding(None, None, _ASTRAY_ARCHIVED, str(case))
    if archives and any(count for count, *_rest in ends.values()):
        yield Finding(None, None, Phrase("the archive before the first of these is missing"))


def _in_file(problem: Phrase, file: str) -> Phrase:
    return Phrase("{file}: {problem}", file=file, problem=problem)


def _entries(db: Connection, statement: str, *values: int) -> Iterator[Entry]:
    return map(Entry.of, db.stream(statement, *values))


def _changes(
    places: Sequence[Connection], key: bytes, since: Checkpoint, heads: Mapping[int, Head], bases: Mapping[int, Base]
) -> Iterator[Finding]:
    """Lanes that do not begin with what they held at a checkpoint; ``places`` are the journal and its archives."""
    if since.key != key_check(key)[:8]:
        said = Phrase("the checkpoint was made with another key: of another journal, or both were replaced")
        yield Finding(None, None, said)
        return
    ends: list[tuple[int, str]] = []
    whole = True
    for lane, (count, mark) in enumerate(since.lanes):
        base = bases.get(lane, Base(lane))
        found = [seal for db in places for (seal,) in db.rows(schema.SEAL_AT, lane, count)]
        if count in (0, base.events):
            found = [base.last if count else START]
        seal = str(found[0] if found else None)
        ends.append((count, seal))
        problem: Phrase | None = None
        if lane not in heads:
            problem = Phrase("the lane is missing, it ended with event {count} at the checkpoint", count=count)
        elif heads[lane].events < count:
            problem = Phrase("the lane is shorter: it ended with event {count} at the checkpoint", count=count)
        elif not found and count < base.events:
            problem = Phrase("the checkpoint is in an archive: give it with --archive")
        elif seal[:MARK] != mark:
            problem = Phrase("the lane differs from what it was at the checkpoint")
        if problem:
            whole = False
            yield Finding(lane, min(count, heads[lane].events) or None if lane in heads else None, problem)
    if whole and Checkpoint.of(key, ends).digest != since.digest:
        yield Finding(None, None, Phrase("a lane differs from what it was at the checkpoint; which one is not known"))


def _derived(db: Connection, *, whole: bool) -> Iterator[Finding]:
    """What was not derived from the events of a case: its idempotency key and, if the chain is whole, its summary.

    A key that does not lead to the case opened with it would open another if it is used again.
    """
    summarised, opened = db.rows(schema.COUNTS)[0]
    astray = False
    for summary, key, rows in summaries(db.stream(schema.WITH_SUMMARY)):
        keys = [row[9] for row in rows if row[9] is not None]
        opened -= len(keys)
        if keys != [key] * bool(key):
            astray = True
            yield Finding(None, None, _ASTRAY, summary.case)
        stored = rows[0][6:9]
        summarised -= stored[0] is not None
        if whole and stored != summary[1:]:
            yield Finding(None, None, _DIFFERS, summary.case)
    if opened and not astray:
        yield Finding(None, None, _ASTRAY)
    if whole and summarised:
        yield Finding(None, None, _WITHOUT_EVENTS)
