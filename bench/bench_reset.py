"""The operations on a PIN as the terminal drives them: card, T=0 exchange, HSM."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from pipelines import PinOperations
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession

ROUNDS, WARM_UP = 500, 20


@pytest.mark.parametrize("operation", ["change", "reset", "reset of a blocked PIN", "unblock"])
def bench_operation(benchmark: BenchmarkFixture, new_card: Callable[[], Card], operation: str) -> None:
    """A reset is five APDUs: two challenges, PUK authentication, a challenge, PIN CHANGE/UNBLOCK; a change is one."""
    card = new_card()
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    pins = PinOperations(session)
    operate = {"change": pins.change, "unblock": session.unblock_pin}.get(operation, pins.reset)

    def block() -> None:
        if operation in ("reset of a blocked PIN", "unblock"):
            card.memory.put_number(PIN_TRIES, 0)

    benchmark.pedantic(operate, setup=block, rounds=ROUNDS, warmup_rounds=WARM_UP)
    assert card.snapshot().pin_tries == 6
    session.verify_pin(pins.pin)


def bench_start_session(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Power on, SELECT SSSE, read who the card is."""
    chip = new_card().chip(Random(1))
    hsm = SoftHsm(builtin_keys())
    benchmark(CardSession.start, chip, hsm)
