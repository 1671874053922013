"""``sscard case`` on card images and journals: what it prints, what it keeps, how it ends."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import click
import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER, JOURNAL_KEY, Ticking, make_citizen
from kit.databases import execute
from kit.programs import CommandLine
from sscard.cli.application import application_of, application_options
from sscard.i18n.language import columns, speaking
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.service import (
    Agent,
    Applicant,
    ApplicantKind,
    Channel,
    Document,
    Paper,
    PinService,
    Presence,
    ProofResult,
    Reason,
    WhichPin,
)
from sscard.service.counter import ApplicationFile
from sscard.service.journal.database import SqlJournal

OLD, NEW = "739104", "80264153"


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def card(tmp_path: Path) -> Path:
    return issue(tmp_path / "card.db")


@pytest.fixture
def run(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("open", …)``: the command, with a journal of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    return lambda *arguments: Result(*sscard("case", *arguments))


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also on a machine where the tests have a terminal."""
    monkeypatch.setattr("sscard.terminal.pinpad.CONTROLLING_TERMINAL", Path("/nonexistent/tty"))


def issue(path: Path, id_number: str = ID_NUMBER, city: str = "410400") -> Path:
    save_card(citizens_card(OLD, id_number=id_number, city=city, seed=id_number), path)
    return path


def test_a_case_from_the_open_to_the_notice(run: Run, card: Path) -> None:
    result = run("open", card, "--reason", "forgotten", "--new", NEW)
    assert result.code == 0
    assert "completed" in result.out
    assert "at a hospital or pharmacy nearby" in result.out
    assert "Fee: none" in result.out
    number = result.out.split()[0]
    shown = run("show", number)
    assert "Begins to reset the PIN on the card" in shown.out
    assert "4104************09" in shown.out
    assert [event["act"] for event in run("show", number, "--json").json["events"]] == [
        "received",
        "accepted",
        "begun",
        "done",
        "completed",
    ]
    assert run("verify").out.startswith("1 case, 5 events: the chain is whole\ncheckpoint: sscard-journal:1:")


def test_a_change_takes_the_old_pin(run: Run, card: Path) -> None:
    wrong = run("open", card, "--reason", "leaked", "--old", "000000", "--new", NEW, "--json")
    assert (wrong.code, wrong.json["stage"], wrong.json["in_doubt"]) == (1, "accepted", False)
    right = run("resume", wrong.json["number"], card, "--old", OLD, "--new", NEW)
    assert right.code == 0
    assert "the PIN of the social security card was changed" in right.out


@pytest.mark.parametrize("new", ["000000", OLD])
def test_a_new_pin_that_is_not_permitted_leaves_the_case_for_another_one(run: Run, card: Path, new: str) -> None:
    where = ("--place", "forbidden-pins", "--old", OLD)
    refused = run("open", card, "--reason", "leaked", "--new", new, "--json", *where)
    assert (refused.code, refused.json["stage"], refused.json["in_doubt"]) == (1, "accepted", False)
    assert "choose another PIN" in refused.out
    assert new not in refused.out + run("show", refused.json["number"], "--json").out
    assert run("resume", refused.json["number"], card, "--new", NEW, *where).code == 0


