"""`sscard farm`: many image files in many readers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import kit
from kit.programs import ENDS, running
from kit.waiting import PATIENCE
from sscard.issuer.cardfile import load_card, save_card

TAKES_ALL = """
import json, sys
from concurrent.futures import ThreadPoolExecutor
from smartcard.System import readers

def use(job):
    reader, pin = job
    connection = reader.createConnection()
    connection.connect()
    words = []
    for apdu in (sys.argv[1], "0020000003" + pin, *["0020000003999999"] * int(pin[-1])):
        data, sw1, sw2 = connection.transmit(list(bytes.fromhex(apdu)))
        words.append(f"{sw1:02X}{sw2:02X}")
    connection.disconnect()
    return words

pins = sys.argv[2:]
with ThreadPoolExecutor(len(pins)) as threads:
    print(json.dumps(list(threads.map(use, zip(readers(), pins, strict=True)))))
"""


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """Four cards, each with its own PIN."""
    for number in range(4):
        card = kit.card_of("v3-sm4", f"11110{number}", serial=number + 1)
        save_card(card, tmp_path / f"card-{number}.db")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 3])
def test_four_readers_are_used_at_once_by_pyscard(cards: Path, processes: int) -> None:
    pytest.importorskip("smartcard", reason="pyscard is not installed: pip install 'sscard[pcsc]'")
    pins = [f"11110{number}" for number in range(4)]
    with running("farm", cards, "--readers", 4, "--processes", processes) as farm:
        word, _, setting = farm.line().strip().partition(" ")
        name, _, value = setting.partition("=")
        assert (word, name) == ("export", "PCSCLITE_CSOCK_NAME")
        command = [sys.executable, "-c", TAKES_ALL, f"00A404000F{kit.NAME}", *pins]
        said = subprocess.check_output(command, env={name: value}, timeout=PATIENCE)  # noqa: S603
        code, rest = farm.end()
    assert code == 0
    wrong = [[f"63C{5 - each}" for each in range(number)] for number in range(4)]
    assert json.loads(said) == [["611E", "9000", *words] for words in wrong]
    rows = [row.replace("│", "").split() for row in rest.splitlines() if "in the reader" in row]
    assert [(row[4], row[-2], row[-1]) for row in rows] == [
        *((f"card-{number}.db", "0", "6") for number in range(4)),  # when it starts
        *((f"card-{number}.db", str(2 + number), str(6 - number)) for number in range(4)),
    ]
    for number in range(4):
        assert load_card(cards / f"card-{number}.db").chip(Random(1)).snapshot().pin_tries == 6 - number


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
def test_a_program_reads_which_reader_has_which_card(cards: Path, end: signal.Signals) -> None:
    pytest.importorskip("smartcard", reason="pyscard is not installed: pip install 'sscard[pcsc]'")
    with running("farm", cards, "--readers", 2, "--json") as farm:
        content = json.loads("".join(iter(farm.line, "}\n")) + "}")
        assert content["schema"] == "sscard.farm/1"
        assert [row["card"] for row in content["readers"]] == [str(cards / f"card-{each}.db") for each in range(2)]
        assert content["without_reader"] == [str(cards / f"card-{each}.db") for each in (2, 3)]
        listed = "from smartcard.System import readers; print(*readers(), sep='\\n')"
        found = subprocess.check_output([sys.executable, "-c", listed], env=content["environment"], timeout=PATIENCE)  # noqa: S603
        assert found.decode().splitlines() == [row["reader"] for row in content["readers"]]
        assert farm.end(end) == (0, "")


@pytest.mark.slow
def test_ctrl_c_ends_it_and_its_images_are_free(cards: Path) -> None:
    with running("farm", cards, "--processes", 2) as farm:
        farm.line_with("export ")
        code, rest = farm.end(signal.SIGINT)
        assert code == 0
        assert "Traceback" not in rest
    with running("farm", cards, "--readers", 2) as again:
        again.line_with("export ")
        assert again.line() == "cards without reader: 2\n"


def test_an_image_that_cannot_be_used_ends_it_with_2(cards: Path) -> None:
    (cards / "torn.db").write_text("{")
    with running("farm", cards) as farm:
        assert "torn.db: is a JSON image, not a card file" in farm.line()
        assert farm.process.wait(PATIENCE) == 2


def test_a_card_that_others_can_read_is_named(cards: Path) -> None:
    (cards / "card-2.db").chmod(0o644)
    with running("farm", cards) as farm:
        assert farm.line_with("other users can read it").startswith(f"{cards / 'card-2.db'}: ")
        assert farm.end()[0] == 0
