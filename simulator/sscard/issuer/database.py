"""The SQLite database in a card file, or in that of a PSAM: the cells by their lasting names.

The table ``number`` is one page, and its row 0 is the stamp of the file: the
session before, this session, a count, and whether the session lasts. So every
transaction writes the stamp to the write-ahead log too (``FILE-wal``), and a
log that does not belong to its file is recognised.
"""

from __future__ import annotations

import json
import sqlite3
import stat
import struct
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final, Generic, Protocol, TypeVar

from sscard.chip.engine import Engine
from sscard.chip.memory import Log, Memory
from sscard.errors import InputError
from sscard.files import DATABASE, unreadable
from sscard.i18n.phrase import Phrase
from sscard.issuer.image import FORMAT, REISSUE, card_in, checked_version, content_of, whole_of
from sscard.issuer.migrations import VERSION, Notify
from sscard.issuer.personalise import Card
from sscard.issuer.storage import CARD_FILE

CARD_ID, PSAM_ID = 0x53534344, 0x53535053
"""Application ids: ``SSCD``, ``SSPS``."""
JSON_STARTS: Final = (b"{", b"\xef\xbb\xbf{")
SPARE: Final = 64 * 1024
"""Free bytes in a new file, for files of the card that grow."""
PAGE, LARGE_PAGE, ROW = 4096, 16384, 16
"""Bytes: of a page, and at most of a row of ``number``."""
STAMP_ROW: Final = 0
TOKEN: Final = 16
NOT_NOW: Final = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
}
"""SQLite's errors that come from the system and not from the content of the file."""
WAL_HEADER, FRAME_HEADER = 32, 24

SCHEMA: Final = Path(__file__).parent / "card-file.sql"
TABLES: Final = ("card", "key", "cell", "number", "string", "log")
SETTINGS: Final = ("locking_mode = EXCLUSIVE", "trusted_schema = OFF", "cell_size_check = ON")
"""Of every connection."""
PUT_NUMBER: Final = "UPDATE number SET value = ? WHERE number = ?"
PUT_STRING: Final = "UPDATE string SET value = ? WHERE number = ?"


class Stored(Protocol):
    """A card or PSAM without power, as a file holds it."""

    @property
    def memory(self) -> Memory:
        """Its non-volatile memory."""

    def chip(self, random: Random | None = None, *, contact: bool = True) -> Engine[Any]:
        """Its chip, without power."""


T = TypeVar("T", bound=Stored)
Rows = dict[str, Any]
"""``facts``: the rows of the table ``card``; ``keys`` and ``memory`` as in an image."""


@dataclass(frozen=True, kw_only=True)
class Kind(Generic[T]):
    """What a file holds: cards and PSAMs have the same tables, and another application id.

    ``read`` makes it of its rows; its arguments are rows, version, name of the
    file, and what gets messages. ``cells`` has the names of its number and string
    cells, ``file`` says that a path to one is expected.
    """

    application_id: int
    version: int
    file: Phrase
    not_one: Phrase
    from_where: Phrase
    damaged: Phrase
    reissue: Phrase
    rows: Callable[[T], Rows]
    read: Callable[[Rows, int, str, Notify], T]
    cells: Callable[[T], list[list[str]]]


def _card_rows(card: Card) -> Rows:
    content = content_of(card)
    facts = {"personality": json.dumps(content["personality"]), "historical": content["historical"]}
    return {"facts": facts, "keys": content["keys"], "memory": content["memory"]}


def _card_of(rows: Rows, version: int, source: str, notify: Notify) -> Card:
    facts = rows.pop("facts")
    try:
        known = {"personality": json.loads(facts["personality"]), "historical": facts["historical"]}
    except (LookupError, TypeError, ValueError, RecursionError):
        raise InputError(CARD.damaged, file=source, remedy=REISSUE) from None
    content = {"format": FORMAT, "digest": "", "version": version, **known, **rows}
    try:
        return card_in(content, source, notify)
    except InputError as error:
        problem = Phrase("is not a card file of version {version}: {problem}", version=version, problem=whole_of(error))
        raise InputError(problem, file=source, remedy=REISSUE) from None


CARD: Final = Kind(
    application_id=CARD_ID,
    version=VERSION,
    file=CARD_FILE,
    not_one=Phrase("is not a card file"),
    from_where=Phrase("a card file comes from: sscard issue -o FILE"),
    damaged=Phrase("is a damaged card file"),
    reissue=REISSUE,
    rows=_card_rows,
    read=_card_of,
    cells=lambda card: [card.profile.layout.number_names(), card.profile.layout.string_names()],
)


def new_file(kind: Kind[T], card: T) -> bytes:
    """The bytes of a new file, the same ones for the same card."""
    import hashlib

    whole = json.dumps(kind.rows(card)).encode()
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        fits = len(card.memory.numbers) * ROW < PAGE
        database.execute(f"PRAGMA page_size = {PAGE if fits else LARGE_PAGE}")
        database.execute(f"PRAGMA application_id = {kind.application_id}")
        database.executescript(SCHEMA.read_text(encoding="utf-8"))
        fill(database, kind, card, hashlib.sha256(whole).digest() + bytes(9))
        database.execute("CREATE TABLE spare (value)")
        database.execute("INSERT INTO spare VALUES (zeroblob(?))", (SPARE,))
        database.execute("DROP TABLE spare")
        written = bytearray(database.serialize())
    written[18:20] = b"\x02\x02"  # read and write version of the file format: with a write-ahead log
    return bytes(written)


