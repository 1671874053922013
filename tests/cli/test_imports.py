"""What the start of a program and of five commands may import: each third-party package and each slow module counts."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.version import Version

import kit
from kit.waiting import PATIENCE
from sscard.issuer.cardfile import save_card
from sscard.scenario.library import builtin_folder

SLOW = {
    *("asyncio", "base64", "bz2", "concurrent", "ctypes", "difflib", "email", "gettext", "hashlib", "hmac", "html"),
    *("http", "importlib.metadata", "importlib.resources", "inspect", "json", "locale", "logging", "lzma"),
    *("multiprocessing", "pathlib", "pickle", "platform", "queue", "secrets", "selectors", "shutil", "socket"),
    *("socketserver", "sqlite3", "ssl", "string", "subprocess", "tempfile", "textwrap", "threading", "tomllib"),
    *("unittest", "urllib.request", "uuid", "xml", "zipfile", "zoneinfo"),
}
"""Modules of the standard library that take a millisecond or more, or that import such modules."""
CHIP = frozenset({"inspect"})
"""What dataclasses need."""
CIPHERS = frozenset({"cryptography", "_cffi_backend"})
"""The cipher library, which the first key loads."""
OLD_CLICK = {"bz2", "lzma", "shutil"} if Version(version("click")) < Version("8.3") else set()
CLICK = frozenset(
    {"click", "gettext", "inspect", "locale", "pathlib", "platform", "threading", "uuid", *OLD_CLICK},
)
"""Click, what it imports, and paths."""
OF_PYTHON = frozenset({"_distutils_hack", "sitecustomize", "usercustomize", "org"})
"""Of the environment of Python itself; ``org`` is asked for by ``copy``."""

STARTS: dict[str, tuple[list[str], frozenset[str]]] = {
    "--version": (["-m", "sscard", "--version"], frozenset()),
    "--help": (["-m", "sscard", "--help"], CLICK),
    "apdu": (["-m", "sscard", "apdu", "card.db", "0020000000"], CLICK | CHIP | {"json", "sqlite3"}),
    "issue": (
        ["-m", "sscard", "issue", "-o", "new.db", "--seed", "1"],
        CLICK | CHIP | CIPHERS | {"json", "sqlite3", "hashlib", "difflib"},  # click asks difflib about short options
    ),
    "import sscard": (["-c", "import sscard"], frozenset()),
    "errors": (["-c", "from sscard import HsmError, InputError, WrongPin"], frozenset()),
    "issue_card": (["-c", "from sscard import issue_card"], frozenset()),
    "first answer": (
        ["-c", "import sscard; c = sscard.issue_card().chip(); c.power_on(); c.transmit(bytes.fromhex('0020000000'))"],
        CHIP | {"json"},
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_start_imports_only_what_it_needs(name: str, tmp_path: Path) -> None:
    arguments, allowed = STARTS[name]
    if "card.db" in arguments:
        save_card(kit.card_of("v3-sm4"), tmp_path / "card.db")
    idle = imported(["-c", "pass"], tmp_path) | (imported(["-m", "this"], tmp_path) if "-m" in arguments else set())
    found = imported(arguments, tmp_path) - idle
    packages = {module.partition(".")[0] for module in found} - sys.stdlib_module_names - OF_PYTHON - {"sscard"}
    assert (packages | found & SLOW) - allowed == set()


def test_a_run_imports_no_package_of_a_report_a_journal_or_a_server(tmp_path: Path) -> None:
    found = imported(["-m", "sscard", "run", str(builtin_folder() / "01-function" / "verify")], tmp_path)
    assert "sscard.scenario.runner" in found
    assert found.isdisjoint({"jinja2", "holidays", "psycopg", "sqlite3", "starlette", "uvicorn"})
    assert found.isdisjoint(f"sscard.scenario.reports.{name}" for name in ("allure", "form", "html", "junit", "trace"))


def test_a_package_too_many_is_found(tmp_path: Path) -> None:
    """The list of a program that imports two more is longer by these."""
    found = imported(["-c", "import sscard, yaml, shutil"], tmp_path)
    assert {"yaml", "shutil"} <= found
    assert "shutil" in SLOW
    assert "yaml" not in sys.stdlib_module_names


def imported(arguments: list[str], folder: Path) -> set[str]:
    """The modules that a program of Python imports."""
    command = [sys.executable, "-X", "importtime", *arguments]
    ended = subprocess.run(  # noqa: S603
        command, capture_output=True, text=True, check=True, timeout=PATIENCE, cwd=folder
    )
    # A compiled chip has a module for all of its extensions.
    return set(re.findall(r"^import time: +\d+ \| +\d+ \| +(\S+(?<!__mypyc))$", ended.stderr, re.MULTILINE))
