"""The benchmarks that are programs, which no other test runs: each measures what it says, with small numbers."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree.ElementTree import parse

import pytest

from kit.programs import run

BENCH = Path(__file__).parents[2] / "bench"
WIDE = {"COLUMNS": "160"}
SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.nightly
def test_growth_is_plotted(tmp_path: Path) -> None:
    numbers = ("--commands", 2000, "--cards", 1200, "--plot", tmp_path)
    done = run(BENCH / "bench_growth.py", *numbers, program=(sys.executable,), **WIDE)
    assert done.returncode == 0, done.stdout + done.stderr
    for count in ("100", "1,000", "2,000", "1,200"):
        assert f"│ {count} " in done.stdout, done.stdout
    assert (tmp_path / "growth.txt").read_text("utf-8") == done.stdout
    points = {path.name: len([*parse(path).iter(f"{SVG}circle")]) for path in tmp_path.glob("*.svg")}  # noqa: S314
    assert points == {
        "commands.svg": 6,
        "recorder-memory.svg": 3,
        "cards.svg": 3,
        "verify.svg": 6,
        "card-memory.svg": 2,
    }


@pytest.mark.nightly
def test_each_start_is_compared_with_python() -> None:
    done = run(BENCH / "bench_startup.py", "--rounds", 1, program=(sys.executable,), **WIDE)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if line.rstrip(" │").endswith(("met", "missed"))]
    assert len(rows) == 6, done.stdout


@pytest.mark.nightly
def test_a_reset_through_the_http_hsm_is_compared_with_echoes() -> None:
    done = run(BENCH / "bench_hsm.py", "--samples", 3, program=(sys.executable,), **WIDE)
    assert done.returncode == 0, done.stdout + done.stderr
    for what in ("two echo requests", "reset, soft HSM", "reset, HTTP HSM", "change, no HSM"):
        assert f"│ {what} " in done.stdout, done.stdout


@pytest.mark.nightly
def test_campaigns_of_growing_size_are_plotted(tmp_path: Path) -> None:
    done = run(BENCH / "bench_campaign.py", "--most", 1000, "--plot", tmp_path, program=(sys.executable,), **WIDE)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search("^ +1 card: CPU .* s, the start of the processes\n +1,000 cards: ", done.stdout)
    points = {path.name: len([*parse(path).iter(f"{SVG}circle")]) for path in tmp_path.glob("*.svg")}  # noqa: S314
    assert points == {"campaign.svg": 2, "campaign-memory.svg": 1}


@pytest.mark.nightly
def test_pairs_of_benchmarks_are_compared_and_a_slowdown_is_planted() -> None:
    program = BENCH / "bench_noise.py"
    done = run(program, "--pairs", 1, "--count", 20, "--slower", 100_000, program=(sys.executable,), **WIDE)
    assert done.returncode == 0, done.stdout + done.stderr
    pair, counted = done.stdout.splitlines()
    assert re.match(r"  1: p50 [+-]\d+ % ± \d+(?: slower| faster)?, p90 ", pair)
    assert re.match(
        r"[01] of 1 pairs are no change; a planted slowdown of 100000 % is found in p50 in 1 of 1 ", counted
    )


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("program", "option", "few"),
    [
        ("bench_pcsc.py", "--samples", 20),
        ("bench_hsm.py", "--samples", 1),
        ("bench_whole.py", "--samples", 1),
        ("bench_growth.py", "--cards", 99),
        ("bench_startup.py", "--rounds", 0),
        ("bench_campaign.py", "--most", 999),
        ("bench_noise.py", "--pairs", 0),
        ("floor.py", "--rounds", 0),
    ],
)
def test_too_few_rounds_are_unusable_input(program: str, option: str, few: int) -> None:
    done = run(BENCH / program, option, few, program=(sys.executable,))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{program}: error: at least " in done.stderr


@pytest.mark.nightly
def test_the_report_is_opened_and_measured() -> None:
    done = run(BENCH / "bench_report.py", "--results", 30, "--opens", 1, program=(sys.executable,))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "results: 30, of which 0 failed" in done.stdout
    assert "drawn, filters answer: median" in done.stdout
