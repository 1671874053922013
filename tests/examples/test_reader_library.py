"""``examples/readerdll``: a reader library over winscard, its window program and its host, on cards in a reader."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import kit
from kit.bench import Bench
from kit.counter import foreign_keys
from kit.waiting import PATIENCE
from sscard.conversation.recorder import Exchange, Recorder
from sscard.issuer import personalise, preset
from sscard.standard.encoding import encode_pin
from sscard.transport.faults import Corrupted, Fault, FaultyConnection, Truncated

FOLDER = Path(__file__).parents[2] / "examples" / "readerdll"
SSSE, EF05, EF06 = f"00A404000F{kit.NAME}", "00A4020002EF05", "00A4020002EF06"
CHALLENGE = "0084000008"
CODE = "510100D15600000500000001A1B2C3D4"

TWO = [CHALLENGE, CHALLENGE]
ISSUER = [SSSE, "00B2012812", "00B2032806", "00A4000002EF05", "00B207280B"]
"""terminal-flows.md §10.1: EF05 by its SFI, then by its FID."""
GENUINE = [SSSE, *TWO, "0088000010"]
DATES = [EF05, "00B2050006", "00B2060006"]
HOLDER = ["00B2083014", "00B2093020"]
OLDER = [*ISSUER, *GENUINE, *DATES, "00A4000002EF06", *HOLDER, "00B20A3003"]
NEWEST = [*ISSUER, *GENUINE, *TWO, "0082000A10", *DATES, EF06, *HOLDER, "00B24E3016", "00B20A3003"]
READING = {"v1-des": OLDER, "v2-3des": OLDER, "v3-sm4": NEWEST}
"""terminal-flows.md §10.1 for 1.0, terminal-flows.md §10.2 for 3.0. Proofs and randoms are cut off."""
VERIFY = [SSSE, SSSE, EF05, SSSE, "00200000"]
"""The second session of terminal-flows.md §10.2, after the SELECT of reader_open."""
IDENTITY = [SSSE, EF05, "00B2010012"]
RESET = [SSSE, *IDENTITY, *TWO, "0082000610", *IDENTITY, CHALLENGE, "84240001", "00200000"]
"""terminal-flows.md §6.1."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The window program, which loads the library, started by its host."""
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/PCSC/winscard.h").exists():
        pytest.skip("no C compiler or no winscard.h: sudo apt-get install gcc libpcsclite-dev")
    folder = tmp_path_factory.mktemp("window")
    library = ["-shared", "-fPIC", "reader.c", "-I/usr/include/PCSC", "-lpcsclite", "-o", f"{folder}/libreader.so"]
    window = ["window.c", f"{folder}/libreader.so", f"-Wl,-rpath,{folder}", "-o", f"{folder}/window"]
    for arguments in (library, window):
        command = [compiler, "-O1", "-Wall", "-Wextra", "-Werror", *arguments]
        subprocess.run(command, check=True, timeout=PATIENCE, cwd=FOLDER)  # noqa: S603
    return [sys.executable, str(FOLDER / "host.py"), f"{folder}/window"]


def sent(recorder: Recorder) -> list[str]:
    """The commands without GET RESPONSE, in hex; the data of authentications and of 84 24 are cut off."""
    commands = [event.sent.hex().upper() for event in recorder.events if isinstance(event, Exchange)]
    recorder.events.clear()
    short = [re.sub(r"^(0088000010|008200..10|84240001|00200000).*", r"\1", each) for each in commands]
    return [each for each in short if not each.startswith("00C0")]


def run(bench: Bench, program: list[str], reader: str, *words: str) -> tuple[int, str]:
    done = bench.run(program, reader, *words)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("interface", ["contact", pytest.param("contactless", marks=pytest.mark.nightly)])
