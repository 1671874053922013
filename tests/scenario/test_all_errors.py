"""A check reports each error of a file, and no error that only follows from another one."""

from __future__ import annotations

import pytest

from kit.broken import HEAD
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.scenario.reader import read_scenario

CARD = f"{HEAD}card: {{pin: 12, %s}}\nsteps:\n  - insert:\n"
TABLE = f"{HEAD}with: %s\nsteps:\n  - verify_pin: ${{w}}\n  - reset:\n    trys: 1\n"
CAPTURE = f"{HEAD}steps:\n  - get_challenge: 8\n    state: challenge\n    capture: {{a: '%s'}}\n"
PIN_ERROR = (3, "pin: a PIN has 4 to 16 digits, got 2")
STEP_ERROR = (7, "unknown field 'trys'")
JOURNAL_ERROR = "journal: Input should be 'memory' or 'sqlite'"

ERRORS = {
    "each wrong mark": (
        f"{HEAD}covers: [seed 99.1, OC-1, seed 98.1]\nsteps:\n  - insert:\n",
        [(3, "covers, entry 1: 'seed 99.1' is not known"), (3, "covers, entry 3: 'seed 98.1' is not known")],
    ),
    "a mark beside a severity": (
        f"{HEAD}covers: seed 99.1\nseverity: high\nsteps:\n  - insert:\n",
        [
            (3, "covers, entry 1: 'seed 99.1' is not known"),
            (4, "severity: Input should be 'blocker', 'critical', 'normal' or 'minor'"),
        ],
    ),
    "a name and a purpose": (
        "name: {en: a}\nproves: []\nsteps:\n  - insert:\n",
        [(1, "name: not a text"), (2, "proves: not a text")],
    ),
    "a ticket of blanks": (f"{HEAD}known_issue: '  '\nsteps:\n  - insert:\n", [(3, "known_issue: is empty")]),
    "the personality beside a PIN": (CARD % "personality: v4", [PIN_ERROR, (3, "no personality 'v4'")]),
    "a choice beside a PIN": (CARD % "choices: {pin_trys: 3}", [PIN_ERROR, (3, "unknown field 'pin_trys'")]),
    "each wrong choice": (
        f"{HEAD}card: {{choices: {{pin_trys: 3, pin_tries: 99, reload_pin: 6A8}}}}\nsteps:\n  - insert:\n",
        [
            (3, "unknown field 'pin_trys'"),
            (3, "pin_tries: Input should be less than or equal to 15"),
            (3, "reload_pin: four hex digits expected"),
        ],
    ),
    "each wrong choice beside a PIN": (
        CARD % "choices: {pin_trys: 3, pin_tries: 99}",
        [PIN_ERROR, (3, "unknown field 'pin_trys'"), (3, "pin_tries: Input should be less than or equal to 15")],
    ),
    "no choice beside a PIN": (CARD % "choices: {pin_tries: 3}", [PIN_ERROR]),
    "a need beside a PIN": (
        f"{HEAD}card: {{pin: 12, interface: contactless}}\nneeds: {{interface: contactless}}\nsteps:\n  - insert:\n",
        [PIN_ERROR],
    ),
    "each part of a state that the card cannot have": (
        f"{HEAD}card: {{tries_left: 7, key_tries: {{BK: 1}}, files: {{EF09: AA}}}}\nsteps:\n  - insert:\n",
        [
            (3, "more tries left than the card's limit"),
            (3, "this card has no counted key 'BK'"),
            (3, "unknown field 'EF09'"),
        ],
    ),
    "each wrong need": (
        f"{HEAD}needs: {{pin_trys: 3, keys: PUKK}}\nsteps:\n  - insert:\n",
        [(3, "unknown need 'pin_trys'"), (3, "keys: 'PUKK' is not known")],
    ),
    "an unknown need beside a PIN": (
        f"{HEAD}card: {{pin: 12}}\nneeds: {{keys: PUKK}}\nsteps:\n  - insert:\n",
        [PIN_ERROR, (4, "keys: 'PUKK' is not known")],
    ),
    "a journal beside a PIN": (
        f"{HEAD}card: {{pin: 12}}\nservice: {{journal: x}}\nsteps:\n  - insert:\n",
        [PIN_ERROR, (4, JOURNAL_ERROR)],
    ),
    "a journal beside a text for the card": (
        f"{HEAD}card: v3-sm4\nservice: {{journal: x}}\nsteps:\n  - insert:\n",
        [(3, "card: fields expected"), (4, JOURNAL_ERROR)],
    ),
    "place and policy beside a journal": (
        f"{HEAD}service: {{journal: x, place: {{pin_trys: 3}}, policy: p.yaml}}\nsteps:\n  - insert:\n",
        [
            (3, JOURNAL_ERROR),
            (3, "unknown field 'pin_trys'"),
            (3, "p.yaml: cannot be read: No such file or directory"),
        ],
    ),
    "no personality of no kind": (
        f"{HEAD}card: {{personality: []}}\nsteps:\n  - insert:\n",
        [(3, "personality: List should have at least 1 item, not 0")],
    ),
    "a table that is missing": (TABLE % "w.csv", [(3, "w.csv: cannot be read: No such file or directory"), STEP_ERROR]),
    "a table without rows": (TABLE % "[]", [(3, "no rows"), STEP_ERROR]),
    "a table with wrong rows only": (TABLE % "[w]", [(3, "a row has fields"), STEP_ERROR]),
    "a CSV file with wrong rows only": (TABLE % "wrong.csv", [(2, "2 values, 1 expected"), STEP_ERROR]),
    "variables that are a list": (
        f"{HEAD}variables: [w]\nsteps:\n  - verify_pin: ${{w}}\n  - reset:\n    trys: 1\n",
        [(3, "not variables"), STEP_ERROR],
    ),
    "variables in a circle": (
        f"{HEAD}variables: {{w: '${{w}}'}}\nsteps:\n  - verify_pin: ${{w}}\n  - reset:\n    trys: 1\n",
        [(3, "variable 'w' refers to itself, or through too many others"), STEP_ERROR],
    ),
    "a capture of no value": (CAPTURE % "balanse", [(6, "capture: nothing to capture: 'balanse'")]),
    "a capture of no byte": (CAPTURE % "data[4:4]", [(6, "capture: data[4:4] has no byte")]),
    "a capture of nothing in brackets": (CAPTURE % "data[]", [(6, "capture: nothing to capture: 'data[]'")]),
    "a capture before the data": (CAPTURE % "data[:0]", [(6, "capture: data[:0] has no byte")]),
    "a capture from the end on": (CAPTURE % "data[-2:-4]", [(6, "capture: data[-2:-4] has no byte")]),
    "captures of bytes": (CAPTURE % "data[-4:]', b: 'data[2:-2]', c: 'data[:4]', d: 'data[0]', e: 'mac2", []),
    "a number for parameters": (
        f"{HEAD}groups: {{a: {{parameters: 3, steps: [{{insert: }}]}}}}\nsteps:\n  - insert:\n",
        [(3, "parameters: a list of names expected, or names with defaults")],
    ),
    "fields in the list of parameters": (
        f"{HEAD}groups: {{a: {{parameters: [{{x: 1}}], steps: [{{insert: }}]}}}}\nsteps:\n  - insert:\n",
        [(3, "parameters: a list of names expected, or names with defaults")],
    ),
    "a list for a group": (
        f"{HEAD}groups: {{a: {{steps: [{{insert: }}]}}}}\nsteps:\n  - use: [a]\n",
        [(5, "no group '[…]'")],
    ),
    "variables in the head": (
        "name: {en: '${a}', zh: a}\nproves: b ${a}\ntags: ['${b}']\nknown_issue: ${a}\n"
        "variables: {a: 1}\nsteps:\n  - insert:\n",
        [
            (1, "name: ${a} would stay as it is"),
            (2, "proves: ${a} would stay as it is"),
            (3, "tags: ${b} would stay as it is"),
            (4, "known_issue: ${a} would stay as it is"),
        ],
    ),
    "fields for a need": (f"{HEAD}needs: {{keys: {{a: 1}}}}\nsteps:\n  - insert:\n", [(3, "keys: '{…}' is not known")]),
    "a list for a word": (f"{HEAD}steps:\n  - insert:\n    state: [[off]]\n", [(5, "state: unknown word '[…]'")]),
}
"""Text, and the line and the problem of each error."""


@pytest.mark.parametrize(("text", "errors"), ERRORS.values(), ids=ERRORS)
def test_a_check_reports_each_error_and_none_that_follows(write, tmp_path, text, errors):
    (tmp_path / "wrong.csv").write_text("w\n1,2\n", encoding="utf-8")
    found: list[InputError] = []
    read_scenario(write(text), report=found.append)
    found_errors = [(error.line, say(error.problem).replace(f"{tmp_path}/", "")) for error in found]
    assert sorted(found_errors) == sorted(errors)
    assert all(error.remedy for error in found)
