"""The item on the command line: inquiries, items of one's own, and what ``case show`` prints of handlers and result."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kit.cards import citizens_card
from kit.citizens import NEW_PIN
from kit.programs import CommandLine
from sscard.issuer.cardfile import save_card
from sscard.service import load_item
from sscard.service.item import STATEMENTS, builtin_item_text
from sscard.service.workdays import CHINA

Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("show", …, code=0)``: what ``sscard case`` prints, in a folder with a card."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    save_card(citizens_card("739104"), Path("card.db"))

    def case(*words: object, code: int = 0, lang: str = "en") -> str:
        ended, out, err = sscard("--lang", lang, "case", *words)
        assert (ended, err) == (code, "")
        return out

    return case


def number(run: Run) -> str:
    [case] = json.loads(run("list", "--json"))["cases"]
    return str(case["number"])


def shown(run: Run) -> Any:
    return json.loads(run("show", number(run), "--json"))


def item_with(**changes: str) -> str:
    """The path of an item file in which texts are replaced."""
    text = builtin_item_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    Path("item.yaml").write_text(text, encoding="utf-8")
    return "item.yaml"


FORGOTTEN = ("open", "card.db", "--reason", "forgotten", "--new", NEW_PIN)
LATER: dict[str, tuple[str, ...]] = {
    "no options": (),
    "another place": ("--place", "tries-8"),
    "another policy": ("--policy", "policy.yaml"),
    "another item": ("--item", "item.yaml"),
}


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("options", LATER.values(), ids=LATER)
def test_a_completed_case_keeps_its_notice(run: Run, options: tuple[str, ...], lang: str) -> None:
    Path("place.yaml").write_text(f"name: city\ninitial_pin: '{NEW_PIN}'\ninitial_pin_use: off\n", encoding="utf-8")
    completed = run(*FORGOTTEN, "--place", "place.yaml", lang=lang)
    before = shown(run)
    Path("policy.yaml").write_text("based_on: page\nproxy: accept\n", encoding="utf-8")
    item_with(**{"收费标准: 无": "收费标准: 5 元", "最多到现场办事次数: 0 次": "最多到现场办事次数: 2 次"})
    assert run("resume", number(run), *options, lang=lang) == completed
    assert shown(run) == before
    assert before["result"]["place"] == "city"
    assert "Visits on site: 1 (the page of the item states at most 0)" in run("show", number(run))


def test_show_names_handlers_visits_and_channels_of_the_result(run: Run) -> None:
    run(*FORGOTTEN, "--channel", "self-service")
    text = run("show", number(run))
    assert "received by: self-service terminal\naccepted by: self-service terminal\n" in text
    assert "visits on site: 1\nresult given at: self-service terminal\n" in text
    content = shown(run)
    assert content["handlers"] == {"received": "self-service terminal", "accepted": "self-service terminal"}
    assert [event["handler"] for event in content["events"]] == ["self-service terminal"] * 2 + [None] * 3
    assert (content["visits"], content["result"]["feedback"]) == (1, ["self-service"])


def test_a_refused_citizen_gets_the_contacts(run: Run) -> None:
    Path("one.yaml").write_text("channel: window\nreason: leaked\napplicant: {lives_in_province: no}\n")
    out = run("open", "card.db", "-f", "one.yaml", "--old", "739104", "--new", NEW_PIN, code=1)
    contacts = [contact.model_dump() for contact in load_item().extended.complaints]
    assert all(contact["where"] in out for contact in contacts)
    assert shown(run)["complaints"] == contacts
    assert "http://henan.12388.g ov.cn/" in run("show", number(run))


def test_an_item_of_ones_own_rules_the_case(run: Run) -> None:
    file = item_with(**{"法定办理时限: 1 ": "法定办理时限: 9 ", "办理人: 大厅制卡窗口": "办理人: 三号窗口"})
    assert "completed" in run(*FORGOTTEN, "--item", file)
    text = run("show", number(run))
    assert "received by: 三号窗口" in text
    assert "legal limit: " in text


def test_an_online_step_that_the_item_does_not_offer_is_refused(run: Run) -> None:
    file = item_with(**{"互联网受理、互联网办理、": "互联网受理、"})
    out = run(*FORGOTTEN, "--channel", "online", "--item", file, code=1)
    assert "online: not offered are operation; by 网上办理深度: " in out


def test_an_inquiry_is_answered_without_a_case(run: Run) -> None:
    content = json.loads(run("consult", "--channel", "online", "--json"))
    assert content["offered"]
    assert [asked["question"] for asked in content["questions"]] == [
        question.question for question in load_item().questions
    ]
    assert not Path("data").exists()
    file = item_with(**{"互联网咨询、": ""})
    refused = json.loads(run("consult", "--channel", "online", "--item", file, "--json", code=1))
    assert not refused["offered"]
    assert refused["contacts"] == [contact.model_dump() for contact in load_item().extended.complaints]


def test_cases_past_the_legal_limit_are_marked(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    file = item_with(**{"法定办理时限: 1 ": "法定办理时限: 9 "})
    applicant = ("--name", "徐丽娟", "--id", "410105198807189124")
    run("open", "--reason", "forgotten", "--channel", "online", "--handling", "window", *applicant, "--item", file)
    case = shown(run)
    for day, mark in ((case["due"], False), (case["legal_due"], True)):
        later = datetime.fromisoformat(day).replace(tzinfo=CHINA) + timedelta(days=1)
        monkeypatch.setattr("sscard.cli.case_list.now_in_china", lambda later=later: later)
        listed = " ".join(run("overdue").split())
        assert case["number"] in listed
        assert ("past the legal" in listed) is mark


def test_the_item_as_json_has_each_statement(sscard: CommandLine) -> None:
    statements = json.loads(sscard("item", "--json")[1])["statements"]
    assert [one["label"] for one in statements] == list(STATEMENTS)
    assert all(one["by"] and one["scenario"] for one in statements if one["use"] != "display-only")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("基本信息X: 1", "item.yaml:1:1: unknown field '基本信息X'\n  did you mean '基本信息'?"),
        (
            "基本信息:\n  法定办结时限: 1 个工作日",
            "item.yaml:2:3: unknown field '法定办结时限'\n  did you mean '法定办理时限'?",
        ),
    ],
)
def test_a_field_of_an_item_file_is_suggested_by_its_label(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("item.yaml").write_text(text, encoding="utf-8")
    code, _, err = sscard("item", "item.yaml")
    assert (code, told in err) == (2, True), err
