"""The results file of a campaign that runs."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from sscard.campaign.results import COLUMNS, RESULTS_ID, SCHEMA, TIMES, VERSION, Plan, Results
from sscard.campaign.rows import NEVER, Done, Outcome, Row, Shard, digest, shards, values_of
from sscard.errors import InputError
from sscard.files import check_not_beside, check_path_length, create_private, mode_of, unwritable
from sscard.i18n.phrase import Phrase, Sayable

CHECKPOINT: Final = 1.0
"""Seconds between two commits: what a campaign that is killed does again."""
KEPT: Final = 1000
"""Failures whose image and trace are kept; of further ones ``--card`` makes them again."""
PUT_CARD: Final = (
    f"INSERT INTO card VALUES ({', '.join(f'nullif(?, {NEVER})' if name in TIMES else '?' for name in COLUMNS)})"  # noqa: S608
)


class ResultsWriter(Results):
    """A results file that a campaign writes.

    Leaving the context writes what was added to the disk, also after an error. Errors as of ``Results``; ``add`` and
    ``finish`` may raise ``MissingPart`` if the disk is full.
    """

    def _prepare(self) -> None:
        super()._prepare()
        self._db.execute("PRAGMA query_only = OFF")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._begin()
        self._due = 0.0  # the first shard is written immediately: the file shows that the campaign runs
        (self._failed,) = self._db.execute("SELECT count(*) FROM failure").fetchone()

    @classmethod
    def create(cls, file: Path, plan: Plan) -> Self:
        """Create a file, which only its owner can read. ``InputError`` if it exists."""
        check_not_beside(file)
        check_path_length(file)
        if mode_of(file):
            raise InputError(
                Phrase("exists already"),
                file=str(file),
                remedy=Phrase("continue it with --resume, or choose another name"),
            )
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
            fresh.execute(f"PRAGMA application_id = {RESULTS_ID}")
            fresh.execute(f"PRAGMA user_version = {VERSION}")
            fresh.executescript(SCHEMA.read_text(encoding="utf-8"))
            fresh.execute(
                "INSERT INTO campaign VALUES (?, ?, ?, ?, ?, NULL)",
                (plan.population, plan.seed, plan.cards, plan.through, plan.version),
            )
            named = {"product": plan.products, "place": plan.places, "behaviour": plan.behaviours}
            named["outcome"] = tuple(each.name.lower() for each in Outcome)
            for kind, names in named.items():
                fresh.executemany(f"INSERT INTO name VALUES ('{kind}', ?, ?)", list(enumerate(names)))  # noqa: S608
            content = fresh.serialize()
        try:
            create_private(file, content)
        except OSError as error:
            raise unwritable(file, error) from None
        return cls(file)

    @classmethod
    def resume(cls, file: Path, plan: Plan) -> Self:
        """Open the file of an earlier campaign to continue it.

        ``InputError`` if it was made with another plan, or if its cards are not those that its digests say.
        """
        opened = cls(file)
        try:
            with opened.errors():
                opened._check_same(plan)
                opened._verify()
        except BaseException:
            opened.close()
            raise
        return opened

    def missing(self) -> Iterator[Shard]:
        """The shards of the campaign that are not done."""
        with self.errors():
            known = {first for (first,) in self._db.execute("SELECT first FROM shard")}
        return (shard for shard in shards(self.plan.cards) if shard.first not in known)

    def add(self, done: Done) -> None:
        """Add a shard, whole or, if it is interrupted, not at all; it is on disk with the next checkpoint."""
        with self.errors(), self._whole():
            self._db.execute(
                "INSERT INTO shard VALUES (?, ?, ?, ?, ?)",
                (*done.shard, done.digest, _text(done.layers), _text(done.modelled)),
            )
            self._db.executemany(PUT_CARD, values_of(done.rows))
            for failure in done.failures:
                self._failed += 1
                kept = (failure.image, failure.trace) if self._failed <= KEPT else ("", "")
                values = (failure.index, failure.invariant, failure.step, *kept)
                self._db.execute("INSERT INTO failure VALUES (?, ?, ?, ?, ?)", values)
        if time.monotonic() >= self._due:
            with self.errors():
                self._db.execute("COMMIT")
                self._begin()

    def finish(self) -> str:
        """Write the digest of the campaign and return it; empty if shards are missing."""
        if next(self.missing(), None) is not None:
            return ""
        with self.errors():
            of_shards = self._db.execute("SELECT digest FROM shard ORDER BY first")
            whole = digest(found for (found,) in of_shards)
            self._db.execute("UPDATE campaign SET digest = ?", (whole,))
        return whole

    def close(self) -> None:
        """Write everything to the disk and close the file, which is one file then unless it is read now."""
        try:
            with self.errors():
                if self._db.in_transaction:
                    self._db.execute("COMMIT")
            with suppress(sqlite3.OperationalError):
                self._db.execute("PRAGMA journal_mode = DELETE")
        finally:
            self._db.close()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Undo what is written inside if Ctrl-C or an error comes in between."""
        self._db.execute("SAVEPOINT shard")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK TO shard")
            raise
        finally:
            self._db.execute("RELEASE shard")

    def _begin(self) -> None:
        """Begin the next transaction now: the file is locked for others that write from here to the end."""
        self._db.execute("BEGIN IMMEDIATE")
        self._due = time.monotonic() + CHECKPOINT

    def _check_same(self, plan: Plan) -> None:
        facts: dict[str, tuple[Sayable, Sayable]] = {
            "--seed": (str(self.plan.seed), str(plan.seed)),
            "--cards": (str(self.plan.cards), str(plan.cards)),
            "--through": (self.plan.through, plan.through),
            "sscard": (self.plan.version, plan.version),
        }
        for name, (before, now) in facts.items():
            if before != now:
                raise InputError(
                    Phrase("was begun with {name} {before}, not {now}", name=name, before=before, now=now),
                    file=str(self.file),
                    remedy=Phrase("continue it as it was begun, or choose another file"),
                )
        if self.plan != plan:
            raise InputError(
                Phrase("was begun with another population"),
                file=str(self.file),
                remedy=Phrase("continue it as it was begun, or choose another file"),
            )

    def _verify(self) -> None:
        """Compute the digest of each shard from its cards again."""
        if self._db.execute("PRAGMA quick_check(1)").fetchall() != [("ok",)]:
            raise self._damaged()
        known = self._db.execute("SELECT first, count, digest FROM shard ORDER BY first")
        cards = self.values()
        for first, count, expected in known:
            computed = sha256()
            for index in range(first, first + count):
                values = next(cards, None)
                if values is None or values[0] != index:
                    raise self._damaged()
                computed.update(Row._make(values).packed())
            if computed.digest() != expected:
                raise self._damaged()
        if next(cards, None) is not None:
            raise self._damaged()


def _text(values: Mapping[str, float]) -> str:
    return json.dumps(dict(values), sort_keys=True)
