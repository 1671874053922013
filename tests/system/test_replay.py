"""A recorded reset through PC/SC: recorded on one inserted card, replayed to its end on one of each generation."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

import kit
from kit.programs import run, running
from kit.waiting import PATIENCE
from sscard.conversation import Recorder
from sscard.conversation.recording import RecordingWriter
from sscard.hsm import SoftHsm
from sscard.issuer.cardfile import load_card, save_card
from sscard.terminal import CardSession
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot


@pytest.fixture
def talk(pcscd: PrivatePcscd, tmp_path: Path, reader: int, reader_name: str) -> Path:
    """The recording of a reset of a card in a reader."""
    lines: list[str] = []
    chip = kit.card_of("v2-3des").chip(Random(1))
    with VirtualReaderSlot(pcscd.port(reader), chip):
        assert wait_for_card(reader_name, timeout=PATIENCE)
        with PcscConnection(reader_name, patience=PATIENCE) as connection:
            session = CardSession.start(Recorder(connection, heard=RecordingWriter(lines.append)), SoftHsm())
            session.reset_pin("654321")
            session.verify_pin("654321")
            session.close()
    assert wait_for_card(reader_name, present=False, timeout=PATIENCE)
    path = tmp_path / "talk.jsonl"
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_a_recorded_reset_is_replayed_on_an_inserted_card(
    pcscd: PrivatePcscd, talk: Path, tmp_path: Path, reader: int, reader_name: str, name: str
) -> None:
    target = tmp_path / "card.db"
    save_card(kit.card_of(name, city_code="330106", serial=77), target)
    with running("insert", target, "--port", pcscd.port(reader)) as program:
        assert wait_for_card(reader_name, timeout=PATIENCE)
        pins = ("--pin", "808080", "--new", "808080")
        done = run("replay", talk, f"pcsc:{reader_name}", "--hsm", "soft:", *pins, "--sw-only")
        assert (done.returncode, done.stdout) == (0, "10 of 10 commands played, no difference\n"), done.stderr
        program.end()
    card = kit.Desk(card=load_card(target))
    assert card.verify("808080") == 0x9000
