"""Programs that people use talk to the card in the reader."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from random import Random

import pytest

import kit
from kit.waiting import PATIENCE, until
from sscard.issuer import Card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot

ATR = "3B6D00001234A1B2C38649510100000001"
SELECT = f"00A404000F{kit.NAME}"
VERIFY = kit.verify(kit.PIN).hex().upper()

TEN_LINES = """\
import sys
from smartcard.System import readers
reader = next(reader for reader in readers() if reader.name == sys.argv[1])
connection = reader.createConnection()
connection.connect()
print(bytes(connection.getATR()).hex().upper())
for apdu in sys.argv[2:]:
    data, sw1, sw2 = connection.transmit(list(bytes.fromhex(apdu)))
    print(f"{sw1:02X}{sw2:02X}")
connection.disconnect()
"""


def run(pcscd: PrivatePcscd, *command: str, given: str = "") -> str:
    """What a program prints, with the private daemon in its environment; skipped where it is not installed."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    environment = {**os.environ, **pcscd.environment}
    done = subprocess.run(  # noqa: S603
        command, env=environment, input=given, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.usefixtures("slot")
def test_a_pyscard_program_of_ten_lines(pcscd: PrivatePcscd, reader_name: str) -> None:
    assert len(TEN_LINES.splitlines()) == 10
    program = (sys.executable, "-c", TEN_LINES, reader_name)
    assert run(pcscd, *program, SELECT, VERIFY).split() == [ATR, "611E", "9000"]


@pytest.mark.usefixtures("slot")
def test_opensc_tool_shows_the_atr(pcscd: PrivatePcscd, reader_name: str) -> None:
    said = run(pcscd, "opensc-tool", "--reader", reader_name, "--atr")
    assert said.strip().replace(":", "").upper() == ATR


@pytest.mark.usefixtures("slot")
def test_opensc_tool_sends_apdus(pcscd: PrivatePcscd, reader_name: str) -> None:
    reader = ("opensc-tool", "--reader", reader_name)
    said = run(pcscd, *reader, "--card-driver", "default", "--send-apdu", SELECT, "--send-apdu", VERIFY)
    assert said.count("SW1=0x90, SW2=0x00") == 2


@pytest.mark.usefixtures("slot")
def test_scriptor_runs_a_script(pcscd: PrivatePcscd, reader_name: str) -> None:
    script = f"reset\n{SELECT}\n{VERIFY}\n"
    said = run(pcscd, "scriptor", "-r", reader_name, given=script)
    assert "< 61 1E" in said
    assert "< 90 00" in said


def test_pcsc_scan_sees_the_card(card: Card) -> None:
    with PrivatePcscd() as small, VirtualReaderSlot(small.port(1), card.chip(Random(1))):  # it stops at 15 readers
        name = small.reader_name(1)
        if shutil.which("opensc-tool"):
            asked = ("opensc-tool", "--reader", name, "--atr")
            environment = {**os.environ, **small.environment}
            until(lambda: not subprocess.run(asked, env=environment, capture_output=True, check=False).returncode)  # noqa: S603
        said = run(small, "pcsc_scan", "-q", "-c", "-n")
    assert ATR in said.replace(" ", "")
    assert name in said
