"""The store of a card's memory: an open card file.

Each change is one transaction in SQLite's write-ahead log (``FILE-wal``), whose
space is reserved when the file is opened. A process that is killed leaves the
log, and the next one finds every change in it. So does one after a crash of the
machine if the file was opened with ``sync``; without, it may find an earlier
state, complete in itself.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Generic

from sscard.chip.memory import Log, MemoryFailure
from sscard.errors import InputError, MissingPart
from sscard.files import FLAGS, unwritable
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.database import (
    CARD,
    FRAME_HEADER,
    PUT_NUMBER,
    PUT_STRING,
    STAMP_ROW,
    TOKEN,
    WAL_HEADER,
    Kind,
    T,
    check_journals,
    connect,
    fill,
    has_lost_log,
    kind_in,
    lost_log_warning,
    put_log,
    read_card,
    stamp_of,
    wal_of,
)
from sscard.issuer.migrations import Notify
from sscard.issuer.personalise import Card
from sscard.issuer.storage import Identity, holder_of

CAUSES: Final = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_IOERR: errno.EIO,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_CANTOPEN: errno.EACCES,
}
"""What SQLite's errors mean in terms of the system. A read-only file system has refused the file before."""
FULL_LOG: Final = 512
"""Frames in the write-ahead log after which they are copied to the file before the next command."""
COMMAND_FRAMES: Final = 192
"""Frames of the longest command, with a power cut in it."""
FRAMES_OF_STRING: Final = 8
"""At most: its page, those it overflows to, and those of a tree that is balanced anew."""

_AGAIN: Final = Phrase("open the card again")
_held: Final[set[tuple[int, int]]] = set()
"""Device and inode of the card files that this process has open."""


def check_free(path: Path, source: str) -> None:
    """``InputError`` if this process has the card file open: opening it again would drop the locks on it."""
    with suppress(FileNotFoundError):
        if Identity.of(path)[:2] in _held:
            remedy = Phrase("name another card, or use a copy of it")
            raise InputError(Phrase("is open in this process already"), file=source, remedy=remedy)


def system_error(error: OSError | sqlite3.Error) -> OSError:
    """The error of the system behind an error of SQLite."""
    if isinstance(error, OSError):
        return error
    number = CAUSES.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the rest says in which call
    return OSError(number, os.strerror(number)) if number else OSError(str(error))


def in_use(path: Path, source: str) -> InputError:
    """The error of a card file that another process has open."""
    holder = holder_of(path)
    return InputError(
        Phrase("is in use by process {holder}", holder=holder) if holder else Phrase("is in use by another process"),
        file=source,
        remedy=Phrase("end that process, or use a copy of the card file"),
    )


