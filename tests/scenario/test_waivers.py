"""Waivers: what each outcome is in every report, which files are refused, and the way from --accept to a fixed card."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import fromstring

import jsonschema
import pytest
import yaml

from kit.programs import CommandLine
from kit.report_page import without_fractions
from sscard.errors import MissingPart
from sscard.scenario import waiver_entries, waiving

PIN = "739184"
TODAY = date(2026, 11, 26)
SUITE = """\
name: Wrong PIN
proves: b
card: {pin: 739184}
steps:
  - verify_pin: 739184
    state: verified
  - verify_pin: 415926
    sw: 63C4
    state: ready
    tries: 5
"""
"""Its second step fails: the card answers 63C5."""
PASSING = SUITE.replace("63C4", "63C5")
WAIVER = {
    "scenario": "Wrong PIN",
    "step": "2",
    "field": "sw",
    "observed": "63C5",
    "reason": "counts late",
    "ticket": "CARD-12",
    "expires": "2026-11-26",
}


class Outcome(NamedTuple):
    """A suite and its waivers, the verdict of the scenario, its reason, and the tickets that apply."""

    suite: str
    waivers: list[dict[str, Any]]
    verdict: str
    reason: str
    tickets: list[str]


NAMED = "waiver CARD-12 (waivers.yaml:1): "
OUTCOMES = {
    "waived": Outcome(SUITE, [WAIVER], "waived", "waived until 2026-11-26, CARD-12: counts late", ["CARD-12"]),
    "both fields waived": Outcome(
        SUITE.replace("tries: 5", "tries: 3"),
        [WAIVER, WAIVER | {"field": "tries", "observed": "5", "ticket": "CARD-13"}],
        "waived",
        "waived until 2026-11-26, CARD-12: counts late; waived until 2026-11-26, CARD-13: counts late",
        ["CARD-12", "CARD-13"],
    ),
    "another field fails too": Outcome(
        SUITE.replace("tries: 5", "tries: 3"), [WAIVER], "failed", "tries: not waived", ["CARD-12"]
    ),
    "another value": Outcome(
        SUITE,
        [WAIVER | {"observed": "6300"}],
        "failed",
        f"{NAMED}does not cover sw 63C5, only 6300",
        ["CARD-12"],
    ),
    "passes": Outcome(PASSING, [WAIVER], "failed", f"{NAMED}passes, remove the waiver", ["CARD-12"]),
    "waived step passes, another fails": Outcome(
        SUITE, [WAIVER | {"step": "1"}], "failed", f"{NAMED}passes, remove the waiver", ["CARD-12"]
    ),
    "waived field passes, another fails": Outcome(
        SUITE, [WAIVER | {"field": "state", "observed": "blocked"}], "failed", f"{NAMED}passes", ["CARD-12"]
    ),
    "expired": Outcome(
        SUITE, [WAIVER | {"expires": "2026-11-25"}], "failed", f"{NAMED}expired on 2026-11-25", ["CARD-12"]
    ),
    "passes and expired": Outcome(
        PASSING, [WAIVER | {"expires": "2020-01-01"}], "failed", f"{NAMED}passes, remove the waiver", ["CARD-12"]
    ),
    "an earlier step fails": Outcome(SUITE.replace("state: verified", "state: blocked"), [WAIVER], "failed", "", []),
    "another scenario": Outcome(SUITE, [WAIVER | {"scenario": "Other"}], "failed", "", []),
    "another personality": Outcome(SUITE, [WAIVER | {"personality": "v2-3des"}], "failed", "", []),
    "another file": Outcome(SUITE, [WAIVER | {"file": "other.yaml"}], "failed", "", []),
    "step not executed": Outcome(
        SUITE.replace("  - verify_pin: 415926", "  - power_off:\n  - verify_pin: 415926"),
        [WAIVER | {"step": "3", "field": "verify_pin", "observed": "the card has no power"}],
        "failed",
        f"{NAMED}does not cover a step that could not be executed",
        ["CARD-12"],
    ),
}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(waiving, "today", lambda: TODAY)
    monkeypatch.chdir(tmp_path)


def written(waivers: list[dict[str, Any]], file: str = "waivers.yaml") -> None:
    Path(file).write_text(yaml.safe_dump(waivers, sort_keys=False), "utf-8")


def one_line(text: str) -> str:
    return " ".join(text.split())


class Reports(NamedTuple):
    """The folder with all reports of a run, what was printed, and the JSON."""

    printed: str
    json: dict[str, Any]

    @property
    def result(self) -> dict[str, Any]:
        [result] = self.json["results"]
        assert isinstance(result, dict)
        return result


def in_text(reports: Reports, outcome: Outcome) -> None:
    mark = {"waived": "~", "failed": "✗"}[outcome.verdict]
    assert f"{mark} Wrong PIN" in reports.printed
    assert outcome.reason in one_line(reports.printed)
    counts = "0 passed, 0 failed, 1 waived" if outcome.verdict == "waived" else "0 passed, 1 failed"
    assert counts in reports.printed


def in_json(reports: Reports, outcome: Outcome) -> None:
    assert reports.result["verdict"] == outcome.verdict
    assert outcome.reason in reports.result["reason"]
    assert [entry["ticket"] for entry in reports.result["waivers"]] == outcome.tickets
    if outcome.tickets:
        first = {"file": "waivers.yaml", "line": 1, "ticket": "CARD-12", "reason": "counts late"}
        assert first | {"expires": outcome.waivers[0]["expires"]} == reports.result["waivers"][0]


def in_junit(reports: Reports, outcome: Outcome) -> None:
    [suite] = fromstring(Path("report.xml").read_text("utf-8"))  # noqa: S314 - our own
    [case] = suite.iter("testcase")
    counts = {"waived": ("0", "1"), "failed": ("1", "0")}[outcome.verdict]
    assert (suite.get("failures"), suite.get("skipped")) == counts
    found = case.find("skipped" if outcome.verdict == "waived" else "failure")
    assert found is not None
    assert outcome.reason in found.get("message", "")
    properties = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert properties.get("waivers", "") == ", ".join(outcome.tickets)


def in_allure(reports: Reports, outcome: Outcome) -> None:
    [file] = Path("allure").glob("*-result.json")
    result = json.loads(file.read_text("utf-8"))
    details = result["statusDetails"]
    is_waived = outcome.verdict == "waived"
    assert result["status"] == ("skipped" if is_waived else "failed")
    assert (details["known"], details["muted"]) == (is_waived, is_waived)
    assert outcome.reason in details["message"]
    assert [link["name"] for link in result["links"]] == outcome.tickets
    names = [
        each["name"]
        for each in json.loads(Path("allure/categories.json").read_text("utf-8"))
        if result["status"] in each["matchedStatuses"]
        and re.fullmatch(each.get("messageRegex", "(?s).*"), details["message"])
    ]
    assert names == ["Waived" if is_waived else "Failed"]


def in_html(reports: Reports, outcome: Outcome) -> None:
    page = Path("report.html").read_text("utf-8")
    assert f"<p>{outcome.reason}" in page or not outcome.reason
    assert f'<th class="n" title="{outcome.verdict}">' in page


def in_form(reports: Reports, outcome: Outcome) -> None:
    page = Path("form.html").read_text("utf-8")
    assert f'<span class="verdict v-{outcome.verdict}">' in page
    assert outcome.reason in page
    section = page.split("<h2>7 ")[1].split("<h2>")[0]
    assert (outcome.reason in section and "S1" in section) == (outcome.verdict == "waived")


def in_trace(reports: Reports, outcome: Outcome) -> None:
    assert outcome.reason in Path("trace.txt").read_text("utf-8")


def in_evidence(reports: Reports, outcome: Outcome) -> None:
    [log] = Path("evidence").glob("*wrong*pin*.log")
    assert f"{outcome.verdict}\n" in log.read_text("utf-8")
    assert outcome.reason in log.read_text("utf-8")


REPORTERS = (in_text, in_json, in_junit, in_allure, in_html, in_form, in_trace, in_evidence)


@pytest.mark.parametrize("outcome", OUTCOMES.values(), ids=OUTCOMES)
def test_every_report_says_what_waivers_make_of_a_result(sscard: CommandLine, outcome: Outcome) -> None:
    Path("suite.yaml").write_text(outcome.suite, "utf-8")
    written(outcome.waivers)
    files = ("junit=report.xml", "html=report.html", "allure=allure", "form=form.html", "trace=trace.txt")
    options = [word for file in files for word in ("--report", file)]
    code, out, err = sscard(
        "run", "suite.yaml", "--waivers", "waivers.yaml", "--json", "--evidence", "evidence", *options
    )
    reports = Reports(err, json.loads(out))
    assert code == (0 if outcome.verdict == "waived" else 1)
    for check in REPORTERS:
        check(reports, outcome)
    _code, schema, _err = sscard("scenario", "schema", "--report")
    jsonschema.validate(reports.json, json.loads(schema))
    allure = "".join(file.read_text("utf-8") for file in Path("allure").iterdir())
    assert PIN not in without_fractions(sscard.said + allure)


@pytest.mark.parametrize(
    "fields",
    [
        {"scenario": "Wrong PIN (first)"},
        {"scenario": "Wrong PIN (first) [v3-sm4]"},
        {"scenario": "密码错误（first）"},
        {"scenario": "密码错误"},
        {"row": "first", "personality": "v3-sm4"},
        {"file": "suite/wrong.yaml"},
        {"file": "../suite/wrong.yaml"},
        {"file": "wrong.yaml"},
        {"observed": "63c5"},
        {"observed": "63 C5"},
        {"observed": "63C5 verification failed, 5 tries left"},
        {"observed": "63C5 校验失败，剩余5次"},
    ],
    ids=str,
)
def test_a_waiver_names_its_scenario_as_reports_do(sscard: CommandLine, fields: dict[str, str]) -> None:
    table = "name: {en: Wrong PIN, zh: 密码错误}\nwith: [{row: first, wrong: 415926}]"
    text = SUITE.replace("name: Wrong PIN", table).replace("verify_pin: 415926", "verify_pin: ${wrong}")
    Path("suite").mkdir()
    Path("suite/wrong.yaml").write_text(text, "utf-8")
    written([WAIVER | fields])
    assert sscard("run", "suite", "--waivers", "waivers.yaml")[0] == 0


def test_a_step_may_be_named_by_its_title(sscard: CommandLine) -> None:
    text = SUITE.replace("verify_pin: 739184\n    state: verified", "tries_left: 6")
    Path("suite.yaml").write_text(text, "utf-8")
    written([WAIVER | {"step": "verify_pin"}])
    assert sscard("run", "suite.yaml", "--waivers", "waivers.yaml")[0] == 0


def test_a_list_of_state_words_is_a_value(sscard: CommandLine) -> None:
    suite = PASSING.replace("state: ready", "state: verified")
    Path("suite.yaml").write_text(suite, "utf-8")
    written([WAIVER | {"field": "state", "observed": ["ready"]}])
    assert sscard("run", "suite.yaml", "--waivers", "waivers.yaml")[0] == 0


BROKEN: dict[str, tuple[str, str, str]] = {
    "no list": ("scenario: Wrong PIN\n", "1:1: a list of waivers expected", "1:1: 应为豁免的列表"),
    "no fields": ("- Wrong PIN\n", "1:3: document, entry 1: fields expected", "1:3: "),
    "an unknown field": ("- {scenarios: a}\n", "1:4: unknown field 'scenarios'\n  did you mean 'scenario'?", "1:4: "),
    "a field left out": ("- {scenario: a}\n", "1:3: field 'step' is missing", "1:3: 缺少字段'step'"),
    "no reason": (
        "reason: counts late",
        "reason: is empty\n  write the reason: why this failure is accepted",
        "填写理由",
    ),
    "no ticket": ("ticket: CARD-12", "ticket: is empty\n  write the ticket: a number or an address", "填写工单"),
    "no day": ("expires: '2026-11-26'", "7:3: expires: not a day", "7:3: expires: "),
    "a moment": ("expires: 1700000000", "7:3: expires: not a day", "7:3: expires: "),
    "not a day": ("expires: 2026-13-01", "7:3: expires: not a day\n  write year, month and day", "7:3: expires: "),
    "masked": ("observed: ••••", "4:3: observed: a masked value, which hides what was observed", "屏蔽后的值"),
    "twice": ("twice", "8:3: the field of this step is waived in line 1 too\n  keep one of them", "第1行已豁免"),
    "an unknown step": (
        "step: 3",
        "2:3: the scenario has no step '3'\n  write its title, or a number from 1 to 2",
        "3",
    ),
    "an unknown title": (
        "step: verify_pim",
        "2:3: the scenario has no step 'verify_pim'\n  did you mean",
        "verify_pim",
    ),
    "a title of two steps": ("step: verify_pin", "2:3: the steps 1, 2 have this title\n  write its number", "请写编号"),
    "an unknown field of the step": ("field: wss", "3:3: the step has no field 'wss' that can be waived", "可豁免"),
    "a time": ("field: within", "3:3: the step has no field 'within' that can be waived", "可豁免"),
    "a PIN as reason": (
        f"reason: takes {PIN} too",
        "5:3: reason: a PIN of the scenario, which every report would print\n  write the text without it",
        "reason：含有用例的密码",
    ),
    "a PIN as ticket": (f"ticket: CARD {PIN}", "6:3: ticket: a PIN of the scenario", "ticket：含有用例的密码"),
}
"""What is wrong: the text or the line of the good waiver that is replaced, and the error in both languages."""
OF_CHECK: dict[str, tuple[str, str, str]] = {
    "an unknown scenario": (
        "scenario: Wrong PINs",
        "1:3: unknown scenario 'Wrong PINs'\n  did you mean 'Wrong PIN'?",
        "1:3: 未知的用例'Wrong PINs'",
    ),
    "another file": ("file: other.yaml", "8:3: the scenario is not in the file 'other.yaml'", "该用例不在文件"),
    "an unknown row": ("row: first", "8:3: the scenario has no row 'first'\n  leave it out", "该用例没有行"),
}
"""What only a check with all scenarios can know."""


def broken(wrong: str) -> str:
    """The text of a waiver file with one mistake."""
    good = yaml.safe_dump([WAIVER], sort_keys=False)
    if wrong.startswith(("- ", "scenario: Wrong PIN\n")):
        return wrong
    if wrong == "twice":
        return good * 2
    name, __, value = wrong.partition(": ")
    if name not in WAIVER:
        return f"{good}  {wrong}\n"
    replaced = {"reason: counts late": "''", "ticket: CARD-12": "' '", "expires: '2026-11-26'": ""}.get(wrong, value)
    return re.sub(f"{name}: .*", f"{name}: {replaced}", good, count=1)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", [*BROKEN, *OF_CHECK])
def test_a_broken_waiver_file_is_refused_with_its_place(
    sscard: CommandLine, monkeypatch: pytest.MonkeyPatch, case: str, language: str
) -> None:
    monkeypatch.setenv("LANGUAGE", language)
    wrong, *said = (BROKEN | OF_CHECK)[case]
    Path("suite.yaml").write_text(SUITE, "utf-8")
    Path("waivers.yaml").write_text(broken(wrong), "utf-8")
    Path("testbed.yaml").write_text("card: {use: none.db}\nwaivers: waivers.yaml\n", "utf-8")
    commands = [["testbed", "check", "testbed.yaml", "suite.yaml"]]
    if case in BROKEN:
        commands.append(["run", "suite.yaml", "--waivers", "waivers.yaml"])
    for command in commands:
        code, out, err = sscard(*command)
        assert (code, out) == (2, "")
        assert "waivers.yaml:" in err
        assert said[language == "zh"] in err
        assert language == "en" or re.search("[一-鿿]", err)
        assert PIN not in err


@pytest.mark.parametrize("observed", ["73 91 84 9000", PIN])
def test_a_pin_of_the_scenario_as_observed_value_is_refused(sscard: CommandLine, observed: str) -> None:
    Path("suite.yaml").write_text(SUITE, "utf-8")
    written([WAIVER | {"field": "data", "observed": observed}])
    code, out, err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml")
    assert (code, out) == (2, "")
    assert "waivers.yaml:4:3: observed: a PIN of the scenario" in err
    assert PIN not in err


def test_a_status_word_with_the_digits_of_a_pin_is_none(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(SUITE.replace(PIN, "6300"), "utf-8")
    written([WAIVER | {"observed": "6300"}])
    code, out, err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml")
    assert (code, err) == (1, "")
    assert "waiver CARD-12 (waivers.yaml:1)" in out


def test_a_waiver_file_that_is_missing_is_an_error_and_one_of_comments_is_not(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(PASSING, "utf-8")
    code, _out, err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml")
    assert (code, "waivers.yaml: there is no such waiver file" in err) == (2, True)
    for text in ("", "# none\n", "---\n# none\n", "[]\n"):
        Path("waivers.yaml").write_text(text, "utf-8")
        assert sscard("run", "suite.yaml", "--waivers", "waivers.yaml")[0] == 0


def test_a_scenario_with_a_known_issue_needs_no_waiver(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(SUITE.replace("proves", "known_issue: SSC-1\nproves"), "utf-8")
    written([WAIVER])
    code, _out, err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml")
    assert (code, "waivers.yaml:1:3: the scenario has a known issue, SSC-1" in err) == (2, True)


def test_the_schema_of_waiver_files_takes_what_the_program_takes(sscard: CommandLine) -> None:
    schema = json.loads(sscard("testbed", "schema", "--waivers")[1])
    jsonschema.validate([WAIVER | {"file": "suite.yaml", "row": "first", "personality": "v3-sm4"}], schema)
    for wrong in (WAIVER | {"extra": "x"}, {key: value for key, value in WAIVER.items() if key != "reason"}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate([wrong], schema)
    assert "waivers" in json.loads(sscard("testbed", "schema")[1])["properties"]


def test_the_check_of_a_testbed_names_expired_waivers(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(PASSING, "utf-8")
    written([WAIVER, WAIVER | {"step": "1", "ticket": "OLD-1", "expires": "2026-11-25"}])
    Path("testbed.yaml").write_text("card: {use: none.db}\nwaivers: waivers.yaml\n", "utf-8")
    code, out, _err = sscard("testbed", "check", "testbed.yaml", "suite.yaml")
    assert code == 0
    assert out.splitlines()[-2:] == ["2 waivers", "  waiver OLD-1 (waivers.yaml:8): expired on 2026-11-25"]
    plan = json.loads(sscard("testbed", "check", "testbed.yaml", "suite.yaml", "--json")[1])
    assert [(each["ticket"], each["line"], each["expired"]) for each in plan["waivers"]] == [
        ("CARD-12", 1, False),
        ("OLD-1", 8, True),
    ]


@pytest.mark.parametrize(
    ("arguments", "noted"),
    [
        (["suite"], True),
        (["suite", "-k", "wrong"], False),
        (["suite/suite.yaml"], False),
        (["suite", "--only", "Wrong PIN [v3-sm4]"], False),
        (["suite", "-x"], False),
    ],
    ids=str,
)
def test_a_waiver_without_a_scenario_is_noted_after_the_whole_suite_only(
    sscard: CommandLine, arguments: list[str], noted: bool
) -> None:
    Path("suite").mkdir()
    Path("suite/suite.yaml").write_text(SUITE, "utf-8")
    Path("suite/z.yaml").write_text(PASSING.replace("Wrong", "Right"), "utf-8")
    other = WAIVER | {"scenario": "Other"}
    written([other] if "-x" in arguments else [WAIVER, other])
    code, _out, err = sscard("run", *arguments, "--waivers", "waivers.yaml")
    assert code == (1 if "-x" in arguments else 0)
    assert ("1 waiver names no scenario that was run" in err) == noted


def test_a_waived_scenario_has_not_failed_for_last_failed_and_against(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(SUITE, "utf-8")
    written([WAIVER])
    sscard("run", "suite.yaml", "--report", "json=before.json")
    before = json.loads(Path("before.json").read_text("utf-8"))
    for result in before["results"]:
        del result["seconds"]  # else a busy machine makes it slower
    Path("before.json").write_text(json.dumps(before), "utf-8")
    _code, out, _err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml", "--against", "before.json")
    assert "no difference" in out
    assert "No recorded failures" in sscard("run", "suite.yaml", "--last-failed", "--list")[2]


def test_a_run_in_processes_waives_the_same(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(SUITE, "utf-8")
    written([WAIVER])
    code, out, _err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml", "-n", "2")
    assert (code, "0 passed, 0 failed, 1 waived" in out) == (0, True)


def test_the_command_that_repeats_a_scenario_has_its_waivers(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(SUITE, "utf-8")
    written([WAIVER])
    _code, out, _err = sscard("run", "suite.yaml", "--waivers", "waivers.yaml", "--json")
    report = json.loads(out)
    assert report["results"][0]["again"].endswith("--seed 1 --waivers waivers.yaml")
    assert report["environment"]["waivers"] == "waivers.yaml"


def test_an_inconclusive_scenario_is_not_waived(sscard: CommandLine) -> None:
    Path("suite.yaml").write_text(SUITE, "utf-8")
    written([WAIVER])
    Path("testbed.yaml").write_text(
        f"card: {{use: 'exec:{sys.executable} card.py', pin: '{PIN}'}}\nwaivers: waivers.yaml\n", "utf-8"
    )
    Path("card.py").write_text(CARD, "utf-8")
    # sscard's own card of the claim does not pass it either, so nobody can say what the card under test does wrong.
    code, out, _err = sscard("run", "suite.yaml", "--testbed", "testbed.yaml", "--json")
    assert (code, json.loads(out)["results"][0]["verdict"]) == (1, "inconclusive")


def test_a_known_issue_of_sscards_own_card_is_named_in_the_plan(sscard: CommandLine) -> None:
    Path("known.yaml").write_text(
        "name: One\nproves: One.\nknown_issue: CARD-9\ncard: {pin: 123456}\n"
        "steps:\n  - verify_pin: 999999\n    sw: 63C1\n",
        "utf-8",
    )
    Path("testbed.yaml").write_text("card: {use: 'exec:true', may_write: yes, may_block: yes}\n", "utf-8")
    out = sscard("testbed", "check", "testbed.yaml", "known.yaml")[1]
    assert "sscard's own card of this claim does not pass it: step 1: sw: expected 63C1" in out
    assert "a state that only the memory can arrange" not in out


CARD = """\
import sys
from pathlib import Path
from sscard import issue_card

