"""Waivers under pytest: a waived failure is an xfail, everything else fails the run."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date

import pytest

from sscard.scenario import waiving

GIVEN = ("-p", "no:cacheprovider", "-p", "sscard", "-p", "xdist")
"""The plugins by their entry points."""
FAILS = """\
name: Wrong PIN
proves: b
card: {personality: [v3-sm4, v2-3des]}
steps:
  - verify_pin: 654321
    sw: 63C4
    tries: 5
"""
WAIVER = """\
- {scenario: Wrong PIN, step: 1, field: sw, observed: 63C5, reason: counts late, ticket: CARD-12, expires: 2026-11-26}
"""
Run = Callable[..., pytest.RunResult]


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a suite of one file with a waiver file."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setattr(waiving, "today", lambda: date(2026, 11, 26))

    def run(suite: str, waivers: str, *options: str) -> pytest.RunResult:
        (pytester.path / "scenarios").mkdir()
        (pytester.path / "scenarios" / "wrong.yaml").write_text(suite, "utf-8")
        (pytester.path / "waivers.yaml").write_text(waivers, "utf-8")
        pytester.makeini("[pytest]\nsscard_scenarios = scenarios\n")
        return pytester.runpytest_inprocess(*GIVEN, "--sscard-waivers", "waivers.yaml", *options)

    return run


def test_a_waived_failure_is_an_xfail_with_ticket_and_reason(project: Run, pytester: pytest.Pytester) -> None:
    result = project(FAILS, WAIVER, "-rx", "--junit-xml", "report.xml")
    result.assert_outcomes(xfailed=2)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["*waived until 2026-11-26, CARD-12: counts late*"])
    report = (pytester.path / "report.xml").read_text("utf-8")
    assert report.count('<property name="waivers" value="CARD-12"') == 2


@pytest.mark.parametrize(
    ("suite", "waivers", "said"),
    [
        (FAILS, WAIVER.replace("63C5", "6300"), "does not cover sw 63C5, only 6300"),
        (FAILS.replace("63C4", "63C5"), WAIVER, "passes, remove the waiver"),
        (FAILS, WAIVER.replace("2026-11-26", "2026-11-25"), "expired on 2026-11-25"),
        (FAILS.replace("tries: 5", "tries: 4"), WAIVER, "tries: not waived"),
    ],
    ids=["another value", "passes", "expired", "another field"],
)
def test_everything_else_fails_and_says_why(project: Run, suite: str, waivers: str, said: str) -> None:
    result = project(suite, waivers)
    result.assert_outcomes(failed=2)
    assert re.search(rf"^scenarios/wrong\.yaml:\d+: .*{re.escape(said)}", result.stdout.str(), re.MULTILINE)


def test_a_waiver_may_be_for_one_personality(project: Run) -> None:
    project(FAILS, WAIVER.replace("step", "personality: v2-3des, step")).assert_outcomes(xfailed=1, failed=1)


def test_runxfail_reports_a_waived_failure_as_one(project: Run) -> None:
    project(FAILS, WAIVER, "--runxfail").assert_outcomes(failed=2)


def test_a_waiver_file_with_an_error_is_an_error_of_the_command_line(project: Run) -> None:
    result = project(FAILS, WAIVER.replace("reason: counts late", "reason: ''"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *waivers.yaml:1:*: reason: is empty"])


def test_an_unknown_step_is_an_error_before_the_first_scenario(project: Run) -> None:
    result = project(FAILS, WAIVER.replace("step: 1", "step: 7"))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "waivers.yaml:1:25: the scenario has no step '7'" in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(("options", "noted"), [((), True), (("-k", "v3-sm4"), False)], ids=["all", "some"])
def test_a_waiver_without_a_scenario_is_noted_after_the_whole_suite_only(
    project: Run, options: tuple[str, ...], noted: bool
) -> None:
    result = project(FAILS, WAIVER + WAIVER.replace("Wrong PIN", "Other"), *options)
    assert ("1 waiver names no scenario that was run" in result.stdout.str()) == noted


def test_the_waivers_of_a_testbed_need_no_option(project: Run, pytester: pytest.Pytester) -> None:
    (pytester.path / "testbed.yaml").write_text("card: {use: card.db}\nwaivers: broken.yaml\n", "utf-8")
    (pytester.path / "broken.yaml").write_text("no list", "utf-8")
    result = project(FAILS, WAIVER, "--sscard-testbed", "testbed.yaml", "--sscard-waivers", "")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *broken.yaml:1:1: a list of waivers expected"])
