"""The chain: each event of the journal is sealed by a keyed hash over itself and the seal before it.

The journal has one chain or several, its *lanes*; a case stays in the lane it
was opened in. A lane's head counts its events and cases and is sealed too, so
that the end of a lane cannot be truncated. If the beginning of a lane is in an
archive, its sealed base counts that part. Why lanes: a chain is written by one
transaction at a time, which locks the lane's head until its commit. With one
lane, all workers of a shared journal would wait for each other's commits; with
64 lanes they commit in parallel. A chain per case is not sufficient: the
removal of a whole case would leave no gap.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.service.case import Act, Event, Stage

START: Final = "0" * 64
"""The seal before the first event of a lane."""
HEAD: Final = "head 3"
"""The name under the seal of a lane's head; another one keeps processes of an older sscard from writing."""
ARCHIVE: Final = "archive"
"""The same in an archive, to which no event can be added."""
_canonical: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Entry(NamedTuple):
    """An event as stored in the journal: lane, position, case, its ``place`` in the case (from 1), and its seal."""

    lane: int
    position: int
    case: str
    place: int
    time: str
    stage: str
    act: str
    text: str
    facts: str
    seal: str = ""

    @classmethod
    def of(cls, row: Sequence[Any]) -> Entry:
        """A row of the database; a value of another type, which SQLite allows in any column, does not fit the seal."""
        values = row if tuple(map(type, row)) == _TYPES else map(_typed, _TYPES, row)
        return cls(*values)

    def sealed(self, key: bytes, before: str) -> str:
        """The seal of this event after the given one: HMAC-SHA-256, 64 hex digits."""
        parts = (before, self.lane, self.position, self.case, self.place, self.time, self.stage, self.act, self.text)
        return _mac(key, _canonical([*parts, self.facts]))

    def event(self) -> Event:
        """The event; ``ValueError`` or another error of its values if it was not written by a journal."""
        time, facts = time_of(self.time), json.loads(self.facts)
        if time is None:
            raise ValueError(self.time)
        return Event(time, Stage(self.stage), _said(self.text), Act(self.act), facts)


_TYPES: Final = (int, int, str, int, str, str, str, str, str, str)
"""Of the values of an entry."""


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a lane: numbers of events and cases, and the seal of the last event."""

    lane: int
    events: int = 0
    cases: int = 0
    last: str = START

    @classmethod
    def of(cls, row: Sequence[Any]) -> Head:
        """A row of the database, as ``Entry.of``."""
        return cls(*map(_typed, (int, int, int, str), row))

    def sealed(self, key: bytes, name: str = HEAD) -> str:
        """The seal of the lane's end."""
        return _mac(key, f"{name} {self.lane} {self.events} {self.cases} {self.last}")


@dataclass(frozen=True, slots=True)
class Base:
    """The beginning of a lane, which is in an archive: numbers of its events and cases, and the seal of its last event.

    ``kept`` is the seal of the events that are in the archive and in this database too, because their cases were not
    closed then.
    """

    lane: int
    events: int = 0
    cases: int = 0
    last: str = START
    kept: str = START

    @classmethod
    def of(cls, row: Sequence[Any]) -> Base:
        """A row of the database, as ``Entry.of``."""
        return cls(*map(_typed, (int, int, int, str, str), row))

    def sealed(self, key: bytes) -> str:
        """The seal of the base."""
        return _mac(key, f"base {self.lane} {self.events} {self.cases} {self.last} {self.kept}")

    @property
    def end(self) -> tuple[int, int, str]:
        """What the head of the archive that ends here has."""
        return self.events, self.cases, self.last


def seal_of_kept(key: bytes, entries: Iterable[Entry]) -> str:
    """The seal of events that are kept, in the order of their positions."""
    seal = START
    for entry in entries:
        seal = _mac(key, _canonical(["kept", seal, *entry]))
    return seal


def seal_of_key(key: bytes, opening: str, case: str) -> str:
    """The seal of the idempotency key of a case that is in an archive."""
    return _mac(key, _canonical(["key", opening, case]))


