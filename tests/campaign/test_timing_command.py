"""`sscard campaign --timing` as its user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.programs import CommandLine

SHORT = ("--cards", "40", "--through", "card", "--workers", "1")
POPULATION = "products: [{personality: v3-sm4}]\nplaces: [{place: tries-3}]\nbehaviours: [{kind: forgetful}]\n"
TIMING = """
based_on: contactless
papers:
  change: {value: 60, unit: s, source: ours}
  reset: {value: 120, unit: s, source: ours}
  unblock: {value: 90, unit: s, source: ours}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("population.yaml").write_text(POPULATION, encoding="utf-8")
    Path("timing.yaml").write_text(TIMING, encoding="utf-8")


def test_the_answer_says_how_long_and_how_many_windows(sscard: CommandLine) -> None:
    code, out, err = sscard("campaign", "population.yaml", "--timing", "timing.yaml", *SHORT)
    assert code == 0, err
    assert "at the window with v3-sm4: " in out
    assert "reset 129." in out  # papers, two entries of 4.85 s
    assert "visits: " in out
    assert "1 window: at least 95 % of the visits wait at most 15 min." in out


def test_programs_get_the_same(sscard: CommandLine) -> None:
    code, out, err = sscard("campaign", "population.yaml", "--timing", "timing.yaml", *SHORT, "--json")
    assert code == 0, err
    found = json.loads(out)
    standing = {row["outcome"]: row for row in found["standing"]}
    assert standing["reset"]["product"] == "v3-sm4"
    assert 129 < standing["reset"]["p50"] <= standing["reset"]["p95"] < 131
    assert found["windows"]["needed"] == 1
    assert found["windows"]["per_hour"] > 0


def test_a_preset_alone_names_what_is_missing(sscard: CommandLine) -> None:
    code, out, err = sscard("campaign", "population.yaml", "--timing", "contact", *SHORT)
    assert (code, out) == (2, "")
    assert "papers.change" in err
    assert "based_on: contact" in err


def test_a_file_that_is_wrong_is_named_with_line_and_column(sscard: CommandLine) -> None:
    Path("timing.yaml").write_text("based_on: contact\nclock: {value: 4, unit: MHz}\n", encoding="utf-8")
    code, _out, err = sscard("campaign", "population.yaml", "--timing", "timing.yaml", *SHORT)
    assert code == 2
    assert "timing.yaml:2:1: field 'clock.source' is missing" in err


def test_without_a_timing_model_nobody_stands_at_a_window(sscard: CommandLine) -> None:
    code, out, err = sscard("campaign", "population.yaml", *SHORT, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["standing"], found["windows"]) == ([], None)