def test_an_unblock_asks_for_the_pin_of_the_card_and_for_no_new_one(
    run: Run, sscard: CommandLine, card: Path, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("based_on: page\nunblock: accept\n", encoding="utf-8")
    for _ in range(6):
        sscard("verify-pin", card, "--pin", "000000")
    rules = ("--policy", policy, "--json")
    none = run("open", card, "--reason", "locked-known", "--old", "none", "--key", "press", *rules)
    assert (none.code, none.out) == (2, "")
    assert "--old: a PIN has decimal digits only" in none.err
    done = run("open", card, "--reason", "locked-known", "--old", OLD, "--key", "press", "--pharmacy", *rules)
    assert (done.code, done.json["stage"]) == (0, "completed")
    assert [event["act"] for event in run("show", done.json["number"], "--json").json["events"]] == [
        "received",
        "accepted",
        "begun",
        "done",
        "completed",
    ]
    assert sscard("verify-pin", card, "--pin", OLD)[0] == 0


def test_the_pins_of_a_case_come_from_files(run: Run, card: Path, tmp_path: Path) -> None:
    files = {option: tmp_path / pin for option, pin in (("--old-file", OLD), ("--new-file", NEW))}
    for file in files.values():
        file.write_text(file.name, encoding="ascii")
        file.chmod(0o600)
    result = run("open", card, "--reason", "leaked", *(word for pair in files.items() for word in pair))
    assert (result.code, result.err) == (0, "")
    assert "the PIN of the social security card was changed" in result.out


def test_the_same_key_is_the_same_case_and_runs_once(run: Run, card: Path) -> None:
    first = run("open", card, "--reason", "forgotten", "--new", NEW, "--key", "press", "--json")
    writes = card.read_bytes()
    again = run("open", card, "--reason", "forgotten", "--new", "246810", "--key", "press", "--json")
    assert again.json["number"] == first.json["number"]
    assert again.code == 0
    assert len(run("list", "--json").json["cases"]) == 1
    assert load_card(card).memory.strings == _strings(writes, card)


@pytest.mark.parametrize("other", [("--id", "11010519491231002X"), ("--reason", "leaked"), ("card",)])
def test_a_key_of_another_application_shows_nothing_of_its_case(
    run: Run, sscard: CommandLine, card: Path, tmp_path: Path, other: tuple[str, ...]
) -> None:
    first = run("open", card, "--reason", "forgotten", "--new", NEW, "--key", "press", "--json")
    if other == ("card",):
        card, other = tmp_path / "second.db", ()
        assert sscard("issue", "--output", card, "--seed", "7")[0] == 0
    reason = () if "--reason" in other else ("--reason", "forgotten")
    refused = run("open", card, "--new", NEW, "--old", NEW, "--key", "press", *reason, *other)
    assert (refused.code, refused.out) == (2, "")
    assert "--key: key 'press' belongs to another application" in refused.err
    assert first.json["number"] not in refused.err
    assert len(run("list", "--json").json["cases"]) == 1


def _strings(image: bytes, beside: Path) -> list[bytes]:
    copy = beside.with_name("copy.db")
    copy.write_bytes(image)
    return load_card(copy).memory.strings


def test_an_application_on_line_is_handed_over_and_resumed_with_the_card(run: Run, card: Path) -> None:
    online = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", ID_NUMBER)
    opened = run("open", *online, "--reason", "locked", "--json")
    assert (opened.code, opened.json["stage"]) == (0, "accepted")
    resumed = run("resume", opened.json["number"], card, "--at", "self-service", "--new", NEW, "--pharmacy", "--json")
    assert (resumed.code, resumed.json["handling"]) == (0, "self-service")
    assert resumed.json["said"][-1] == "You can pay with the new PIN"


def test_a_case_waits_for_papers_and_goes_on(run: Run, card: Path) -> None:
    waits = run("open", card, "--reason", "forgotten", "--paper", "id-card", "--json")
    assert (waits.code, waits.json["stage"]) == (1, "supplement")
    assert "social security card (the original)" in waits.json["said"][0]
    done = run("resume", waits.json["number"], card, "--paper", "social-security-card", "--new", NEW)
    assert done.code == 0


def test_an_application_comes_from_a_file(run: Run, card: Path, tmp_path: Path) -> None:
    file = tmp_path / "application.yaml"
    file.write_text(
        "channel: self-service\nreason: locked\nkey: press\napplicant:\n  kind: foreigner\n"
        "  works_or_insured_in_province: yes\n",
        encoding="utf-8",
    )
    result = run("open", card, "-f", file, "--new", NEW, "--json")
    assert (result.code, result.json["channel"], result.json["applicant"]["kind"]) == (0, "self-service", "foreigner")


APPLICATION: dict[str, tuple[tuple[str, ...], object]] = {
    "channel": (("--channel", "online"), Channel.ONLINE),
    "handling": (("--handling", "window"), Channel.WINDOW),
    "reason": (("--reason", "locked"), Reason.LOCKED),
    "papers": (("--paper", "id-card"), (Paper.ID_CARD,)),
    "key": (("--key", "press"), "press"),
    "name": (("--name", "张三"), "张三"),
    "id_number": (("--id", ID_NUMBER), ID_NUMBER),
    "id_expires": (("--expires", "2030-01-31"), date(2030, 1, 31)),
    "kind": (("--kind", "foreigner"), ApplicantKind.FOREIGNER),
    "lives_in_province": (("--lives-in-province", "no"), False),
    "works_or_insured_in_province": (("--works-or-insured-in-province", "yes"), True),
    "presence": (("--presence", "guardian"), Presence.GUARDIAN),
    "document": (("--document", "household-register"), Document.HOUSEHOLD_REGISTER),
    "agent_name": (("--agent-name", "王五"), "王五"),
    "agent_id_number": (("--agent-id", "11010519491231002X"), "11010519491231002X"),
    "proof": (("--proof", "failed"), ProofResult.FAILED),
    "which_pin": (("--pin-of", "bank"), WhichPin.BANK),
}
FILE = """
reason: leaked
key: file
applicant:
  name: 李四
  id_number: 410403199001010023
  lives_in_province: yes
  presence: proxy
  agent: {name: 赵六, id_number: 410403199001010023}
"""


def test_each_field_of_an_application_file_has_its_option() -> None:
    fields = (ApplicationFile.model_fields.keys() | Applicant.model_fields.keys()) - {"applicant", "agent"}
    fields |= {f"agent_{field}" for field in Agent.model_fields}
    options = {each.name for each in application_options(click.pass_context).__click_params__}  # type: ignore[attr-defined]
    assert options == fields == APPLICATION.keys()


@pytest.mark.parametrize("field", APPLICATION)
def test_an_option_overrides_the_field_of_the_file(tmp_path: Path, field: str) -> None:
    (words, expected) = APPLICATION[field]
    file = tmp_path / "application.yaml"
    file.write_text(FILE, encoding="utf-8")
    found: list[ApplicationFile] = []

    @click.command
    @application_options
    def take(**given: Any) -> None:
        found.append(application_of(file, given))

    take.main([*words], standalone_mode=False)
    take.main([], standalone_mode=False)
    changed, unchanged = (fields_of(each) for each in found)
    assert changed.pop(field) == expected != unchanged.pop(field)
    assert changed == unchanged


def fields_of(application: ApplicationFile) -> dict[str, Any]:
    agent = application.applicant.agent
    assert agent
    fields = {**dict(application), **dict(application.applicant)}
    fields |= {f"agent_{field}": value for field, value in dict(agent).items()}
    return {field: value for field, value in fields.items() if field not in ("applicant", "agent")}


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (("--name", "张三"), "the applicant has a name and no ID number", "give the number, --id or id_number"),
        (("-f", "{folder}/named.yaml"), "the applicant has a name and no ID number", "or leave out the name"),
        (("--presence", "guardian"), "option --agent-name is missing", "--agent-name, --agent-id"),
        (("-f", "{folder}/alone.yaml"), "option --agent-name is missing", "--agent-name, --agent-id"),
        (("--presence", "proxy", "--agent-name", "王五"), "option --agent-id is missing", "name and ID number"),
        (("--presence", "proxy", "--agent-id", ID_NUMBER), "option --agent-name is missing", "name and ID number"),
        (
            ("--agent-name", "王五", "--agent-id", ID_NUMBER),
            "there is an agent, but the applicant is present in person",
            "state presence: guardian or proxy",
        ),
        (("-f", "{folder}/agent.yaml"), "agent.yaml:2:1: applicant: there is an agent", "leave the agent out"),
    ],
)
def test_persons_that_cannot_be_end_before_a_case_is_opened(
    run: Run, card: Path, tmp_path: Path, words: tuple[str, ...], problem: str, remedy: str
) -> None:
    (tmp_path / "named.yaml").write_text("reason: forgotten\napplicant: {name: 张三}\n", encoding="utf-8")
    agent = f"{{name: 王五, id_number: {ID_NUMBER}}}"
    (tmp_path / "alone.yaml").write_text("reason: forgotten\napplicant: {presence: guardian}\n", encoding="utf-8")
    (tmp_path / "agent.yaml").write_text(f"reason: forgotten\napplicant: {{agent: {agent}}}\n", encoding="utf-8")
    given = [word.format(folder=tmp_path) for word in words]
    result = run("open", card, "--reason", "forgotten", "--new", NEW, *given)
    assert (result.code, result.out) == (2, "")
    assert problem in result.err
    assert remedy in result.err
    assert ID_NUMBER not in result.err
    assert "there is no journal" in run("list").err


