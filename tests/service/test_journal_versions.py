"""A journal of version 1, as sscard 0.2.0 wrote it, and what version 2 adds: the summary of each case."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from kit.citizens import JOURNAL_KEY, NEW_PIN, OPENING, Citizen, Ticking, run_cases
from kit.databases import copies, execute
from kit.programs import CommandLine
from sscard.cli import case_output
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, ENGLISH, say, speaking
from sscard.proof.postgres import PrivatePostgres
from sscard.service import Case, JournalUnavailable, PinService, Reason, Stage
from sscard.service.journal import schema
from sscard.service.journal.chain import Head
from sscard.service.journal.database import JournalReader, SqlJournal
from sscard.service.journal.migrations import VERSION_1, VERSION_2
from sscard.service.journal.verification import Checkpoint

VERSION_1_DUMP = Path(__file__).with_name("journal_version_1.sql")
CHECKPOINT = "sscard-journal:1:f9c99dd5:11.a52f:5f4bc8e18243fbbc051d0a4b72b39dab:b49f"
"""Printed by ``verify`` of version 1."""
SUMMARIES = [
    ("20260302000001", "completed", "2026-03-02T09:01:00.000000", "2026-03-03"),
    ("20260302000002", "supplement", "2026-03-02T09:08:00.000000", ""),
    ("20260302000003", "refused", "2026-03-02T09:11:00.000000", ""),
    ("20260302000004", "accepted", "2026-03-02T09:14:00.000000", "2026-03-03"),
]
ALL_SUMMARIES = 'SELECT "case", stage, opened, due FROM summary ORDER BY "case"'


@pytest.fixture
def old_url(journal_url: str) -> str:
    """A journal of version 1: four cases with eleven events in one lane."""
    execute(journal_url, *VERSION_1_DUMP.read_text("utf-8").strip().split(";\n"))
    return journal_url


def numbers(cases: object) -> list[int]:
    return [int(case.number[8:]) for case in cases]  # type: ignore[attr-defined]


def test_the_sentences_of_an_older_journal_are_translated(old_url: str) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        case = journal.case("20260302000001")
        assert case is not None
        for language, sentence in (
            (ENGLISH, "Accepted; done within 1 working day(s), by 2026-03-03"),
            (CHINESE, "已受理，1个工作日内办结，不晚于2026年3月3日"),
        ):
            with speaking(language):
                assert any(sentence in event.text for event in case.events), [event.text for event in case.events]


def test_an_older_journal_is_migrated_when_it_is_opened_for_writing(old_url: str, citizen: Citizen) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        assert execute(old_url, ALL_SUMMARIES) == SUMMARIES
        verified = journal.verify(Checkpoint.read(CHECKPOINT))
        assert (verified.cases, verified.events, verified.findings) == (4, 11, ())
        service = PinService(Ticking(), journal=journal)
        case = journal.case_of_key("press 2")
        assert case is not None
        service.operate(case, citizen.session, NEW_PIN)
        assert journal.verify(Checkpoint.read(CHECKPOINT)).findings == ()
        assert numbers(journal.cases([Stage.OPERATED])) == [4]
        run_cases(service, citizen, 1)
        assert (numbers(journal.cases()), journal.verify().findings) == ([1, 2, 3, 4, 5], ())
    with closing(JournalReader(old_url, JOURNAL_KEY)) as reader:
        assert numbers(reader.cases([Stage.COMPLETED])) == [1, 5]


def test_a_journal_of_version_2_is_migrated(old_url: str, citizen: Citizen) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal, journal._writing() as db:
        rows = db.rows(schema.HEADS)
        for head in map(Head.of, rows):
            db.later(schema.SEAL_HEAD, head.sealed(JOURNAL_KEY, VERSION_2), head.lane)
    execute(old_url, "DROP TABLE base", "DROP TABLE archived", "UPDATE journal SET version = 2")
    with pytest.raises(InputError, match="version 2, expected 3"):
        JournalReader(old_url, JOURNAL_KEY)
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        run_cases(PinService(Ticking(), journal=journal), citizen, 1)
        assert journal.verify(Checkpoint.read(CHECKPOINT)).findings == ()
        head, seal = head_of(old_url)
        assert head.sealed(JOURNAL_KEY, VERSION_2) != seal


def test_reading_an_older_journal_names_the_command_that_migrates_it(
    old_url: str, sscard: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    before = execute(old_url, "SELECT * FROM lane", "SELECT * FROM journal")
    for verb in (("list",), ("overdue",), ("show", "1"), ("verify",)):
        code, _, err = sscard("case", *verb, "--journal", old_url, "--journal-key", tmp_path / "key")
        assert code == 2
        assert "version 1, expected 3\n  migrate it with: sscard case reindex" in err
    assert execute(old_url, "SELECT * FROM lane", "SELECT * FROM journal") == before
    code, out, _ = sscard("case", "reindex", "--journal", old_url, "--journal-key", tmp_path / "key")
    assert (code, CHECKPOINT in out) == (0, True)
    code, out, _ = sscard("case", "list", "--journal", old_url, "--journal-key", tmp_path / "key")
    assert (code, len(out.splitlines())) == (0, 5)


@pytest.mark.parametrize("kind", [JournalReader, SqlJournal])
def test_a_version_that_the_tables_do_not_have_is_named(
    old_url: str, kind: Callable[[str, bytes], JournalReader]
) -> None:
    SqlJournal(old_url, JOURNAL_KEY).close()
    execute(old_url, "UPDATE journal SET version = 1")
    with pytest.raises(InputError, match="its version is 1, but it has table summary of version 2") as refused:
        kind(old_url, JOURNAL_KEY)
    assert say(refused.value.remedy)
    execute(old_url, "DROP TABLE summary", "DROP TABLE opening")
    with pytest.raises(InputError, match="it has no table opening"):
        kind(old_url, JOURNAL_KEY)


def test_another_key_migrates_nothing(old_url: str) -> None:
    with pytest.raises(InputError, match="sealed with another key"):
        SqlJournal(old_url, bytes(32))
    assert execute(old_url, "SELECT version FROM journal") == [(1,)]
    SqlJournal(old_url, JOURNAL_KEY).close()


def test_a_process_of_an_older_sscard_cannot_write_without_summary(old_url: str) -> None:
    """It has the journal open and compares the head's seal before each event."""
    head, seal = head_of(old_url)
    assert head.sealed(JOURNAL_KEY, VERSION_1) == seal
    SqlJournal(old_url, JOURNAL_KEY).close()
    head, seal = head_of(old_url)
    assert head.sealed(JOURNAL_KEY, VERSION_1) != seal


