"""`sscard prove fuzz`: every target for a moment, planted defects, and an input that is run again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from random import Random

import pytest

from kit.programs import CommandLine
from sscard.chip.engine import Engine
from sscard.i18n.language import say
from sscard.model.invariants import IN_TIME, ONLY_ERRORS
from sscard.proof import fuzz, targets
from sscard.proof.fuzz import fuzz_target, make, place_of, problem_of, replay
from sscard.proof.report import Proof
from sscard.proof.targets import Fuzzed

interpreted = pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="a compiled chip takes no planted defect")


def test_an_input_does_not_change_those_after_it(tmp_path: Path) -> None:
    target, random, before = make(place_of("image"), tmp_path), Random(1), deepcopy(targets.VALUES)
    for _ in range(100):
        target.run(bytes((0x80 + random.randrange(0x80),)) + random.randbytes(60))
    assert before == targets.VALUES


@pytest.mark.parametrize("name", Fuzzed)
def test_a_target_takes_its_seeds_and_what_is_near_them(name: str, tmp_path: Path) -> None:
    """Without the fuzzer: seeds with a few other bytes."""
    target, random = make(place_of(name), tmp_path), Random(name)
    for seed in random.choices(target.seeds, k=30):
        changed = bytearray(seed[: target.longest])
        for _ in range(random.randrange(3)):
            changed[random.randrange(len(changed))] = random.randrange(256)
        data = bytes(changed + random.randbytes(random.randrange(8)))
        assert problem_of(target, data) == "", data.hex()


@pytest.fixture
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: pip install 'sscard[proof]'")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize(
    ("defect", "invariant", "happened"),
    [
        ("raises", ONLY_ERRORS, "KeyError in broken.py"),
        ("dies", ONLY_ERRORS, "the process crashed"),
        pytest.param("loops", IN_TIME, "no end within 10 s", marks=pytest.mark.nightly),
    ],
)
def test_a_planted_defect_is_found(
    defect: str, invariant: str, happened: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent)
    proof = Proof("fuzz", 1)
    fuzz_target(proof, "broken", f"broken:{defect}", cases=200_000, seconds=30)
    (violation,) = proof.violations
    assert violation.invariant == invariant
    assert happened in say(violation.happened)
    (written,) = tmp_path.glob("fuzz-broken-*")
    assert written.read_bytes()[:1] == b"a"
    assert written.name in say(violation.reproduce)


@pytest.mark.nightly
@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("name", Fuzzed)
def test_a_target_is_fuzzed(name: str, sscard: CommandLine) -> None:
    code, out, _ = sscard("prove", "fuzz", name, "--seconds", 20, "--json")
    found = json.loads(out)
    assert (code, found["violations"]) == (0, [])
    assert found["counts"][name] > 0


@interpreted
def test_an_input_is_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sscard: CommandLine) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "input").write_bytes(b"\x00\x05\x00\x84\x00\x00\x08")
    assert sscard("prove", "fuzz", "apdu", "--input", "input")[0] == 0
    monkeypatch.setattr(Engine, "transmit", lambda *_: b"")
    code, out, _ = sscard("prove", "fuzz", "apdu", "--input", "input")
    assert code == 1
    assert "Wrong: an answer of 0 bytes" in out
    assert "sscard prove fuzz apdu --input fuzz-apdu-" in out


@interpreted
def test_a_defect_of_the_chip_breaks_its_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    proof = Proof("fuzz", 1)
    monkeypatch.setattr(Engine, "transmit", failing(Engine.transmit))
    replay(proof, "vpcd", make(place_of("vpcd"), tmp_path).seeds[0])
    assert "IndexError in test_fuzz.py" in say(proof.violations[0].happened)


def failing(transmit: Callable[..., bytes]) -> Callable[..., bytes]:
    def answer(chip: object, command: bytes) -> bytes:
        if command[1] == 0xB2:
            raise IndexError
        return transmit(chip, command)

    return answer


@pytest.mark.parametrize("words", [("--input", "x"), ("apdu", "vpcd", "--input", "x")])
def test_an_input_is_that_of_one_target(sscard: CommandLine, words: tuple[str, ...]) -> None:
    code, _, err = sscard("prove", "fuzz", *words)
    assert code == 2
    assert "--input is the input of one target" in err


def test_without_atheris_it_exits_with_3(sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "find_spec", lambda _name: None)
    code, _, err = sscard("prove", "fuzz")
    assert code == 3
    assert "pip install 'sscard[proof]'" in err
