"""The benchmark over PC/SC, a program that no other test runs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kit.programs import run

PROGRAM = Path(__file__).parents[2] / "bench" / "bench_pcsc.py"


@pytest.mark.nightly
def test_it_measures_each_card() -> None:
    done = run(PROGRAM, "--samples", 40, program=(sys.executable,), COLUMNS="120")
    assert done.returncode == 0, done.stdout + done.stderr
    for card in ("echo (floor)", "sscard insert"):
        assert sum(card in line for line in done.stdout.splitlines()) == 2, done.stdout
