"""Framing: the same messages whatever the network does to the bytes."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sscard.transport.vpcd_wire import FrameReader, WireError, frame

MESSAGES = [b"\x01", b"\x04", bytes.fromhex("0084000008"), bytes(range(256)), b"\x00"]
STREAM = b"".join(frame(message) for message in MESSAGES)


def test_a_frame_is_a_big_endian_length_and_the_payload() -> None:
    assert frame(b"\x90\x00") == b"\x00\x02\x90\x00"
    assert frame(bytes(0x0102))[:2] == b"\x01\x02"
    assert len(frame(bytes(0xFFFF))) == 0x10001


@pytest.mark.parametrize("length", [0, 0x10000])
def test_what_no_frame_can_carry_is_never_sent(length: int) -> None:
    with pytest.raises(ValueError, match="frame"):
        frame(bytes(length))


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_a_stream_cut_at_any_byte_gives_the_same_messages(cut: int) -> None:
    reader = FrameReader()
    assert [*reader.feed(STREAM[:cut]), *reader.feed(STREAM[cut:])] == MESSAGES
    reader.finish()


def test_a_stream_of_single_bytes_gives_the_same_messages() -> None:
    reader = FrameReader()
    assert [message for byte in STREAM for message in reader.feed(bytes((byte,)))] == MESSAGES


def test_coalesced_controls_are_told_apart() -> None:
    assert list(FrameReader().feed(bytes.fromhex("000101000104"))) == [b"\x01", b"\x04"]


@given(st.lists(st.binary(min_size=1, max_size=300)), st.lists(st.integers(0, 2000)))
def test_any_messages_survive_any_cuts(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(map(frame, messages))
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    reader = FrameReader()
    found = [message for start, end in pairwise(edges) for message in reader.feed(stream[start:end])]
    assert found == messages
    reader.finish()


@pytest.mark.parametrize("torn", ["00", "0005", "000500840000"])
def test_a_peer_that_closes_in_mid_frame_is_noticed(torn: str) -> None:
    reader = FrameReader()
    assert list(reader.feed(bytes.fromhex(torn))) == []
    with pytest.raises(WireError, match="mid-frame"):
        reader.finish()


def test_a_frame_of_no_bytes_is_refused() -> None:
    with pytest.raises(WireError, match="0 bytes"):
        list(FrameReader().feed(b"\x00\x00"))


def test_a_frame_that_is_too_long_is_refused_before_its_bytes_come() -> None:
    reader = FrameReader(longest=261)
    assert list(reader.feed(frame(bytes(261)))) == [bytes(261)]
    with pytest.raises(WireError, match="262 bytes"):
        list(reader.feed(b"\x01\x06"))


def test_the_messages_before_a_bad_frame_come_out_first() -> None:
    """Found by sscard prove fuzz: they came out only if they arrived in another piece."""
    messages = FrameReader().feed(bytes.fromhex("000101 0000"))
    assert next(messages) == b"\x01"
    with pytest.raises(WireError, match="0 bytes"):
        next(messages)