def head_of(url: str) -> tuple[Head, str]:
    row = execute(url, "SELECT lane, events, cases, last, seal FROM lane")[0]
    return Head.of(row), row[4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE lane SET events = 10, cases = 4",
        "UPDATE event SET time = 'yesterday' WHERE place = 1",
        "UPDATE event SET facts = '{' WHERE place < 3",
        'UPDATE event SET facts = \'{"due": "2026-03-03 and more", "key": 7}\' WHERE place < 3',
        "UPDATE event SET time = '0001-01-01T00:00:00+10:00' WHERE place = 1",
        "DELETE FROM event WHERE place = 1",
    ],
)
def test_what_was_done_to_an_older_journal_is_found_after_its_migration(old_url: str, statement: str) -> None:
    execute(old_url, statement)
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        assert journal.verify().findings


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE summary SET stage = 'completed' WHERE \"case\" = '20260302000004'",
        "UPDATE summary SET opened = '2026-03-02T09:14:00.000001' WHERE \"case\" = '20260302000004'",
        "UPDATE summary SET due = '2999-01-01' WHERE \"case\" = '20260302000004'",
        "DELETE FROM summary WHERE \"case\" = '20260302000004'",
    ],
)
def test_a_case_hidden_from_the_lists_is_found(old_url: str, statement: str) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        execute(old_url, statement)
        (finding,) = journal.verify().findings
        assert (finding.lane, finding.position, finding.case) == (None, None, "20260302000004")
        assert str(finding).startswith("case 20260302000004: the list of cases differs")
        assert "sscard case reindex" in str(finding)
        assert journal.reindex().findings == ()
        assert execute(old_url, ALL_SUMMARIES) == SUMMARIES
        assert journal.verify(Checkpoint.read(CHECKPOINT)).findings == ()


