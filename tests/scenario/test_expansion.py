"""Variables, tables, step groups, expressions over choices, needs, captured values, known issues and time limits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, strategies

from kit.broken import EXPANSION, GROUP, HEAD, expanded
from sscard.errors import InputError
from sscard.i18n.language import CHINESE, say, speaking
from sscard.issuer import builtin_keys, make_holder, make_order, personalise, preset
from sscard.issuer.image import write_image
from sscard.scenario import read_scenario, run_scenario
from sscard.scenario.expansion import MOST_STEPS
from sscard.scenario.faults import ISSUED
from sscard.scenario.json_table import read_json
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


def test_a_table_in_another_encoding_is_an_error_with_line_and_column(write, tmp_path):
    (tmp_path / "rows.csv").write_bytes("row,pin\né,123456\n12,张,6\n".encode().replace("张".encode(), b"\xd5\xc5"))
    error = error_of(write, f"{HEAD}with: rows.csv\nsteps:\n  - verify_pin: ${{pin}}\n")
    assert (error.file.rpartition("/")[2], error.line, error.column) == ("rows.csv", 3, 4)


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


def test_a_missing_include_names_the_line_that_includes_it(write):
    error = error_of(write, f"{HEAD}include: [nothere.yaml]\nsteps:\n  - reset:\n")
    assert "nothere.yaml" in str(error)
    assert "scenario.yaml:3" in say(error.problem)


def test_captured_values_are_used_by_later_steps(run):
    result = run(
        "  - get_challenge: 8\n    data: ...\n    state: challenge\n    capture: {rnd: 'data[0:4]',"
        " all: data, word: sw}\n"
        "  - apdu: 00 82 00 06 10 ${rnd} ${rnd} ${all}\n    sw: 63C2\n    key_tries: {PUK: 2}\n    state: ready\n"
        "  - tries_left: 6\n    sw: ${word}\n"
    )
    assert result.verdict == "passed"


def test_a_captured_byte_is_the_tag_of_a_record(run):
    result = run(
        "  - select: EF05\n  - read_record: 03\n    capture: {tag: 'data[0]'}\n"
        "  - read_record: ${tag}\n    data: 03 04 ...\n"
    )
    assert result.verdict == "passed"


@pytest.mark.parametrize(("source", "captured"), [("data[-8]", True), ("data[-9]", False), ("data[8]", False)])
def test_a_byte_that_the_data_do_not_have_is_not_captured(run, source, captured):
    result = run(f"  - get_challenge: 8\n    state: challenge\n    capture: {{byte: '{source}'}}\n")
    assert result.passed is captured


def test_a_parameter_of_a_group_is_used_although_a_value_of_its_name_was_captured(write):
    path = write(
        f"{HEAD}groups: {{ask: {{parameters: [pin], steps: [{{verify_pin: '${{pin}}', state: verified}}]}}}}\n"
        "steps:\n  - tries_left: 6\n    capture: {pin: tries}\n"
        "  - use: ask\n    with: {pin: 123456}\n  - use: ask\n    with: {pin: '${pin}'}\n"
    )
    [result] = results(path)
    assert [step.verdict for step in result.steps] == ["passed", "passed", "passed", "failed"]
    assert "a captured value does not fit" in say(result.failure.mismatches[0].actual)


def test_an_unknown_variable_in_a_group_names_the_line_that_uses_the_group(write):
    error = error_of(write, f"{HEAD}{GROUP.replace('[pin]', '[pim]')}steps:\n  - use: wrong\n    with: {{pim: 1234}}\n")
    assert (error.line, "no variable 'pin' (used at " in say(error.problem)) == (7, True)
    assert "scenario.yaml:11)" in say(error.problem)


def test_a_fault_of_a_group_that_nothing_meets_is_reported_at_its_own_use(write):
    path = write(
        f"{HEAD}groups: {{away: {{steps: [{{fault: {{removed: before, ins: 5E}}}}]}}}}\n"
        "steps:\n  - use: away\n  - change_pin: {old: 123456, new: 246810}\n    sw: none\n  - insert:\n  - use: away\n"
    )
    [result] = results(path)
    assert result.failure.number == 4


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
    assert sorted((error.line, error.column) for error in found) == [(3, 1), (4, 8), (6, 5), (8, 5), (9, 5)]
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


@pytest.mark.parametrize("reported", [False, True])
def test_an_expression_that_a_forced_personality_cannot_have_is_an_error_unless_needs_exclude_it(write, reported):
    text = f"{HEAD}%ssteps:\n  - verify_pin: 999999\n    sw: 63C(max - 4)\n"
    short = replace(preset("v3-sm4"), name="short", pin_tries=3)
    path = write(text % "")
    [scenario] = read_scenario(path, personality=preset("v3-sm4"))
    assert scenario.misfit is None
    found: list[InputError] = []
    if reported:
        read_scenario(path, personality=short, report=found.append)
    else:
        with pytest.raises(InputError) as caught:
            read_scenario(path, personality=short)
        found.append(caught.value)
    [error] = found
    assert error.line == 5
    assert "not -1" in say(error.problem)
    assert "on the personality short" in say(error.problem)
    assert "{pin_tries: 4-15}" in say(error.remedy)
    [left_out] = read_scenario(write(text % "needs: {pin_tries: 4-15}\n"), personality=short)
    assert left_out.misfit is not None


@pytest.mark.parametrize("card", ["tries_left: max - 4", "tries_left: 5"])
def test_a_prior_state_that_a_forced_personality_cannot_have_makes_the_scenario_not_applicable(write, card):
    path = write(f"{HEAD}card: {{{card}}}\nsteps:\n  - reset:\n")
    [scenario] = read_scenario(path, personality=replace(preset("v3-sm4"), pin_tries=3))
    assert scenario.misfit is not None


def test_a_known_issue_is_an_expected_failure_and_fails_the_run_if_it_passes(write):
    text = f"{HEAD}known_issue: SIM-7\nsteps:\n  - tries_left: %s\n"
    [failing] = results(write(text % 5))
    assert (failing.verdict, failing.passed) == (KNOWN_ISSUE, True)
    [passing] = results(write(text % 6))
    assert (passing.verdict, passing.passed) == ("failed", False)
    assert "SIM-7" in say(passing.reason)
    assert "remove known_issue" in say(passing.reason)


SWEEP = "- cut_power: {point: every, steps: [{verify_pin: 123456, tries: 6, state: verified}], after: {old: [%s]}}"


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ("- power_off:\n  - apdu: 00 84 00 00 08", "failed"),  # the card has no power
        ("- apdu: 00 84 00 00 08\n    state: challenge\n    capture: {nonce: balance}", "failed"),
        ("- cut_power: {point: 0}", "failed"),
        ("- tries_left: 6\n    capture: {pin: tries}\n  - verify_pin: ${pin}", "failed"),
        (SWEEP % "{power_off: }, {apdu: 00 84 00 00 08}", "failed"),
        (SWEEP % "{tries_left: 5}", KNOWN_ISSUE),
        ("- tries_left: 5", KNOWN_ISSUE),
    ],
)
def test_a_known_issue_excuses_unmet_expectations_only(write, steps, verdict):
    [result] = results(write(f"{HEAD}known_issue: SIM-7\nsteps:\n  {steps}\n"))
    assert result.failure is not None
    assert (result.verdict, result.passed) == (verdict, verdict == KNOWN_ISSUE)
    assert bool(result.reason) == (verdict == KNOWN_ISSUE)


def test_a_step_that_takes_longer_than_allowed_fails(run):
    slow = "  - fault: {slow: 0.05}\n  - get_challenge: 8\n    data: ...\n    state: challenge\n    within: %s\n"
    result = run(slow % "1 ms")
    assert result.failure is not None
    assert [wrong.field for wrong in result.failure.mismatches] == ["within"]
    assert run(slow % "60 s").verdict == "passed"


OPERATED = "  - apply: {reason: leaked}\n  - operate: {new: 246810}\n"
BY_HSM = "  - driver_unblock_pin: {by: hsm}\n"


@pytest.mark.parametrize(
    ("steps", "verdict"),
    [
        ("  - reset_pin: 123456\n", INCONCLUSIVE),
        (OPERATED, INCONCLUSIVE),
        (BY_HSM, INCONCLUSIVE),
        (BY_HSM + "    host: fails\n", "passed"),
        ("  - fault: {hsm_down: }\n" + BY_HSM, "failed"),
        ("  - fault: {hsm_down: }\n" + OPERATED, "failed"),
    ],
)
def test_a_step_that_the_hsm_could_not_do_is_inconclusive(write, monkeypatch, steps, verdict):
    from sscard.errors import HsmError
    from sscard.hsm import SoftHsm

    def refuse(*_given):
        raise HsmError("out of order")

    monkeypatch.setattr(SoftHsm, "authentication_data", refuse)
    [result] = results(write(f"{HEAD}steps:\n{steps}"))
    assert (result.verdict, result.passed) == (verdict, verdict == "passed")


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


def test_a_row_of_a_csv_file_is_at_the_line_on_which_it_begins(write, tmp_path):
    (tmp_path / "rows.csv").write_text('row,pin\n"the\nfirst",123456\n\n"the\nlast",12\n"third\n', encoding="utf-8")
    text = f"{HEAD}with: rows.csv\nsteps:\n  - verify_pin: ${{pin}}\n    state: verified\n"
    error = error_of(write, text)
    assert (error.file.rpartition("/")[2], error.line) == ("rows.csv", 7)
    (tmp_path / "rows.csv").write_text('row,pin\n"the\nfirst",123456\n\n"the\nlast",12\n', encoding="utf-8")
    assert "rows.csv:5" in say(error_of(write, text).problem)


def test_a_csv_file_with_a_column_twice_is_refused(write, tmp_path):
    (tmp_path / "rows.csv").write_text("n,m, n\n1,2,3\n", encoding="utf-8")
    error = error_of(write, f"{HEAD}with: rows.csv\nsteps:\n  - tries_left: ${{n}}\n")
    assert (Path(error.file).name, error.line) == ("rows.csv", 1)
    assert "column 'n' is given twice" in say(error.problem)


@pytest.mark.parametrize(
    ("head", "remedy"), [("row;w", "with commas"), ("row\tw", "with commas"), ("row,w w", "letters, digits")]
)
def test_a_csv_file_with_another_separator_is_refused_at_its_first_line(write, tmp_path, head, remedy):
    (tmp_path / "rows.csv").write_text(f"{head}\na;123456\n", encoding="utf-8")
    [error] = errors_of(write(f"{HEAD}with: rows.csv\nsteps:\n  - verify_pin: ${{w}}\n"))
    assert (error.file.rpartition("/")[2], error.line) == ("rows.csv", 1)
    assert remedy in say(error.remedy)


def test_a_row_named_twice_in_a_file_has_its_place_there(write, tmp_path):
    (tmp_path / "rows.csv").write_text("row,n\na,6\nb,6\na,5\n", encoding="utf-8")
    error = error_of(write, f"{HEAD}with: rows.csv\nsteps:\n  - tries_left: ${{n}}\n")
    assert (Path(error.file).name, error.line) == ("rows.csv", 4)
    assert "row a is named twice" in say(error.problem)


@pytest.mark.parametrize(
    ("head", "line", "field"),
    [
        ("name: {en: PIN 739184, zh: 密码}\nproves: b\n", 1, "name"),
        ("name: {en: PIN, zh: 密码739184}\nproves: b\n", 1, "name"),
        ("name: a\nproves: that 73 91 84 is right\n", 2, "proves"),
        (f"{HEAD}with: [{{row: 739184, pin: 1}}]\n", 3, "row"),
        (f"{HEAD}with:\n  - {{row: a, pin: 1}}\n  - {{row: {{en: b, zh: 是739184}}, pin: 2}}\n", 5, "row"),
    ],
)
def test_a_name_that_has_a_pin_of_the_scenario_is_refused_without_it(write, head, line, field):
    """Every report prints these texts, and the names of rows are what a run is repeated with."""
    error = error_of(
        write, f"{head}card: {{pin: 739184}}\nsteps:\n  - verify_pin: 864209\n    sw: 63C5\n    tries: 5\n"
    )
    assert (error.line, say(error.problem)) == (line, f"{field}: a PIN of the scenario, which every report would print")
    assert "739184" not in str(error)


def test_a_row_of_a_csv_file_that_is_named_by_its_pin_is_refused_at_its_line(write, tmp_path):
    (tmp_path / "rows.csv").write_text("row,pin\na,123456\n739184,739184\n", encoding="utf-8")
    error = error_of(write, f"{HEAD}with: rows.csv\nsteps:\n  - verify_pin: ${{pin}}\n")
    assert (Path(error.file).name, error.line) == ("rows.csv", 3)
    assert "739184" not in str(error)


def test_other_errors_of_a_row_do_not_repeat_a_name_that_may_be_a_pin(write):
    rows = "with: [{row: PIN 739184, pin: 7391849184918491849}, {row: PIN 739184, pin: 1}]"
    reported = []
    read_scenario(write(f"{HEAD}{rows}\nsteps:\n  - verify_pin: ${{pin}}\n"), report=reported.append)
    assert reported
    assert not any("739184" in str(error) for error in reported)


@pytest.mark.parametrize(
    "step",
    [
        "verify: 13 57 90",
        "change: 24 68 10 FF 13 57 90",
        "pin_change_unblock: {p2: 01, pin_bytes: 13 57 90}",
        "driver_verify_pin: {}\n    entries: [246810, 135790]",
    ],
)
def test_a_name_that_has_a_pin_which_a_step_sends_as_bytes_or_enters_is_refused(write, step):
    error = error_of(write, f"name: not 135790\nproves: b\nsteps:\n  - {step}\n")
    assert (error.line, say(error.problem)) == (1, "name: a PIN of the scenario, which every report would print")


def test_a_name_may_have_numbers_that_are_no_pin_of_the_scenario(write):
    text = "name: Cards of 2024\nproves: LD/T 6001\ncard: {pin: 739184}\nsteps:\n  - verify_pin: 864209\n"
    assert read_scenario(write(text))[0].name == "Cards of 2024"


def test_a_check_reports_each_name_that_has_a_pin_once(write):
    rows = "with: [{row: '864209', pin: 864209}, {row: fine, pin: 123456}, {row: '975310', pin: 975310}]\n"
    card = "card: {personality: [v3-sm4, v2-3des]}\n"
    reported = []
    read_scenario(write(f"{HEAD}{card}{rows}steps:\n  - verify_pin: ${{pin}}\n"), report=reported.append)
    assert [(error.line, error.column) for error in reported] == [(4, 9), (4, 65)]


def test_a_dollar_sign_keeps_a_placeholder_beside_a_captured_value_and_in_a_parameter(write):
    path = write(
        f"{HEAD}variables: {{price: 'costs $${{y}}'}}\n"
        "groups: {noted: {parameters: [text], steps: [{tries_left: 6, note: '${text}'}]}}\nsteps:\n"
        "  - get_challenge: 8\n    data: ...\n    state: challenge\n    capture: {rnd: data}\n"
        "  - tries_left: 6\n    note: '${rnd} $${y} ${price}'\n    state: challenge\n"
        "  - use: noted\n    with: {text: '${rnd} $${y}'}\n"
        "  - use: noted\n    with: {text: '$${y}'}\n"
    )
    [scenario] = read_scenario(path)
    notes = [scenario.step(number, {"rnd": "AB"}).note for number in (2, 3, 4)]
    assert notes == ["AB ${y} costs ${y}", "AB ${y}", "${y}"]


@pytest.mark.parametrize("fault", ["hsm_down", "journal_locked", "power cut", "memory", "mute"])
def test_a_fault_that_the_steps_do_not_inject_is_no_need(write, fault):
    error = error_of(write, f"{HEAD}needs: {{faults: [{fault}]}}\nsteps:\n  - reset:\n")
    assert error.line == 3
    assert f"does not inject the fault {fault!r}" in say(error.problem)


@pytest.mark.parametrize(
    ("fault", "step"),
    [
        ("hsm_down", "fault: {hsm_down: }"),
        ("memory", "fail_memory: 0"),
        ("power cut", "cut_power: {point: 0}"),
    ],
)
def test_a_fault_that_a_step_injects_is_a_need(write, fault, step):
    [scenario] = read_scenario(write(f"{HEAD}needs: {{faults: {fault}}}\nsteps:\n  - {step}\n"))
    assert scenario.needs.faults == (fault,)


def test_rows_and_personalities_read_policies_and_images_once(write, tmp_path, monkeypatch):
    from sscard.scenario import cards, reader
    from sscard.service import policy

    counts = dict.fromkeys(("policy", "builtin", "cards"), 0)

    def counted(name, call):
        def count(*given, **named):
            counts[name] += 1
            return call(*given, **named)

        return count

    policy.preset_fields.cache_clear()
    monkeypatch.setattr(reader, "load_policy", counted("policy", reader.load_policy))
    monkeypatch.setattr(policy, "parse_document", counted("builtin", policy.parse_document))
    monkeypatch.setattr(cards.CardData, "model_validate", counted("cards", cards.CardData.model_validate))
    (tmp_path / "policy.yaml").write_text("based_on: page\n", encoding="utf-8")
    rows = f"with: {json.dumps([{'n': 6}] * 5)}\ncard: {{personality: [v3-sm4, v2-3des]}}\n"
    steps = "steps:\n  - tries_left: ${n}\n"
    assert len(read_scenario(write(f"{HEAD}{rows}service: {{policy: policy.yaml}}\n{steps}"))) == 10
    assert len(read_scenario(write(f"{HEAD}{rows}service: {{policy: {{}}}}\n{steps}"))) == 10
    assert counts == {"policy": 1, "builtin": 1, "cards": 2}


def test_rows_read_an_image_once(write, tmp_path, monkeypatch):
    from sscard.scenario import cards

    found = []
    read = cards.read_text
    monkeypatch.setattr(cards, "read_text", lambda path: found.append(path) or read(path))
    order = make_order(preset("v3-sm4"), Random(1), make_holder(Random(1)), "410402", ISSUED)
    card = personalise(order, builtin_keys())
    (tmp_path / "card.json").write_text(write_image(card), encoding="utf-8")
    text = f"{HEAD}with: [{{n: 6}}, {{n: 6}}]\ncard: {{image: card.json}}\nsteps:\n  - tries_left: ${{n}}\n"
    assert len(read_scenario(write(text))) == 2
    assert len(found) == 1


def errors_of(path: Path) -> list[InputError]:
    found: list[InputError] = []
    read_scenario(path, report=found.append)
    return found


def test_a_check_reports_the_wrong_values_of_every_row_and_what_does_not_depend_on_it_once(write, tmp_path):
    (tmp_path / "rows.csv").write_text("pin,sw\n12,9000\n123456,9000\n12,9\n34,9000\n", encoding="utf-8")
    path = write(
        f"{HEAD}with: rows.csv\ncard: {{pins: 1}}\nsteps:\n  - verify_pin: ${{pin}}\n    sw: ${{sw}}\n"
        "  - reset:\n    trys: 1\n  - use: nothing\n  - tries_left: ${left}\n"
    )
    found = errors_of(path)
    assert [(error.line, say(error.problem).partition("row ")[2][:1]) for error in found] == [
        (4, ""),
        (6, "1"),
        (9, ""),
        (10, ""),
        (11, ""),
        (6, "3"),
        (7, "3"),
        (6, "4"),
    ]


@pytest.mark.parametrize("rows", ["rows.csv", "rows.json", "inline"])
def test_a_check_reports_every_wrong_row(write, tmp_path, rows):
    table = [{"row": "a", "n": "6"}, {"row": "a", "n": "6"}, {"row": "b", "m": "6"}, {"row": "c", "n": "x"}]
    (tmp_path / "rows.csv").write_text("row,n\na,6\na,6\nb\nc,x\n", encoding="utf-8")
    (tmp_path / "rows.json").write_text(json.dumps(table, indent=1), encoding="utf-8")
    given = json.dumps(table) if rows == "inline" else rows
    found = errors_of(write(f"{HEAD}with: {given}\nsteps:\n  - verify_pin: ${{n}}\n  - reset:\n    tries: ${{n}}\n"))
    problems = " ".join(say(error.problem) for error in found)
    assert "row a is named twice" in problems
    assert ("not the fields of the first row: m" if rows != "rows.csv" else "1 values, 2 expected") in problems
    assert "row c" in problems or "row 3" in problems
    assert all(error.line and error.column and error.remedy for error in found)


def test_a_step_is_read_for_each_product_after_a_row_whose_card_is_wrong(write):
    rows = ", ".join(f"{{pin: {pin}, limit: {limit}}}" for pin, limit in (("12", 6), ("123456", 3)) * 4)
    found = errors_of(
        write(
            f"{HEAD}with: [{rows}]\ncard: {{pin: '${{pin}}', choices: {{pin_tries: '${{limit}}'}}}}\n"
            "steps:\n  - reset:\n    tries: max - 4\n"
        )
    )
    assert {error.line for error in found} == {4, 7}


UNUSED = """groups:
  used: {steps: [{reset: }]}
  unused:
    parameters: [pin, word, key]
    steps:
      - verify_pin: ${pin}
        state: ${word}
      - verify_pn: ${pin}
      - reset:
        trys: ${pin}
        sw: 9
      - authenticate: {key: "${key}", kay: PUK}
      - use: used
        with: {pin: 1}
