"""A whole PIN reset and a change as the terminal drives them: card, T=0 exchange, HSM of the reset."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from pytest_benchmark.fixture import BenchmarkFixture

from pipelines import PIN
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.terminal import CardSession


def bench_reset_pin(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Five APDUs: two challenges, PUK authentication, a challenge, PIN CHANGE/UNBLOCK."""
    session = CardSession.start(new_card().chip(Random(1)), SoftHsm(builtin_keys()))
    benchmark(session.reset_pin, "654321")
    session.verify_pin("654321")


def bench_change_pin(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """One APDU, to compare with the reset."""
    session = CardSession.start(new_card().chip(Random(1)), SoftHsm(builtin_keys()))
    benchmark(session.change_pin, PIN, PIN)
    session.verify_pin(PIN)


def bench_start_session(benchmark: BenchmarkFixture, new_card: Callable[[], Card]) -> None:
    """Power on, SELECT SSSE, read who the card is."""
    chip = new_card().chip(Random(1))
    hsm = SoftHsm(builtin_keys())
    benchmark(CardSession.start, chip, hsm)
