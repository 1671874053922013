"""What is refused in a scenario file, where, and with which remedy; and how words become values."""

from __future__ import annotations

import pytest

from sscard.errors import InputError
from sscard.i18n.language import say

HEAD = "name: a\nproves: b\n"
STEPS = f"{HEAD}steps:\n"

REFUSED = {
    "unknown field of a step": (f"{STEPS}  - verify_pin: 123456\n    trys: 5\n", 5, 5, "'trys'", "'tries'"),
    "unknown field of a scenario": ("name: a\nprooves: b\nsteps: []\n", 2, 1, "'prooves'", "'proves'"),
    "unknown field of a card": (f"{HEAD}card:\n  pins: 1\nsteps: [x]\n", 4, 3, "'pins'", "'pin'"),
    "unknown field of an argument": (f"{STEPS}  - change_pin: {{odl: 1}}\n", 4, 18, "'odl'", "'old'"),
    "unknown verb": (f"{STEPS}  - verify_pn: 123456\n", 4, 5, "'verify_pn'", "'verify_pin'"),
    "two verbs": (f"{STEPS}  - reset:\n    insert:\n", 5, 5, "reset, insert", "a separate step for each"),
    "no verb": (f"{STEPS}  - sw: 9000\n", 4, 5, "without a verb", "verify_pin"),
    "a value for a verb that takes none": (f"{STEPS}  - insert: now\n", 4, 5, "takes no value", "colon only"),
    "no steps": (f"{HEAD}steps: []\n", 3, 1, "at least 1", ""),
    "a field missing": ("name: a\nsteps: [x]\n", 1, 1, "'proves' is missing", "proves:"),
    "an argument missing": (f"{STEPS}  - change_pin: {{old: 123456}}\n", 4, 5, "change_pin.new", "new:"),
    "a duplicate key": (f"{STEPS}  - reset:\n    sw: 9000\n    sw: 6982\n", 6, 5, "'sw' is given twice", "keep one"),
    "a hex digit that is none": (f"{STEPS}  - apdu: 00 20 0G\n", 4, 5, "position 6", "pairs of hex"),
    "an odd hex digit": (f"{STEPS}  - apdu: 00 2\n", 4, 5, "3 hex digits", "pairs of hex"),
    "a status word too short": (f"{STEPS}  - reset:\n    sw: 63\n", 5, 5, "status word", "63C5"),
    "a status word in letters": (f"{STEPS}  - reset:\n    sw: 63CX\n", 5, 5, "position 4", "hex"),
    "data that is no pattern": (f"{STEPS}  - reset:\n    data: 3B ?\n", 5, 5, "data", "hex"),
    "tries in words": (f"{STEPS}  - reset:\n    tries: six\n", 5, 5, "integer", ""),
    "an unknown state": (f"{STEPS}  - reset:\n    state: verifed\n", 5, 5, "'verifed'", "'verified'"),
    "ready and not": (f"{STEPS}  - reset:\n    state: [ready, verified]\n", 5, 5, "not a state", "ready alone"),
    "an unknown key": (f"{STEPS}  - authenticate: {{key: PUKK}}\n", 4, 20, "'PUKK'", "'PUK'"),
    "text for fields": (f"{STEPS}  - authenticate: PUK\n", 4, 5, "fields expected", "key"),
    "an unknown reason": (f"{STEPS}  - apply: {{reason: lost}}\n", 4, 13, "'leaked', 'forgotten' or 'locked'", ""),
    "an unknown personality": (f"{HEAD}card: {{personality: v3-sm5}}\nsteps:\n  - reset:\n", 3, 8, "v3-sm5", "v3-sm4"),
    "an unknown choice": (
        f"{HEAD}card:\n  choices:\n    pin_trys: 3\nsteps:\n  - reset:\n",
        5,
        5,
        "pin_trys",
        "pin_tries",
    ),
    "a choice out of range": (f"{HEAD}card:\n  choices:\n    pin_tries: 99\nsteps:\n  - reset:\n", 5, 5, "15", ""),
    "too many tries left": (f"{HEAD}card:\n  tries_left: 7\nsteps:\n  - reset:\n", 4, 3, "limit", "0 to 6"),
    "a false ID number": (
        f"{HEAD}card:\n  holder:\n    name: 试\n    id_number: 1\nsteps:\n  - reset:\n",
        6,
        5,
        "identity number",
        "GB 11643",
    ),
    "a name the card cannot hold": (
        f"{HEAD}card:\n  holder:\n    name: 😀\n    id_number: 1\nsteps:\n  - reset:\n",
        5,
        5,
        "does not fit",
        "GBK",
    ),
    "a name with a tab": (
        f'{HEAD}card:\n  holder:\n    name: "A\\tB"\n    id_number: 1\nsteps:\n  - reset:\n',
        5,
        5,
        "control characters",
        "without line breaks",
    ),
    "a step that is no mapping": (f"{STEPS}  - insert\n", 4, 5, "colon", "insert:"),
    "a list of scenarios": ("- name: a\n", 1, 1, "not a scenario", "left margin"),
    "plain text": ("just text\n", 1, 1, "not a scenario", "left margin"),
    "not YAML": (f"{STEPS}  - [x\n", 5, 1, "not valid YAML", ""),
    "an empty file": ("", 0, 0, "is empty", ""),
    "a file that refers to itself": ("name: &a [*a]\n", 1, 11, "refers to itself", "aliases"),
}


@pytest.mark.parametrize(("text", "line", "column", "problem", "remedy"), REFUSED.values(), ids=REFUSED)
def test_refuses(read, text, line, column, problem, remedy):
    with pytest.raises(InputError) as caught:
        read(text)
    error = caught.value
    assert error.file.endswith("scenario.yaml")
    assert (error.line, error.column) == (line, column)
    assert problem in say(error.problem)
    assert remedy in say(error.remedy)


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