def test_a_reason_that_the_item_does_not_accept_is_stated(run: Run, card: Path, tmp_path: Path) -> None:
    file = tmp_path / "application.yaml"
    file.write_text("reason: leaked\n", encoding="utf-8")
    for given in ((), ("-f", file)):
        result = run("open", card, *given, "--reason", "none", "--json")
        assert (result.code, result.json["stage"], result.json["reason"]) == (1, "refused", None)
        assert "there is no reason for a change or reset" in result.json["said"][0]


def test_the_options_decide_who_may_apply(run: Run, card: Path) -> None:
    for options, ground in (
        (("--lives-in-province", "no"), "does not live in this province"),
        (("--expires", "2020-12-31"), "the identity document has expired"),
        (("--presence", "proxy", "--agent-name", "王五", "--agent-id", "11010519491231002X"), "not a proxy"),
        (("--presence", "guardian", "--agent-name", "王五", "--agent-id", "11010519491231002X"), "not a guardian"),
    ):
        result = run("open", card, "--reason", "forgotten", "--new", NEW, *options)
        assert result.code == 1
        assert ground in result.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("open {card} --new 246810", 2, "option --reason is missing\n  --reason none is"),
        ("open --reason forgotten --new 246810", 2, "argument CARD is missing\n  give the card; or --handling"),
        (
            f"open --reason forgotten --new 246810 --key {'k' * 201}",
            2,
            "--key: String should have at most 200 characters",
        ),
        ("open nowhere.db --reason forgotten --new 246810", 2, "nowhere.db: cannot be"),
        ("open {card} --reason forgotten", 2, "no terminal to enter it at: New PIN\n  give it in a file: --new-file"),
        ("open {card} --reason leaked --new 246810", 2, "no terminal to enter it at: Old PIN"),
        ("open {card} -f {file}", 2, "no terminal to enter it at: New PIN"),
        ("open {card} --reason locked --policy henan --paper social-security-card", 2, "enter it at: New PIN"),
        ("open {card} --reason forgotten --item nowhere.yaml", 2, "nowhere.yaml"),
    ],
)
def test_what_is_missing_is_found_before_a_case_is_opened(
    run: Run, card: Path, no_terminal: None, tmp_path: Path, words: str, code: int, told: str
) -> None:
    (tmp_path / "application.yaml").write_text("reason: locked\n", encoding="utf-8")
    result = run(*words.format(card=card, file=tmp_path / "application.yaml").split())
    assert (result.code, result.out) == (code, "")
    assert told in result.err
    assert "there is no journal" in run("list").err


