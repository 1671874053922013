"""The card-holder base: pKey strings out of step strings, and what it refuses."""

from __future__ import annotations

import pytest

from kit.counter import ALL, Counter
from sscard.driver.fields import join
from sscard.driver.hoststrings import CardHolderBase, HostError
from sscard.hsm import HsmError, SoftHsm
from sscard.issuer import CardReference, builtin_keys
from sscard.standard.cipher import SUITES

BASIC = "510100|||||1234A1B2C38649510100000001||||||"


@pytest.fixture
def host() -> CardHolderBase:
    return CardHolderBase(SoftHsm(builtin_keys()))


@pytest.mark.parametrize("personality", ALL)
def test_the_purchase_keys_are_the_cards_own(personality: str) -> None:
    """MAC1 and TAC as the card computes them: card-commands.md §3.3, checked by the card in test_driver_debit."""
    counter = Counter(personality)
    asked = f"{counter.algorithm}|1052|A1A2A3A4|0007|000003E800000064|02|510100000001|20250101123000|"
    answers = {counter.host.purchase(BASIC, asked) for _ in range(2)}
    assert {answer[:8] for answer in answers} == {"00000001", "00000002"}


CODE = "510100D15600000500000001A1B2C3D4"
HISTORICAL = "1234A1B2C38649510100000001"
CARD = CardReference("510100", bytes.fromhex("8649510100000001"))
RANDOMS = ("1122334455667788", "8877665544332211", "0102030405060708", "0807060504030201")


def proof(algorithm: int, key: str, factor: str, original: str) -> str:
    """Authentication data and original data as the suite computes them with the card's key."""
    suite = SUITES[algorithm]
    card_key = suite.key(builtin_keys().card_key(suite, key, 0, CARD))
    return (suite.authenticate(card_key, bytes.fromhex(factor), bytes.fromhex(original)).hex() + original).upper()


@pytest.mark.parametrize("serial", ["", "DEV00001|", "|"])
@pytest.mark.parametrize(
    ("algorithm", "randoms", "keys"),
    [
        ("03", RANDOMS, ("IRK", "RKSSSE")),
        ("03", (*RANDOMS[:2], "", ""), ("IRK", "")),
        ("03", ("", "", *RANDOMS[2:]), ("", "RKSSSE")),
        ("01", (*RANDOMS[:2], "", ""), ("IRK", "")),
        ("01", ("", "", "", ""), ("", "")),
        ("02", ("", "", "", ""), ("", "")),
        ("03", ("11223344" * 4, RANDOMS[1], "", ""), ("IRK", "")),
        ("01", ("aabbccdd", RANDOMS[1], "", ""), ("IRK", "")),
    ],
)
def test_a_card_is_checked_with_the_fields_that_callers_send(
    host: CardHolderBase, algorithm: str, randoms: tuple[str, ...], keys: tuple[str, str], serial: str
) -> None:
    """Drivers leave fields 5 to 8 of a 2.0 card empty, and add the device serial (driver-api.md §4)."""
    asked = join("510100", HISTORICAL, algorithm, CODE, *randoms) + serial
    expected = [
        proof(int(algorithm), key, randoms[at], randoms[at + 1]) if key else ""
        for key, at in zip(keys, (0, 2), strict=True)
    ]
    assert host.check_card(asked) == join(*expected)


GOOD = {
    "check_card": join("510100", HISTORICAL, "03", CODE, *RANDOMS, "DEV00001"),
    "authenticate": "03|1009|1122334455667788|0102030405060708|",
    "safe_message": "03|1004|1122334455667788|8424000114|123456|",
    "purchase": "03|1052|A1A2A3A4|0007|000003E800000064|02|510100000001|20250101123000|",
    "settle": "03|104F|000003E800000064|02|510100000001|00000001|20250101123000|11223344|",
}


def ask(host: CardHolderBase, service: str, asked: str, basic: str = BASIC) -> object:
    return getattr(host, service)(*((asked,) if service == "check_card" else (basic, asked)))


@pytest.mark.parametrize("service", GOOD)
def test_the_strings_of_the_sheet_are_understood(host: CardHolderBase, service: str) -> None:
    ask(host, service, GOOD[service])
    ask(host, service, GOOD[service].replace("1009", "1009".lower()))


