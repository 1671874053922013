"""The pytest plugin: a project's scenario files run as its tests, and a configured suite is always among them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kit.documents import ROOT
from kit.waiting import PATIENCE
from sscard import issuer
from sscard.errors import MissingPart
from sscard.issuer.cardfile import save_card
from sscard.issuer.hierarchy import TEST_KEYS
from sscard.testing.suite import Suite
from sscard.transport.pcscd import check_private_pcscd

PASSES = """
name: The right PIN
proves: The right PIN is accepted.
card:
  personality: [v3-sm4, v2-3des]
steps:
  - verify_pin: 123456
    state: verified
"""
FAILS = """
name: A wrong claim
proves: Nothing; the wrong PIN is not accepted.
steps:
  - verify_pin: 654321
"""


GIVEN = ("-p", "no:cacheprovider", "-p", "sscard", "-p", "xdist")
"""The plugins by their entry points."""


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess(*GIVEN, *arguments)


def run_alone(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    """In a process of its own."""
    return pytester.runpytest_subprocess(*GIVEN, *arguments, timeout=PATIENCE)


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a suite, and only the plugins that its tests use: each process would import hypothesis too."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.mkdir("scenarios")
    (pytester.path / "scenarios" / "right.yaml").write_text(PASSES, encoding="utf-8")
    return pytester


def test_a_named_folder_is_collected_with_an_item_per_personality(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\nsscard_scenarios = scenarios\n")
    run(project).assert_outcomes(passed=2)


def test_an_option_names_folders_too_and_k_selects(project: pytest.Pytester) -> None:
    run(project, "--scenarios", "scenarios", "scenarios", "-k", "v2-3des").assert_outcomes(passed=1, deselected=1)


def test_no_yaml_is_collected_that_nobody_named(project: pytest.Pytester) -> None:
    assert run(project).ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_failing_step_is_told_with_place_expectation_and_redacted_trace(project: pytest.Pytester) -> None:
    (project.path / "scenarios" / "wrong.yaml").write_text(FAILS, encoding="utf-8")
    result = run(project, "--scenarios", "scenarios", "scenarios")
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*wrong.yaml:5*verify_pin*", "*expected*9000*", "*63C5*"])
    result.stdout.no_fnmatch_line("*Traceback*")
    assert "00200000036543" not in result.stdout.str()


def test_an_unusable_file_is_an_error_with_its_place(project: pytest.Pytester) -> None:
    (project.path / "scenarios" / "typo.yaml").write_text(FAILS.replace("proves", "provs"), encoding="utf-8")
    result = run(project, "--scenarios", "scenarios", "scenarios")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*typo.yaml:3:1: unknown field 'provs'*", "*did you mean 'proves'*"])


# A configured suite is always collected


TEST = "def test_it(): ...\n"


@pytest.fixture
def configured(project: pytest.Pytester) -> pytest.Pytester:
    """A project with its suite in the configuration, and tests in folders of their own."""
    project.makeini("[pytest]\nsscard_scenarios = scenarios\n")
    for folder in ("tests", "more"):
        project.mkdir(folder)
        (project.path / folder / f"test_{folder}.py").write_text(TEST, encoding="utf-8")
    return project


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        ([], 4),
        (["tests"], 3),
        (["tests", "more"], 4),
        pytest.param(["tests", "-n", "2"], 3, marks=pytest.mark.nightly),
        ([".", "scenarios"], 4),
        (["scenarios"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_folders_as_arguments_do_not_leave_the_suite_out(
    configured: pytest.Pytester, arguments: list[str], passed: int
) -> None:
    result = run(configured, *arguments)
    result.assert_outcomes(passed=passed)
    result.stdout.fnmatch_lines(["sscard: scenarios of scenarios"])


@pytest.mark.parametrize(
    ("arguments", "passed"),
    [
        (["tests/test_tests.py"], 1),
        (["tests/test_tests.py::test_it"], 1),
        (["scenarios/right.yaml"], 2),
        (["scenarios/right.yaml::The right PIN [v2-3des]"], 1),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_arguments_that_name_files_or_tests_are_taken_as_they_are_and_the_header_says_so(
    configured: pytest.Pytester, arguments: list[str], passed: int
) -> None:
    result = run(configured, *arguments)
    result.assert_outcomes(passed=passed)
    result.stdout.fnmatch_lines(["sscard: the arguments name files or tests: of scenarios only those"])


def test_the_option_collects_with_any_argument(configured: pytest.Pytester) -> None:
    run(configured, "--scenarios", "scenarios", "tests/test_tests.py").assert_outcomes(passed=3)


def test_a_suite_outside_of_testpaths_and_of_the_project_is_collected(configured: pytest.Pytester) -> None:
    outside = configured.path.parent / f"{configured.path.name}-suite"
    (configured.path / "scenarios").rename(outside)
    configured.makeini(f"[pytest]\ntestpaths = tests\nsscard_scenarios = ../{outside.name}\n")
    run(configured).assert_outcomes(passed=3)
    result = run(configured, "more", "-k", "v3")
    result.assert_outcomes(passed=1, deselected=2)


HIDDEN = ["norecursedirs = scenarios deeper", "collect_ignore", "pytest_ignore_collect"]


@pytest.mark.parametrize(
    ("hidden", "options"),
    [
        *((hidden, []) for hidden in HIDDEN),
        pytest.param(HIDDEN[0], ["-n", "2"], marks=pytest.mark.slow),
        *(pytest.param(hidden, ["-n", "2"], marks=pytest.mark.nightly) for hidden in HIDDEN[1:]),
    ],
)
def test_a_suite_that_the_configuration_leaves_out_fails_the_run(
    configured: pytest.Pytester, hidden: str, options: list[str]
) -> None:
    deeper = configured.path / "scenarios" / "deeper"
    deeper.mkdir()
    (deeper / "left.yaml").write_text(PASSES, encoding="utf-8")
    if "=" in hidden:
        configured.makeini(f"[pytest]\nsscard_scenarios = scenarios\n{hidden}\n")
    elif hidden == "collect_ignore":
        (configured.path / "scenarios" / "conftest.py").write_text('collect_ignore = ["deeper"]\n')
    else:
        code = "def pytest_ignore_collect(collection_path): return collection_path.name == 'deeper' or None\n"
        (configured.path / "conftest.py").write_text(code)
    result = run(configured, *options)
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*scenarios/deeper/left.yaml*", "*was not collected*", "*norecursedirs*--ignore*"])


@pytest.mark.parametrize("option", ["--ignore=scenarios", "--ignore scenarios/right.yaml", "--ignore-glob=*.yaml"])
def test_options_of_the_configuration_do_not_leave_the_suite_out(configured: pytest.Pytester, option: str) -> None:
    configured.makeini(f"[pytest]\nsscard_scenarios = scenarios\naddopts = {option}\n")
    result = run(configured)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*scenarios/right.yaml*", "*was not collected*", "*addopts*command line*"])


def test_a_file_of_tests_that_the_configuration_names_does_not_leave_the_suite_out(
    configured: pytest.Pytester,
) -> None:
    configured.makeini("[pytest]\nsscard_scenarios = scenarios\naddopts = tests/test_tests.py\n")
    run(configured).assert_outcomes(passed=3)


@pytest.mark.parametrize("quiet", [[], ["-q"], ["--no-header"]], ids=" ".join)
@pytest.mark.parametrize(
    ("arguments", "passed", "said"),
    [
        (["--ignore", "scenarios/right.yaml"], 2, "sscard: --ignore leaves out 1 scenario file of scenarios"),
        (["--ignore-glob", "scenarios/*"], 2, "sscard: --ignore leaves out 1 scenario file of scenarios"),
        (["tests/test_tests.py"], 1, "sscard: the arguments name files or tests: of scenarios only those"),
    ],
    ids=["ignore", "ignore-glob", "file"],
)
def test_what_the_command_line_leaves_out_is_a_choice_that_the_output_states_once(
    configured: pytest.Pytester, arguments: list[str], passed: int, said: str, quiet: list[str]
) -> None:
    result = run(configured, *arguments, *quiet)
    result.assert_outcomes(passed=passed)
    assert result.stdout.str().count(f"{said}\n") == 1


@pytest.mark.parametrize("options", [[], ["tests"], ["-n", "2"], ["--collect-only"]], ids=" ".join)
@pytest.mark.parametrize("folder", ["nowhere", "empty"])
def test_a_folder_without_scenarios_fails_the_run_with_the_remedy(
    configured: pytest.Pytester, folder: str, options: list[str]
) -> None:
    configured.mkdir("empty")
    configured.makeini(f"[pytest]\nsscard_scenarios = scenarios {folder}\n")
    result = run(configured, *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: no scenarios: *{folder}*", "*correct sscard_scenarios*"])


# Tags, verdicts, summary


TAGGED = PASSES.replace("steps:", "tags: [verify, slow-one, 基本, skip, 'LD/T 32', 'a:b']\nsteps:")
KNOWN = FAILS.replace("proves", "known_issue: SSC-17\nproves")
HEALED = PASSES.replace("The right PIN", "Healed").replace("steps:", "known_issue: SSC-18\nsteps:")
NEEDS = (
    PASSES.replace("The right PIN", "Needs")
    .replace("steps:", "needs: {generation: '3.0'}\nsteps:")
    .replace("[v3-sm4, v2-3des]", "v3-sm4")
)


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        (["-m", "verify"], 2),
        (["-m", "slow-one and 基本"], 2),
        (["-m", "not verify"], 2),
        (["-k", "a:b and v3-sm4"], 1),
        (["-k", "normal"], 4),
        (["-k", "skip"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_tags_are_registered_markers_and_keywords(project: pytest.Pytester, options: list[str], passed: int) -> None:
    project.makeini("[pytest]\nsscard_scenarios = scenarios\naddopts = --strict-markers\n")
    (project.path / "scenarios" / "tagged.yaml").write_text(TAGGED.replace("The right PIN", "Tagged"), "utf-8")
    result = run(project, *options)
    assert result.parseoutcomes()["passed"] == passed
    listed = run(project, "--markers").stdout.str()
    assert "@pytest.mark.slow-one: tag of scenarios" in listed
    assert "@pytest.mark.a:b" not in listed


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [[], pytest.param(["-n", "2"], marks=pytest.mark.nightly)], ids=["one process", "xdist"]
)
def test_verdicts_of_pytest_and_its_junit_report(configured: pytest.Pytester, options: list[str]) -> None:
    suite = configured.path / "scenarios"
    for name, text in {"known": KNOWN, "healed": HEALED, "needs": NEEDS, "wrong": FAILS}.items():
        (suite / f"{name}.yaml").write_text(text, encoding="utf-8")
    given = ("--sscard-personality", "v1-des", "--junit-xml", "junit.xml", "-rsxX", *options)
    result = run(configured, *given)
    result.assert_outcomes(passed=3, failed=2, skipped=1, xfailed=1)
    text = result.stdout.str()
    assert "not applicable: needs generation: 3.0, this card has 1.0" in text
    assert "known issue SSC-17" in text
    assert "[XPASS(strict)] known issue SSC-18" in text
    cases = [*ET.parse(configured.path / "junit.xml").iter("testcase")]  # noqa: S314
    failures = [str(failure.get("message")) for case in cases for failure in case.iter("failure")]
    assert any(each.startswith("scenarios/wrong.yaml:5: sw: expected 9000 done, got 63C5") for each in failures)
    assert "Needs [v1-des]" in [case.get("name") for case in cases if case.find("skipped") is not None]
    assert "00200000036543" not in text + (configured.path / "junit.xml").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_properties_summary_and_evidence_of_a_run(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    """JUnit has the facts of a scenario, the summary its line, and the evidence a log of each with its sum."""
    monkeypatch.setenv("COLUMNS", "120")
    text = FAILS.replace("steps:", "card: {personality: [v3-sm4, v2-3des, v1-des]}\nsteps:")
    wrong = f"severity: minor\ncovers: [seed 4.3, seed 10.1]\n{text}"
    (configured.path / "scenarios" / "wrong.yaml").write_text(wrong, encoding="utf-8")
    given = ("--sscard-seed", "4", "--junit-xml", "junit.xml", "--sscard-evidence", "proofs", *options)
    result = run(configured, *given)
    result.assert_outcomes(passed=4, failed=3)

    found = {}
    for case in ET.parse(configured.path / "junit.xml").iter("testcase"):  # noqa: S314
        found[case.get("name")] = {each.get("name"): each.get("value") for each in case.iter("property")}
    assert found["A wrong claim [v3-sm4]"] == {
        "personality": "v3-sm4",
        "seed": "4",
        "transport": "local",
        "severity": "minor",
        "covers": "seed 4.3, seed 10.1",
        "place": "scenarios/wrong.yaml:8",
    }
    right = found["The right PIN [v2-3des]"]
    assert (right["personality"], right["place"]) == ("v2-3des", "scenarios/right.yaml:2")

    line = "scenarios/wrong.yaml:8: sw: expected 9000 done, got 63C5 verification failed, 5 tries left; and 1 more"
    assert f"\n{line} (3 scenarios)\n" in result.stdout.str()
    result.stdout.fnmatch_lines(
        ["FAILED scenarios/wrong.yaml::A wrong claim [[]v3-sm4] - scenarios/wrong.yaml:8: sw:*"]
    )

    logs = sorted((configured.path / "proofs").rglob("*.log"))
    assert len({path.name[4:] for path in logs}) == len(logs) == 5
    sums = [line for path in (configured.path / "proofs").rglob("SHA256SUMS") for line in path.read_text().splitlines()]
    assert sorted(sums) == sorted(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}" for path in logs)
    (log,) = (path.read_text("utf-8") for path in logs if "wrong-claim-v3-sm4" in path.name)
    assert "repeat with: sscard run scenarios/wrong.yaml --only 'A wrong claim [v3-sm4]' --seed 4" in log
    assert "line 8: sw: expected 9000 done, got 63C5" in log


@pytest.mark.parametrize("options", [[], ["-n", "2"]], ids=["one process", "xdist"])
def test_evidence_does_not_replace_that_of_another_run(configured: pytest.Pytester, options: list[str]) -> None:
    configured.mkdir("proofs")
    (configured.path / "proofs" / "0001-the-right-pin.log").write_text("of another run")
    again = run(configured, "--sscard-evidence", "proofs", *options)
    assert again.ret == pytest.ExitCode.USAGE_ERROR
    again.stderr.fnmatch_lines(["*proofs: the folder is not empty*"])


def test_the_index_of_the_evidence_has_each_log_with_its_scenario_if_one_cannot_be_written(
    configured: pytest.Pytester,
) -> None:
    (configured.path / "scenarios" / "wrong.yaml").write_text(FAILS, encoding="utf-8")
    run(configured, "--sscard-evidence", "whole", "scenarios")
    first = min(path.name for path in (configured.path / "whole").glob("*.log"))
    configured.makeconftest(
        "def pytest_collection_finish(session):\n"
        f"    (session.config.invocation_params.dir / 'proofs' / {first!r}).mkdir()\n"
    )
    run(configured, "--sscard-evidence", "proofs", "scenarios")
    whole, partial = (
        json.loads((configured.path / folder / "index.json").read_text("utf-8"))["logs"]
        for folder in ("whole", "proofs")
    )
    named = [(entry["log"], entry["name"], entry["personality"]) for entry in partial]
    assert named == [(entry["log"], entry["name"], entry["personality"]) for entry in whole]
    assert [bool(entry["sha256"]) for entry in partial] == [False, True, True]


@pytest.mark.parametrize(("stop", "complete"), [(["-x"], False), ([], True)], ids=["stopped", "whole"])
def test_evidence_states_whether_every_selected_scenario_was_run(
    configured: pytest.Pytester, stop: list[str], complete: bool
) -> None:
    (configured.path / "scenarios" / "a_wrong.yaml").write_text(FAILS, encoding="utf-8")
    run(configured, "--sscard-evidence", "proofs", "scenarios", *stop)
    index = json.loads((configured.path / "proofs" / "index.json").read_text("utf-8"))
    assert (index["planned"], len(index["logs"]), index["complete"]) == (3, 1 if stop else 3, complete)


@pytest.mark.parametrize("option", ["--sscard-seed", "--scenario-seed"])
def test_the_seed_has_two_names(configured: pytest.Pytester, option: str) -> None:
    run(configured, option, "5").assert_outcomes(passed=4)


def test_an_unknown_personality_is_an_error_of_the_command_line(configured: pytest.Pytester) -> None:
    result = run(configured, "--sscard-personality", "v9")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: no personality 'v9'"])


def test_scenarios_run_on_the_card_of_a_testbed(project: pytest.Pytester) -> None:
    save_card(issuer.issue_card(seed=7), project.path / "card.db")
    (project.path / "testbed.yaml").write_text("card: {use: card.db}\n", encoding="utf-8")
    changes = PASSES.replace("The right PIN", "Changes").replace(
        "verify_pin: 123456", "change_pin: {old: 123456, new: 654321}"
    )
    (project.path / "scenarios" / "changes.yaml").write_text(changes.replace("    state: verified\n", ""), "utf-8")
    result = run(project, "--scenarios", "scenarios", "--sscard-testbed", "testbed.yaml", "-rs")
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(["*not applicable: not permitted: may_write*"])


def test_evidence_repeats_a_scenario_on_the_card_of_the_testbed(project: pytest.Pytester) -> None:
    save_card(issuer.issue_card(seed=7), project.path / "card.db")
    (project.path / "testbed.yaml").write_text("card: {use: card.db}\n", encoding="utf-8")
    options = ("--sscard-testbed", "testbed.yaml", "--sscard-evidence", "proofs")
    run(project, "--scenarios", "scenarios", *options).assert_outcomes(passed=1)
    (log,) = (project.path / "proofs").glob("*.log")
    (again,) = re.findall("^repeat with: (.*)$", log.read_text("utf-8"), re.MULTILINE)
    assert again.endswith("--only 'The right PIN [v3-sm4]' --seed 1 --testbed testbed.yaml")


def test_the_failure_on_a_card_of_a_testbed_has_the_outcome_of_its_repetition(project: pytest.Pytester) -> None:
    claim = project.path / "five.yaml"
    claim.write_text("{name: five, generation: '3.0', algorithm: SM4, pin_tries: 5}\n", encoding="utf-8")
    save_card(issuer.issue_card(personality=str(claim), seed=7), project.path / "card.db")
    (project.path / "testbed.yaml").write_text("card: {use: card.db}\n", encoding="utf-8")
    counts = PASSES.replace("verify_pin: 123456", "verify_pin: 999999\n    sw: 63C(max - 1)\n    tries: max - 1")
    (project.path / "scenarios" / "right.yaml").write_text(counts.replace("    state: verified\n", ""), "utf-8")
    result = run(project, "--scenarios", "scenarios", "--sscard-testbed", "testbed.yaml")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*repeated without the terminal code: the card answered the same*"])


def test_scenarios_run_with_the_hsm_of_a_testbed(project: pytest.Pytester) -> None:
    """The HSM has other keys than the test keys, and the cards are issued under them."""
    keys = re.sub("[0-9A-F]{32}", lambda found: found[0][::-1], Path(TEST_KEYS).read_text("utf-8"))
    (project.path / "keys.yaml").write_text(keys, "utf-8")
    reset = PASSES.replace("verify_pin: 123456", "reset_pin: 654321").replace(
        "    state: verified\n", "    state: PUK\n"
    )
    (project.path / "scenarios" / "reset.yaml").write_text(reset, "utf-8")
    for own, outcomes in ((", keys: keys.yaml", {"passed": 4}), ("", {"passed": 2, "failed": 2})):
        testbed = f"hsm: {{use: 'soft:{project.path}/keys.yaml'{own}}}\n"
        (project.path / "testbed.yaml").write_text(testbed, "utf-8")
        run(project, "--scenarios", "scenarios", "--sscard-testbed", "testbed.yaml").assert_outcomes(**outcomes)


def test_a_testbed_and_several_processes_exclude_each_other(project: pytest.Pytester) -> None:
    (project.path / "testbed.yaml").write_text("card: {use: card.db}\n", encoding="utf-8")
    result = run(project, "--scenarios", "scenarios", "--sscard-testbed", "testbed.yaml", "-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: one card under test cannot be used by several processes"])


def test_a_step_that_cannot_be_done_fails_even_with_a_known_issue(configured: pytest.Pytester) -> None:
    text = KNOWN.replace("  - verify_pin", "  - power_off:\n  - verify_pin")
    (configured.path / "scenarios" / "known.yaml").write_text(text, encoding="utf-8")
    result = run(configured, "-k", "wrong and v3-sm4")
    result.assert_outcomes(failed=1, deselected=4)
    result.stdout.fnmatch_lines(["*known.yaml:*the card has no power*"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [[], pytest.param(["-n", "2"], marks=pytest.mark.nightly)], ids=["one process", "xdist"]
)
def test_a_suite_of_which_no_scenario_is_applicable_fails_the_run(
    configured: pytest.Pytester, options: list[str]
) -> None:
    (configured.path / "scenarios" / "right.yaml").write_text(NEEDS, encoding="utf-8")
    result = run(configured, "--sscard-personality", "v1-des", *options)
    assert result.ret != 0
    result.stdout.fnmatch_lines(
        ["*none of the scenarios is applicable: *needs generation: 3.0, this card has 1.0*", "*choose another*"]
    )


def test_personality_and_markers_are_read_once(configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = configured.path / "scenarios"
    for name in "ab":
        (folder / f"{name}.yaml").write_text(TAGGED, encoding="utf-8")
    config = configured.parseconfigure("-p", "sscard", "--sscard-personality", "v1-des")
    read: list[str] = []
    getini, find = config.getini, issuer.find_personality
    monkeypatch.setattr(config, "getini", lambda name: (read.append(name), getini(name))[1])
    monkeypatch.setattr(issuer, "find_personality", lambda name: (read.append(name), find(name))[1])
    suite = Suite(config)
    first, second = (suite.read(folder / f"{name}.yaml")[0] for name in "ab")
    suite.register(first)
    assert read.count("v1-des") == 1
    read.clear()
    suite.register(second)
    assert read == []


def test_a_crash_is_an_error_even_with_a_known_issue(configured: pytest.Pytester) -> None:
    (configured.path / "scenarios" / "known.yaml").write_text(KNOWN, encoding="utf-8")
    code = """
        from sscard.scenario.steps.card import VerifyPin
        def broken(*_): raise KeyError("654321")
        VerifyPin.run = broken
    """
    configured.makeconftest(code)
    result = run_alone(configured, "-k", "wrong")
    result.assert_outcomes(failed=1, deselected=4)
    result.stdout.fnmatch_lines(["*KeyError in conftest.py:2*"])
    assert "654321" not in result.stdout.str()


# PC/SC and an installed wheel


def pcsc_is_missing() -> str:
    try:
        check_private_pcscd()
    except MissingPart as missing:
        return str(missing)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [pytest.param([], marks=pytest.mark.nightly), ["-n", "2"]], ids=["one process", "xdist"]
)
def test_the_suite_through_pcsc_beside_the_fixture_of_a_reader(configured: pytest.Pytester, options: list[str]) -> None:
    pytest.importorskip("smartcard", reason="pip install 'sscard[pcsc]'")
    if reason := pcsc_is_missing():
        pytest.skip(reason)
    (configured.path / "scenarios" / "wrong.yaml").write_text(FAILS, encoding="utf-8")
    (configured.path / "tests" / "test_tests.py").write_text(
        "def test_it(virtual_reader): assert virtual_reader.card.snapshot().pin_tries == 6\n"
    )
    result = run_alone(configured, "--sscard-transport", "pcsc", *options)
    result.assert_outcomes(passed=4, failed=1)
    result.stdout.fnmatch_lines(["*> 0020000003 ******  VERIFY*"])


def test_pcsc_that_cannot_run_here_fails_the_run_with_the_remedy(
    configured: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("smartcard", reason="pip install 'sscard[pcsc]'")
    monkeypatch.setenv("PATH", str(configured.path))
    result = run(configured, "--sscard-transport", "pcsc")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: a private pcscd needs unshare*"])


@pytest.mark.nightly
def test_an_installed_wheel_brings_the_plugin(configured: pytest.Pytester, tmp_path: Path) -> None:
    """The wheel as pip unpacks it: packages and entry points, without a configuration of paths."""
    built = tmp_path / "built"
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(built)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=5 * PATIENCE)  # noqa: S603
    [wheel] = built.glob("*.whl")
    installed = tmp_path / "site-packages"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    environment = {**os.environ, "PYTHONPATH": str(installed), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "2", "--junit-xml", "junit.xml", "tests"]
    done = subprocess.run(  # noqa: S603
        command, cwd=configured.path, env=environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    place = "import sscard.testing.plugin as plugin; print(plugin.__file__)"
    found = subprocess.run([sys.executable, "-c", place], env=environment, capture_output=True, text=True, check=True)  # noqa: S603
    assert found.stdout.startswith(str(installed))
    assert (configured.path / "junit.xml").read_text("utf-8").count("<testcase") == 3


@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")
def test_a_planted_defect_meets_every_test_of_the_run(project: pytest.Pytester) -> None:
    project.makepyfile(
        """
        import pytest
        from sscard import WrongPin

        def test_a_wrong_pin(card_session):
            with pytest.raises(WrongPin):
                card_session.verify_pin("111111")
        """
    )
    assert run(project).ret == pytest.ExitCode.OK
    result = run(project, "--sscard-defect", "wrong-pin-answers-630x")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["sscard*: wrong-pin-answers-630x"])
    assert run(project).ret == pytest.ExitCode.OK


@pytest.mark.skipif("SSCARD_COMPILED" in os.environ, reason="compiled methods cannot be replaced")
def test_an_unknown_defect_ends_the_run_with_the_nearest_name(project: pytest.Pytester) -> None:
    result = run(project, "--sscard-defect", "wrong-pin-answers-63x")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--sscard-defect: *wrong-pin-answers-63x*", "*wrong-pin-answers-630x*"])
