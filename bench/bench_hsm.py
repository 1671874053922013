"""A PIN reset through the HTTP HSM, against the same reset with the soft HSM and two echo requests to the server.

    python bench/bench_hsm.py [--samples 1000] [--personality v3-sm4]

``sscard hsm serve`` runs in a process of its own, the card in this one. An echo is a request that the service answers
without its HSM: what a round trip costs. A change, which needs no HSM, is measured beside the reset. In each turn
everything is done once, so that a disturbance of the machine meets all. Times are wall-clock times.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median, quantiles
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table

from pipelines import PIN, PinOperations
from sscard import issue_card
from sscard.hsm import Hsm, SoftHsm, open_hsm
from sscard.issuer import builtin_keys, presets
from sscard.terminal import CardSession

HEALTH = "/health"
"""What the echo asks; a service without it answers 404, which is a round trip too."""
WARM_UP = 50
ECHO, SOFT, HTTP, CHANGE = "two echo requests", "reset, soft HSM", "reset, HTTP HSM", "change, no HSM"
GOAL = 1.5
"""A reset through the HTTP HSM against two echo requests."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Path]]:
    """URL and token file of a service with the built-in test keys."""
    token = folder / "token"
    command = [sys.executable, "-m", "sscard", "hsm", "serve", "--port", "0", "--token-file", str(token)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ | {"LANGUAGE": "en"}
    ) as process:
        assert process.stdout is not None
        try:
            announcement = process.stdout.readline()
            if not announcement:
                raise SystemExit("sscard hsm serve did not start")
            yield next(word for word in announcement.replace(",", " ").split() if word.startswith("http://")), token
        finally:
            process.terminate()


def echo(url: str) -> Callable[[], None]:
    """Two requests that the service answers from itself, over one connection if the service keeps it."""
    connection = HTTPConnection(urlsplit(url).netloc)

    def run() -> None:
        for _ in range(2):
            connection.request("GET", HEALTH)
            connection.getresponse().read()

    return run


def reset(personality: str, hsm: Hsm) -> Callable[[], None]:
    session = CardSession.start(issue_card(personality=personality, seed=1).chip(Random(1)), hsm)
    return PinOperations(session).reset


def change(personality: str) -> Callable[[], None]:
    """One change: to another PIN, and with the next one back."""
    card = issue_card(personality=personality, seed=1, pin=PIN)
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    return PinOperations(session).change


def measure(samples: int, personality: str) -> dict[str, list[float]]:
    with (
        tempfile.TemporaryDirectory() as folder,
        served(Path(folder)) as (url, token),
        open_hsm(url, token_file=token) as hsm,
    ):
        turns = {
            ECHO: echo(url),
            SOFT: reset(personality, SoftHsm(builtin_keys())),
            HTTP: reset(personality, hsm),
            CHANGE: change(personality),
        }
        times: dict[str, list[float]] = {what: [] for what in turns}
        for _ in range(WARM_UP):
            for run in turns.values():
                run()
        for _ in range(samples):
            for what, run in turns.items():
                began = time.perf_counter()
                run()
                times[what].append(time.perf_counter() - began)
    return times


def table_of(times: dict[str, list[float]]) -> Table:
    table = Table("", "median µs", "p99 µs", "× two echo requests", "goal")
    floor = median(times[ECHO])
    for what, each in times.items():
        middle, high = median(each), quantiles(each, n=100)[98]
        goal = f"{GOAL:g}" if what == HTTP else ""
        table.add_row(what, f"{middle * 1e6:.0f}", f"{high * 1e6:.0f}", f"{middle / floor:.2f}", goal)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000, help="turns that count (default 1000)")
    parser.add_argument("--personality", choices=presets(), default="v3-sm4", help="of the card (default v3-sm4)")
    given = parser.parse_args()
    if given.samples < 2:
        parser.error("at least 2 samples")
    console = Console()
    console.print(table_of(measure(given.samples, given.personality)))
    console.print(f"{given.personality}, Python {platform.python_version()}, {os.cpu_count()} CPUs")


if __name__ == "__main__":
    main()