chip = issue_card(seed=7, pin="739184").chip()
for line in sys.stdin:
    command = bytes.fromhex("" if line.startswith("reset") else line)
    answer = chip.transmit(command) if command else chip.power_on() + bytes.fromhex("9000")
    wrong = Path("wrong").read_text() if Path("wrong").exists() else ""
    if wrong and command[:2] == b"\\x00\\x20" and len(command) > 5 and answer[:1] == b"\\x63":
        answer = bytes.fromhex(wrong)
    if command == b"\\x00\\x84\\x00\\x00\\x04" and Path("echo").exists():
        answer = bytes.fromhex("0073918400" "9000")
    print(answer.hex(), flush=True)
"""
"""A card in another process, which answers a wrong PIN with the status word of the file ``wrong``, if there is one."""


@pytest.fixture
def bench(sscard: CommandLine) -> Callable[..., tuple[int, str, str]]:
    """Runs the scenario on a card that answers a wrong PIN with 6300, and whose testbed names a waiver file."""
    Path("card.py").write_text(CARD, "utf-8")
    Path("wrong").write_text("6300")
    Path("suite.yaml").write_text(PASSING, "utf-8")
    Path("testbed.yaml").write_text(
        f"card: {{use: 'exec:{sys.executable} card.py', pin: '{PIN}'}}\nwaivers: waivers.yaml\n", "utf-8"
    )
    return lambda *options: sscard("run", "suite.yaml", "--testbed", "testbed.yaml", *options)


ACCEPT = ("--accept", "--ticket", "CARD-9", "--reason", "firmware 1.2: counts late")


def test_from_accept_to_the_card_that_is_fixed(bench: Callable[..., tuple[int, str, str]]) -> None:
    before = "# ours\n\n" + yaml.safe_dump([WAIVER]).replace("Wrong PIN", "Old  # still open") + "# end\n"
    Path("waivers.yaml").write_text(before, "utf-8")
    assert bench()[0] == 1
    code, out, _err = bench(*ACCEPT)
    assert (code, "0 passed, 0 failed, 1 waived" in out) == (0, True)
    after = Path("waivers.yaml").read_text("utf-8")
    assert after.startswith(before)
    [_old, new] = yaml.load(after, yaml.BaseLoader)  # noqa: S506 - it makes text only
    assert new == {
        "scenario": "Wrong PIN",
        "file": "suite.yaml",
        "step": "2",
        "field": "sw",
        "observed": "6300",
        "reason": "firmware 1.2: counts late",
        "ticket": "CARD-9",
        "expires": "2027-02-24",
    }
    assert "+  observed: '6300'" in out
    code, out, _err = bench()
    assert (code, "waived until 2027-02-24, CARD-9: firmware 1.2: counts late" in out) == (0, True)
    code, out, _err = bench(*ACCEPT)  # nothing is left to accept
    assert (code, Path("waivers.yaml").read_text("utf-8")) == (0, after)
    Path("wrong").write_text("6982")
    code, out, _err = bench(*ACCEPT)
    assert (code, "does not cover sw 6982, only 6300" in out) == (1, True)
    assert "stays as it is, correct it by hand" in out
    Path("wrong").unlink()
    code, out, _err = bench()
    assert (code, "waiver CARD-9 (waivers.yaml:11): passes, remove the waiver" in out) == (1, True)
    assert bench(*ACCEPT)[0] == 1
    assert Path("waivers.yaml").read_text("utf-8") == after
    Path("waivers.yaml").write_text(before, "utf-8")
    assert bench()[0] == 0


def test_without_reason_and_ticket_the_file_cannot_be_used_until_a_person_writes_them(
    bench: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = bench("--accept")
    assert (code, "0 passed, 1 failed" in out) == (1, True)
    assert "waivers.yaml: write reason: and ticket: of 1 new waiver" in err
    code, _out, err = bench()
    assert (code, "reason: is empty\n  write the reason: why this failure is accepted" in err) == (2, True)
    text = Path("waivers.yaml").read_text("utf-8")
    Path("waivers.yaml").write_text(text.replace("reason: ''", "reason: late").replace("ticket: ''", "ticket: A-1"))
    assert bench()[0] == 0


def test_seeds_are_accepted_once(bench: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _err = bench(*ACCEPT, "--seeds", "1-2")
    assert (code, "2 waived" in out) == (0, True)
    assert Path("waivers.yaml").read_text("utf-8").count("- scenario") == 1


@pytest.mark.parametrize(
    ("text", "written"),
    [("\n", True), ("# ours\n", True), ("[]\n", True), ("  - {}\n", True), ("[{}]\n", False)],
    ids=repr,
)
def test_entries_are_added_to_each_form_of_a_list_that_allows_it(
    bench: Callable[..., tuple[int, str, str]], text: str, written: bool
) -> None:
    entry = json.dumps(WAIVER | {"scenario": "Old"})
    before = text.replace("{}", entry)
    Path("waivers.yaml").write_bytes(before.replace("\n", "\r\n").encode("utf-8-sig"))
    code, _out, err = bench(*ACCEPT)
    after = Path("waivers.yaml").read_bytes()
    assert (code, after.startswith(b"\xef\xbb\xbf"), b"\n" in after.replace(b"\r\n", b"")) == (
        (0, True, False) if written else (2, True, False)
    )
    if written:
        count = len(yaml.load(after.decode("utf-8-sig"), yaml.BaseLoader))  # noqa: S506 - it makes text only
        assert count == 1 + before.count("{")
        assert bench()[0] == 0
    else:
        assert "no entry can be added to this form of a list" in err


@pytest.mark.parametrize("option", ["--ticket", "--reason"])
def test_no_pin_of_the_card_is_written_as_ticket_or_reason(
    bench: Callable[..., tuple[int, str, str]], option: str
) -> None:
    code, out, err = bench("--accept", option, f"the PIN is {PIN}")
    assert code == 2
    assert f"{option} has the PIN of the card, and waivers hold no PIN\n  write the text without it" in err
    assert PIN not in out + err
    assert not Path("waivers.yaml").exists()


def test_no_observed_value_that_may_hold_a_pin_is_written(bench: Callable[..., tuple[int, str, str]]) -> None:
    Path("suite.yaml").write_text(ECHO, "utf-8")
    Path("echo").touch()
    code, out, _err = bench(*ACCEPT)
    assert code == 1
    assert "data: the observed value may contain a PIN and is not written" in out
    assert Path("waivers.yaml").read_text("utf-8") == ""
    assert bench()[0] == 1


ECHO = """\
name: Echo
proves: b
card: {pin: 739184}
steps:
  - get_challenge: 4
    data: ?? ?? ?? ??
    state: challenge
