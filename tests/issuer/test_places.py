"""Place policies: what a file says, and the one rule for new PINs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kit import HOLDER
from sscard.i18n.language import say
from sscard.issuer import Place, find_place, issue_card, preset
from sscard.issuer.formats import errors_in_place
from sscard.issuer.places import NO_ID_NUMBER, PRESETS, place_of

ID_NUMBER = HOLDER.id_number
"""Ends with 150009; born 1985-03-15."""
ENDS_WITH_X = "11010519491231002X"


@pytest.mark.parametrize(
    ("fields", "new", "refused"),
    [
        ({}, "123456", ""),
        ({"initial_pin_use": "off"}, "123456", ""),
        ({"initial_pin_use": "must change"}, "123456", "the initial PIN"),
        ({"initial_pin_use": "must change"}, "1234567", ""),
        ({"initial_pin_use": "query only"}, "123456", "the initial PIN"),
        ({"initial_pin": "last 6 of ID", "initial_pin_use": "query only"}, "150009", "the initial PIN"),
        ({"initial_pin": "last 6 of ID", "initial_pin_use": "off"}, "150009", ""),
        ({"initial_pin": "birth date", "initial_pin_use": "must change"}, "850315", "the initial PIN"),
        ({"forbidden_pins": ["000000", "1234"]}, "1234", "easy to guess"),
        ({"forbidden_pins": ["000000", "1234"]}, "123", ""),
        ({"forbidden_pins": ["last 6 of ID"]}, "150009", "the last six digits of the ID number"),
        ({"forbidden_pins": ["birth date"]}, "850315", "the birth date"),
        ({"forbidden_pins": ["birth date"]}, "850316", ""),
        ({"initial_pin": "none"}, "123456", ""),
        ({"forbidden_pins": ["123456"], "initial_pin_use": "must change"}, "123456", "the initial PIN"),
    ],
)
def test_one_rule_decides_on_a_new_pin(fields: dict[str, Any], new: str, refused: str) -> None:
    found = say(place_of({"name": "here", **fields}).refusal(new, ID_NUMBER) or "")
    assert refused in found
    assert bool(found) is bool(refused)
    assert new not in found
    assert not found or found.endswith("choose another PIN")


def test_an_x_at_the_end_of_an_id_number_counts_as_0() -> None:
    assert (
        place_of({"name": "here", "forbidden_pins": ["last 6 of ID"]}).refusal("310020"[1:] + "0", ENDS_WITH_X) is None
    )
    assert place_of({"name": "here", "forbidden_pins": ["last 6 of ID"]}).refusal("310020", ENDS_WITH_X) is not None


@pytest.mark.parametrize("number", ["", "E12345678", "410402198503150000"])
@pytest.mark.parametrize(
    "fields",
    [{"forbidden_pins": ["birth date"]}, {"initial_pin": "last 6 of ID", "initial_pin_use": "must change"}],
)
def test_without_a_valid_id_number_no_rule_that_needs_it_is_passed_over(number: str, fields: dict[str, Any]) -> None:
    place = place_of({"name": "here", **fields})
    assert place.rules_depend_on_id
    assert place.refusal("864209", number) == NO_ID_NUMBER


@pytest.mark.parametrize("name", ["tries-3", "tries-6", "tries-10", "no-initial-pin", "unblocks-10"])
def test_a_place_whose_rules_do_not_need_the_id_number_decides_without_it(name: str) -> None:
    place = find_place(name)
    assert not place.rules_depend_on_id
    assert place.refusal("864209") is None


def test_a_place_sets_the_limit_of_unblocks_or_leaves_that_of_the_card() -> None:
    product = replace(preset("v3-sm4"), unlock_limit=7)
    limits = [place_of({"name": "here", **more}).over(product).unlock_limit for more in ({}, {"max_unblocks": "0"})]
    assert limits == [7, 0]
    assert find_place("unblocks-10").over(product).unlock_limit == 10


@pytest.mark.parametrize("initial", ["none", ""])
def test_a_card_of_a_place_without_initial_pins_has_no_pin(initial: str) -> None:
    card = issue_card(place=place_of({"name": "here", "initial_pin": initial}), seed=1)
    assert not card.snapshot().pin_set


def test_every_error_of_a_file_is_reported_at_its_line(tmp_path: Path) -> None:
    path = tmp_path / "place.yaml"
    path.write_text(
        "pin_tries: 77\nfoo: 1\nforbidden_pins:\n  - 123456\n  - 12\n  - easter\ninitial_pin: none\n"
        "initial_pin_use: off\nmax_unblocks: many\n",
        encoding="utf-8",
    )
    found = [(error.line, say(error.problem)) for error in errors_in_place(path)]
    assert [(line, text.partition(":")[0]) for line, text in found] == [
        (1, "field 'name' is missing"),
        (1, "pin_tries"),
        (2, "unknown field 'foo'"),
        (5, "forbidden_pins, entry 2"),
        (6, "forbidden_pins, entry 3"),
        (8, "initial_pin_use"),
        (9, "max_unblocks"),
    ]
    assert all(error.remedy for error in errors_in_place(path))


@pytest.mark.parametrize("text", ["- 1\n", "name: [\n", ""])
def test_a_file_that_is_no_place_policy_has_one_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "place.yaml"
    path.write_text(text, encoding="utf-8")
    assert len(errors_in_place(path)) == 1


def test_a_file_written_before_these_fields_has_no_new_rule(tmp_path: Path) -> None:
    path = tmp_path / "place.yaml"
    path.write_text("name: old\npin_tries: 3\ninitial_pin: birth date\ninitial_pin_use: free\n", encoding="utf-8")
    place = find_place(str(path))
    assert (place.forbidden_pins, place.max_unblocks) == ((), None)
    assert place.refusal("850315", ID_NUMBER) is None


def test_presets_are_hashable_and_named_by_their_key() -> None:
    assert {place.name for place in set(PRESETS.values())} == set(PRESETS)
    assert isinstance(hash(Place(name="here", forbidden_pins=["1234"])), int)  # type: ignore[arg-type]
