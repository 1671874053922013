"""Reports for CI and for people: JUnit XML and the HTML page."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, EntryPoints
from io import StringIO
from json import loads
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from kit.report_page import whole, without_fractions
from sscard.errors import InputError, MissingPart
from sscard.scenario import ScenarioResult, find_scenarios, run_scenario
from sscard.scenario.reports import REPORTS, Reports, html, json, junit, report
from sscard.scenario.reports.console import ConsoleReport
from sscard.scenario.reports.run import Run

SEED = 3
RIGHT = "name: The right PIN\nproves: It is <accepted>.\nsteps:\n  - verify_pin: 123456\n    state: verified\n"
WRONG = "name: A wrong claim\nproves: Nothing.\nsteps:\n  - verify_pin: 975310\n"


def run_of(results: Sequence[ScenarioResult], planned: int | None = None) -> Run:
    """A run of one seed, complete unless ``planned`` says otherwise."""
    begin = min((result.started for result in results), default=datetime.now(UTC))
    count = len(results) if planned is None else planned
    return Run(results=results, seeds=(SEED,), planned=count, started=begin, seconds=1.5)


def written(name: str, results: Sequence[ScenarioResult], folder: Path) -> str:
    """The text of a report, of a folder that of all its files."""
    path = folder / f"written-{name}"
    asked = report(name, path)
    asked.begin(run_of((), len(results)))
    for result in results:
        asked.add(result)
    asked.finish(run_of(results))
    files = [path] if path.is_file() else sorted(each for each in path.rglob("*") if each.is_file())
    return "\n".join(each.read_text(encoding="utf-8") for each in files)


@pytest.fixture
def results(tmp_path: Path) -> list[ScenarioResult]:
    (tmp_path / "right.yaml").write_text(RIGHT, encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(WRONG, encoding="utf-8")
    return [run_scenario(scenario, SEED) for scenario in find_scenarios([tmp_path])]


def test_junit_counts_and_tells_the_failing_step(results: list[ScenarioResult]) -> None:
    suite = ET.fromstring(junit.write(run_of(results))).find("testsuite")  # noqa: S314 - our own text
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures")) == ("2", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert "expected 9000" in str(failure.get("message"))
    assert "wrong.yaml:4" in str(failure.text)


def test_junit_names_file_class_and_times_of_each_case(results: list[ScenarioResult], tmp_path: Path) -> None:
    suite = ET.fromstring(junit.write(run_of(results))).find("testsuite")  # noqa: S314 - our own text
    assert suite is not None
    folder = ".".join(tmp_path.parts[1:])
    cases = [(case.get("classname"), case.get("name"), case.get("file")) for case in suite.iter("testcase")]
    assert cases == [
        (f"{folder}.right", "The right PIN [v3-sm4]", str(tmp_path / "right.yaml")),
        (f"{folder}.wrong", "A wrong claim [v3-sm4]", str(tmp_path / "wrong.yaml")),
    ]
    assert all(float(case.get("time", "")) > 0 for case in suite.iter("testcase"))
    assert float(suite.get("time", "")) > 0
    started = datetime.fromisoformat(suite.get("timestamp", ""))
    assert timedelta() <= datetime.now(UTC) - started < timedelta(hours=1)


def test_every_report_names_the_line_of_the_expectation(tmp_path: Path) -> None:
    file = tmp_path / "state.yaml"
    file.write_text("name: n\nproves: p\nsteps:\n  - verify_pin: 123456\n\n    state: blocked\n", encoding="utf-8")
    results = [run_scenario(scenario, SEED) for scenario in find_scenarios([file])]
    missed = "line 6: state: expected blocked, got verified"
    for name in ("html", "junit", "trace"):
        assert missed in written(name, results, tmp_path)
    assert loads(json.write(run_of(results)))["results"][0]["failure"]["mismatches"][0]["line"] == 6
    output = StringIO()
    report = ConsoleReport(Console(file=output, width=200), 1)
    report.add(results[0])
    assert f"{file}:6" in output.getvalue()


def test_every_report_names_the_file_of_an_included_group(tmp_path: Path) -> None:
    group, file = tmp_path / "common" / "group.yaml", tmp_path / "a.yaml"
    group.parent.mkdir()
    group.write_text(
        "groups:\n  g:\n    steps:\n      - verify_pin: 123456\n        state: blocked\n", encoding="utf-8"
    )
    file.write_text("name: n\nproves: p\ninclude: common/group.yaml\nsteps:\n  - use: g\n", encoding="utf-8")
    results = [run_scenario(scenario, SEED) for scenario in find_scenarios([file])]
    for name in ("html", "junit", "trace"):
        assert f"{group}:5: state: expected blocked, got verified" in written(name, results, tmp_path)
    assert f"{group}:4: verify_pin" in written("trace", results, tmp_path)
    failure = loads(json.write(run_of(results)))["results"][0]["failure"]
    assert (failure["file"], failure["line"], failure["mismatches"][0]["line"]) == (str(group), 4, 5)


def test_the_page_is_whole_escaped_and_opens_at_the_failure(results: list[ScenarioResult]) -> None:
    page = whole(html.write(run_of(results)))
    assert "1 passed, 1 failed" in page
    assert "It is &lt;accepted&gt;." in page
    assert page.count('class="row failed"') == page.count('id="a-wrong-claim-v3-sm4-seed-3" open') == 1
    assert "http" not in page
    assert "VERIFY" in page


@pytest.mark.parametrize("name", REPORTS.names())
def test_the_colours_of_a_terminal_are_in_no_report(
    name: str, results: list[ScenarioResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """CI sets FORCE_COLOR for the log; an escape character makes JUnit XML unreadable."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    text = written(name, results, tmp_path)
    assert "\x1b" not in text
    assert r"\u001b" not in text


