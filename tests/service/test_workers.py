"""Eight processes on one journal: no case lost, none done twice, the chain whole."""

from __future__ import annotations

from collections import Counter
from contextlib import closing, suppress
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kit.cards import citizens_card
from kit.citizens import JOURNAL_KEY, OPENING
from sscard.hsm import SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import builtin_keys
from sscard.service import Act, Applicant, Application, Case, Channel, Overtaken, PinService, Reason, Stage
from sscard.service.journal.database import SqlJournal
from sscard.service.journal.opening import open_database
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN
from sscard.terminal import CardSession

WORKERS = 8
PINS = ("80264153", "246810")
SHARED = 20
"""Presses that every worker makes too, all at the same time."""


@pytest.mark.slow
def test_eight_workers_on_one_journal(postgres: str) -> None:
    work_together(postgres, 400)


@pytest.mark.slow
def test_eight_workers_on_one_file(tmp_path: Path) -> None:
    work_together(str(tmp_path / "journal.db"), 80)


@pytest.mark.campaign
def test_eight_workers_two_thousand_cases(postgres: str) -> None:
    work_together(postgres, 2000)


class Forgetful(PinService):
    """A planted defect: it resumes without its event."""

    def _write(self, case: Case, stage: Stage, said: Phrase, act: Act = Act.NOTED, facts: Any = None) -> None:
        if act is not Act.RESUMED:
            super()._write(case, stage, said, act, facts)


@pytest.mark.slow
@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_of_two_processes_that_resume_one_case_one_is_overtaken_before_it_touches_the_card(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres") if database == "postgres" else str(tmp_path / "journal.db")
    assert resumed_by_two(url, PinService) == [("Operated", True), ("Overtaken", False)]


def test_a_resume_without_its_event_is_noticed(tmp_path: Path) -> None:
    assert ("Overtaken", False) not in resumed_by_two(str(tmp_path / "journal.db"), Forgetful)


def resumed_by_two(url: str, kind: type[PinService]) -> list[tuple[str, bool]]:
    """Two processes resume a case in doubt, each with a copy of its card: result, and whether the card was operated."""
    journal = SqlJournal(url, JOURNAL_KEY)
    service = PinService(lambda: OPENING, journal=journal)
    card = citizens_card(PINS[1])
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    basic = session.read_basic()
    applicant = Applicant(name=basic.name, id_number=basic.social_security_number)
    case = service.intake(Application(applicant, Channel.WINDOW, Reason.FORGOTTEN, card=basic))
    service.accept(case)
    card.memory.fail()
    service.operate(case, session, PINS[0])
    assert case.in_doubt
    journal.close()
    context = get_context("fork")
    start, results = context.Barrier(2), context.SimpleQueue()
    workers = [context.Process(target=_resume, args=(url, kind, case.number, start, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    found = sorted(results.get() for _ in workers)
    for worker in workers:
        worker.join()
    return found


def _resume(url: str, kind: type[PinService], number: str, start: Any, results: Any) -> None:
    journal = SqlJournal(url, JOURNAL_KEY)
    case = journal.case(number)
    assert case is not None
    card = citizens_card(PINS[1])
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    start.wait()
    try:
        result = type(kind(lambda: OPENING, journal=journal).operate(case, session, PINS[0])).__name__
    except Overtaken as error:
        result = type(error).__name__
    journal.close()
    results.put((result, card.memory.strings[PIN] == encode_pin(PINS[0])))


def work_together(url: str, cases: int) -> None:
    SqlJournal(url, JOURNAL_KEY).close()
    context = get_context("fork")
    start = context.Barrier(WORKERS)
    workers = [context.Process(target=_work, args=(url, number, cases // WORKERS, start)) for number in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * WORKERS
    check(url, cases)


def _application(seed: int) -> tuple[Application, CardSession]:
    session = CardSession.start(citizens_card(PINS[1], seed=seed).chip(Random(seed)), SoftHsm(builtin_keys()))
    card = session.read_basic()
    person = Applicant(name=card.name, id_number=card.social_security_number)
    return Application(person, Channel.WINDOW, Reason.FORGOTTEN, card=card), session


def _work(url: str, worker: int, cases: int, start: object) -> None:
    """Run cases of its own on a card of its own, and press the buttons that all the others press."""
    journal = SqlJournal(url, JOURNAL_KEY)
    service = PinService(lambda: OPENING, journal=journal)
    (shared, _), (application, session) = _application(0), _application(worker)
    start.wait()  # type: ignore[attr-defined]
    for number in range(SHARED):
        service.intake(shared, key=f"shared {number}")
    for number in range(cases):
        key, pin = f"{worker}/{number}", PINS[number % 2]
        case = service.intake(application, key=key)
        service.accept(case)
        for _ in range(2):
            service.operate(case, session, pin, key=key)
        service.complete(case, session, pin)
    journal.close()


def check(url: str, cases: int) -> None:
    journal = SqlJournal(url, JOURNAL_KEY)
    found = list(journal.cases())
    verified = journal.verify()
    journal.close()
    keys = Counter(case.key for case in found)
    shared = {f"shared {number}" for number in range(SHARED)}
    assert set(keys) == shared | {
        f"{worker}/{number}" for worker in range(WORKERS) for number in range(cases // WORKERS)
    }
    assert set(keys.values()) == {1}
    assert len({case.number for case in found}) == cases + SHARED
    for case in found:
        acts = Counter(event.act for event in case.events)
        if case.key not in shared:
            assert (case.stage, acts[Act.BEGUN], acts[Act.DONE], acts[Act.COMPLETED]) == (Stage.COMPLETED, 1, 1, 1)
    assert (verified.cases, verified.events, verified.findings) == (cases + SHARED, 5 * cases + SHARED, ())


def test_a_server_answers_after_statements_that_failed_together(postgres: str) -> None:
    """Of statements that are sent together, those behind a failure are not executed, and not prepared."""
    insert, select = "INSERT INTO one VALUES (?)", "SELECT id FROM one"
    with closing(open_database(postgres, write=True)) as database:
        with database.transaction(write=True) as db:
            db.run(("CREATE TABLE one (id int PRIMARY KEY)", ()), (insert, (1,)))
        for _ in range(10):
            with suppress(database.integrity_error), database.transaction(write=True) as db:
                db.run((insert, (1,)), (select, ()))
            with database.transaction(write=False) as db:
                assert db.rows(select) == [(1,)]
