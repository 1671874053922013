"""The example suite of pytest, and the example of a card inside another package's reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.pcsc import demand_pcsc
from kit.waiting import PATIENCE
from sscard.hsm import SoftHsm
from sscard.issuer.cardfile import load_card
from sscard.terminal import CardSession, WrongPin
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.virtualsmartcard import FOLDER

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.slow
def test_the_pytest_suite_passes(pytester: pytest.Pytester) -> None:
    pytester.copy_example(str(EXAMPLES / "pytest" / "test_counter.py"))
    result = pytester.runpytest_subprocess("-p", "no:cacheprovider", "--strict-markers", timeout=PATIENCE)
    outcomes = result.parseoutcomes()
    assert {*outcomes} <= {"passed", "skipped"}, outcomes
    assert outcomes["passed"] >= 4


def test_our_card_is_served_by_the_virtual_icc_and_stays_in_its_file(tmp_path: Path) -> None:
    pytest.importorskip("Crypto", reason="pip install 'sscard[virtualsmartcard]'")
    if not Path(FOLDER).exists():
        pytest.skip("the virtualsmartcard package is not installed: sudo apt-get install vsmartcard-vpicc")
    demand_pcsc()
    file = tmp_path / "card.db"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([FOLDER, os.environ.get("PYTHONPATH", "")])}
    with PrivatePcscd() as daemon:
        command = [sys.executable, str(EXAMPLES / "virtualicc" / "virtual_card.py"), str(file), str(daemon.port(0))]
        with (
            subprocess.Popen(command, env=environment) as process,  # noqa: S603
            PcscConnection(daemon.reader_name(0), patience=PATIENCE) as connection,
        ):
            try:
                assert wait_for_card(daemon.reader_name(0), timeout=PATIENCE)
                session = CardSession.start(connection, SoftHsm())
                with pytest.raises(WrongPin):
                    session.verify_pin("000000")
            finally:
                process.kill()
    assert load_card(file).snapshot().pin_tries == 5
