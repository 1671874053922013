"""The card of vicc under test, by the testbed file of the example: in a reader, and connected to the run."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit.pcsc import demand_pcsc
from kit.programs import CommandLine, run
from kit.vicc import demand_vicc, vicc
from kit.waiting import in_thread, until
from sscard.scenario.library import builtin_folder
from sscard.transport.pcscd import PrivatePcscd

EXAMPLE = Path(__file__).parents[2] / "examples" / "vicc"
READER = "pcsc:Virtual PCD 00 00"
LACKS = "SSSE, DF01, DF02, DF03, DF04, DF07, DF05, DF06"

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def needed() -> None:
    demand_vicc()


@pytest.fixture
def inserted(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The environment of a private PC/SC daemon with the card of vicc in its reader, and the example beside it."""
    demand_pcsc()
    shutil.copytree(EXAMPLE, tmp_path / "vicc")
    file = tmp_path / "vicc" / "testbed.yaml"
    with PrivatePcscd(1) as daemon:
        text = file.read_text("utf-8")
        assert READER in text
        file.write_text(text.replace(READER, f"pcsc:{daemon.reader_name(0)}"), "utf-8")
        with vicc(daemon.port(0)):
            yield daemon.environment


def checked(environment: dict[str, Any]) -> None:
    """The report says what the card is, and what it is not."""
    assert environment["claim"] == "none: only raw commands are run, and no state of the card is known"
    assert environment["atr"] == "3B 95 13 81 01 80 73 FF 01 00 0B"
    assert environment["kind"] == "no social security card: SELECT SSSE: 6A82 file not found"
    assert environment["lacks"] == LACKS
    assert "SELECT MF: 9000 done" in environment["answers"]
    assert "GET CHALLENGE: 9000 done" in environment["answers"]


def test_raw_scenarios_run_on_the_card_in_a_reader(inserted: dict[str, str], tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = run(
        *("run", "--json", "--testbed", tmp_path / "vicc/testbed.yaml", tmp_path / "vicc/scenarios"),
        *("--html", page),
        **inserted,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [result["verdict"] for result in report["results"]] == ["passed", "passed"]
    checked(report["environment"])
    assert "reader" in report["environment"]
    assert "no social security card" in page.read_text("utf-8")


def test_the_suite_is_not_for_the_card_and_says_what_it_is(inserted: dict[str, str], tmp_path: Path) -> None:
    suite = builtin_folder() / "01-function/power-on"
    done = run("run", "--json", suite, "--testbed", tmp_path / "vicc/testbed.yaml", **inserted)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-2:] == [
        "sscard: no scenario was run on the card, which claims nothing: "
        "no social security card: SELECT SSSE: 6A82 file not found",
        "  name scenarios of raw commands that begin with power_on:",
    ]
    report = json.loads(done.stdout)
    assert {result["verdict"] for result in report["results"]} == {"not applicable"}
    checked(report["environment"])


def test_a_claim_that_the_card_does_not_keep_is_an_error(inserted: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "vicc/testbed.yaml"
    file.write_text(file.read_text("utf-8").replace("personality: none", "personality: v3-sm4"), "utf-8")
    (tmp_path / "verify.yaml").write_text("name: a\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n")
    done = run("run", tmp_path / "verify.yaml", "--testbed", file, **inserted)
    assert done.returncode == 2
    assert "the card is no social security card: SELECT SSSE: 6A82 file not found" in done.stderr
    assert "3B 95 13 81 01 80 73 FF 01 00 0B" in done.stderr
    assert "personality: none" in done.stderr


def test_the_card_connects_to_the_run(sscard: CommandLine, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    file = tmp_path / "testbed.yaml"
    file.write_text((EXAMPLE / "testbed.yaml").read_text("utf-8").replace(READER, f"tcp::{port}"), "utf-8")
    ended: list[int] = []

    def connect() -> None:
        """Start vicc until one has met a run that listens: without one it ends."""

        def met() -> bool:
            with vicc(port) as program:
                until(lambda: program.process.poll() is not None or bool(ended))
            return bool(ended)

        until(met)

    with in_thread(connect, lambda: ended.append(0)):
        code, out, _ = sscard("run", "--json", "--testbed", file, EXAMPLE / "scenarios")
    assert code == 0
    checked(json.loads(out)["environment"])
