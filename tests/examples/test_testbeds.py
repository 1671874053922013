"""The testbed files of the examples, each connected as a new user does: a plug-in package, a PKCS#11 token."""

from __future__ import annotations

import ast
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from kit.documents import Document
from kit.programs import SSCARD, run, running
from sscard.hsm.pkcs11 import SOFTHSM as SOFTHSM_MODULES

ROOT = Path(__file__).parents[2]
PLUGIN, SOFTHSM = (ROOT / "examples" / name for name in ("card-plugin", "softhsm"))
MODULES = [path for path in map(Path, SOFTHSM_MODULES) if path.exists()]
PORT = "41007"
RESET = "name: reset\nproves: b\ncard: {personality: v2-3des}\nsteps:\n  - reset_pin: 246810\n    state: PUK\n"
CHANGE = "name: change\nproves: b\nsteps:\n  - change_pin: {old: 123456, new: 654321}\n"


def lines_of_code(file: Path) -> int:
    """The lines of a module that are neither empty nor of a docstring that stands beside code."""
    text = file.read_text("utf-8")
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    heads = [node.body for node in ast.walk(ast.parse(text)) if isinstance(node, documented) and len(node.body) > 1]
    strings = [body[0] for body in heads if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)]
    comments = {number for each in strings for number in range(each.lineno, (each.end_lineno or 0) + 1)}
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(line.strip()) and number not in comments for number, line in lines)


# The plug-in package


def test_the_module_of_the_plug_in_has_twenty_lines() -> None:
    assert lines_of_code(PLUGIN / "acme_card.py") == 20


@pytest.mark.parametrize(("page", "folder"), [("plugins", PLUGIN), ("testbed", SOFTHSM)])
def test_the_page_shows_the_files_of_the_example(page: str, folder: Path) -> None:
    """Besides comments, and the names of its own card files."""
    saved = [block.text for block in Document(ROOT / f"docs/howto/{page}.md").blocks() if block.file]
    for file in sorted(folder.iterdir()):
        text = file.read_text("utf-8").replace("card.db --raw", "des.db --raw")
        assert text in saved or text.partition("\n")[2] in saved, file.name


@pytest.fixture
def installed(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a user who has installed the package, with the simulator of a card on a free port."""
    if find_spec("hatchling") is None:
        pytest.skip("no hatchling: pip install --group dev")
    target, programs = tmp_path / "installed", tmp_path / "bin"
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    command = [sys.executable, "-m", "pip", "install", *options, str(PLUGIN)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    assert done.returncode == 0, done.stderr
    programs.mkdir()
    (programs / "sscard").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sscard.cli.main "$@"\n')
    (programs / "sscard").chmod(0o755)
    path = os.pathsep.join((str(programs), os.environ["PATH"]))
    assert run("issue", "-o", tmp_path / "card.db", "--pin", "123456").returncode == 0
    simulator = (PLUGIN / "simulator.py", tmp_path / "card.db", 0)
    with running(*simulator, program=(sys.executable,), PATH=path) as program:
        port = program.line_with("listening").split()[-1]
        text = (PLUGIN / "testbed.yaml").read_text("utf-8")
        assert text.count(f":{PORT}") == 1
        (tmp_path / "testbed.yaml").write_text(text.replace(f":{PORT}", f":{port}"), "utf-8")
        yield {"PYTHONPATH": os.pathsep.join((str(target), os.environ.get("PYTHONPATH", "")))}


@pytest.mark.slow
def test_the_card_of_the_plug_in_is_connected_by_its_testbed_file(installed: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_text(CHANGE)
    asked = "--testbed", tmp_path / "testbed.yaml", tmp_path / "change.yaml"
    planned = run("testbed", "check", *asked[1:], **installed)
    assert planned.stdout.splitlines()[-1] == "1 scenario, 1 to run", planned.stderr
    done = run("run", *asked, **installed)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "1 passed, 0 failed" in done.stdout
    assert run("run", *asked).returncode == 2, "without the package the scheme is unknown"


@pytest.mark.slow
def test_a_simulator_that_is_not_there_is_named(installed: dict[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "testbed.yaml").write_text(f"card: {{use: 'acme://127.0.0.1:{port}'}}\n")
    (tmp_path / "change.yaml").write_text(CHANGE)
    done = run("run", "--testbed", tmp_path / "testbed.yaml", tmp_path / "change.yaml", **installed)
    assert done.returncode == 3
    assert "acme" in done.stderr
    assert "Traceback" not in done.stderr


# The PKCS#11 token


@pytest.fixture
def token(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a token of SoftHSM, and beside it the testbed file, a card and a scenario."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed: pip install 'sscard[pkcs11]'")
    if not MODULES or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM2: sudo apt-get install softhsm2")
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path}/tokens\n")
    environment = {"SOFTHSM2_CONF": str(tmp_path / "softhsm2.conf"), "SSCARD_TOKEN_PIN": "1234"}
    made = ("--init-token", "--free", "--label", "test", "--pin", "1234", "--so-pin", "5678")
    assert run(*made, program=("softhsm2-util",), **environment).returncode == 0
    card = tmp_path / "card.db"
    assert run("issue", "-o", card, "--personality", "v2-3des", "--pin", "123456").returncode == 0
    text = (SOFTHSM / "testbed.yaml").read_text("utf-8")
    command = f"{sys.executable} -m sscard.cli.main apdu {card} --raw"
    (tmp_path / "testbed.yaml").write_text(text.replace("sscard apdu card.db --raw", command), "utf-8")
    (tmp_path / "reset.yaml").write_text(RESET)
    return environment


@pytest.mark.nightly
def test_a_token_computes_for_the_card_of_its_testbed_file(token: dict[str, str], tmp_path: Path) -> None:
    asked = "run", "--testbed", tmp_path / "testbed.yaml", tmp_path / "reset.yaml"
    empty = run(*asked, **token)
    assert empty.returncode != 0, "a token without keys cannot prove any"
    load = [*SSCARD, "hsm", "load", "--module", str(MODULES[0]), "--token", "test"]
    subprocess.run(load, env={**os.environ, **token}, check=True)  # noqa: S603 - takes long on a busy disk
    done = run(*asked, **token)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "1 passed, 0 failed" in done.stdout
    wrong = run(*asked, **token | {"SSCARD_TOKEN_PIN": "9999"})
    assert wrong.returncode == 3
    assert "9999" not in wrong.stderr + wrong.stdout
