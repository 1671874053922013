"""How scenarios are run: in this process, in worker processes, or through PC/SC."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

from sscard.scenario.defaults import DEFAULT_SEED
from sscard.scenario.issuing import Issuing
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, run_scenario
from sscard.scenario.workers import Run, Workers
from sscard.signals import LOOK
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.readerpool import ReaderPool

READERS: Final = 8
"""Number of virtual readers: after a power cut a reader waits for the next poll, others work meanwhile."""
OWN: Final = Issuing()
"""The built-in test keys, and the HSM with them."""


class Link(NamedTuple):
    """The function that runs a scenario, and how many threads can call it in parallel."""

    run: Run
    parallel: int = 1


@contextmanager
def in_process(issuing: Issuing = OWN) -> Iterator[Link]:
    """In this process, one scenario after another."""
    with _runner(issuing) as run:
        yield Link(run)


@contextmanager
def in_workers(
    count: int, scenarios: Sequence[Scenario], issuing: Issuing = OWN, *, events: bool = True
) -> Iterator[Link]:
    """In ``count`` processes; without ``events``, results that passed come without their exchanges.

    A process with an HSM is no copy of this one, because libraries of tokens cannot be copied.
    """
    opened = partial(_runner, issuing)
    with Workers(count, scenarios, opened, events=events, fork=not issuing.hsm) as workers:
        yield Link(workers.run, count)


@contextmanager
def through_pcsc(readers: int = READERS, issuing: Issuing = OWN) -> Iterator[Link]:
    """Through PC/SC and the virtual readers of a private daemon; ``MissingPart`` if the daemon cannot run here."""
    with issuing.open() as issuer, PrivatePcscd(readers) as daemon, ReaderPool(daemon) as pool:
        yield Link(partial(run_scenario, connect=pool.connect, issuer=issuer), readers)


@contextmanager
def _runner(issuing: Issuing) -> Iterator[Run]:
    with issuing.open() as issuer:
        yield partial(run_scenario, issuer=issuer)


def each_result(
    scenarios: Iterable[Scenario], seeds: Sequence[int] = (DEFAULT_SEED,), link: Link | None = None
) -> Generator[ScenarioResult]:
    """The results in the order of the scenarios and seeds, each as soon as it and those before it are complete."""
    run, parallel = link or Link(run_scenario)
    jobs = [(scenario, seed) for scenario in scenarios for seed in seeds]
    if parallel == 1:
        yield from (run(scenario, seed) for scenario, seed in jobs)
        return
    threads = ThreadPoolExecutor(parallel)
    try:
        results = deque(threads.submit(run, *job) for job in jobs)
        while results:
            if wait([results[0]], LOOK).done:
                yield results.popleft().result()
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # scenarios still running end when daemon or workers end
