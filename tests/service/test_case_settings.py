"""A case is continued with the policy, item, place policy and holder base that it was opened with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kit.cards import citizens_card
from kit.citizens import ID_NUMBER, Ticking, make_citizen
from kit.programs import CommandLine
from sscard.issuer.cardfile import save_card
from sscard.issuer.holderbasefile import SqliteHolderBase
from sscard.service import PinService, Reason
from sscard.service.item import builtin_item_text
from sscard.service.journal.database import SqlJournal
from sscard.service.journal.keyfile import load_key
from sscard.service.settings import settings_of

NEW = ("--new", "80264153")
POLICY = "based_on: henan\nproxy: accept\n"
PLACE = "name: Yuzhou\ninitial_pin: '739104'\ninitial_pin_use: must change\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, sscard: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``run("open", …)``: the command, in a folder with a card, files and a journal of the test's own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("SSCARD_JOURNAL", raising=False)
    monkeypatch.chdir(tmp_path)
    save_card(citizens_card("739104", id_number=ID_NUMBER, seed=ID_NUMBER), tmp_path / "card.db")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    (tmp_path / "place.yaml").write_text(PLACE, encoding="utf-8")
    (tmp_path / "item.yaml").write_text(builtin_item_text(), encoding="utf-8")
    for base in ("base.db", "other.db"):
        SqliteHolderBase(tmp_path / base, create=True)
    return lambda *arguments: sscard("case", *arguments)


def opened(run: Run, *options: str) -> dict[str, Any]:
    """A case that waits for its card paper."""
    code, out, err = run("open", "card.db", "--reason", "forgotten", "--paper", "id-card", *NEW, *options, "--json")
    case = json.loads(out)
    assert (code, case["stage"], err) == (1, "supplement", "")
    return dict(case)


def resumed(run: Run, number: str, *options: str) -> tuple[int, str, str]:
    return run("resume", number, "card.db", "--paper", "social-security-card", *NEW, *options)


def shown(run: Run, number: str) -> Any:
    return json.loads(run("show", number, "--json")[1])


@pytest.mark.parametrize(
    ("with_options", "repeated"),
    [
        ("", ""),
        ("--policy page", ""),
        ("--place tries-3", ""),
        ("--place tries-3", "--place tries-3"),
        ("--policy policy.yaml", "--policy policy.yaml"),
        ("--place place.yaml --item item.yaml", "--item item.yaml --place place.yaml"),
        ("--holder-base base.db", "--holder-base sqlite:base.db"),
        ("--place tries-3 --holder-base base.db", "--holder-base base.db"),
    ],
)
def test_a_case_is_continued_with_its_settings(run: Run, with_options: str, repeated: str) -> None:
    number = opened(run, *with_options.split())["number"]
    code, out, err = resumed(run, number, *repeated.split())
    assert (code, err) == (0, ""), out


@pytest.mark.parametrize(
    ("with_options", "other", "said"),
    [
        (
            "",
            "--policy policy.yaml",
            "was opened without --policy, --item, --place and --holder-base\n  leave them",
        ),
        ("--policy policy.yaml", "", "was opened with --policy policy.yaml\n  repeat these options"),
        ("--place place.yaml", "--place tries-3", "was opened with --place place.yaml\n"),
        ("--place tries-3", "--place tries-8", "was opened with --place tries-3\n"),
        ("--item item.yaml", "", "was opened with --item item.yaml\n"),
        ("--holder-base base.db", "", "was opened with --holder-base base.db\n"),
        ("--holder-base base.db", "--holder-base other.db", "was opened with --holder-base base.db\n"),
        ("--place tries-3 --holder-base base.db", "", "was opened with --place tries-3 --holder-base base.db\n"),
    ],
)
def test_other_settings_exit_2_name_the_options_and_write_nothing(
    run: Run, with_options: str, other: str, said: str
) -> None:
    number = opened(run, *with_options.split())["number"]
    before = shown(run, number)
    code, out, err = resumed(run, number, *other.split())
    assert (code, out) == (2, "")
    assert said in err
    assert f"sscard case resume {number} --change-settings" in err
    assert shown(run, number) == before


def test_a_file_is_known_by_its_content_and_not_by_its_name(run: Run, tmp_path: Path) -> None:
    number = opened(run, "--policy", "policy.yaml")["number"]
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "policy.yaml").rename(tmp_path / "elsewhere" / "henan-2026.yaml")
    (tmp_path / "policy.yaml").write_text("based_on: page\n", encoding="utf-8")
    code, _, err = resumed(run, number, "--policy", "policy.yaml")
    assert code == 2
    assert "and the content of policy.yaml was another" in err
    assert resumed(run, number, "--policy", str(moved))[0] == 0


def test_changed_settings_are_recorded_and_count_from_then_on(run: Run) -> None:
    case = opened(run, "--place", "tries-3", "--holder-base", "base.db")
    assert case["settings"] == {"place": "tries-3", "holder_base": "base.db"}
    other = ("--policy", "policy.yaml")
    assert run("resume", case["number"], *other)[0] == 2
    code, out, _ = run("resume", case["number"], *other, "--change-settings", "--json")
    assert (code, json.loads(out)["settings"]) == (1, {"policy": "policy.yaml", "place": "tries-3"})
    assert "opened with: --policy policy.yaml --place tries-3\n" in (text := run("show", case["number"])[1])
    assert "Continued with other settings: --policy policy.yaml --place tries-3" in text
    length = len(shown(run, case["number"])["events"])
    assert run("resume", case["number"], *other, "--change-settings")[0] == 1
    acts = [event["act"] for event in shown(run, case["number"])["events"][length:]]
    assert acts == ["supplemented", "noted"]  # the settings are the same, so they are not written again
    assert resumed(run, case["number"], "--holder-base", "base.db")[0] == 2
    assert resumed(run, case["number"], *other)[0] == 0


def test_none_ends_a_setting_of_the_case_and_is_then_that_of_it(run: Run) -> None:
    number = opened(run, "--place", "tries-3", "--holder-base", "base.db", "--item", "item.yaml")["number"]
    none = ("--place", "none", "--holder-base", "none", "--item", "none", "--policy", "page")
    assert run("resume", number, *none)[0] == 2
    code, out, err = run("resume", number, *none, "--change-settings", "--json")
    assert (code, json.loads(out)["settings"], err) == (1, {}, "")
    assert "Continued with other settings: the defaults" in run("show", number)[1]
    assert run("resume", number, "--place", "tries-3")[0] == 2
    assert resumed(run, number)[0] == 0


def test_none_leaves_out_what_the_configuration_sets(run: Run, tmp_path: Path) -> None:
    number = opened(run, "--policy", "henan")["number"]
    settings = 'place = "tries-3"\nholder-base = "base.db"\nitem = "item.yaml"\npolicy = "page"\n'
    (tmp_path / "sscard.toml").write_text(f"[case]\n{settings}", encoding="utf-8")
    code, _, err = resumed(run, number)
    assert code == 2
    repeat = "--policy henan --item none --place none --holder-base none"
    assert f"was opened with {repeat}\n  repeat these options" in err
    assert resumed(run, number, *repeat.split())[0] == 0
    (tmp_path / "sscard.toml").write_text('[case]\nplace = "none"\nholder-base = "none"\nitem = "none"\n')
    assert opened(run)["settings"] == {}


def test_the_options_that_a_configuration_has_to_leave_out_are_named(run: Run, tmp_path: Path) -> None:
    number = opened(run)["number"]
    (tmp_path / "sscard.toml").write_text('[case.resume]\nplace = "tries-3"\n', encoding="utf-8")
    code, _, err = resumed(run, number)
    assert code == 2
    assert "set in the configuration or by a variable, give --place none" in err
    assert resumed(run, number, "--place", "none")[0] == 0


def test_a_second_open_with_the_key_of_a_case_needs_its_settings(run: Run) -> None:
    key = ("--key", "press")
    number = opened(run, *key, "--place", "tries-3")["number"]
    before = shown(run, number)
    code, out, err = run("open", "card.db", "--reason", "forgotten", *NEW, *key)
    assert (code, out) == (2, "")
    assert f"case {number} was opened with --place tries-3" in err
    assert shown(run, number) == before
    assert opened(run, *key, "--place", "tries-3")["number"] == number


def test_a_case_is_abandoned_and_a_closed_one_shown_with_any_settings(run: Run) -> None:
    number = opened(run, "--policy", "policy.yaml", "--holder-base", "base.db")["number"]
    assert run("resume", number, "--abandon")[0] == 0
    assert "opened with" not in run("resume", number, "--place", "tries-3")[2]


def test_a_case_without_settings_is_continued_with_any(run: Run, tmp_path: Path) -> None:
    """One of an older sscard, or of a program that states none."""
    file = tmp_path / "older.db"
    journal = SqlJournal(str(file), load_key(tmp_path / "journal.key"))
    number = PinService(Ticking(), journal=journal).intake(make_citizen().application(Reason.FORGOTTEN)).number
    journal.close()
    where = ("--journal", str(file), "--journal-key", "journal.key")
    code, out, err = run("resume", number, *where, "--place", "tries-3", "--json")
    assert (code, err) == (0, ""), out
    assert json.loads(out)["settings"] is None


@pytest.mark.parametrize(
    ("url", "recorded"),
    [
        ("", ""),
        ("/var/lib/base.db", "base.db"),
        ("sqlite:data/base.db", "base.db"),
        ("http://host:8440", "http://host:8440"),
        ("https://clerk:s3cret@host/base?token=s3cret#s3cret", "https://••••@host/base••••"),
        ("oracle:clerk/s3cret@host", "oracle:••••"),
        ("oracle://host/base;pin=s3cret", "oracle://host/base••••"),
    ],
)
def test_a_holder_base_is_recorded_without_credentials(url: str, recorded: str) -> None:
    assert settings_of("", None, "", url, b"key").holder_base.name == recorded
    assert "s3cret" not in repr(settings_of("", None, "", url, b"key")) + json.dumps(
        settings_of("", None, "", url, b"key").to_facts()
    )


def test_the_digest_of_a_file_depends_on_the_key_of_the_journal(tmp_path: Path) -> None:
    """A place policy has the initial PIN, which nobody finds by trying digests."""
    file = tmp_path / "place.yaml"
    file.write_text(PLACE, encoding="utf-8")
    one, other = (settings_of("", None, str(file), "", key).place for key in (b"one", b"other"))
    assert one != other
    assert one.digest != other.digest
