"""The benchmarks of the chip run: as tests, without measuring, and the program with the reference card."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.programs import run

BENCH = Path(__file__).parents[2] / "bench"


def test_the_reference_card_answers_as_the_chip() -> None:
    done = run(BENCH / "floor.py", "--rounds", 1, program=(sys.executable,))
    assert done.returncode == 0, done.stdout + done.stderr
    for measured in ("VERIFY", "CHANGE PIN", "SELECT SSSE", "GET CHALLENGE", "pipeline of seven"):
        assert sum(line.startswith(measured) for line in done.stdout.splitlines()) == 1, done.stdout


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["bench_chip.py", "bench_reset.py"])
def test_each_benchmark_of_the_chip_runs(name: str) -> None:
    done = run("-m", "pytest", BENCH / name, "-q", program=(sys.executable,))
    assert done.returncode == 0, done.stdout + done.stderr
