"""The verbs of the service: what they ask of it, what they expect, and what they refuse to read."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest

from sscard.errors import InputError
from sscard.i18n.language import CHINESE, say, speaking
from sscard.scenario import read_scenario, run_scenario

ONLINE = "- apply: {channel: online, handling: self-service, reason: leaked, card: unread}\n"
WINDOW = "- apply: {reason: leaked}\n"
DONE = WINDOW + "- operate: {old: 123456, new: 246810}\n  state: ready\n- complete: 246810\n  state: verified\n"
OPERATE = "- operate: {old: 123456, new: 246810}\n"
SQLITE = "service: {journal: sqlite}"
FRIDAY = "service: {clock: 2026-02-13}"


MEETS = [
    ("", ONLINE + "  acts: [received, pre-reviewed, accepted]\n  handling: self-service\n- present:"),
    (
        "",
        ONLINE + "- hand_over: window\n  handling: window\n  acts: [handed-over]\n- hand_over: online\n  possible: no",
    ),
    (FRIDAY, WINDOW + "  due: 2026-02-14\n  certain: yes\n  overdue: no\n- clock: +2d\n  overdue: yes"),
    (FRIDAY, WINDOW + "- clock: 2026-02-14 23:59\n  overdue: no\n- clock: +1m\n  overdue: yes\n- clock: +24h"),
    ("", WINDOW + "- abandon:\n  acts: [failed]\n- operate: {new: 246810}\n  error: wrong-stage\n  state: ready"),
    (SQLITE, WINDOW + "- case:\n  says: 已受理\n  acts: [received, accepted]\n  cases: 1"),
    (
        "",
        "- apply: {reason: forgotten, key: one}\n- apply: {reason: leaked, key: one}\n  error: key-taken\n  cases: 1",
    ),
    ("", WINDOW + "- accept:\n  error: wrong-stage\n- apply: {reason: locked}\n  cases: 2"),
    ("", DONE + "- pharmacy: 246810\n- pharmacy: 111111\n  sw: 63C5\n  tries: 5\n  state: ready"),
    ("service: {place: tries-3}", DONE + "- pharmacy: 246810"),
    ("", "- apply: {reason: leaked, key: a}\n- apply: {reason: leaked, key: a}\n  cases: 1\n  acts: []"),
    (
        "",
        "- apply: {reason: leaked, key: a}\n- apply: {reason: locked, key: b}\n- apply: {reason: leaked, key: a}\n"
        "  cases: 2\n  acts: []",
    ),
    (
        "service: {policy: {proxy: accept}}",
        "- apply: {reason: leaked, applicant: {presence: proxy, agent: {name: 王代办, id_number: "
        "'410403199001010023'}}}",
    ),
    ("", "- consult:\n  says: 提供材料\n- item: 申请条件\n  says: 已办理过我省社会保障卡"),
    ("", f"{WINDOW}- take_card: another\n{OPERATE}  stage: accepted\n- take_card: own\n{OPERATE}  state: ready"),
]


@pytest.mark.parametrize(("head", "steps"), MEETS)
def test_a_step_does_what_the_service_does(run, head, steps):
    assert run(steps, head).failure is None


@pytest.mark.parametrize(
    ("steps", "field", "actual"),
    [
        (WINDOW + "  due: 2026-02-16", "due", "2026-02-14"),
        (WINDOW + "  certain: no", "certain", "yes"),
        (WINDOW + "  overdue: yes", "overdue", "no"),
        (WINDOW + "  handling: online", "handling", "window"),
        (WINDOW + "  acts: [received]", "acts", "received accepted"),
        (WINDOW + "  cases: 2", "cases", "1"),
        (WINDOW + "  in_doubt: yes", "in_doubt", "no"),
        (WINDOW + "- accept:", "error", "wrong-stage"),
        (WINDOW + "  error: journal", "error", "none"),
        (WINDOW + "- hand_over: online", "possible", "no"),
        (DONE + "- pharmacy: 246810\n  passed: no", "passed", "yes"),
        (ONLINE + "- take_card: another\n- present:", "grounds", "same-person"),
        ("- apply: {reason: leaked, papers: []}", "missing", "id-card social-security-card"),
        ("- item: 服务对象\n  says: 法人", "says", "自然人"),
    ],
)
def test_what_is_not_so_fails_the_step(run, steps, field, actual):
    failure = run(steps, FRIDAY).failure
    assert (field, actual) in [(wrong.field, say(wrong.actual)) for wrong in failure.mismatches]


ON_A_CASE = (
    *("operate: {new: 246810}", "complete: 246810", "abandon:", "accept:", "present:", "case:"),
    *("hand_over: window", "resume: {new: 246810}", "supplement: {papers: []}"),
)


@pytest.mark.parametrize("verb", ON_A_CASE)
def test_without_a_case_the_remedy_is_named(run, verb):
    failure = run(f"- {verb}").failure
    assert "add a step `apply:`" in say(failure.mismatches[0].actual)


def test_a_journal_that_was_changed_fails_the_reading_of_the_case(run, monkeypatch):
    monkeypatch.setattr("sscard.scenario.service_host.ServiceHost.findings", lambda _: ("lane 0: an event is gone",))
    failure = run(WINDOW + "- case:").failure
    assert "the journal was tampered with: lane 0" in say(failure.mismatches[0].actual)


def test_an_archived_case_that_was_changed_fails_the_reading(run, monkeypatch) -> None:
    steps = "- apply: {}\n  stage: refused\n  grounds: [reason]\n- clock: 2026-04-01\n- apply: {reason: leaked}\n"
    steps += "- archive: 2026-04-01\n  moved: 1\n- case:\n"
    head = "service: {journal: sqlite, clock: 2026-03-02}"
    assert run(steps, head).failure is None
    assert run(steps.replace("moved: 1", "moved: 2"), head).failure.mismatches[0].actual == "1"
    monkeypatch.setattr("sscard.scenario.service_host.ServiceHost._opened_archives", lambda _: nullcontext([]))
    assert "the journal has other events" in str(run(steps, head).failure.mismatches[0].actual)
    failure = run("- archive: 2026-04-01", "service: {clock: 2026-03-02}").failure
    assert "a journal in memory has no archive" in str(failure.mismatches[0].actual)


def test_policy_and_place_may_be_files_beside_the_scenario(tmp_path: Path) -> None:
    (tmp_path / "strict.policy").write_text("based_on: page\nminors: accept\n", encoding="utf-8")
    (tmp_path / "city.place").write_text(
        "name: city\ninitial_pin: birth date\ninitial_pin_use: must change\n", encoding="utf-8"
    )
    path = tmp_path / "scenario.yaml"
    path.write_text(
        "name: a\nproves: b\nservice: {policy: strict.policy, place: city.place}\n"
        "card: {holder: {name: 李小明, id_number: '410402201503150011'}}\n"
        "steps:\n- apply: {reason: forgotten}\n- operate: {new: 150315}\n  state: RKSSSE\n  stage: accepted\n"
        "  says: 初始密码\n",
        encoding="utf-8",
    )  # fmt: skip
    [scenario] = read_scenario(path)
    assert run_scenario(scenario).failure is None


def test_a_place_policy_may_be_stated_by_its_fields(run) -> None:
    place = "{place: {pin_tries: 4, initial_pin: birth date, initial_pin_use: must change, forbidden_pins: ['246810']}}"
    holder = "{name: 李小明, id_number: '410402199003050014'}"
    steps = """\
