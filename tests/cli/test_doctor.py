"""`sscard doctor`: what is here, what is missing, and the command that brings it."""

from __future__ import annotations

import sys

import pytest

from sscard.errors import MissingPart
from sscard.transport import pcscd, ports


@pytest.fixture(autouse=True)
def _all_is_here(monkeypatch, tmp_path):
    """A machine with everything, whatever this one has."""
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setitem(sys.modules, "smartcard", type(sys)("smartcard"))
    monkeypatch.setattr("smartcard.scard", object(), raising=False)
    monkeypatch.setattr(pcscd, "find_pcscd", lambda: tmp_path / "pcscd")
    monkeypatch.setattr(pcscd, "find_driver", lambda: tmp_path / "libifdvpcd.so")
    monkeypatch.setattr(pcscd, "check_private_pcscd", lambda: None)
    monkeypatch.setattr(pcscd, "daemon_answers", lambda: False)
    monkeypatch.setattr(ports, "open_ports", lambda: {22, 35963, 35964})


@pytest.fixture
def doctor(sscard):
    return lambda: sscard("doctor")[:2]


def absent(part: str, remedy: str):
    def fail(*_: object) -> None:
        raise MissingPart(part, remedy)

    return fail


def test_where_everything_is_here_it_ends_with_0(doctor, tmp_path):
    code, out = doctor()
    assert code == 0
    assert f"({tmp_path / 'libifdvpcd.so'})" in out
    assert out.endswith("Everything for PC/SC is here.\n")
    assert "✗" not in out


def test_that_the_driver_listens_on_all_interfaces_is_said(doctor):
    assert "(vpcd) listens on all interfaces" in doctor()[1]
    assert "now on 35963" in doctor()[1]


@pytest.mark.parametrize(
    ("function", "part", "remedy"),
    [
        ("find_pcscd", "pcscd is not installed", "sudo apt-get install pcscd"),
        ("find_driver", "the driver is not installed", "sudo apt-get install vsmartcard-vpcd"),
        ("check_private_pcscd", "a private pcscd needs a mount namespace", "run as root: sudo -E …"),
    ],
)
def test_what_is_missing_ends_with_3_and_the_command_that_brings_it(doctor, monkeypatch, function, part, remedy):
    monkeypatch.setattr(pcscd, function, absent(part, remedy))
    code, out = doctor()
    assert code == 3
    (line,) = (place for place, said in enumerate(out.splitlines()) if part in said)
    assert out.splitlines()[line].startswith("✗")
    assert out.splitlines()[line + 1].strip() == remedy


def test_without_pyscard_it_ends_with_3(doctor, monkeypatch):
    monkeypatch.setitem(sys.modules, "smartcard", None)
    code, out = doctor()
    assert code == 3
    assert "pip install 'sscard[pcsc]'" in out


def test_a_daemon_is_enough_where_there_can_be_no_private_one(doctor, monkeypatch):
    monkeypatch.setattr(pcscd, "check_private_pcscd", absent("no namespaces", "run as root"))
    monkeypatch.setattr(pcscd, "daemon_answers", lambda: True)
    monkeypatch.setattr("sscard.transport.pcsc.cards", lambda: {"Virtual PCD 00 00": b"\x3b", "Other": b""})
    code, out = doctor()
    assert code == 0
    assert "answers; Virtual PCD 00 00 (a card), Other (empty)" in out


def test_programs_of_the_examples_are_no_part_of_it(doctor, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda *_arguments, **_options: None)
    code, out = doctor()
    assert code == 0
    assert "sudo apt-get install opensc" in out