@pytest.mark.parametrize(
    ("words", "stage"),
    [
        ("--reason none", "refused"),
        ("--reason leaked --paper id-card", "supplement"),
        ("--reason forgotten --policy henan --presence guardian {agent}", "refused"),
        ("--reason forgotten --policy {policy} --presence proxy {agent} {papers}", "supplement"),
        ("--reason forgotten --pin-of bank", "refused"),
        ("--reason locked-known", "refused"),
        ("--reason leaked --policy {policy} --proof failed", "refused"),
        ("--reason leaked --policy {policy} --proof unavailable", "intake"),
    ],
)
def test_a_case_that_needs_no_pin_is_opened_without_terminal(
    run: Run, card: Path, no_terminal: None, tmp_path: Path, words: str, stage: str
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("based_on: page\nproxy: accept\nidentity_proof: {window: id-reader}\n", encoding="utf-8")
    agent = "--agent-name 王代办 --agent-id 410403199001010023"
    papers = "--paper id-card --paper social-security-card"
    result = run("open", card, *words.format(policy=policy, agent=agent, papers=papers).split(), "--json")
    assert (result.code, result.json["stage"]) == (1, stage)


@pytest.mark.parametrize(
    ("opened", "resumed", "told"),
    [
        ("--reason leaked --old 000000 --new 246810", "{card} --new 246810", "no terminal to enter it at: Old PIN"),
        ("--reason leaked --old 000000 --new 246810", "{card}", "no terminal to enter it at: New PIN"),
        ("--reason locked --paper id-card", "{card} --paper social-security-card", "enter it at: New PIN"),
        (
            "--reason locked --paper id-card",
            "--paper social-security-card --new 246810",
            "argument CARD is missing\n  give the card: sscard case resume 20",
        ),
        (
            "--reason locked --paper id-card",
            "{card} --policy henan --change-settings --proof passed --paper social-security-card",
            "New PIN",
        ),
        ("--reason leaked --old 000000 --new 246810", "nowhere.db --new 246810 --old 739104", "nowhere.db: cannot be"),
    ],
)
def test_what_is_missing_is_found_before_a_case_is_resumed(
    run: Run, card: Path, no_terminal: None, opened: str, resumed: str, told: str
) -> None:
    number = run("open", card, *opened.split(), "--json").json["number"]
    before = run("show", number, "--json").json
    result = run("resume", number, *resumed.format(card=card).split())
    assert (result.code, result.out) == (2, "")
    assert told in result.err
    assert run("show", number, "--json").json == before


def test_a_case_that_is_closed_needs_no_pin(run: Run, card: Path, no_terminal: None) -> None:
    opened = run("open", card, "--reason", "forgotten", "--new", NEW, "--json").json
    assert run("resume", opened["number"], card).code == 0


def test_a_mistake_in_a_file_is_told_with_its_place(run: Run, card: Path, tmp_path: Path) -> None:
    file = tmp_path / "application.yaml"
    file.write_text("channel: window\napplicant:\n  knd: foreigner\n", encoding="utf-8")
    result = run("open", card, "-f", file)
    assert result.code == 2
    assert f"{file}:3:3: unknown field 'knd'" in result.err
    assert "did you mean 'kind'?" in result.err


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("--channel", "windw", "did you mean 'window'?"),
        ("--reason", "lost", "expected one of"),
        ("--paper", "idcard", "did you mean 'id-card'?"),
        ("--new", "12", "--new: a PIN has 4 to 16 digits"),
        ("--policy", "none.yaml", "cannot be read"),
        ("--journal", "mysql://x", "not the URL of a journal"),
    ],
)
def test_a_mistaken_option_ends_with_two_and_opens_nothing(
    run: Run, card: Path, option: str, value: str, told: str
) -> None:
    given = {"--reason": "forgotten", "--new": NEW} | {option: value}
    result = run("open", card, *(word for pair in given.items() for word in pair))
    assert result.code == 2
    assert told in result.err
    assert "there is no journal" in run("list").err or run("list", "--json").json["cases"] == []


