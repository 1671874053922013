"""Wrong cards in other processes: the scenarios that the catalogue names notice the defect, and pass the right card."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kit import new_card
from kit.pcsc import demand_pcsc
from kit.programs import CommandLine, run
from kit.testbeds import ForeignCard
from sscard.scenario.defects import DEFECTS
from sscard.scenario.defects.noticed import noticed_by
from sscard.scenario.library import builtin_folder
from sscard.transport.pcscd import PrivatePcscd

TESTS = str(Path(__file__).parents[1])
FOR_EACH_CHANGE = {
    "get-response-gives-the-data-twice": "v3-sm4",
    "access-rule-and-is-treated-as-or": "v1-des",
    "debit-without-checking-mac1": "v2-3des",
}
"""Defects that are planted for each change, and the product of the card."""
WRONG = FOR_EACH_CHANGE | {
    "every-challenge-is-the-same": "v2-3des",
    "contactless-card-answers-61xx": "v3-sm4",
    "unknown-ins-is-taken-for-an-unknown-class": "v2-3des",
    "application-block-locks-the-card": "v1-des",
    "select-next-begins-again": "v1-des",
    "change-pin-takes-any-old-pin-after-verify": "v3-sm4",
    "pin-of-another-length-is-not-counted": "v1-des",
    "wrong-pin-leaves-the-pin-verified": "v3-sm4",
    "power-on-restores-the-tries": "v3-sm4",
    "empty-verify-costs-a-try": "v3-sm4",
    "reset-does-not-restore-the-tries": "v2-3des",
    "reset-takes-a-wrong-mac": "v1-des",
    "external-authentication-compares-7-of-8-bytes": "v3-sm4",
    "challenge-survives-a-change-of-df": "v3-sm4",
    "keys-stay-proven-in-another-df": "v2-3des",
    "internal-authentication-answers-zeros": "v1-des",
    "application-block-without-its-lock-key": "v3-sm4",
    "a-blocked-pin-blocks-keys-without-a-counter": "v3-sm4",
    "update-without-the-right": "v3-sm4",
    "read-binary-ignores-the-offset": "v1-des",
    "cyclic-file-counts-from-the-oldest-record": "v3-sm4",
    "fci-names-no-algorithm": "v2-3des",
    "starting-day-is-written-without-its-key": "v3-sm4",
    "load-count-stays": "v2-3des",
    "a-card-used-on-line-pays": "v3-sm4",
}
"""Defects of each module of the catalogue that concerns the card."""


def card_of(folder: Path, defect: str) -> ForeignCard:
    return ForeignCard(folder, WRONG[defect], contact=not defect.startswith("contactless"))


def files_of(defects: Iterable[str]) -> list[Path]:
    """The files of the built-in suite that the catalogue names."""
    sources = dict.fromkeys(each.file for defect in defects for each in noticed_by()[defect])
    return [builtin_folder().parent / source for source in sources]


def verdicts(out: str) -> set[str]:
    return {result["verdict"] for result in json.loads(out)["results"]}


def test_every_module_of_the_catalogue_about_the_card_has_a_wrong_card() -> None:
    module = {defect.name: defect.plant.__module__ for defect in DEFECTS if defect.part.value == "card"}
    assert {module[name] for name in WRONG} == {*module.values()}
    assert {*WRONG.values()} == {"v1-des", "v2-3des", "v3-sm4"}


@pytest.mark.parametrize(
    "defect", [pytest.param(name, marks=() if name in FOR_EACH_CHANGE else pytest.mark.nightly) for name in WRONG]
)
def test_the_named_scenarios_notice_a_wrong_card(sscard: CommandLine, tmp_path: Path, defect: str) -> None:
    foreign = card_of(tmp_path, defect)
    testbed = foreign.placed(f"{foreign.program} --defect {defect}")
    code, out, err = sscard("run", "--json", "--testbed", testbed, *files_of([defect]))
    assert (code, "failed" in verdicts(out)) == (1, True), err


@pytest.mark.parametrize("defect", FOR_EACH_CHANGE)
def test_the_same_scenarios_pass_the_right_card(sscard: CommandLine, tmp_path: Path, defect: str) -> None:
    code, out, err = sscard("run", "--json", "--testbed", card_of(tmp_path, defect).placed(), *files_of([defect]))
    assert code == 0, err
    assert "passed" in verdicts(out) <= {"passed", "not applicable"}


@pytest.mark.nightly
@pytest.mark.parametrize("personality", ["v1-des", "v2-3des", "v3-sm4"])
@pytest.mark.parametrize("contact", [True, False], ids=["contact", "contactless"])
def test_all_of_them_pass_the_right_cards(sscard: CommandLine, tmp_path: Path, personality: str, contact: bool) -> None:
    testbed = ForeignCard(tmp_path, personality, contact=contact).placed()
    code, out, err = sscard("run", "--json", "--testbed", testbed, *files_of(WRONG))
    assert code == 0, err
    assert "passed" in verdicts(out) <= {"passed", "not applicable"}


@contextmanager
def put(kind: str, foreign: ForeignCard, port: int, defect: str) -> Iterator[str]:
    """Put a card there; the command that puts a new one."""
    command = [sys.executable, "-m", "kit.new_card", kind, str(foreign.file), str(port), foreign.claim, defect]
    subprocess.run(command, check=True)  # noqa: S603
    try:
        yield " ".join(command)
    finally:
        new_card.end(foreign.file)


@pytest.mark.nightly
def test_a_wrong_card_behind_a_port_is_noticed(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    defect = "external-authentication-compares-7-of-8-bytes"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    foreign = card_of(tmp_path, defect)
    with put("tcp", foreign, port, defect) as fresh:
        testbed = foreign.placed(f"tcp:127.0.0.1:{port}", fresh)
        code, out, err = sscard("run", "--json", "--testbed", testbed, *files_of([defect]))
    assert (code, "failed" in verdicts(out)) == (1, True), err


@pytest.mark.nightly
def test_a_wrong_card_in_a_reader_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    demand_pcsc()
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    defect = "challenge-survives-a-change-of-df"
    foreign = card_of(tmp_path, defect)
    with PrivatePcscd(1) as daemon, put("insert", foreign, daemon.port(0), defect) as fresh:
        testbed = foreign.placed(f"pcsc:{daemon.reader_name(0)}", fresh)
        ended = run("run", "--json", "--testbed", testbed, *files_of([defect]), **daemon.environment)
    assert (ended.returncode, verdicts(ended.stdout)) == (1, {"failed"}), ended.stderr
