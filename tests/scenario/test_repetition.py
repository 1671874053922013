"""The commands of a failure are sent to a card under test once more, without the code of the terminal."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from kit.testbeds import ForeignCard
from sscard.card.commands import DECLARED
from sscard.card.commands.challenge import GET_CHALLENGE
from sscard.card.commands.pin import PIN_CHANGE_UNBLOCK
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.issuer import CardReference, preset
from sscard.issuer.cardfile import open_card
from sscard.issuer.personalise import layout_of
from sscard.scenario.defects.catalogue import Patch
from sscard.scenario.defects.terminal import tries_left_are_parsed_one_byte_off
from sscard.scenario.repetition import not_repeated
from sscard.scenario.runner import ScenarioResult
from sscard.scenario.testbed import card as testbed_card
from sscard.scenario.testbed.card import CardRun
from sscard.scenario.testbed.file import read_testbed
from sscard.scenario.testbed.plan import scenarios_on
from sscard.scenario.testbed.recomputed import FORMS, Known, NotRenewable, Renewal
from sscard.standard.cipher import SM4
from sscard.terminal import flows
from sscard.terminal.flow import Flow
from sscard.version import SOURCES

TESTS = str(Path(__file__).parents[1])
CLAIMS = ("v1-des", "v2-3des", "v3-sm4")
WRONG_FORM = "0020000003:63C.=630."
"""A wrong PIN is answered with 630x."""
WRONG_PIN = """\
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
"""
SECRETS = """\
  - authenticate: {key: PUK}
    state: PUK
  - pin_change_unblock: {p2: "01", pin: 654321}
  - authenticate: {key: PUK}
    state: PUK
  - pin_change_unblock: {p2: "00", mac: wrong}
    sw: 6988
  - authenticate: {key: PUK, proof: wrong, wrong_byte: 8}
    sw: 63C(key_tries - 1)
    key_tries: {PUK: key_tries - 1}
    state: ready
  - authenticate: {key: PUK}
    key_tries: {PUK: key_tries}
    state: PUK
  - pin_change_unblock: {p2: "00"}
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
"""
ACCOUNT = """\
  - select: DF04
  - verify_pin: 123456
    state: verified
  - initialize_for_load: {amount: 10.00}
  - credit_for_load: {mac: wrong}
    sw: 9302
  - initialize_for_load: {amount: 10.00}
  - credit_for_load: {}
  - initialize_for_purchase: {account: 1.00}
  - debit_for_purchase: {mac: wrong}
    sw: 9302
  - initialize_for_purchase: {account: 1.00}
  - debit_for_purchase: {}
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
    state: ready
"""
LOCKS = """\
  - select: DF04
  - authenticate: {key: LKDF04}
    state: LKDF04
  - application_block: {mac: wrong}
    sw: 6988
  - application_block:
    state: LKDF04 DF04-blocked
  - select: SSSE
    state: DF04-blocked
  - authenticate: {key: BK}
    state: DF04-blocked BK
  - card_block:
    state: BK card-blocked DF04-blocked
  - power_off:
    state: off card-blocked DF04-blocked
  - power_on:
    state: card-blocked DF04-blocked
  - select: SSSE
    sw: 6A81
"""
UPDATES = """\
  - select: DF01
  - verify_pin: 123456
    state: verified
  - authenticate: {key: UK2DF01}
    state: verified UK2DF01
  - update_record: {file: EF07, number: 1, data: 29 01 31, secure: {mac: wrong}}
    sw: 6988
  - update_record: {file: EF07, number: 1, data: 29 01 31, secure: {}}
  - update_record: {file: EF07, number: 1, data: 29 01 00, secure: {challenge_length: 4}}
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
    state: UK2DF01
"""
CERTIFICATE = """\
  - select: SS.CERT.ADF1
  - verify_certificate_pin: {user: 123456, cryptogram: wrong}
    sw: 63C5
    certificate_tries: [5, certificate_administrator_tries]
  - verify_certificate_pin: {user: 123456}
    certificate_tries: [6, certificate_administrator_tries]
    state: certificate-user
