"""The example plug-in, installed as a user installs it, through the command line."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from kit.programs import run
from sscard.scenario.library import builtin_folder

EXAMPLE = Path(__file__).parents[2] / "examples" / "plugin"

pytestmark = pytest.mark.skipif(find_spec("hatchling") is None, reason="no hatchling: pip install --group dev")


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a program that finds the plug-in."""
    target = tmp_path_factory.mktemp("installed")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *options, str(EXAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    return {"PYTHONPATH": os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])}


def test_a_card_of_a_plug_in(installed: dict[str, str]) -> None:
    done = run("apdu", "demo:", "0020000000", **installed)
    assert (done.returncode, done.stderr) == (0, "")
    assert "< 63C6" in done.stdout
    done = run("change-pin", "demo:v2-3des", "--old", "123456", "--new", "654321", **installed)
    assert (done.returncode, done.stdout) == (0, "PIN changed\n")


def test_what_the_plug_in_refuses_is_told_as_ever(installed: dict[str, str]) -> None:
    done = run("apdu", "demo:v9", "0020000000", **installed)
    assert done.returncode == 2
    assert "no personality 'v9'" in done.stderr


def test_a_plug_ins_scheme_is_among_the_known_ones(installed: dict[str, str]) -> None:
    done = run("apdu", "usb:", "0020000000", **installed)
    assert done.returncode == 2
    assert "expected one of: demo, exec, image, pcsc, tcp" in done.stderr


def test_a_report_of_a_plug_in(installed: dict[str, str], tmp_path: Path) -> None:
    report = tmp_path / "results.csv"
    done = run("run", builtin_folder() / "01-function/reset/puk-once.yaml", "--report", f"csv={report}", **installed)
    assert done.returncode == 0, done.stderr
    with report.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    assert {row["verdict"] for row in rows} == {"passed"}


def test_without_the_plug_in_its_names_are_unknown(tmp_path: Path) -> None:
    scenario, report = builtin_folder() / "01-function/reset/puk-once.yaml", f"csv={tmp_path / 'results.csv'}"
    for arguments in (["apdu", "demo:", "0020000000"], ["run", scenario, "--report", report]):
        done = run(*arguments)
        assert done.returncode == 2
        assert "unknown" in done.stderr


def test_an_hsm_of_a_plug_in(installed: dict[str, str]) -> None:
    for command in (("hsm", "check", "demo:"), ("reset-pin", "demo:", "--new", "654321", "--hsm", "demo:")):
        done = run(*command, **installed)
        assert (done.returncode, done.stderr) == (0, "")
