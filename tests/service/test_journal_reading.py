"""A journal that is read: no lock is waited for, nothing is written, what is no journal is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from kit.citizens import JOURNAL_KEY, Citizen, Ticking, make_citizen, run_cases
from kit.databases import execute
from kit.programs import CommandLine
from kit.waiting import PATIENCE
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.service import JournalUnavailable, PinService
from sscard.service.journal.database import JournalReader, SqlJournal

Tamper = Callable[..., None]
Kind = Callable[[str, bytes], JournalReader]


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "journal.key"
    file.write_text(JOURNAL_KEY.hex())
    file.chmod(0o600)
    return file


class Writer:
    """A process that writes to journals."""

    def __init__(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_write, args=(theirs,))
        self._process.start()

    @contextmanager
    def writes(self, url: str) -> Iterator[None]:
        """It holds a transaction with changes in every table of this journal, until the end of the block."""
        self._pipe.send(url)
        assert self._pipe.poll(PATIENCE)
        assert self._pipe.recv() == "holds"
        try:
            yield
            assert self._process.is_alive()
            assert not self._pipe.poll()
        finally:
            self._pipe.send("let go")
            assert self._pipe.recv() == "let go"

    def end(self) -> None:
        self._pipe.send("")
        self._process.join()


def _write(test: Connection[str, str]) -> None:
    while url := test.recv():
        journal = SqlJournal(url, JOURNAL_KEY)
        with suppress(EOFError), journal._writing() as db:
            for table, column in (("journal", "version"), ("lane", "events"), ("event", "place")):
                db.rows("UPDATE table1 SET column1 = column1 + 100".replace("table1", table).replace("column1", column))
            test.send("holds")
            told = test.recv()
            raise EOFError
        journal.close()
        test.send(told)


@pytest.fixture(scope="module")
def another_process() -> Iterator[Writer]:
    """A process that writes to the journals of these tests."""
    process = Writer()
    yield process
    process.end()


def impatient(url: str) -> str:
    """The same database; a lock that is waited for fails the test within a second."""
    return f"{url}%20-clock_timeout%3D1s" if "://" in url else url


@pytest.mark.parametrize("verb", ["list", "overdue", "show", "verify"])
def test_looking_waits_for_no_writer(
    kept: PinService,
    citizen: Citizen,
    journal_url: str,
    key_file: Path,
    sscard: CommandLine,
    verb: str,
    another_process: Writer,
) -> None:
    case = run_cases(kept, citizen, 1)[0]
    given = [case.number] if verb == "show" else []
    options = ["--journal", impatient(journal_url), "--journal-key", key_file]
    with another_process.writes(journal_url):
        code, out, err = sscard("case", verb, *given, *options)
    assert (code, err) == (0, "")
    assert (case.number in out) is (verb in ("list", "show"))


def test_opening_a_journal_to_write_waits_for_no_writer_either(
    journal: SqlJournal, journal_url: str, another_process: Writer
) -> None:
    with another_process.writes(journal_url):
        SqlJournal(impatient(journal_url), JOURNAL_KEY).close()


def test_a_reader_cannot_write(kept: PinService, citizen: Citizen, journal_url: str) -> None:
    run_cases(kept, citizen, 1)
    reader = JournalReader(journal_url, JOURNAL_KEY)
    with pytest.raises(JournalUnavailable), reader._reading() as db:
        db.rows("DELETE FROM opening")
    assert reader.verify().findings == ()
    reader.close()


def test_looking_leaves_no_file_beside_the_journal(
    journal: SqlJournal, citizen: Citizen, key_file: Path, sscard: CommandLine
) -> None:
    number = run_cases(PinService(Ticking(), journal=journal), citizen, 1)[0].number
    if journal.file is None:
        pytest.skip("only SQLite keeps files beside a database")
    journal.close()
    file = Path(journal.file)
    content = file.read_bytes()
    for verb in (("list",), ("overdue",), ("show", number), ("verify",)):
        assert sscard("case", *verb, "--journal", file, "--journal-key", key_file)[0] == 0
        assert sorted(each.name for each in file.parent.iterdir()) == sorted([file.name, key_file.name])
    assert file.read_bytes() == content


@pytest.mark.parametrize("kind", [JournalReader, lambda url, key: SqlJournal(url, key, create=False)])
def test_no_schema_is_made_by_looking(postgres: str, kind: Kind) -> None:
    with pytest.raises(
        InputError, match="expected a database with the tables archived, base, event, journal, lane, opening"
    ):
        kind(postgres, JOURNAL_KEY)
    assert execute(postgres, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema") == []


BROKEN = {
    "no table": ("DROP TABLE opening", "it has no table opening"),
    "no version table": ("DROP TABLE journal", "it has no table journal"),
    "no column": ("ALTER TABLE event RENAME COLUMN seal TO mark", "table event has no column seal"),
    "foreign columns": ("ALTER TABLE journal RENAME COLUMN version TO entry", "table journal has no column version"),
    "no row": ("DELETE FROM journal", "it has no valid version"),
    "version 0": ("UPDATE journal SET version = 0", "it has no valid version"),
    "no lanes": ("UPDATE journal SET lanes = 0", "it has no valid number of lanes, expected 1 to 64"),
    "newer": ("UPDATE journal SET version = 99", "version 99, this sscard knows up to 3"),
    "newer with other columns": (
        "UPDATE journal SET version = 99; ALTER TABLE event RENAME COLUMN seal TO mark",
        "version 99, this sscard knows up to 3",
    ),
}


@pytest.mark.parametrize("kind", [JournalReader, SqlJournal])
@pytest.mark.parametrize(("statements", "problem"), BROKEN.values(), ids=BROKEN)
def test_tables_of_no_journal_are_named_with_a_remedy(
    journal: SqlJournal, journal_url: str, tamper: Tamper, kind: Kind, statements: str, problem: str
) -> None:
    tamper(*statements.split("; "))
    with pytest.raises(InputError, match=problem) as refused:
        kind(journal_url, JOURNAL_KEY)
    assert refused.value.file == journal.shown
    assert say(refused.value.remedy)


def test_an_empty_file_is_no_journal_and_stays_empty(tmp_path: Path, key_file: Path, sscard: CommandLine) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    for verb in (("list",), ("show", "1"), ("verify",), ("overdue",), ("resume", "1")):
        code, _, err = sscard("case", *verb, "--journal", file, "--journal-key", key_file)
        assert code == 2
        assert f"{file}: is empty, expected the SQLite file of a journal\n  restore it" in err
    assert file.stat().st_size == 0


@pytest.mark.parametrize(
    "verb", [("list",), ("verify",), ("resume", "1"), ("open", "--reason", "none", "--paper", "id-card")]
)
def test_another_programs_database_is_refused_and_left_alone(
    tmp_path: Path, key_file: Path, sscard: CommandLine, verb: tuple[str, ...]
) -> None:
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as other:
        other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.close()
    code, _, err = sscard("case", *verb, "--journal", file, "--journal-key", key_file)
    assert code == 2
    assert f"{file}: is not a journal, expected a database with the tables" in err
    assert "--journal" in err
    with sqlite3.connect(file) as other:
        assert other.execute("SELECT name FROM sqlite_master").fetchall() == [("bookmarks",)]
    other.close()


def test_other_tables_in_the_same_postgresql_database_do_no_harm(postgres: str) -> None:
    execute(postgres, "CREATE TABLE bookmarks (url TEXT)")
    SqlJournal(postgres, JOURNAL_KEY).close()
    JournalReader(postgres, JOURNAL_KEY).close()


VALUES = {
    "time": "'yesterday'",
    "time without zone": "'2026-03-02T09:00:00'",
    "stage": "'x'",
    "act": "'x'",
    "facts": "'{'",
    "facts that are a list": "'[]'",
    "place": "7",
}
ONLY_SQLITE = {
    "facts of bytes": "x'00ff'",
    "facts of brackets": "replace(hex(zeroblob(50000)), '0', '[')",
    "seal that is not ASCII": "'é'",
    "seal of bytes": "x'00ff'",
    "text that is not UTF-8": "CAST(x'ff' AS TEXT)",
    "position in words": "'x'",
}


@pytest.mark.parametrize("what", [*VALUES, *ONLY_SQLITE])
def test_a_value_that_no_journal_wrote_is_a_finding(
    kept: PinService,
    journal: SqlJournal,
    citizen: Citizen,
    tamper: Tamper,
    key_file: Path,
    sscard: CommandLine,
    journal_url: str,
    what: str,
) -> None:
    if what in ONLY_SQLITE and "://" in journal_url:
        pytest.skip("PostgreSQL refuses such a value")
    number = run_cases(kept, citizen, 1)[0].number
    column, value = what.split(maxsplit=1)[0], (VALUES | ONLY_SQLITE)[what]
    tamper("UPDATE event SET COLUMN = VALUE WHERE place = 2".replace("COLUMN", column).replace("VALUE", value))
    for verb in (("list",), ("show", number), ("verify",)):
        code, out, err = sscard("case", *verb, "--journal", journal_url, "--journal-key", key_file)
        assert "Traceback" not in err
        if verb != ("list",) or what in VALUES:
            assert code == 1
            assert f"case {number}" in out + err or "damaged" in err


def test_show_reports_a_broken_chain_beside_the_case(
    kept: PinService, journal_url: str, citizen: Citizen, tamper: Tamper, key_file: Path, sscard: CommandLine
) -> None:
    number = run_cases(kept, citizen, 1)[0].number
    given = ("case", "show", number, "--journal", journal_url, "--journal-key", key_file)
    assert sscard(*given)[0] == 0
    tamper("UPDATE event SET time = replace(time, '2026', '2025') WHERE place = 4")
    code, out, _ = sscard(*given)
    assert code == 1
    assert "2025-03-02" in out
    assert f"event 4 (case {number}): edited" in out
    assert "the chain of this case's lane is broken" in out
    code, out, _ = sscard(*given, "--json")
    assert code == 1
    assert '"position": 4' in out


def test_show_does_not_answer_for_the_lanes_of_other_cases(postgres: str, key_file: Path, sscard: CommandLine) -> None:
    numbers: dict[int, str] = {}
    while len(numbers) < 2:  # each object writes to a lane at random
        journal = SqlJournal(postgres, JOURNAL_KEY)
        number = run_cases(PinService(Ticking(), journal=journal), make_citizen(), 1)[0].number
        numbers[(int(number[8:]) - 1) % 64] = number
        journal.close()
    (broken, number), (_, other) = numbers.items()
    execute(postgres, "UPDATE event SET text = 'x' WHERE lane = BROKEN AND place = 2".replace("BROKEN", str(broken)))
    options = ("--journal", postgres, "--journal-key", key_file)
    assert sscard("case", "show", number, *options)[0] == 1
    assert sscard("case", "show", other, *options)[0] == 0
