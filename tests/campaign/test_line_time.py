"""How long bytes take between terminal and card, against sums by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sscard.campaign.line_time import ContactlessLine, ContactLine, interface_bytes
from sscard.standard.atr import contact_atr

ETU = 93_000
"""Nanoseconds: 372 cycles of 4 MHz."""
LINE = ContactLine(clock=4_000_000, turn=16, reset=40_000, answer=40_000)
AIR = ContactlessLine(carrier=13_560_000, delay=1172, field=5_000_000)


@pytest.mark.parametrize(
    ("sent", "received", "etu"),
    [
        (12, 2, (12 + 1 + 2) * 12 + 4 * 4),  # header, procedure byte, data, status word
        (5, 20, (5 + 1 + 20) * 12 + 2 * 4),  # header, procedure byte, data and status word
        (5, 2, (5 + 2) * 12 + 2 * 4),  # no data, so no procedure byte
        (4, 2, (5 + 2) * 12 + 2 * 4),  # a header of four bytes is sent with P3
    ],
)
def test_t0_takes_header_procedure_byte_data_and_status(sent: int, received: int, etu: int) -> None:
    assert LINE.exchange(sent, received) == etu * ETU


def test_extra_guard_time_of_tc1_counts_for_the_terminals_characters_only() -> None:
    assert replace(LINE, guard=5).exchange(5, 20) - LINE.exchange(5, 20) == 5 * 5 * ETU


def test_tc1_of_255_means_no_extra_guard_time_with_t0_and_11_etu_with_t1() -> None:
    assert replace(LINE, guard=255).exchange(12, 2) == LINE.exchange(12, 2)
    t1 = replace(LINE, protocol=1)
    assert t1.exchange(12, 2) - replace(t1, guard=255).exchange(12, 2) == (12 + 4 + 2 + 4) * ETU


def test_t1_puts_prologue_and_lrc_around_each_block_and_acknowledges_those_of_a_chain() -> None:
    t1 = replace(LINE, protocol=1, block=32)
    assert t1.exchange(12, 2) == ((12 + 4 + 2 + 4) * 12 + 2 * 10) * ETU
    # 40 bytes in two blocks: the card acknowledges the first with a block of four bytes.
    assert t1.exchange(40, 2) == ((40 + 2 * 4 + 2 + 2 * 4) * 12 + 4 * 10) * ETU


def test_the_atr_of_these_cards_changes_nothing() -> None:
    assert LINE.at(contact_atr(bytes(13))) == LINE


def test_the_atr_states_rate_guard_time_and_protocol() -> None:
    # T0=F0: TA1 TB1 TC1 TD1; TA1=95 (F 512, D 16), TC1=0A, TD1=81: T=1, TD2=31: TA3=FE, TB3.
    atr = bytes.fromhex("3bf095000a8131fe45") + b"\x00"
    line = LINE.at(atr)
    assert (line.f, line.d, line.guard, line.protocol, line.block, line.pps) == (512, 16, 10, 1, 254, True)
    assert interface_bytes(atr) == {
        "TA1": 0x95,
        "TB1": 0,
        "TC1": 10,
        "TD1": 0x81,
        "TD2": 0x31,
        "TA3": 0xFE,
        "TB3": 0x45,
    }


@pytest.mark.parametrize("atr", ["3bf095000a81310045", "3b808101", "3b80", "3b"])
def test_an_atr_without_a_size_of_blocks_has_blocks_of_32_bytes(atr: str) -> None:
    line = LINE.at(bytes.fromhex(atr))
    assert line.block == 32
    assert line.exchange(40, 2) > 0


def test_a_negotiated_rate_costs_a_pps_at_the_first_rate() -> None:
    fast = LINE.at(bytes.fromhex("3b1018"))
    assert fast.exchange(5, 20) * 12 == LINE.exchange(5, 20)  # D = 12
    plain = replace(fast, pps=False)
    assert fast.power_on() - plain.power_on() == 2 * (4 * 12 + 4) * ETU


def test_a_reserved_rate_counts_as_the_default() -> None:
    line = LINE.at(bytes.fromhex("3b107a"))
    assert (line.f, line.d) == (372, 1)


def test_a_truncated_atr_is_read_as_far_as_it_goes() -> None:
    assert interface_bytes(b"\x3b") == {}
    assert interface_bytes(bytes.fromhex("3bf011")) == {"TA1": 0x11}


def test_t0_does_not_send_le_after_data_and_the_air_does() -> None:
    command = bytes.fromhex("00a4020002ef0500")
    assert LINE.length(command) == 7
    assert replace(LINE, protocol=1).length(command) == AIR.length(command) == 8


def test_the_reset_takes_its_cycles_and_the_characters_of_the_atr() -> None:
    assert LINE.power_on() == (80_000 + 17 * 12 * 372) * 250


def test_the_air_takes_nine_bits_a_byte_and_a_delay_each_way() -> None:
    bits = (12 + 3) * 9 + 2 + (2 + 3) * 9 + 2
    assert AIR.exchange(12, 2) == (bits * 128 + 2 * 1172) * 1_000_000_000 // 13_560_000


def test_an_answer_longer_than_a_frame_comes_in_blocks_that_the_reader_acknowledges() -> None:
    # 258 bytes and 3 each in two frames of 256; the reader's acknowledgement has three bytes.
    bits = (5 + 3) * 9 + 2 + (258 + 2 * 3) * 9 + 2 * 2 + 3 * 9 + 2
    assert AIR.exchange(5, 258) == (bits * 128 + 4 * 1172) * 1_000_000_000 // 13_560_000
