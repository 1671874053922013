"""The digest of a campaign depends on no engine, number of workers, order or interruption."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import kit.campaigns
from kit.campaigns import POPULATION, task_in
from kit.programs import CommandLine, running
from kit.waiting import until
from sscard.campaign.engines import open_engine, run_shards
from sscard.campaign.results import Results
from sscard.campaign.rows import digest, shards
from sscard.campaign.shard import run_shard

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed")


@pytest.fixture(scope="module", params=[2000, pytest.param(20_000, marks=pytest.mark.nightly)])
def cards(request: pytest.FixtureRequest) -> int:
    """How many cards each campaign has."""
    number: int = request.param
    return number


@pytest.fixture(scope="module")
def expected(cards: int, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest that this process computes, without any engine."""
    task = task_in(tmp_path_factory.mktemp("expected"))
    return digest(run_shard(task, shard).digest for shard in shards(cards))


@pytest.fixture
def population(tmp_path: Path) -> Path:
    task_in(tmp_path)
    return tmp_path / "population.yaml"


@pytest.mark.parametrize("engine", ["local --workers 1", "local --workers 2", "local --workers 4", "dask --workers 2"])
def test_engine_and_workers_do_not_change_it(
    sscard: CommandLine, population: Path, cards: int, expected: str, engine: str
) -> None:
    words = ["--seed", 7, "--through", "card", "--cards", cards, "--engine", *engine.split(), "--json"]
    code, out, err = sscard("campaign", population, *words)
    assert code == 0, err
    assert json.loads(out)["digest"] == expected


@pytest.mark.parametrize("url", ["local", "dask"])
def test_a_worker_that_is_killed_does_not_change_it(url: str, tmp_path: Path, cards: int, expected: str) -> None:
    before = {*multiprocessing.active_children()}
    run = partial(run_shard, task_in(tmp_path))
    with open_engine(url, 2) as engine:
        done = {}
        for each in run_shards(engine, run, shards(cards)):
            if not done:
                victim, *_others = {*multiprocessing.active_children()} - before
                victim.kill()
                victim.join()
            done[each.shard.first] = each.digest
    assert digest(done[first] for first in sorted(done)) == expected
    assert not {*multiprocessing.active_children()} - before


def test_a_campaign_that_is_killed_is_continued_to_the_same_one(
    sscard: CommandLine, tmp_path: Path, population: Path, cards: int, expected: str
) -> None:
    results = tmp_path / "results.db"
    program = [sys.executable, kit.campaigns.__file__, str(population), str(results), str(cards)]
    ended = subprocess.run(program, check=False, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    code, out, err = sscard("campaign", "--results", results, "--resume", "--workers", 2, "--json")
    assert code == 0, err
    content = json.loads(out)
    assert content["digest"] == expected
    assert content["run"]["resumed_at"] >= 1000


@pytest.fixture
def endless(tmp_path: Path) -> tuple[Path, list[str]]:
    """The results file of a campaign that would take minutes, and its command line."""
    results = tmp_path / "results.db"
    (tmp_path / "population.yaml").write_text(POPULATION, encoding="utf-8")
    words = ["campaign", str(tmp_path / "population.yaml"), "--cards", "4000000", "--through", "card"]
    return results, [*words, "--workers", "2", "--results", str(results)]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 130, marks=pytest.mark.nightly),
        (signal.SIGKILL, -9),
    ],
)
def test_what_was_done_is_kept_and_no_worker_stays(
    sscard: CommandLine, endless: tuple[Path, list[str]], number: signal.Signals, code: int
) -> None:
    results, words = endless
    with running(*words) as program:
        assert until(lambda: results.exists() and done_in(results) >= 500)
        workers = children_of(program.process.pid)
        ended, said = program.end(number)
    assert ended == code
    assert ("continue it with: sscard campaign --results" in said) == (code == 130)
    assert workers
    assert until(lambda: not any(map(is_running, workers)))
    done = done_in(results)
    shown, out, _err = sscard("campaign", "show", results, "--json")
    content = json.loads(out)
    assert (shown, content["done"], content["digest"]) == (0, done, "")
    with Results(results) as opened:
        assert [row.index for row in opened.rows()] == sorted(
            index for facts in opened.shards() for index in range(facts.shard.first, sum(facts.shard))
        )


@pytest.mark.nightly
def test_ctrl_c_ends_the_workers_of_dask_without_a_word_of_theirs(endless: tuple[Path, list[str]]) -> None:
    results, words = endless
    with running(*words, "--engine", "dask") as program:
        assert until(lambda: results.exists() and done_in(results) >= 500)
        workers = children_of(program.process.pid)
        for worker in workers:
            os.kill(worker, signal.SIGINT)  # as a terminal does
        ended, said = program.end(signal.SIGINT)
    assert ended == 130
    assert "Traceback" not in said
    assert "distributed" not in said
    assert until(lambda: not any(map(is_running, workers)))


def done_in(results: Path) -> int:
    """The cards that another process has written."""
    with Results(results) as opened:
        return opened.done


def children_of(process: int) -> list[int]:
    """The workers that a process has started."""
    command = ["ps", "-o", "pid=,args=", "--ppid", str(process)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return [int(line.split()[0]) for line in listed.stdout.splitlines() if "spawn_main" in line]


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{process}/stat").read_text().rpartition(")")[2][:3]
