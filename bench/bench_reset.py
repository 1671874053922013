"""The operations on a PIN as the terminal drives them: card, T=0 exchange, HSM."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines import OTHER_PIN, PIN
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.terminal import CardSession
from sscard.testing.benchmark import CardBenchmark

ROUNDS, WARM_UP = 500, 20


def change(session: CardSession) -> None:
    session.change_pin(PIN, OTHER_PIN)


def reset(session: CardSession) -> None:
    session.reset_pin(OTHER_PIN)


@pytest.mark.parametrize(
    ("operation", "blocked"),
    [
        pytest.param(change, False, id="change"),
        pytest.param(reset, False, id="reset"),
        pytest.param(reset, True, id="reset of a blocked PIN"),
        pytest.param(CardSession.unblock_pin, True, id="unblock"),
    ],
)
def bench_operation(card_benchmark: CardBenchmark, operation: Callable[[CardSession], None], blocked: bool) -> None:
    """A reset is five APDUs: two challenges, PUK authentication, a challenge, PIN CHANGE/UNBLOCK; a change is one."""
    card_benchmark.pedantic(operation, blocked=blocked, rounds=ROUNDS, warmup_rounds=WARM_UP)
    assert card_benchmark.card.snapshot().pin_tries == 6


def bench_start_session(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Power on, SELECT SSSE, read who the card is."""
    chip = new_card().chip(Random(1))
    hsm = SoftHsm(builtin_keys())
    benchmark(CardSession.start, chip, hsm)