"""


@pytest.fixture(autouse=True)
def _programs(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", TESTS, prepend=os.pathsep)
    monkeypatch.setenv(SOURCES, "1")  # the cards': a compiled chip takes no defect


class WrongCard(ForeignCard):
    """A card in another process with planted defects."""

    def __init__(self, folder: Path, *defects: str, personality: str = "v3-sm4", claim: str = "") -> None:
        super().__init__(folder, personality, claim=claim)
        self.issue += " --seed 7"
        self._defects = " ".join(defects)

    @property
    def program(self) -> str:
        return f"exec:{sys.executable} -m kit.defective_card {self.file} {self._defects}"


def scenario(folder: Path, steps: str, card: str = "{pin: 123456, personality: [v3-sm4, v2-3des, v1-des]}") -> Path:
    file = folder / "scenario.yaml"
    file.write_text(f"name: a\nproves: b\ncard: {card}\nsteps:\n{steps}")
    return file


def repeated(sscard, testbed: Path, file: Path) -> dict[str, Any]:
    """The repetition of a scenario that fails."""
    _code, out, err = sscard("run", "--json", "--testbed", testbed, file)
    assert out, err
    (result,) = [each for each in json.loads(out)["results"] if each["verdict"] != "not applicable"]
    assert result["verdict"] == "failed", (result["reason"], result["failure"])
    found: dict[str, Any] = result["repetition"]
    return found


def test_a_card_that_gives_one_random_number_twice_is_named(sscard, tmp_path):
    """sscard's own chip takes the random numbers of the card, so it answers the same."""
    steps = """
  - get_challenge: 8
    state: challenge
  - apdu: 00 84 00 00 08
  - authenticate: {key: PUK, challenge: last}
    sw: 63C(key_tries - 1)
    key_tries: {PUK: key_tries - 1}
    state: ready
"""
    found = repeated(sscard, WrongCard(tmp_path, "every-challenge-is-the-same").placed(), scenario(tmp_path, steps))
    assert (found["outcome"], found["unlike"]) == ("same", 0)
    assert found["text"].endswith("the card gave one random number twice: look at the card")


@pytest.mark.parametrize(
    "personality", [*(pytest.param(name, marks=pytest.mark.nightly) for name in CLAIMS[:-1]), CLAIMS[-1]]
)
@pytest.mark.parametrize(
    ("wrong", "steps"),
    [(WRONG_FORM, SECRETS), (WRONG_FORM, ACCOUNT), ("00A4:6A81=6A82", LOCKS)],
    ids=["PUK and PIN", "account", "locks"],
)
def test_proofs_and_macs_are_computed_for_the_present_random_number(sscard, tmp_path, personality, wrong, steps):
    card = WrongCard(tmp_path, wrong, personality=personality)
    found = repeated(sscard, card.placed(), scenario(tmp_path, steps))
    assert found["outcome"] == "same", found["text"]
    assert found["commands"] - found["unlike"] <= 1  # the last command, and the question for the tries after it
    named = "SELECT" if wrong.startswith("00A4") else "VERIFY (PIN of 3 bytes)"
    assert f"answers otherwise at command {found['unlike']}, {named}" in found["text"]
    assert found["text"].endswith("look at the card")


@pytest.mark.parametrize(
    ("choice", "steps"),
    [("updates_need_mac: yes", UPDATES), ("certificate_application: stub", CERTIFICATE)],
    ids=["updates", "certificate PIN"],
)
def test_commands_of_chosen_products_are_computed_too(sscard, tmp_path, choice, steps):
    name, _, value = choice.partition(": ")
    (tmp_path / "own.yaml").write_text(f"{{name: own, generation: '3.0', algorithm: SM4, {choice}}}\n")
    card = WrongCard(tmp_path, WRONG_FORM, "00200181:9000=6300", personality=str(tmp_path / "own.yaml"))
    file = scenario(tmp_path, steps, f"{{pin: 123456, choices: {{{name}: {value}}}}}")
    found = repeated(sscard, card.placed(), file)
    assert found["outcome"] == "same", found["text"]


@pytest.mark.parametrize(
    ("defect", "steps"),
    [
        (
            "external-authentication-compares-7-of-8-bytes",
            "  - authenticate: {key: PUK, proof: wrong, wrong_byte: 8}\n    sw: 63C(key_tries - 1)\n"
            "    key_tries: {PUK: key_tries - 1}\n",
        ),
        (
            "reset-takes-a-wrong-mac",
            "  - authenticate: {key: PUK}\n    state: PUK\n"
            "  - pin_change_unblock: {p2: 01, pin: 654321, mac: wrong}\n    sw: 6988\n",
        ),
        (
            "challenge-is-good-for-many-uses",
            "  - authenticate: {key: PUK}\n    state: PUK\n"
            "  - authenticate: {key: PUK, challenge: last}\n    sw: no_challenge\n",
        ),
    ],
)
def test_a_wrong_proof_that_the_card_takes_is_wrong_again(sscard, tmp_path, defect, steps):
    found = repeated(sscard, WrongCard(tmp_path, defect).placed(), scenario(tmp_path, steps))
    assert found["outcome"] == "same", found["text"]
    assert found["unlike"]


RESET = """\
  - reset_pin: 654321
    state: PUK
"""


