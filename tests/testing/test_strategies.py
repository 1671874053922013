"""The strategies of ``sscard.testing``: what they make is of the kind they promise, over all of its range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from random import Random

import pytest
import yaml
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from sscard.card import Personality
from sscard.card.commands import COMMANDS, TABLE
from sscard.hsm import SoftHsm
from sscard.issuer import Card, Holder, find_personality, issue_card, presets
from sscard.issuer.personalities import written_fields
from sscard.standard.encoding import encode_pin
from sscard.terminal import CardSession
from sscard.testing import strategies

FEW = settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
"""What is checked holds for every example; the ranges have tests of their own."""


def is_well_formed(apdu: bytes) -> bool:
    """The four cases of a short command APDU (ISO/IEC 7816-3 §12.1.3)."""
    body = apdu[4:]
    with_data = bool(body) and body[0] > 0 and len(body) in (1 + body[0], 2 + body[0])
    return len(apdu) >= 4 and (len(body) <= 1 or with_data)


@given(strategies.pins())
@FEW
def test_pins_are_pins(pin: str) -> None:
    assert encode_pin(pin)


@pytest.mark.parametrize("length", [4, 5, 16])
def test_pins_have_every_length(length: int) -> None:
    find(strategies.pins(), lambda pin: len(pin) == length)


@pytest.mark.parametrize(
    "kind",
    [
        lambda holder: holder.id_number.startswith("81"),
        lambda holder: holder.id_number.startswith("9"),
        lambda holder: holder.id_number.startswith("4"),
        lambda holder: holder.name.isascii(),
        lambda holder: not holder.name.isascii() and len(holder.name) > 15,
    ],
    ids=["residence permit", "permanent residence", "resident", "foreign name", "long Chinese name"],
)
def test_holders_are_of_every_kind(kind: Callable[[Holder], bool]) -> None:
    """A ``Holder`` checks its number and name when it is made."""
    assert kind(find(strategies.holders(), kind))


@given(personality=strategies.personalities())
@FEW
def test_personalities_are_those_that_a_file_may_state(
    personality: Personality, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("personality") / "own.yaml"
    file.write_text(yaml.safe_dump(written_fields(asdict(personality))), encoding="utf-8")
    assert find_personality(str(file)) == personality


@given(card=strategies.cards())
@FEW
def test_cards_of_every_personality_are_reset_and_verified(card: Card) -> None:
    session = CardSession.start(card.chip(Random(1)), SoftHsm())
    session.verify_pin("123456")
    session.reset_pin("654321")
    session.verify_pin("654321")


@given(card=strategies.cards(personality="v2-3des", pin="0000", name="李四"))
@FEW
def test_what_is_given_is_the_same_on_every_card(card: Card) -> None:
    session = CardSession.start(card.chip(Random(1)), SoftHsm())
    session.verify_pin("0000")
    assert (card.profile.personality.name, session.read_basic().name) == ("v2-3des", "李四")


@given(strategies.command_apdus())
@FEW
def test_commands_are_well_formed(apdu: bytes) -> None:
    assert is_well_formed(apdu)
    assert apdu[0] != 0xFF


@given(strategies.malformed_apdus())
@FEW
def test_malformed_commands_are_not(apdu: bytes) -> None:
    assert not is_well_formed(apdu)


@pytest.mark.parametrize("case", [4, 5, 6, 7])
def test_commands_have_every_form(case: int) -> None:
    assert find(strategies.command_apdus(), lambda apdu: len(apdu) == case)


@pytest.mark.parametrize("short", [True, False])
def test_malformed_commands_are_too_short_or_of_a_wrong_length(short: bool) -> None:
    assert isinstance(find(strategies.malformed_apdus(), lambda apdu: (len(apdu) < 4) is short), bytes)


@given(data=st.data(), name=st.sampled_from(presets()))
@FEW
def test_declared_commands_are_declared(data: st.DataObject, name: str) -> None:
    apdu = data.draw(strategies.declared_commands(name))
    assert is_well_formed(apdu)
    declared = TABLE.by_code.get(apdu[0] << 8 | apdu[1])
    while declared is not None and declared.p1p2 and (apdu[2] << 8 | apdu[3]) not in declared.p1p2:
        declared = declared.sibling
    assert declared is not None, apdu.hex()
    if len(apdu) > 5:
        assert apdu[4] in declared.lengths


@pytest.mark.parametrize("code", sorted({command.ins for command in COMMANDS}))
def test_every_command_is_drawn(code: int) -> None:
    assert find(strategies.declared_commands(), lambda apdu: apdu[1] == code, settings=settings(max_examples=3000))


@given(commands=st.lists(strategies.declared_commands(), max_size=8), broken=strategies.malformed_apdus())
@FEW
def test_a_card_answers_all_of_them_with_a_status_word(commands: list[bytes], broken: bytes) -> None:
    chip = issue_card(seed=1).chip(Random(1))
    chip.power_on()
    for command in [*commands, broken]:
        assert len(chip.transmit(command)) >= 2
