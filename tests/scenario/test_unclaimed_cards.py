"""Scenarios of raw commands on cards that claim nothing: which run, what they may send, what a report says."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from kit.programs import CommandLine

ANY_CARD = """\
import sys

for line in sys.stdin:
    if line.startswith("reset"):
        answer = "3B8001019000"
    elif line.startswith(("00A4000C", "00D6", "0084")):
        answer = "01020304050607089000" if line.startswith("0084") else "9000"
    elif line.startswith("00FF"):
        break
    else:
        answer = "6A82"
    with open(sys.argv[1], "a") as log:
        log.write(line)
    print(answer, flush=True)
"""
"""A program with a card that has an MF, and nothing else; it logs its commands, and ends with INS FF."""
READS = "name: reads\nproves: b\nsteps:\n  - power_on:\n    data: 3B ...\n  - apdu: 00 A4 00 0C 02 3F 00\n"
WRITES = "name: writes\nproves: b\nsteps:\n  - power_on:\n  - apdu: 00 D6 00 00 01 AA\n"
PERMITTED = "  may_write: yes\n  may_block: yes\n  may_destroy: yes\n"


class AnyCard:
    """The card behind a program, and its testbed file."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        (folder / "card.py").write_text(ANY_CARD)

    def testbed(self, more: str = "", personality: str = "none") -> Path:
        file = self.folder / "testbed.yaml"
        use = f"exec:{sys.executable} {self.folder / 'card.py'} {self.log}"
        file.write_text(f'card:\n  use: "{use}"\n  personality: {personality}\n{more}')
        return file

    def scenario(self, text: str, name: str = "own.yaml") -> Path:
        file = self.folder / name
        file.write_text(text)
        return file

    @property
    def sent(self) -> list[str]:
        return self.log.read_text().split()


@pytest.fixture
def card(tmp_path: Path) -> AnyCard:
    return AnyCard(tmp_path)


def test_a_raw_scenario_runs_and_has_no_state(sscard: CommandLine, card: AnyCard) -> None:
    code, out, _ = sscard("run", "--json", "--testbed", card.testbed(), card.scenario(READS))
    report = json.loads(out)
    result = report["results"][0]
    assert (code, result["verdict"], result["personality"]) == (0, "passed", "none")
    assert {(step["tries"], step["state"]) for step in result["steps"]} == {(None, None)}
    environment = report["environment"]
    assert environment["kind"] == "no social security card: SELECT SSSE: 6A82 file not found"
    assert environment["lacks"].startswith("SSSE, DF01")
    assert environment["atr"] == "3B 80 01 01"


def test_the_look_at_a_card_sends_no_command_that_could_cost_a_try(sscard: CommandLine, card: AnyCard) -> None:
    sscard("run", "--testbed", card.testbed(), card.scenario(READS))
    assert {line[2:4] for line in card.sent if line != "reset"} == {"A4", "B0", "B2", "84", "C0", "CA"}


@pytest.mark.parametrize(
    "text",
    [
        "name: a\nproves: b\nsteps:\n  - apdu: 00 A4 00 0C 02 3F 00\n",
        "name: a\nproves: b\nsteps:\n  - power_on:\n  - tries_left: 6\n",
        "name: a\nproves: b\nsteps:\n  - power_on:\n    state: ready\n",
        "name: a\nproves: b\ncard: {personality: v2-3des}\nsteps:\n  - power_on:\n",
        "name: a\nproves: b\nneeds: {interface: contact}\nsteps:\n  - power_on:\n",
        "name: a\nproves: b\nsteps:\n  - power_on:\n  - apdu: 00 A4 00 0C 02 3F 00\n    sw: 63C(max)\n",
    ],
    ids=["inserted", "verb", "state", "card", "needs", "choice"],
)
def test_what_needs_a_social_security_card_is_not_applicable(sscard: CommandLine, card: AnyCard, text: str) -> None:
    code, out, err = sscard("run", "--json", "--testbed", card.testbed(PERMITTED), card.scenario(text))
    assert code == 2
    assert "no social security card" in err
    result = json.loads(out)["results"][0]
    assert result["verdict"] == "not applicable"
    assert result["reason"].startswith("the card claims nothing")


@pytest.mark.parametrize("missing", ["may_write", "may_block", "may_destroy"])
def test_what_may_change_the_card_needs_every_permission(sscard: CommandLine, card: AnyCard, missing: str) -> None:
    testbed = card.testbed(PERMITTED.replace(f"{missing}: yes", f"{missing}: no"))
    files = card.scenario(READS), card.scenario(WRITES, "writes.yaml")
    code, out, _ = sscard("run", "--json", "--testbed", testbed, *files)
    found = {result["name"]: result["reason"] for result in json.loads(out)["results"]}
    assert (code, found) == (0, {"reads": "", "writes": f"not permitted: {missing}"})
    assert not [line for line in card.sent if line.startswith("00D6")]


def test_a_command_with_a_captured_value_may_change_the_card(sscard: CommandLine, card: AnyCard) -> None:
    text = (
        "name: a\nproves: b\nsteps:\n  - power_on:\n  - get_challenge: 8\n    capture: {c: data}\n  - apdu: 00A4${c}\n"
    )
    code, out, _ = sscard("testbed", "check", card.testbed(), card.scenario(text))
    assert (code, out.splitlines()[0]) == (0, "not permitted: may_write: 1")


