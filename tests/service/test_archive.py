"""Archives of a journal: nothing is lost, everything still verifies, and whatever is done to it is found."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kit.citizens import JOURNAL_KEY, NEW_PIN, OPENING, Ticking, make_citizen
from kit.databases import execute
from kit.programs import CommandLine
from kit.waiting import until
from sscard.errors import InputError
from sscard.service import Case, CaseArchived, Event, JournalUnavailable, Paper, PinService, Reason, Stage
from sscard.service.journal import database, engine
from sscard.service.journal.archive import Moved
from sscard.service.journal.database import ArchiveReader, JournalReader, SqlJournal
from sscard.service.journal.verification import Checkpoint, Verification

DAY = timedelta(days=1)


@cache
def ways() -> tuple[tuple[Event, ...], ...]:
    """The events of a completed, a refused, a failed and a supplemented case."""
    citizen = make_citizen()
    service = PinService(Ticking())
    completed, failed, asked = (service.intake(citizen.application(Reason.FORGOTTEN)) for _ in range(3))
    service.accept(completed)
    service.operate(completed, citizen.session, NEW_PIN)
    service.complete(completed, citizen.session, NEW_PIN)
    refused = service.intake(citizen.application(None))
    service.accept(refused)
    service.accept(failed)
    service.abandon(failed)
    papers = replace(citizen.application(Reason.FORGOTTEN), papers=frozenset({Paper.ID_CARD}), card=None)
    asked = service.intake(papers)
    service.accept(asked)
    service.supplement(asked, [Paper.SOCIAL_SECURITY_CARD], citizen.basic)
    return tuple(case.events for case in (completed, refused, failed, asked))


class Office:
    """Cases in a journal that take turns, an event every six hours; ``cases`` are as they were written."""

    def __init__(self, journal: SqlJournal, random: Random) -> None:
        self.journal = journal
        self.now = OPENING
        self.cases: dict[str, Case] = {}
        self._random = random
        self.waiting: list[tuple[Case, list[Event]]] = []

    def work(self, steps: int, *, longest: int = 5) -> None:
        for _ in range(steps):
            self.now += DAY / 4
            if not self.waiting or (len(self.waiting) < longest and self._random.random() < 0.4):
                first, *rest = self._random.choice(ways())
                facts = first.facts | {"key": f"press {len(self.cases)}" if self._random.random() < 0.5 else ""}
                case = self.journal.open_case(replace(first, time=self.now, facts=facts))
                self.cases[case.number] = case
                self.waiting.append((case, rest))
            else:
                place = self._random.randrange(len(self.waiting))
                case, rest = self.waiting[place]
                self.journal.append(case, replace(rest.pop(0), time=self.now))
                if not rest:
                    del self.waiting[place]

    def archive(self, file: Path, back: timedelta = timedelta()) -> Moved:
        return self.journal.archive(self.now - back, file)


def verified(journal: JournalReader, *files: Path, since: Checkpoint | None = None) -> Verification:
    with ExitStack() as opened:
        readers = [opened.enter_context(closing(ArchiveReader(str(file), JOURNAL_KEY))) for file in files]
        return journal.verify(since, readers)


def cases_in(file: Path) -> dict[str, Case]:
    with closing(ArchiveReader(str(file), JOURNAL_KEY)) as reader:
        return {case.number: case for case in reader.cases() if not case.open}


def is_complete(office: Office, *files: Path) -> bool:
    """Whether each closed case is in one place, each open one in the journal, with all events as they were written."""
    places = [{case.number: case for case in office.journal.cases()}, *map(cases_in, files)]
    found = [number for place in places for number in place]
    events = {number: case.events for place in places for number, case in place.items()}
    return sorted(found) == sorted(office.cases) and events == {
        number: case.events for number, case in office.cases.items()
    }


@pytest.fixture
def office(journal: SqlJournal) -> Office:
    office = Office(journal, Random(7))
    office.work(60)
    return office


def test_closed_cases_move_and_all_parts_verify(office: Office, tmp_path: Path) -> None:
    before = office.journal.verify()
    first, second = tmp_path / "1.db", tmp_path / "2.db"
    moved = office.archive(first, 5 * DAY)
    assert moved.cases == len(cases_in(first)) > 3
    old = [case for case in office.cases.values() if case.events[0].time < office.now - 5 * DAY]
    assert moved.kept == sum(case.open for case in old) > 0
    assert moved.later == len(old) - moved.cases - moved.kept > 0
    office.work(40)
    office.archive(second, 5 * DAY)
    assert is_complete(office, first, second)
    found = verified(office.journal, first, second)
    assert (found.findings, found.notes) == ((), ())
    assert office.journal.verify().notes != ()
    assert found.cases < before.cases + 40
    office.work(5)
    assert verified(office.journal, second, first).findings == ()
    assert first.stat().st_mode & 0o777 == 0o600
    assert sorted(
        path.name for path in tmp_path.iterdir() if path.suffix != ".db-shm" and "journal" not in path.name
    ) == [
        "1.db",
        "2.db",
    ]


def test_a_case_that_was_open_continues_and_moves_later(journal: SqlJournal, tmp_path: Path) -> None:
    office = Office(journal, Random(1))
    opened = journal.open_case(replace(ways()[0][0], time=OPENING))
    office.work(40)
    office.archive(tmp_path / "1.db")
    again = journal.case(opened.number)
    assert again is not None
    assert again.events == opened.events
    for event in ways()[0][1:]:
        journal.append(again, replace(event, time=office.now))
    office.work(4)
    assert verified(journal, tmp_path / "1.db").findings == ()
    office.archive(tmp_path / "2.db")
    assert journal.case(opened.number) is None
    assert cases_in(tmp_path / "2.db")[opened.number].events == again.events
    assert opened.number not in cases_in(tmp_path / "1.db")


def test_lists_and_numbers_go_on(office: Office, tmp_path: Path) -> None:
    waiting = {case.number for case in office.journal.cases([Stage.ACCEPTED, Stage.SUPPLEMENT, Stage.INTAKE])}
    office.archive(tmp_path / "1.db")
    assert {case.number for case in office.journal.cases([Stage.ACCEPTED, Stage.SUPPLEMENT, Stage.INTAKE])} == waiting
    office.work(20)
    assert is_complete(office, tmp_path / "1.db")
    assert office.journal.reindex().findings == ()


def test_without_anything_to_move_there_is_no_archive(office: Office, tmp_path: Path) -> None:
    assert office.journal.archive(OPENING, tmp_path / "1.db") == Moved()
    assert not (tmp_path / "1.db").exists()
    office.archive(tmp_path / "1.db")
    assert office.archive(tmp_path / "2.db").cases == 0
    assert not (tmp_path / "2.db").exists()


def test_the_last_event_of_a_lane_stays_so_that_the_next_can_follow(journal: SqlJournal, tmp_path: Path) -> None:
    office = Office(journal, Random(7))
    office.work(30)
    while office.waiting:
        office.work(1, longest=1)
    moved = office.archive(tmp_path / "1.db", -DAY)
    assert (moved.kept, moved.later) == (sum(case.open for case in office.cases.values()), 1)
    assert journal.verify().events > 0
    office.work(10)
    assert verified(journal, tmp_path / "1.db").findings == ()
    assert is_complete(office, tmp_path / "1.db")


def test_an_archive_of_another_journal_takes_nothing_out(tmp_path: Path) -> None:
    for name, seed in (("one", 7), ("two", 8)):
        with closing(SqlJournal(str(tmp_path / f"{name}.db"), JOURNAL_KEY)) as journal:
            office = Office(journal, Random(seed))
            office.work(40)
            if name == "one":
                office.archive(tmp_path / "1.db")
                continue
            with pytest.raises(InputError, match="exists already"):
                office.archive(tmp_path / "1.db")
            assert is_complete(office)


def test_a_key_of_an_archived_case_opens_no_second_case(office: Office, tmp_path: Path) -> None:
    office.archive(tmp_path / "1.db")
    keys = {case.key: number for number, case in cases_in(tmp_path / "1.db").items() if case.key}
    assert keys
    for key, number in keys.items():
        event = replace(ways()[0][0], facts=ways()[0][0].facts | {"key": key})
        for use in (
            lambda event=event: office.journal.open_case(event),
            lambda key=key: office.journal.case_of_key(key),
        ):
            with pytest.raises(CaseArchived, match=f"case {number} was opened with this key") as refused:
                use()
            assert f"sscard case show {number} --archive FILE" in str(refused.value)
    assert verified(office.journal, tmp_path / "1.db").findings == ()


def test_two_cases_with_one_key_are_archived(journal: SqlJournal, journal_url: str, tmp_path: Path) -> None:
    """A key whose row was removed opens a second case; the chain is whole, so both move."""
    opened = replace(ways()[0][0], facts=ways()[0][0].facts | {"key": "press"})
    for _ in range(2):
        execute(journal_url, "DELETE FROM opening")
        case = journal.open_case(opened)
        for event in ways()[0][1:]:
            journal.append(case, event)
    journal.open_case(ways()[0][0])
    assert journal.archive(OPENING + 100 * DAY, tmp_path / "1.db").cases == 2
    with pytest.raises(CaseArchived):
        journal.case_of_key("press")
    assert verified(journal, tmp_path / "1.db").whole


def test_a_checkpoint_from_before_stays_valid(office: Office, tmp_path: Path) -> None:
    early = Checkpoint.read(office.journal.verify().checkpoint)
    office.work(30)
    late = Checkpoint.read(office.journal.verify().checkpoint)
    office.archive(tmp_path / "1.db", 2 * DAY)
    assert verified(office.journal, tmp_path / "1.db", since=early).findings == ()
    assert verified(office.journal, tmp_path / "1.db", since=late).findings == ()
    assert "give it with --archive" in " ".join(map(str, office.journal.verify(early).findings))
    with closing(ArchiveReader(str(tmp_path / "1.db"), JOURNAL_KEY)) as archive:
        end = Checkpoint.read(archive.verify().checkpoint)
    assert office.journal.verify(end).findings == ()


def test_an_archive_is_only_read(office: Office, tmp_path: Path) -> None:
    office.archive(tmp_path / "1.db")
    with pytest.raises(InputError, match="is an archive, which is only read"):
        SqlJournal(str(tmp_path / "1.db"), JOURNAL_KEY)


def test_an_archive_that_takes_the_place_of_an_open_journal_is_found(three: Three) -> None:
    office, first, _second = three
    case = next(iter(cases_in(first).values()))
    with closing(JournalReader(office.journal.shown, JOURNAL_KEY)) as reader:
        with closing(sqlite3.connect(first)) as archive, closing(sqlite3.connect(office.journal.shown)) as raw:
            archive.backup(raw)
        for found in (reader.verify(), reader.verify_lane_of(case)):
            assert "the lane's head is not the one that was written" in " ".join(map(str, found.findings))


def test_a_completed_archive_takes_no_more_cases(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "1.db"
    office.archive(file, 5 * DAY)
    content, day = file.read_bytes(), office.now - 5 * DAY
    assert office.journal.archive(day, file) == Moved()
    with pytest.raises(InputError, match="exists already"):
        office.archive(file)
    assert file.read_bytes() == content
    assert is_complete(office, file)


# What is done to it


TAMPERS = (
    "UPDATE event SET text = '[\"x\"]' WHERE lane = ? AND position = ?",
    "DELETE FROM event WHERE lane = ? AND position = ?",
    "UPDATE event SET facts = '{}', seal = 'x' WHERE lane = ? AND position = ?",
)


@settings(max_examples=5, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(seed=st.integers(0, 10**6), lengths=st.lists(st.integers(1, 20), min_size=1, max_size=3), back=st.integers(0, 8))
def test_whatever_is_archived_when_all_is_there_and_a_change_is_found(
    tmp_path_factory: pytest.TempPathFactory, seed: int, lengths: list[int], back: int
) -> None:
    folder = tmp_path_factory.mktemp("archives")
    random = Random(seed)
    with closing(SqlJournal(str(folder / "journal.db"), JOURNAL_KEY)) as journal:
        office = Office(journal, random)
        files: list[Path] = []
        for number, length in enumerate(lengths):
            office.work(length)
            office.archive(folder / f"{number}.db", back * DAY / 4)
            files += [file for file in (folder / f"{number}.db",) if file.exists()]
        office.work(3)
        assert verified(journal, *files).findings == ()
        assert is_complete(office, *files)
        for file in (folder / "journal.db", *files):
            places = execute(str(file), "SELECT lane, position FROM event")
            for at in random.sample(places, min(3, len(places))):
                assert is_found(journal, files, file, at, random.choice(TAMPERS))
        assert verified(journal, *files).findings == ()


def is_found(journal: SqlJournal, files: list[Path], file: Path, at: tuple[int, int], tamper: str) -> bool:
    """Whether a verification finds a change of one event, which is undone."""
    with closing(sqlite3.connect(file)) as raw:
        kept = raw.execute("SELECT * FROM event WHERE lane = ? AND position = ?", at).fetchall()
        with raw:
            raw.execute(tamper, at)
        found = verified(journal, *files).findings
        with raw:
            raw.execute("DELETE FROM event WHERE lane = ? AND position = ?", at)
            raw.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", kept)
    return bool(found)


def test_a_change_of_any_event_is_found(tmp_path: Path) -> None:
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        office = Office(journal, Random(2))
        files = [tmp_path / "1.db", tmp_path / "2.db"]
        for file in files:
            office.work(14)
            assert office.archive(file).kept
        office.work(2)
        changes = 0
        for file in (tmp_path / "journal.db", *files):
            for number, at in enumerate(execute(str(file), "SELECT lane, position FROM event")):
                assert is_found(journal, files, file, at, TAMPERS[number % 3]), (file, at)
                changes += 1
        assert changes > 30
        assert verified(journal, *files).findings == ()


Three = tuple[Office, Path, Path]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Three]:
    """An SQLite journal with two archives."""
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        office = Office(journal, Random(3))
        for name in ("1.db", "2.db"):
            office.work(40)
            office.archive(tmp_path / name)
        office.work(5)
        yield office, tmp_path / "1.db", tmp_path / "2.db"


def test_a_missing_archive_is_found(three: Three) -> None:
    office, first, second = three
    assert "the archive before the first of these is missing" in str(verified(office.journal, second).findings[-1])
    (finding,) = verified(office.journal, first).findings
    assert str(finding).startswith(f"{first}: does not end where the journal")


def test_an_archive_that_is_given_twice_is_named_as_such(three: Three, tmp_path: Path) -> None:
    office, first, second = three
    copied = tmp_path / "copy.db"
    copied.write_bytes(first.read_bytes())
    once = verified(office.journal, first, second)
    for again in (first, copied):
        found = verified(office.journal, first, again, second)
        assert [str(finding) for finding in found.findings] == [
            f"{again}: the same archive as {first}: give each archive once"
        ]
        assert found.archives == once.archives


def test_an_archive_of_another_journal_with_the_same_key_is_found(three: Three, tmp_path: Path) -> None:
    office, first, second = three
    with closing(SqlJournal(str(tmp_path / "other.db"), JOURNAL_KEY)) as journal:
        other = Office(journal, Random(4))
        other.work(40)
        other.archive(tmp_path / "foreign.db")
    assert verified(office.journal, first, tmp_path / "foreign.db").findings
    assert verified(office.journal, tmp_path / "foreign.db", second).findings
    with pytest.raises(InputError, match="is a journal and not an archive"):
        verified(office.journal, tmp_path / "other.db", first, second)
    with pytest.raises(InputError, match="exists already"):
        office.archive(tmp_path / "foreign.db")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM base",
        "UPDATE base SET events = events - 1",
        "UPDATE base SET kept = '0'",
        "DELETE FROM archived WHERE key = (SELECT min(key) FROM archived)",
        "UPDATE archived SET \"case\" = 'x' WHERE key = (SELECT min(key) FROM archived)",
        "UPDATE archived SET key = 'x' WHERE key = (SELECT min(key) FROM archived)",
        "DELETE FROM event WHERE position <= (SELECT events FROM base)",
        "DELETE FROM event WHERE position > (SELECT events FROM base)",
    ],
)
def test_what_is_done_to_the_beginning_of_the_journal_is_found(three: Three, statement: str) -> None:
    office, first, second = three
    execute(str(first.with_name("journal.db")), statement)
    assert verified(office.journal, first, second).findings


@pytest.mark.parametrize(
    "statements",
    [
        ("DELETE FROM archived WHERE key = (SELECT min(key) FROM archived WHERE key <> '')",),
        ("DELETE FROM archived",),
        ("DELETE FROM archived WHERE key = ''",),
        ("INSERT INTO archived SELECT 'another', \"case\", seal FROM archived LIMIT 1",),
        (
            "DELETE FROM archived WHERE key = (SELECT min(key) FROM archived WHERE key <> '')",
            'UPDATE archived SET "case" = "case" - 1 WHERE key = \'\'',
        ),
    ],
)
def test_a_key_of_an_archived_case_that_is_removed_is_found_without_the_archive(
    three: Three, statements: tuple[str, ...]
) -> None:
    office, first, _ = three
    assert verified(office.journal).findings == ()
    execute(str(first.with_name("journal.db")), *statements)
    said = [str(finding) for finding in verified(office.journal).findings]
    assert any("idempotency keys of cases that are in an archive were removed or added" in each for each in said)


def test_older_keys_of_archived_cases_that_are_put_back_are_found(tmp_path: Path) -> None:
    url = str(tmp_path / "journal.db")
    with closing(SqlJournal(url, JOURNAL_KEY)) as journal:
        office = Office(journal, Random(3))
        office.work(40)
        office.archive(tmp_path / "1.db")
        old = execute(url, "SELECT * FROM archived")
        office.work(40)
        office.archive(tmp_path / "2.db")
        assert verified(journal).findings == ()
        with closing(sqlite3.connect(url)) as raw, raw:
            raw.execute("DELETE FROM archived")
            raw.executemany("INSERT INTO archived VALUES (?, ?, ?)", old)
        assert verified(journal).findings


@pytest.mark.parametrize(
    "statements",
    [
        ("DELETE FROM event WHERE position > 20",),
        (
            "DELETE FROM event WHERE position > 20",
            "UPDATE lane SET events = 20, last = (SELECT seal FROM event WHERE position = 20)",
        ),
        ("UPDATE lane SET seal = (SELECT seal FROM event WHERE position = 5)",),
        ("DELETE FROM opening",),
    ],
)
def test_what_is_done_to_an_archive_is_found(three: Three, statements: tuple[str, ...]) -> None:
    office, first, second = three
    execute(str(first), *statements)
    assert verified(office.journal, first, second).findings


def test_an_older_base_that_is_put_back_is_found(tmp_path: Path) -> None:
    url = str(tmp_path / "journal.db")
    with closing(SqlJournal(url, JOURNAL_KEY)) as journal:
        office = Office(journal, Random(3))
        office.work(40)
        office.archive(tmp_path / "1.db")
        (old,) = execute(url, "SELECT * FROM base")
        office.work(40)
        office.archive(tmp_path / "2.db")
        with closing(sqlite3.connect(url)) as raw, raw:
            raw.execute("DELETE FROM base")
            raw.execute("INSERT INTO base VALUES (?, ?, ?, ?, ?, ?)", old)
        assert verified(journal, tmp_path / "1.db").findings


# Interruptions, and others at the same time


def copied(office: Office, folder: Path) -> Path:
    with closing(sqlite3.connect(office.journal.shown)) as raw, closing(sqlite3.connect(folder / "copy.db")) as copy:
        raw.backup(copy)
    return folder / "copy.db"


def archive_killed_at(step: int, url: str, before: datetime, file: Path) -> bool:
    """Archive in a process that is killed at a step: a statement or the renaming; whether it came that far."""
    worker = os.fork()
    if worker == 0:
        left = [step]

        def count() -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        rename = Path.replace

        def counted(send: Any) -> Any:
            def counted_send(self: engine.Connection, statements: object) -> object:
                count()
                done = send(self, statements)
                count()
                return done

            return counted_send

        def counted_rename(self: Path, target: Path) -> Path:
            count()
            done = rename(self, target)
            count()
            return done

        try:
            for kind in engine.Connection.__subclasses__():
                kind._send = counted(kind._send)  # type: ignore[method-assign]
            Path.replace = counted_rename  # type: ignore[assignment,method-assign]
            with closing(SqlJournal(url, JOURNAL_KEY)) as journal:
                journal.archive(before, file)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(worker, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.parametrize(
    "stride", [pytest.param(11, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.nightly)]
)
def test_killed_at_any_step_nothing_is_lost_and_the_same_call_completes_it(tmp_path: Path, stride: int) -> None:
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        office = Office(journal, Random(5))
        office.work(30)
        office.archive(tmp_path / "1.db")
        office.work(30)
    step, found = 0, set()
    while True:
        folder = tmp_path / str(step)
        folder.mkdir()
        shutil.copy(tmp_path / "journal.db", folder / "journal.db")
        file = folder / "2.db"
        killed = archive_killed_at(step, str(folder / "journal.db"), office.now, file)
        with closing(SqlJournal(str(folder / "journal.db"), JOURNAL_KEY)) as journal:
            if file.exists():
                said = [str(each.problem) for each in verified(journal, tmp_path / "1.db", file).findings]
                assert all("the archiving was interrupted" in each for each in said)
                assert len(said) <= 1
            found.add((file.exists(), "taken out" if journal.archive(OPENING, file) == Moved() else "left"))
            if not file.exists():
                journal.archive(office.now, file)
            office.journal = journal
            assert verified(journal, tmp_path / "1.db", file).findings == ()
            assert is_complete(office, tmp_path / "1.db", file)
        shutil.rmtree(folder)
        if not killed:
            break
        step += stride
    assert step > 50
    assert found == {(False, "taken out"), (True, "left"), (True, "taken out")}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
@pytest.mark.parametrize(
    "stride", [pytest.param(11, marks=pytest.mark.slow), pytest.param(1, marks=pytest.mark.nightly)]
)
def test_killed_at_any_step_of_an_archiving_from_postgresql_nothing_is_lost(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    """Each process is killed at a later step; the next one continues with the journal that is left."""
    postgresql = pytest.importorskip("sscard.service.journal.postgresql")
    monkeypatch.setattr(postgresql._Postgresql, "lanes", 3)  # each lane repeats the same steps
    with closing(SqlJournal(postgres, JOURNAL_KEY)) as journal:
        office = Office(journal, Random(5))
        office.work(30)
    files: list[Path] = []
    step, found = 0, set()
    while True:
        file = tmp_path / f"{len(files)}.db"
        killed = archive_killed_at(step, postgres, office.now, file)
        with closing(SqlJournal(postgres, JOURNAL_KEY)) as journal:
            office.journal = journal
            if file.exists():
                said = [str(each.problem) for each in verified(journal, *files, file).findings]
                assert all("the archiving was interrupted" in each for each in said)
                assert len(said) <= 1
                found.add((killed, "taken out" if journal.archive(OPENING, file) == Moved() else "left"))
                files.append(file)
                assert list(tmp_path.glob(".*.new*")) == []
            else:
                found.add((killed, "no archive"))
            assert verified(journal, *files).findings == ()
            assert is_complete(office, *files)
            if not killed and file.exists():
                break
            if file.exists() or not killed:  # until a case has ended, there is nothing to archive
                office.work(10)
        step += stride if killed else 0
    assert step > 50
    assert found >= {(True, "no archive"), (True, "left"), (False, "taken out")}


def test_what_killed_processes_left_beside_an_archive_is_removed_by_the_next_one(
    office: Office, tmp_path: Path
) -> None:
    ended = (99999999, 10**40)  # no system has as many processes
    left = [tmp_path / f".a.db.{number}.new{ending}" for number in ended for ending in ("", "-journal", "-wal")]
    others = [tmp_path / name for name in (".b.db.7.new", "a.db.7.new", ".a.db.x.new", ".a.db.7.newer", ".aXdb.7.new")]
    if os.name == "posix":  # another archiving to the same file is still at work
        others += [tmp_path / f".a.db.{os.getppid()}.new{ending}" for ending in ("", "-journal")]
    for each in (*left, *others):
        each.write_bytes(b"")
    office.work(30)
    assert office.archive(tmp_path / "a.db").events
    assert not any(each.exists() for each in left)
    assert all(each.exists() for each in others)


def test_an_archive_that_the_journal_was_not_cut_at_is_said_to_be_interrupted(tmp_path: Path) -> None:
    file, older = tmp_path / "2.db", tmp_path / "older.db"
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        office = Office(journal, Random(5))
        office.work(30)
        office.archive(tmp_path / "1.db")
        office.work(30)
    shutil.copy(tmp_path / "journal.db", older)
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        journal.archive(office.now, file)
    with closing(SqlJournal(str(older), JOURNAL_KEY)) as journal:
        [found] = verified(journal, tmp_path / "1.db", file).findings
        assert "2.db: the archiving was interrupted: repeat sscard case archive" in str(found)
        execute(str(file), "UPDATE summary SET stage = 'intake'")
        said = {str(found.problem) for found in verified(journal, file, tmp_path / "1.db").findings}
        assert not [each for each in said if "reindex" in each]
        assert [each for each in said if "restore the archive from a copy" in each]


def test_a_failure_after_the_archive_has_its_name_is_completed(
    three: Three, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    office, first, second = three
    office.work(40)
    with monkeypatch.context() as patch:
        patch.setattr(database, "take_out", lambda *_arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            office.archive(tmp_path / "3.db")
    assert verified(office.journal, first, second).findings == ()
    assert not list(tmp_path.glob(".3.db*"))
    assert office.archive(tmp_path / "3.db").cases > 0
    assert verified(office.journal, first, second, tmp_path / "3.db").findings == ()
    assert is_complete(office, first, second, tmp_path / "3.db")
    assert office.archive(tmp_path / "3.db") == Moved()


def test_events_written_meanwhile_stay(
    office: Office, journal_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the copy and the removal, another process continues open cases and opens new ones."""
    copy = SqlJournal._copy_beginning

    def copy_and_work(self: SqlJournal, new: Path, before: datetime) -> bool:
        more = copy(self, new, before)
        with closing(SqlJournal(journal_url, JOURNAL_KEY)) as other:
            office.journal = other
            office.work(20)
            office.journal = self
        return more

    monkeypatch.setattr(SqlJournal, "_copy_beginning", copy_and_work)
    office.archive(tmp_path / "1.db")
    assert verified(office.journal, tmp_path / "1.db").findings == ()
    assert is_complete(office, tmp_path / "1.db")


