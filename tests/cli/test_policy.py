"""``sscard policy`` and ``--policy``: a user sees a policy, copies it, changes it and has it checked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.programs import CommandLine
from sscard.errors import InputError
from sscard.issuer.holder import card_number
from sscard.service import Policy, load_policy
from sscard.service.policy import find_policy, policies


@pytest.mark.parametrize("name", policies())
def test_a_policy_that_is_shown_is_a_file_with_the_same_rules(sscard: CommandLine, tmp_path: Path, name: str) -> None:
    code, out, _ = sscard("policy", "show", name)
    assert code == 0
    (tmp_path / "copy.yaml").write_text(out, encoding="utf-8")
    assert sscard("policy", "check", tmp_path / "copy.yaml")[0] == 0
    assert find_policy(str(tmp_path / "copy.yaml")) == find_policy(name)


@pytest.mark.parametrize("name", policies())
def test_each_field_of_a_policy_states_its_source(sscard: CommandLine, name: str) -> None:
    assert find_policy(name).sources.keys() == Policy.model_fields.keys() - {"sources"}
    out = sscard("policy", "show", name)[1]
    assert "none stated" not in out
    assert out.count("# regulated by the page") + out.count("# not regulated by the page; source: ") == len(
        find_policy(name).sources
    )


def test_a_file_changes_some_fields_of_a_preset(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("based_on: henan\nproxy: accept\ndocuments: {citizen: [passport]}\n", encoding="utf-8")
    found, henan = load_policy(file), find_policy("henan")
    assert (found.proxy, found.documents["citizen"]) == ("accept", ("passport",))  # type: ignore[index]
    assert found.documents | {"citizen": ()} == henan.documents | {"citizen": ()}
    assert found.minors == henan.minors
    assert "proxy" not in found.sources
    assert "# not regulated by the page; source: none stated\nproxy: accept" in sscard("policy", "show", file)[1]


def test_every_error_of_a_policy_is_reported(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "based_on: page\nproxi: accept\nminors: never\nidentity_proof: {window: face}\nsources: {proxi: page}\n",
        encoding="utf-8",
    )
    code, out, _ = sscard("policy", "check", file)
    assert code == 2
    places = [line.removeprefix(f"{file}:").partition(": ")[0] for line in out.splitlines() if str(file) in line]
    assert places == ["2:1", "3:1", "4:1", "5:1"]
    assert "did you mean 'proxy'" in out
    assert "window: no proof by face recognition there" in out
    errors = json.loads(sscard("policy", "check", file, "--json")[1])["errors"]
    assert [error["line"] for error in errors] == [2, 3, 4, 5]
    assert all(error["remedy"] or "Input should be" in error["problem"] for error in errors)


def test_rules_over_a_whole_field_and_an_unknown_base_are_reported_with_the_others(
    sscard: CommandLine, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("based_on: pages\nfoo: 1\nminors: never\ndocuments: {citizen: []}\n", encoding="utf-8")
    code, out, _ = sscard("policy", "check", file)
    places = [line.removeprefix(f"{file}:").partition(": ")[0] for line in out.splitlines() if str(file) in line]
    assert (code, places) == (2, ["1:1", "2:1", "3:1", "4:1"])
    assert "documents: none for citizen" in out
    assert "expected one of: adult_age, based_on, calendar" in out


def test_a_wrong_check_character_is_reported_but_the_policy_runs(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(
        f"based_on: page\ncards:\n- first: {card_number('A0000000')}\n  last: A0000000Z\n  standing: lost\n",
        encoding="utf-8",
    )
    code, out, _ = sscard("policy", "check", file)
    assert code == 2
    assert f"{file}:4:" in out
    assert "cards, entry 1, last: not a card number" in out
    assert [cards.last for cards in load_policy(file).cards] == ["A0000000Z"]


def test_an_error_in_a_calendar_names_the_year_and_no_other_digits(sscard: CommandLine, tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("based_on: page\ncalendar: {2027: {notice: []}, 739104: {notice: []}}\n", encoding="utf-8")
    code, out, _ = sscard("policy", "check", file)
    assert (code, "calendar.2027.notice" in out, "calendar.***.notice" in out) == (2, True, True), out


def test_a_part_of_a_policy_has_to_name_its_preset(tmp_path: Path, sscard: CommandLine) -> None:
    file = tmp_path / "place.yaml"
    file.write_text("proxi: accept\n", encoding="utf-8")
    code, out, _ = sscard("policy", "check", file)
    assert (code, out.count("place.yaml:1:1:")) == (2, 2)
    assert "field 'documents' is missing" in out
    assert "name it: based_on: page" in out
    assert "unknown field 'proxi'" in out


def test_a_policy_is_based_on_a_preset(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("proxy: accept\nbased_on: hennan\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"own.yaml:2:1: no policy 'hennan'\n  did you mean 'henan'\?"):
        load_policy(file)
