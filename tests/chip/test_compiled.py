"""``make compiled`` runs the chip's tests on compiled modules: here it shows that they are.

Everything above the chip stays interpreted, so its classes derive from compiled ones: what they may do with the
errors of the chip is tested on both builds.
"""

from __future__ import annotations

import importlib
import os
import pickle
import pkgutil
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES

import pytest

import sscard
from kit import card_of
from sscard.card import Chip
from sscard.chip.engine import PowerError
from sscard.chip.memory import MemoryFailure, PowerLost
from sscard.standard.cipher import CipherError
from sscard.terminal.errors import ApduError, WrongPin

PACKAGES = ("standard", "chip", "card", "psam")
MODULES = [
    found.name
    for package in PACKAGES
    for found in pkgutil.walk_packages([f"{sscard.__path__[0]}/{package}"], f"sscard.{package}.")
]


@pytest.mark.skipif("SSCARD_COMPILED" not in os.environ, reason="make compiled runs it")
@pytest.mark.parametrize("name", MODULES)
def test_the_module_under_test_is_compiled(name: str) -> None:
    file = importlib.import_module(name).__file__
    assert file is not None
    assert file.endswith(tuple(EXTENSION_SUFFIXES))


class CableCut(PowerLost):
    def __init__(self, reader: str) -> None:
        super().__init__(reader)
        self.reader = reader


class NoBattery(PowerError):
    def __init__(self, reader: str) -> None:
        super().__init__(reader)
        self.reader = reader


class WornOut(MemoryFailure):
    def __init__(self, reader: str) -> None:
        super().__init__(reader)
        self.reader = reader


class NoSuchKey(CipherError):
    def __init__(self, reader: str) -> None:
        super().__init__(reader)
        self.reader = reader


class Refused(ApduError):
    def __init__(self, reader: str, sw: int = 0x6A82) -> None:
        super().__init__(reader, sw)
        self.reader = reader


class WrongAtWindow(WrongPin):
    def __init__(self, reader: str, sw: int = 0x63C1) -> None:
        super().__init__(reader, sw)
        self.reader = reader


ERRORS = (CableCut, NoBattery, WornOut, NoSuchKey, Refused, WrongAtWindow)


@pytest.mark.parametrize("error", ERRORS)
def test_an_interpreted_subclass_is_raised_and_caught_as_its_base(error: type[Exception]) -> None:
    with pytest.raises(error.__bases__[0]) as caught:
        raise error("reader 1")
    assert type(caught.value) is error
    assert vars(caught.value)["reader"] == "reader 1"


def state(error: Exception) -> dict[str, object]:
    """The fields of an error; a compiled one has no ``__dict__``."""
    return getattr(error, "__dict__", {})


@pytest.mark.parametrize("error", [*ERRORS, PowerLost, PowerError, MemoryFailure, CipherError])
def test_a_pickle_keeps_an_error(error: type[Exception]) -> None:
    made = error("reader 1")
    back = pickle.loads(pickle.dumps(made))  # noqa: S301 -- made here
    assert (type(back), str(back), state(back)) == (error, str(made), state(made))


def chip_with(random: Callable[[int], bytes]) -> Chip:
    card = card_of("v3-sm4")
    chip = Chip(card.profile, card.memory, random)
    chip.power_on()
    return chip


def test_the_chip_takes_an_interpreted_failure_of_the_memory_as_one() -> None:
    def source(length: int) -> bytes:
        raise WornOut("no randoms")

    chip = chip_with(source)
    assert chip.transmit(bytes.fromhex("0084000008")) == b"\x65\x81"


def test_the_chip_takes_an_interpreted_loss_of_power_as_one() -> None:
    def source(length: int) -> bytes:
        raise CableCut("reader 1")

    chip = chip_with(source)
    with pytest.raises(CableCut):
        chip.transmit(bytes.fromhex("0084000008"))
    assert not chip.snapshot().powered
