"""The PIN's life: chip and oracle must answer and remember the same, whatever is sent and whenever the power goes."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sscard.issuer import issue_card, preset
from sscard.model import choices, files, oracle
from sscard.model.choices import Choices, choices_of
from sscard.proof.dice import ALTERNATIVES, READY, draw_fault, draw_life, draw_moves
from sscard.proof.pinlife import Difference, Fault, Move, PinLife


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
    assert moves >= {
        "file",
        "read",
        "response",
        "verify",
        "change",
        "challenge",
        "authenticate",
        "unblock",
        "reset",
        "restart",
        "unknown-CLA",
        "verify-own",
        "select-PKI",
        "select-ADF",
    }
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


def play_all(life: PinLife, moves: list[Move]) -> None:
    for move in moves:
        life.play(move)


SELECT = Move("select")
UNLOCK = [*READY, Move("unblock")]


@pytest.mark.parametrize(
    ("choice", "value", "contact", "moves"),
    [
        ("select_child", "siblings", False, [Move("select-DF01"), Move("file", b"\xdf\x03", number=0x0100)]),
        ("select_child", "6A86", False, [Move("file", b"\xdf\x03", number=0x0100)]),
        ("select_child", "FID", False, [Move("file", b"\xef\x05", number=0x0100)]),
        ("select_ef_as_file", 0x6A82, False, [Move("file", b"\xef\x05")]),
        ("fci_algorithm", False, False, [SELECT]),
        ("fci_algorithm", False, True, [SELECT]),
        ("dir_sfi", 0x0B, False, [SELECT]),
        ("dir_sfi", 0x0B, True, [SELECT, Move("response", number=30)]),
        ("health_application", False, False, [Move("file", b"\xdf\x05")]),
        ("ssse_fid", 0xDDF1, False, [Move("verify")]),
        ("whole_record_contactless", False, False, [Move("read", b"\x01\x2c")]),
        ("whole_record_contact", True, True, [Move("read", b"\x01\x2c")]),
        ("short_record_le", "truncate", False, [Move("read", b"\x01\x2c", number=5)]),
        ("unlock_limit", 1, False, UNLOCK),
    ],
)
def test_a_card_with_another_choice_is_noticed(choice: str, value: object, contact: bool, moves: list[Move]) -> None:
    pin = bytes.fromhex("123456")
    play_all(PinLife("v3-sm4", Choices(), pin, contact=contact), moves)
    card = issue_card(personality=replace(preset("v3-sm4"), **{choice: value}), seed=1)
    with pytest.raises(Difference):
        play_all(PinLife("v3-sm4", Choices(), pin, card, contact=contact), moves)


def test_oracle_stands_alone() -> None:
    """Written from the sheets: the oracle imports nothing of sscard but its own parts."""
    for part in (oracle, files, choices):
        source = Path(part.__file__).read_text("utf-8")
        assert "import sscard" not in source
        assert set(re.findall(r"from (sscard\S*)", source)) <= {"sscard.model.choices", "sscard.model.files"}


@pytest.mark.parametrize(("name", "block"), [("v3-sm4", 16), ("v2-3des", 8), ("v1-des", 8)])
def test_oracle_and_presets_start_from_the_same_choices(name: str, block: int) -> None:
    personality = preset(name)
    expected = asdict(choices_of(personality.generation))
    assert {field: getattr(personality, field) for field in expected} == expected
    assert PinLife(name, choices_of(personality.generation), b"").oracle.block == block


def test_the_dice_prove_the_pins_of_the_certificate_application() -> None:
    """Of the cards that have it: right and wrong ones, while the social PIN is set, changed and blocked."""
    seen = set()
    for card in range(30):
        life = draw_life(random := Random(card))
        for move in (move for _ in range(100) for move in draw_moves(random, life.oracle)):
            life.play(move)
            if life.oracle.own_verified:
                seen.add((*sorted(life.oracle.own_verified), life.oracle.verified))
            seen |= {name for name, tries in life.oracle.own_tries.items() if tries == 0}
    assert seen >= {"user", "administrator", ("user", False), ("user", True), ("administrator", False)}


def test_a_1_0_or_2_0_card_has_no_certificate_application_in_the_oracle_either() -> None:
    assert all(
        life.card.profile.personality.generation == "3.0"
        for life in (draw_life(Random(seed)) for seed in range(40))
        if life.oracle.own_tries
    )
