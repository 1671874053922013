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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.service.journal import schema
from sscard.service.journal.chain import START, Entry, Finding, Head, examine, key_check, note_clock
from sscard.service.journal.engine import Connection
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
_LANE_IN_IT: Final = re.compile(r"0|([1-9][0-9]{0,17})\.([0-9a-f]{4})")


@dataclass(frozen=True, slots=True)
class Verification:
    """What a verification found.

    ``events`` and ``cases`` count what it looked at, ``findings`` differ from
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


def verify(db: Connection, key: bytes, lanes: int, since: Checkpoint | None = None) -> Verification:
    """Look at every event of every lane, and compare with a checkpoint."""
    findings: list[Finding] = []
    notes: list[Finding] = []
    heads: dict[int, Head] = {}
    for row in db.rows(schema.HEADS):
        head = heads[row[0]] = Head.of(row)
        findings += examine(key, head, str(row[-1]), note_clock(_entries(db, schema.EVENTS_OF_LANE, row[0]), notes))
    findings += [Finding(lane, None, _NO_HEAD) for lane in range(lanes) if lane not in heads]
    for stray in _entries(db, schema.EVENTS_ELSEWHERE, lanes):
        findings.append(Finding(stray.lane, stray.position, Phrase("in no lane of this journal"), stray.case))
    whole = not findings
    findings += _derived(db, whole=whole)
    if since:
        findings += _changes(db, key, since, heads)
    return Verification(
        sum(head.events for head in heads.values()),
        sum(head.cases for head in heads.values()),
        tuple(findings),
        tuple(notes),
        "" if findings else str(Checkpoint.of(key, [(head.events, head.last) for head in heads.values()])),
        whole,
    )


def verify_lane(db: Connection, key: bytes, lane: int) -> Verification:
    """Look at every event of one lane."""
    notes: list[Finding] = []
    rows = db.rows(schema.HEAD, lane)
    if not rows:
        return Verification(0, 0, (Finding(lane, None, _NO_HEAD),), whole=False)
    head = Head.of(rows[0])
    entries = note_clock(_entries(db, schema.EVENTS_OF_LANE, lane), notes)
    findings = tuple(examine(key, head, str(rows[0][-1]), entries))
    return Verification(head.events, head.cases, findings, tuple(notes), whole=not findings)


def _entries(db: Connection, statement: str, lane: int) -> Iterator[Entry]:
    return map(Entry.of, db.stream(statement, lane))


def _changes(db: Connection, key: bytes, since: Checkpoint, heads: Mapping[int, Head]) -> Iterator[Finding]:
    """Lanes that do not begin with what they held at a checkpoint."""
    if since.key != key_check(key)[:8]:
        said = Phrase("the checkpoint was made with another key: of another journal, or both were replaced")
        yield Finding(None, None, said)
        return
    ends: list[tuple[int, str]] = []
    whole = True
    for lane, (count, mark) in enumerate(since.lanes):
        found = db.rows(schema.SEAL_AT, lane, count)
        seal = str(found[0][0] if found else None) if count else START
        ends.append((count, seal))
        problem: Phrase | None = None
        if lane not in heads:
            problem = Phrase("the lane is missing, it ended with event {count} at the checkpoint", count=count)
        elif heads[lane].events < count:
            problem = Phrase("the lane is shorter: it ended with event {count} at the checkpoint", count=count)
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