- tries_left: 4
- apply: {reason: forgotten}
  state: "off"
- operate: {new: 246810}
  stage: accepted
  says: 本地禁用此密码
  state: RKSSSE
- operate: {new: 900305}
  stage: accepted
  says: 不允许以初始密码作为新密码
- operate: {new: 135790}
  state: [PUK, RKSSSE]
"""
    head = f"service: {place}\ncard: {place[:-1]}, pin: 864209, holder: {holder}}}\n"
    assert run(steps, head).failure is None


@pytest.mark.parametrize(
    ("head", "problem", "line"),
    [
        ("service: {clock: someday}", "not a time", 3),
        ("service: {clock: 2026-02-13T16:30Z}", "not a time", 3),
        ("service:\n  journal: postgresql", "journal: Input should be", 4),
        ("service:\n  place: tries-7", "no place policy 'tries-7'", 4),
        ("service:\n  policy:\n    proxys: accept", "unknown field 'proxys'", 5),
        ("service:\n  policy:\n    proxy: maybe", "policy.proxy", 5),
        ("service:\n  policy:\n    cards:\n      - {first: 1, standing: lost}", "first", 6),
        ("service:\n  policy: [1]", "not a policy", 4),
        ("service: {policys: a}", "unknown field 'policys'", 3),
        ("service:\n  policy: nowhere.yaml", "nowhere.yaml: cannot be read", 4),
        ("service:\n  place: nowhere.place", "nowhere.place: cannot be read", 4),
        ("service:\n  place: sub/own", "sub/own: cannot be read", 4),
        ("service:\n  place: [tries-3]", "not a place policy", 4),
        ("service:\n  place:\n    pin_tries: 16", "pin_tries: Input should be less than or equal to 15", 5),
        ("service:\n  place:\n    forbidden_pins:\n      - 123456\n      - 12", "forbidden_pins, entry 2", 7),
        ("card:\n  place:\n    pin_trys: 3", "unknown field 'pin_trys'", 5),
        ("card:\n  place: [tries-3]", "not a place policy", 4),
    ],
)
def test_what_is_no_service_is_refused_with_its_line(read, head, problem, line):
    with pytest.raises(InputError) as caught:
        read(f"name: a\nproves: b\n{head}\nsteps:\n  - insert:\n")
    assert problem in str(caught.value)
    assert caught.value.line == line


@pytest.mark.parametrize(
    ("item", "remedy"),
    [
        ("{承诺办理时限: 1 个工作日}", "基本信息, "),
        ("{基本信: {}}", "did you mean '基本信息'?"),
        ("{基本信息: {承诺办理时: 1 个工作日}}", "did you mean '承诺办理时限'?"),
        ("{基本信息: 即办}", "承诺办理时限, "),
    ],
)
def test_a_wrong_field_of_the_item_names_those_it_has(read, item, remedy):
    with pytest.raises(InputError) as caught:
        read(f"name: a\nproves: b\nservice: {{item: {item}}}\nsteps:\n  - insert:\n")
    assert remedy in str(caught.value)
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        ("apply: {reason: bored}", "reason"),
        ("apply: {handling: phone}", "handling"),
        ("apply: {card: lost}", "apply.card"),
        ("apply: {key: [1]}", "apply.key"),
        ("hand_over: phone", "hand_over"),
        ("operate: {new: 12}", "operate.new"),
        ("operate: {old: 123456}", "the step needs the PIN `new`"),
        ("resume: {new: 246810, puk: 1}", "unknown field 'puk'"),
        ("clock: +3w", "not a time"),
        ("clock: soon", "not a time"),
        ("item: 承诺时限", "the item has no field '承诺时限'"),
        ("take_card: mine", "take_card"),
        ("pharmacy: ''", "a PIN has 4 to 16 digits"),
        ("abandon: yes", "this verb takes no value"),
        ("case: 1", "this verb takes no value"),
        ("case:\n    acts: [begin]", "acts"),
        ("case:\n    error: other", "error"),
        ("case:\n    due: tomorrow", "due"),
    ],
)
def test_what_is_no_step_of_the_service_is_refused(read, step, problem):
    with pytest.raises(InputError) as caught:
        read(f"name: a\nproves: b\nsteps:\n  - {step}\n")
    assert problem in str(caught.value)
    assert caught.value.line in (4, 5)


def test_no_title_shows_a_pin(read):
    [scenario] = read(
        "name: a\nproves: b\nsteps:\n- operate: {old: 123456, new: 246810}\n- resume: {new: 246810}\n"
        "- complete: 246810\n- pharmacy: 246810\n"
    )
    shown = [text for step in scenario.steps for text in (say(step.title()), repr(step))]
    assert not [text for text in shown if "246810" in text or "123456" in text]


@pytest.mark.parametrize("clock", ["+3d", "+2h", "+30m", "2026-02-13 16:30"])
def test_the_title_of_a_clock_is_its_time(read, clock):
    [scenario] = read(f"name: a\nproves: b\nsteps:\n- clock: {clock}\n")
    assert say(scenario.steps[0].title()) == f"clock {clock}"


def test_an_error_that_is_not_expected_says_what_to_write(run):
    failure = run("- fault: {journal_locked: }\n- apply: {reason: leaked}\n  stage: refused").failure
    [wrong] = [wrong for wrong in failure.mismatches if wrong.field == "error"]
    assert (wrong.expected, wrong.actual, wrong.write) == ("none", "journal", "journal")


def test_a_word_that_is_none_of_several_is_refused_in_the_language_of_the_user(read):
    with pytest.raises(InputError) as caught:
        read("name: a\nproves: b\nsteps:\n- apply: {channel: phone}\n")
    with speaking(CHINESE):
        assert "应为'window', 'self-service'或'online'" in str(caught.value)
