"""Non-volatile memory: cells, transactions, write points and power cuts (LD/T 32.7 防拔).

A cell is a number (counter, flag) or a string (PIN, file) that survives
power-off. A transaction first writes its new values to a log, then the cells,
then clears the log. Each of these writes is one *write point*, at which the
power can be cut before, during (the cell is torn) or after the write.
``recover`` replays a complete log and ignores a torn one, so that transactions
are atomic.

A memory may have a ``Store``, such as a card file. Then each change is in the
store before the command handler continues, and a change that the store cannot
keep is a ``MemoryFailure`` and takes no effect. The store adds no write points.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, Protocol

from sscard.pickling import PortableError

NEVER: Final = 1 << 62
"""A write point that is never reached."""

NOW: Final = -1
"""A limit that every transaction passes: each one goes through ``_write``."""

TORN: Final = 0xFF
"""The value read from a torn number cell."""


class Moment(IntEnum):
    """When the power is cut, relative to the write point."""

    BEFORE = 0
    DURING = 1
    AFTER = 2


class PowerLost(PortableError):
    """The power was cut at a write point; the card did not answer."""


class MemoryFailure(PortableError):
    """A cell cannot be written any more; the card answers 6581."""


class Store(Protocol):
    """What keeps the state of a memory outside this process. Each method raises ``MemoryFailure`` if it cannot."""

    def commit(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        """Keep the new values of these cells, all or none."""

    def keep_log(self, log: Log | None) -> None:
        """Keep the log of the memory, complete or torn, or that there is none."""


class Memory:
    """The cells of one card.

    ``numbers`` and ``strings`` are read directly and written only by
    ``put_number``, ``put_string``, ``put_both`` and ``commit``. ``writes`` counts
    the write points passed since the memory was made, so an unchanged ``writes``
    means an unchanged memory. ``store`` holds the same state from ``keep_in`` on.

    ``shared`` states that other memories have the same list of numbers, as new
    cards of one product: it is copied before the first write.
    """

    __slots__ = ("_limit", "_shared", "_store", "cut_at", "fail_at", "log", "moment", "numbers", "strings", "writes")

    def __init__(self, numbers: list[int], strings: list[bytes], *, shared: bool = False) -> None:
        self.numbers = numbers
        self.strings = strings
        self.log: Log | None = None
        self.writes = 0
        self.cut_at = NEVER
        self.fail_at = NEVER
        self.moment = Moment.BEFORE
        self._shared = shared
        self._store: Store | None = None
        self._limit = self._next_fault()

    def __reduce__(self) -> tuple[Any, ...]:
        # Cells and log: no store, no fault to come, and the write points are counted from 0.
        return restored, (self.numbers, self.strings, self.log)

    def keep_in(self, store: Store) -> None:
        """Commit every change from now on to a store, which holds the present state."""
        self._store = store
        self._limit = NOW

    def cut_power(self, point: int, moment: Moment = Moment.BEFORE) -> None:
        """Cut the power once, at the ``point``-th write point from now (0 is the next)."""
        self.cut_at = self.writes + point
        self.moment = moment
        self._limit = self._next_fault()

    def fail(self, point: int = 0) -> None:
        """Make every write fail, starting at the ``point``-th write point from now."""
        self.fail_at = self.writes + point
        self._limit = self._next_fault()

    def mend(self) -> None:
        """Cancel ``cut_power`` and ``fail``."""
        self.cut_at = self.fail_at = NEVER
        self._limit = self._next_fault()

    # If no fault is due before the end of a transaction, its steps are not observable,
    # so the cells are written directly; otherwise _write proceeds step by step. A memory
    # with a store, or with numbers that are still shared, always takes the way of _write, so
    # that another pays nothing for it.

    def put_number(self, cell: int, value: int) -> None:
        """A transaction that writes one number."""
        writes = self.writes + 3
        if writes > self._limit:
            self._write([(cell, value)], [])
            return
        self.writes = writes
        self.numbers[cell] = value

    def put_both(self, cell: int, value: int, place: int, content: bytes) -> None:
        """A transaction that writes one number and one string."""
        writes = self.writes + 4
        if writes > self._limit:
            self._write([(cell, value)], [(place, content)])
            return
        self.writes = writes
        self.numbers[cell] = value
        self.strings[place] = content

    def put_string(self, cell: int, value: bytes) -> None:
        """A transaction that writes one string."""
        self.commit([], [(cell, value)])

    def commit(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        """A transaction that writes all these cells or none."""
        writes = self.writes + 2 + len(numbers) + len(strings)
        if writes > self._limit:
            self._write(numbers, strings)
            return
        self.writes = writes
        for cell, value in numbers:
            self.numbers[cell] = value
        for place, content in strings:
            self.strings[place] = content

    def recover(self) -> None:
        """At power-on: finish the transaction of a complete log, discard a torn log."""
        log = self.log
        if log is None:
            return
        if log.complete:
            self._write_cells(log)
        self._clear_log()

    def recovered(self) -> Memory:
        """A copy with the cells that this memory will have after ``recover``."""
        copy = Memory(self.numbers[:], self.strings[:])
        copy.log = self.log
        copy.recover()
        return copy

    def _write(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        writes = self.writes + 2 + len(numbers) + len(strings)
        if writes > self.fail_at:
            raise MemoryFailure
        if writes <= self.cut_at:
            self._set(numbers, strings)
            self.writes = writes
            return
        log = Log(numbers, strings)
        moment = self._point()
        if moment == Moment.BEFORE:
            raise PowerLost
        log.complete = moment != Moment.DURING
        self._set_log(log)
        if moment is not None:
            raise PowerLost
        self._write_cells(log)
        self._clear_log()

    def _set(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        """Write cells: to the store first."""
        if self._store is not None:
            self._store.commit(numbers, strings)
        if self._shared:
            self._shared = False
            self.numbers = self.numbers[:]
            self._limit = self._next_fault()
        for cell, value in numbers:
            self.numbers[cell] = value
        for place, content in strings:
            self.strings[place] = content

    def _set_log(self, log: Log | None) -> None:
        if self._store is not None:
            self._store.keep_log(log)
        self.log = log

    def _write_cells(self, log: Log) -> None:
        for cell, value in log.numbers:
            moment = self._point()
            if moment != Moment.BEFORE:
                self._set([(cell, TORN if moment == Moment.DURING else value)], [])
            if moment is not None:
                raise PowerLost
        for place, content in log.strings:
            moment = self._point()
            if moment != Moment.BEFORE:
                written = len(content) // 2 if moment == Moment.DURING else len(content)
                self._set([], [(place, content[:written] + b"\xff" * (len(content) - written))])
            if moment is not None:
                raise PowerLost

    def _clear_log(self) -> None:
        # A log torn while it is cleared may still be complete: replaying it has no effect.
        moment = self._point()
        if moment is None or moment == Moment.AFTER:
            self._set_log(None)
        if moment is not None:
            raise PowerLost

    def _point(self) -> Moment | None:
        """Pass one write point; return the moment of a power cut here, if any."""
        point = self.writes
        self.writes = point + 1
        if point != self.cut_at:
            return None
        self.cut_at = NEVER
        self._limit = self._next_fault()
        return self.moment

    def _next_fault(self) -> int:
        return NOW if self._shared or self._store is not None else min(self.cut_at, self.fail_at)


def restored(numbers: list[int], strings: list[bytes], log: Log | None) -> Memory:
    """A memory with these values of its cells and this log; a copy shares no list with its original."""
    memory = Memory(numbers[:], strings[:])
    memory.log = log
    return memory


class Log:
    """The new values of one transaction, written before any cell; torn until ``complete``."""

    __slots__ = ("complete", "numbers", "strings")

    def __init__(
        self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]], complete: bool = False
    ) -> None:
        self.numbers = numbers
        self.strings = strings
        self.complete = complete

    def __reduce__(self) -> tuple[Any, ...]:
        return Log, (self.numbers, self.strings, self.complete)
