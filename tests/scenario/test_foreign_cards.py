"""Scenarios on cards in other processes, whose memory nobody can see: verdicts, permissions, care for the card."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest

from kit import new_card
from kit.not_applicable import CLAIMS as CARDS
from kit.not_applicable import LIST, applied
from kit.pcsc import demand_pcsc
from kit.programs import CommandLine, run
from kit.testbeds import ForeignCard, random_roots
from sscard.card import Snapshot
from sscard.errors import MissingPart
from sscard.issuer import issue_card
from sscard.issuer.cardfile import open_card
from sscard.issuer.hierarchy import TEST_KEYS
from sscard.scenario.library import builtin_folder
from sscard.scenario.testbed.card import CardRun, supply
from sscard.scenario.testbed.decision import decide
from sscard.scenario.testbed.file import read_testbed
from sscard.scenario.testbed.followed import Followed, Primed
from sscard.scenario.testbed.plan import scenarios_on
from sscard.standard.apdu import command
from sscard.standard.tree import SSSE_NAME
from sscard.transport.connection import ShortAnswer
from sscard.transport.pcscd import PrivatePcscd

CLAIMS = ("v1-des", "v2-3des", "v3-sm4")
TESTS = str(Path(__file__).parents[1])
OTHER_CARD = ("other generation", "other card product: its choices differ from the claim", "other interface")
"""Reasons of scenarios that are for another card."""
SAMPLE = (
    "01-function/change/counts-down.yaml",
    "01-function/authentication/external-counts.yaml",
    "01-function/block/application.yaml",
    "01-function/files/read-binary.yaml",
    "04-tear/reader/mute.yaml",
    "08-driver-psam/change.yaml",
    "11-service-window/blocked-during-change.yaml",
)
"""Files of the built-in suite of every kind: PIN, keys, locks, files, faults at the reader, driver, service."""
TWO_TRIES = """\
name: two tries
proves: b
card: {pin: 123456}
steps:
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
"""
BLOCKED = """\
name: blocked
proves: b
card: {tries_left: 0}
steps:
  - tries_left: 0
  - unblock_pin:
    tries: max
    state: PUK
"""
CHANGED = """\
name: changed
proves: b
steps:
  - change_pin: {old: 123456, new: 654321}
  - verify_pin: 654321
    state: verified
"""
CERTIFICATE_PIN = """\
name: certificate PIN
proves: b
card: {personality: v3-sm4, choices: {certificate_application: stub, certificate_user_tries: 3}}
steps:
  - select: SS.CERT.ADF1
  - verify_certificate_pin: {user: 123456, cryptogram: wrong}
    sw: 63C2
    certificate_tries: 2 6
  - verify_certificate_pin: {user: 123456, cryptogram: wrong}
    sw: 63C1
    certificate_tries: 1 6
  - verify_certificate_pin: {user: 123456, cryptogram: wrong}
    sw: 63C0
    certificate_tries: 0 6
"""
STUBBORN = """\
import sys
from sscard import issue_card

chip = issue_card(seed=7).chip()
changes = 0
for line in sys.stdin:
    if line.startswith("reset"):
        answer = chip.power_on() + bytes.fromhex("9000")
    elif line.startswith("805E") and (changes := changes + 1) > 1:
        answer = bytes.fromhex("6985")
    else:
        answer = chip.transmit(bytes.fromhex(line))
    print(answer.hex(), flush=True)
