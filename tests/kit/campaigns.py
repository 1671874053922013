"""Campaigns of tests: what workers run, and a program that is killed in the middle of one."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from sscard.campaign.population import read_population
from sscard.campaign.results import Plan
from sscard.campaign.rows import NEVER, Done, Failure, Outcome, Row, Shard, Through, row_of, values_of
from sscard.campaign.shard import Task

POPULATION = """\
products: [{personality: v3-sm4}]
places: [{place: tries-3}, {place: tries-10}]
behaviours:
  - {kind: careful, share: 3}
  - {kind: forgetful, share: 1}
"""
"""Cards that cost little: half a millisecond each, through card and HSM alone."""
PLAN = Plan(
    population="{}",
    seed=1,
    cards=2600,
    through=Through.CARD,
    version="1",
    products=("one", "two", "three"),
    places=("here", "there"),
    behaviours=("calm",),
)
"""A campaign of the rows of ``counted``, whose last shard is smaller."""


def task_in(folder: Path, text: str = POPULATION) -> Task:
    """The task of a population file that is written."""
    file = folder / "population.yaml"
    file.write_text(text, encoding="utf-8")
    return Task(read_population(file), 7, Through.CARD)


def unpacked(rows: bytes) -> list[Row]:
    """The rows of a shard."""
    return [row_of(values) for values in values_of(rows)]


def row_at(index: int) -> Row:
    """A row with what its index says."""
    drawn = sha256(b"%d" % index).digest()
    locked = drawn[4] % 2
    return Row(
        index=index,
        product=drawn[0] % 3,
        place=drawn[1] % 2,
        behaviour=0,
        outcome=Outcome(drawn[2] % len(Outcome)),
        tries_limit=6,
        tries_left=drawn[3] % 7,
        wrong_tries=drawn[5],
        lockouts=locked,
        commands=drawn[6],
        hsm_operations=drawn[7] % 3,
        arrival=index * 60,
        locked_at=index * 60 + 30 if locked else NEVER,
        visit_at=NEVER,
        visit_ms=0,
        return_at=NEVER,
        return_ms=0,
        state=drawn[:8],
    )


def counted(shard: Shard) -> Done:
    """A shard of such rows."""
    rows = b"".join(row_at(index).packed() for index in range(shard.first, shard.first + shard.count))
    return Done(shard, rows, layers={"card": 0.25}, modelled={"person": 3})


def deadly(shard: Shard) -> Done:
    """A shard that kills its process if it is the third one."""
    if shard.first == 1000:
        os.kill(os.getpid(), signal.SIGKILL)
    return counted(shard)


def faulty(shard: Shard) -> Done:
    """A fault whose text has a PIN, in the third shard."""
    if shard.first == 1000:
        raise ValueError("739184")
    return counted(shard)


def unsendable(shard: Shard) -> Done:
    """A shard with a part that no other process can get."""
    return replace(counted(shard), failures=(each for each in ()))  # type: ignore[arg-type]


def failing(shard: Shard) -> Done:
    """A shard in which the first card breaks an invariant."""
    failure = Failure(shard.first, "as-the-oracle", "first use, command 3", '{"format": "image"}', "> 00840000 08")
    return Done(shard, counted(shard).rows, failures=(failure,))


def be_killed(population: str, results: str, cards: str, workers: str) -> None:
    """Run a campaign in this process, which kills itself when half of the cards are done."""
    from sscard.campaign import results_writer
    from sscard.campaign.engines import open_engine
    from sscard.campaign.running import Progress, plan_of, run_campaign

    def look(progress: Progress) -> None:
        if progress.done >= int(cards) // 2:
            os.kill(os.getpid(), signal.SIGKILL)

    results_writer.CHECKPOINT = 0.0  # type: ignore[misc]  # each shard is a checkpoint
    task = Task(read_population(Path(population)), 7, Through.CARD)
    with (
        results_writer.ResultsWriter.create(Path(results), plan_of(task, int(cards))) as file,
        open_engine("local", int(workers)) as engine,
    ):
        run_campaign(engine, file, Progress(file), look)


if __name__ == "__main__":
    be_killed(*sys.argv[1:])
