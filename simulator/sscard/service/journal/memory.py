"""The journal (办件日志): every event of every case is written to it before anything depends on the event.

``MemoryJournal`` keeps cases until the process ends; ``database.SqlJournal``
stores them permanently, chained by hash, in SQLite or PostgreSQL.
"""

from __future__ import annotations

from itertools import count
from typing import Protocol

from sscard.errors import PhrasedError
from sscard.i18n.phrase import Phrase
from sscard.service.case import Case, Event


class Overtaken(PhrasedError):
    """Another process wrote to the case first; the event was not written. Reload the case."""

    def __init__(self, case_number: str) -> None:
        super().__init__(
            Phrase(
                "case {number} was continued elsewhere; see its events: sscard case show {number}", number=case_number
            )
        )
        self.args = (case_number,)


class CaseArchived(PhrasedError):
    """The idempotency key is of a case that is in an archive; no case was opened."""

    def __init__(self, case_number: str) -> None:
        super().__init__(
            Phrase(
                "case {number} was opened with this key and is in an archive; see it with: "
                "sscard case show {number} --archive FILE",
                number=case_number,
            )
        )
        self.args = (case_number,)


class JournalUnavailable(PhrasedError):
    """The journal cannot be read or written now; the text holds no secret."""


class Journal(Protocol):
    """Interface of a journal. ``key`` is the key for digests of ID numbers; it is never stored in the journal."""

    @property
    def key(self) -> bytes: ...

    def open_case(self, event: Event) -> Case:
        """Open a case with this event, or return the case that already has the event's idempotency key.

        ``CaseArchived`` if that case is in an archive.
        """

    def append(self, case: Case, event: Event) -> None:
        """Write an event and add it to the case; ``WrongStage`` or ``Overtaken`` if it may not follow."""


class MemoryJournal:
    """A journal in the memory of this process; ``key`` as of ``Journal``."""

    def __init__(self, key: bytes = b"in memory") -> None:
        self.key = key
        self._numbers = count(1)
        self._by_key: dict[str, Case] = {}

    def open_case(self, event: Event) -> Case:
        """See ``Journal``."""
        known = self._by_key.get(event.facts["key"])
        if known is not None:
            return known
        case = Case(case_number(event, next(self._numbers)), [event])
        if case.key:
            self._by_key[case.key] = case
        return case

    def append(self, case: Case, event: Event) -> None:
        """See ``Journal``."""
        case.add(event)


def case_number(event: Event, serial: int) -> str:
    """Day of intake and serial number."""
    return f"{event.time:%Y%m%d}{serial:06d}"