@pytest.mark.parametrize("form", ["{file}", "sqlite:///{file}", "{link}"])
def test_a_card_file_in_place_of_the_journal_ends_with_two(run: Run, card: Path, tmp_path: Path, form: str) -> None:
    (tmp_path / "link.db").symlink_to(card)
    before = card.read_bytes()
    journal = form.format(file=card, link=tmp_path / "link.db")
    result = run("open", card, "--reason", "forgotten", "--new", NEW, "--journal", journal)
    assert (result.code, result.out) == (2, "")
    assert "is an input or another output of this command" in result.err
    assert card.read_bytes() == before


@pytest.mark.parametrize("option", ["--journal", "--journal-key"])
def test_no_folder_is_made_for_a_journal_or_key_that_is_named(
    run: Run, card: Path, tmp_path: Path, option: str
) -> None:
    file = tmp_path / "mistyped" / "file"
    result = run("open", card, "--reason", "forgotten", "--new", NEW, option, file)
    assert (result.code, result.out) == (2, "")
    assert f"{file}: cannot be " in result.err
    assert f"the folder {file.parent} does not exist" in result.err
    assert not file.parent.exists()
    assert load_card(card).snapshot().pin_tries == 6


def test_the_days_of_the_limit_are_counted_in_words(run: Run, card: Path) -> None:
    result = run("open", card, "--reason", "forgotten", "--new", NEW)
    assert "Accepted; done within 1 working day, by " in run("show", result.out.split()[0]).out


