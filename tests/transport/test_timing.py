"""The time of a real card: what an exchange takes, and a connection that takes it."""

from __future__ import annotations

import pytest

from kit.vpcd_driver import ATR, EchoCard
from sscard.transport.timing import TimedConnection, contact_seconds, contactless_seconds

CHALLENGE, VERIFY, CASE_1 = bytes.fromhex("0084000008"), bytes.fromhex("0020000003123456"), bytes.fromhex("00200000")
OK = b"\x90\x00"


@pytest.mark.parametrize(
    ("command", "answer", "writes", "milliseconds"),
    [
        (b"", ATR, 0, 17 * 1.25),
        (CASE_1, OK, 0, (5 + 2) * 1.25),  # a header has five bytes on the line
        (CHALLENGE, OK, 0, (5 + 2) * 1.25),
        (CHALLENGE, bytes(8) + OK, 0, (5 + 1 + 8 + 2) * 1.25),
        (VERIFY, OK, 0, (5 + 1 + 3 + 2) * 1.25),
        (VERIFY, OK, 3, (5 + 1 + 3 + 2) * 1.25 + 3 * 5),
    ],
)
def test_an_exchange_on_the_contacts_takes_12_etu_per_byte_and_5_ms_per_write_point(
    command: bytes, answer: bytes, writes: int, milliseconds: float
) -> None:
    assert contact_seconds(command, answer, writes) * 1000 == pytest.approx(milliseconds, rel=1e-4)


def test_an_exchange_over_the_air_takes_9_bits_per_byte_at_106_kbit() -> None:
    byte = 9 / 105.9375  # ms
    assert contactless_seconds(VERIFY, OK, 1) * 1000 == pytest.approx((8 + 2 + 6) * byte + 5, rel=1e-4)


def test_a_timed_connection_waits_for_the_rest_of_the_time() -> None:
    waits: list[float] = []
    asked: list[tuple[bytes, bytes, int]] = []
    writes = [4]

    def seconds(command: bytes, answer: bytes, passed: int) -> float:
        asked.append((command, answer, passed))
        return 100.0

    def write(command: bytes) -> bytes:
        writes[0] += 3
        return command + OK

    card = EchoCard(write)
    timed = TimedConnection(card, seconds, lambda: writes[0], waits.append)
    assert timed.power_on() == timed.reset() == ATR
    assert timed.transmit(CHALLENGE) == CHALLENGE + OK
    timed.power_off()
    assert asked == [(b"", ATR, 0), (b"", ATR, 0), (CHALLENGE, CHALLENGE + OK, 3)]
    assert len(waits) == 3
    assert all(99 < wait <= 100 for wait in waits)
    assert card.events == ["on", "reset", CHALLENGE.hex().upper(), "off"]


def test_a_card_that_is_slower_than_its_time_is_not_delayed() -> None:
    waits: list[float] = []
    timed = TimedConnection(EchoCard(), lambda *_exchange: 0.0, lambda: 0, waits.append)
    timed.power_on()
    timed.transmit(CHALLENGE)
    assert waits == []