class FileStore(Generic[T]):
    """An open card file, or that of a PSAM: the ``Store`` of the memory of its ``card``.

    ``problem`` is why it cannot be written any more. From then on every change
    is a ``MemoryFailure``, until the file is opened again.
    """

    kind: Kind[T]

    def __init__(
        self,
        path: Path,
        source: str,
        notify: Notify,
        *,
        sync: bool,
        connect: Callable[[Path, str], sqlite3.Connection] = connect,
    ) -> None:
        """Open a file; errors: ``InputError``, ``MissingPart`` if the disk is full.

        ``connect`` opens the database: a proof has a connection on a disk that fails.
        """
        self.path = path
        self._names = str(path), str(wal_of(path))  # what the system takes without conversion, before each command
        self.problem: InputError | MissingPart | None = None
        self._source = source
        self._edited = False
        self._begun = False
        self._unchanged: tuple[int, ...] = ()
        self._log_seen = False
        self._log: int | None = None
        """Our own handle of the log, from the moment the session is in the file."""
        self._frames = 0
        check_free(path, source)
        kind_in(path, source, (self.kind,))
        check_journals(path, source)
        try:
            self._handle = os.open(path, os.O_RDWR | FLAGS)
        except OSError as error:
            raise unwritable(Path(source), error) from None
        try:
            self._identity = Identity.of(self._handle)
            if has_lost_log(path):
                notify(lost_log_warning(source))
            self._database = connect(path, "mode=rw")
        except BaseException:
            os.close(self._handle)
            raise
        self._held = self._identity[:2]
        _held.add(self._held)
        try:
            self.card, stale = read_card(self._database, self.kind, source, notify)
            self._stamp = stamp_of(self._database)
            self._begin(stale, sync=sync)
        except sqlite3.Error as error:
            self._give_up()
            if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
                raise in_use(path, source) from None
            raise self._cause(error) from None
        except OSError as error:
            self._give_up()
            raise unwritable(Path(source), error) from None
        except BaseException:
            self._give_up()
            raise
        self.card.memory.keep_in(self)

    def _begin(self, stale: bool, *, sync: bool) -> None:
        """Stamp the file with this session, and reserve the space of its log."""
        for setting in (
            "journal_mode = WAL",
            "wal_autocheckpoint = 0",
            f"synchronous = {'FULL' if sync else 'NORMAL'}",
        ):
            self._database.execute(f"PRAGMA {setting}")
        # First what a process left that was killed, so that the stamp is in the first transaction of a log: then the
        # log fits the file also if this process is killed between copying the stamp and its next change.
        self._copy_log()
        self._stamp = self._stamp[TOKEN : 2 * TOKEN] + os.urandom(TOKEN) + bytes(8) + b"\1"
        self._begun = True
        if stale:
            fill(self._database, self.kind, self.card, self._stamp)
        else:
            self._database.execute(PUT_NUMBER, (self._stamp, STAMP_ROW))
        self._checkpoint()
        # From here on the log has no stamp of the session before: it fits only this state of the file, and later ones.
        self._stamp = self._stamp[TOKEN : 2 * TOKEN] + self._stamp[TOKEN:]
        self._count()
        (page,) = self._database.execute("PRAGMA page_size").fetchone()
        size = WAL_HEADER + (FULL_LOG + COMMAND_FRAMES) * (FRAME_HEADER + page)
        self._log = os.open(wal_of(self.path), os.O_RDWR | os.O_APPEND | FLAGS)
        with open(self._log, "wb", closefd=False) as wal:
            wal.write(bytes(max(0, size - os.fstat(self._log).st_size)))
        self._wal = Identity.of(self._log)

    def commit(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        self._begin_change()
        execute = self._database.execute
        try:
            if len(numbers) == 1 and not strings:
                ((cell, value),) = numbers
                execute(PUT_NUMBER, (value, cell + 1))
                self._frames += 1
                return
            with self._transaction():
                for cell, value in numbers:
                    execute(PUT_NUMBER, (value, cell + 1))
                for cell, content in strings:
                    execute(PUT_STRING, (content, cell + 1))
        except sqlite3.Error as error:
            self._fail(error)
        self._frames += 1 + FRAMES_OF_STRING * len(strings)

    def keep_log(self, log: Log | None) -> None:
        self._begin_change()
        try:
            with self._transaction():
                put_log(self._database, log)
        except sqlite3.Error as error:
            self._fail(error)
        self._frames += 1 + FRAMES_OF_STRING * (1 + len(log.strings) if log is not None else 1)

    def reserve(self) -> None:
        """Before each command: look whether the file is still the same, and make space for the longest command.

        Errors: ``InputError`` if the file was replaced, deleted or edited.
        """
        if self._frames > FULL_LOG and self.problem is None:
            self._look()
            try:
                self._checkpoint()
            except sqlite3.Error as error:
                self.problem = self._cause(error)
            except OSError:
                pass  # the file has just gone
        self._look()

    def prove(self) -> None:
        """At power-on: write to the file; raises why it cannot be written."""
        self._unchanged = ()
        self.reserve()
        if self.problem is None:
            try:
                self._count()
            except sqlite3.Error as error:
                self.problem = self._cause(error)
        if self.problem is not None:
            raise self.problem

    def end(self, problem: Sayable, remedy: Sayable = _AGAIN) -> None:
        """Write nothing more, because the memory may differ from the file now."""
        self.problem = self.problem or InputError(problem, file=self._source, remedy=remedy)

    def close(self) -> None:
        """Copy the log to the file and remove it; after an edit of the file it stays, as after a crash.

        A log at its path that is not ours belongs to the file that took the place of ours, and stays.
        """
        wal = wal_of(self.path)
        if self._edited and self._log is not None:
            ours, kept = self._is_log(wal), b""
            if ours:
                kept = wal.read_bytes()
            os.ftruncate(self._log, 0)  # so that SQLite has nothing to copy
            self._end()
            if ours:
                try:
                    handle = os.open(wal, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, 0o600)
                    with open(handle, "wb") as log:  # noqa: PTH123 - of a handle
                        log.write(kept)
                except OSError as error:
                    raise unwritable(wal, error) from None
            return
        with suppress(sqlite3.Error):
            self._stamp = self._stamp[:-1] + b"\0"
            self._database.execute(PUT_NUMBER, (self._stamp, STAMP_ROW))
            self._copy_log()
            if self._has_moved() and self._is_log(wal):  # then SQLite leaves it, and it keeps others from the file
                wal.unlink(missing_ok=True)
        self._end()

    def _is_log(self, wal: Path) -> bool:
        """Whether a path leads to the log of this session."""
        try:
            return self._log is not None and os.path.samestat(wal.lstat(), os.fstat(self._log))
        except OSError:
            return False

    def _give_up(self) -> None:
        """End an opening that failed; the file does not say any more that a session lasts."""
        if self._begun:
            self.close()
        else:
            self._end()

    def _end(self) -> None:
        if self._log is not None:
            os.close(self._log)  # Windows deletes no open file
        self._database.close()
        os.close(self._handle)  # not before: it would drop the locks
        _held.discard(self._held)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """A transaction that writes the stamp, and so to the log even if no cell changes."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._count()
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def _count(self) -> None:
        count = int.from_bytes(self._stamp[2 * TOKEN : -1], "big") + 1
        self._stamp = self._stamp[: 2 * TOKEN] + count.to_bytes(8, "big") + self._stamp[-1:]
        self._database.execute(PUT_NUMBER, (self._stamp, STAMP_ROW))

    def _checkpoint(self) -> None:
        """Copy the log to the file, and take note of how the file is now."""
        self._copy_log()
        self._frames = 0
        self._identity = Identity.of(self._handle)
        self._unchanged = ()

    def _copy_log(self) -> None:
        """Copy the log to the file; the next change overwrites the log from its begin."""
        busy, logged, copied = self._database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if busy or logged != copied:
            raise sqlite3.OperationalError("checkpoint")

    def _begin_change(self) -> None:
        """Before a change: ``MemoryFailure`` after a failure, ``InputError`` if the log is not the one we write."""
        if self.problem is not None:
            raise MemoryFailure
        if self._log_seen:
            return
        self._log_seen = True
        wal = None
        with suppress(OSError):
            wal = Identity.of(self._names[1])
        if wal is None or wal[:2] != self._wal[:2] or wal.size < self._wal.size:
            self._gone(Phrase("its -wal file was deleted, replaced or edited while it was in use"))

    def _look(self) -> None:
        """``InputError`` if the path leads to another file than before, or someone else wrote it.

        The path is walked only if something changed about the open file: its
        links, which are in its time of change, its name or its content.
        """
        self._log_seen = False  # it is looked at before the first change of a command
        held = os.fstat(self._handle)
        unchanged = held.st_ctime_ns, held.st_mtime_ns, held.st_size, held.st_nlink
        if unchanged == self._unchanged:
            return
        try:
            now = Identity.of(self._names[0])
        except OSError:
            self._gone(Phrase("was deleted or moved while it was in use"))
            return
        if now != self._identity:
            self._edited = now[:2] == self._identity[:2]
            self._gone(
                Phrase("was edited while it was in use") if self._edited else Phrase("was replaced while it was in use")
            )
        self._unchanged = unchanged

    def _has_moved(self) -> bool:
        try:
            return Identity.of(self._names[0])[:2] != self._held
        except OSError:
            return True

    def _gone(self, problem: Sayable) -> None:
        self.end(problem, Phrase("bring the file back, and open the card again"))
        assert self.problem is not None
        raise self.problem

    def _fail(self, error: sqlite3.Error) -> None:
        self.problem = self._cause(error)
        raise MemoryFailure from None

    def _cause(self, error: sqlite3.Error) -> InputError | MissingPart:
        """Why the file cannot be written."""
        return unwritable(Path(self._source), system_error(error))


class CardStore(FileStore[Card]):
    """An open card file."""

    kind = CARD
