"""A defect is planted in the sources, also where the chip is compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

import sscard
from kit.waiting import PATIENCE

PLANTED = ("-m", "sscard", "defects", "run", "--part", "psam", "--fail-under", "100", "-n", "2")


def python(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Python with the package of a folder."""
    environment = {**os.environ, "PYTHONPATH": str(folder), "LANGUAGE": "en", **variables}
    return subprocess.run(  # noqa: S603
        [sys.executable, *arguments],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package whose chip has, beside each source, an extension that no Python can load."""
    folder = tmp_path_factory.mktemp("compiled")
    package = Path(sscard.__file__).parent
    left_out = shutil.ignore_patterns("__pycache__", f"*{EXTENSION_SUFFIXES[0]}")
    shutil.copytree(package, folder / "sscard", ignore=left_out)
    if not (folder / "sscard" / "scenarios").exists():
        shutil.copytree(package.parents[1] / "scenarios", folder / "sscard" / "scenarios")
    for name in ("standard", "chip", "card", "card/commands", "psam"):
        for source in [*(folder / "sscard" / name).glob("*.py")]:
            source.with_name(f"{source.stem}{EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    return folder


def test_the_extensions_are_what_python_would_load(compiled: Path) -> None:
    assert "compiled chip" in python(compiled, "-m", "sscard", "--version").stdout
    assert "ImportError" in python(compiled, "-c", "import sscard.chip.engine").stderr


def test_defects_are_planted_in_the_sources_in_each_process(compiled: Path) -> None:
    done = python(compiled, *PLANTED)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 of 6 defects noticed (100 %)" in done.stdout


def test_a_variable_prefers_the_sources_in_any_program(compiled: Path) -> None:
    done = python(compiled, "-c", "import sscard.chip.engine as e; print(e.__file__)", SSCARD_SOURCES="1")
    assert done.stdout.strip() == str(compiled / "sscard" / "chip" / "engine.py")
    assert "plain Python chip" in python(compiled, "-m", "sscard", "--version", SSCARD_SOURCES="1").stdout


@pytest.mark.skipif("SSCARD_COMPILED" not in os.environ, reason="the chip is not compiled")
def test_a_compiled_chip_that_is_loaded_is_an_error() -> None:
    program = "from sscard.scenario.defects import DEFECTS\nwith DEFECTS[0].planted():\n    pass"
    done = python(Path(sscard.__file__).parents[1], "-c", program)
    assert "set SSCARD_SOURCES=1 before Python starts" in done.stderr
