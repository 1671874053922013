"""The holder base in an SQLite file: ``sqlite:FILE``, or the path."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sscard.errors import HolderBaseUnavailable, InputError
from sscard.files import check_path_length, create_private, mode_of, unwritable
from sscard.i18n.phrase import Phrase
from sscard.issuer.holder import card_number
from sscard.issuer.holderbase import ListedCards
from sscard.issuer.standing import Standing

HOLDER_BASE_ID: Final = 0x53534842
"""Application id of the file: ``SSHB``."""
VERSION: Final = 1
WAIT: Final = 5
"""Seconds to wait for another process that writes to the file."""
SCHEMA: Final = Path(__file__).parent / "holder-base.sql"


class SqliteHolderBase:
    """A holder base in an SQLite file. It keeps no connection: usable by threads and after a fork.

    ``InputError`` if the file does not exist, unless it is to be ``created``,
    or is not a holder base.
    """

    def __init__(self, file: Path, *, create: bool = False) -> None:
        self._file = file
        check_path_length(file)
        if create and not mode_of(file):
            with closing(sqlite3.connect(":memory:")) as fresh:
                fresh.execute(f"PRAGMA application_id = {HOLDER_BASE_ID}")
                fresh.execute(f"PRAGMA user_version = {VERSION}")
                fresh.executescript(SCHEMA.read_text(encoding="utf-8"))
                content = fresh.serialize()
            try:
                create_private(file, content)
            except OSError as error:
                raise unwritable(file, error) from None
        if not mode_of(file):
            raise InputError(
                Phrase("no such holder base"),
                file=str(file),
                remedy=Phrase("create it with: sscard holder-base set {file} CARD STANDING", file=str(file)),
            )
        if not stat.S_ISREG(mode_of(file)):
            raise self._unknown()
        with self._connection(damaged=self._unknown()) as db:
            kind, version = db.execute("PRAGMA application_id").fetchone()[0], db.execute("PRAGMA user_version")
            if (kind, *version.fetchone()) != (HOLDER_BASE_ID, VERSION):
                raise self._unknown()

    def standing(self, card_number: str) -> Standing:
        """See ``HolderBase``."""
        with self._connection() as db:
            found = db.execute(
                "SELECT id, standing FROM listed WHERE first = :card AND last = :card "
                "UNION ALL SELECT id, standing FROM listed WHERE first < last AND first <= :card AND last >= :card "
                "ORDER BY id DESC LIMIT 1",
                {"card": card_number[:-1]},
            ).fetchone()
        try:
            return Standing(found[1]) if found else Standing.IN_USE
        except ValueError:
            raise self._unavailable(Phrase("unknown standing {standing!r}", standing=str(found[1]))) from None

    def put(self, *listed: ListedCards) -> None:
        """Write entries, the newest last, all or none; each replaces an older one of the same cards."""
        with self._connection(write=True) as db:
            db.execute("BEGIN IMMEDIATE")
            for entry in listed:
                db.execute("DELETE FROM listed WHERE first = ? AND last = ?", entry.ends)
                db.execute("INSERT INTO listed (first, last, standing) VALUES (?, ?, ?)", (*entry.ends, entry.standing))
            db.execute("COMMIT")

    def listed(self) -> Iterator[ListedCards]:
        """The entries, the newest first; a single card has no ``last``. ``InputError`` for a row that is not one."""
        with self._connection() as db:
            for row, first, last, found in db.execute("SELECT id, first, last, standing FROM listed ORDER BY id DESC"):
                try:
                    whole = card_number(last) if first < last else ""
                    entry = ListedCards(first=card_number(first), last=whole, standing=Standing(found))
                except (ValueError, TypeError):
                    values = ", ".join(map(repr, (first, last, found)))
                    raise InputError(
                        Phrase("row {row} of the table listed is not an entry: {values}", row=row, values=values),
                        file=str(self._file),
                        remedy=Phrase("expected two card numbers without check character, and a standing"),
                    ) from None
                yield entry

    @contextmanager
    def _connection(self, *, write: bool = False, damaged: InputError | None = None) -> Iterator[sqlite3.Connection]:
        """A connection that sees the last commit; a reader changes nothing, also if a killed writer left a journal.

        ``damaged`` is raised for a file that is not a database, instead of ``HolderBaseUnavailable``.
        """
        try:
            source = f"{self._file.absolute().as_uri()}?mode=rw"
            with closing(sqlite3.connect(source, timeout=WAIT, isolation_level=None, uri=True)) as db:
                db.execute(f"PRAGMA query_only = {'OFF' if write else 'ON'}")
                db.execute("PRAGMA synchronous = FULL")
                db.text_factory = _text
                yield db
        except sqlite3.DatabaseError as error:
            if damaged and error.sqlite_errorcode == sqlite3.SQLITE_NOTADB:
                raise damaged from None
            raise self._unavailable(str(error)) from None

    def _unknown(self) -> InputError:
        return InputError(
            Phrase("not a holder base of this version of sscard"),
            file=str(self._file),
            remedy=Phrase("expected a file of: sscard holder-base set"),
        )

    def _unavailable(self, problem: Phrase | str) -> HolderBaseUnavailable:
        return HolderBaseUnavailable(Phrase("holder base {file}: {problem}", file=str(self._file), problem=problem))


def _text(stored: bytes) -> str:
    """Text of a column, with escapes for what is not UTF-8: then it is not a standing, or not a card number."""
    return stored.decode(errors="backslashreplace")


def open_url(url: str, **_: object) -> SqliteHolderBase:
    """The holder base in the file of ``sqlite:FILE``."""
    return SqliteHolderBase(Path(url.partition(":")[2]))
