"""`sscard farm`: many image files in many readers."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import kit
from kit.pcsc import demand_pyscard
from kit.programs import EACH_END, ENDS, run, running
from kit.waiting import PATIENCE
from sscard.issuer import issue_card
from sscard.issuer.cardfile import load_card, save_card
from sscard.transport.pcscd import MAX_READERS, reader_limit

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
    demand_pyscard()
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


ONE_DAEMON = """
import json, sys
from smartcard.System import readers

answers = {}
for reader in readers():
    connection = reader.createConnection()
    connection.connect()
    answers[str(reader)] = []
    for apdu in sys.argv[1:]:
        data, sw1, sw2 = connection.transmit(list(bytes.fromhex(apdu)))
        answers[str(reader)].append(f"{bytes(data).hex().upper()}{sw1:02X}{sw2:02X}")
    connection.disconnect()
print(json.dumps(answers))
"""
SWAPPED = """
import sys
from sscard.transport import CardRemoved
from sscard.transport.pcsc import PcscConnection, wait_for_card

with PcscConnection(sys.argv[1], patience=30) as card:
    first = card.power_on()
    for command in ("0020000000", "0020000000", "0020000000", "0020000000"):
        try:
            print(card.transmit(bytes.fromhex(command)).hex().upper())
        except CardRemoved:
            print("gone")
            card.power_off()
            if command and not wait_for_card(sys.argv[1], timeout=5):
                break
            print("other" if card.power_on() != first else "same")
