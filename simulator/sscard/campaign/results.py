"""The results of a campaign in an SQLite file: shard by shard, to be continued after any interruption.

A shard is there with all its cards or not at all. The file is complete up to the last checkpoint when a process is
killed or the power fails. While a campaign writes it, other programs can read it, and no second campaign can write.
"""

from __future__ import annotations

import json
import math
import sqlite3
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from sscard.campaign.rows import NEVER, Failure, Row, Shard, Through, row_of
from sscard.errors import InputError, MissingPart
from sscard.files import DATABASE, check_path_length, mode_of, resolved, unreadable
from sscard.i18n.phrase import Phrase

RESULTS_ID: Final = 0x53534350
"""Application id of the file: ``SSCP``."""
VERSION: Final = 1
SCHEMA: Final = Path(__file__).parent / "results.sql"
WAIT: Final = 5.0
"""Seconds to wait for a reader that holds the file."""
TIMES: Final = ("arrival", "locked_at", "visit_at", "return_at")
"""The columns that are NULL in the file where a row has ``NEVER``."""
COLUMNS: Final = tuple("card" if name == "index" else name for name in Row._fields)
GET_CARDS: Final = (
    f"SELECT {', '.join(f'ifnull({name}, {NEVER})' if name in TIMES else name for name in COLUMNS)} "  # noqa: S608
    "FROM card ORDER BY card"
)
FAULTS: Final = (sqlite3.DatabaseError, struct.error, LookupError, ValueError, OverflowError, TypeError, AttributeError)
"""What comes of content of other types and ranges than those of a campaign."""
EXPECTED: Final = Phrase("expected a file of: sscard campaign --results FILE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What decides the results of a campaign; a file is continued with the same plan only.

    ``population`` is JSON. ``products``, ``places`` and ``behaviours`` are the names that the numbers in the rows
    stand for; ``version`` is that of sscard.
    """

    population: str
    seed: int
    cards: int
    through: Through
    version: str
    products: tuple[str, ...]
    places: tuple[str, ...]
    behaviours: tuple[str, ...]


class Facts(NamedTuple):
    """A shard in a file; see ``Done``."""

    shard: Shard
    layers: Mapping[str, float]
    modelled: Mapping[str, int]


class Results:
    """A results file that is read; a context manager. Errors: ``InputError``, ``MissingPart`` if the disk is full."""

    def __init__(self, file: Path) -> None:
        self.file = file
        if not mode_of(file):
            raise InputError(Phrase("there is no such file"), file=str(file), remedy=EXPECTED)
        real = resolved(file, EXPECTED)
        check_path_length(real)
        try:
            with real.open("rb") as opened:
                head = opened.read(100)
        except OSError as error:
            raise unreadable(file, error) from None
        if not head.startswith(DATABASE) or int.from_bytes(head[68:72], "big") != RESULTS_ID:
            raise InputError(Phrase("is no results file of a campaign"), file=str(file), remedy=EXPECTED)
        # In mode "ro" a file whose writer was killed could not be read where there is no -shm file yet.
        with self.errors():
            self._db = sqlite3.connect(f"{real.as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=WAIT)
        try:
            with self.errors():
                self._prepare()
        except BaseException:
            self._db.close()
            raise

    def _prepare(self) -> None:
        """Set the connection up, and read and check what decides the results."""
        for setting in ("trusted_schema = OFF", "cell_size_check = ON", "query_only = ON"):
            self._db.execute(f"PRAGMA {setting}")
        self._check()
        self.plan = self._read_plan()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """What is read inside is of one state of the file, also while a campaign writes it."""
        self._db.execute("SAVEPOINT reading")
        try:
            yield
        finally:
            self._db.execute("RELEASE reading")

    @property
    def population(self) -> dict[str, Any]:
        """The population file."""
        found: dict[str, Any] = json.loads(self.plan.population)
        return found

    @property
    def digest(self) -> str:
        """The digest of the campaign, empty if it is not complete."""
        with self.errors():
            (found,) = self._db.execute("SELECT digest FROM campaign").fetchone()
            if not isinstance(found, str | None):
                raise self._damaged()
        return found or ""

    @property
    def done(self) -> int:
        """The number of cards that are done."""
        with self.errors():
            (found,) = self._db.execute("SELECT ifnull(sum(count), 0) FROM shard").fetchone()
        return int(found)

    @property
    def failed(self) -> int:
        """The number of cards that broke an invariant."""
        with self.errors():
            (found,) = self._db.execute("SELECT count(DISTINCT card) FROM failure").fetchone()
        return int(found)

    def rows(self) -> Iterator[Row]:
        """The rows of the cards that are done, in order of the index, one at a time."""
        for values in self.values():
            yield row_of(values)

    def values(self) -> Iterator[tuple[Any, ...]]:
        """The values of these rows, as ``rows.values_of`` gives them."""
        with self.errors():
            cursor = self._db.execute(GET_CARDS)
            while values := cursor.fetchone():  # yield from would close the cursor, maybe after its database
                self._check_values(values)
                yield values

    def shards(self) -> Iterator[Facts]:
        """The shards that are done, in order."""
        with self.errors():
            found = self._db.execute("SELECT first, count, layers, modelled FROM shard ORDER BY first")
            for first, count, *measured in found:
                layers, modelled = map(json.loads, measured)
                if not all(map(math.isfinite, (*layers.values(), *modelled.values()))):
                    raise self._damaged()
                yield Facts(Shard(first, count), layers, modelled)

    def failures(self) -> Iterator[Failure]:
        """The invariants that cards broke, in order of the index; image and trace are empty after the first ones."""
        with self.errors():
            found = self._db.execute("SELECT card, invariant, step, image, trace FROM failure ORDER BY card, rowid")
            for card, *texts in found:
                if not isinstance(card, int) or not all(isinstance(each, str) for each in texts):
                    raise self._damaged()
                yield Failure(card, *texts)

    def _check(self) -> None:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version != VERSION:
            raise InputError(
                Phrase("is of version {version}, this sscard reads version {known}", version=version, known=VERSION),
                file=str(self.file),
                remedy=Phrase("read it with the sscard that wrote it"),
            )
        found = [f"{sql};" for (sql,) in self._db.execute("SELECT sql FROM sqlite_master WHERE sql NOT NULL")]
        if found != _statements():
            raise self._damaged()

    def _read_plan(self) -> Plan:
        population, seed, cards, through, version = (
            self._db.execute("SELECT population, seed, cards, through, version FROM campaign").fetchone()
            or self._no_plan()
        )
        if not (
            isinstance(population, str)
            and isinstance(seed, int)
            and isinstance(cards, int)
            and seed >= 0
            and cards > 0
            and isinstance(version, str)
        ):
            raise self._damaged()
        names: dict[str, list[str]] = {}
        for kind, number, name in self._db.execute("SELECT kind, number, name FROM name ORDER BY kind, number"):
            known = names.setdefault(kind, [])
            if number != len(known) or not isinstance(name, str):
                raise self._damaged()
            known.append(name)
        return Plan(
            population=population,
            seed=seed,
            cards=cards,
            through=Through(through),
            version=version,
            products=tuple(names.get("product", ())),
            places=tuple(names.get("place", ())),
            behaviours=tuple(names.get("behaviour", ())),
        )

    def _check_values(self, values: tuple[Any, ...]) -> None:
        """A row can be packed, has a time of arrival, and names of the plan; otherwise one of ``FAULTS``."""
        row = row_of(values)
        row.packed()
        plan = self.plan
        parts = ((row.product, plan.products), (row.place, plan.places), (row.behaviour, plan.behaviours))
        if row.arrival == NEVER or any(number >= len(names) for number, names in parts):
            raise self._damaged()

    def _no_plan(self) -> Any:
        raise self._damaged()

    def _damaged(self) -> InputError:
        return InputError(
            Phrase("is a damaged results file"),
            file=str(self.file),
            remedy=Phrase("run the campaign again with another --results FILE"),
        )

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Errors of SQLite, and of content that no campaign has written, as ours."""
        try:
            yield
        except FAULTS as error:
            code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
            if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise InputError(
                    Phrase("another campaign writes to this file"),
                    file=str(self.file),
                    remedy=Phrase("wait until it ends, or name another file"),
                ) from None
            if code == sqlite3.SQLITE_FULL:
                raise MissingPart(
                    Phrase("{place}: {problem}", place=str(self.file), problem=Phrase("the disk is full")),
                    Phrase("free space, then continue with --resume"),
                ) from None
            if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
                raise InputError(
                    Phrase("cannot be used: {reason}", reason=str(error)),
                    file=str(self.file),
                    remedy=Phrase("look at the permissions of the file and of its folder, which SQLite writes to"),
                ) from None
            raise self._damaged() from None


def _statements() -> list[str]:
    return [line for line in SCHEMA.read_text(encoding="utf-8").splitlines() if not line.startswith("--")]
