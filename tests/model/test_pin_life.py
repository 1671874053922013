"""The PIN's life: chip and oracle must answer and remember the same, whatever is sent and whenever the power goes."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscard.issuer import preset
from sscard.model import oracle
from sscard.model.oracle import Choices
from sscard.proof.pinlife import ALTERNATIVES, Fault, Move, PinLife, draw_fault, draw_life, draw_moves


@pytest.mark.slow
@settings(max_examples=200)
@given(st.randoms(use_true_random=False))
def test_card_and_oracle_agree(random: Random) -> None:
    life = draw_life(random)
    for _ in range(25):
        for move in draw_moves(random, life.oracle):
            life.play(move, draw_fault(random))


def test_the_dice_reach_every_move_and_fault() -> None:
    random = Random(1)
    life = PinLife("v3-sm4", Choices(), bytes.fromhex("123456"))
    moves = {move.name for _ in range(500) for move in draw_moves(random, life.oracle)}
    assert moves >= {"verify", "change", "challenge", "authenticate", "unblock", "reset", "restart", "unknown-CLA"}
    faults = {fault and fault.moment for fault in (draw_fault(random) for _ in range(200))}
    assert len(faults) == 4  # none or a failure, and the three moments


def test_a_fault_that_is_reached_is_reported() -> None:
    life = PinLife("v3-sm4", Choices(), bytes.fromhex("123456"))
    verify = Move("verify", bytes.fromhex("123456"))
    assert life.play(verify, Fault(0, None))
    assert not life.play(verify, Fault(9, None))
    assert not life.play(Move("verify"), Fault(0, None))


def test_every_open_choice_of_the_oracle_is_varied() -> None:
    assert set(ALTERNATIVES) == set(asdict(Choices()))
    assert all(value in ALTERNATIVES[name] for name, value in asdict(Choices()).items())


def test_oracle_stands_alone() -> None:
    """Written from the sheets: the oracle imports nothing of sscard."""
    assert not [name for name in vars(oracle) if name.startswith("sscard")]
    source = Path(oracle.__file__).read_text("utf-8")
    assert "import sscard" not in source
    assert "from sscard" not in source


@pytest.mark.parametrize(("name", "block"), [("v3-sm4", 16), ("v2-3des", 8)])
def test_oracle_and_presets_start_from_the_same_choices(name: str, block: int) -> None:
    personality = preset(name)
    assert {field: getattr(personality, field) for field in asdict(Choices())} == asdict(Choices())
    assert PinLife(name, Choices(), b"").oracle.block == block
