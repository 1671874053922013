"""The roads from a terminal to the card: in process, or through PC/SC. What a road needs is made here alone."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final, NamedTuple

from sscard.scenario.reader import Scenario
from sscard.scenario.runner import DEFAULT_SEED, Connect, ScenarioResult, in_process, run_scenario
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.readerpool import ReaderPool

READERS: Final = 8
"""After a power cut a reader waits for the daemon to look again; so many wait at once."""


class Road(NamedTuple):
    """How a terminal reaches a chip, and how many of them can at once."""

    connect: Connect
    at_once: int


IN_PROCESS: Final = Road(in_process, 1)


@contextmanager
def through_pcsc() -> Iterator[Road]:
    """Through PC/SC and the virtual readers of a private daemon; ``MissingPart`` where there can be none."""
    with PrivatePcscd(READERS) as daemon, ReaderPool(daemon) as pool:
        yield Road(pool.connect, daemon.readers)


def run_scenarios(
    scenarios: Iterable[Scenario], seed: int = DEFAULT_SEED, road: Road = IN_PROCESS
) -> Generator[ScenarioResult]:
    """The results in the order of the scenarios, each as soon as those before it are there."""
    run = partial(run_scenario, seed=seed, connect=road.connect)
    if road.at_once == 1:
        yield from map(run, scenarios)
        return
    threads = ThreadPoolExecutor(road.at_once)
    try:
        yield from threads.map(run, scenarios)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # what still runs ends with its road
