"""Resets and changes as a window program does them, by the driver; 1,000 resets leave no growth."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from random import Random

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from sscard.driver.api import Readers, SSCardDriver
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.issuer import Card, builtin_keys
from sscard.issuer.psam import issue_psam
from sscard.terminal.pinpad import ScriptedPad
from sscard.terminal.psam import Psam
from sscard.testing.benchmark import CardBenchmark
from sscard.transport import Connection

CITY = "410400"
OLD, NEW = "123456", "654321"
ROUNDS = 1000
GROWTH = 16 * 1024
"""Bytes that 1,000 rounds may keep: less than one of them needs."""


class Window:
    """A window program with one card in the reader."""

    def __init__(self, card: Connection) -> None:
        psam = issue_psam(builtin_keys(), f"{CITY}000001", "province").chip(Random(2))
        self.pad = ScriptedPad()
        self.driver = SSCardDriver(Readers(contact=lambda: card), self.pad, Psam(psam))
        self.host = CardHolderBase(SoftHsm(builtin_keys()))
        asked = _done(self.driver.iReadCardBas_HSM_Step1(1))
        self.basic = _done(self.driver.iReadCardBas_HSM_Step2(self.host.check_card(asked)))
        told = self.basic.split("|")
        self.card = f"{told[3]}|{told[2]}|"

    def reset_by_hsm(self) -> None:
        self.pad.script(NEW, NEW)
        asked = _done(self.driver.iReloadPIN_HSM_Step1(1, self.card))
        asked = _done(self.driver.iReloadPIN_HSM_Step2(self.host.authenticate(self.basic, asked)))
        _done(self.driver.iReloadPIN_HSM_Step3(self.host.safe_message(self.basic, asked)))

    def reset_by_psam(self) -> None:
        self.pad.script(NEW, NEW)
        _done(self.driver.iReloadPIN(1, self.card))

    def change(self) -> None:
        self.pad.script(OLD, NEW, NEW)
        _done(self.driver.iChangePIN(1))


def _done(result: tuple[int, str]) -> str:
    code, out = result
    assert code == 0, (code, out)
    return out


@pytest.fixture(params=["reset_by_hsm", "reset_by_psam"])
def reset(request: pytest.FixtureRequest, new_card: Callable[[], Card]) -> Callable[[], None]:
    found: Callable[[], None] = getattr(Window(new_card().chip(Random(1))), request.param)
    return found


def bench_reset_by_driver(benchmark: BenchmarkFixture, reset: Callable[[], None]) -> None:
    """Open, identify, prove PUK, set the PIN, close; by the HSM's strings or by the PSAM's APDUs."""
    benchmark(reset)


def bench_change_by_driver(card_benchmark: CardBenchmark) -> None:
    """Open, change the PIN by the old one, close."""
    window = Window(card_benchmark.connection)
    card_benchmark.pedantic(lambda _: window.change(), rounds=ROUNDS)


def bench_thousand_resets(benchmark: BenchmarkFixture, reset: Callable[[], None]) -> None:
    """1,000 resets in one process, timed as one; then 1,000 more under tracemalloc, whose growth is noted."""

    def thousand() -> None:
        for _ in range(ROUNDS):
            reset()

    benchmark.pedantic(thousand, rounds=1)
    growth = _growth(thousand, reset)
    benchmark.extra_info |= {"growth in bytes": growth, "operations": ROUNDS}
    assert growth < GROWTH


def _growth(work: Callable[[], None], warm: Callable[[], None]) -> int:
    tracemalloc.start()
    try:
        warm()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
