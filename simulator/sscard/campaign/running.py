"""A campaign from its population to its results: what a program calls, as the command does."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, NamedTuple

from sscard.campaign.engines import Engine, run_shards
from sscard.campaign.figures import Figures
from sscard.campaign.population import Population
from sscard.campaign.results import COLUMNS, Plan
from sscard.campaign.results_writer import ResultsWriter
from sscard.campaign.rows import Done, Outcome, values_of
from sscard.campaign.shard import Task, run_shard
from sscard.errors import InvalidValue, suggestion
from sscard.fields import read_percent
from sscard.i18n.phrase import Phrase
from sscard.version import __version__

RECENT: Final = 10.0
"""Seconds over which the rate is measured."""
LOCKOUTS: Final = COLUMNS.index("lockouts")


def plan_of(task: Task, cards: int) -> Plan:
    """What decides the results of so many cards."""
    population = task.population
    return Plan(
        population=population.model_dump_json(),
        seed=task.seed,
        cards=cards,
        through=task.through,
        version=__version__,
        products=tuple(each.name for each in population.products),
        places=tuple(each.name for each in population.places),
        behaviours=tuple(each.name for each in population.behaviours),
    )


def task_of(plan: Plan) -> Task:
    """What a worker gets to do the cards of a plan."""
    return Task(Population.model_validate_json(plan.population), plan.seed, plan.through)


class Progress:
    """How far a campaign is: the cards done in this run and before it, its rates and what happened in this run."""

    def __init__(self, results: ResultsWriter) -> None:
        self.cards = results.plan.cards
        self.before = self.done = results.done
        self.failures = self.lockouts = 0
        self._begun = time.monotonic()
        self._recent = deque([(self._begun, self.done)])

    def add(self, done: Done) -> None:
        """Count a shard."""
        now = time.monotonic()
        self.done += done.shard.count
        self.failures += len(done.failures)
        self.lockouts += sum(values[LOCKOUTS] for values in values_of(done.rows))
        self._recent.append((now, self.done))
        while self._recent[0][0] < now - RECENT and len(self._recent) > 2:
            self._recent.popleft()

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self._begun

    @property
    def rate(self) -> float:
        """Cards per second lately; 0 before the first shard."""
        (first, before), (last, now) = self._recent[0], self._recent[-1]
        return (now - before) / (last - first) if last > first else 0.0


def run_campaign(
    engine: Engine, results: ResultsWriter, progress: Progress, notify: Callable[[Progress], object]
) -> None:
    """Do the cards that are missing in the results, and then write the digest; ``notify`` is called after each shard.

    Errors: those of ``run_shards`` and ``ResultsWriter.add``; what was done by then is in the results.
    """
    for done in run_shards(engine, partial(run_shard, task_of(results.plan)), results.missing()):
        results.add(done)
        progress.add(done)
        notify(progress)
    results.finish()


class Threshold(NamedTuple):
    """At most this share of the cards may have the outcome."""

    text: str
    outcome: Outcome
    share: float


class Checked(NamedTuple):
    """A threshold and the share that was found."""

    threshold: Threshold
    share: float

    @property
    def met(self) -> bool:
        return self.share <= self.threshold.share


def read_threshold(text: str) -> Threshold:
    """A threshold as ``locked=2%``; ``InvalidValue`` if the text is not one."""
    known = {each.name.lower(): each for each in Outcome}
    word, _equals, percent = text.partition("=")
    if word not in known:
        raise InvalidValue(Phrase("no outcome {word!r}", word=word), suggestion(word, known))
    return Threshold(text, known[word], read_percent(percent))


def check_thresholds(figures: Figures, thresholds: Iterable[Threshold]) -> list[Checked]:
    """Compare the thresholds with the cards that are done."""
    counts, cards = figures.by_outcome(), max(figures.cards, 1)
    return [Checked(each, counts[each.outcome] / cards) for each in thresholds]