def planted_on_the_real_card(monkeypatch, plant: Callable[[Patch], None]) -> None:
    """Plant a defect while a scenario runs on the card under test; its rehearsal and start state are right."""
    real = testbed_card.run_at

    def run_at(*given: Any) -> ScenarioResult:
        with Patch() as patch:
            plant(patch)
            return real(*given)

    monkeypatch.setattr(testbed_card, "run_at", run_at)


def proof_is_made_over_the_first_challenge(patch: Patch) -> None:
    """The terminal proves a key over its first challenge, which the card has forgotten."""

    def swapped() -> Flow[tuple[bytes, bytes]]:
        original, factor = yield from two_challenges()
        return factor, original

    two_challenges = patch.attribute(flows, "two_challenges", swapped)


def test_a_proof_that_the_terminal_makes_wrong_is_right_in_the_repetition(sscard, tmp_path, monkeypatch):
    planted_on_the_real_card(monkeypatch, proof_is_made_over_the_first_challenge)
    foreign = ForeignCard(tmp_path)
    found = repeated(sscard, foreign.placed(), scenario(tmp_path, RESET))
    assert (found["outcome"], found["expected"][:3], found["actual"]) == ("different", "63C", "9000 done")
    assert "EXTERNAL AUTHENTICATION (prove key 06 (PUK)): expected 63C" in found["text"]
    assert "got 9000 done; look at the terminal code" in found["text"]


def test_an_answer_that_the_terminal_takes_for_another_is_that_of_every_card(sscard, tmp_path, monkeypatch):
    planted_on_the_real_card(monkeypatch, tries_left_are_parsed_one_byte_off)
    steps = "  - tries_left: max\n"
    found = repeated(sscard, ForeignCard(tmp_path).placed(), scenario(tmp_path, steps))
    assert (found["outcome"], found["unlike"]) == ("same", 0)
    assert "sscard's own card answers so too: look at the terminal code" in found["text"]


def test_a_card_that_answers_otherwise_the_second_time_is_named(sscard, tmp_path):
    card = WrongCard(tmp_path, f"{WRONG_FORM}:1")
    found = repeated(sscard, card.placed(), scenario(tmp_path, WRONG_PIN))
    assert (found["outcome"], found["expected"][:4], found["actual"][:4]) == ("different", "6305", "63C5")
    assert "or the card is not deterministic" in found["text"]


def test_without_keys_the_commands_are_repeated_as_they_were(sscard, tmp_path):
    card = WrongCard(tmp_path, WRONG_FORM)
    testbed = card.placed(keys="none", fresh="", may_destroy="no")
    found = repeated(sscard, testbed, scenario(tmp_path, WRONG_PIN))
    assert found["outcome"] == "same", found["text"]


TWO_WRONG_PINS = """\
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
  - verify_pin: 999999
    sw: 63C(max - 2)
    tries: max - 2
"""


@pytest.mark.parametrize(("permitted", "outcome"), [("no", "none"), ("yes", "same")])
def test_what_left_fewer_than_two_tries_is_repeated_with_may_block_only(sscard, tmp_path, permitted, outcome):
    """The card has three tries, its vendor claims six, and its first answers do not show it."""
    (tmp_path / "three.yaml").write_text("{name: three, generation: '3.0', algorithm: SM4, pin_tries: 3}\n")
    card = WrongCard(
        tmp_path, "0020:63C3=63C6", "0020:63C2=63C5", personality=str(tmp_path / "three.yaml"), claim="v3-sm4"
    )
    testbed = card.placed(may_block=permitted, may_destroy="no", fresh="")
    found = repeated(sscard, testbed, scenario(tmp_path, TWO_WRONG_PINS))
    assert found["outcome"] == outcome, found["text"]
    with open_card(card.file) as opened:
        assert opened.chip.snapshot().pin_tries == 3
    if permitted == "no":
        assert (found["commands"], "fewer than two tries" in found["text"]) == (0, True)


def test_an_account_that_no_command_restores_is_not_repeated_without_a_new_card(sscard, tmp_path):
    card = WrongCard(tmp_path, WRONG_FORM)
    found = repeated(sscard, card.placed(fresh="", may_destroy="no"), scenario(tmp_path, ACCOUNT))
    assert found["outcome"] == "none"
    assert "no command brings the card back to the start state of the scenario" in found["text"]


def test_of_another_sample_only_status_words_are_compared(sscard, tmp_path):
    """Serial number, keys and proofs of the new card are others."""
    card = WrongCard(tmp_path, WRONG_FORM)
    found = repeated(sscard, card.placed(fresh=card.issue.replace("--seed 7", "--seed 8")), scenario(tmp_path, ACCOUNT))
    assert found["outcome"] == "same", found["text"]


