"""What is refused in a scenario file, where, and with which remedy; and how words become values."""

from __future__ import annotations

import pytest

from kit.broken import HEAD, STRUCTURE
from sscard.errors import InputError
from sscard.i18n.language import say


@pytest.mark.parametrize(("text", "line", "column", "problem", "remedy"), STRUCTURE.values(), ids=STRUCTURE)
def test_refuses(read, text, line, column, problem, remedy):
    with pytest.raises(InputError) as caught:
        read(text)
    error = caught.value
    assert error.file.endswith("scenario.yaml")
    assert (error.line, error.column) == (line, column)
    assert problem in say(error.problem)
    assert remedy in say(error.remedy)


NOT_COMPARED = [
    ("driver_unblock_pin: {by: hsm}\n    host: fails\n    code: -16", "code", "host"),
    ("pharmacy: 246810\n    sw: 6983\n    passed: no", "passed", "sw"),
    ("hand_over: window\n    error: wrong-stage\n    possible: no", "possible", "error"),
    ("hand_over: window\n    sw: none\n    possible: no", "possible", "sw"),
    ("apply: {reason: leaked}\n    error: journal\n    grounds: [card]", "grounds", "error"),
    ("apply: {reason: leaked}\n    error: hsm\n    missing: [id-card]", "missing", "error"),
    ("check_genuine: psam\n    psam_code: -2201\n    genuine: no", "genuine", "psam_code"),
    ("check_genuine: hsm\n    sw: 6985\n    genuine: no", "genuine", "sw"),
    ("purchase: {self_paid: 1.00, count: 7}\n    sw: 6982", "count", "sw"),
    ("purchase: {self_paid: 1.00, count: 7}\n    psam_code: -2201", "count", "psam_code"),
    ("internal_authenticate: {proof: wrong}\n    sw: 6985", "proof", "sw"),
    ("read_file: {file: SSSE EF05, items: [03], values: [1]}\n    sw: 6982", "values", "sw"),
    ("transaction_records: [{kind: load, count: 0}]\n    sw: 6982", "transaction_records", "sw"),
    ("read_basic: {name: 张三}\n    sw: 6982", "name", "sw"),
    ("initialize_for_load: {amount: 1.00, count: 0}\n    sw: 9403", "count", "sw"),
    ("initialize_for_purchase: {balance: 1.00}\n    sw: 6982", "balance", "sw"),
    ("tries_left: 3\n    sw: 6A82", "tries_left", "sw"),
    ("driver_unblock_pin: {by: hsm}\n    sw: none\n    out: x", "out", "sw"),
    ("driver_unblock_pin: {by: hsm}\n    sw: none\n    error: x", "error", "sw"),
    ("recover: {operation: unblock, standing: done}\n    sw: 6A82", "standing", "sw"),
    ("write_file: {file: SSSE EF05, items: [03], values: [1]}\n    sw: none\n    psam_code: -2201", "psam_code", "sw"),
    (
        "cut_power: {point: every, steps: [verify: ], after: {a: [{pharmacy: 246810, sw: 6983, passed: no}]}}",
        "passed",
        "sw",
    ),
]


@pytest.mark.parametrize(("step", "field", "other"), NOT_COMPARED)
def test_an_expectation_that_another_field_rules_out_is_refused(read, step, field, other):
    with pytest.raises(InputError) as caught:
        read(f"{HEAD}steps:\n  - {step}\n")
    assert say(caught.value.problem) == f"{field} is not compared because of {other}"
    assert say(caught.value.remedy) == f"leave out {field}, or leave out {other}"
    assert caught.value.line


def test_of_two_fields_that_rule_an_expectation_out_the_first_by_name_is_named(read):
    with pytest.raises(InputError) as caught:
        read(f"{HEAD}steps:\n  - purchase: {{self_paid: 1.00, count: 7}}\n    psam_code: -2201\n    sw: 9000\n")
    assert say(caught.value.problem) == "count is not compared because of psam_code"