def fill(database: sqlite3.Connection, kind: Kind[T], card: T, stamp: bytes) -> None:
    """Replace every row by those of a card."""
    content = kind.rows(card)
    memory = content["memory"]
    database.execute("BEGIN IMMEDIATE")
    for table in TABLES:
        database.execute(f"DELETE FROM {table}")  # noqa: S608 - a constant
    database.execute(f"PRAGMA user_version = {kind.version}")
    database.executemany("INSERT INTO card VALUES (?, ?)", list(content["facts"].items()))
    database.executemany(
        "INSERT INTO key VALUES (?, ?, ?)",
        [(name, version, value) for name, values in content["keys"].items() for version, value in enumerate(values, 1)],
    )
    for table, names in (("number", memory["numbers"]), ("string", memory["strings"])):
        cells = [(table, number, name) for number, name in enumerate(names, 1)]
        database.executemany("INSERT INTO cell VALUES (?, ?, ?)", cells)
    numbers: list[tuple[int, object]] = [(STAMP_ROW, stamp), *enumerate(card.memory.numbers, 1)]
    database.executemany("INSERT INTO number VALUES (?, ?)", numbers)
    database.executemany("INSERT INTO string VALUES (?, ?)", list(enumerate(card.memory.strings, 1)))
    put_log(database, card.memory.log)
    database.execute("COMMIT")


def put_log(database: sqlite3.Connection, log: Log | None) -> None:
    """Replace the memory's own log."""
    database.execute("DELETE FROM log")
    if log is not None:
        rows: list[tuple[str, int, object]] = [("complete", 0, int(log.complete))]
        rows += [("number", cell + 1, value) for cell, value in log.numbers]
        rows += [("string", cell + 1, value) for cell, value in log.strings]
        database.executemany("INSERT INTO log VALUES (?, ?, ?)", rows)


def wal_of(path: Path) -> Path:
    """The write-ahead log of a card file."""
    return path.with_name(f"{path.name}-wal")


def kind_in(path: Path, source: str, kinds: Sequence[Kind[Any]]) -> Kind[Any]:
    """Which of these kinds a file is; ``InputError`` if none, for a JSON image with the command that imports it."""
    try:
        with path.open("rb") as file:
            head = file.read(100)
    except OSError as error:
        raise unreadable(source, error) from None
    found = int.from_bytes(head[68:72], "big") if head.startswith(DATABASE) else 0
    for kind in kinds:
        if found == kind.application_id:
            return kind
    if CARD in kinds and head.lstrip().startswith(JSON_STARTS):
        new = Path(source).with_suffix("") if source.endswith((".json", ".db")) else Path(source)
        new = new.with_name(f"{new.name}-card.db" if source.endswith(".db") else f"{new.name}.db")
        raise InputError(
            Phrase("is a JSON image, not a card file"),
            file=source,
            remedy=Phrase("make a card file of it: {command}", command=f"sscard image import {source} -o {new}"),
        )
    problem = {
        CARD_ID: Phrase("is a card file, not a PSAM file"),
        PSAM_ID: Phrase("is a PSAM file, not a card file"),
    }.get(found, kinds[0].not_one)
    raise InputError(problem, file=source, remedy=kinds[0].from_where)


def check_journals(path: Path, source: str) -> None:
    """``InputError`` if SQLite would apply a journal or log to a card file that does not belong to it."""
    wal = wal_of(path)
    for beside in (wal, path.with_name(f"{path.name}-journal")):
        with suppress(FileNotFoundError):
            found = beside.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1 or beside is not wal:
                _refuse_journal(beside, source)
    pages = _first_transaction(wal)
    with suppress(sqlite3.Error), closing(connect(path, "immutable=1")) as database:
        if pages and stamp_of(database)[TOKEN : 2 * TOKEN] not in pages:
            _refuse_journal(wal, source)


def _refuse_journal(beside: Path, source: str) -> None:
    raise InputError(
        Phrase("{journal} does not belong to this card file, which was copied or replaced", journal=beside.name),
        file=source,
        remedy=Phrase("bring back the file that it belongs to, or remove it: rm {journal}", journal=str(beside)),
    )