def test_a_summary_without_case_is_found(old_url: str) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        execute(old_url, "INSERT INTO summary VALUES ('7', 'accepted', '', '')")
        (finding,) = journal.verify().findings
        assert str(finding).startswith("the list of cases has a case without events")
        assert "sscard case reindex" in str(finding)
        assert journal.reindex().findings == ()
        assert execute(old_url, ALL_SUMMARIES) == SUMMARIES


@pytest.mark.parametrize("statement", ["DELETE FROM opening", "UPDATE opening SET \"case\" = 'x'"])
def test_idempotency_keys_are_rebuilt_from_the_events(old_url: str, statement: str) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        execute(old_url, statement)
        assert all("sscard case reindex" in str(finding) for finding in journal.verify().findings)
        assert journal.reindex().findings == ()
        case = journal.case_of_key("press 2")
        assert case is not None
        assert case.number == "20260302000004"


def test_nothing_is_rebuilt_from_events_whose_chain_is_broken(
    old_url: str, sscard: CommandLine, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    SqlJournal(old_url, JOURNAL_KEY).close()
    execute(old_url, "UPDATE event SET stage = 'refused' WHERE place = 2", "DELETE FROM opening", "DELETE FROM summary")
    code, out, err = sscard("case", "reindex", "--journal", old_url, "--journal-key", tmp_path / "key")
    assert code == 1
    assert "lane 0, event 2 (case 20260302000001): edited" in out
    assert "the chain is broken, so nothing was rebuilt" in err
    assert execute(old_url, ALL_SUMMARIES, "SELECT * FROM opening") == []


def test_a_list_longer_than_a_part_is_rebuilt(
    kept: PinService, journal: SqlJournal, journal_url: str, citizen: Citizen
) -> None:
    copies(journal, kept.intake(citizen.application(Reason.FORGOTTEN)), range(1, 1001))
    execute(journal_url, "DELETE FROM summary")
    assert len(journal.verify().findings) == 1001
    assert journal.reindex().findings == ()
    assert sum(1 for _ in journal.cases([Stage.INTAKE])) == 1001


LISTS: dict[str, tuple[Callable[[JournalReader], object], list[int]]] = {
    "since": (lambda journal: journal.cases(since=OPENING + timedelta(minutes=14)), [4]),
    "since, to the second": (lambda journal: journal.cases(since=OPENING + timedelta(minutes=14, seconds=1)), []),
    "stage": (lambda journal: journal.cases([Stage.ACCEPTED]), [4]),
    "no stage": (lambda journal: journal.cases([]), []),
    "due": (lambda journal: journal.cases([Stage.ACCEPTED, Stage.OPERATED], due_before=date(2026, 3, 4)), [4]),
    "not yet due": (lambda journal: journal.cases([Stage.ACCEPTED], due_before=date(2026, 3, 3)), []),
}


@pytest.mark.parametrize(("listed", "expected"), LISTS.values(), ids=LISTS)
def test_a_list_reads_the_events_of_its_cases_only(
    old_url: str, listed: Callable[[JournalReader], object], expected: list[int]
) -> None:
    with closing(SqlJournal(old_url, JOURNAL_KEY)) as journal:
        execute(old_url, "UPDATE event SET facts = '{' WHERE \"case\" <> '20260302000004'")
        with pytest.raises(JournalUnavailable, match="was tampered with"):
            numbers(journal.cases())
        assert numbers(listed(journal)) == expected


def test_the_summary_follows_every_event(kept: PinService, journal_url: str, citizen: Citizen) -> None:
    def stored(case: Case) -> bool:
        (found,) = execute(journal_url, ALL_SUMMARIES)
        due = case.due.day.isoformat() if case.due else ""
        return found == (case.number, case.stage.value, "2026-03-02T09:01:00.000000", due)

    case = kept.intake(citizen.application(Reason.FORGOTTEN))
    assert stored(case)
    kept.accept(case)
    assert stored(case)
    kept.operate(case, citizen.session, NEW_PIN)
    assert stored(case)
    kept.complete(case, citizen.session, NEW_PIN)
    assert stored(case)


# How the databases are used


def test_the_service_loads_no_database_driver_before_a_journal_is_opened() -> None:
    program = "import sys, sscard.service; print(sorted({'sqlite3', 'psycopg', 'sqlalchemy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.strip() == "[]"


def test_an_event_takes_two_round_trips_to_postgresql(postgres: str, citizen: Citizen, tmp_path: Path) -> None:
    with closing(SqlJournal(postgres, JOURNAL_KEY)) as journal, (tmp_path / "trace").open("w+") as trace:
        service = PinService(Ticking(), journal=journal)
        case = service.intake(citizen.application(Reason.FORGOTTEN))
        journal._database._idle[-1]._raw.pgconn.trace(trace.fileno())  # type: ignore[attr-defined]
        service.accept(case)
        journal._database._idle[-1]._raw.pgconn.untrace()  # type: ignore[attr-defined]
        assert Path(trace.name).read_text().count("\tSync") == 2


def test_a_journal_is_used_again_after_its_server_was_restarted(citizen: Citizen) -> None:
    with PrivatePostgres(durable=True) as server, closing(SqlJournal(server.url, JOURNAL_KEY)) as journal:
        service = PinService(Ticking(), journal=journal)
        run_cases(service, citizen, 1)
        server.restart()
        with pytest.raises(JournalUnavailable):
            run_cases(service, citizen, 1)
        run_cases(service, citizen, 1)
        assert (journal.verify().cases, journal.verify().findings) == (2, ())


def test_lists_and_verification_hold_a_part_of_the_journal_only(
    kept: PinService, journal: SqlJournal, citizen: Citizen
) -> None:
    """All events together take 5 MB."""
    copies(journal, kept.intake(citizen.application(Reason.FORGOTTEN)), range(1, 2001))
    for use in (lambda: sum(1 for _ in journal.cases()), lambda: journal.verify().cases):
        tracemalloc.start()
        assert use() == 2001
        held = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert held < 3_000_000


def test_postgresql_sends_rows_in_parts(postgres: str) -> None:
    with closing(SqlJournal(postgres, JOURNAL_KEY)) as journal, journal._reading() as db:
        rows = db.stream("SELECT generate_series(1, 3000)")
        assert next(rows) == (1,)
        assert db.rows("SELECT name FROM pg_cursors WHERE name = 'rows'") == [("rows",)]
        assert sum(1 for _ in rows) == 2999


def test_a_list_as_json_has_the_text_that_one_object_has(old_url: str, sscard: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    SqlJournal(old_url, JOURNAL_KEY).close()
    options = ("--json", "--journal", old_url, "--journal-key", tmp_path / "key")
    for choice, count in ((), 4), (("--stage", "accepted"), 1), (("--stage", "operated"), 0):
        code, out, _ = sscard("case", "list", *choice, *options)
        content = json.loads(out)
        assert (code, content["schema"], len(content["cases"])) == (0, "sscard.cases/1", count)
        assert out == json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def test_a_long_table_is_printed_in_parts(
    old_url: str, sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(JOURNAL_KEY.hex())
    SqlJournal(old_url, JOURNAL_KEY).close()
    monkeypatch.setattr(case_output, "PART", 3)
    _, out, _ = sscard("case", "list", "--journal", old_url, "--journal-key", tmp_path / "key")
    assert [line.split()[0] for line in out.splitlines()] == [
        "case",
        *(f"2026030200000{number}" for number in (1, 2, 3)),
        "case",
        "20260302000004",
    ]