def seal_of_count(key: bytes, count: int, bases: Iterable[str]) -> str:
    """The seal of the number of idempotency keys of archived cases, at the seals of the bases."""
    return _mac(key, _canonical(["keys", count, *bases]))


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference from what was written.

    ``position`` counts in its lane, from 1. It is ``None`` if the finding is about no event, and so is ``lane`` if it
    is about no lane.
    """

    lane: int | None
    position: int | None
    problem: Phrase
    case: str = ""

    def __str__(self) -> str:
        return say(self.said)

    @property
    def said(self) -> Phrase:
        """Place and problem."""
        problem = self.problem
        if self.lane is None:
            return Phrase("case {number}: {problem}", number=self.case, problem=problem) if self.case else problem
        if self.position is None:
            return Phrase("lane {lane}: {problem}", lane=self.lane, problem=problem)
        where = {"lane": self.lane, "position": self.position}
        if self.case:
            return Phrase(
                "lane {lane}, event {position} (case {number}): {problem}", **where, number=self.case, problem=problem
            )
        return Phrase("lane {lane}, event {position}: {problem}", **where, problem=problem)


def written(event: Event) -> dict[str, str]:
    """The parts of an event as canonical text."""
    return {
        "time": event.time.isoformat(),
        "stage": event.stage.value,
        "act": event.act.value,
        "text": _canonical(event.said.to_facts()),
        "facts": json.dumps(event.facts, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    }


def _said(text: str) -> Phrase:
    """The phrase as written; other content is returned as text, because it was put there by someone else."""
    try:
        return Phrase.from_facts(json.loads(text))
    except (ValueError, TypeError, AttributeError):
        return Phrase.quoting(text)


def key_check(key: bytes) -> str:
    """Check value of the journal's key, which does not disclose the key."""
    return _mac(key, "sscard journal")[:16]


def examine(
    key: bytes, head: Head, head_seal: str, entries: Iterable[Entry], base: Base, name: str
) -> Iterator[Finding]:
    """The problems of a lane, whose entries after its base are passed in the order of their positions."""
    before, expected, cases = base.last, base.events + 1, base.cases
    for entry in entries:
        if entry.position != expected:
            yield Finding(head.lane, expected, _gap(expected, entry.position))
        elif not equal(entry.sealed(key, before), entry.seal):
            yield Finding(head.lane, entry.position, Phrase("edited, or put in another's place"), entry.case)
        before, expected = entry.seal, entry.position + 1
        cases += entry.place == 1
    if not equal(head.sealed(key, name), head_seal):
        yield Finding(head.lane, head.events or None, Phrase("the lane's head is not the one that was written"))
    if head.events >= expected:
        yield Finding(head.lane, expected, _gap(expected, head.events + 1))
    elif (head.events, head.cases, head.last) != (expected - 1, cases, before):
        yield Finding(head.lane, expected - 1 or None, Phrase("the lane does not end as its head says"))


def note_clock(entries: Iterable[Entry], notes: list[Finding]) -> Iterator[Entry]:
    """Pass the entries of a lane on and note each whose time is earlier than the time of the entry before it."""
    before: datetime | None = None
    for entry in entries:
        time = time_of(entry.time)
        if before and time and time < before:
            said = Phrase("the clock went back: {time} after {before}", time=entry.time, before=before.isoformat())
            notes.append(Finding(entry.lane, entry.position, said, entry.case))
        before = time
        yield entry


def time_of(stored: object) -> datetime | None:
    """The time of an event as stored, ``None`` if it is not one that was written by a journal."""
    try:
        time = datetime.fromisoformat(str(stored))
    except ValueError:
        return None
    return time if time.tzinfo else None


def _typed(kind: type, value: Any) -> Any:
    if kind is int:
        return value if isinstance(value, int) else -1
    return value if isinstance(value, str) else repr(value)


def equal(seal: str, other: str) -> bool:
    """Compare seals in a time that does not depend on them."""
    return hmac.compare_digest(seal.encode(), other.encode())  # as text, it refuses what is not ASCII


def _gap(first: int, after: int) -> Phrase:
    return Phrase("removed ({count} in a row)", count=after - first) if after > first else Phrase("there twice")


def _mac(key: bytes, text: str) -> str:
    mac = _keyed(key).copy()
    mac.update(text.encode())
    return mac.hexdigest()


@lru_cache(maxsize=1)
def _keyed(key: bytes) -> hmac.HMAC:
    """The key's part of each seal; it takes longer than the rest."""
    return hmac.new(key, digestmod="sha256")
