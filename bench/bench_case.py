"""A whole case at the window: read the card, intake, acceptance, PIN reset by the HSM, the trial of the new PIN."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random

from pytest_benchmark.fixture import BenchmarkFixture

from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.service import Applicant, Application, Channel, PinService, Reason, Stage
from sscard.terminal import CardSession


def bench_case(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    chip = new_card().chip(Random(1))
    hsm = SoftHsm(builtin_keys())
    service = PinService(lambda: datetime(2026, 1, 5, 9, tzinfo=UTC))

    def case() -> Stage:
        session = CardSession.start(chip, hsm)
        card = session.read_basic()
        applicant = Applicant(name=card.name, id_number=card.social_security_number)
        opened = service.intake(Application(applicant, Channel.WINDOW, Reason.FORGOTTEN, card=card))
        service.accept(opened)
        service.operate(opened, session, "654321")
        service.complete(opened, session, "654321")
        return opened.stage

    assert benchmark(case) is Stage.COMPLETED