"""


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--card", "exec:false", "--accept"], "no waiver file is named"),
        (["--accept", "--ticket", "A-1"], "--ticket is for waivers that a run writes"),
        (["--reason", "late"], "--reason is for waivers that a run writes"),
        (["--testbed", "testbed.yaml", "--ticket", "A-1"], "use it with --accept and --card or --testbed"),
        (["--waivers", "waivers.yaml", "--report", "json=waivers.yaml"], "waivers.yaml"),
        (["--card", "exec:false", "--accept", "--waivers", "no/waivers.yaml"], "no/waivers.yaml"),
    ],
    ids=str,
)
def test_options_that_do_not_fit_are_refused(
    sscard: CommandLine, bench: Callable[..., tuple[int, str, str]], options: list[str], said: str
) -> None:
    written([WAIVER])
    code, _out, err = sscard("run", "suite.yaml", *options)
    assert (code, said in err) == (2, True)
    assert Path("waivers.yaml").read_text("utf-8").startswith("- scenario")


def test_a_waiver_file_that_cannot_be_written_does_not_cost_the_reports(
    bench: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise MissingPart("the disk is full", "free space")

    monkeypatch.setattr(waiver_entries, "write_as_it_was", full)
    code, _out, err = bench(*ACCEPT, "--junit", "report.xml")
    assert (code, "the disk is full" in err) == (3, True)
    assert "Wrong PIN" in Path("report.xml").read_text("utf-8")