"""


@pytest.mark.parametrize("rest", ["", f"{HEAD}steps:\n  - use: used\n"])
def test_a_check_reports_the_errors_of_groups_that_no_step_uses(write, rest):
    found = errors_of(write(rest + UNUSED))
    before = rest.count("\n")
    assert sorted(error.line - before for error in found) == [8, 10, 11, 12, 14]
    assert all(error.column and error.remedy for error in found)


def test_variables_refer_to_variables_fields_of_a_row_and_defaults_of_a_group(write):
    path = write(
        f"{HEAD}variables: {{new: '${{start}}${{end}}', end: '${{half}}6', start: 12, pins: ['${{new}}'], half: 5}}\n"
        "with: [{digits: 34}, {digits: '${start}'}]\n"
        "groups: {change: {parameters: {old: '${start}${digits}56', new: '${old}'},"
        " steps: [{change_pin: {old: '${old}', new: '${new}'}}]}}\n"
        "steps:\n  - use: change\n  - verify_pin: ${new}\n"
    )
    first, second = read_scenario(path)
    assert (first.steps[0].change_pin.old, first.steps[0].change_pin.new) == ("123456", "123456")
    assert second.steps[0].change_pin.old == "121256"
    assert first.steps[1].verify_pin == "1256"


@pytest.mark.parametrize(
    "variables",
    ["{a: '${a}'}", "{a: 'x${b}', b: ['${c}'], c: '${a}'}", "{a: '${b}', b: '1', c: '${d}', d: '${c}'}"],
)
def test_variables_in_a_circle_are_refused(write, variables):
    error = error_of(write, f"{HEAD}variables: {variables}\nsteps:\n  - reset:\n")
    assert (error.line, "refers to itself" in say(error.problem)) == (3, True)
    assert error.remedy


def test_variables_that_grow_without_end_are_refused(write):
    names = "".join(f"  v{n}: '${{v{n + 1}}}${{v{n + 1}}}'\n" for n in range(40))
    error = error_of(write, f"{HEAD}variables:\n{names}  v40: '12'\nsteps:\n  - reset:\n")
    assert "longer than" in say(error.problem)


WRONG_JSON = {
    "a comma at the end": ('[{"n": "6"},\n]', 1, 12, "a comma before ]"),
    "a comma at the end of a row": ('[\n {"n": "6",}]', 2, 11, "a comma before }"),
    "no comma": ('[{"n": "6"}\n {"n": "5"}]', 2, 2, "a comma or ] expected"),
    "a key twice": ('[{"n": "6",\n  "n": "5"}]', 2, 3, "'n' is given twice"),
    "NaN": ('[\n{"n": NaN}]', 2, 7, "a value expected"),
    "Infinity": ('[{"n": -Infinity}]', 1, 8, "a value expected"),
    "a number with a leading zero": ('[{"n": 06}]', 1, 8, "a value expected"),
    "single quotes": ("[{'n': '6'}]", 1, 3, "double quotes"),
    "a text without an end": ('[{"n": "6}]', 1, 8, "a quote is missing"),
    "an unknown escape": ('[{"n": "\\q"}]', 1, 9, "a quote is missing"),
    "half a surrogate pair": ('[{"n": "6"},\n{"n": "\\ud83d"}]', 2, 7, "a character that cannot stand"),
    "no colon": ('[{"n" 6}]', 1, 7, "a colon"),
    "text after the end": ('[{"n": "6"}]\nx', 2, 1, "after the end"),
    "a comment": ('[{"n": "6"}] # x', 1, 14, "after the end"),
    "YAML": ("- n: 6\n", 1, 1, "a value expected"),
    "nothing": ("", 1, 1, "a value expected"),
    "too deep": ("[" * 2000, 1, 101, "nested too deeply"),
}


@pytest.mark.parametrize(("text", "line", "column", "problem"), WRONG_JSON.values(), ids=WRONG_JSON)
def test_a_json_table_is_read_as_json(write, tmp_path, text, line, column, problem):
    (tmp_path / "rows.json").write_text(text, encoding="utf-8")
    error = error_of(write, f"{HEAD}with: rows.json\nsteps:\n  - tries_left: ${{n}}\n")
    assert (Path(error.file).name, error.line, error.column) == ("rows.json", line, column)
    assert problem in say(error.problem)
    assert error.remedy


@given(
    strategies.lists(
        strategies.dictionaries(strategies.text(), strategies.text() | strategies.lists(strategies.text())), min_size=1
    ),
    strategies.sampled_from([None, 0, 2, "\t"]),
    strategies.booleans(),
)
def test_texts_of_json_are_read_as_json_reads_them(tmp_path_factory, table, indent, ascii_only):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_bytes(json.dumps(table, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass"))
    assert read_json(path).content == table


def test_numbers_of_json_stay_as_they_are_written(tmp_path):
    (tmp_path / "a.json").write_text('[{"a": 1.50, "b": -0, "c": 1E+2, "d": true, "e": null}]', encoding="utf-8")
    assert read_json(tmp_path / "a.json").content == [{"a": "1.50", "b": "-0", "c": "1E+2", "d": "true", "e": "null"}]


def test_the_rows_of_a_long_table_share_what_does_not_depend_on_them(write, tmp_path, monkeypatch):
    from sscard.scenario import products, reader

    calls: list[object] = []
    read, check = reader.read_step, products.check_state
    monkeypatch.setattr(reader, "read_step", lambda *given: calls.append(given) or read(*given))
    monkeypatch.setattr(products, "check_state", lambda *given: calls.append(given) or check(*given))
    (tmp_path / "rows.csv").write_text("n\n" + "6\n" * 50, encoding="utf-8")
    text = f"{HEAD}with: rows.csv\ncard: {{pin: 123456}}\nsteps:\n  - tries_left: ${{n}}\n" + "  - reset:\n" * 5
    assert len(read_scenario(write(text))) == 50
    assert len(calls) == 50 + 5 + 1
