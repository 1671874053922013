"""Engines: what they do with a worker that dies, a fault of the work, and an address where nobody answers."""

from __future__ import annotations

import errno
import multiprocessing
import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from importlib.metadata import EntryPoint, EntryPoints
from types import SimpleNamespace

import pytest

import kit.campaigns
from kit.campaigns import counted, deadly, faulty
from sscard.campaign.engines import ENGINES, MOST_SHARDS, Batch, Job, Run, open_engine, run_shards
from sscard.campaign.rows import Done, Shard, shards
from sscard.errors import InputError, MissingPart


class Recording:
    """An engine of this process that keeps what it was asked."""

    workers = 3

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Batch], Job, tuple[Shard, ...]]] = []
        self.most = 0
        self.sizes: list[int] = []

    def submit(self, job: Job, batch: tuple[Shard, ...]) -> Future[Batch]:
        """Run the batch that has waited longest when enough wait."""
        given: Future[Batch] = Future()
        self.waiting.append((given, job, batch))
        self.most = max(self.most, len(self.waiting))
        self.sizes.append(len(batch))
        if len(self.waiting) == 2 * self.workers or batch[-1].first >= 200_000 - 500:
            while self.waiting:
                future, work, asked = self.waiting.pop()
                future.set_result(work(asked))
        return given


def known_here(shard: Shard) -> Done:
    """A function that ``kit.campaigns`` has in this process only."""
    return counted(shard)


known_here.__module__ = "kit.campaigns"


def test_a_bounded_number_of_shards_is_in_flight_and_short_ones_go_together() -> None:
    engine = Recording()
    done = [each.shard for each in run_shards(engine, counted_nothing, shards(200_000))]
    assert sorted(done) == [*shards(200_000)]
    assert engine.most == 2 * engine.workers
    assert engine.sizes[0] == 1
    assert max(engine.sizes) == MOST_SHARDS


def counted_nothing(shard: Shard) -> object:
    return SimpleNamespace(shard=shard)


def test_a_shard_whose_worker_dies_each_time_is_named() -> None:
    before = {*multiprocessing.active_children()}
    with pytest.raises(MissingPart) as raised, open_engine("local", 2) as engine:
        [*run_shards(engine, deadly, shards(3000))]
    assert str(raised.value) == (
        "cards 1000 to 1499: their process died 3 times: SIGKILL, as the system sends if memory is exhausted\n"
        "  run one alone: --card 1000; if the memory was exhausted, choose fewer --workers"
    )
    assert not {*multiprocessing.active_children()} - before


@pytest.mark.nightly
def test_dask_names_it_too() -> None:
    with pytest.raises(MissingPart, match="their worker died 3 times"), open_engine("dask", 1) as engine:
        [*run_shards(engine, deadly, [Shard(1000, 10)])]


def test_a_fault_of_the_work_names_the_cards_and_repeats_no_pin() -> None:
    with pytest.raises(RuntimeError) as raised, open_engine("local", 1) as engine:
        [*run_shards(engine, faulty, shards(3000))]
    assert str(raised.value).startswith("cards 1000 to 1499: ValueError in campaigns.py:")
    assert "739184" not in str(raised.value)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (lambda shard: counted(Shard(*shard)), "<lambda>"),
        (known_here, "has no attribute 'known_here'|Can't get attribute 'known_here'"),
        (kit.campaigns.unsendable, "cannot pickle 'generator' object"),
    ],
)
def test_work_that_cannot_be_sent_to_a_process_is_named(run: Run, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kit.campaigns, "known_here", known_here, raising=False)
    with open_engine("local", 1) as engine:
        with pytest.raises(InputError, match=f"cannot be sent to another process: .*({reason})") as raised:
            [*run_shards(engine, run, shards(1000))]
        assert "a module that a new process can import" in str(raised.value)
        assert len([*run_shards(engine, counted, shards(1000))]) == 2


def test_a_worker_process_that_the_system_refuses_is_a_missing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(multiprocessing.get_context("spawn").Process, "start", refuse)
    with (
        pytest.raises(MissingPart, match="a worker process cannot be started") as raised,
        open_engine("local", 2) as engine,
    ):
        [*run_shards(engine, counted, shards(3000))]
    assert "end other programs, or choose fewer --workers" in str(raised.value)


def test_a_worker_with_another_sscard_is_refused() -> None:
    with pytest.raises(MissingPart, match=r"a worker has sscard .*, this is sscard 0\.0\.1"):
        Job(counted, "0.0.1")((Shard(0, 1),))


@pytest.mark.parametrize(
    ("url", "workers", "problem"),
    [
        ("lokal", 0, "unknown engine 'lokal'"),
        ("local:4", 0, "the engine local has no address"),
        ("dask:nowhere", 0, "no address of a scheduler"),
        ("dask:tcp://me:secret@127.0.0.1:1", 0, "dask:tcp://••••@127.0.0.1:1: no address of a scheduler"),
        ("dask:http://127.0.0.1:8786", 0, "no address of a scheduler"),
        ("dask:tcp://127.0.0.1:8786", 4, "the workers of this scheduler run already"),
    ],
)
def test_an_engine_that_cannot_be_is_unusable_input(url: str, workers: int, problem: str) -> None:
    with pytest.raises(InputError, match=problem), open_engine(url, workers):
        pass


def test_a_scheduler_that_does_not_answer_is_a_missing_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sscard.campaign.cluster.CONNECT", 0.2)
    with (
        pytest.raises(MissingPart, match="no scheduler answers"),
        open_engine("dask:tcp://127.0.0.1:1"),
    ):
        pass


def test_a_scheduler_that_is_lost_leaves_the_number_of_workers_and_the_futures_state_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from sscard.campaign import cluster

    asked: list[str] = []

    def nthreads() -> dict[str, int]:
        asked.append("nthreads")
        if len(asked) > 1:
            raise OSError("the connection is closed")
        return {"tcp://127.0.0.1:1": 2, "tcp://127.0.0.1:2": 2}

    monkeypatch.setattr(cluster, "LOOK", -1.0)
    client = SimpleNamespace(nthreads=nthreads, get_executor=lambda **_options: None)
    found = cluster.Cluster(client)
    assert [found.workers, found.workers, len(asked)] == [4, 4, 2]


def test_dask_without_its_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sscard.campaign.cluster", raising=False)
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MissingPart, match=r"sscard\[dask\]"), open_engine("dask"):
        pass


def test_a_package_adds_an_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(url: str, workers: int = 0) -> Iterator[Recording]:
        engine = Recording()
        engine.workers = workers
        yield engine

    monkeypatch.setitem(sys.modules, "acme_grid", SimpleNamespace(opened=opened))  # type: ignore[misc]
    points = EntryPoints([EntryPoint("grid", "acme_grid:opened", ENGINES.group)])
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)
    with open_engine("grid", 5) as engine:
        assert engine.workers == 5


def test_a_cluster_of_this_machine_listens_on_loopback_only() -> None:
    from psutil import Process  # Dask needs it

    own = Process()
    with open_engine("dask", 1) as engine:
        assert [each.shard for each in run_shards(engine, counted, [Shard(0, 10)])] == [Shard(0, 10)]
        connections = [each for process in (own, *own.children(recursive=True)) for each in process.net_connections()]
    listening = {each.laddr.ip for each in connections if each.status == "LISTEN"}
    assert listening == {"127.0.0.1"}
