"""Whole cases with the journal on disk, and where the time goes: journal, or card, HSM and service.

Every commit waits for the disk, on SQLite (WAL, synchronous FULL) as on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from random import Random
from time import perf_counter

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sscard.errors import MissingPart
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.proof.postgres import PrivatePostgres
from sscard.service import (
    Applicant,
    Application,
    Case,
    Channel,
    Event,
    Journal,
    MemoryJournal,
    PinService,
    Reason,
    Stage,
)
from sscard.service.journal.database import SqlJournal
from sscard.terminal import CardSession

KEY = bytes(range(32))
PIN = "654321"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
WORKERS, CASES = 8, 400
_NUMBERS = count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with ExitStack() as stack:
        try:
            started = stack.enter_context(PrivatePostgres(durable=True))
        except MissingPart as error:
            pytest.skip(str(error))
        yield started.url


@pytest.fixture
def postgres(server: str) -> str:
    psycopg = pytest.importorskip("psycopg")
    name = f"journal_{next(_NUMBERS)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {name}")
    return f"{server}&options=-csearch_path%3D{name}"


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


@pytest.fixture(params=["sqlite", "postgres"])
def kept(request: pytest.FixtureRequest) -> Iterator[SqlJournal]:
    journal = SqlJournal(request.getfixturevalue(request.param), KEY)
    yield journal
    journal.close()


@dataclass
class Timed:
    """A journal that adds up the time its writes take."""

    journal: Journal
    seconds: float = 0.0
    key: bytes = KEY

    def open_case(self, event: Event) -> Case:
        begun = perf_counter()
        case = self.journal.open_case(event)
        self.seconds += perf_counter() - begun
        return case

    def append(self, case: Case, event: Event) -> None:
        begun = perf_counter()
        self.journal.append(case, event)
        self.seconds += perf_counter() - begun


def run_case(service: PinService, card: Card, hsm: SoftHsm) -> Stage:
    """A whole case at the window: five events, each on disk before the next step."""
    session = CardSession.start(card.chip(Random(1)), hsm)
    read = session.read_basic()
    application = Application(
        Applicant(name=read.name, id_number=read.social_security_number), Channel.WINDOW, Reason.FORGOTTEN, card=read
    )
    case = service.intake(application)
    service.accept(case)
    service.operate(case, session, PIN)
    service.complete(case, session, PIN)
    return case.stage


def measure(benchmark: BenchmarkFixture, journal: Journal, card: Card) -> None:
    timed = Timed(journal)
    service = PinService(lambda: NOW, journal=timed)
    hsm = SoftHsm(builtin_keys())
    run_case(service, card, hsm)
    timed.seconds, begun = 0.0, perf_counter()
    assert benchmark.pedantic(run_case, args=(service, card, hsm), rounds=300) is Stage.COMPLETED
    benchmark.extra_info["journal_share"] = round(timed.seconds / (perf_counter() - begun), 3)


def bench_case_in_memory(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    measure(benchmark, MemoryJournal(), new_card())


def bench_case_on_disk(benchmark: BenchmarkFixture, new_card: Callable[[], Card], kept: SqlJournal) -> None:
    measure(benchmark, kept, new_card())


def bench_verify_of_five_hundred_cases(benchmark: BenchmarkFixture, kept: SqlJournal) -> None:
    first = _fill(kept, 500)
    assert benchmark.pedantic(kept.verify, rounds=5).cases == 500
    assert kept.case(first) is not None


def _fill(journal: SqlJournal, cases: int) -> str:
    application = Application(Applicant(name="张三", id_number="410402198503150009"), Channel.WINDOW, Reason.FORGOTTEN)
    service = PinService(lambda: NOW, journal=journal)
    numbers = [service.intake(application).number for _ in range(cases)]
    return numbers[0]


def bench_eight_workers_on_one_journal(
    benchmark: BenchmarkFixture, new_card: Callable[[], Card], postgres: str
) -> None:
    """400 whole cases, 50 by each of eight processes."""
    SqlJournal(postgres, KEY).close()
    cards = [new_card() for _ in range(WORKERS)]
    context = get_context("fork")

    def work() -> list[int | None]:
        workers = [context.Process(target=_work, args=(postgres, card)) for card in cards]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        return [worker.exitcode for worker in workers]

    assert benchmark.pedantic(work, rounds=3) == [0] * WORKERS
    benchmark.extra_info["cases"] = CASES


def _work(url: str, card: Card) -> None:
    journal = SqlJournal(url, KEY)
    service = PinService(lambda: NOW, journal=journal)
    hsm = SoftHsm(builtin_keys())
    for _ in range(CASES // WORKERS):
        run_case(service, card, hsm)
    journal.close()
