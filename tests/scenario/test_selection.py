"""-k picks by words of name, file, tags and personality."""

from __future__ import annotations

from pathlib import Path

import pytest

from sscard.errors import InputError
from sscard.scenario import find_scenarios
from sscard.scenario.selection import select

FILE = (
    "name: A blocked PIN\nproves: b\ntags: verify counter\ncard: {personality: [v3-sm4, v2-3des]}\nsteps:\n  - reset:\n"
)


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("blocked", 2),
        ("BLOCKED and counter", 2),
        ("v2-3des", 1),
        ("not v2-3des", 1),
        ("unblock or verify", 2),
        ("(unblock or verify) and sm4", 1),
        ("not (unblock or verify)", 0),
        ("not not verify", 2),
        ("unblock", 0),
    ],
)
def test_selects(read, expression, found):
    assert len(select(read(FILE), expression)) == found


def test_a_word_may_be_of_either_name(read):
    [scenario] = read("name: {en: Right PIN, zh: 正确的PIN}\nproves: b\nsteps:\n  - reset:\n")
    assert all(select([scenario], word) == [scenario] for word in ("正确的", "right and pin"))


@pytest.mark.parametrize(
    "expression", ["and", "a and", "a or or b", "(a", "a)", "a b", "not", "()", "(" * 5000, "not " * 5000 + "a"]
)
def test_refuses_an_expression_it_cannot_read(read, expression):
    with pytest.raises(InputError, match="-k"):
        select(read(FILE), expression)


def test_a_path_that_is_too_long_is_unusable_input() -> None:
    with pytest.raises(InputError, match="File name too long"):
        find_scenarios([Path("a" * 5000)])
