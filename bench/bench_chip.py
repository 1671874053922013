"""The chip in-process: single commands, pipelines of seven, and what one more card costs.

One round is 1,000 commands, or 100 pipelines or unblocks; the figure per
command or pipeline is the round's by their number, and its reciprocal is in the
extra figures as ``per_second``.
"""

from __future__ import annotations

import re
import tracemalloc
from collections.abc import Callable
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines import CHANGE, GET_CHALLENGE, PIN, QUERY, SELECT_EF05, SELECT_SSSE, SEVEN, VERIFY, WRONG, seven_with_keys
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.terminal import CardSession

COMMANDS = 1000
PIPELINES = 100


def _repeat(benchmark: BenchmarkFixture, operation: Callable[[], object], times: int) -> None:
    def repeated() -> None:
        for _ in range(times):
            operation()

    benchmark(repeated)
    benchmark.extra_info["operations"] = times
    benchmark.extra_info["per_second"] = times / benchmark.stats.stats.median if benchmark.enabled else None


def _send(benchmark: BenchmarkFixture, card: Card, commands: tuple[bytes, ...], answers: str, times: int) -> None:
    """Send the commands in turn; ``answers`` are the status words they end with, a dot for any digit."""
    chip = card.chip(Random(1))
    chip.power_on()
    transmit = chip.transmit
    transmit(SELECT_SSSE)

    def send() -> None:
        for command in commands:
            transmit(command)

    _repeat(benchmark, send, times)
    received = [transmit(command)[-2:].hex() for command in commands]
    assert all(map(re.fullmatch, answers.split(), received)), received


@pytest.mark.parametrize(
    ("commands", "answers"),
    [
        pytest.param((VERIFY,), "9000", id="verify"),
        pytest.param((WRONG, VERIFY), "63c5 9000", id="verify wrong and right"),
        pytest.param((QUERY,), "63c6", id="query tries"),
        pytest.param((CHANGE,), "9000", id="change"),
        pytest.param((SELECT_SSSE,), "61..", id="select SSSE"),
        pytest.param((SELECT_EF05,), "9000", id="select EF05"),
        pytest.param((GET_CHALLENGE,), "9000", id="challenge"),
    ],
)
def bench_command(
    benchmark: BenchmarkFixture, new_card: Callable[[], Card], commands: tuple[bytes, ...], answers: str
) -> None:
    _send(benchmark, new_card(), commands, answers, COMMANDS // len(commands))


def bench_seven(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """The pipeline of seven commands without cryptography."""
    _send(benchmark, new_card(), SEVEN, "61.. 9000 9000 9000 63c6 9000 9000", PIPELINES)


def bench_seven_with_keys(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Seven commands with a reset, the HSM included."""
    session = CardSession.start(new_card().chip(Random(1), contact=False), SoftHsm(builtin_keys()))
    _repeat(benchmark, lambda: session.run(seven_with_keys(session.card)), PIPELINES)


def bench_unblock(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """The unblock of a PIN, five commands, the HSM included."""
    session = CardSession.start(new_card().chip(Random(1)), SoftHsm(builtin_keys()))
    _repeat(benchmark, session.unblock_pin, PIPELINES)
    session.verify_pin(PIN)


def bench_issue_one_card(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Time of one more card; its memory goes into the extra figures."""
    benchmark(new_card)
    new_card()
    tracemalloc.start()
    cards = [new_card() for _ in range(200)]
    benchmark.extra_info["bytes_per_card"] = tracemalloc.get_traced_memory()[0] // len(cards)
    tracemalloc.stop()
