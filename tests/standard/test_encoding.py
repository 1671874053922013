"""Data types of the card files: cn, an, PIN, TLV (card-files.md §4, card-security.md §1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.standard.encoding import (
    decode_an,
    decode_cn,
    decode_name,
    digits_in,
    encode_an,
    encode_cn,
    encode_pin,
    records,
    tlv,
)

digits = st.text("0123456789", max_size=16)


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("20250101", 4, "20250101"),
        ("510100", 3, "510100"),
        ("1", 1, "1F"),
        ("123", 4, "123FFFFF"),
        ("", 2, "FFFF"),
    ],
)
def test_cn_is_left_aligned_and_filled_with_f(text: str, length: int, expected: str) -> None:
    assert encode_cn(text, length) == bytes.fromhex(expected)
    assert decode_cn(bytes.fromhex(expected)) == text


@given(digits, st.integers(8, 20))
def test_cn_comes_back(text: str, length: int) -> None:
    encoded = encode_cn(text, length)
    assert len(encoded) == length
    assert decode_cn(encoded) == text


@pytest.mark.parametrize("text", ["12a4", "١٢٣", "1²", "-1", " 1", "12345"])
def test_cn_refuses_what_does_not_fit(text: str) -> None:
    with pytest.raises(ValueError, match="cn"):
        encode_cn(text, 2)


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("3.00", 4, "332E3030"),
        ("张三", 30, "D5C5C8FD" + "00" * 26),
        ("", 20, "00" * 20),
        ("A00000011", 9, "413030303030303131"),
    ],
)
def test_an_is_gb_text_filled_with_00(text: str, length: int, expected: str) -> None:
    assert encode_an(text, length) == bytes.fromhex(expected)
    assert decode_an(bytes.fromhex(expected)) == text


@given(st.text(st.characters(codec="gbk", exclude_characters="\x00"), max_size=15))
def test_an_comes_back(text: str) -> None:
    encoded = encode_an(text, 30)
    assert len(encoded) == 30
    assert decode_an(encoded) == text.rstrip(" ")


def test_blanks_that_fill_an_are_no_text() -> None:
    assert decode_an(encode_an("张三", 30, 0x20)) == "张三"


@pytest.mark.parametrize("fill", [0x00, 0x20, 0x30])
@pytest.mark.parametrize(
    "parts", [("张三", ""), ("ABCDEFGHIJKLMNO", "PQRST"), ("一二三四五六七八九十一二三四五", "六七")]
)
def test_a_name_is_read_without_its_fill(parts: tuple[str, str], fill: int) -> None:
    name, extension = parts
    assert decode_name(encode_an(name, 30, fill), encode_an(extension, 20, fill)) == name + extension


@pytest.mark.parametrize("fill", [0x00, 0x20])
@pytest.mark.parametrize("extension_fill", [0x00, 0x30])
def test_a_name_that_ends_with_0_keeps_it_unless_zeros_fill_it(fill: int, extension_fill: int) -> None:
    assert decode_name(encode_an("LI 700", 30, fill), encode_an("", 20, extension_fill)) == "LI 700"
    assert decode_name(encode_an("LI 700", 30, 0x30), encode_an("", 20, extension_fill)) == "LI 7"


def test_an_refuses_text_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        encode_an("张三丰", 4)


PINS = [
    ("1234", "1234"),
    ("12345", "12345F"),
    ("123456", "123456"),
    ("1234567", "1234567F"),
    ("12345678901234", "12345678901234"),
    ("123456789012345", "123456789012345F"),
    ("1234567890123456", "1234567890123456"),
    ("0000", "0000"),
    ("", ""),
]


@pytest.mark.parametrize(("text", "expected"), PINS)
def test_pin_is_bcd_padded_in_its_last_nibble(text: str, expected: str) -> None:
    assert encode_pin(text) == bytes.fromhex(expected)
    assert digits_in(bytes.fromhex(expected)) == len(text)


@pytest.mark.parametrize("text", ["7", "78", "789", "98765432109876543", "98a765", "９８７６５４", "98 765", "-98765"])
def test_a_pin_of_another_shape_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="a PIN has") as refused:
        encode_pin(text)
    assert text not in str(refused.value)


@given(st.text("0123456789", min_size=4, max_size=16))
def test_a_pin_takes_two_to_eight_bytes_and_says_its_digits(text: str) -> None:
    pin = encode_pin(text)
    assert 2 <= len(pin) <= 8
    assert b"\xff" not in pin
    assert digits_in(pin) == len(text)
    assert decode_cn(pin) == text


@pytest.mark.parametrize(
    ("pin", "count"),
    [
        ("123F", 3),
        ("1234", 4),
        ("12", 0),
        ("", 0),
        ("123456789012345678", 0),
        ("12FF", 0),
        ("F234", 0),
        ("12F4", 0),
        ("1A34", 0),
        ("123A", 0),
        ("FFFF", 0),
    ],
)
def test_digits_in_counts_cn_only(pin: str, count: int) -> None:
    assert digits_in(bytes.fromhex(pin)) == count


@given(st.binary(max_size=10))
def test_digits_in_agrees_with_the_rule(pin: bytes) -> None:
    nibbles = pin.hex()
    body = nibbles[:-1] if nibbles.endswith("f") else nibbles
    well_formed = 2 <= len(pin) <= 8 and set(body) <= set("0123456789")
    assert digits_in(pin) == (len(body) if well_formed else 0)


@pytest.mark.parametrize(
    ("tag", "value", "expected"),
    [
        (0x02, "33", "020133"),
        (0x84, "D15600000500", "8406D15600000500"),
        (0x9F0C, "860103", "9F0C03860103"),
        (0xA5, "", "A500"),
    ],
)
def test_tlv(tag: int, value: str, expected: str) -> None:
    assert tlv(tag, bytes.fromhex(value)) == bytes.fromhex(expected)


@given(st.lists(st.tuples(st.integers(1, 0xFE), st.binary(max_size=40)), max_size=6))
def test_records_come_back_whole(items: list[tuple[int, bytes]]) -> None:
    written = [tlv(tag, value) for tag, value in items]
    assert list(records(b"".join(written))) == written