def test_a_refusal_ends_with_one_and_its_ground(run: Run, tmp_path: Path) -> None:
    result = run("open", issue(tmp_path / "other.db", city="510100"), "--reason", "forgotten", "--new", NEW)
    assert result.code == 1
    assert "was not issued in this province" in result.out


def test_a_card_in_use_is_left_alone(run: Run, card: Path) -> None:
    with open_card(card):
        result = run("open", card, "--reason", "forgotten", "--new", NEW)
    assert result.code == 2
    assert "is open in this process already" in result.err


def test_cases_are_listed_by_what_is_asked(run: Run, card: Path) -> None:
    run("open", card, "--reason", "forgotten", "--new", NEW)
    run("open", card, "--reason", "leaked", "--old", "000000", "--new", NEW, "--channel", "self-service")
    run("open", card, "--reason", "none")
    for options, count in (
        ((), 3),
        (("--stage", "completed"), 1),
        (("--channel", "self-service"), 1),
        (("--reason", "leaked"), 1),
        (("--reason", "locked"), 0),
        (("--reason", "none"), 1),
        (("--since", "2020-01-01"), 3),
        (("--since", "2999-01-01"), 0),
    ):
        assert len(run("list", *options, "--json").json["cases"]) == count
    assert "张三" in run("list").out


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", ["80", "60", ""])
def test_a_list_cuts_nothing_off(
    run: Run, card: Path, monkeypatch: pytest.MonkeyPatch, width: str, language: str
) -> None:
    monkeypatch.setenv("COLUMNS", width)
    name = "买买提江·阿卜杜热合曼·图尔荪尼亚孜"
    online = ("--channel", "online", "--handling", "self-service", "--name", name, "--id", ID_NUMBER)
    number = run("open", *online, "--reason", "locked", "--json").json["number"]
    with speaking(language):
        lines = run("list").out.splitlines()
    printed = "".join("".join(lines).split())
    assert "…" not in printed
    assert sorted(name) == sorted(character for character in printed if character in name)
    assert {"80": number, "60": number, "": f"{number}  "}[width] in "\n".join(lines)
    assert max(map(columns, lines)) <= int(width or 200)


def test_overdue_cases_are_listed(run: Run, tmp_path: Path) -> None:
    path, key = tmp_path / "old.db", tmp_path / "old.key"
    key.write_text(JOURNAL_KEY.hex())
    journal = SqlJournal(str(path), JOURNAL_KEY)
    service = PinService(Ticking(), journal=journal)  # in March 2026
    citizen = make_citizen()
    for reason in (Reason.FORGOTTEN, Reason.LEAKED):
        case = service.intake(citizen.application(reason))
        service.accept(case)
    service.abandon(case)
    journal.close()
    found = run("overdue", "--journal", path, "--journal-key", key, "--json").json["cases"]
    assert [(entry["reason"], entry["due"]) for entry in found] == [("forgotten", "2026-03-03")]


