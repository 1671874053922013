"""Whole cases with the journal on disk, and where the time goes: journal, or card, HSM and service.

Every commit waits for the disk, on SQLite (WAL, synchronous FULL) as on PostgreSQL.

Those with ``grown`` use one SQLite journal that grows to 1,000,000 events; they
take minutes and run with ``-m campaign``: the cost of an append at each size,
lists at 40,000 cases, verification of all with its peak memory.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from random import Random
from time import perf_counter, process_time

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from kit.databases import copies
from sscard.errors import MissingPart
from sscard.hsm import SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card, builtin_keys
from sscard.proof.postgres import PrivatePostgres
from sscard.service import (
    Act,
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
from sscard.service.journal.database import JournalReader, SqlJournal
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


def run_case(service: PinService, card: Card, hsm: SoftHsm) -> Case:
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
    assert case.stage is Stage.COMPLETED
    return case


def measure(benchmark: BenchmarkFixture, journal: Journal, card: Card) -> None:
    timed = Timed(journal)
    service = PinService(lambda: NOW, journal=timed)
    hsm = SoftHsm(builtin_keys())
    run_case(service, card, hsm)
    timed.seconds, begun = 0.0, perf_counter()
    benchmark.pedantic(run_case, args=(service, card, hsm), rounds=300)
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
    benchmark.extra_info["operations"] = CASES


def _work(url: str, card: Card) -> None:
    journal = SqlJournal(url, KEY)
    service = PinService(lambda: NOW, journal=journal)
    hsm = SoftHsm(builtin_keys())
    for _ in range(CASES // WORKERS):
        run_case(service, card, hsm)
    journal.close()


@dataclass
class Grown:
    """An SQLite journal whose cases are copies of one completed case, five events each."""

    journal: SqlJournal
    case: Case
    key_file: Path
    cases: int = 1

    def to(self, events: int) -> SqlJournal:
        """Fill it up to this number of events."""
        each = len(self.case.events)
        copies(self.journal, self.case, range(self.cases, events // each), batch=2000)
        self.cases = max(self.cases, events // each)
        return self.journal


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory, new_card: Callable[[], Card]) -> Iterator[Grown]:
    folder = tmp_path_factory.mktemp("grown")
    (folder / "key").write_text(KEY.hex())
    journal = SqlJournal(str(folder / "journal.db"), KEY)
    case = run_case(PinService(lambda: NOW, journal=journal), new_card(), SoftHsm(builtin_keys()))
    yield Grown(journal, case, folder / "key")
    journal.close()


def append(benchmark: BenchmarkFixture, grown: Grown, events: int) -> None:
    """Append to a case of a journal with this number of events; CPU time in microseconds beside the whole."""
    journal = grown.to(events)
    case = journal.open_case(grown.case.events[0])
    journal.append(case, grown.case.events[1])
    noted = Event(NOW + timedelta(days=400), Stage.ACCEPTED, Phrase("Received: {text}", text="x"), Act.NOTED)
    before = process_time()
    benchmark.pedantic(journal.append, args=(case, noted), rounds=500)
    benchmark.extra_info["cpu_us"] = round((process_time() - before) / 500 * 1e6)
    journal.append(case, Event(noted.time, Stage.FAILED, Phrase("Received: {text}", text="x"), Act.FAILED))


@pytest.mark.campaign
@pytest.mark.parametrize("events", [1000, 10_000, 100_000])
def bench_append_at(benchmark: BenchmarkFixture, grown: Grown, events: int) -> None:
    append(benchmark, grown, events)


@pytest.mark.campaign
@pytest.mark.parametrize("what", ["since", "overdue"])
def bench_list_of_forty_thousand_cases(benchmark: BenchmarkFixture, grown: Grown, what: str) -> None:
    """Open the journal and list no case."""
    file = str(grown.to(200_000).file)

    def read() -> int:
        journal = JournalReader(file, KEY)
        if what == "since":
            found = journal.cases(since=NOW + timedelta(days=10_000))
        else:
            found = journal.cases([Stage.ACCEPTED, Stage.OPERATED], due_before=date(2099, 1, 1))
        count = sum(1 for _ in found)
        journal.close()
        return count

    assert benchmark.pedantic(read, rounds=20) == 0


@pytest.mark.campaign
def bench_append_at_a_million(benchmark: BenchmarkFixture, grown: Grown) -> None:
    append(benchmark, grown, 1_000_000)


@pytest.mark.campaign
def bench_verify_of_a_million_events(benchmark: BenchmarkFixture, grown: Grown) -> None:
    """``sscard case verify`` in a process of its own; peak memory in MiB."""
    file = str(grown.to(1_000_000).file)
    command = [sys.executable, "-m", "sscard", "case", "verify", "--journal", file, "--json"]

    def check() -> int:
        with subprocess.Popen([*command, "--journal-key", str(grown.key_file)], stdout=subprocess.PIPE) as verify:
            assert verify.stdout is not None
            events: int = json.loads(verify.stdout.read())["events"]
            _, verify.returncode, usage = os.wait4(verify.pid, 0)
        benchmark.extra_info |= {"mib": usage.ru_maxrss // 1024, "cpu_s": round(usage.ru_utime + usage.ru_stime, 1)}
        return events

    assert benchmark.pedantic(check, rounds=1) >= 1_000_000