"""
"""A program with a card that changes its PIN only once."""


@pytest.fixture
def foreign(tmp_path: Path) -> ForeignCard:
    return ForeignCard(tmp_path)


def state_of(card: ForeignCard) -> Snapshot:
    """The state of the card, from its file."""
    with open_card(card.file) as opened:
        return opened.chip.snapshot()


def verdicts(sscard: CommandLine, *arguments: object) -> tuple[int, dict[str, str], list[dict[str, Any]]]:
    """Exit code, verdict by name, and all results of a run."""
    code, out, _ = sscard("run", "--json", *arguments)
    results = json.loads(out)["results"]
    return code, {result["name"]: result["verdict"] for result in results}, results


def passed(results: list[dict[str, Any]]) -> int:
    """How many scenarios passed; each of the others is not applicable because the card is another product."""
    others = [result for result in results if result["verdict"] != "passed"]
    reasons = {(result["verdict"], result["reason"]) for result in others}
    assert reasons <= {("not applicable", reason) for reason in OTHER_CARD}
    return len(results) - len(others)


@pytest.mark.slow
@pytest.mark.parametrize(
    "personality", [*(pytest.param(name, marks=pytest.mark.nightly) for name in CLAIMS[:-1]), CLAIMS[-1]]
)
def test_scenarios_pass_on_a_card_in_another_process(sscard, tmp_path, personality):
    foreign = ForeignCard(tmp_path, personality)
    files = [builtin_folder() / name for name in SAMPLE]
    code, _found, results = verdicts(sscard, "--testbed", foreign.placed(), *files)
    assert code == 0
    assert passed(results) >= 10


def put(kind: str, foreign: ForeignCard, port: int, personality: str) -> None:
    """Put the first card there."""
    command = [sys.executable, "-m", "kit.new_card", kind, foreign.file, str(port), personality]
    subprocess.run(command, check=True)  # noqa: S603


@pytest.mark.nightly
@pytest.mark.parametrize("personality", CLAIMS)
def test_scenarios_pass_on_a_card_behind_a_port(sscard, tmp_path, personality, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    foreign = ForeignCard(tmp_path, personality)
    put("tcp", foreign, port, personality)
    try:
        testbed = foreign.placed(
            f"tcp:127.0.0.1:{port}", f"{sys.executable} -m kit.new_card tcp {foreign.file} {port} {personality}"
        )
        code, _found, results = verdicts(sscard, "--testbed", testbed, *(builtin_folder() / name for name in SAMPLE))
    finally:
        new_card.end(foreign.file)
    assert code == 0
    assert passed(results) >= 10


@pytest.mark.nightly
@pytest.mark.parametrize("personality", CLAIMS)
def test_scenarios_pass_on_a_card_in_a_reader(tmp_path, personality, monkeypatch):
    demand_pcsc()
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    foreign = ForeignCard(tmp_path, personality)
    with PrivatePcscd(1) as daemon:
        port, reader = daemon.port(0), daemon.reader_name(0)
        put("insert", foreign, port, personality)
        try:
            fresh = f"{sys.executable} -m kit.new_card insert {foreign.file} {port} {personality}"
            files = [builtin_folder() / name for name in SAMPLE]
            testbed = foreign.placed(f"pcsc:{reader}", fresh)
            ended = run("run", "--json", "--testbed", testbed, *files, **daemon.environment)
        finally:
            new_card.end(foreign.file)
    assert ended.returncode == 0, ended.stderr
    content = json.loads(ended.stdout)
    assert passed(content["results"]) >= 10
    environment = content["environment"]
    assert (environment["card"], environment["reader"]) == (f"pcsc:{reader}", reader)
    assert environment["atr"].startswith("3B")


def test_the_card_is_as_before_after_each_scenario(sscard, foreign, tmp_path):
    for number, text in enumerate((TWO_TRIES, BLOCKED, CHANGED)):
        (tmp_path / f"{number}.yaml").write_text(text)
    before = state_of(foreign)
    files = [tmp_path / f"{number}.yaml" for number in range(3)]
    code, found, _ = verdicts(sscard, "--testbed", foreign.placed(), *files)
    assert (code, found) == (0, {"two tries": "passed", "blocked": "passed", "changed": "passed"})
    assert state_of(foreign) == before
    assert sscard("verify-pin", foreign.file, "--pin", "123456")[0] == 0


def test_what_is_not_permitted_is_not_sent(sscard, foreign, tmp_path):
    (tmp_path / "blocked.yaml").write_text(BLOCKED)
    (tmp_path / "changed.yaml").write_text(CHANGED)
    testbed = foreign.placed(may_write="no", may_block="no", may_destroy="no")
    _code, _found, results = verdicts(
        sscard, "--testbed", testbed, tmp_path / "blocked.yaml", tmp_path / "changed.yaml"
    )
    reasons = [(result["name"], result["verdict"], result["reason"]) for result in results]
    assert reasons == [
        ("blocked", "not applicable", "not permitted: may_block"),
        ("changed", "not applicable", "not permitted: may_write"),
    ]


@pytest.mark.parametrize(
    ("permitted", "kept", "why"),
    [
        ({"may_destroy": "no"}, 1, "exhaust a key or a certificate PIN: may_destroy is not set"),
        ({"may_destroy": "no", "may_block": "no"}, 2, "fewer than two tries: may_block is not set"),
    ],
)
def test_a_command_that_costs_tries_of_a_certificate_pin_is_not_sent_whatever_was_decided(
    tmp_path, monkeypatch, permitted, kept, why
):
    product = tmp_path / "own.yaml"
    choices = "certificate_application: stub, certificate_user_tries: 3"
    product.write_text(f"{{name: own, generation: '3.0', algorithm: SM4, {choices}}}\n")
    card = ForeignCard(tmp_path, str(product))
    file = tmp_path / "scenario.yaml"
    file.write_text(CERTIFICATE_PIN)
    use = f"image:{card.file}"
    lenient, testbed = (read_testbed(card.placed(use, **given)) for given in ({}, permitted))
    monkeypatch.setattr(
        "sscard.scenario.testbed.card.decide",
        lambda scenario, seed, _testbed, *given: decide(scenario, seed, lenient, *given),
    )
    (scenario,) = scenarios_on(testbed.claim, [file])
    with testbed.issuing.open() as issuer, CardRun(testbed, issuer, lambda _said: None) as running:
        result = running.run(scenario, 1)
    assert result.verdict == "inconclusive"
    assert result.failure is not None
    assert why in str(result.failure.mismatches[0].actual)
    assert state_of(card).certificate_tries == (kept, 6)


def test_a_card_that_differs_from_its_claim_fails(sscard, tmp_path):
    """The card has five tries, the vendor claims six."""
    (tmp_path / "five.yaml").write_text("{name: five, generation: '3.0', algorithm: SM4, pin_tries: 5}\n")
    (tmp_path / "tries.yaml").write_text(TWO_TRIES)
    foreign = ForeignCard(tmp_path, str(tmp_path / "five.yaml"), claim="v3-sm4")
    code, found, results = verdicts(sscard, "--testbed", foreign.placed(), tmp_path / "tries.yaml")
    assert (code, found) == (1, {"two tries": "failed"})
    wrong = [(each["field"], each["expected"], each["actual"]) for each in results[0]["failure"]["mismatches"]]
    assert wrong == [("tries", "6", "5")]


def test_a_right_that_the_card_gives_against_its_claim_is_found(sscard, tmp_path):
    """The card keeps the right of an earlier VERIFY after a wrong one; the claim says that it ends."""
    (tmp_path / "keeps.yaml").write_text("{name: keeps, generation: '3.0', algorithm: SM4, failed_verify_clears: no}\n")
    (tmp_path / "wrong.yaml").write_text(
        "name: wrong\nproves: b\nsteps:\n  - select: DF01\n  - verify_pin: 123456\n    state: verified\n"
        "  - verify_pin: 999999\n    sw: 63C5\n    tries: 5\n    state: ready\n"
    )
    foreign = ForeignCard(tmp_path, str(tmp_path / "keeps.yaml"), claim="v3-sm4")
    code, found, results = verdicts(sscard, "--testbed", foreign.placed(), tmp_path / "wrong.yaml")
    assert (code, found) == (1, {"wrong": "failed"})
    assert {wrong["field"] for wrong in results[0]["failure"]["mismatches"]} == {"rights"}


def test_a_run_stops_and_says_what_the_card_holds_if_it_cannot_be_restored(sscard, foreign, tmp_path):
    (tmp_path / "card.py").write_text(STUBBORN)
    (tmp_path / "changed.yaml").write_text(CHANGED)
    testbed = foreign.placed(f"exec:{sys.executable} {tmp_path / 'card.py'}")
    code, out, err = sscard("run", "--testbed", testbed, tmp_path / "changed.yaml", "--json")
    assert code == 1
    assert [(each["name"], each["verdict"]) for each in json.loads(out)["results"]] == [("changed", "passed")]
    assert "the card could not be restored after changed [v3-sm4]" in err
    assert "another PIN than the testbed says" in err
    assert "654321" not in err


def test_the_form_has_the_keys_of_the_card_and_a_digest_of_its_testbed(sscard, foreign, tmp_path):
    scenario, form, log = tmp_path / "verify.yaml", tmp_path / "form.html", tmp_path / "log"
    scenario.write_text("name: a\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n")
    keys = tmp_path / "issuer.yaml"
    keys.write_text(Path(TEST_KEYS).read_text("utf-8").replace("sscard test keys", "keys of the issuer"), "utf-8")

    def digest(**fields: str) -> str:
        shutil.rmtree(log, ignore_errors=True)
        testbed = foreign.placed(fresh="", **fields)
        sscard("run", scenario, "--testbed", testbed, "--report", f"form={form}", "--evidence", log)
        found: str = json.loads((log / "index.json").read_text())["testbed_sha256"]
        return found

    own = digest(keys=keys.name)
    assert "Key file: keys of the issuer" in form.read_text("utf-8")
    assert digest(keys=keys.name) == own
    assert digest(keys=keys.name, may_block="no") != own
    assert digest(keys="none") != own
    assert "The root keys of the card under test were not at hand." in form.read_text("utf-8")


def test_a_digest_of_a_testbed_does_not_depend_on_the_pin(foreign):
    described = [read_testbed(foreign.placed(pin=pin)).described for pin in ('"123456"', '"654321"')]
    assert described[0] == described[1]


def test_a_pin_in_a_command_of_a_testbed_is_masked_and_not_in_the_digest(foreign):
    read = [
        read_testbed(foreign.placed(f"exec:card --pin {pin}", f"new-card --pin {pin}", pin=f'"{pin}"'))
        for pin in ("123456", "654321")
    ]
    assert {each.shown_card for each in read} == {"exec:card --pin ••••"}
    assert read[0].described == read[1].described


def test_a_command_that_supplies_no_card_is_named_without_the_pin(foreign):
    card = read_testbed(foreign.placed(fresh="false --pin 739184", pin='"739184"')).card
    with pytest.raises(MissingPart) as failed:
        supply(card, 1, lambda _said: None)
    assert "739184" not in str(failed.value)
    assert "fresh: false --pin ••••: exit code 1" in str(failed.value)


def test_a_wrong_pin_in_the_testbed_is_an_error(sscard, foreign, tmp_path):
    (tmp_path / "changed.yaml").write_text(CHANGED)
    code, _out, err = sscard("run", "--testbed", foreign.placed(pin="739184"), tmp_path / "changed.yaml")
    assert code == 2
    assert "the card does not accept its PIN: 5 tries left" in err
    assert "739184" not in err
    assert state_of(foreign).pin_tries == 5


def test_a_card_that_ends_at_a_command_fails_at_this_command(sscard, foreign, tmp_path):
    ends = STUBBORN.replace('line.startswith("805E") and (changes := changes + 1) > 1', '"0020000003999999" in line')
    (tmp_path / "card.py").write_text(ends.replace('answer = bytes.fromhex("6985")', "sys.exit(3)"))
    (tmp_path / "wrong.yaml").write_text(
        "name: a\nproves: b\nsteps:\n  - verify_pin: 999999\n    sw: 63C(max - 1)\n    tries: max - 1\n"
    )
    testbed = foreign.placed(f"exec:{sys.executable} {tmp_path / 'card.py'}", fresh="")
    code, out, _err = sscard("run", "--testbed", testbed, tmp_path / "wrong.yaml", "--json")
    (result,) = json.loads(out)["results"]
    assert (code, result["verdict"], result["reason"]) == (1, "failed", "")
    assert ("sw", "no answer") in [(each["field"], each["actual"]) for each in result["failure"]["mismatches"]]


def test_keys_of_another_issuer_cost_no_try_unless_the_card_may_be_destroyed(sscard, foreign, tmp_path):
    (tmp_path / "changed.yaml").write_text(CHANGED)
    before, keys = state_of(foreign).key_tries, random_roots(tmp_path).name
    code, _out, err = sscard("run", "--testbed", foreign.placed(keys=keys, may_destroy="no"), tmp_path / "changed.yaml")
    assert code == 2
    assert "the keys are not those of the card: its internal authentication is another; no try was lost" in err
    assert "name the root keys of its issuer with keys: under card:, or write keys: none" in err
    assert state_of(foreign).key_tries == before
    code, _out, err = sscard("run", "--testbed", foreign.placed(keys=keys, fresh=""), tmp_path / "changed.yaml")
    assert code == 2
    assert "the card does not accept the key" in err
    assert state_of(foreign).key_tries != before


def test_a_new_card_is_asked_for_at_a_terminal_only(sscard, foreign):
    file = builtin_folder() / "01-function/block/card.yaml"
    code, _out, err = sscard("run", "--testbed", foreign.placed(fresh="prompt"), file)
    assert code == 3
    assert "standard input is not a terminal: insert sample 1" in err


def test_the_plan_says_what_runs_and_why_not(sscard, foreign, tmp_path):
    (tmp_path / "changed.yaml").write_text(CHANGED)
    testbed = foreign.placed("exec:false", may_write="no")
    code, out, _ = sscard("testbed", "check", testbed, tmp_path / "changed.yaml")
    assert (code, out) == (0, "not permitted: may_write: 1\n  changed\nto run: 0\n1 scenario, 0 to run\n")


@pytest.mark.parametrize(
    ("field", "problem"),
    [
        ("personality: v9", "personality"),
        ("may_wait: yes", "may_wait"),
        ("pin: 12", "pin"),
    ],
)
def test_a_wrong_field_is_an_error_with_its_place(sscard, tmp_path, field, problem):
    file = tmp_path / "testbed.yaml"
    file.write_text(f"card:\n  use: card.db\n  {field}\n")
    code, _out, err = sscard("testbed", "check", file, tmp_path)
    assert code == 2
    assert err.startswith(f"sscard: {file}:3:3: ")
    assert problem in err


@pytest.mark.nightly
@pytest.mark.parametrize("claim", CARDS, ids=lambda claim: claim.name)
def test_what_is_not_applicable_to_a_card_is_listed(claim):
    """After a change of the suite: python -m kit.not_applicable, in the folder of the tests."""
    found = applied(claim)
    listed = [line for line in LIST.read_text("utf-8").splitlines() if line.startswith(f"{claim.name}: ")]
    assert found.lines == listed
    assert found.running >= 0.7 * found.scenarios


def sequences(folder: Path, count: int, length: int, suite: Path) -> int:
    """Run random sequences of scenarios without ``may_block``; the fewest tries that a PIN or key had after one."""
    foreign = ForeignCard(folder)
    testbed = read_testbed(foreign.placed(f"image:{foreign.file}", fresh="", may_block="no", may_destroy="no"))
    found = [each for each in scenarios_on(testbed.claim, [suite]) if not each.misfit]
    fewest = 15
    with testbed.issuing.open() as issuer:
        for number in range(count):
            random = Random(number)
            with CardRun(testbed, issuer, lambda _said: None) as card:
                for scenario in random.sample(found, length):
                    result = card.run(scenario, number)
                    assert result.passed, (scenario.title, result.reason, result.failure)
            seen = state_of(foreign)
            fewest = min(fewest, seen.pin_tries, *(left for tries in seen.key_tries.values() for left in tries))
    return fewest


@pytest.mark.parametrize(("count", "part"), [(1, "01-function"), pytest.param(2, "", marks=pytest.mark.nightly)])
def test_without_may_block_two_tries_stay(tmp_path, count, part):
    assert sequences(tmp_path, count, 20, builtin_folder() / part) >= 2


@pytest.mark.campaign
def test_without_may_block_two_tries_stay_after_500_sequences(tmp_path):
    assert sequences(tmp_path, 500, 20, builtin_folder()) >= 2


def test_an_answer_without_a_status_word_is_an_error_of_the_card() -> None:
    """As a reader delivers it; a program and a plug-in that give one are refused before."""
    card = issue_card(seed=7)

    class OneByte:
        def power_on(self) -> bytes:
            return card.chip().power_on()

        reset = power_on

        def power_off(self) -> None: ...

        def transmit(self, _command: bytes) -> bytes:
            return b"\x90"

    random = Primed()
    followed = Followed(OneByte(), card.chip(random), random, lambda _before, _after: None, contact=True)
    followed.power_on()
    with pytest.raises(ShortAnswer, match="the card answered 1 byte"):
        followed.transmit(command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME))
    assert followed.card.unanswered
