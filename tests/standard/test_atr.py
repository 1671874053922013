"""ATR, ATS and UID of a card (card-files.md §2)."""

from __future__ import annotations

import pytest

from kit import card_of
from sscard.standard.atr import ats, contact_atr, contactless_atr, historical_bytes, uid

HISTORICAL = bytes.fromhex("1234A1B2C38649510100000001")


def test_the_examples_of_the_sheet() -> None:
    assert contact_atr(HISTORICAL).hex().upper() == "3B6D0000" + HISTORICAL.hex().upper()
    assert ats(HISTORICAL).hex().upper() == "127880A002" + HISTORICAL.hex().upper()
    assert contactless_atr(ats(HISTORICAL)).hex().upper() == "3B8D8001" + HISTORICAL.hex().upper() + "64"


@pytest.mark.parametrize(
    ("sent", "historical"), [("0578807002", ""), ("0200", ""), ("03004A", "4A"), ("0620A04A434F", "4A434F")]
)
def test_the_atr_holds_the_historical_bytes_of_any_ats(sent: str, historical: str) -> None:
    atr = contactless_atr(bytes.fromhex(sent))
    assert historical_bytes(atr).hex().upper() == historical
    assert atr[:4] == bytes((0x3B, 0x80 | len(historical) // 2, 0x80, 0x01))


@pytest.mark.parametrize("name", ["v1-des", "v2-3des", "v3-sm4"])
def test_a_card_sends_what_its_reader_makes_of_the_ats(name: str) -> None:
    profile = card_of(name).profile
    assert profile.atr(contact=False) == contactless_atr(ats(profile.historical))


def test_a_uid_has_4_or_7_bytes_and_none_that_is_reserved() -> None:
    assert uid(HISTORICAL, long=False).hex().upper() == "00000001"
    assert uid(HISTORICAL, long=True).hex().upper() == "34510100000001"
    for reserved in (0x08, 0x88):
        serial = HISTORICAL[:-4] + bytes((reserved, 1, 2, 3))
        assert uid(serial, long=False)[0] not in (0x08, 0x88)
        assert uid(serial, long=True)[3] not in (0x08, 0x88)
