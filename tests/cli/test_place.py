"""``sscard place``, and ``--place`` of the commands that set a PIN."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.programs import CommandLine
from sscard.cli.place import HELP
from sscard.issuer import find_place, issue_card
from sscard.issuer.cardfile import load_card, save_card
from sscard.issuer.places import FIELDS, PRESETS

PIN = "739184"


@pytest.fixture
def card(tmp_path: Path) -> str:
    save_card(issue_card(pin=PIN, seed=1), tmp_path / "card.db")
    return str(tmp_path / "card.db")


def test_every_field_has_its_meaning() -> None:
    assert HELP.keys() == FIELDS.keys()


@pytest.mark.parametrize("name", PRESETS)
def test_what_show_prints_is_the_same_policy_as_a_file(sscard: CommandLine, tmp_path: Path, name: str) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(sscard("place", "show", name)[1], encoding="utf-8")
    assert find_place(str(file)) == PRESETS[name]
    assert sscard("place", "check", file)[:2] == (0, "1 file: no errors\n")


def test_list_prints_every_policy_with_its_values(sscard: CommandLine) -> None:
    code, out, _ = sscard("place", "list")
    assert code == 0
    assert all(name in out for name in PRESETS)
    listed = json.loads(sscard("place", "list", "--json")[1])["places"]
    assert [each["name"] for each in listed] == list(PRESETS)


def test_check_reports_every_error_of_every_file(sscard: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text("name: one\npin_tries: 0\nforbiden_pins: []\n", encoding="utf-8")
    (tmp_path / "two.yaml").write_text("name: two\ninitial_pin: 12\n", encoding="utf-8")
    code, out, _ = sscard("place", "check", tmp_path / "one.yaml", tmp_path / "two.yaml", "tries-3", "--json")
    found = json.loads(out)
    places = [(Path(each["file"]).name, each["line"]) for each in found["errors"]]
    assert (code, found["files"], places) == (2, 3, [("one.yaml", 2), ("one.yaml", 3), ("two.yaml", 2)])
    assert "did you mean 'forbidden_pins'?" in found["errors"][1]["remedy"]


@pytest.mark.parametrize(
    ("command", "place", "new", "reason"),
    [
        (["change-pin", "--old", PIN], "tries-3", "123456", "the initial PIN"),
        (["reset-pin"], "tries-3", "123456", "the initial PIN"),
        (["change-pin", "--old", PIN], "forbidden-pins", "000000", "easy to guess"),
        (["reset-pin"], "forbidden-pins", "000000", "easy to guess"),
    ],
)
def test_a_pin_that_the_place_does_not_permit_leaves_the_card_as_it_is(
    sscard: CommandLine, card: str, command: list[str], place: str, new: str, reason: str
) -> None:
    code, out, err = sscard(*command, card, "--new", new, "--place", place, "--json")
    told = json.loads(out)
    assert (code, told["done"], told["status"], told["tries_left"]) == (1, False, None, None)
    assert reason in told["said"]
    assert "choose another PIN" in err
    assert new not in err
    assert sscard("verify-pin", card, "--pin", PIN)[0] == 0
    assert sscard(*command, card, "--new", new)[0] == 0


def test_every_file_is_checked_also_after_one_that_cannot_be_read(sscard: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "places"
    folder.mkdir()
    for name, text in (("a", "name: a\npin_tries: 99\n"), ("b", "name: [\n"), ("c", "name: c\n"), ("d", "nam: d\n")):
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    code, out, _err = sscard("place", "check", folder, "nowhere", tmp_path / "none.yaml", "tries-6")
    assert code == 2
    assert [name for name in ("a", "b", "c", "d") if f"{name}.yaml:" in out] == ["a", "b", "d"]
    assert "no place policy 'nowhere'" in out
    assert "none.yaml: cannot be read" in out
    assert "7 files: 6 errors" in out
    assert sscard("place", "check", folder / "c.yaml")[0] == 0


@pytest.mark.parametrize("section", ["card", "service"])
def test_every_wrong_field_of_a_place_in_a_scenario_is_reported(
    sscard: CommandLine, tmp_path: Path, section: str
) -> None:
    scenario = tmp_path / "one.yaml"
    scenario.write_text(
        f"name: {{en: One, zh: 一}}\nproves: {{en: It, zh: 它}}\ntags: place\n{section}:\n  place:\n    pin_tries: 99\n"
        "    initial_pin: easter\n    foo: 1\nsteps:\n  - insert:\n",
        encoding="utf-8",
    )
    code, out, err = sscard("scenario", "check", scenario)
    assert code == 2
    for place in (6, 7, 8):
        assert f"one.yaml:{place}:" in out + err


def test_a_card_issued_without_a_pin_gets_its_first_one(sscard: CommandLine, tmp_path: Path) -> None:
    card = tmp_path / "new.db"
    assert sscard("issue", "-o", card, "--place", "no-initial-pin")[0] == 0
    assert not load_card(card).snapshot().pin_set
    assert sscard("change-pin", card, "--old", "none", "--new", PIN, "--place", "no-initial-pin")[0] == 0
    assert sscard("verify-pin", card, "--pin", PIN)[0] == 0