FORMS = {
    "holder_base": ("service: {holder_base: [{first: A1, standing: lost}]}", "not a card number", "B00000019"),
    "holder_base, last": (
        "service: {holder_base: [{first: B00000019, last: b, standing: lost}]}",
        "not a card number",
        "B00000019",
    ),
    "city_code": ("card: {city_code: 0104}", "not a city code", "410402"),
    "year": ("steps: [{get_balance: {year: 26}}]", "not a year", "2026"),
    "terminal": (
        "steps: [{initialize_for_load: {amount: 1.00, terminal: 1}}]",
        "not a terminal number",
        "510100000001",
    ),
    "terminal_number": ("steps: [{psam: {terminal_number: 1}}]", "not a terminal number", "510100000001"),
    "blacklisted": (
        "steps: [{pre_process: {blacklisted: [A1]}}]",
        "not a range of card numbers",
        "A00000000-A00000099",
    ),
}


@pytest.mark.parametrize(("text", "problem", "example"), FORMS.values(), ids=FORMS)
def test_a_value_of_another_form_is_refused_with_an_example_and_without_a_regular_expression(
    read, text, problem, example
):
    with pytest.raises(InputError) as caught:
        read(f"{HEAD}{text}\n" + ("" if text.startswith("steps") else "steps:\n  - insert:\n"))
    assert say(caught.value.problem).endswith(f": {problem}")
    assert example in say(caught.value.remedy)
    assert "[0-9" not in str(caught.value)


PIN_PLACES = {
    "verify_pin": "steps:\n  - verify_pin: {pin}",
    "reset_pin": "steps:\n  - reset_pin: {pin}",
    "old": "steps:\n  - change_pin: {{old: {pin}, new: 123456}}",
    "new": "steps:\n  - change_pin: {{old: 123456, new: {pin}}}",
    "raw reset": "steps:\n  - pin_change_unblock: {{p2: 01, pin: {pin}}}",
    "service": "steps:\n  - operate: {{new: {pin}}}",
    "completion": "steps:\n  - complete: {pin}",
    "card": "card: {{pin: {pin}}}\nsteps:\n  - reset:",
}


@pytest.mark.parametrize("where", PIN_PLACES.values(), ids=PIN_PLACES)
@pytest.mark.parametrize("pin", ["98A765", "987", "98765432109876543", "九八七六五四", "98 76 54", "[9876, 54]"])
def test_refuses_a_pin_that_is_none_without_repeating_it(read, where, pin):
    with pytest.raises(InputError) as caught:
        read(HEAD + where.format(pin=pin) + "\n")
    assert caught.value.line
    assert "98" not in say(caught.value.problem) + say(caught.value.remedy)
    assert pin not in str(caught.value)


def test_reads_every_scalar_as_text(read):
    [scenario] = read(
        "name: 0020\nproves: NO\ncard: {pin: 000000}\nsteps:\n  - verify_pin: 012345\n    sw: 6E00\n    note: 1.0\n"
    )
    step = scenario.steps[0]
    assert (scenario.name, scenario.proves, scenario.card.pin) == ("0020", "NO", "000000")
    assert (step.verify_pin, step.sw, step.note) == ("012345", 0x6E00, "1.0")


def test_a_scenario_of_two_personalities_is_two(read):
    scenarios = read(f"{HEAD}card: {{personality: [v3-sm4, v2-3des]}}\nsteps:\n  - reset:\n")
    assert [scenario.title for scenario in scenarios] == ["a [v3-sm4]", "a [v2-3des]"]


def test_a_personality_file_counts_from_the_scenario(read, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\nbased_on: v3-sm4\npin_tries: 8\n")
    [scenario] = read(f"{HEAD}card: {{personality: ./mine.yaml, choices: {{key_tries: 5}}}}\nsteps:\n  - reset:\n")
    assert (scenario.personality.name, scenario.personality.pin_tries, scenario.personality.key_tries) == ("mine", 8, 5)


def test_no_pin_in_a_repr(read):
    scenarios = read(
        f"{HEAD}card: {{pin: 24681357}}\nsteps:\n  - verify_pin: 24681357\n"
        "  - change_pin: {old: 24681357, new: 24681357}\n  - reset_pin: 24681357\n"
        "  - pin_change_unblock: {p2: 01, pin: 24681357}\n  - apdu: 00 20 00 00 04 24 68 13 57\n"
        "  - pin_change_unblock: {p2: 01, pin_bytes: 24 68 13 57}\n"
        "  - operate: {old: 24681357, new: 24681357}\n  - complete: 24681357\n"
    )
    shown = repr(scenarios[0].steps) + repr(scenarios[0].card) + " ".join(step.title() for step in scenarios[0].steps)
    assert "24681357" not in shown
    assert r"$h\x13W" not in shown
