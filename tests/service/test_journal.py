"""The journal in both databases: cases come back whole, the chain finds what was done to it."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import pytest

from kit.citizens import ID_NUMBER, JOURNAL_KEY, OPENING, Citizen, Ticking, make_citizen, run_cases
from kit.databases import execute
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import say
from sscard.service import (
    Case,
    Channel,
    JournalUnavailable,
    KeyTaken,
    NotDone,
    Operated,
    Overtaken,
    Paper,
    PinService,
    Reason,
    ResultNotice,
    Stage,
)
from sscard.service.journal import engine
from sscard.service.journal.database import JournalReader, SqlJournal
from sscard.service.journal.engine import Connection
from sscard.service.journal.keyfile import load_key
from sscard.service.journal.migrations import LAST, STEPS, migrate

NEW, WRONG = "80264153", "999999"


def way_of(case: Case) -> tuple[object, ...]:
    """All there is to a case."""
    parts = (case.number, case.events, case.papers, case.card, case.notice, case.due, case.attempt, case.outcomes)
    return (*parts, case.person, case.channel, case.handling, case.reason_given, case.key)


def completed(service: PinService, citizen: Citizen) -> Case:
    return run_cases(service, citizen, 1)[0]


def waiting_for_papers(service: PinService, citizen: Citizen) -> Case:
    asked = replace(citizen.application(Reason.LEAKED), papers=frozenset({Paper.ID_CARD}), card=None)
    case = service.intake(asked, key="press 1")
    service.accept(case)
    return case


def refused(service: PinService, citizen: Citizen) -> Case:
    case = service.intake(citizen.application(None))
    service.accept(case)
    return case


def failed_after_wrong_pins(service: PinService, citizen: Citizen) -> Case:
    case = service.intake(citizen.application(Reason.LEAKED))
    service.accept(case)
    for number in range(6):
        service.operate(case, citizen.session, NEW, WRONG, key=f"press {number}")
    return case


WAYS = [completed, waiting_for_papers, refused, failed_after_wrong_pins]


@pytest.mark.parametrize("way", WAYS)
def test_a_case_comes_back_from_the_journal_as_it_was(
    kept: PinService, journal: SqlJournal, citizen: Citizen, way: Callable[[PinService, Citizen], Case]
) -> None:
    case = way(kept, citizen)
    again = journal.case(case.number)
    assert again is not None
    assert way_of(again) == way_of(case)


def test_a_case_goes_on_in_another_process_where_it_was(kept: PinService, journal_url: str, citizen: Citizen) -> None:
    number = waiting_for_papers(kept, citizen).number
    elsewhere = SqlJournal(journal_url, JOURNAL_KEY)
    service = PinService(Ticking(), journal=elsewhere)
    case = elsewhere.case(number)
    assert case is not None
    service.supplement(case, [Paper.SOCIAL_SECURITY_CARD], citizen.basic)
    assert isinstance(service.operate(case, citizen.session, NEW, citizen.pin), Operated)
    assert isinstance(service.complete(case, citizen.session, NEW), ResultNotice)
    elsewhere.close()


def test_another_persons_card_is_known_without_the_id_number(
    kept: PinService, journal: SqlJournal, citizen: Citizen
) -> None:
    case = journal.case(waiting_for_papers(kept, citizen).number)
    assert case is not None
    other = make_citizen(id_number="410403199001010023")
    kept.supplement(case, [Paper.SOCIAL_SECURITY_CARD], other.basic)
    assert case.stage is Stage.REFUSED


def test_who_comes_second_is_overtaken_and_writes_nothing(
    kept: PinService, journal: SqlJournal, citizen: Citizen
) -> None:
    case = kept.intake(citizen.application(Reason.FORGOTTEN))
    kept.accept(case)
    second = journal.case(case.number)
    assert second is not None
    kept.operate(case, citizen.session, NEW)
    sent = len(citizen.wire.events)
    with pytest.raises(Overtaken):
        kept.operate(second, citizen.session, WRONG)
    assert len(citizen.wire.events) == sent
    assert journal.verify().findings == ()


def test_a_key_is_of_one_application(kept: PinService, citizen: Citizen) -> None:
    asked = citizen.application(Reason.FORGOTTEN)
    first = kept.intake(asked, key="press")
    other = asked.applicant.model_copy(update={"id_number": "11010519491231002X"})
    assert asked.card
    for changed in (
        replace(asked, reason=Reason.LEAKED),
        replace(asked, reason=None),
        replace(asked, applicant=other),
        replace(asked, card=replace(asked.card, identity=replace(asked.card.identity, card_number="X00000001"))),
    ):
        with pytest.raises(KeyTaken, match="'press' belongs to another application"):
            kept.intake(changed, key="press")
    for same in (asked, replace(asked, card=None), replace(asked, channel=Channel.SELF_SERVICE)):
        assert kept.intake(same, key="press").number == first.number


def test_one_key_is_one_case(kept: PinService, citizen: Citizen) -> None:
    first = kept.intake(citizen.application(Reason.FORGOTTEN), key="press")
    again = kept.intake(citizen.application(Reason.FORGOTTEN), key="press")
    assert again.number == first.number
    assert kept.intake(citizen.application(Reason.FORGOTTEN)).number != first.number


def test_cases_are_listed_by_stage_and_day(kept: PinService, journal: SqlJournal, citizen: Citizen) -> None:
    done = {case.number for case in run_cases(kept, citizen)}
    waits = waiting_for_papers(kept, citizen)
    assert {case.number for case in journal.cases()} == done | {waits.number}
    assert {case.number for case in journal.cases([Stage.COMPLETED])} == done
    assert [case.number for case in journal.cases(since=waits.events[0].time)] == [waits.number]


def test_nothing_secret_is_written(
    kept: PinService, journal: SqlJournal, journal_url: str, citizen: Citizen, capfd: pytest.CaptureFixture[str]
) -> None:
    for way in WAYS:
        way(kept, make_citizen())
    tables = ("event", "journal", "lane", "opening", "summary")
    rows = execute(journal_url, *(f"SELECT * FROM {table}" for table in tables))  # noqa: S608
    written = str(rows)
    secrets = (NEW, WRONG, citizen.pin, ID_NUMBER, ID_NUMBER[6:14], JOURNAL_KEY.hex())
    assert [secret for secret in secrets if secret in written] == []
    assert "4104************09" in written


TAMPERED = {
    "edited": "UPDATE event SET text = 'x' WHERE place = 2 AND \"case\" = :second",
    "stage edited": "UPDATE event SET stage = 'completed' WHERE place = 2 AND \"case\" = :second",
    "facts edited": "UPDATE event SET facts = replace(facts, 'true', 'false') WHERE place = 2 AND \"case\" = :second",
    "time edited": "UPDATE event SET time = '2020-01-01T00:00:00+00:00' WHERE place = 1 AND \"case\" = :first",
    "moved to another case": 'UPDATE event SET "case" = \'x\' WHERE place = 3 AND "case" = :first',
    "removed": 'DELETE FROM event WHERE place = 3 AND "case" = :first',
    "first removed": 'DELETE FROM event WHERE place = 1 AND "case" = :first',
    "last removed": 'DELETE FROM event WHERE place = 5 AND "case" = :third',
    "case removed": 'DELETE FROM event WHERE "case" = :second',
    "last case removed": 'DELETE FROM event WHERE "case" = :third',
    "all removed": "DELETE FROM event",
    "head set back": "UPDATE lane SET events = events - 5, cases = cases - 1 WHERE events > 0",
    "head removed": "DELETE FROM lane WHERE events > 0",
}


@pytest.mark.parametrize("statement", TAMPERED.values(), ids=TAMPERED)
def test_whatever_is_done_to_an_event_is_found(
    kept: PinService, journal: SqlJournal, citizen: Citizen, tamper: Callable[[str], None], statement: str
) -> None:
    first, second, third = run_cases(kept, citizen)
    verified = journal.verify()
    assert (verified.cases, verified.events, verified.findings) == (3, 15, ())
    for name, case in (("first", first), ("second", second), ("third", third)):
        statement = statement.replace(f":{name}", f"'{case.number}'")
    tamper(statement)
    assert journal.verify().findings


@pytest.mark.parametrize("statement", ["DELETE FROM opening", "UPDATE opening SET \"case\" = 'x'"])
def test_a_key_that_leads_astray_is_found(
    kept: PinService, journal: SqlJournal, citizen: Citizen, tamper: Callable[[str], None], statement: str
) -> None:
    case = waiting_for_papers(kept, citizen)
    assert journal.verify().findings == ()
    tamper(statement)
    assert [finding.case for finding in journal.verify().findings] == [case.number]


def test_swapped_events_are_found_at_their_places(
    kept: PinService, journal: SqlJournal, citizen: Citizen, tamper: Callable[..., None]
) -> None:
    run_cases(kept, citizen)
    tamper(
        "UPDATE event SET position = -4 WHERE position = 4",
        "UPDATE event SET position = 4 WHERE position = 9",
        "UPDATE event SET position = 9 WHERE position = -4",
    )
    places = [finding.position for finding in journal.verify().findings]
    assert {4, 9} <= set(places) <= {4, 5, 9, 10}


def test_an_end_that_was_cut_off_with_a_head_to_fit_is_found(
    kept: PinService, journal: SqlJournal, citizen: Citizen, tamper: Callable[..., None]
) -> None:
    run_cases(kept, citizen)
    tamper(
        "UPDATE lane SET events = 10, cases = 2, last = (SELECT seal FROM event WHERE position = 10) WHERE events > 0",
        "DELETE FROM event WHERE position > 10",
    )
    assert [say(finding.problem) for finding in journal.verify().findings] == [
        "the lane's head is not the one that was written"
    ]


def test_a_damaged_chain_is_not_made_longer(kept: PinService, citizen: Citizen, tamper: Callable[[str], None]) -> None:
    run_cases(kept, citizen)
    tamper("UPDATE lane SET events = events - 1 WHERE events > 0")
    with pytest.raises(JournalUnavailable, match="case verify"):
        run_cases(kept, citizen)


def test_another_key_is_refused(journal: SqlJournal, journal_url: str) -> None:
    with pytest.raises(InputError, match="sealed with another key"):
        SqlJournal(journal_url, bytes(32))


def test_a_journal_of_a_newer_version_is_refused(
    journal: SqlJournal, journal_url: str, tamper: Callable[[str], None]
) -> None:
    tamper("UPDATE journal SET version = 99")
    with pytest.raises(InputError, match="version 99"):
        SqlJournal(journal_url, JOURNAL_KEY)


def test_an_older_journal_takes_every_step_once_and_keeps_its_events(
    kept: PinService, journal: SqlJournal, citizen: Citizen
) -> None:
    run_cases(kept, citizen)
    taken = []

    def add_a_table(db: Connection, key: bytes) -> None:
        taken.append(key)
        db.rows("CREATE TABLE extra (x INTEGER)")

    for _ in range(2):
        with journal._writing() as db:
            migrate(db, JOURNAL_KEY, "journal", {**STEPS, LAST: add_a_table})
    assert taken == [JOURNAL_KEY]
    assert journal.verify().findings == ()


@pytest.mark.slow
def test_processes_that_make_a_journal_at_once_make_one(journal_url: str) -> None:
    context = get_context("fork")  # no process has a connection yet
    makers = [context.Process(target=_make, args=(journal_url,)) for _ in range(4)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0] * 4
    journal = SqlJournal(journal_url, JOURNAL_KEY)
    assert journal.verify().cases == 4
    journal.close()


def test_a_journal_that_another_process_is_making_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            other.execute("COMMIT")

    monkeypatch.setattr(engine, "sleep", sleep)
    SqlJournal(str(path), JOURNAL_KEY).close()
    assert len(waits) == 3
    other.close()


def _make(url: str) -> None:
    journal = SqlJournal(url, JOURNAL_KEY)
    PinService(lambda: OPENING, journal=journal).intake(make_citizen().application(Reason.LEAKED))
    journal.close()


def test_a_journal_that_fails_after_the_card_leaves_the_case_in_doubt(
    kept: PinService, journal: SqlJournal, citizen: Citizen, tamper: Callable[[str], None]
) -> None:
    case = kept.intake(citizen.application(Reason.FORGOTTEN))
    kept.accept(case)
    reset = citizen.session.reset_pin

    def reset_and_lose_the_journal(pin: str) -> None:
        reset(pin)
        tamper("ALTER TABLE lane RENAME TO gone")

    citizen.session.reset_pin = reset_and_lose_the_journal  # type: ignore[method-assign]
    with pytest.raises(JournalUnavailable):
        kept.operate(case, citizen.session, NEW)
    tamper("ALTER TABLE gone RENAME TO lane")
    again = journal.case(case.number)
    assert again is not None
    assert again.in_doubt
    assert again.stage is Stage.ACCEPTED


@pytest.mark.parametrize("url", ["mysql://host/db", "nonsense://", "://", "oracle://x"])
def test_only_the_two_databases_are_journals(url: str) -> None:
    with pytest.raises((InputError, MissingPart)):
        SqlJournal(url, JOURNAL_KEY)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://[",
        "postgresql://h]/x",
        "postgresql://a b/x",
        "postgresql://h:port/x",
        "postgresql://h:65536/x",
        "sqlite://host/x",
        "sqlite://",
        "sqlite:///",
        "sqlite:///x?mode=ro",
        "postgresql://h/x?host=a&host=b",
        "sqlite://?timeout=long",
        "~no-such-user/journal.db",
        "nonsense://",
        "mysql://host/db",
    ],
)
def test_a_malformed_url_is_unusable_input(url: str) -> None:
    with pytest.raises(InputError, match="not the URL of a journal") as refused:
        SqlJournal(url, JOURNAL_KEY)
    assert "postgresql://user@host/database" in say(refused.value.remedy)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("journal.db", "journal.db"),
        ("sqlite:///journal.db", "journal.db"),
        ("sqlite+pysqlite:///journal.db", "journal.db"),
        ("sqlite:////HERE/deep/a%20b@c.db", "deep/a b@c.db"),
        ("~/journal.db", "journal.db"),
    ],
)
def test_an_sqlite_file_is_named_by_its_path_or_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    with closing(SqlJournal(url.replace("/HERE", str(tmp_path)), JOURNAL_KEY)) as journal:
        assert journal.file == journal.shown
    assert (tmp_path / name).stat().st_size


def test_a_server_is_named_by_the_url_with_or_without_driver(postgres: str) -> None:
    longer = postgres.replace("postgresql://postgres@", "postgresql+psycopg://postgres:hunter2@")
    with closing(SqlJournal(f"{longer}&application_name=hunter3&sslpassword=hunter4", JOURNAL_KEY)) as journal:
        assert journal.file is None
        assert [secret for secret in ("hunter2", "hunter4") if secret in journal.shown] == []
        assert "postgres@/postgres?host=" in journal.shown
        assert "application_name=hunter3" in journal.shown
    JournalReader(postgres, JOURNAL_KEY).close()


def test_what_is_no_database_is_unusable_input(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no database" * 100)
    for path, problem in (
        (tmp_path, "is not a regular file"),
        (tmp_path / "text", "the file is not an SQLite database"),
    ):
        for create in (True, False):
            with pytest.raises(InputError, match=f"{path}:? ?.*{problem}"):
                SqlJournal(str(path), JOURNAL_KEY, create=create)
    assert (tmp_path / "text").read_text() == "no database" * 100


def test_a_file_whose_name_looks_like_a_query_is_a_journal(tmp_path: Path) -> None:
    SqlJournal(str(tmp_path / "a?b@c.db"), JOURNAL_KEY).close()
    assert (tmp_path / "a?b@c.db").exists()


@pytest.mark.skipif(find_spec("psycopg") is None, reason="no psycopg: pip install 'sscard[postgresql]'")
def test_a_server_that_is_not_there_is_a_missing_part() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(MissingPart, match="the database server cannot be reached") as missing:
        SqlJournal(f"postgresql://user:hunter2@127.0.0.1:{port}/x", JOURNAL_KEY)
    assert "hunter2" not in str(missing.value)
    assert "--journal" in say(missing.value.remedy)
    with pytest.raises(InputError, match="not the URL of a journal"):
        SqlJournal(f"postgresql://127.0.0.1:{port}/x?colour=red", JOURNAL_KEY)


def test_the_password_of_a_url_is_never_shown(postgres: str) -> None:
    url = postgres.replace("postgres@", "nobody-here:hunter2@")
    with pytest.raises(MissingPart) as caught:
        SqlJournal(url, JOURNAL_KEY)
    assert "hunter2" not in str(caught.value)


def test_a_missing_journal_is_told_where_none_shall_be_made(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no journal"):
        SqlJournal(str(tmp_path / "none.db"), JOURNAL_KEY, create=False)


def test_a_path_that_is_too_long_is_unusable_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="File name too long"):
        load_key(Path("a" * 5000))
    for create in (True, False):
        with pytest.raises(InputError, match=r"its path has \d+ bytes, SQLite opens at most 504"):
            SqlJournal("a" * 5000, JOURNAL_KEY, create=create)


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "journal.key"
    path.parent.mkdir()
    key = load_key(path)
    assert (len(key), load_key(path), path.stat().st_mode & 0o777) == (32, key, 0o600)
    assert [entry.name for entry in path.parent.iterdir()] == ["journal.key"]


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.key"
    path.write_text("abc")
    with pytest.raises(InputError, match="not the key of a journal"):
        load_key(path)


def test_events_are_json_that_any_program_can_read(kept: PinService, journal: SqlJournal, citizen: Citizen) -> None:
    case = completed(kept, citizen)
    facts = json.loads(json.dumps([event.facts for event in case.events]))
    assert facts[1] == {
        "due": "2026-03-03",
        "certain": True,
        "legal_due": "2026-03-03",
        "handler": ["大厅制卡窗口", "大厅制卡窗口"],
    }
    answers = [kept.operate(case, citizen.session, NEW, key=key) for key in case.outcomes]
    assert not any(isinstance(answer, NotDone) for answer in answers)


# The files


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[SqlJournal]:
    with closing(SqlJournal(str(tmp_path / "journal.db"), JOURNAL_KEY)) as journal:
        yield journal


def test_a_new_journal_is_for_its_owner_only(opened: SqlJournal, citizen: Citizen) -> None:
    completed(PinService(Ticking(), journal=opened), citizen)
    folder = Path(opened.shown).parent
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert modes.pop("journal.db") == 0o600
    assert set(modes.values()) <= {0o600}, modes


@pytest.mark.parametrize("mode", [0o640, 0o600])
def test_an_existing_journal_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "journal.db"
    SqlJournal(str(path), JOURNAL_KEY).close()
    path.chmod(mode)
    SqlJournal(str(path), JOURNAL_KEY).close()
    assert path.stat().st_mode & 0o777 == mode


LOSSES: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "moved": lambda path: path.rename(path.with_name("moved.db")),
    "replaced": lambda path: shutil.copy(path, path.with_name("copy.db")).replace(path),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_a_journal_lost_while_in_use_takes_no_event_and_is_not_overwritten(
    opened: SqlJournal, citizen: Citizen, loss: str
) -> None:
    """Its events would go to a file that nobody finds again."""
    service = PinService(Ticking(), journal=opened)
    case = waiting_for_papers(service, citizen)
    path = Path(opened.shown)
    LOSSES[loss](path)
    before = path.read_bytes() if path.exists() else None
    for use in (
        lambda: service.intake(citizen.application(Reason.LEAKED)),
        lambda: service.supplement(case, [Paper.SOCIAL_SECURITY_CARD]),
        lambda: opened.case(case.number),
        opened.verify,
    ):
        with pytest.raises(JournalUnavailable, match="was deleted or replaced while it was in use"):
            use()
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_journal_with_two_names_is_refused(tmp_path: Path) -> None:
    """Each name has its own -wal file."""
    path = tmp_path / "journal.db"
    SqlJournal(str(path), JOURNAL_KEY).close()
    (tmp_path / "other.db").hardlink_to(path)
    for journal in (SqlJournal, JournalReader):
        with pytest.raises(InputError, match="has more than one name"):
            journal(str(path), JOURNAL_KEY)


def test_a_link_leads_to_a_journal_that_is_created(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "journal.db")
    SqlJournal(str(link), JOURNAL_KEY).close()
    assert link.is_symlink()
    assert (tmp_path / "journal.db").stat().st_mode & 0o777 == 0o600


def test_a_key_is_not_written_through_a_link(tmp_path: Path) -> None:
    link = tmp_path / "journal.key"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="cannot be read"):
        load_key(link)
    assert not (tmp_path / "elsewhere").exists()