"""
CHALLENGE = "0084000008"
IN_ITS_GROUP = (sys.executable, "-c", "import os, sys; os.setpgid(0, 0); from sscard.cli.main import main; main()")


def ask(socket: str, *commands: str) -> dict[str, list[str]]:
    """The answers of the card in each reader of a daemon."""
    said = run(*commands, program=(sys.executable, "-c", ONE_DAEMON), PCSCLITE_CSOCK_NAME=socket)
    assert not said.stderr, said.stderr
    answers: dict[str, list[str]] = json.loads(said.stdout)
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("as_json", [True, False])
def test_more_cards_than_a_daemon_has_readers(tmp_path: Path, as_json: bool) -> None:
    """The table has the socket of each reader; each card has its own identification code."""
    demand_pyscard()
    count = MAX_READERS + 2
    for number in range(1, count + 1):
        save_card(issue_card(seed=1, number=number), tmp_path / f"card-{number:02d}.db")
    with running("farm", tmp_path, "--processes", 2, *(["--json"] if as_json else []), COLUMNS="400") as farm:
        if as_json:
            content = json.loads("".join(iter(farm.line, "}\n")) + "}")
            rows = [(row["reader"], Path(row["card"]).name, row["socket"]) for row in content["readers"]]
            assert ("environment" in content) == (count <= reader_limit())
            assert content["without_reader"] == []
        else:
            exported = [farm.line().strip().partition("=")[2] for _ in range(-(-count // reader_limit()))]
            farm.line_with("┡━")
            cells = [farm.line().strip("│\n").split("│") for _ in range(count)]
            rows = [(row[0].strip(), row[1].strip(), row[-1].strip()) for row in cells]
            assert list(dict.fromkeys(socket for _reader, _card, socket in rows)) == exported
        assert len({reader for reader, _card, _socket in rows}) == count
        assert [card for _reader, card, _socket in rows] == [f"card-{number:02d}.db" for number in range(1, count + 1)]
        sockets = dict.fromkeys(socket for _reader, _card, socket in rows)
        assert len(sockets) == -(-count // reader_limit())
        found = {socket: ask(socket, "00B2012C12") for socket in sockets}
        assert sum(map(len, found.values())) == count
        for reader, card, socket in rows:
            chip = load_card(tmp_path / card).chip(Random(1))
            chip.power_on()
            expected = chip.transmit(bytes.fromhex("00B2012C12")).hex().upper()
            assert found[socket][reader] == [expected]
        assert farm.end()[0] == 0


@pytest.mark.slow
def test_seed_fault_and_files_are_those_of_each_card(cards: Path, tmp_path: Path) -> None:
    demand_pyscard()
    known = run("apdu", cards / "card-0.db", CHALLENGE, "--raw", "--seed", 7).stdout.replace(" ", "").strip()
    folder = tmp_path / "talks"
    arguments = (*(cards / f"card-{number}.db" for number in range(2)), "--seed", 7, "--delay", "card")
    faults = ("--fault", "corrupted=-1@2", "--fault", "mute@9")
    with running("farm", *arguments, *faults, "--record", folder, "--trace", folder, "--json") as farm:
        content = json.loads("".join(iter(farm.line, "}\n")) + "}")
        answers = ask(content["readers"][0]["socket"], CHALLENGE, "0020000003111109")
        assert answers == {row["reader"]: [known, "633A"] for row in content["readers"]}
        lines = {farm.line() for _ in range(2)}
        assert lines == {f"{row['reader']}: fault corrupted -1: reached at command 2\n" for row in content["readers"]}
        code, rest = farm.end()
    assert code == 0
    assert rest.splitlines() == [
        f"{row['reader']}: fault mute: not reached, it waits for command 9" for row in content["readers"]
    ]
    assert sorted(file.name for file in folder.iterdir()) == [
        *("card-0.jsonl", "card-0.txt", "card-1.jsonl", "card-1.txt")
    ]
    for file in folder.iterdir():
        text = file.read_text("utf-8")
        assert known[:16] in text
        assert "111109" not in text
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = run("farm", *arguments, "--trace", folder)
    assert again.returncode == 2
    assert "card-0.txt: exists already" in again.stderr


@pytest.mark.slow
def test_a_swap_and_a_removal_in_a_farm(cards: Path) -> None:
    demand_pyscard()
    faults = ("--fault", "swapped=v1-des@1", "--fault", "removed=after@3")
    with running("farm", cards / "card-0.db", *faults, "--json") as farm:
        content = json.loads("".join(iter(farm.line, "}\n")) + "}")
        (row,) = content["readers"]
        said = run(row["reader"], program=(sys.executable, "-c", SWAPPED), **content["environment"])
        assert said.stdout.split() == ["gone", "other", "63C6", "63C6", "gone"], said.stderr
        assert farm.line().endswith(": fault swapped v1-des: reached at command 1\n")
        assert farm.line().endswith(": fault removed after: reached at command 3\n")
        assert farm.end()[0] == 0
    assert load_card(cards / "card-0.db").chip(Random(1)).snapshot().pin_tries == 6


@pytest.mark.slow
def test_a_fault_that_cannot_damage_its_answer_is_reported_and_the_farm_serves_on(cards: Path) -> None:
    demand_pyscard()
    faults = ("--fault", "corrupted=200@1", "--fault", "truncated=257@2")
    with running("farm", cards, "--readers", 2, *faults, "--json") as farm:
        content = json.loads("".join(iter(farm.line, "}\n")) + "}")
        answers = ask(content["readers"][0]["socket"], "0020000000", "0020000000", "0020000000")
        assert list(answers.values()) == [["63C6"] * 3] * 2
        said = "".join(farm.line() for _ in range(4))
        assert said.count("corrupted 200: reached at command 1, without effect: the answer has no byte 200") == 2
        assert said.count("truncated 257: reached at command 2, without effect: the answer has only 2") == 2
        assert farm.end() == (0, "")


@pytest.mark.slow
@pytest.mark.parametrize(
    "end", [pytest.param(end, marks=() if end == signal.SIGTERM else pytest.mark.nightly) for end in ENDS]
)
def test_a_signal_to_the_group_of_the_farm_ends_it_with_its_report(cards: Path, end: signal.Signals) -> None:
    """As of `timeout`, a service manager, or Ctrl-C in a terminal."""
    with running("farm", cards, "--processes", 3, "--fault", "mute@9", program=IN_ITS_GROUP) as farm:
        farm.line_with("└")
        os.killpg(farm.process.pid, end)
        assert farm.process.wait(PATIENCE) == 0
        farm.join()
        rest = [farm.line() for _ in range(4 + 8)]
    assert len([line for line in rest if "fault mute: not reached" in line]) == 4
    assert len([line for line in rest if "in the reader" in line]) == 4


def test_two_cards_of_one_name_have_no_file_each(cards: Path) -> None:
    (cards / "more").mkdir()
    save_card(kit.card_of("v3-sm4"), cards / "more" / "card-0.db")
    done = run("farm", cards, cards / "more", "--record", cards / "talks")
    assert done.returncode == 2
    assert "two cards have this name: their conversations need two files\n  rename one" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("end", EACH_END)
def test_a_program_reads_which_reader_has_which_card(cards: Path, end: signal.Signals) -> None:
    demand_pyscard()
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


@pytest.mark.slow
def test_each_defective_card_has_its_own_defect_and_the_others_none(cards: Path) -> None:
    demand_pyscard()
    names = ["wrong-pin-answers-630x", "empty-verify-costs-a-try"]
    with running("farm", cards, "--defects", ",".join(names), "--json") as farm:
        content = json.loads("".join(iter(farm.line, "}\n")) + "}")
        assert [row["defect"] for row in content["readers"]] == [*names, "", ""]
        answers = ask(content["readers"][0]["socket"], "0020000003999999", "0020000000")
        assert farm.end()[0] == 0
    assert [answers[row["reader"]] for row in content["readers"]] == [
        ["6305", "6305"],
        ["63C5", "63C4"],
        ["63C5", "63C5"],
        ["63C5", "63C5"],
    ]
