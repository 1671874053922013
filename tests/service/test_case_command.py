"""``sscard case`` on card images and journals: what it prints, what it keeps, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER, JOURNAL_KEY, Ticking, make_citizen
from kit.databases import execute
from kit.programs import CommandLine
from sscard.issuer.cardfile import load_card, open_card, save_card
from sscard.service import PinService, Reason
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
    reason = () if option == "--reason" else ("--reason", "forgotten")
    result = run("open", card, *reason, option, value)
    assert result.code == 2
    assert told in result.err
    assert "there is no journal" in run("list").err or run("list", "--json").json["cases"] == []


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
    for options, count in (
        ((), 2),
        (("--stage", "completed"), 1),
        (("--channel", "self-service"), 1),
        (("--reason", "leaked"), 1),
        (("--reason", "locked"), 0),
        (("--since", "2020-01-01"), 2),
        (("--since", "2999-01-01"), 0),
    ):
        assert len(run("list", *options, "--json").json["cases"]) == count
    assert "张三" in run("list").out


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
