"""Eight processes on one journal: no case lost, none done twice, the chain whole."""

from __future__ import annotations

from collections import Counter
from multiprocessing import get_context
from pathlib import Path
from random import Random

import pytest

from kit.cards import citizens_card
from kit.citizens import JOURNAL_KEY, OPENING
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.service import Act, Applicant, Application, Channel, PinService, Reason, Stage
from sscard.service.journal.database import SqlJournal
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


def _work(url: str, worker: int, cases: int, start: object) -> None:
    """Run cases of its own on a card of its own, and press the buttons that all the others press."""
    journal = SqlJournal(url, JOURNAL_KEY)
    service = PinService(lambda: OPENING, journal=journal)
    chip = citizens_card(PINS[1], seed=worker).chip(Random(worker))
    session = CardSession.start(chip, SoftHsm(builtin_keys()))
    card = session.read_basic()
    application = Application(
        Applicant(name=card.name, id_number=card.social_security_number), Channel.WINDOW, Reason.FORGOTTEN, card=card
    )
    start.wait()  # type: ignore[attr-defined]
    for number in range(SHARED):
        service.intake(application, key=f"shared {number}")
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