def test_what_is_permitted_runs_last_and_each_time_on_a_new_card(sscard: CommandLine, card: AnyCard) -> None:
    testbed = card.testbed(PERMITTED + f'  fresh: "{sys.executable} -c pass"\n')
    files = (
        card.scenario(WRITES),
        card.scenario(WRITES.replace("writes", "again"), "again.yaml"),
        card.scenario(READS, "reads.yaml"),
    )
    code, out, _ = sscard("run", "--json", "--testbed", testbed, *files)
    assert (code, [result["name"] for result in json.loads(out)["results"]]) == (0, ["reads", "writes", "again"])
    looks = [line for line in card.sent if line.startswith("00A404") and "7378312E" in line]
    assert len(looks) == 2  # the second card is looked at too


def test_a_card_that_ends_fails_the_step_by_its_status_word_alone(sscard: CommandLine, card: AnyCard) -> None:
    text = "name: ends\nproves: b\nsteps:\n  - power_on:\n  - apdu: 00 FF 00 00\n"
    code, out, _ = sscard("run", "--json", "--testbed", card.testbed(PERMITTED), card.scenario(text))
    wrong = json.loads(out)["results"][0]["failure"]["mismatches"]
    assert (code, [each["field"] for each in wrong]) == (1, ["sw"])


def test_no_answer_can_be_expected(sscard: CommandLine, card: AnyCard) -> None:
    text = "name: ends\nproves: b\nsteps:\n  - power_on:\n  - apdu: 00 FF 00 00\n    sw: none\n  - power_on:\n"
    assert sscard("run", "--testbed", card.testbed(PERMITTED), card.scenario(text))[0] == 0


def test_the_plan_says_why_a_scenario_does_not_run(sscard: CommandLine, card: AnyCard) -> None:
    verify = card.scenario("name: verify\nproves: b\nsteps:\n  - verify_pin: 123456\n", "verify.yaml")
    code, out, _ = sscard("testbed", "check", card.testbed(), card.scenario(READS), verify)
    assert (code, out.splitlines()) == (
        0,
        [
            "the card claims nothing: only scenarios of raw commands that begin with power_on: run: 1",
            "  verify",
            "to run: 1",
            "  reads",
            "2 scenarios, 1 to run",
        ],
    )
    assert not card.log.exists()


def test_a_claim_of_a_card_without_ssse_is_an_error_that_says_what_it_is(sscard: CommandLine, card: AnyCard) -> None:
    own = card.scenario("name: verify\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n")
    code, _, err = sscard("run", "--testbed", card.testbed(personality="v3-sm4"), own)
    assert code == 2
    assert "the card is no social security card: SELECT SSSE: 6A82 file not found. Its ATR is 3B 80 01 01;" in err
    assert "SELECT MF: 9000 done, READ BINARY: 6A82 file not found" in err


def test_a_social_security_card_that_claims_nothing_is_called_one(sscard: CommandLine, tmp_path: Path) -> None:
    sscard("issue", "-o", tmp_path / "card.db")
    file = tmp_path / "testbed.yaml"
    file.write_text("card: {use: card.db, personality: none}\n")
    (tmp_path / "own.yaml").write_text("name: a\nproves: b\nsteps:\n  - power_on:\n  - get_challenge: 8\n")
    code, out, _ = sscard("run", "--json", "--testbed", file, tmp_path / "own.yaml")
    environment = json.loads(out)["environment"]
    assert (code, environment["kind"]) == (0, "a card with the application SSSE")
    assert "DF01" not in environment.get("lacks", "")


@pytest.mark.parametrize("option", [("--report", "form=form.html"), ("--coverage",)], ids=["form", "coverage"])
def test_what_is_about_social_security_cards_is_refused(
    sscard: CommandLine, card: AnyCard, option: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(card.folder)
    code, _, err = sscard("run", card.scenario(READS), "--testbed", card.testbed(), *option)
    assert code == 2
    assert "is for social security cards, and the card of the testbed claims nothing" in err
    assert not Path("form.html").exists()
    assert not card.log.exists()


def test_the_page_of_a_run_says_what_the_card_is_and_measures_no_coverage(sscard: CommandLine, card: AnyCard) -> None:
    page = card.folder / "report.html"
    assert sscard("run", card.scenario(READS), "--testbed", card.testbed(), "--html", page)[0] == 0
    text = page.read_text("utf-8")
    assert "no social security card: SELECT SSSE: 6A82 file not found" in text
    assert 'id="maps"' not in text


def test_the_scenarios_of_a_table_and_known_issues_are_as_ever(sscard: CommandLine, card: AnyCard) -> None:
    rows = "with:\n  - {row: one, id: 3F00}\n  - {row: two, id: 3F01}\n"
    table = card.scenario(f"name: t\nproves: b\n{rows}steps:\n  - power_on:\n  - apdu: 00A4000C02${{id}}\n", "t.yaml")
    issue = READS.replace("proves: b", "proves: b\nknown_issue: ABC-1").replace("3B ...", "3F ...")
    code, out, _ = sscard("run", "--json", "--testbed", card.testbed(), table, card.scenario(issue))
    found = {result["name"]: result["verdict"] for result in json.loads(out)["results"]}
    assert (code, found) == (0, {"t (one)": "passed", "t (two)": "passed", "reads": "known issue"})
