"""Many resets in one process: nothing is kept of them."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from random import Random

import pytest

import kit
from kit.counter import ALL, CARD, ok, psam_of
from sscard.driver.api import Readers, SSCardDriver
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.terminal.pinpad import ScriptedPad

BASIC = "510100|||||1234A1B2C38649510100000001||||||"
WARM, ROUNDS = 20, 100
SLACK = 4096
"""Bytes: less than a tenth of a kilobyte a round."""


def resets(personality: str, path: str) -> Callable[[], None]:
    chip = kit.card_of(personality).chip(Random(1))
    pad = ScriptedPad()
    driver = SSCardDriver(Readers(contact=lambda: chip), pad, psam_of("province"))
    host = CardHolderBase(SoftHsm(builtin_keys()))

    def by_psam() -> None:
        pad.script("654321", "654321")
        ok(driver.iReloadPIN(1, CARD))

    def by_hsm() -> None:
        pad.script("654321", "654321")
        asked = ok(driver.iReloadPIN_HSM_Step1(1, CARD))
        asked = ok(driver.iReloadPIN_HSM_Step2(host.authenticate(BASIC, asked)))
        ok(driver.iReloadPIN_HSM_Step3(host.safe_message(BASIC, asked)))

    def failing() -> None:
        pad.script("654321", "654322")
        asked = ok(driver.iReloadPIN_HSM_Step1(1, CARD))
        assert driver.iReloadPIN_HSM_Step2(host.authenticate(BASIC, asked))[0] == -34

    return {"psam": by_psam, "hsm": by_hsm, "failing": failing}[path]


@pytest.mark.parametrize("path", ["hsm", "psam", "failing"])
@pytest.mark.parametrize(
    "personality", [*(pytest.param(name, marks=pytest.mark.nightly) for name in ALL[:-1]), ALL[-1]]
)
def test_resets_leave_nothing_in_memory(personality: str, path: str) -> None:
    reset = resets(personality, path)
    for _ in range(WARM):
        reset()
    tracemalloc.start()
    try:
        for _ in range(WARM):  # what is made anew each round is counted from here
            reset()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(ROUNDS):
            reset()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < SLACK