def test_a_person_is_not_asked_for_a_card_to_repeat_with(tmp_path):
    card = WrongCard(tmp_path, "00A4:6A81=6A82")
    testbed = read_testbed(card.placed(fresh="prompt"))
    asked: list[object] = []

    def ask(said: object) -> None:
        asked.append(said)
        subprocess.run(shlex.split(card.issue), check=True, stdout=subprocess.DEVNULL)  # noqa: S603

    found = [each for each in scenarios_on(testbed.claim, [scenario(tmp_path, LOCKS)]) if not each.misfit]
    with testbed.issuing.open() as issuer, CardRun(testbed, issuer, ask) as running:
        result = running.run(found[0], 1)
    assert len(asked) == 1
    assert result.repetition is not None
    assert result.repetition.outcome == "none"
    assert "fresh: is no command" in str(result.repetition.said)


def test_every_report_has_the_outcome_and_no_pin(sscard, tmp_path):
    files = {name: tmp_path / f"report.{name}" for name in ("html", "junit", "json", "form")}
    reports = [f"--report={name}={file}" for name, file in (*files.items(), ("allure", tmp_path / "allure"))]
    card = WrongCard(tmp_path, WRONG_FORM)
    evidence, trace = tmp_path / "evidence", tmp_path / "trace.txt"
    file = scenario(tmp_path, WRONG_PIN.replace("999999", "738291"), "{personality: v3-sm4}")
    testbed = card.placed(fresh="", may_destroy="no")
    code, out, _ = sscard("run", "--testbed", testbed, file, *reports, "--evidence", evidence, "--trace", trace)
    assert code == 1
    said = "repeated without the terminal code: the card answered the same"
    texts = {each.name: each.read_text("utf-8") for each in (*files.values(), trace)}
    texts["output"] = " ".join(out.split())
    texts["evidence"] = next(evidence.glob("*.log")).read_text("utf-8")
    texts["allure"] = next((tmp_path / "allure").glob("*-result.json")).read_text("utf-8")
    assert [name for name, text in texts.items() if said not in text] == []
    assert [name for name, text in texts.items() if "738291" in text] == []
    case = ET.parse(files["junit"]).find(".//testcase")  # noqa: S314 - written above
    assert case is not None
    failure = case.find("failure")
    assert failure is not None
    assert said in failure.attrib["message"]
    assert said in (failure.text or "").replace("\n             ", " ")
    assert said in (case.findtext("system-out") or "")


RIGHT_PIN = """\
  - verify_pin: 999999
    sw: 63C(max - 1)
    tries: max - 1
  - verify_pin: 123456
    tries: max
    state: verified
"""


def test_a_card_that_is_not_in_its_start_state_again_is_not_repeated(sscard, tmp_path):
    card = WrongCard(tmp_path, "right-pin-does-not-restore-the-tries")
    found = repeated(sscard, card.placed(fresh="", may_destroy="no"), scenario(tmp_path, RIGHT_PIN))
    assert found["outcome"] == "none"
    assert "the card has 5 tries of the PIN, not 6 as at the start of the scenario" in found["text"]


def test_a_card_that_cannot_be_surveyed_is_an_error(sscard, tmp_path):
    """It answers the question for its tries with 630x."""
    card = WrongCard(tmp_path, "0020:63C.=630.")
    code, _out, err = sscard("run", "--testbed", card.placed(fresh=""), scenario(tmp_path, WRONG_PIN))
    assert code == 2
    assert "the card cannot be used: ask the tries left: 6306" in err


def test_every_command_over_a_random_number_has_a_form():
    assert set(FORMS) == {declared for declared in DECLARED if declared.bound_to_random}


def test_an_enciphered_pin_is_computed_only_if_it_is_known():
    hsm, card, personality = SoftHsm(), CardReference("410402", bytes(8)), preset("v3-sm4")

    def reset(challenge: bytes) -> bytes:
        header = bytes.fromhex("8424000114")
        return hsm.safe_message(SM4.algorithm_id, hsm.address_of("STK"), card, challenge, header, b"\x65\x43\x21")

    def renewed(*pins: bytes) -> bytes:
        renewal = Renewal(hsm, personality, layout_of(personality), card, card, Known(pins))
        renewal.follow(GET_CHALLENGE, bytes.fromhex("0084000008"), bytes(8), b"\1" * 8)
        return renewal.command(PIN_CHANGE_UNBLOCK, reset(bytes(8)), None, is_right=False)

    assert renewed(b"\x12\x34\x56", b"\x65\x43\x21") == reset(b"\1" * 8)
    with pytest.raises(NotRenewable, match="the PIN in its cipher text is not known"):
        renewed(b"\x12\x34\x56")


def test_a_repetition_that_ends_early_says_how_far_it_came():
    said = say(not_repeated("no HSM", 3).said)
    assert said == "repeated without the terminal code up to command 3, with the same answers: no HSM"
