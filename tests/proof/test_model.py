"""Card against oracle: random commands with faults, every state of a reduced domain, and planted defects."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from kit.programs import CommandLine
from proof import planted
from sscard.card.session import Session
from sscard.i18n.language import say
from sscard.proof.model import MOVES, NO_LIMIT, Exploration, play_at_random
from sscard.proof.report import Proof

Patch = pytest.MonkeyPatch


@pytest.mark.slow
def test_the_short_form_finds_no_difference(sscard: CommandLine) -> None:
    code, out, err = sscard("prove", "model", "--short", "--commands", 8_000, "--json")
    found = json.loads(out)
    assert (code, err, found["schema"], found["violations"]) == (0, "", "sscard.proof/1", [])
    assert found["counts"]["commands"] >= 8_000
    assert min(found["counts"][what] for what in ("cuts", "failures", "states")) > 40
    assert found["counts"]["transitions"] == found["counts"]["states"] * len(MOVES)


def test_commands_depend_on_the_seed_only() -> None:
    counts = []
    for seed in (1, 1, 2):
        proof = Proof("model", seed)
        play_at_random(proof, 500)
        counts.append(dict(proof.counts))
    assert counts[0] == counts[1] != counts[2]


def challenge_not_spent(patch: Patch) -> None:
    from sscard.chip.engine import Engine

    patch.setattr(Engine, "look_after", lambda *_: None)


def status_after_select(patch: Patch) -> None:
    original = Session.enter

    def enter(session: Session, df: Any) -> None:
        status = session.status
        original(session, df)
        session.status = status

    patch.setattr(Session, "enter", enter)


@pytest.mark.slow
@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")
@pytest.mark.parametrize(
    ("plant", "invariant"),
    [
        (planted.counter_restored_by_recovery, "no-try-given-back"),
        (planted.two_transactions_for_numbers_and_strings, "old-or-new"),
        (planted.comparison_before_the_decrement, "as-the-oracle"),
        (challenge_not_spent, "as-the-oracle"),
        (status_after_select, "as-the-oracle"),
        (planted.new_pin_touches_the_certificate_pins, "as-the-oracle"),
        (planted.certificate_pins_touch_the_social_pin, "as-the-oracle"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_planted_defect_is_found(monkeypatch: Patch, plant: Callable[[Patch], None], invariant: str) -> None:
    plant(monkeypatch)
    with planted.searching("model", invariant) as proof:
        play_at_random(proof, 8_000)
    assert invariant in {found.invariant for found in proof.violations}
    assert all(found.reproduce for found in proof.violations)


@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")
def test_a_difference_has_the_moves_that_lead_to_it(monkeypatch: Patch) -> None:
    challenge_not_spent(monkeypatch)
    proof = Proof("model", 1)
    Exploration(proof, NO_LIMIT, cuts=False).run()
    # The challenge is still there, although the card spent it on the authentication.
    assert proof.violations[0].invariant == "as-the-oracle"
    assert say(proof.violations[0].reproduce) == "on a new card: challenge 8, authenticate PUK"