def test_json_has_a_verdict_per_scenario_and_names_the_failure(results: list[ScenarioResult]) -> None:
    content = loads(json.write(run_of(results)))
    assert (content["schema"], content["seed"]) == ("sscard.run/1", SEED)
    right, wrong = content["results"]
    assert (right["name"], right["verdict"], right["failure"]) == ("The right PIN", "passed", None)
    assert (wrong["verdict"], wrong["failure"]["line"]) == ("failed", 4)
    assert wrong["failure"]["mismatches"][0]["field"] == "sw"


def test_the_trace_marks_what_was_not_met(results: list[ScenarioResult], tmp_path: Path) -> None:
    text = written("trace", results, tmp_path)
    assert text.startswith("== The right PIN [v3-sm4]\n")
    assert "!! line 4: sw: expected 9000 done, got 63C5" in text


@pytest.mark.parametrize("name", REPORTS.names())
def test_no_report_holds_a_pin(name: str, results: list[ScenarioResult], tmp_path: Path) -> None:
    text = written(name, results, tmp_path)
    text = without_fractions(whole(text) if name == "html" else text)
    assert "975310" not in text
    assert "123456" not in text.replace("0123456789", "")


# Packages


@pytest.mark.parametrize(
    ("write", "says"),
    [
        (lambda *_: None, "it returned NoneType, expected str"),
        (lambda *_: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda: "", "TypeError: "),
    ],
)
def test_a_report_that_fails_is_named_and_the_others_are_written(
    results: list[ScenarioResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: object, says: str
) -> None:
    module = ModuleType("demo_report")
    module.write = write  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "demo_report", module)
    points = EntryPoints([EntryPoint("demo", "demo_report:write", "sscard.reports")])
    monkeypatch.setattr("importlib.metadata.entry_points", points.select)
    asked = [report(name, tmp_path / name) for name in ("demo", "json", "junit")]
    with pytest.raises(MissingPart) as missing:
        Reports([*asked, report("json", tmp_path / "none" / "x")]).finish(run_of(results))
    assert f"demo_report:write of package demo_report does not work: {says}" in str(missing.value)
    assert (tmp_path / "json").read_text(encoding="utf-8") == json.write(run_of(results))
    assert (tmp_path / "junit").read_text(encoding="utf-8") == junit.write(run_of(results))
    with pytest.raises(InputError, match="x: cannot be written"):
        Reports([report("json", tmp_path / "none" / "x")]).finish(run_of(results))


@pytest.mark.parametrize(("others", "kept"), [(("json", "junit"), False), (("json", "html"), True), ((), False)])
def test_exchanges_of_passed_scenarios_are_kept_only_for_reports_that_show_them(results, tmp_path, others, kept):
    right, wrong = results
    reports = Reports(report(name, tmp_path / name) for name in ("trace", *others))
    held = reports.add(right)
    assert (tmp_path / "trace").read_text(encoding="utf-8") == written("trace", [right], tmp_path)
    assert any(step.events for step in held.steps) is kept
    assert (held.passed, held.commands) == (True, right.commands)
    both = [held, reports.add(wrong)]
    assert both[1] is wrong
    reports.finish(run_of(both))
    for name in ("trace", *others):
        assert (tmp_path / name).read_text(encoding="utf-8") == written(name, results, tmp_path)


def test_a_trace_that_cannot_be_written_does_not_cost_the_other_reports(results, tmp_path):
    reports = Reports([report("trace", tmp_path / "none" / "x"), report("json", tmp_path / "json")])
    for result in results:
        reports.add(result)
    with pytest.raises(InputError, match="x: cannot be written"):
        reports.finish(run_of(results))
    assert (tmp_path / "json").read_text(encoding="utf-8") == json.write(run_of(results))
