"""A contactless reader answers GET DATA for its card, and gives the card every other command."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from kit import card_of
from sscard.chip.engine import PowerError
from sscard.issuer import preset
from sscard.issuer.cardfile import open_card, save_card
from sscard.standard.atr import historical_bytes
from sscard.transport import CardMute
from sscard.transport.connection import Connection
from sscard.transport.contactless import ContactlessReader
from sscard.transport.faults import FaultyConnection, Mute

UID = bytes.fromhex("FFCA000000")


def reader_of(*, long_uid: bool = False) -> ContactlessReader:
    card = card_of(replace(preset("v3-sm4"), long_uid=long_uid))
    return ContactlessReader(card.chip(Random(1), contact=False))


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("FFCA000000", "000000019000"),
        ("FFCA000004", "000000019000"),
        ("FFCA000002", "6C04"),
        ("FFCA000005", "000000016282"),
        ("FFCA010000", "1234A1B2C386495101000000019000"),
        ("FFCA020000", "6A81"),
        ("FFCA000100", "6A81"),
        ("FFCA0000", "6700"),
        ("FFCA00000100", "6700"),
        ("FFCA", "6A81"),
        ("FFB0000004", "6E00"),
        ("0020000000", "63C6"),
    ],
)
def test_what_the_reader_answers(command: str, answer: str) -> None:
    reader = reader_of()
    reader.power_on()
    assert reader.transmit(bytes.fromhex(command)).hex().upper() == answer


def test_a_uid_of_7_bytes() -> None:
    reader = reader_of(long_uid=True)
    reader.power_on()
    assert reader.transmit(UID).hex().upper() == "345101000000019000"


def test_the_reader_answers_only_while_the_card_has_power() -> None:
    reader = reader_of()
    assert isinstance(reader, Connection)
    with pytest.raises(PowerError):
        reader.transmit(UID)
    assert reader.power_on() == reader.reset()
    assert reader.transmit(UID)[-2:] == b"\x90\x00"
    reader.power_off()
    with pytest.raises(PowerError):
        reader.transmit(UID)


def test_a_question_to_the_reader_does_not_touch_the_card() -> None:
    reader = reader_of()
    reader.power_on()
    reader.transmit(bytes.fromhex("0084000008"))
    before = reader.chip.snapshot()
    reader.transmit(UID)
    assert reader.chip.snapshot() == before
    assert before.challenge_waiting


def test_a_card_file_keeps_its_uid_and_shows_none_over_contact(tmp_path: Path) -> None:
    save_card(card_of("v3-sm4"), tmp_path / "card.db")
    seen = []
    for _ in range(2):
        with open_card(tmp_path / "card.db", Random(1), contact=False) as card:
            historical = historical_bytes(card.power_on())
            seen.append(card.transmit(UID))
            assert card.transmit(bytes.fromhex("FFCA010000")) == historical + b"\x90\x00"
    assert seen == [b"\x00\x00\x00\x01\x90\x00"] * 2
    with open_card(tmp_path / "card.db", Random(1)) as card:
        card.power_on()
        assert card.transmit(UID) == b"\x6e\x00"


def test_a_fault_waits_for_a_command_that_reaches_the_card() -> None:
    faulty = FaultyConnection(reader_of(), contact=False)
    faulty.power_on()
    armed = faulty.arm(Mute(), nth=2)
    for _turn in range(3):
        assert faulty.transmit(UID)[-2:] == b"\x90\x00"
    faulty.transmit(bytes.fromhex("0084000008"))
    faulty.transmit(UID)
    assert not armed.happened
    with pytest.raises(CardMute):
        faulty.transmit(bytes.fromhex("0084000008"))


def test_a_contact_card_gets_every_command_and_all_count() -> None:
    faulty = FaultyConnection(card_of("v3-sm4").chip(Random(1)))
    faulty.power_on()
    faulty.arm(Mute())
    with pytest.raises(CardMute):
        faulty.transmit(UID)
