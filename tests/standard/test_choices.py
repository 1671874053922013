"""The tables of choices and of generations: complete, frozen, the source of what personality files accept."""

from __future__ import annotations

import re
from dataclasses import MISSING, FrozenInstanceError, asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.issuer import find_personality, preset, presets
from sscard.issuer.personalities import written_fields
from sscard.standard.choices import CHOICES, Choice, Personality
from sscard.standard.generations import GENERATIONS, NEWEST, OLDEST, build_layout, generation_in
from sscard.standard.tree import FileSpec

DEFAULTS = {field.name: field.default for field in fields(Personality) if field.default is not MISSING}


def values_of(choice: Choice) -> list[Any]:
    """What a field takes: every allowed value, or some where any is."""
    return [value for value in choice.allowed or (0x3F00, 0xDDF1, 0xFFFF) if value not in choice.refused]


def test_every_field_but_the_name_is_a_row_with_a_meaning() -> None:
    assert [field.name for field in fields(Personality)] == ["name", *CHOICES]
    assert all(choice.meaning.strip() for choice in CHOICES.values())


@pytest.mark.parametrize("name", DEFAULTS)
def test_a_default_is_one_of_the_allowed_values_and_of_their_type(name: str) -> None:
    default, choice = DEFAULTS[name], CHOICES[name]
    assert not choice.allowed or default in choice.allowed
    assert default not in choice.refused
    assert {type(value) for value in (default, *choice.allowed)} == {type(default)}
    assert not choice.refused or choice.reason


def test_open_choices_have_their_number_and_are_cited_once_or_twice() -> None:
    numbers = [number for choice in CHOICES.values() for number in re.findall(r"OC-(\d+\w?)", choice.numbers)]
    assert {"1", "2", "19b", "36"} <= set(numbers)
    assert all(numbers.count(number) <= 2 for number in numbers)
    assert CHOICES["pin_tries"].help == "[OC-1] PIN retry limit, 1–15."
    assert CHOICES["financial"].help == CHOICES["financial"].meaning


@pytest.mark.parametrize("name", CHOICES)
def test_a_file_takes_what_the_row_allows_and_nothing_else(tmp_path: Path, name: str) -> None:
    path, choice = tmp_path / "own.yaml", CHOICES[name]

    def read(value: object) -> Personality:
        path.write_text(f"based_on: v3-sm4\nname: own\n{name}: {value}\n", encoding="utf-8")
        return find_personality(str(path))

    for value in values_of(choice):
        written = written_fields({name: value})[name]
        assert getattr(read(f'"{written}"'), name) == value
    for refused in ("nonsense", "99999", *(written_fields({name: value})[name] for value in choice.refused)):
        with pytest.raises(InputError) as caught:
            read(f'"{refused}"')
        assert caught.value.line == 3
        assert name in say(caught.value.problem)


@pytest.mark.parametrize("name", presets())
def test_a_personality_written_as_a_file_is_read_again(tmp_path: Path, name: str) -> None:
    path = tmp_path / "own.yaml"
    lines = [f'{field}: "{value}"' for field, value in written_fields(asdict(preset(name))).items()]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert find_personality(str(path)) == preset(name)


def test_a_personality_cannot_be_changed() -> None:
    with pytest.raises((FrozenInstanceError, AttributeError)):
        preset("v3-sm4").pin_tries = 3  # type: ignore[misc]


# Generations


def test_generations_stand_oldest_first() -> None:
    assert OLDEST == "1.0"
    assert max(GENERATIONS) == NEWEST
    assert list(GENERATIONS) == sorted(GENERATIONS) == [made.name for made in GENERATIONS.values()]


@pytest.mark.parametrize("name", GENERATIONS)
def test_item_03_names_the_generation(name: str) -> None:
    made = GENERATIONS[name]
    assert generation_in(made.version) is generation_in(f" {name} ") is made


def test_a_blank_version_is_the_oldest_and_another_none() -> None:
    assert generation_in("") is generation_in("    ") is GENERATIONS["1.0"]
    assert generation_in("9.90") is generation_in("x") is None


@pytest.mark.parametrize(("name", "key", "extends"), [("1.0", "", False), ("2.0", "", True), ("3.0", "RKSSSE", True)])
def test_what_reading_ef06_takes_follows_from_the_tree(name: str, key: str, extends: bool) -> None:
    assert (GENERATIONS[name].holder_key, GENERATIONS[name].extends_name) == (key, extends)


def frozen(thing: Any, field: str) -> None:
    with pytest.raises((FrozenInstanceError, AttributeError)):
        setattr(thing, field, getattr(thing, field))


def test_the_rows_are_frozen_and_a_layout_numbers_copies() -> None:
    for made in GENERATIONS.values():
        first, second = (build_layout(made.name, fid, optional_applications=True) for fid in (0x3F00, 0xDDF1))
        assert all(file.cell == 0 and file.read == () for file in (*made.ssse_files, *made.files))
        assert first.file(0x3F00, 0x05) is not second.file(0xDDF1, 0x05)
        frozen(made, "name")
        frozen(first.files[0], "cell")
        frozen(first.files[0].items[0], "tag")
        frozen(first.keys[0], "number")
        frozen(first.dfs[0], "fid")


# A card without some keys


def test_a_rule_that_asks_for_an_absent_key_is_never_satisfied() -> None:
    whole = build_layout("3.0")
    held = {key.name: key.versions for key in whole.keys} | {"RK1DF04": 0, "UK1DF01": 1}
    layout = build_layout("3.0", held=held)
    assert [key.name for key in layout.keys] == [key.name for key in whole.keys if key.name != "RK1DF04"]
    assert layout.keys[layout.key_named("UK1DF01")].versions == 1
    assert layout.key(0xDF04, whole.keys[whole.key_named("RK1DF04")].number) is None
    assert len(layout.number_names()) == len(whole.number_names()) - 3 - 2

    def rights(file: FileSpec | None) -> tuple[int, int]:
        assert file is not None
        return len(file.read), len(file.write)

    assert rights(layout.file(0xDF04, 0x05)) == (1, 1), "PIN | RK1DF04"
    assert rights(layout.file(0xDF04, 0x06)) == (0, 1), "PIN & RK1DF04"
    assert rights(whole.file(0xDF04, 0x06)) == (1, 1)


def test_a_rule_with_a_key_that_no_generation_has_is_an_error() -> None:
    made = GENERATIONS["3.0"]
    wrong = replace(made.files[0], read_rule="PIN | RK9DF09")
    layout = build_layout("3.0")
    with pytest.raises(KeyError):
        type(layout)("3.0", layout.dfs, layout.keys, [wrong], origin=(build_layout, ("3.0",)))
