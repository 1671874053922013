"""Reports for other programs: Allure results, JUnit XML and JSON."""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shlex
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft202012Validator

from kit.allure_results import Results, java_properties, read_results
from kit.programs import CommandLine
from sscard.scenario import runner
from sscard.scenario.reports.allure import properties_text
from sscard.scenario.reports.json_schema import run_schema
from sscard.scenario.steps.card import GetChallenge

PIN = "739184"
BOTH = f"""name: {{en: Reset a PIN, zh: 重置密码}}
proves: {{en: The issuer resets the PIN., zh: 发卡方重置密码。}}
tags: reset issuer
covers: [LD/T 32.5 7.3, seed 10.1]
severity: blocker
card: {{personality: [v3-sm4, v2-3des]}}
steps:
  - reset_pin: {PIN}
    tries: max
    state: PUK
"""
WRONG = f"name: A wrong claim\nproves: <Nothing> & more.\nsteps:\n  - verify_pin: {PIN}\n    tries: 4\n"
KNOWN = f"name: Known\nproves: b\nknown_issue: https://example.org/17\nsteps:\n  - verify_pin: {PIN}\n"
TICKET = KNOWN.replace("https://example.org/17", "SSC-18").replace("Known", "Ticket")
CRASHES = "name: Crashes\nproves: b\nsteps:\n  - verify_pin: 123456\n    state: verified\n  - get_challenge: 8\n"
GROUP = "groups:\n  g:\n    steps:\n      - verify_pin: 123456\n        state: blocked\n"
INCLUDES = "name: Includes\nproves: p\ninclude: parts/group.yaml\nsteps:\n  - use: g\n"
SERVICE = """name: Service
proves: The service resets a PIN.
steps:
  - apply: {reason: forgotten}
  - operate: {new: 582036}
    state: PUK
"""
STUB = """name: Certificates
proves: The stub exists.
card: {personality: v3-sm4, choices: {certificate_application: stub}}
steps: [{select: 53532E434552542E41444631}]
"""
VERDICTS = {
    "Reset a PIN [v3-sm4]": "passed",
    "Reset a PIN [v2-3des]": "passed",
    "A wrong claim [v3-sm4]": "failed",
    "Known [v3-sm4]": "skipped",
    "Ticket [v3-sm4]": "skipped",
    "Crashes [v3-sm4]": "broken",
    "Includes [v3-sm4]": "failed",
}


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite with a scenario of each verdict, in the working folder."""

    def broken(*_: object) -> None:
        raise KeyError(PIN)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(GetChallenge, "run", broken)
    folder = Path("suite")
    texts = {"both": BOTH, "wrong": WRONG, "known": KNOWN, "ticket": TICKET, "crash": CRASHES, "includes": INCLUDES}
    for name, text in {**texts, "parts/group": GROUP}.items():
        (folder / f"{name}.yaml").parent.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def allure(sscard: CommandLine, *arguments: object) -> Results:
    """The results of a run."""
    assert sscard("run", *arguments, "--report", "allure=out")[0] in (0, 1, 130)
    return read_results(Path("out"))


def label(result: dict[str, Any], name: str) -> list[str]:
    return [each["value"] for each in result["labels"] if each["name"] == name]


def parameters(step: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["value"] for each in step["parameters"]}


# Allure


@pytest.mark.parametrize("workers", ["1", "2"])
def test_allure_results_follow_the_format_and_have_the_verdicts(sscard, suite, workers):
    found = allure(sscard, suite, "-n", workers)
    assert {name: result["status"] for name, result in found.results.items()} == VERDICTS


def test_allure_results_describe_the_scenario(sscard, suite):
    result = allure(sscard, suite, "--seed", "7").results["Reset a PIN [v3-sm4]"]
    assert parameters(result) == {"personality": "v3-sm4", "seed": "7", "transport": "local"}
    again = "sscard run suite/both.yaml --only 'Reset a PIN [v3-sm4]' --seed 7"
    assert result["description"] == f"The issuer resets the PIN.\n\nRun this scenario again: `{again}`"
    assert label(result, "tag") == ["reset", "issuer"]
    assert label(result, "severity") == ["blocker"]
    assert label(result, "covers") == ["LD/T 32.5 7.3", "seed 10.1"]
    assert [*label(result, "parentSuite"), *label(result, "suite"), *label(result, "subSuite")] == [
        *("sscard", "suite", "Reset a PIN")
    ]
    assert label(result, "package") == ["suite.both"]
    assert result["statusDetails"] == {}
    assert sscard(*shlex.split(again)[1:])[0] == 0


def test_allure_steps_are_at_their_times_in_the_scenario(sscard, suite):
    out = suite.parent / "run.json"
    found = allure(sscard, suite, "--report", f"json={out}")
    by_name = {f"{each['name']} [{each['personality']}]": each for each in json.loads(out.read_text())["results"]}
    for name, result in found.results.items():
        spans = [(step["start"], step["stop"]) for step in result["steps"]]
        assert spans == sorted(spans)
        assert all(result["start"] <= start <= stop <= result["stop"] + 1 for start, stop in spans)
        for (start, stop), step in zip(spans, by_name[name]["steps"], strict=True):
            assert abs(stop - start - 1000 * step["seconds"]) <= 2


def test_allure_steps_have_state_and_the_failing_one_what_was_expected(sscard, suite):
    found = allure(sscard, suite)
    insert, verify = found.results["A wrong claim [v3-sm4]"]["steps"]
    assert (insert["name"], insert["status"]) == ("before the first step: insert", "passed")
    assert parameters(insert) == {"sw": "9000", "tries": "6", "state": "ready"}
    assert (verify["name"], verify["status"]) == ("line 4: verify_pin", "failed")
    assert parameters(verify) == {"sw": "63C5", "tries": "5", "state": "ready"}
    sw, tries = verify["steps"]
    assert parameters(sw) == {"expected": "9000 done", "actual": "63C5 verification failed, 5 tries left"}
    assert (tries["name"], tries["status"]) == ("line 5: tries: expected 4, got 5", "failed")
    [exchanges] = verify["attachments"]
    assert "> 0020000003 ******  VERIFY (PIN of 3 bytes)\n< 63C5" in found.text(exchanges)
    [trace] = found.results["A wrong claim [v3-sm4]"]["attachments"]
    assert "READ RECORD" in found.text(trace)
    included = found.results["Includes [v3-sm4]"]["steps"][-1]
    assert included["name"] == "suite/parts/group.yaml:4: verify_pin"


def test_allure_details_say_what_failed_and_how_to_run_it_again(sscard, suite):
    found = allure(sscard, suite)
    wrong = found.results["A wrong claim [v3-sm4]"]["statusDetails"]
    assert wrong["message"].splitlines()[1] == "line 5: tries: expected 4, got 5"
    assert "at suite/wrong.yaml:4  verify_pin" in wrong["trace"]
    assert wrong["trace"].splitlines()[-1] == "sscard run suite/wrong.yaml --only 'A wrong claim [v3-sm4]' --seed 1"
    crash = found.results["Crashes [v3-sm4]"]
    assert re.fullmatch(r"KeyError in test_machine_reports.py:\d+", crash["statusDetails"]["message"])
    assert [step["status"] for step in crash["steps"]] == ["passed", "passed"]
    for name, known in (("Known", True), ("A wrong claim", False)):
        assert found.results[f"{name} [v3-sm4]"]["statusDetails"]["known"] is known


def test_a_known_issue_is_a_link(sscard, suite):
    found = allure(sscard, suite)
    address = "https://example.org/17"
    assert found.results["Known [v3-sm4]"]["links"] == [{"type": "issue", "name": address, "url": address}]
    assert found.results["Ticket [v3-sm4]"]["links"] == [{"type": "issue", "name": "SSC-18"}]


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("en", ["Failed", "Inconclusive: a step could not be judged", "Known issue", "Not applicable"]),
        ("zh", ["失败", "无法判断：有步骤不能判定", "已知问题", "不适用"]),
    ],
)
def test_each_verdict_but_passed_has_its_category(sscard, suite, monkeypatch, language, names):
    monkeypatch.setenv("LANGUAGE", language)
    (suite / "stub.yaml").write_text(STUB, "utf-8")
    found = allure(sscard, suite, "--personality", "v1-des")
    results = {name.split(" [")[0]: found.category(result) for name, result in found.results.items()}
    assert [results[name] for name in ("A wrong claim", "Crashes", "Known", "Certificates")] == names
    assert results["重置密码" if language == "zh" else "Reset a PIN"] == ""


def test_steps_are_within_their_scenario_if_the_time_of_day_is_set_meanwhile(sscard, suite, monkeypatch):
    class Set(datetime):
        """A clock that is put forward by an hour each time it is read."""

        hours = itertools.count()

        @classmethod
        def now(cls, tz=None):
            return super().now(tz) + timedelta(hours=next(cls.hours))

    monkeypatch.setattr(runner, "datetime", Set)
    assert allure(sscard, suite).results["Reset a PIN [v3-sm4]"]["steps"]


def test_what_other_parts_were_asked_are_steps(sscard, suite):
    (suite / "service.yaml").write_text(SERVICE, "utf-8")
    steps = allure(sscard, suite / "service.yaml").results["Service [v3-sm4]"]["steps"]
    apply, operate = (next(step for step in steps if word in step["name"]) for word in ("apply", "operate"))
    assert parameters(apply)["stage"] == "accepted"
    assert any(inner["name"].startswith("journal: ") for inner in apply["steps"])
    assert "holder base: standing of the card" in [inner["name"] for inner in operate["steps"]]


def test_a_scenario_has_one_history_and_each_run_its_own_results(sscard, suite):
    runs = [allure(sscard, suite).results for _ in range(2)]
    for name in VERDICTS:
        first, second = (run[name] for run in runs)
        assert first["historyId"] == second["historyId"]
        assert first["testCaseId"] == second["testCaseId"]
        assert first["uuid"] != second["uuid"]
    both = [runs[0][f"Reset a PIN [{each}]"] for each in ("v3-sm4", "v2-3des")]
    assert both[0]["testCaseId"] == both[1]["testCaseId"]
    assert both[0]["historyId"] != both[1]["historyId"]


def test_several_seeds_are_several_results(sscard, suite):
    found = allure(sscard, suite / "both.yaml", "--seeds", "1-3")
    assert sorted(parameters(result)["seed"] for result in found.every) == ["1", "1", "2", "2", "3", "3"]
    assert found.environment["seeds"] == "1 2 3"


def test_the_environment_names_what_was_run_where(sscard, suite):
    found = allure(sscard, suite, "--seed", "3").environment
    assert found["transport"] == "local"
    assert found["seeds"] == "3"
    assert found["scenarios"] == "7/7"
    assert found["python"].startswith("CPython ") or found["python"].startswith("PyPy ")


def test_properties_are_read_back_as_java_reads_them():
    values = {"keys": "C:\\密钥\\a.yaml", "command": "a = b: #c !d 𠀀", "odd": "tab\tend\n"}
    text = properties_text(values)
    assert text.isascii()
    assert java_properties(text.encode()) == {**values, "odd": "tab\\tend\\n"}


def test_results_are_written_as_each_scenario_ends(sscard, suite, monkeypatch):
    """A run that is interrupted, or killed, leaves the results up to there."""
    seen: list[int] = []

    def interrupted(*_: object) -> None:
        seen.append(len([*Path("out").glob("*-result.json")]))
        raise KeyboardInterrupt

    monkeypatch.setattr(GetChallenge, "run", interrupted)
    code, _, _ = sscard("run", suite / "both.yaml", suite / "crash.yaml", "--report", "allure=out")
    assert (code, seen) == (130, [2])
    assert read_results(Path("out")).environment["scenarios"] == "2/3"


@pytest.mark.parametrize("given", ["", "history", "executor.json", "categories.json"])
def test_results_of_the_last_run_are_replaced_and_what_ci_servers_add_stays(sscard, suite, given):
    first = allure(sscard, suite)
    if given == "history":
        Path("out/history").mkdir()
    elif given:
        Path(f"out/{given}").write_text("[]", "utf-8")
    second = allure(sscard, suite / "both.yaml")
    assert len(second.results) == 2
    assert not {result["uuid"] for result in first.results.values()} & {
        result["uuid"] for result in second.results.values()
    }
    assert not given or Path(f"out/{given}").exists()
    assert given != "categories.json" or second.categories == []


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "0b4bd7ef-5a4f-4f4e-9a55-1a8a1e4b4a10-result.json", "data/x", ".hidden", "suite-result.json"],
)
def test_a_folder_with_anything_else_is_refused_and_keeps_all(sscard, suite, name):
    allure(sscard, suite / "both.yaml")
    (Path("out") / name).parent.mkdir(exist_ok=True)
    (Path("out") / name).write_text("mine", "utf-8")
    before = {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()}
    code, out, err = sscard("run", suite, "--report", "allure=out")
    assert (code, out) == (2, "")
    shown = name.partition("/")[0]
    assert err == (
        f"sscard: out: holds {shown}, which a report of this format does not have\n"
        "  choose a new or empty folder, or the one of the last report\n"
    )
    assert {file: file.read_bytes() for file in Path("out").rglob("*") if file.is_file()} == before


def test_an_empty_folder_and_a_link_to_one_are_taken(sscard, suite):
    Path("real").mkdir()
    Path("out").symlink_to("real")
    assert allure(sscard, suite / "both.yaml").results
    assert len([*Path("real").glob("*-result.json")]) == 2


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("--report allure=suite", "suite: is an input or another output of this command"),
        ("--report allure=file", "file: is not a folder"),
        ("--report allure=suite/wrong.yaml", "is an input or another output of this command"),
        ("--report allure=no/out", "no/out: cannot be written"),
        ("--report allure=out --report json=out", "is an input or another output of this command"),
        ("--report allure=made --report allure=made/", "is an input or another output of this command"),
        ("--report allure=", "no file is named"),
    ],
)
def test_a_folder_that_cannot_be_written_is_an_error_before_the_run(sscard, suite, arguments, problem):
    Path("file").write_text("mine", "utf-8")
    Path("made").mkdir()
    code, out, err = sscard("run", suite, *arguments.split())
    assert (code, out) == (2, "")
    assert problem in err
    assert Path("file").read_text("utf-8") == "mine"
    assert not Path("out").exists()
    assert not [*Path("made").iterdir()]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error_before_the_run(sscard, suite):
    Path("out").mkdir(mode=0o500)
    code, out, err = sscard("run", suite, "--report", "allure=out")
    assert (code, out) == (2, "")
    assert "out: cannot be written: Permission denied" in err


def test_a_full_disk_ends_with_3_and_does_not_cost_the_other_reports(sscard, suite, monkeypatch):
    write = Path.write_text

    def full(path: Path, *arguments: Any, **options: Any) -> int:
        if path.name.endswith("-result.json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, *arguments, **options)

    monkeypatch.setattr(Path, "write_text", full)
    code, out, err = sscard("run", suite / "both.yaml", "--report", "allure=out", "--report", "json=r.json")
    assert code == 3
    assert "2 passed" in out
    assert "cannot be written: No space left on device\n  free space" in err
    assert len(json.loads(Path("r.json").read_text("utf-8"))["results"]) == 2


def test_a_run_without_results_leaves_the_folder_as_it_is(sscard, suite, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = allure(sscard, suite / "both.yaml")
    monkeypatch.setattr("sscard.scenario.library.find_scenarios", interrupt)
    assert allure(sscard, suite) == before
    assert sscard("run", suite, "--report", "allure=new")[0] == 130
    assert read_results(Path("new")).every == []


# JUnit

SUITE_ATTRIBUTES = {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"}
SUITE_ATTRIBUTES |= {"id", "package", "group", "file", "log", "url", "version"}
CASE_ATTRIBUTES = {"name", "time", "classname", "group"}
FROM_PYTEST = {"file", "line"}
"""Attributes of a case that junit-10.xsd does not have, and pytest (xunit1) writes."""
OUTCOMES = {"skipped", "error", "failure"}


def checked_suite(text: str) -> ET.Element:
    """The suite of a report; an ``AssertionError`` for what junit-10.xsd of Jenkins does not allow."""
    root = ET.fromstring(text)  # noqa: S314 - our own text
    assert (root.tag, [each.tag for each in root]) == ("testsuites", ["testsuite"])
    [suite] = root
    assert suite.attrib.keys() <= SUITE_ATTRIBUTES
    assert {"name", "tests", "failures", "errors"} <= suite.attrib.keys()
    assert re.fullmatch(r"[0-9]+\.[0-9]{3}", suite.get("time", ""))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\+00:00)?", suite.get("timestamp", ""))
    assert [each.tag for each in suite] == ["properties"] + ["testcase"] * int(suite.get("tests", ""))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.get(name, "")) == len(suite.findall(f"testcase/{tag}"))
    for case in suite.findall("testcase"):
        assert case.attrib.keys() <= CASE_ATTRIBUTES | FROM_PYTEST
        assert {"name", "classname", "time"} <= case.attrib.keys()
        tags = [each.tag for each in case]
        assert tags in (["properties"], ["properties", "skipped"], *_failed())
        for outcome in (each for each in case if each.tag in OUTCOMES):
            assert outcome.attrib.keys() <= {"type", "message"}
            assert outcome.get("message")
    for properties in suite.iter("properties"):
        assert all(each.tag == "property" and each.attrib.keys() == {"name", "value"} for each in properties)
    return suite


def _failed() -> Iterator[list[str]]:
    for kind in ("failure", "error"):
        yield ["properties", kind, "system-out"]


def properties(element: ET.Element) -> dict[str, str]:
    return {each.get("name", ""): each.get("value", "") for each in element.findall("properties/property")}


def junit(sscard: CommandLine, *arguments: object) -> tuple[ET.Element, dict[str, ET.Element]]:
    """The suite of a run, and its cases by name."""
    assert sscard("run", *arguments, "--junit", "junit.xml")[0] in (0, 1, 130)
    found = checked_suite(Path("junit.xml").read_text("utf-8"))
    return found, {case.get("name", ""): case for case in found.iter("testcase")}


def test_junit_follows_the_schema_and_names_host_environment_seed_and_command(sscard, suite):
    found, cases = junit(sscard, suite, "--seed", "5")
    assert cases.keys() == VERDICTS.keys()
    facts = properties(found)
    assert {"sscard", "python", "system"} < facts.keys()
    assert (facts["transport"], facts["seed"], facts["planned"], facts["interrupted"]) == ("local", "5", "7", "false")
    assert found.get("hostname")


def test_junit_names_the_facts_of_each_case(sscard, suite):
    _, cases = junit(sscard, suite, "--seed", "5")
    assert properties(cases["Reset a PIN [v2-3des]"]) == {
        "personality": "v2-3des",
        "seed": "5",
        "severity": "blocker",
        "tags": "reset issuer",
        "covers": "LD/T 32.5 7.3, seed 10.1",
        "transport": "local",
    }
    assert properties(cases["Ticket [v3-sm4]"])["known_issue"] == "SSC-18"


def test_junit_names_file_and_line_of_the_failing_step_else_of_the_name(sscard, suite):
    (suite / "late.yaml").write_text(f"# a comment\n\n{BOTH}", "utf-8")
    _, cases = junit(sscard, suite / "wrong.yaml", suite / "includes.yaml", suite / "late.yaml")
    places = {name: (case.get("file"), case.get("line")) for name, case in cases.items()}
    assert places == {
        "A wrong claim [v3-sm4]": ("suite/wrong.yaml", "4"),
        "Includes [v3-sm4]": ("suite/parts/group.yaml", "5"),
        "Reset a PIN [v3-sm4]": ("suite/late.yaml", "3"),
        "Reset a PIN [v2-3des]": ("suite/late.yaml", "3"),
    }


def test_junit_has_command_and_trace_of_a_failure(sscard, suite):
    _, cases = junit(sscard, suite)
    for name in ("A wrong claim", "Crashes"):
        output = str(cases[f"{name} [v3-sm4]"].findtext("system-out"))
        command, trace = output.split("\n\n", 1)
        assert trace.startswith(f"== {name} [v3-sm4]\n")
        assert "> 0020000003 ******  VERIFY" in trace
        assert command.startswith("$ sscard run suite/")
        assert sscard(*shlex.split(command)[2:])[0] == 1


def test_junit_of_an_interrupted_run_says_so(sscard, suite, monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(GetChallenge, "run", interrupted)
    found, cases = junit(sscard, suite / "both.yaml", suite / "crash.yaml")
    assert len(cases) == 2
    assert (properties(found)["planned"], properties(found)["interrupted"]) == ("3", "true")


# JSON

SCHEMA = run_schema()


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    return SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def unknown(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """The members of a report that the schema does not describe."""
    schema = resolved(schema)
    if "anyOf" in schema and value is not None:
        schema = schema["anyOf"][0]
    if isinstance(value, dict) and "properties" in schema:
        for name, inner in value.items():
            if name not in schema["properties"]:
                yield f"{path}/{name}"
            else:
                yield from unknown(inner, schema["properties"][name], f"{path}/{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from unknown(inner, schema["items"], path)


def report(sscard: CommandLine, *arguments: object) -> dict[str, Any]:
    """The JSON report of a run, checked against the schema."""
    assert sscard("run", *arguments, "--report", "json=report.json")[0] in (0, 1, 130)
    content: dict[str, Any] = json.loads(Path("report.json").read_text("utf-8"))
    assert [error.message for error in Draft202012Validator(SCHEMA).iter_errors(content)] == []
    assert [*unknown(content, SCHEMA)] == []
    return content


def test_the_printed_schema_is_that_of_the_report(sscard):
    code, out, err = sscard("scenario", "schema", "--report")
    assert (code, err) == (0, "")
    assert json.loads(out) == SCHEMA
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize(
    "arguments", [(), ("--seeds", "1,2"), ("--personality", "v1-des"), ("--against", "before.json")], ids=" ".join
)
def test_reports_of_all_verdicts_follow_the_schema(sscard, suite, arguments):
    for name, text in {"service": SERVICE, "stub": STUB}.items():
        (suite / f"{name}.yaml").write_text(text, "utf-8")
    sscard("run", suite / "both.yaml", suite / "known.yaml", "--report", "json=before.json")
    found = report(sscard, suite, *arguments)
    assert {entry["verdict"] for entry in found["results"]} >= {"passed", "failed", "inconclusive", "known issue"}
    assert any(step["stage"] == "accepted" for entry in found["results"] for step in entry["steps"])
    assert ("against" in found) is ("--against" in arguments)


def test_the_schema_refuses_a_report_without_steps_and_with_an_unknown_verdict(sscard, suite):
    found = report(sscard, suite / "both.yaml")
    for change in ({"verdict": "green"}, {"steps": None}, {"seconds": -1}, {"line": 0}):
        wrong = {**found, "results": [{**found["results"][0], **change}]}
        assert list(Draft202012Validator(SCHEMA).iter_errors(wrong)), change


def test_json_has_each_step_with_place_state_and_what_was_expected(sscard, suite):
    entries = {entry["name"]: entry for entry in report(sscard, suite)["results"]}
    insert, verify = entries["A wrong claim"]["steps"]
    assert (insert["number"], insert["verdict"], insert["sw"]) == (0, "passed", "9000")
    place = {"number": 1, "file": "suite/wrong.yaml", "line": 4, "title": "verify_pin", "verdict": "failed"}
    state = {"sw": "63C5", "tries": 5, "tries_max": 6, "state": "ready", "stage": None}
    assert place.items() | state.items() <= {name: verify[name] for name in (*place, *state)}.items()
    assert verify["mismatches"] == entries["A wrong claim"]["failure"]["mismatches"]
    assert verify["mismatches"][1] == {"line": 5, "field": "tries", "expected": "4", "actual": "5"}
    assert verify["seconds"] >= 0
    assert [step["verdict"] for step in entries["Crashes"]["steps"]] == ["passed", "passed"]
    assert entries["Includes"]["steps"][-1]["file"] == "suite/parts/group.yaml"


@pytest.mark.parametrize("name", ["A wrong claim", "Known"])
def test_json_has_the_exchanges_of_the_failing_step_only(sscard, suite, name):
    entries = {entry["name"]: entry for entry in report(sscard, suite, "-n", "2")["results"]}
    sent, received = entries[name]["failure"]["trace"]
    assert sent == "> 0020000003 ******  VERIFY (PIN of 3 bytes)"
    assert received.startswith("< 63C5")
    assert entries["Reset a PIN"]["failure"] is None


def test_json_has_the_begin_of_each_scenario_and_the_command_that_repeats_it(sscard, suite):
    found = report(sscard, suite, "--seed", "9")
    begins = [datetime.fromisoformat(each["started"]) for each in (found, *found["results"])]
    assert begins == sorted(begins)
    for entry in found["results"][:2]:
        assert sscard(*shlex.split(entry["again"])[1:])[0] in (0, 1)
        assert entry["again"].endswith("--seed 9")


def test_the_command_that_repeats_a_builtin_scenario_works_in_any_folder(sscard, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _err = sscard("run", "-k", "last-try and v3-sm4", "-x", "--json")
    [first, *_others] = json.loads(out)["results"]
    assert (code, first["file"].split("/")[0]) == (0, "scenarios")
    repeated = sscard(*shlex.split(first["again"])[1:], "--json")
    assert [each["name"] for each in json.loads(repeated[1])["results"]] == [first["name"]]


def test_a_report_of_an_older_version_is_compared(sscard, suite):
    """Without seed, seconds and steps of its results."""
    old = {"name": "Reset a PIN", "personality": "v3-sm4", "file": "suite/both.yaml", "verdict": "failed"}
    Path("old.json").write_text(json.dumps({"schema": "sscard.run/1", "seed": 1, "results": [old]}), "utf-8")
    against = report(sscard, suite / "both.yaml", "--against", "old.json")["against"]
    assert [each["personality"] for each in against["fixed"]] == ["v3-sm4"]
    assert [each["personality"] for each in against["new"]] == ["v2-3des"]


def test_a_report_of_a_large_suite_is_compared(sscard, suite):
    """More than the largest file of scenarios, 16 MiB."""
    found = report(sscard, suite / "both.yaml")
    Path("large.json").write_text(json.dumps({**found, "padding": "x" * (17 << 20)}), "utf-8")
    assert sscard("run", suite / "both.yaml", "--against", "large.json")[0] == 0


# All of them


@pytest.mark.parametrize("name", ["allure", "junit", "json"])
def test_no_report_holds_a_pin(sscard, suite, name):
    (suite / "service.yaml").write_text(SERVICE, "utf-8")
    sscard("run", suite, "--report", f"{name}=written")
    path = Path("written")
    files = [path] if path.is_file() else [*path.iterdir()]
    text = "\n".join(file.read_text("utf-8") for file in files)
    for pin in (PIN, "582036"):
        assert pin not in text


MENTIONS = f"""name: Mentions
proves: b
card: {{pin: {PIN}}}
steps:
  - apdu: 00200000 03 582036
    note: neither 582036 nor {PIN}
    sw: 63C5
    tries: 5
  - driver_verify_pin: {{}}
    entries: {PIN}
    note: bytes {PIN[:2]} {PIN[2:4]} {PIN[4:]}
    out: "{PIN}|*"
    prompts: [enter {PIN}]
    tries: 6
"""


@pytest.mark.parametrize("name", ["allure", "form", "html", "junit", "json", "trace"])
def test_a_pin_in_a_note_or_in_an_expected_value_is_masked(sscard, suite, name):
    (suite / "mentions.yaml").write_text(MENTIONS, "utf-8")
    __, shown, __ = sscard("run", suite / "mentions.yaml", "--report", f"{name}=written", "--evidence", "logs")
    path = Path("written")
    files = [*Path("logs").iterdir(), *([path] if path.is_file() else path.iterdir())]
    texts = [shown, *(file.read_text("utf-8") for file in files)]
    assert not any(re.search(f"{PIN}|582036|{PIN[:2]} {PIN[2:4]} {PIN[4:]}", text) for text in texts)
    assert "out expected  ••••|*" in re.sub(" +out", " out", shown)
