"""The chip in-process: VERIFY, and what one more card costs.

One round is 1,000 commands; the figure per command is the round's by 1,000.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from random import Random

from pytest_benchmark.fixture import BenchmarkFixture

from sscard.issuer import Card

COMMANDS = 1000
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
RIGHT_PIN = bytes.fromhex("0020000003123456")
QUERY = bytes.fromhex("0020000000")


def _transmit(benchmark: BenchmarkFixture, card: Card, command: bytes, expected: bytes) -> None:
    chip = card.chip(Random(1))
    chip.power_on()
    chip.transmit(SELECT_SSSE)
    transmit = chip.transmit

    def commands() -> bytes:
        answer = b""
        for _ in range(COMMANDS):
            answer = transmit(command)
        return answer

    assert benchmark(commands) == expected
    benchmark.extra_info["commands_per_second"] = COMMANDS / benchmark.stats.stats.median if benchmark.enabled else None


def bench_verify(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    _transmit(benchmark, new_card(), RIGHT_PIN, bytes.fromhex("9000"))


def bench_query_tries(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    _transmit(benchmark, new_card(), QUERY, bytes.fromhex("63C6"))


def bench_issue_one_card(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Time of one more card; its memory goes into the extra figures."""
    benchmark(new_card)
    new_card()
    tracemalloc.start()
    cards = [new_card() for _ in range(200)]
    benchmark.extra_info["bytes_per_card"] = tracemalloc.get_traced_memory()[0] // len(cards)
    tracemalloc.stop()
