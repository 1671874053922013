"""A whole case at the window, by its reason: read the card, intake, acceptance, operation, the trial of the new PIN.

A leaked PIN is changed, a forgotten one and that of a locked card are reset, a known one of a locked card is unblocked.
Each case finds a card as issued. bench_reset.py has the operations without the service.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines import OTHER_PIN, PIN
from sscard.benchmark.flows import FLOWS, Measured
from sscard.driver import Readers, SSCardDriver
from sscard.service import PinService, load_policy
from sscard.terminal import CardSession
from sscard.terminal.pinpad import ScriptedPad
from sscard.testing.benchmark import CardBenchmark

ROUNDS, WARM_UP = 500, 20


class Window:
    """A window of the service with the card of a benchmark."""

    pin, new_pin = PIN, OTHER_PIN

    def __init__(self, measured: CardBenchmark) -> None:
        policy = load_policy().model_copy(update={"unblock": "accept"})
        self.service = PinService(lambda: datetime(2026, 1, 5, 9, tzinfo=UTC), policy=policy)
        self.hsm = measured.hsm
        self._card = measured.connection

    def session(self) -> CardSession:
        return CardSession.start(self._card, self.hsm)

    def driver(self) -> SSCardDriver:
        return SSCardDriver(Readers(contact=lambda: self._card), ScriptedPad())


@pytest.mark.parametrize("flow", [flow for flow in FLOWS.values() if flow.is_case], ids=lambda flow: flow.name)
def bench_case(card_benchmark: CardBenchmark, flow: Measured) -> None:
    """The card is powered on in each case too."""
    window = Window(card_benchmark)
    card_benchmark.pedantic(lambda _: flow.operate(window), blocked=flow.blocked, rounds=ROUNDS, warmup_rounds=WARM_UP)
    assert card_benchmark.card.snapshot().pin_tries == 6