def test_a_case_that_waits_for_papers_is_ended_if_nobody_brings_them(run: Run) -> None:
    applicant = ("--name", "张三", "--id", ID_NUMBER)
    waits = run("open", "--reason", "leaked", "--paper", "id-card", *applicant, "--json").json
    assert waits["stage"] == "supplement"
    assert "the applicant does not continue" in run("resume", waits["number"], "--abandon").out
    assert run("list", "--stage", "failed", "--json").json["cases"][0]["number"] == waits["number"]
    assert run("resume", waits["number"], "--abandon").code == 2


def test_a_case_nobody_goes_on_with_is_ended(run: Run, card: Path) -> None:
    waits = run("open", card, "--reason", "leaked", "--old", "000000", "--new", NEW, "--json").json
    assert run("resume", waits["number"], "--abandon").code == 0
    assert run("list", "--stage", "failed", "--json").json["cases"][0]["number"] == waits["number"]
    assert run("resume", waits["number"], "--abandon").code == 2


def test_a_tampered_journal_ends_with_one(run: Run, card: Path, tmp_path: Path) -> None:
    run("open", card, "--reason", "forgotten", "--new", NEW)
    execute(str(tmp_path / "data/sscard/journal.db"), "DELETE FROM event WHERE place = 2")
    result = run("verify")
    assert result.code == 1
    assert "event 2: removed" in result.out
    assert run("verify", "--json").json["findings"][0]["position"] == 2


@pytest.mark.parametrize("verb", [("list",), ("show", "1"), ("overdue",), ("verify",), ("resume", "1")])
def test_no_journal_is_made_by_looking(run: Run, verb: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*verb)
    assert result.code == 2
    assert "there is no journal" in result.err
    assert not (tmp_path / "data/sscard/journal.db").exists()


def test_a_number_that_is_none_is_told(run: Run, card: Path) -> None:
    run("open", card, "--reason", "forgotten", "--new", NEW)
    result = run("show", "7")
    assert result.code == 2
    assert "sscard case list" in result.err


def test_no_secret_in_any_output(run: Run, card: Path) -> None:
    number = run("open", card, "--reason", "forgotten", "--new", NEW, "--json").json["number"]
    said = [run("show", number), run("show", number, "--json"), run("list"), run("list", "--json"), run("verify")]
    text_of = "".join(result.out + result.err for result in said)
    assert [secret for secret in (ID_NUMBER, OLD, NEW) if secret in text_of] == []


def test_a_journal_and_a_key_that_others_can_read_are_named_in_warnings(run: Run, card: Path, tmp_path: Path) -> None:
    assert run("open", card, "--reason", "forgotten", "--new", NEW).err == ""
    folder = tmp_path / "data" / "sscard"
    for name in ("journal.key", "journal.db"):
        (folder / name).chmod(0o644)
    result = run("list")
    assert result.code == 0
    assert result.err.splitlines() == [
        f"{folder / name}: other users can read it, with its secrets: chmod 600 {folder / name}"
        for name in ("journal.key", "journal.db")
    ]


