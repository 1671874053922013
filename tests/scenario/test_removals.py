"""A removal in the place of each power cut, on cards in other processes: programs, behind a port, in a reader."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kit import new_card
from kit.pcsc import demand_pcsc
from kit.programs import CommandLine, run
from kit.testbeds import ForeignCard
from sscard.issuer.cardfile import open_card
from sscard.scenario.library import builtin_folder
from sscard.transport.pcscd import PrivatePcscd

TESTS = str(Path(__file__).parents[1])
CHANGE = """\
name: change
proves: b
steps:
  - cut_power:
      point: every
      steps:
        - change_pin: {old: 123456, new: 246810}
      spends: [PIN]
      after:
        old: [{verify_pin: 123456, tries: max, state: verified}]
        new: [{tries_left: max}, {verify_pin: 246810, state: verified}]
"""
LAST_TRIES = CHANGE.replace("name: change", "name: last tries\ncard: {tries_left: 2}").replace(
    "246810}\n      spends", "246810}\n          tries: max\n      spends"
)
ONE_POINT = """\
name: one point
proves: b
steps:
  - cut_power: {point: 0}
  - verify_pin: 123456
    sw: none
"""
FORGETFUL = """\
import sys
from sscard import issue_card

chip = issue_card(seed=7).chip()
for line in sys.stdin:
    reset = line.startswith("reset")
    answer = chip.power_on() + bytes.fromhex("9000") if reset else chip.transmit(bytes.fromhex(line))
    print(answer.hex(), flush=True)
