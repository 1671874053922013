"""The face of the virtualsmartcard package's cards over our connections, without that package."""

from __future__ import annotations

import sys
from random import Random

import pytest

import kit
from sscard.chip.engine import PowerError
from sscard.errors import MissingPart
from sscard.transport.virtualsmartcard import ConnectionOS, virtual_icc


def test_a_card_behind_the_packages_face():
    card = kit.card_of("v3-sm4")
    chip = card.chip(Random(1), contact=False)
    system = ConnectionOS(chip)
    assert system.getATR() == card.profile.atr(contact=False)
    with pytest.raises(PowerError):
        system.execute(b"\x00\x84\x00\x00\x08")
    system.powerUp()
    assert system.execute(bytes.fromhex(f"00A404000F{kit.NAME}"))[-2:] == b"\x90\x00"
    assert system.execute(bytearray(kit.verify(kit.PIN))) == b"\x90\x00"
    assert chip.snapshot().pin_verified
    system.reset()
    assert not chip.snapshot().pin_verified
    system.powerDown()
    assert not chip.snapshot().powered


def test_without_the_package_it_says_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "virtualsmartcard", None)
    with pytest.raises(MissingPart, match="vsmartcard-vpicc"):
        virtual_icc(kit.card_of("v3-sm4").chip(Random(1)))