@pytest.mark.parametrize("personality", READING)
def test_a_card_is_read_and_its_pin_verified_changed_and_reset(
    bench: Bench, program: list[str], personality: str, interface: str
) -> None:
    card = kit.card_of(personality)
    recorder = Recorder(card.chip(Random(1), contact=interface == "contact"))
    with bench.inserted(recorder) as reader:
        sent(recorder)
        fields = f"{CODE}|{personality[1]}.00|A00000011|20250101|20350101|410402198503150009|张三|2|"
        assert run(bench, program, reader, "read") == (0, f"read: done {fields}\n")
        assert sent(recorder) == READING[personality]
        assert run(bench, program, reader, "verify", "000000") == (1, "verify: -25541\n")
        assert sent(recorder) == VERIFY
        assert run(bench, program, reader, "verify", kit.PIN) == (0, "verify: done \n")
        assert run(bench, program, reader, "change", kit.PIN, "24681") == (0, "change: done \n")
        assert run(bench, program, reader, "change", kit.PIN, "24681") == (1, "change: -25541\n")
        sent(recorder)
        assert run(bench, program, reader, "reset", "13579") == (0, "reset: done \n")
        assert sent(recorder) == RESET
        assert run(bench, program, reader, "verify", "13579") == (0, "verify: done \n")
    state = card.snapshot()
    assert (state.pin_tries, state.key_tries["PUK"][0]) == (6, 3)


@pytest.mark.parametrize(
    ("words", "nth", "ins", "fault", "code"),
    [
        (("read",), 1, 0xB2, Corrupted(0), -15),
        (("read",), 2, 0xB2, Corrupted(-1), -0x90FF),
        (("read",), 1, 0x88, Corrupted(0), -21),
        (("read",), 4, 0x84, Corrupted(0), -25538),
        (("read",), 1, 0x82, Corrupted(-2), -0x6F00),
        (("reset", "13579"), 1, 0xB2, Corrupted(2, 0x01), -25538),
        (("reset", "13579"), 2, 0xB2, Corrupted(-3), -22),
        (("reset", "13579"), 2, 0x84, Truncated(1), -15),
        (("reset", "13579"), 3, 0x84, Corrupted(0), -0x6988),
        (("change", "123456", "24681"), 1, 0x5E, Corrupted(-1), -0x90FF),
    ],
    ids=str,
)
def test_a_wrong_answer_of_a_step_is_noticed(
    bench: Bench, program: list[str], words: tuple[str, ...], nth: int, ins: int, fault: Fault, code: int
) -> None:
    wire = FaultyConnection(kit.card_of("v3-sm4").chip(Random(1), contact=False), wait=lambda _: None)
    with bench.inserted(wire) as reader:
        wire.arm(fault, nth=nth, ins=ins)
        assert run(bench, program, reader, *words) == (1, f"{words[0]}: {code}\n")


@pytest.mark.parametrize(
    ("key", "words", "code"),
    [("IRK", ("read",), -21), ("RKSSSE", ("read",), -25538), ("PUK", ("reset", "13579"), -25538)],
)
def test_a_card_of_another_issuer_gets_no_further_than_its_key(
    bench: Bench, program: list[str], key: str, words: tuple[str, ...], code: int
) -> None:
    card = personalise(kit.order_of(preset("v3-sm4")), foreign_keys(key))
    with bench.inserted(card.chip(Random(1))) as reader:
        assert run(bench, program, reader, *words) == (1, f"{words[0]}: {code}\n")
    assert card.snapshot().pin_tries == 6
    assert card.memory.strings[0] == encode_pin(kit.PIN)


def test_a_reader_without_a_card_and_words_of_another_form(bench: Bench, program: list[str]) -> None:
    assert run(bench, program, "No such reader", "read") == (1, "read: -11\n")
    code, text = run(bench, program, bench.daemon.reader_name(0), "read")
    assert (code, text) == (1, "read: -2\n")
    with bench.inserted(kit.card_of("v3-sm4").chip(Random(1))) as reader:
        assert run(bench, program, reader, "verify", "12") == (1, "verify: -33\n")
        assert "usage" in run(bench, program, reader, "erase")[1]
