"""Variables, tables, step groups, expressions over choices, needs, captured values, known issues and time limits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.broken import EXPANSION, GROUP, HEAD, expanded
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, say, speaking
from sscard.issuer import preset
from sscard.scenario import read_scenario, run_scenario
from sscard.scenario.expansion import MOST_STEPS
from sscard.scenario.runner import INCONCLUSIVE, KNOWN_ISSUE, NOT_APPLICABLE


def results(path: Path, **given):
    return [run_scenario(scenario) for scenario in read_scenario(path, **given)]


def error_of(write, text: str) -> InputError:
    with pytest.raises(InputError) as caught:
        read_scenario(write(text))
    return caught.value


def test_expressions_follow_the_choices_of_each_personality(write):
    path = write(
        f"{HEAD}card: {{personality: [v3-sm4, v2-3des, v1-des], choices: {{pin_tries: 4, key_tries: 5}}}}\nsteps:\n"
        "  - verify_pin: 999999\n    sw: 63C(max - 1)\n    tries: pin_tries - 1\n"
        "  - authenticate: {key: PUK, proof: wrong}\n    sw: 63C(key_tries - 1)\n    key_tries: {PUK: key_tries - 1}\n"
    )
    assert [result.verdict for result in results(path)] == ["passed"] * 3
    [scenario, *_others] = read_scenario(path)
    assert (scenario.steps[0].tries, scenario.steps[0].sw) == (3, 0x63C3)
    assert scenario.steps[1].key_tries == {"PUK": (4,)}


def test_a_status_word_may_be_that_of_a_choice(write):
    text = "steps:\n  - authenticate: {key: PUK}\n    state: PUK\n"
    text += "  - pin_change_unblock: {p2: 01, pin: 111111, challenge: none}\n    sw: no_challenge\n"
    for choice in ("6984", "6985"):
        path = write(f"{HEAD}card: {{choices: {{no_challenge: {choice}}}}}\n{text}")
        assert [result.verdict for result in results(path)] == ["passed"]


TABLE = [{"row": "short", "pin": "1234", "sw": "63C5"}, {"row": "long", "pin": "12345678", "sw": "63C5"}]
CSV = "row,pin,sw\nshort,1234,63C5\nlong,12345678,63C5\n"


@pytest.mark.parametrize("form", ["inline", "rows.csv", "rows.json"])
def test_a_table_runs_the_scenario_once_per_row(write, tmp_path, form):
    (tmp_path / "rows.csv").write_text(CSV, encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps(TABLE), encoding="utf-8")
    rows = json.dumps(TABLE) if form == "inline" else form
    path = write(f"{HEAD}with: {rows}\nsteps:\n  - verify_pin: ${{pin}}\n    sw: ${{sw}}\n    tries: 5\n")
    found = results(path)
    assert [result.scenario.title for result in found] == ["a (short) [v3-sm4]", "a (long) [v3-sm4]"]
    assert all(result.verdict == "passed" for result in found)
    assert [len(result.scenario.steps[0].verify_pin) for result in found] == [4, 8]


def test_an_error_through_a_table_names_the_line_of_the_step_and_the_row(write, tmp_path):
    (tmp_path / "rows.csv").write_text("pin\n123456\n12\n", encoding="utf-8")
    error = error_of(write, f"{HEAD}with: rows.csv\nsteps:\n  - verify_pin: ${{pin}}\n")
    assert (error.line, error.column) == (5, 5)
    assert "row 2" in say(error.problem)
    assert "rows.csv:3" in say(error.problem)
    assert "4 to 16 digits" in say(error.remedy)


def test_a_step_group_takes_parameters_and_an_error_in_it_names_both_places(write):
    text = f"{HEAD}{GROUP}steps:\n  - use: wrong\n    with: {{pin: %s}}\n"
    assert [result.verdict for result in results(write(text % "999999"))] == ["passed"]
    error = error_of(write, text % "9")
    assert (error.line, error.column) == (7, 9)
    assert "used at" in say(error.problem)
    assert "scenario.yaml:11" in say(error.problem)


def test_a_group_of_an_included_file_reports_that_file(write, tmp_path):
    (tmp_path / "common.yaml").write_text(GROUP.replace("63C(max - 1)", "9000"), encoding="utf-8")
    path = write(f"{HEAD}include: common.yaml\nsteps:\n  - use: wrong\n    with: {{pin: 999999}}\n")
    [result] = results(path)
    assert result.failure is not None
    assert result.scenario.file(result.failure.number) == str(tmp_path / "common.yaml")
    assert result.scenario.place(result.failure.number, "sw") == (6, 9)
    assert read_scenario(tmp_path / "common.yaml") == []


def test_captured_values_are_used_by_later_steps(run):
    result = run(
        "  - get_challenge: 8\n    data: ...\n    state: challenge\n    capture: {rnd: 'data[0:4]',"
        " all: data, word: sw}\n"
        "  - apdu: 00 82 00 06 10 ${rnd} ${rnd} ${all}\n    sw: 63C2\n    key_tries: {PUK: 2}\n    state: ready\n"
        "  - tries_left: 6\n    sw: ${word}\n"
    )
    assert result.verdict == "passed"


@pytest.mark.parametrize("name", EXPANSION)
def test_refuses(write, name):
    _text, line, problem, remedy = EXPANSION[name]
    error = error_of(write, expanded(name))
    assert error.file.endswith("scenario.yaml")
    assert error.line == line
    assert error.column
    assert problem in say(error.problem)
    assert remedy in say(error.remedy)


def test_all_errors_of_a_file_are_reported_if_asked(write):
    path = write(
        f"{HEAD}severity: high\ncard: {{pins: 1}}\nsteps:\n  - verify_pn: 1\n  - reset:\n    trys: 1\n    sw: 1\n"
    )
    found: list[InputError] = []
    read_scenario(path, report=found.append)
    assert sorted((error.line, error.column) for error in found) == [(3, 1), (6, 5), (8, 5), (9, 5)]
    path.write_text(path.read_text().replace("severity: high\n", ""), encoding="utf-8")
    found.clear()
    read_scenario(path, report=found.append)
    assert sorted((error.line, error.column) for error in found) == [(3, 8), (5, 5), (7, 5), (8, 5)]


def test_too_many_steps_of_groups_are_refused(write):
    groups = "".join(f"  g{n}:\n    steps: [{', '.join(['{use: g' + str(n - 1) + '}'] * 10)}]\n" for n in range(1, 6))
    text = f"{HEAD}groups:\n  g0: {{steps: [{{reset: }}]}}\n{groups}steps:\n  - use: g5\n"
    assert f"more than {MOST_STEPS} steps" in say(error_of(write, text).problem)


def test_a_need_that_a_forced_personality_does_not_meet_makes_the_scenario_not_applicable(write):
    text = f"{HEAD}needs: {{generation: [3.0, 2.0], keys: RKSSSE}}\nsteps:\n  - reset:\n"
    assert [result.verdict for result in results(write(text))] == ["passed"]
    [left_out] = results(write(text), personality=preset("v1-des"))
    assert left_out.verdict == NOT_APPLICABLE
    assert "needs generation: 3.0 or 2.0, this card has 1.0" in say(left_out.reason)
    assert left_out.passed


def test_an_expression_that_a_forced_personality_cannot_have_makes_the_scenario_not_applicable(write):
    path = write(f"{HEAD}steps:\n  - verify_pin: 999999\n    sw: 63C(max - 2)\n    tries: max - 2\n")
    [scenario] = read_scenario(path, personality=preset("v3-sm4"))
    assert scenario.misfit is None
    from dataclasses import replace

    [scenario] = read_scenario(path, personality=replace(preset("v3-sm4"), pin_tries=1))
    assert scenario.misfit is not None


def test_a_known_issue_is_an_expected_failure_and_fails_the_run_if_it_passes(write):
    text = f"{HEAD}known_issue: SIM-7\nsteps:\n  - tries_left: %s\n"
    [failing] = results(write(text % 5))
    assert (failing.verdict, failing.passed) == (KNOWN_ISSUE, True)
    [passing] = results(write(text % 6))
    assert (passing.verdict, passing.passed) == ("failed", False)
    assert "SIM-7" in say(passing.reason)
    assert "remove known_issue" in say(passing.reason)


def test_a_step_that_takes_longer_than_allowed_fails(run):
    slow = "  - fault: {slow: 0.05}\n  - get_challenge: 8\n    data: ...\n    state: challenge\n    within: %s\n"
    result = run(slow % "1 ms")
    assert result.failure is not None
    assert [wrong.field for wrong in result.failure.mismatches] == ["within"]
    assert run(slow % "60 s").verdict == "passed"


def test_a_step_that_the_hsm_could_not_do_is_inconclusive(write, monkeypatch):
    from sscard.errors import HsmError
    from sscard.hsm import SoftHsm

    def refuse(*_given):
        raise HsmError("out of order")

    monkeypatch.setattr(SoftHsm, "authentication_data", refuse)
    [result] = results(write(f"{HEAD}steps:\n  - reset_pin: 123456\n"))
    assert (result.verdict, result.passed) == (INCONCLUSIVE, False)


def test_name_and_proves_are_shown_in_the_language(write):
    path = write("name: {en: Right, zh: 正确}\nproves: {en: It works., zh: 可用。}\nsteps:\n  - reset:\n")
    [scenario] = read_scenario(path)
    assert (scenario.name, say(scenario.label)) == ("Right", "Right")
    with speaking(CHINESE):
        assert (say(scenario.label), say(scenario.proves)) == ("正确", "可用。")


def test_a_dollar_sign_before_a_placeholder_keeps_it(write):
    [scenario] = read_scenario(write(f"{HEAD}steps:\n  - reset:\n    note: costs $${{pin}}\n"))
    assert scenario.steps[0].note == "costs ${pin}"


def test_a_row_may_need_another_product(write):
    path = write("""
name: a
proves: b
card: {personality: "${card}"}
needs: {generation: "${generation}"}
with:
  - {card: v1-des, generation: "1.0"}
  - {card: v3-sm4, generation: "3.0"}
steps:
  - tries_left: 6
""")
    assert [scenario.misfit for scenario in read_scenario(path)] == [None, None]
    assert [bool(each.misfit) for each in read_scenario(path, personality=preset("v3-sm4"))] == [True, False]
