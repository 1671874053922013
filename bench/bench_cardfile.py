"""A card file: pairs of a wrong and a right VERIFY, changes and resets, each write in the file before the answer.

One round of VERIFY is 500 pairs; the figure per command is the round's by 1,000.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines import PinOperations
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.terminal import CardSession

PAIRS = 500
SYNC, SAFETY = (False, True), ("process-crash safe", "power-loss safe")
WRONG_PIN = bytes.fromhex("0020000003999999")
RIGHT_PIN = bytes.fromhex("0020000003123456")


@pytest.mark.parametrize("sync", SYNC, ids=SAFETY)
def bench_verify_in_a_card_file(
    benchmark: BenchmarkFixture, new_card: Callable[[], Card], tmp_path: Path, sync: bool
) -> None:
    path = tmp_path / "card.db"
    save_card(new_card(), path)
    with open_card(path, Random(1), sync=sync) as card:
        card.power_on()

        def pairs() -> bytes:
            answer = b""
            for _ in range(PAIRS):
                card.transmit(WRONG_PIN)
                answer = card.transmit(RIGHT_PIN)
            return answer

        assert benchmark(pairs) == b"\x90\x00"
    benchmark.extra_info["operations"] = 2 * PAIRS
    if benchmark.enabled:
        benchmark.extra_info["commands_per_second"] = 2 * PAIRS / benchmark.stats.stats.median


@pytest.mark.parametrize("sync", SYNC, ids=SAFETY)
@pytest.mark.parametrize("operation", ["change", "reset"])
def bench_operation_in_a_card_file(
    benchmark: BenchmarkFixture, new_card: Callable[[], Card], tmp_path: Path, operation: str, sync: bool
) -> None:
    """A new PIN by the old one, and by the issuer's key; both write it."""
    path = tmp_path / "card.db"
    save_card(new_card(), path)
    with open_card(path, Random(1), sync=sync) as card:
        session = CardSession.start(card, SoftHsm(builtin_keys()))
        pins = PinOperations(session)
        benchmark(pins.change if operation == "change" else pins.reset)
        session.verify_pin(pins.pin)


def bench_open_a_card_file(benchmark: BenchmarkFixture, new_card: Callable[[], Card], tmp_path: Path) -> None:
    """Open, power on, close: the log is synced to the file twice."""
    path = tmp_path / "card.db"
    save_card(new_card(), path)

    def session() -> None:
        with open_card(path, Random(1)) as card:
            card.power_on()

    benchmark(session)
    assert load_card(path).snapshot().pin_tries == 6
