"""Commands, answers and status words (card-commands.md §0)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.standard.apdu import SW, Answer, command, split, status_words, tries_in

WORDS_OF_THE_SHEET = [
    *(0x9000, 0x6581, 0x6700, 0x6901, 0x6981, 0x6982, 0x6983, 0x6984, 0x6985, 0x6986, 0x6987, 0x6988),
    *(0x6A80, 0x6A81, 0x6A82, 0x6A83, 0x6A84, 0x6A85, 0x6A86, 0x6A88, 0x6B00, 0x6D00, 0x6E00, 0x6F00),
    *(0x9302, 0x9303, 0x9401, 0x9402, 0x9403, 0x9406),
]


@pytest.mark.parametrize(
    ("built", "expected"),
    [
        (command(0x00, 0x84, 0x00, 0x00, le=8), "0084000008"),
        (command(0x00, 0x20, 0x00, 0x00, le=0), "0020000000"),
        (command(0x00, 0x20, 0x00, 0x00), "00200000"),
        (command(0x00, 0x20, 0x00, 0x00, bytes.fromhex("123456")), "0020000003123456"),
        (command(0x80, 0x5E, 0x01, 0x00, bytes.fromhex("123456FF654321")), "805E010007123456FF654321"),
        (command(0x00, 0xA4, 0x00, 0x00, b"\x3f\x00", 0), "00A40000023F0000"),
    ],
)
def test_command(built: bytes, expected: str) -> None:
    assert built == bytes.fromhex(expected)


@given(st.binary(max_size=255), st.none() | st.integers(0, 255))
def test_command_has_the_shape_of_its_case(data: bytes, le: int | None) -> None:
    built = command(0x84, 0x24, 0x00, 0x01, data, le)
    rest = built[4:]
    if data:
        assert rest[0] == len(data)
        assert rest[1 : 1 + len(data)] == data
        rest = rest[1 + len(data) :]
    assert rest == (b"" if le is None else bytes((le,)))


@given(st.binary(max_size=256), st.integers(0, 0xFFFF))
def test_an_answer_is_data_and_status_word(data: bytes, sw: int) -> None:
    assert split(data + sw.to_bytes(2, "big")) == Answer(data, sw)


@pytest.mark.parametrize("answer", [b"", b"\x90"])
def test_an_answer_without_status_word_is_refused(answer: bytes) -> None:
    with pytest.raises(ValueError, match="at least 2 bytes"):
        split(answer)


@given(st.integers(0, 0xFFFF))
def test_tries_stand_in_63cx_only(sw: int) -> None:
    expected = int(f"{sw:04X}"[3], 16) if re.fullmatch("63C[0-9A-F]", f"{sw:04X}") else None
    assert tries_in(sw) == expected


@pytest.mark.parametrize(("sw", "tries"), [(0x63C0, 0), (0x63C3, 3), (0x63CF, 15), (0x6300, None), (0x6303, None)])
def test_tries_in_63cx_are_its_last_nibble(sw: int, tries: int | None) -> None:
    """The bugs of other readers: 630X taken for 63CX, a count read one byte off."""
    assert tries_in(sw) == tries


@pytest.mark.parametrize("sw", WORDS_OF_THE_SHEET)
def test_every_word_of_the_sheet_has_a_name_and_both_texts(sw: int) -> None:
    assert SW(sw) == sw
    words, unknown = status_words(sw), status_words(0x1234)
    assert words.english != unknown.english
    assert words.chinese != unknown.chinese
    assert re.search("[一-鿿]", words.chinese)


@given(st.integers(0, 0xFFFF))
def test_any_word_has_both_texts(sw: int) -> None:
    assert all(status_words(sw))


@pytest.mark.parametrize(
    ("sw", "part"),
    [
        (0x63C4, "4 tries left"),
        (0x63C1, "1 try left"),
        (0x6101, "1 byte waiting"),
        (0x6119, "25 bytes"),
        (0x6C0B, "11 is right"),
        (0x6C00, "256 is right"),
        (0x6282, "fewer bytes than Le"),
        (0x6983, "blocked"),
    ],
)
def test_text_says_the_number_in_the_word(sw: int, part: str) -> None:
    assert part in status_words(sw).english
