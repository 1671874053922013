"""Our card inside the virtualsmartcard package's own ``VirtualICC``, where that package is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import kit
from kit.waiting import PATIENCE
from sscard.transport import exchange
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.virtualsmartcard import FOLDER

SELECT = bytes.fromhex(f"00A404000F{kit.NAME}")
SERVES = """
import sys
from random import Random
import kit
from sscard.transport.virtualsmartcard import virtual_icc
virtual_icc(kit.card_of("v3-sm4").chip(Random(1)), port=int(sys.argv[1])).run()
"""
FITS = """
from virtualsmartcard.VirtualSmartcard import SmartcardOS
from sscard.transport.virtualsmartcard import ConnectionOS
face = {name for name in vars(SmartcardOS) if not name.startswith("_")}
assert face and all(callable(getattr(ConnectionOS, name, None)) for name in face), face
"""


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """Where the package, the tests' cards and the package's need for ``Crypto`` are met; else the reason to skip."""
    if not Path(FOLDER).exists():
        pytest.skip("the virtualsmartcard package is not installed: sudo apt-get install vsmartcard-vpicc")
    pytest.importorskip("Crypto", reason="pip install 'sscard[virtualsmartcard]'")
    return {**os.environ, "PYTHONPATH": os.pathsep.join((FOLDER, str(Path(kit.__file__).parents[1])))}


def test_it_has_the_face_of_the_packages_own_card(environment: dict[str, str]) -> None:
    subprocess.run([sys.executable, "-c", FITS], env=environment, check=True, timeout=PATIENCE)  # noqa: S603


def test_our_card_runs_in_the_packages_virtual_icc(
    pcscd: PrivatePcscd, reader: int, connection: PcscConnection, environment: dict[str, str]
) -> None:
    command = [sys.executable, "-c", SERVES, str(pcscd.port(reader))]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:  # noqa: S603
        try:
            assert wait_for_card(pcscd.reader_name(reader), timeout=PATIENCE)
            assert connection.power_on() == kit.card_of("v3-sm4").profile.atr()
            assert exchange(connection, SELECT).sw == 0x9000
            assert connection.transmit(kit.verify("999999")) == b"\x63\xc5"
            assert connection.transmit(kit.verify(kit.PIN)) == b"\x90\x00"
            connection.reset()
            assert connection.transmit(bytes.fromhex("0020000000")) == b"\x63\xc6"
        finally:
            process.kill()
