"""The transports between terminal and card: in process, or through PC/SC."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

from sscard.scenario.cards import DEFAULT_SEED, Connect, in_process
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, run_scenario
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.readerpool import ReaderPool

READERS: Final = 8
"""Number of virtual readers: after a power cut a reader waits for the next poll, others work meanwhile."""


class Link(NamedTuple):
    """How terminals connect to chips, and how many can do so in parallel."""

    connect: Connect
    parallel: int


IN_PROCESS: Final = Link(in_process, 1)


@contextmanager
def through_pcsc() -> Iterator[Link]:
    """Through PC/SC and the virtual readers of a private daemon; ``MissingPart`` if the daemon cannot run here."""
    with PrivatePcscd(READERS) as daemon, ReaderPool(daemon) as pool:
        yield Link(pool.connect, daemon.readers)


def each_result(
    scenarios: Iterable[Scenario], seed: int = DEFAULT_SEED, link: Link = IN_PROCESS
) -> Generator[ScenarioResult]:
    """The results in the order of the scenarios, each as soon as it and those before it are complete."""
    run = partial(run_scenario, seed=seed, connect=link.connect)
    if link.parallel == 1:
        yield from map(run, scenarios)
        return
    threads = ThreadPoolExecutor(link.parallel)
    try:
        yield from threads.map(run, scenarios)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # scenarios still running end when the daemon ends
