"""Observed values in the place of unmet expectations: where they are written, and what stays as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sscard.i18n.language import say
from sscard.scenario import find_scenarios, run_scenario
from sscard.scenario.acceptance import Acceptance, with_value

HEAD = "name: a\nproves: b\n"


def accept(path: Path) -> Acceptance:
    acceptance = Acceptance()
    acceptance.accept(lambda: map(run_scenario, find_scenarios([path])), {str(path): path})
    return acceptance


WRITTEN = {
    "a status word and the tries": (
        "steps:\n  - verify_pin: 999999  # wrong\n  - reset:\n",
        "steps:\n  - verify_pin: 999999  # wrong\n    sw: 63C5\n    tries: 5\n  - reset:\n",
    ),
    "a status word that is stated": (
        "steps:\n  - verify_pin: 999999\n    sw: 6983  # no\n    tries: 5\n",
        "steps:\n  - verify_pin: 999999\n    sw: 63C5  # no\n    tries: 5\n",
    ),
    "a step in flow style": (
        "steps: [{verify_pin: 123456}, {reset: }]\n",
        "steps: [{verify_pin: 123456, state: verified}, {reset: }]\n",
    ),
    "data": (
        "steps:\n  - select: EF05\n  - read_record: 03\n    data: 00\n",
        "steps:\n  - select: EF05\n  - read_record: 03\n    data: 03 04 33 2E 30 30\n",
    ),
    "tries left of a key": (
        "steps:\n  - authenticate: {key: PUK, proof: wrong}\n    sw: 63C2\n",
        "steps:\n  - authenticate: {key: PUK, proof: wrong}\n    sw: 63C2\n    key_tries: {PUK: 2}\n",
    ),
    "a value that the terminal reports": ("steps:\n  - tries_left: 5\n", "steps:\n  - tries_left: 6\n"),
    "a value within the verb": (
        "steps:\n  - read_basic: {version: 2.00, sex: 1}\n",
        None,
    ),
    "a list of findings": (
        "steps:\n  - pre_process: {today: 2099-01-01}\n",
        "steps:\n  - pre_process: {today: 2099-01-01, findings: [expired]}\n    state: challenge\n",
    ),
    "the return code, the output and the tries of a driver function": (
        "steps:\n  - driver_verify_pin: {}\n    entries: 123457\n"
        "  - driver_read: {files: DF01EF05|0E|$}\n    entries: 123456\n    tries: 6\n    out: '1'\n",
        "steps:\n  - driver_verify_pin: {}\n    entries: 123457\n    code: -51\n    tries: 5\n"
        "  - driver_read: {files: DF01EF05|0E|$}\n    entries: 123456\n    tries: 6\n"
        '    out: "DF01EF05|410402|$"\n',
    ),
    "amounts and records of the account": (
        "card: {pin: ''}\nsteps:\n  - select: DF04\n  - load: {amount: 1.00}\n  - get_balance: {account: 2.00}\n"
        "  - transaction_records: []\n",
        "card: {pin: ''}\nsteps:\n  - select: DF04\n  - load: {amount: 1.00}\n  - get_balance: {account: 1.00}\n"
        "  - transaction_records: [{kind: load, count: 0, account: 1.00, self_paid: 0.00, pool: 0.00}]\n",
    ),
    "values of a file": (
        "steps:\n  - read_file: {file: SSSE EF05, items: [03], values: [2.00]}\n",
        'steps:\n  - read_file: {file: SSSE EF05, items: [03], values: ["3.00"]}\n',
    ),
    "the state": ("steps:\n  - verify_pin: 123456\n    state: ready\n", None),
    "an error of the service, without what it did not find out": (
        "steps:\n  - fault: {hsm_down: }\n  - apply: {reason: forgotten}\n",
        "steps:\n  - fault: {hsm_down: }\n  - apply: {reason: forgotten}\n    error: hsm\n    state: off\n",
    ),
    "a refusal before the terminal reads": (
        'steps:\n  - fault: {corrupted: 0, ins: "88"}\n  - pre_process: {}\n',
        'steps:\n  - fault: {corrupted: 0, ins: "88"}\n  - pre_process: {}\n    sw: 9E08\n    state: challenge\n',
    ),
    "a step of a group": (
        "groups:\n  g:\n    steps:\n      - verify_pin: 999999\nsteps:\n  - use: g\n",
        "groups:\n  g:\n    steps:\n      - verify_pin: 999999\n        sw: 63C5\n        tries: 5\n"
        "steps:\n  - use: g\n",
    ),
}


@pytest.mark.parametrize(("before", "after"), WRITTEN.values(), ids=WRITTEN)
def test_writes(write, before, after):
    path = write(HEAD + before)
    acceptance = accept(path)
    assert acceptance.before == {path: HEAD + before}
    assert not acceptance.left
    if after is not None:
        assert path.read_text("utf-8") == HEAD + after
    assert all(run_scenario(scenario).verdict == "passed" for scenario in find_scenarios([path]))


def test_writes_that_no_data_came(write):
    path = write(HEAD + "steps:\n  - tries_left: 6\n    data: 00\n")
    assert not accept(path).left
    assert path.read_text("utf-8").endswith('    data: ""\n')


LEFT = {
    "an expression": ("steps:\n  - verify_pin: 999999\n    sw: 63C(max - 2)\n    tries: 5\n", "computes the value"),
    "a variable": (
        "variables: {word: 9000}\nsteps:\n  - verify_pin: 999999\n    sw: ${word}\n    tries: 5\n",
        "computes",
    ),
    "different values of the runs": (
        "card: {personality: [v3-sm4, v2-3des]}\nsteps:\n  - select: EF05\n  - read_record: 03\n    data: 00\n",
        "an expression or a table",
    ),
    "an entry that nobody asked for": (
        "steps:\n  - driver_verify_pin: {}\n    entries: [123456, 123456]\n",
        "entries: what was observed cannot be stated",
    ),
    "a step through an alias": (
        "steps:\n  - &s\n    tries_left: 6\n  - {verify_pin: 999999, sw: 63C5, tries: 5}\n  - *s\n",
        "tries_left: shared by an alias",
    ),
    "a field through an alias": (
        "steps:\n  - verify_pin: 999999\n    sw: &w 63C5\n    tries: 5\n  - {verify_pin: 999999, sw: *w, tries: 4}\n",
        "sw: shared by an alias",
    ),
    "a step that was not executed": ("steps:\n  - complete: 123456\n", "cannot be stated"),
}


@pytest.mark.parametrize(("text", "reason"), LEFT.values(), ids=LEFT)
def test_leaves(write, text, reason):
    path = write(HEAD + text)
    [left] = accept(path).left
    assert left.place.startswith(str(path))
    assert reason in say(left.reason)


UNTOUCHED = {
    "rows that observe different values": (
        "with: [{pin: 999999}, {pin: 123456}]\nsteps:\n  - verify_pin: ${pin}\n",
        "an expression or a table",
    ),
    "uses of a group that observe different values": (
        "groups: {g: {parameters: [pin], steps: [{verify_pin: '${pin}'}]}}\nsteps:\n"
        "  - use: g\n    with: {pin: 999999}\n  - use: g\n    with: {pin: 999999}\n",
        "an expression or a table",
    ),
    "a brace behind a comment": ("steps:\n  - {\n    verify_pin: 999999, # c\n    }\n", "by hand"),
    "a comment within the value": (
        "steps:\n  - verify_pin: 123456\n    state: [\n      challenge, # why\n      PUK]\n",
        "by hand",
    ),
    "an anchor that is used later": ("steps:\n  - tries_left: &t 5\n  - tries_left: *t\n", "by hand"),
}


@pytest.mark.parametrize(("text", "reason"), UNTOUCHED.values(), ids=UNTOUCHED)
def test_a_file_stays_as_it_is_if_a_value_would_not_be_right_for_all_or_the_form_is_lost(write, text, reason):
    path = write(HEAD + text)
    acceptance = accept(path)
    assert path.read_text("utf-8") == HEAD + text
    assert acceptance.before == {}
    assert all(reason in say(left.reason) for left in acceptance.left)
    assert acceptance.left


def test_what_would_make_the_file_wrong_is_not_written_and_named(write):
    text = f"{HEAD}steps:\n  - fault: {{hsm_down: }}\n  - apply: {{reason: forgotten}}\n    grounds: [card]\n"
    path = write(text)
    acceptance = accept(path)
    assert path.read_text("utf-8") == f"{text}    state: off\n"
    assert [say(left.reason) for left in acceptance.left if left.place == f"{path}:5"] == [
        "error: with hsm the file is wrong: grounds is not compared because of error"
    ]


@pytest.mark.parametrize("before", ["data: >\n      00 11\n    sw: 6A82", "sw: >-\n      6A82"])
def test_a_value_in_several_lines_leaves_a_file_that_can_be_read(write, before):
    path = write(f"{HEAD}steps:\n  - select: EF05\n  - read_record: 03\n    {before}\n")
    accept(path)
    assert find_scenarios([path])


def test_line_ends_and_byte_order_mark_are_kept(write):
    path = write("")
    path.write_bytes(b"\xef\xbb\xbf" + f"{HEAD}steps:\n  - tries_left: 5\n".replace("\n", "\r\n").encode())
    accept(path)
    expected = f"{HEAD}steps:\n  - tries_left: 6\n".replace("\n", "\r\n").encode()
    assert path.read_bytes() == b"\xef\xbb\xbf" + expected


def test_a_scenario_in_json_stays_json(tmp_path):
    path = tmp_path / "a.json"
    path.write_text('{"name": "a", "proves": "b", "steps": [{"verify_pin": 999999}]}', encoding="utf-8")
    accept(path)
    assert json.loads(path.read_text("utf-8"))


def test_one_file_that_stays_does_not_keep_others(write, tmp_path):
    stays, path = write(HEAD + LEFT["an expression"][0]), tmp_path / "other.yaml"
    path.write_text(f"{HEAD}steps:\n  - tries_left: 5\n", encoding="utf-8")
    acceptance = Acceptance()
    sources = {str(each): each for each in (stays, path)}
    acceptance.accept(lambda: map(run_scenario, find_scenarios([stays, path])), sources)
    assert list(acceptance.before) == [path]
    assert "tries_left: 6" in path.read_text("utf-8")
    assert len(acceptance.left) == 1


def test_a_passing_file_is_not_written(write):
    path = write(f"{HEAD}steps:\n  - reset:\n")
    changed = path.stat().st_mtime_ns
    assert accept(path).before == {}
    assert path.stat().st_mtime_ns == changed


PLACES = {
    "at the end without a line end": ("a:\n  b: 1", ("a", "c"), "2", "a:\n  b: 1\n  c: 2"),
    "after a nested block": (
        "- a:\n    b: 1\n\n# end\n- d: 1\n",
        (0, "c"),
        "2",
        "- a:\n    b: 1\n  c: 2\n\n# end\n- d: 1\n",
    ),
    "a block in the place of one": ("- s:\n    - a\n    - b\n  t: 1\n", (0, "s"), "[c]", "- s:\n    [c]\n  t: 1\n"),
    "into no value": ("- {a: }\n", (0, "a"), "1", "- {a: 1 }\n"),
    "a field of a field that is missing": ("- a: 1\n", (0, "k", "PUK"), "2", "- a: 1\n  k: {PUK: 2}\n"),
    "quoted": ("- a: 'x y'  # c\n", (0, "a"), "z", "- a: z  # c\n"),
}


@pytest.mark.parametrize(("text", "path", "value", "expected"), PLACES.values(), ids=PLACES)
def test_a_value_is_written_in_its_place(text, path, value, expected):
    assert with_value(text, path, value) == expected
