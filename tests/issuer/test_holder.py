"""Holders and card numbers with check characters that are right (GB 11643; card-files.md §7)."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import ric

from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.issuer import Holder, make_holder
from sscard.issuer.holder import card_number, is_card_number, is_id_number


def check_character(body: str) -> str:
    """GB 11643: weights 2^(17−i) mod 11 over 17 digits."""
    total = sum(int(digit) * (2 ** (17 - place) % 11) for place, digit in enumerate(body))
    return "10X98765432"[total % 11]


@given(st.integers(0, 2**32))
def test_made_up_holders_have_valid_numbers(seed: int) -> None:
    holder = make_holder(Random(seed))
    number = holder.id_number
    assert len(number) == 18
    assert number[-1] == check_character(number[:17])
    assert f"{holder.birth_date:%Y%m%d}" == number[6:14]
    assert holder.birthplace == number[:6]
    assert holder.sex == ("1" if int(number[16]) % 2 else "2")
    assert 1 <= len(holder.name) <= 25


@given(st.integers(0, 2**32), st.integers(1900, 2026))
def test_districts_of_made_up_holders_are_those_of_the_table(seed: int, year: int) -> None:
    """Their years are in our code, so that the table of stdnum is not loaded for a made-up holder."""
    body = make_holder(Random(seed)).id_number[:6] + f"{year}0615001"
    assert is_id_number(body + check_character(body)) == ric.is_valid(body + check_character(body))


def test_the_same_seed_makes_the_same_holder() -> None:
    assert make_holder(Random(7)) == make_holder(Random(7))


@pytest.mark.parametrize(
    "number",
    ["", "410402198503150008", "41040219850315000", "41040219850230000X", "990402198503150009", "41040219850315000x9"],
)
def test_a_number_that_is_none_is_refused(number: str) -> None:
    with pytest.raises(InputError, match="not an identity number") as refused:
        Holder("张三", number)
    assert "GB 11643" in say(refused.value.remedy)


@pytest.mark.parametrize("name", ["a\x01b", "a\nb", "张\x7f三", "\0", "\t"])
def test_control_characters_in_a_name_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="the holder's name has control characters"):
        Holder(name, "410402198503150009")


def test_the_example_of_the_sheet_is_a_holder() -> None:
    holder = Holder("张三", "410402198503150009")
    assert (holder.sex, holder.birthplace, f"{holder.birth_date}") == ("2", "410402", "1985-03-15")


@pytest.mark.parametrize(
    ("body", "number"), [("D2143569", "D2143569X"), ("A0000001", "A00000011"), ("Z0000002", "Z00000021")]
)
def test_card_numbers_of_the_sheet(body: str, number: str) -> None:
    assert card_number(body) == number
    assert is_card_number(number)


bodies = st.from_regex("[A-Z][0-9A-Z]{7}", fullmatch=True)


@given(bodies)
def test_a_card_number_is_checked_by_the_rule(body: str) -> None:
    values = [int(char, 36) for char in body]
    remainder = sum(value * weight for value, weight in zip(values, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)) % 11
    expected = {10: "X", 11: "0"}.get(11 - remainder, str(11 - remainder))
    assert card_number(body) == body + expected
    assert is_card_number(body + expected)
    assert not any(is_card_number(body + wrong) for wrong in "0123456789X" if wrong != expected)


@pytest.mark.parametrize(
    "number", ["", "D2143569", "D2143569XX", "12143569X", "d2143569X", "D2143569x", "D21 3569X", "张2143569X"]
)
def test_other_shapes_are_no_card_numbers(number: str) -> None:
    assert not is_card_number(number)


@pytest.mark.parametrize(
    ("body", "birthplace"),
    [("81000019850315001", "810000"), ("83000019850315002", "830000"), ("91115619850315001", "")],
)
def test_people_with_a_permit_hold_cards_too(body: str, birthplace: str) -> None:
    """GB 11643's check character serves residence permits and permanent residence IDs; a wrong one is refused."""
    right = body + ric.calc_check_digit(body + "0")
    holder = Holder("陈美", right)
    assert (holder.birthplace, f"{holder.birth_date:%Y%m%d}") == (birthplace, "19850315")
    wrong = body + ("0" if right[-1] != "0" else "1")
    with pytest.raises(InputError):
        Holder("陈美", wrong)
