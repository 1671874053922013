"""The programs of ``examples/`` that change and reset a PIN over PC/SC, each in its language, with an HSM service."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

import kit
from kit.bench import Bench
from kit.waiting import PATIENCE
from sscard.card import Chip
from sscard.hsm import SoftHsm
from sscard.issuer import issue_card, preset
from sscard.terminal import CardSession

EXAMPLES = Path(__file__).parents[2] / "examples"
OTHER_PIN = "2468135"
PCSC_LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/libpcsclite.so.1"))), None)


class Unnamed:
    """A card whose FCI names no algorithm: in city 11 it computes with SSF33."""

    def __init__(self, chip: Chip) -> None:
        self._chip = chip
        self.power_on, self.power_off, self.reset = chip.power_on, chip.power_off, chip.reset

    def transmit(self, command: bytes) -> bytes:
        return self._chip.transmit(command).replace(bytes.fromhex("9F0C038601"), bytes.fromhex("9F0D038601"))


@pytest.fixture(scope="module", params=["pyscard", "winscard", "java", "node"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command of each program, built where it is to be; skipped if its toolchain is missing."""
    folder = tmp_path_factory.mktemp("program")
    match request.param:
        case "pyscard":
            return [sys.executable, str(EXAMPLES / "pyscard" / "pin.py")]
        case "winscard":
            return c_program(folder)
        case "java":
            return java_program(folder)
    return node_program()


def c_program(folder: Path) -> list[str]:
    compiler = shutil.which("cc")
    if compiler is None or not Path("/usr/include/PCSC/winscard.h").exists():
        pytest.skip("no C compiler or no winscard.h: sudo apt-get install gcc libpcsclite-dev")
    source, program = EXAMPLES / "winscard" / "pin.c", folder / "pin"
    warnings = ["-Wall", "-Wextra", "-Werror"]
    command = [compiler, *warnings, str(source), "-I/usr/include/PCSC", "-lpcsclite", "-o", str(program)]
    subprocess.run(command, check=True, timeout=PATIENCE)  # noqa: S603
    return [str(program)]


def java_program(folder: Path) -> list[str]:
    compiler, java = shutil.which("javac"), shutil.which("java")
    if compiler is None or java is None or PCSC_LIBRARY is None:
        pytest.skip("no JDK: sudo apt-get install default-jdk-headless")
    source = EXAMPLES / "java" / "Pin.java"
    command = [compiler, "-Xlint:all", "-Werror", "-d", str(folder), str(source)]
    subprocess.run(command, check=True, timeout=PATIENCE)  # noqa: S603
    return [java, f"-Dsun.security.smartcardio.library={PCSC_LIBRARY}", "-cp", str(folder), "Pin"]


def node_program() -> list[str]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no Node: sudo apt-get install nodejs npm")
    if not (EXAMPLES / "node" / "node_modules" / "@pokusew" / "pcsclite" / "build" / "Release").is_dir():
        pytest.skip("no @pokusew/pcsclite: cd examples/node && npm install")
    return [node, str(EXAMPLES / "node" / "pin.mjs")]


@pytest.mark.parametrize(
    "personality", [*(pytest.param(name, marks=pytest.mark.nightly) for name in ("v1-des", "v2-3des")), "v3-sm4"]
)
def test_a_program_changes_and_resets_the_pin(bench: Bench, program: list[str], personality: str) -> None:
    card = issue_card(personality=personality, seed=1, pin=kit.PIN)
    with bench.inserted(card.chip(Random(1))) as reader:
        changed = bench.run(program, reader, "change", kit.PIN, OTHER_PIN)
        assert (changed.returncode, changed.stdout) == (0, "PIN change: done\n"), changed.stderr
        refused = bench.run(program, reader, "change", kit.PIN, "111111")
        assert (refused.returncode, refused.stderr) == (1, "the card refused INS 5E: 63C5\n"), refused.stderr
        reset = bench.run(program, reader, "reset", "7391")
        assert (reset.returncode, reset.stdout) == (0, "PIN reset: done\n"), reset.stderr
    CardSession.start(card.chip(), SoftHsm()).verify_pin("7391")
    assert card.snapshot().pin_tries == 6
    assert card.snapshot().key_tries["PUK"][0] == 3


def test_a_program_costs_a_card_of_a_secret_algorithm_no_try(bench: Bench, program: list[str]) -> None:
    named = replace(preset("v1-des"), fci_algorithm=True)
    card = issue_card(personality=named, city="110100", seed=1)
    with bench.inserted(Unnamed(card.chip(Random(1)))) as reader:
        refused = bench.run(program, reader, "reset", "7391")
    assert refused.returncode == 1
    assert refused.stderr.startswith("the HSM refused: ")
    assert "algorithm 02" in refused.stderr
    assert card.snapshot().key_tries["PUK"][0] == 3


def test_a_program_names_a_reader_that_is_not_there(bench: Bench, program: list[str]) -> None:
    refused = bench.run(program, "No such reader", "reset", "7391")
    assert refused.returncode == 1
    assert len(refused.stderr.splitlines()) == 1
    assert "reader" in refused.stderr