def test_a_case_that_waits_for_a_proof_is_resumed_with_one(run: Run, card: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("based_on: page\nidentity_proof: {window: id-reader}\n", encoding="utf-8")
    given = ("--policy", policy, "--new", NEW)
    waits = run("open", card, "--reason", "forgotten", "--proof", "unavailable", *given)
    number = waits.out.split()[0]
    assert waits.code == 1
    assert "the proof of identity by ID reader cannot be made now" in waits.out
    assert f"sscard case resume {number}" in waits.out
    still = run("resume", number, card, *given, "--json")
    assert (still.code, still.json["stage"]) == (1, "intake")
    done = run("resume", number, card, "--proof", "passed", *given, "--json")
    assert (done.code, done.json["stage"]) == (0, "completed")
    late = run("resume", number, card, "--proof", "passed", *given)
    assert (late.code, late.out) == (2, "")
    assert re.search("sscard: --proof: .*\n  a proof is handed in before the operation; leave it out\n$", late.err)
    shown = run("show", number).out
    assert "proof of identity by ID reader: unavailable" in shown
    assert "proof of identity by ID reader: passed" in shown


def test_a_case_that_waits_before_acceptance_is_accepted_then_handed_over(run: Run, card: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("based_on: page\nidentity_proof: {online: face}\n", encoding="utf-8")
    online = ("--channel", "online", "--handling", "window", "--name", "张三", "--id", ID_NUMBER, "--reason", "locked")
    waits = run("open", *online, "--policy", policy, "--proof", "unavailable", "--json").json
    assert waits["stage"] == "pre-review"
    given = ("--at", "self-service", "--policy", policy, "--new", NEW, "--json")
    still = run("resume", waits["number"], card, *given).json
    assert (still["stage"], still["handling"]) == ("pre-review", "window")
    done = run("resume", waits["number"], card, "--proof", "passed", *given)
    assert (done.code, done.json["stage"], done.json["handling"]) == (0, "completed", "self-service")
    late = run("resume", waits["number"], card, "--at", "window")
    assert (late.code, late.out) == (2, "")
    assert late.err.endswith("is at stage 'completed'\n  a case is handed over before the operation; leave it out\n")


def test_a_case_that_cannot_be_handed_over_is_not_touched(run: Run, card: Path) -> None:
    number = run("open", card, "--reason", "forgotten", "--paper", "id-card", "--json").json["number"]
    before = run("show", number).out
    wrong = run("resume", number, card, "--paper", "social-security-card", "--new", NEW, "--at", "online")
    assert (wrong.code, wrong.out) == (2, "")
    assert re.search(r"cannot be handed over to .*\n  leave it out\n$", wrong.err)
    assert run("show", number).out == before


@pytest.mark.parametrize(
    ("words", "ground"),
    [
        (("--pin-of", "bank"), "please go to a counter of the bank"),
        (("--name", "李四", "--id", ID_NUMBER), "have different names"),
        (("--document", "household-register"), "only below the age of 16"),
        (("--presence", "proxy", "--agent-name", "王五", "--agent-id", "1"), "not a proxy"),
    ],
)
def test_documents_persons_and_pin_of_the_options_are_examined(
    run: Run, card: Path, words: tuple[str, ...], ground: str
) -> None:
    result = run("open", card, "--reason", "forgotten", "--new", NEW, *words)
    assert result.code == 1
    assert ground in result.out


def test_who_acts_is_shown_with_a_masked_number(run: Run, card: Path, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("based_on: page\nproxy: accept\n", encoding="utf-8")
    agent = ("--presence", "proxy", "--agent-name", "王五", "--agent-id", "11010519491231002X")
    opened = run("open", card, "--reason", "forgotten", "--new", NEW, "--policy", policy, *agent, "--json")
    assert opened.json["agent"] == {"name": "王五", "presence": "proxy", "id": "1101************2X"}
    assert "proxy: 王五, 1101************2X\n" in run("show", opened.json["number"]).out
    alone = run("open", card, "--reason", "forgotten", "--new", NEW, "--json")
    assert alone.json["agent"] is None
    assert "王五" not in run("show", alone.json["number"]).out


def test_the_policy_of_the_province_takes_the_card_alone(run: Run, card: Path) -> None:
    given = ("open", card, "--reason", "forgotten", "--new", NEW, "--paper", "social-security-card")
    assert "supplement" in run(*given).out
    assert "completed" in run(*given, "--policy", "henan").out
