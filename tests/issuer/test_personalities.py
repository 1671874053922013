"""Personality files: presets, a user's own, and what is wrong with one."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from kit.programs import CommandLine
from sscard.errors import InputError
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.issuer import Personality, find_personality, issue_card, make_personality, preset, presets
from sscard.terminal import CardSession

OWN = """name: mine
generation: "3.0"
algorithm: SM4
"""


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "mine.yaml"


def test_presets_are_what_they_are_called() -> None:
    assert {"v2-3des", "v3-sm4"} <= set(presets())
    assert [(preset(name).generation, preset(name).algorithm) for name in ("v3-sm4", "v2-3des")] == [
        ("3.0", "SM4"),
        ("2.0", "DES"),
    ]
    assert find_personality("v3-sm4") is preset("v3-sm4")


def test_an_own_personality_has_the_defaults(own: Path) -> None:
    own.write_text(OWN)
    assert asdict(find_personality(str(own))) == {**asdict(preset("v3-sm4")), "name": "mine"}


def test_an_own_personality_is_based_on_another(own: Path) -> None:
    own.write_text("based_on: v2-3des\nname: mine\npin_tries: 10\nblocked_query: 6983\nverified_query_ok: yes\n")
    expected = {"name": "mine", "pin_tries": 10, "blocked_query": 0x6983, "verified_query_ok": True}
    assert asdict(find_personality(str(own))) == {**asdict(preset("v2-3des")), **expected}


@pytest.mark.parametrize("generation", ["1.0", "2.0", "3.0"])
def test_a_personality_made_in_python_has_the_defaults_of_its_generation(own: Path, generation: str) -> None:
    own.write_text(OWN.replace("3.0", generation))
    made = make_personality(generation, name="mine", algorithm="SM4")
    assert made == find_personality(str(own))
    assert issue_card(personality=made).profile.personality is made


def test_a_personality_built_without_the_defaults_of_its_generation_is_refused() -> None:
    with pytest.raises(InputError, match="health_application: 'yes' is for cards of generation"):
        issue_card(personality=Personality(name="mine", generation="1.0", algorithm="DES"))


WRONG = [
    ("SSF33", "algorithm: SM4", "algorithm: SSF33", (3, 1), "SSF33 is not public"),
    ("SM1", "algorithm: SM4", "algorithm: SM1", (3, 1), "SM1 is not public"),
    ("AES", "algorithm: SM4", "algorithm: AES", (3, 1), "'DES' or 'SM4'"),
    ("a list", "algorithm: SM4", "algorithm: [SM4]", (3, 1), "'DES' or 'SM4'"),
    ("no try", "algorithm: SM4", "algorithm: SM4\npin_tries: 0", (4, 1), "greater than or equal to 1"),
    ("16 tries", "algorithm: SM4", "algorithm: SM4\nkey_tries: 16", (4, 1), "less than or equal to 15"),
    ("tries in words", "algorithm: SM4", "algorithm: SM4\npin_tries: six", (4, 1), "integer"),
    ("a typing mistake", "algorithm: SM4", "algorithm: SM4\npin_trys: 6", (4, 1), "did you mean 'pin_tries'?"),
    ("a word not open", "algorithm: SM4", "algorithm: SM4\nblocked_query: 6984", (4, 1), "63C0, 6983"),
    ("no word", "algorithm: SM4", "algorithm: SM4\nblocked_query: 698", (4, 1), "four hex digits"),
    ("a list of words", "algorithm: SM4", "algorithm: SM4\nblocked_query: [6983]", (4, 1), "four hex digits"),
    ("a FID too long", "algorithm: SM4", "algorithm: SM4\nssse_fid: 3F0000", (4, 1), "four hex digits"),
    ("a FID below zero", "algorithm: SM4", "algorithm: SM4\nssse_fid: -001", (4, 1), "four hex digits"),
    (
        "a FID of a file",
        "algorithm: SM4",
        "algorithm: SM4\nssse_fid: EF05",
        (4, 1),
        "EF05 belongs to an application, or is no FID of a DF",
    ),
    (
        "a FID of nothing",
        "algorithm: SM4",
        "algorithm: SM4\nssse_fid: FFFF",
        (4, 1),
        "FFFF belongs to an application, or is no FID of a DF",
    ),
    ("a field twice", "algorithm: SM4", "algorithm: SM4\nalgorithm: DES", (4, 1), "given twice"),
    ("a generation not there", '"3.0"', '"4.0"', (2, 1), "'1.0', '2.0' or '3.0'"),
    (
        "certificates on a 2.0 card",
        'generation: "3.0"\n',
        'generation: "2.0"\ncertificate_application: stub\n',
        (3, 1),
        "certificate_application: 'stub' is for cards of generation 3.0 only, this one is 2.0",
    ),
    (
        "the applications of the annex on a 1.0 card",
        '"3.0"',
        '"1.0"\noptional_applications: yes',
        (3, 1),
        "optional_applications: 'yes' is for cards of generation 2.0 or 3.0 only, this one is 1.0",
    ),
    (
        "the health application on a 1.0 card",
        '"3.0"',
        '"1.0"\nhealth_application: yes',
        (3, 1),
        "health_application: 'yes' is for cards of generation 2.0 or 3.0 only, this one is 1.0",
    ),
    ("a level not there", "algorithm: SM4", "algorithm: SM4\ncertificate_application: full", (4, 1), "'stub'"),
    ("a field left out", "algorithm: SM4\n", "", (1, 1), "'algorithm' is missing"),
    ("neither yes nor no", "algorithm: SM4", "algorithm: SM4\npuk_once: maybe", (4, 1), "boolean"),
    ("based on nothing", "name: mine", "based_on: v3\nname: mine", (1, 1), "expected one of: "),
    ("not YAML", "algorithm: SM4", "algorithm: 'SM4", (3, 12), "not valid YAML: a quote is not closed"),
]


@pytest.mark.parametrize(("was", "now", "place", "says"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_wrong_personalities(own: Path, was: str, now: str, place: tuple[int, int], says: str) -> None:
    own.write_text(OWN.replace(was, now, 1))
    with pytest.raises(InputError) as refused:
        find_personality(str(own))
    assert str(refused.value).startswith(f"{own}:{place[0]}:{place[1]}: ")
    assert says in str(refused.value)


def test_a_choice_of_the_base_is_not_inherited_by_a_generation_without_it(own: Path) -> None:
    own.write_text('based_on: v3-sm4\nname: mine\ngeneration: "1.0"\n')
    assert not find_personality(str(own)).health_application


@pytest.mark.parametrize("fields", ["based_on: v3-sm4\nfci_algorithm: no", 'generation: "1.0"\nalgorithm: SM4'])
def test_a_card_whose_algorithm_no_terminal_takes_is_issued_with_a_warning(
    sscard: CommandLine, tmp_path: Path, fields: str
) -> None:
    own, card = tmp_path / "own.yaml", tmp_path / "card.db"
    own.write_text(f"{fields}\nname: own\n")
    warning = (
        "warning: fci_algorithm: no: terminals take DES/3DES for a card whose FCI names no algorithm, this one has SM4"
    )
    code, out, error = sscard("personality", "check", own, "--json")
    assert (code, json.loads(out)["warnings"]) == (0, [error.removesuffix("\n")])
    assert error.startswith(warning)
    assert error.endswith("set fci_algorithm: yes\n")
    code, _, error = sscard("issue", "--personality", own, "-o", card)
    assert code == 0
    assert error.startswith(warning)
    code, _, error = sscard("reset-pin", card, "--new", "654321")
    assert code == 1
    assert "2 tries left" in error


@pytest.mark.parametrize("fields", ["", "fci_algorithm: yes", "algorithm: SM4\nfci_algorithm: yes"])
def test_no_warning_for_a_card_that_terminals_use(sscard: CommandLine, tmp_path: Path, fields: str) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(f"based_on: v1-des\n{fields}\nname: own\n")
    assert sscard("personality", "check", own)[0::2] == (0, "")


@pytest.mark.parametrize("algorithm", ["SSF33", "SM1"])
def test_secret_algorithms_are_refused_with_the_reason(own: Path, algorithm: str) -> None:
    own.write_text(OWN.replace("SM4", algorithm))
    with pytest.raises(InputError, match="nothing honest can stand in for it; use DES or SM4"):
        find_personality(str(own))


@pytest.mark.parametrize("city", ["110100", "119900"])
def test_a_card_that_terminals_take_for_ssf33_is_not_issued(city: str) -> None:
    """In city 11 an FCI without an algorithm means SSF33 (terminal-flows.md §1.3), which no suite computes."""
    with pytest.raises(InputError, match=f"a card of city {city} for an SSF33 card") as refused:
        issue_card(personality="v1-des", city=city)
    assert "fci_algorithm: yes" in say(refused.value.remedy)
    named = issue_card(personality=replace(preset("v1-des"), fci_algorithm=True), city=city, pin="123456")
    session = CardSession.start(named.chip(), SoftHsm())
    session.reset_pin("246802")
    session.verify_pin("246802")


def test_a_card_that_terminals_take_for_ssf33_is_refused_in_one_wording(sscard: CommandLine, tmp_path: Path) -> None:
    code, out, error = sscard("issue", "--personality", "v1-des", "--city", "110100", "-o", tmp_path / "card.db")
    assert (code, out) == (2, "")
    assert "for an SSF33 card" in error
    assert "warning" not in error


def test_a_preset_that_is_not_there() -> None:
    with pytest.raises(InputError, match="no personality 'v3-sm5'") as refused:
        find_personality("v3-sm5")
    assert say(refused.value.remedy) == "did you mean 'v3-sm4'?"


def test_a_file_that_is_not_there(own: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file") as refused:
        find_personality(str(own))
    assert refused.value.file == str(own)