@pytest.mark.parametrize(
    ("service", "number", "given", "says"),
    [
        ("check_card", 1, "51010x", "field 1 (district): 6 digits expected"),
        ("check_card", 1, "", "field 1 (district): 6 digits expected"),
        ("check_card", 2, "1234", "field 2 (ATR historical bytes): 26 hex digits expected"),
        ("check_card", 3, "", "field 3 (algorithm): 01, 02 or 03 expected"),
        ("check_card", 3, "SM4", "field 3 (algorithm): 01, 02 or 03 expected"),
        ("check_card", 4, "", "field 4 (identification code): 32 hex digits expected"),
        ("check_card", 5, "11", "field 5 (process factor): 8 or 16 or 32 hex digits, or an empty field expected"),
        ("check_card", 5, "", "field 5 (process factor): 8 or 16 or 32 hex digits expected"),
        ("check_card", 7, "", "field 7 (process factor): 8 or 16 or 32 hex digits expected"),
        ("check_card", 9, "D\t1", "field 9 (device serial): up to 128 characters expected"),
        ("check_card", 9, "D" * 129, "field 9 (device serial): up to 128 characters expected"),
        ("check_card", 6, "", "field 6 (original data): 16 hex digits expected"),
        ("check_card", 6, "112233445566778x", "field 6 (original data): 16 hex digits, or an empty field expected"),
        ("check_card", 8, "", "field 8 (original data): 16 hex digits expected"),
        ("authenticate", 1, "04", "field 1 (algorithm): 01, 02 or 03 expected"),
        ("authenticate", 2, "109", "field 2 (key address): 4 hex digits expected"),
        ("authenticate", 3, "", "field 3 (process factor): 8 or 16 or 32 hex digits expected"),
        ("authenticate", 4, "11223344556677xx", "field 4 (original data): 16 hex digits expected"),
        ("safe_message", 4, "84240001", "field 4 (command header): 10 hex digits expected"),
        ("safe_message", 5, "12", "field 5 (new PIN): 4 to 16 digits padded with F, or an empty field expected"),
        ("safe_message", 5, "ABCDEF", "field 5 (new PIN): 4 to 16 digits padded with F, or an empty field expected"),
        ("safe_message", 5, "4815162", "field 5 (new PIN): 4 to 16 digits padded with F, or an empty field expected"),
        ("purchase", 3, "A1A2A3", "field 3 (random of the card): 8 hex digits expected"),
        ("purchase", 4, "7", "field 4 (purchase sequence): 4 hex digits expected"),
        ("purchase", 5, "1000", "field 5 (amounts): 16 hex digits expected"),
        ("purchase", 6, "2", "field 6 (transaction type): 2 hex digits expected"),
        ("purchase", 7, "1", "field 7 (terminal number): 12 digits expected"),
        ("purchase", 8, "20250101", "field 8 (time): 14 digits expected"),
        ("settle", 6, "1", "field 6 (terminal sequence): 8 hex digits expected"),
        ("settle", 8, "", "field 8 (TAC): 8 hex digits expected"),
    ],
)
def test_a_field_of_another_shape_is_named_and_not_repeated(
    host: CardHolderBase, service: str, number: int, given: str, says: str
) -> None:
    fields = GOOD[service].split("|")
    fields[number - 1] = given
    with pytest.raises(HostError) as refused:
        ask(host, service, "|".join(fields))
    assert str(refused.value) == f"asked: {says}"


def test_a_des_card_has_no_factor_of_16_bytes(host: CardHolderBase) -> None:
    for service, number in (("check_card", 5), ("authenticate", 3), ("safe_message", 3)):
        fields = GOOD[service].replace("|03|", "|01|").split("|")
        fields[0] = fields[0].replace("03", "01")
        fields[number - 1] = "11" * 16
        with pytest.raises(HostError, match=rf"field {number} \(process factor\): 8 or 16 hex digits expected"):
            ask(host, service, "|".join(fields))


@pytest.mark.parametrize(
    ("service", "asked", "says"),
    [
        ("authenticate", "", "4 fields expected, each ended by a bar, got 0"),
        ("authenticate", GOOD["authenticate"][:-1], "4 fields expected, each ended by a bar, got 3"),
        ("authenticate", GOOD["authenticate"] + "|", "4 fields expected, each ended by a bar, got 5"),
        ("check_card", GOOD["check_card"] + "more|", "8 or 9 fields expected, each ended by a bar, got 10"),
        ("check_card", join("510100", HISTORICAL, "03"), "8 or 9 fields expected, each ended by a bar, got 3"),
        ("purchase", "03|1052|A1A2A3A4|0007|", "8 fields expected, each ended by a bar, got 4"),
        ("settle", "03|104F|", "8 fields expected, each ended by a bar, got 2"),
        ("settle", "1|" + GOOD["settle"], "field 1 (MAC2): 8 hex digits expected"),
    ],
)
def test_another_number_of_fields_is_said(host: CardHolderBase, service: str, asked: str, says: str) -> None:
    with pytest.raises(HostError) as refused:
        ask(host, service, asked)
    assert str(refused.value) == f"asked: {says}"


@pytest.mark.parametrize(
    ("basic", "says"),
    [
        ("", "field 1 (district): 6 digits expected"),
        ("510100|", "field 6 (ATR historical bytes): 26 hex digits expected"),
        (BASIC.replace("1234A1", "1234Ax"), "field 6 (ATR historical bytes): 26 hex digits expected"),
        (BASIC.replace("510100|", "51010|"), "field 1 (district): 6 digits expected"),
    ],
)
@pytest.mark.parametrize("service", [name for name in GOOD if name != "check_card"])
def test_basic_data_are_needed(host: CardHolderBase, service: str, basic: str, says: str) -> None:
    with pytest.raises(HostError) as refused:
        ask(host, service, GOOD[service], basic)
    assert str(refused.value) == f"basic: {says}"


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
