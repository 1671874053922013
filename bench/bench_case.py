"""A whole case at the window, by its reason: read the card, intake, acceptance, operation, the trial of the new PIN.

A leaked PIN is changed, a forgotten one and that of a locked card are reset. The PIN alternates between two, so that
every operation writes. bench_reset.py has the operations without the service.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import cycle
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.service import Applicant, Application, Channel, PinService, Reason, Stage
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession

PIN, OTHER_PIN = "123456", "654321"
ROUNDS, WARM_UP = 500, 20


@pytest.mark.parametrize("reason", list(Reason))
def bench_case(benchmark: BenchmarkFixture, new_card: Callable[[], Card], reason: Reason) -> None:
    card = new_card()
    chip = card.chip(Random(1))
    hsm = SoftHsm(builtin_keys())
    service = PinService(lambda: datetime(2026, 1, 5, 9, tzinfo=UTC))
    pins = cycle((PIN, OTHER_PIN))
    old = next(pins)

    def block() -> None:
        if reason is Reason.LOCKED:
            card.memory.put_number(PIN_TRIES, 0)

    def case() -> Stage:
        nonlocal old
        new = next(pins)
        session = CardSession.start(chip, hsm)
        read = session.read_basic()
        applicant = Applicant(name=read.name, id_number=read.social_security_number)
        opened = service.intake(Application(applicant, Channel.WINDOW, reason, card=read))
        service.accept(opened)
        service.operate(opened, session, new, old if reason is Reason.LEAKED else "")
        service.complete(opened, session, new)
        old = new
        return opened.stage

    assert benchmark.pedantic(case, setup=block, rounds=ROUNDS, warmup_rounds=WARM_UP) is Stage.COMPLETED
