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
from kit.programs import SSCARD, CommandLine, running
from kit.shared import made_once
from kit.waiting import until
from sscard.campaign.engines import open_engine, run_shards
from sscard.campaign.results import Results
from sscard.campaign.rows import CARDS_PER_SHARD, digest, shards
from sscard.campaign.shard import run_shard

pytestmark = pytest.mark.skipif(os.name != "posix", reason="processes are killed")


CARDS = 20_000
GIVEN = ("--seed", 7, "--through", "card", "--cards", CARDS, "--json")


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of a campaign with one worker and without an interruption, which is run once for all workers."""

    def straight() -> str:
        task_in(folder)
        command = [*SSCARD, "campaign", str(folder / "population.yaml"), *map(str, GIVEN), "--workers", "1"]
        ended = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
        assert ended.returncode == 0, ended.stderr
        found: str = json.loads(ended.stdout)["digest"]
        return found

    folder = tmp_path_factory.mktemp("expected")
    own = tmp_path_factory.getbasetemp()
    return made_once(own.parent if "PYTEST_XDIST_WORKER" in os.environ else own, "digest", straight)


@pytest.fixture
def population(tmp_path: Path) -> Path:
    task_in(tmp_path)
    return tmp_path / "population.yaml"


@pytest.mark.nightly
def test_it_is_that_of_this_process_without_an_engine(tmp_path: Path, expected: str) -> None:
    task = task_in(tmp_path)
    assert digest(run_shard(task, shard).digest for shard in shards(CARDS)) == expected


@pytest.mark.nightly
@pytest.mark.parametrize("engine", ["local --workers 2", "local --workers 4", "dask --workers 1", "dask --workers 4"])
def test_engine_and_workers_do_not_change_it(sscard: CommandLine, population: Path, expected: str, engine: str) -> None:
    code, out, err = sscard("campaign", population, *GIVEN, "--engine", *engine.split())
    assert code == 0, err
    assert json.loads(out)["digest"] == expected


@pytest.mark.parametrize("url", ["local", "dask"])
def test_a_worker_of_two_that_is_killed_half_way_does_not_change_it(url: str, tmp_path: Path, expected: str) -> None:
    before = {*multiprocessing.active_children()}
    task = partial(run_shard, task_in(tmp_path))
    with open_engine(url, 2) as engine:
        done = {}
        for each in run_shards(engine, task, shards(CARDS)):
            done[each.shard.first] = each.digest
            if len(done) * CARDS_PER_SHARD == CARDS // 2:
                victim, *_others = {*multiprocessing.active_children()} - before
                victim.kill()
                victim.join()
    assert digest(done[first] for first in sorted(done)) == expected
    assert not {*multiprocessing.active_children()} - before


def test_a_campaign_of_four_workers_that_is_killed_half_way_is_continued_to_the_same_one(
    sscard: CommandLine, tmp_path: Path, population: Path, expected: str
) -> None:
    results = tmp_path / "results.db"
    program = [sys.executable, kit.campaigns.__file__, str(population), str(results), str(CARDS), "4"]
    ended = subprocess.run(program, check=False, capture_output=True, text=True)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    code, out, err = sscard("campaign", "--results", results, "--resume", "--workers", 4, "--json")
    assert code == 0, err
    content = json.loads(out)
    assert content["digest"] == expected
    assert content["run"]["resumed_at"] >= CARDS // 2


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
