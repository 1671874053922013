"""The operations on a PIN as the terminal drives them: card, T=0 exchange, HSM."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines import PIN
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession

OTHER_PIN = "654321"
ROUNDS, WARM_UP = 500, 20


def bench_reset_pin(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Five APDUs: two challenges, PUK authentication, a challenge, PIN CHANGE/UNBLOCK."""
    session = CardSession.start(new_card().chip(Random(1)), SoftHsm(builtin_keys()))
    benchmark(session.reset_pin, "654321")
    session.verify_pin("654321")


@pytest.mark.parametrize("operation", ["change", "reset", "reset of a blocked PIN", "unblock"])
def bench_operation(benchmark: BenchmarkFixture, new_card: Callable[[], Card], operation: str) -> None:
    """Each PIN is another than the one before. A change is one APDU without the HSM, an unblock leaves the PIN."""
    card = new_card()
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    pins = cycle((PIN, OTHER_PIN))
    old = next(pins)
    blocks = operation in ("reset of a blocked PIN", "unblock")

    def block() -> None:
        if blocks:
            card.memory.put_number(PIN_TRIES, 0)

    def operate() -> None:
        nonlocal old
        if operation == "unblock":
            session.unblock_pin()
            return
        new = next(pins)
        if operation == "change":
            session.change_pin(old, new)
        else:
            session.reset_pin(new)
        old = new

    benchmark.pedantic(operate, setup=block, rounds=ROUNDS, warmup_rounds=WARM_UP)
    assert card.snapshot().pin_tries == 6
    session.verify_pin(old)


def bench_start_session(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Power on, SELECT SSSE, read who the card is."""
    chip = new_card().chip(Random(1))
    hsm = SoftHsm(builtin_keys())
    benchmark(CardSession.start, chip, hsm)