def test_a_press_that_waits_for_the_archiving_opens_no_second_case(
    postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It begins before the archiving commits; on PostgreSQL it saw the key where it was."""
    with closing(SqlJournal(postgres, JOURNAL_KEY)) as journal, closing(SqlJournal(postgres, JOURNAL_KEY)) as other:
        office = Office(journal, Random(7))
        office.work(60)
        key = next(case.key for case in office.cases.values() if case.key and not case.open)
        answers: list[str] = []

        def press() -> None:
            try:
                answers.append(other.open_case(replace(ways()[0][0], facts=ways()[0][0].facts | {"key": key})).number)
            except CaseArchived:
                answers.append("archived")

        def waits() -> bool:
            return bool(execute(postgres, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))

        real, pressing = database.take_out, threading.Thread(target=press)

        def take_out(*arguments: Any) -> Moved:
            moved = real(*arguments)
            pressing.start()
            assert until(waits)
            return moved

        monkeypatch.setattr(database, "take_out", take_out)
        office.archive(tmp_path / "1.db")
        pressing.join()
        assert answers == ["archived"]
        assert verified(journal, tmp_path / "1.db").findings == ()


def test_of_two_that_archive_at_once_one_is_told_so(
    office: Office, journal_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = SqlJournal._copy_beginning

    def copy_twice(self: SqlJournal, new: Path, before: datetime) -> bool:
        more = copy(self, new, before)
        monkeypatch.setattr(SqlJournal, "_copy_beginning", copy)
        with closing(SqlJournal(journal_url, JOURNAL_KEY)) as other:
            other.archive(before - 3 * DAY, tmp_path / "other.db")
        return more

    monkeypatch.setattr(SqlJournal, "_copy_beginning", copy_twice)
    with pytest.raises(JournalUnavailable, match="another process archived cases meanwhile"):
        office.archive(tmp_path / "1.db")
    assert not (tmp_path / "1.db").exists()
    assert verified(office.journal, tmp_path / "other.db").findings == ()
    assert is_complete(office, tmp_path / "other.db")


def test_a_journal_that_was_tampered_with_is_not_archived(office: Office, journal_url: str, tmp_path: Path) -> None:
    execute(journal_url, "UPDATE event SET stage = 'completed' WHERE place = 2")
    with pytest.raises(JournalUnavailable, match="the chain is damaged"):
        office.archive(tmp_path / "1.db")
    assert not [path for path in tmp_path.iterdir() if "1.db" in path.name]


# The command


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(three: Three, tmp_path: Path, sscard: CommandLine) -> Run:
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    (tmp_path / "key").chmod(0o600)
    where = ("--journal", tmp_path / "journal.db", "--journal-key", tmp_path / "key")
    return lambda verb, *arguments: sscard("case", verb, *arguments, *where)


def test_the_command_archives_and_the_others_read_it(three: Three, run: Run, tmp_path: Path) -> None:
    office, first, second = three
    third = tmp_path / "3.db"
    office.work(40)
    code, out, err = run("archive", "--before", "2100-01-01", "--to", third)
    assert (code, err) == (0, "")
    assert f"moved to {third}" in out
    archives = [word for file in (first, second, third) for word in ("--archive", file)]
    assert run("verify", *archives)[0] == 0
    assert json.loads(run("verify", *archives[:4], "--json")[1])["archives"][0]["file"] == str(first)
    assert run("verify", *archives[:4])[0] == 1
    assert "note: older cases are in an archive" in run("verify")[1]
    number = next(iter(cases_in(third)))
    assert run("show", number)[0] == 2
    assert "--archive FILE" in run("show", number)[2]
    assert run("show", number, "--archive", third)[0] == 0
    listed = json.loads(run("list", "--archive", third, "--json")[1])["cases"]
    assert {case["number"] for case in listed} == cases_in(third).keys()
    assert run("stats", "--archive", third)[1].startswith(f"cases {len(listed)} · open 0 ")
    assert run("archive", "--before", "2100-01-01", "--to", tmp_path / "4.db")[1] == "nothing to move\n"


def test_verify_prints_what_it_looked_at_in_each_archive(three: Three, run: Run) -> None:
    _, first, second = three
    code, out, _ = run("verify", "--archive", second, "--archive", first)
    lines = [line for line in out.splitlines() if line.startswith("archive ")]
    counted = []
    for file in (first, second):
        with closing(ArchiveReader(str(file), JOURNAL_KEY)) as reader:
            cases = [*reader.cases()]
        counted.append(f"archive {file}: {len(cases)} cases, {sum(case.length for case in cases)} events")
    assert (code, lines) == (0, counted)


def test_no_archive_is_written_that_takes_no_case(sscard: CommandLine, tmp_path: Path) -> None:
    """The last event stays, and with it its case: an archive of the events before it would be needed from then on."""
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    (tmp_path / "key").chmod(0o600)
    file = tmp_path / "journal.db"
    with closing(SqlJournal(str(file), JOURNAL_KEY)) as journal:
        opened = journal.open_case(ways()[0][0])
        for event in ways()[0][1:]:
            journal.append(opened, event)
    where = ("--journal", file, "--journal-key", tmp_path / "key")
    moved = sscard("case", "archive", "--before", "2100-01-01", "--to", tmp_path / "1.db", *where)
    assert moved == (0, "nothing to move\n", "")
    assert not (tmp_path / "1.db").exists()
    assert "note: " not in sscard("case", "verify", *where)[1]


def test_the_command_refuses_a_file_that_is_another(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    for file, told in ((tmp_path / "text", "not an SQLite database"), (tmp_path / "1.db", "exists already")):
        code, _, err = run("archive", "--before", "2100-01-01", "--to", file)
        assert (code, told in err) == (2, True), err


@pytest.mark.parametrize("verb", ["verify", "list", "overdue", "stats", "reindex"])
def test_the_commands_refuse_an_archive_in_place_of_the_journal(
    three: Three, run: Run, sscard: CommandLine, tmp_path: Path, verb: str
) -> None:
    code, out, err = sscard("case", verb, "--journal", three[1], "--journal-key", tmp_path / "key")
    assert (code, out, "is an archive, which is only read" in err) == (2, "", True), err


@pytest.mark.parametrize(
    ("verb", "file", "problem"),
    [
        (("list",), "journal.db", "is a journal and not an archive"),
        (("show", "1"), "absent.db", "there is no journal"),
        (("stats",), "empty.db", "is empty"),
        (("verify",), "other.db", "is not a journal"),
    ],
)
def test_the_commands_refuse_a_file_that_is_no_archive(
    three: Three, run: Run, tmp_path: Path, verb: tuple[str, ...], file: str, problem: str
) -> None:
    (tmp_path / "empty.db").touch()
    execute(str(tmp_path / "other.db"), "CREATE TABLE other (name TEXT)")
    code, out, err = run(*verb, "--archive", tmp_path / file)
    assert (code, out, problem in err) == (2, "", True), err
    assert "expected a file of: sscard case archive" in err


def test_the_command_opens_no_second_case_with_a_key(three: Three, run: Run) -> None:
    key = next(case.key for case in cases_in(three[1]).values() if case.key)
    online = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", "410402199001010109")
    code, out, err = run("open", "--reason", "locked", *online, "--key", key)
    assert (code, out) == (1, "")
    assert "was opened with this key and is in an archive" in err
