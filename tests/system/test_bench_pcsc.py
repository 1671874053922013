"""The benchmarks over PC/SC, programs that no other test runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.programs import run

BENCH = Path(__file__).parents[2] / "bench"


@pytest.mark.nightly
def test_it_measures_each_card() -> None:
    done = run(BENCH / "bench_pcsc.py", "--samples", 40, program=(sys.executable,), COLUMNS="120")
    assert done.returncode == 0, done.stdout + done.stderr
    for card in ("echo (floor)", "sscard insert"):
        assert sum(card in line for line in done.stdout.splitlines()) == 2, done.stdout


@pytest.mark.nightly
def test_it_measures_the_layers_of_each_setting() -> None:
    done = run(BENCH / "bench_whole.py", "--samples", 2, program=(sys.executable,), COLUMNS="160")
    assert done.returncode == 0, done.stdout + done.stderr
    for setting in ("memory, in-process", "SQLite, in-process", "memory, PC/SC", "SQLite, PC/SC"):
        assert sum(f"│ {setting} " in line for line in done.stdout.splitlines()) == 2, done.stdout
