"""The wheel: plain Python, or with the compiled chip if SSCARD_COMPILE asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kit.waiting import PATIENCE
from sscard.version import __version__

pytest.importorskip("hatchling", reason="no hatchling: pip install --group dev")

ROOT = Path(__file__).parents[2]
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
MYPYC = """\
import pathlib, sys
pathlib.Path("group__mypyc{suffix}").touch()
for name in (word for word in sys.argv[1:] if not word.startswith("-")):
    pathlib.Path(name).with_suffix("{suffix}").touch()
"""
"""What mypyc leaves, without the minutes that it takes."""
NO_COMPILER = "import sys; sys.exit('error: command gcc failed: No such file or directory')"


def build(folder: Path, mypyc: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel in a folder, with a program in place of mypyc."""
    if mypyc:
        (folder / "mypyc").mkdir()
        (folder / "mypyc" / "__main__.py").write_text(mypyc)
        (folder / "mypyc" / "__init__.py").touch()
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    return subprocess.run(  # noqa: S603
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def wheel_in(folder: Path) -> tuple[str, set[str], str]:
    """Name, files and tags of the only wheel in a folder."""
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return wheel.name, set(archive.namelist()), archive.read(f"sscard-{__version__}.dist-info/WHEEL").decode()


@pytest.mark.parametrize("value", ["", "0"])
def test_the_wheel_is_plain_python_unless_asked_otherwise(tmp_path: Path, value: str) -> None:
    done = build(tmp_path, NO_COMPILER, SSCARD_COMPILE=value)
    assert done.returncode == 0, done.stderr
    name, files, about = wheel_in(tmp_path)
    assert name == f"sscard-{__version__}-py3-none-any.whl"
    assert "Root-Is-Purelib: true" in about
    assert not [file for file in files if file.endswith(SUFFIX)]


def test_a_compiled_wheel_has_extensions_beside_the_sources_and_the_tag_of_the_platform(tmp_path: Path) -> None:
    done = build(tmp_path, MYPYC.format(suffix=SUFFIX), SSCARD_COMPILE="1")
    assert done.returncode == 0, done.stderr
    name, files, about = wheel_in(tmp_path)
    python = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert name.startswith(f"sscard-{__version__}-{python}-{python}")
    assert "none-any" not in name + about
    assert "Root-Is-Purelib: false" in about
    extensions = {file.removesuffix(SUFFIX) for file in files if file.endswith(SUFFIX)}
    assert "group__mypyc" in extensions
    compiled = extensions - {"group__mypyc"}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = {
        path.relative_to(ROOT / "simulator").with_suffix("").as_posix()
        for package in packages["hooks"]["custom"]["compiled"]
        for path in (ROOT / "simulator" / "sscard" / package).glob("*.py")
    }
    assert compiled == sources
    assert {f"{module}.py" for module in compiled} <= files


def test_the_makefile_compiles_the_packages_of_the_wheel() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    rule = "print-packages: ; @echo $(PACKAGES)"
    done = subprocess.run(  # noqa: S603
        ["make", "--no-print-directory", "--eval", rule, "print-packages"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == wheel["hooks"]["custom"]["compiled"]


def test_without_a_compiler_the_build_says_what_is_missing(tmp_path: Path) -> None:
    done = build(tmp_path, NO_COMPILER, SSCARD_COMPILE="1")
    assert done.returncode == 1
    output = done.stdout + done.stderr
    assert "error: command gcc failed" in output
    assert "the chip could not be compiled" in output
    assert "sudo apt-get install gcc python3-dev" in output
    assert "Traceback" not in output
    assert not list(tmp_path.glob("*.whl"))


def test_a_build_asks_for_the_compiler_only_if_it_needs_it() -> None:
    """What pip installs for the build, beside the packages that build-system names."""
    ask = "import hatchling.build as h; print(*h.get_requires_for_build_wheel(), sep='\\n')"
    for value, needed in (("", set()), ("1", {"mypy", "setuptools", "cryptography"})):
        environment = {**os.environ, "SSCARD_COMPILE": value}
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", ask], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        assert {Requirement(line).name for line in done.stdout.split("\n") if line} == needed


@pytest.mark.nightly
def test_a_compiled_wheel_is_built_installed_and_runs_the_suite(tmp_path: Path) -> None:
    """As a user builds it: pip with an environment for the build, and another fresh one to install into."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"SSCARD_COMPILE": "1", "MYPYC_OPT_LEVEL": "0"}

    def run(*command: object) -> str:
        words = [str(word) for word in command]
        done = subprocess.run(  # noqa: S603
            words,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=20 * PATIENCE,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, ROOT)
    (wheel,) = tmp_path.glob("sscard-*.whl")
    venv.create(tmp_path / "venv", with_pip=False)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    run(sys.executable, "-m", "pip", "--python", scripts / "python", "install", "--quiet", wheel)
    assert run(scripts / "sscard", "--version") == f"sscard {__version__} (compiled chip)\n"
    loaded = run(scripts / "python", "-c", "import sscard.chip.engine as engine; print(engine.__file__)")
    assert loaded.strip().endswith(SUFFIX)
    assert " 0 failed" in run(scripts / "sscard", "run")
