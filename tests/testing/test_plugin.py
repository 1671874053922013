"""The pytest plugin: a project's scenario files run as its tests."""

from __future__ import annotations

import pytest

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


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", *arguments)


@pytest.fixture
def project(pytester: pytest.Pytester) -> pytest.Pytester:
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