def _first_transaction(wal: Path) -> bytes:
    """The pages of the first transaction in a write-ahead log; empty if SQLite finds no whole one in it.

    A process that is killed may leave a part of a transaction, which SQLite
    ignores. Format of the log: https://www.sqlite.org/fileformat2.html#walformat.
    """
    try:
        content = wal.read_bytes()
    except FileNotFoundError:
        return b""
    order = {0x377F0682: "<II", 0x377F0683: ">II"}.get(int.from_bytes(content[:4], "big"), "")
    page, salt = int.from_bytes(content[8:12], "big"), content[16:24]
    if not order or page not in (PAGE, LARGE_PAGE):
        return b""
    total = _checksum(order, content[:24], (0, 0))
    pages = b""
    for start in range(WAL_HEADER, len(content), FRAME_HEADER + page):
        head, data = content[start : start + FRAME_HEADER], content[start + FRAME_HEADER :][:page]
        if len(data) < page or head[8:16] != salt:
            break
        total = _checksum(order, head[:8] + data, total)
        if head[16:] != struct.pack(">II", *total):
            break
        pages += data
        if any(head[4:8]):  # the size of the database after the transaction, which ends here
            return pages
    return b""


def _checksum(order: str, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    """SQLite's checksum of a part of the log, after those before it."""
    one, other = before
    for first, second in struct.iter_unpack(order, data):
        one = (one + first + other) & 0xFFFF_FFFF
        other = (other + second + one) & 0xFFFF_FFFF
    return one, other


def stamp_of(database: sqlite3.Connection) -> bytes:
    """The stamp of a card file; ``sqlite3.DatabaseError`` if there is no such row."""
    try:
        row = database.execute("SELECT value FROM number WHERE number = ?", (STAMP_ROW,)).fetchone()
    except ValueError:  # a damaged name that is no text
        raise sqlite3.DatabaseError from None
    if row is None or not isinstance(row[0], bytes) or len(row[0]) != 2 * TOKEN + 9:
        raise sqlite3.DatabaseError
    stamp: bytes = row[0]
    return stamp


def lost_log_warning(source: str) -> Phrase:
    """The warning about a card file whose log is lost."""
    return Phrase(
        "{path}: its last session did not end, and {path}-wal is missing or damaged: its state may be an earlier one; "
        "copy and move both files together",
        path=source,
    )


def has_lost_log(path: Path) -> bool:
    """Whether the last session of a card file did not end, although no log that SQLite would read is beside it."""
    if _first_transaction(wal_of(path)):
        return False
    with suppress(sqlite3.Error), closing(connect(path, "immutable=1")) as database:
        return stamp_of(database)[-1] != 0
    return False


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """The database in a file, in exclusive mode; SQLite locks it when it is first read."""
    uri = f"{path.as_uri()}?{mode}"
    database = sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0, check_same_thread=False)
    for setting in SETTINGS:
        database.execute(f"PRAGMA {setting}")
    return database


def read_card(database: sqlite3.Connection, kind: Kind[T], source: str, notify: Notify) -> tuple[T, bool]:
    """The card or PSAM of a database, and whether its rows are not those that this sscard writes.

    Errors: ``InputError`` names the cell whose value no card has;
    ``sqlite3.OperationalError`` if the file cannot be read or locked now.
    """
    try:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        checked_version(version, source, kind.version, kind.reissue)
        rows = _rows(database)
    except (sqlite3.DatabaseError, LookupError, TypeError, ValueError, RecursionError) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in NOT_NOW:
            raise
        raise InputError(kind.damaged, file=source, remedy=kind.reissue) from None
    names = [list(rows["memory"][table]) for table in ("numbers", "strings")]
    card = kind.read(rows, version, source, notify)
    return card, version != kind.version or names != kind.cells(card)


def _rows(database: sqlite3.Connection) -> Rows:
    """The rows of a file; ``LookupError`` if it is damaged."""
    tables = [f"{sql};" for (sql,) in database.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")]
    expected = [line for line in SCHEMA.read_text(encoding="utf-8").splitlines() if not line.startswith("--")]
    if database.execute("PRAGMA quick_check").fetchall() != [("ok",)] or tables != expected:
        raise LookupError
    stamp_of(database)
    facts = dict(database.execute("SELECT name, value FROM card"))
    keys: dict[str, list[object]] = {}
    for name, value in database.execute("SELECT name, value FROM key ORDER BY name, version"):
        keys.setdefault(name, []).append(value)
    named = database.execute("SELECT kind, number, name FROM cell ORDER BY kind, number")
    names = {(kind, number): name for kind, number, name in named}
    cells: dict[str, dict[str, object]] = {"number": {}, "string": {}}
    logged: dict[str, dict[str, object]] = {"number": {}, "string": {}}
    for kind, values in cells.items():
        for number, value in database.execute(f"SELECT number, value FROM {kind} WHERE number > 0 ORDER BY number"):  # noqa: S608 - a constant
            values[names[kind, number]] = value.hex() if isinstance(value, bytes) else value
    if sum(map(len, cells.values())) != len(names):
        raise LookupError
    complete = None
    for kind, number, value in database.execute("SELECT kind, number, value FROM log"):
        if kind == "complete":
            complete = bool(value)
        else:
            logged[kind][names[kind, number]] = value.hex() if isinstance(value, bytes) else value
    log = {"complete": complete, "numbers": logged["number"], "strings": logged["string"]}
    return {
        "facts": facts,
        "keys": keys,
        "memory": {
            "numbers": cells["number"],
            "strings": cells["string"],
            "log": None if complete is None else log,
        },
    }
