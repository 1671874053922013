"""The card-holder base: pKey strings out of step strings, and what it refuses."""

from __future__ import annotations

import pytest

from kit.counter import ALL, Counter
from sscard.driver.hoststrings import CardHolderBase, HostError
from sscard.hsm import HsmError, SoftHsm
from sscard.issuer import builtin_keys

BASIC = "510100|||||1234A1B2C38649510100000001||||||"


@pytest.fixture
def host() -> CardHolderBase:
    return CardHolderBase(SoftHsm(builtin_keys()))


@pytest.mark.parametrize("personality", ALL)
def test_the_purchase_keys_are_the_cards_own(personality: str) -> None:
    """MAC1 and TAC as the card computes them: command sheet §3.3, checked by the card in test_driver_debit."""
    counter = Counter(personality)
    asked = f"{counter.algorithm}|1052|A1A2A3A4|0007|000003E800000064|02|510100000001|20250101123000|"
    answers = {counter.host.purchase(BASIC, asked) for _ in range(2)}
    assert {answer[:8] for answer in answers} == {"00000001", "00000002"}


@pytest.mark.parametrize(
    ("service", "asked"),
    [
        ("authenticate", ""),
        ("authenticate", "03|1009|1122334455667788|"),
        ("authenticate", "03|1009|1122334455667788|0102030405060708"),
        ("authenticate", "03|1009|11223344556677xx|0102030405060708|"),
        ("check_card", "510100|1234A1B2C38649510100000001|03||1122334455667788|0102030405060708||"),
        ("check_card", "51010x|1234A1B2C38649510100000001|03||1122334455667788|0102030405060708|||"),
        ("check_card", "510100|1234|03||1122334455667788|0102030405060708|||"),
        ("safe_message", "03|1004|1122334455667788|8424000114|12|"),
        ("safe_message", "03|1004|1122334455667788|8424000114|ABCDEF|"),
        ("purchase", "03|1052|A1A2A3A4|0007|"),
        ("settle", "03|104F|"),
    ],
)
def test_what_makes_no_sense_is_refused(host: CardHolderBase, service: str, asked: str) -> None:
    arguments = (asked,) if service == "check_card" else (BASIC, asked)
    with pytest.raises(HostError):
        getattr(host, service)(*arguments)


def test_basic_data_are_needed(host: CardHolderBase) -> None:
    with pytest.raises(HostError):
        host.authenticate("510100|", "03|1009|1122334455667788|0102030405060708|")


@pytest.mark.parametrize(
    ("service", "asked"),
    [
        ("authenticate", "03|0000|1122334455667788|0102030405060708|"),
        ("authenticate", "03|1004|1122334455667788|0102030405060708|"),
        ("authenticate", "02|1009|1122334455667788|0102030405060708|"),
        ("safe_message", "03|1009|1122334455667788|8424000114|123456|"),
        ("safe_message", "03|1004|1122334455667788|842400010C|123456|"),
        ("purchase", "03|1009|A1A2A3A4|0007|000003E800000064|02|510100000001|20250101123000|"),
        ("purchase", "02|1052|A1A2A3A4|0007|000003E800000064|02|510100000001|20250101123000|"),
    ],
)
def test_what_the_hsm_may_not_do_is_refused(host: CardHolderBase, service: str, asked: str) -> None:
    with pytest.raises(HsmError):
        getattr(host, service)(BASIC, asked)


def test_no_key_and_no_pin_in_a_refusal(host: CardHolderBase) -> None:
    with pytest.raises(HostError) as refused:
        host.safe_message(BASIC, "03|1004|1122334455667788|8424000114|4815162|")
    assert "4815162" not in str(refused.value)
    assert repr(SoftHsm(builtin_keys())) == "<SoftHsm sscard test keys>"
