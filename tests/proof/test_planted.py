"""Defects planted in memory and commands: each is found, by the name of the invariant that it breaks."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from proof import planted
from sscard.proof.cases import WRONG_ADMINISTRATOR, WRONG_USER
from sscard.proof.report import Proof
from sscard.proof.tears import Sweep, card_sweeps, run_sweep

pytestmark = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")


@pytest.fixture(scope="module")
def sweep() -> Sweep:
    """The last card in three states, in which the sweep finds nothing without a defect."""
    whole = list(card_sweeps(1))[-1]
    kept = ("fresh", "3-tries-used", "application-locked")
    reduced = whole._replace(states={name: whole.states[name] for name in kept})
    clean = Proof("tears", 1)
    run_sweep(clean, reduced, recoveries=1, share=0.2)
    assert clean.violations == []
    return reduced


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "invariant"),
    [
        (planted.log_cleared_before_the_cells, "old-or-new"),
        (planted.torn_log_replayed, "no-try-given-back"),
        (planted.counter_restored_by_recovery, "no-try-given-back"),
        (planted.recovery_not_repeated, "old-or-new"),
        (planted.put_string_without_a_log, "old-or-new"),
        (planted.two_transactions_for_numbers_and_strings, "money-conserved"),
        (planted.two_transactions_for_numbers_and_strings, "old-or-new"),
        (planted.comparison_before_the_decrement, "same-operations"),
        (planted.lock_lost_by_recovery, "blocked-stays-blocked"),
        (planted.statuses_survive_the_cut, "session-dies"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_defect_of_the_memory_is_found(
    monkeypatch: pytest.MonkeyPatch, sweep: Sweep, plant: Callable[[pytest.MonkeyPatch], None], invariant: str
) -> None:
    plant(monkeypatch)
    with planted.searching("tears", invariant) as proof:
        run_sweep(proof, sweep, recoveries=1)
    assert invariant in {found.invariant for found in proof.violations}


@pytest.mark.parametrize(
    "plant", [planted.new_pin_touches_the_certificate_pins, planted.certificate_pins_touch_the_social_pin]
)
def test_pins_that_are_not_apart_are_found(
    monkeypatch: pytest.MonkeyPatch, plant: Callable[[pytest.MonkeyPatch], None]
) -> None:
    """The social PIN and those of the certificate application: a command on one changes the others."""
    sweep = next(found for found in card_sweeps(1) if found.name.startswith("v3-sm4-certificates"))
    kept = ("CHANGE-PIN", "VERIFY-right", "VERIFY-of-the-user-PIN", "VERIFY-of-the-administrator-PIN-wrong")
    reduced = sweep._replace(
        states={"both-used": (*WRONG_USER, *WRONG_ADMINISTRATOR)},
        commands=tuple(case._replace(guess="") for case in sweep.commands if case.name in kept),
    )
    clean = Proof("tears", 1)
    run_sweep(clean, reduced, recoveries=1)
    assert clean.violations == []
    plant(monkeypatch)
    with planted.searching("tears", "pins-apart") as proof:
        run_sweep(proof, reduced, recoveries=1)
    assert "pins-apart" in {found.invariant for found in proof.violations}