"""
"""A program with a card that is a new one each time the program starts."""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ForeignCard:
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    (tmp_path / "change.yaml").write_text(CHANGE)
    (tmp_path / "last.yaml").write_text(LAST_TRIES)
    (tmp_path / "point.yaml").write_text(ONE_POINT)
    return ForeignCard(tmp_path)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        found: int = free.getsockname()[1]
    return found


def put(kind: str, foreign: ForeignCard, port: int) -> None:
    """Put the card there."""
    command = [sys.executable, "-m", "kit.new_card", kind, foreign.file, str(port), foreign.claim]
    subprocess.run(command, check=True)  # noqa: S603


def result_of(sscard: CommandLine, testbed: Path, *files: Path) -> tuple[int, dict[str, Any], str]:
    """Exit code, the only result, and what the run says."""
    code, out, err = sscard("run", "--json", "--testbed", testbed, *files)
    (result,) = json.loads(out)["results"]
    return code, result, err


def tries_and_pin(foreign: ForeignCard) -> tuple[int, bytes]:
    with open_card(foreign.file) as opened:
        return opened.chip.snapshot().pin_tries, opened.chip.memory.strings[0]


@pytest.mark.slow
def test_a_program_that_is_ended_at_each_command_is_the_right_card(sscard, foreign, tmp_path):
    before = tries_and_pin(foreign)
    code, result, err = result_of(sscard, foreign.placed(fresh=""), tmp_path / "change.yaml")
    assert (code, result["verdict"]) == (0, "passed"), err
    assert result["removals"] == 3, "after the command, during it without a wait, and in the middle of its time"
    assert result["steps"][-1]["title"].startswith("a removal replaces the power cut: ")
    assert tries_and_pin(foreign) == before


def test_a_card_behind_a_port_loses_its_power_at_each_command(sscard, foreign, port, tmp_path):
    put("tcp", foreign, port)
    try:
        testbed = foreign.placed(f"tcp:127.0.0.1:{port}", fresh="")
        code, result, err = result_of(sscard, testbed, tmp_path / "change.yaml")
    finally:
        new_card.end(foreign.file)
    assert (code, result["verdict"], result["removals"]) == (0, "passed", 2), err
    assert tries_and_pin(foreign)[0] == 6


@pytest.mark.nightly
def test_a_card_in_a_reader_loses_its_power_after_each_command(foreign, tmp_path):
    demand_pcsc()
    with PrivatePcscd(1) as daemon:
        port, reader = daemon.port(0), daemon.reader_name(0)
        put("insert", foreign, port)
        try:
            testbed = foreign.placed(f"pcsc:{reader}", fresh="")
            files = (tmp_path / "change.yaml", builtin_folder() / "04-tear/wrong-pin.yaml")
            ended = run("run", "--json", "--testbed", testbed, *files, **daemon.environment)
        finally:
            new_card.end(foreign.file)
    assert ended.returncode == 0, ended.stderr
    results = json.loads(ended.stdout)["results"]
    assert [(each["verdict"], each["removals"]) for each in results] == [("passed", 2)] * 3


@pytest.fixture(params=[pytest.param("program", marks=pytest.mark.nightly), "port"])
def torn(request: pytest.FixtureRequest, foreign: ForeignCard, port: int) -> Iterator[Path]:
    """The testbed of a card that writes half of a PIN, and the rest at the next command."""
    command = [sys.executable, "-m", "kit.torn_card", str(foreign.file)]
    if request.param == "program":
        yield foreign.placed(f"exec:{' '.join(command)}", fresh="")
        return
    with subprocess.Popen([*command, str(port)], stdout=subprocess.PIPE, text=True) as card:  # noqa: S603
        assert card.stdout is not None
        assert card.stdout.readline() == "ready\n"
        yield foreign.placed(f"tcp:127.0.0.1:{port}", fresh="")
        card.kill()


def test_a_card_that_tears_its_pin_is_noticed(sscard, torn, tmp_path):
    """Without a new card the run stops there: no key of the testbed says what the PIN is now."""
    code, result, err = result_of(sscard, torn, tmp_path / "change.yaml")
    assert (code, result["verdict"]) == (1, "failed"), err
    (wrong,) = result["failure"]["mismatches"]
    assert wrong["actual"].startswith("removal after command 1: the card is neither as before the command nor as after")
    assert result["repetition"]["outcome"] == "none"
    assert "the card could not be restored after change" in err
    assert "246810" not in err


@pytest.mark.nightly
def test_the_scenarios_after_a_torn_card_get_a_new_one(sscard, foreign, tmp_path):
    (tmp_path / "next.yaml").write_text("name: next\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n")
    testbed = foreign.placed(f"exec:{sys.executable} -m kit.torn_card {foreign.file}")
    code, out, err = sscard("run", "--json", "--testbed", testbed, tmp_path / "change.yaml", tmp_path / "next.yaml")
    assert code == 1, err
    assert [each["verdict"] for each in json.loads(out)["results"]] == ["failed", "passed"]


def test_a_program_that_forgets_what_it_wrote_is_not_removed(sscard, foreign, tmp_path):
    (tmp_path / "card.py").write_text(FORGETFUL)
    testbed = foreign.placed(f"exec:{sys.executable} {tmp_path / 'card.py'}", fresh="")
    code, result, _err = result_of(sscard, testbed, tmp_path / "change.yaml")
    assert (code, result["verdict"]) == (0, "not applicable")
    assert "does not show that it keeps its state" in result["reason"]


def test_the_plan_says_what_a_removal_replaces_and_what_it_cannot(sscard, foreign, tmp_path):
    files = [tmp_path / name for name in ("change.yaml", "point.yaml")]
    files.append(builtin_folder() / "04-tear/debit.yaml")
    code, out, _err = sscard("testbed", "check", foreign.placed(), *files)
    assert code == 0
    assert "  change  (a removal replaces the power cut)\n" in out
    assert "power cut at a write point: 2\n  one point\n" in out
    _code, out, _err = sscard("testbed", "check", "--json", foreign.placed(), *files)
    assert [each["removes"] for each in json.loads(out)["scenarios"]] == [True, False, False]


def test_a_removal_needs_the_permissions_of_the_plan(sscard, foreign, tmp_path):
    files = tmp_path / "change.yaml", tmp_path / "last.yaml"
    _code, out, _err = sscard("testbed", "check", foreign.placed(may_write="no"), *files)
    assert "not permitted: may_write: 2\n" in out
    _code, out, _err = sscard("testbed", "check", foreign.placed(may_block="no"), *files)
    assert "not permitted: may_block: 1\n  last tries\n" in out
