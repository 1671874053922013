"""iDoDebit, its HSM steps and iReadDebitRecord (driver-api.md §3 and §4)."""

from __future__ import annotations

import pytest

import kit
from kit.counter import ALL, CARD, PAY, Counter, foreign_keys, ok, psam_of, varied
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys, find_place

AMOUNTS = "000004D200000230"
"""12.34 and 5.60 in fen, four bytes each."""
DPK, DTK = (builtin_keys().address_of(name) for name in ("DPK", "DTK"))


@pytest.fixture(params=[(name, contact) for name in ALL for contact in (True, False)], ids=str)
def counter(request: pytest.FixtureRequest) -> Counter:
    name, contact = request.param
    made = Counter(name, contact=contact, psam=psam_of("national"))
    made.pad.script("123456")
    return made


def pay_by_hsm(counter: Counter) -> str:
    counter.pad.script("123456")
    asked = ok(counter.driver.iDoDebit_HSM_Step1(counter.type, CARD, PAY))
    return ok(counter.driver.iDoDebit_HSM_Step2(counter.host.purchase(counter.basic, asked)))


def test_a_purchase_with_the_psam(counter: Counter) -> None:
    receipt = ok(counter.driver.iDoDebit(counter.type, CARD, PAY))
    assert counter.pad.prompts == ["请输入密码"]
    *told, tac, rest = receipt.split("|")
    assert told == [counter.algorithm, DTK, AMOUNTS, "02", "510100000001", "00000001", "20260105093000"]
    assert (len(tac), rest) == (8, "")
    assert counter.host.settle(counter.basic, receipt)
    assert not counter.chip.snapshot().powered


def test_a_purchase_by_the_hsm_steps_field_by_field(counter: Counter) -> None:
    asked = ok(counter.driver.iDoDebit_HSM_Step1(counter.type, CARD, PAY))
    algorithm, address, random, purchase, amounts, kind, terminal, time, rest = asked.split("|")
    assert (algorithm, address, amounts, kind) == (counter.algorithm, DPK, AMOUNTS, "02")
    assert (terminal, time, rest) == ("510100000001", "20260105093000", "")
    assert (len(random), purchase) == (8, "0000")
    key = counter.host.purchase(counter.basic, asked)
    sequence, told_time, mac1, rest = key.split("|")
    assert (sequence, told_time, len(mac1), rest) == ("00000001", "20260105093000", 8, "")
    receipt = ok(counter.driver.iDoDebit_HSM_Step2(key))
    mac2, *told, tac, rest = receipt.split("|")
    assert (len(mac2), len(tac), rest) == (8, 8, "")
    assert told == [counter.algorithm, DTK, AMOUNTS, "02", "510100000001", "00000001", "20260105093000"]
    assert counter.host.settle(counter.basic, receipt)


def test_a_purchase_without_psam_knows_no_terminal(counter: Counter) -> None:
    bare = Counter(counter.personality)
    assert pay_by_hsm(bare).split("|")[5] == "000000000000"


def test_the_records_of_purchases_newest_first(counter: Counter) -> None:
    assert counter.driver.iReadDebitRecord(counter.type) == (0, "")
    for _ in range(2):
        pay_by_hsm(counter)
    counter.pad.script("123456")
    assert ok(counter.driver.iReadDebitRecord(counter.type)) == (
        "0001^510100000001^20260105093000^12.34^5.60^|0000^510100000001^20260105093000^12.34^5.60^|"
    )
    assert counter.pad.prompts == ["请输入密码"]


def test_thirty_records_fit_into_the_callers_buffer() -> None:
    counter = Counter()
    for _ in range(31):
        pay_by_hsm(counter)
    counter.pad.script("123456")
    assert ok(counter.driver.iReadDebitRecord(1)).count("|") == 30


def test_the_ascii_type_of_some_cards(counter: Counter) -> None:
    ascii_card = Counter(varied(counter.personality.name, transaction_type_ascii=True), purchase_type=0x32)
    assert pay_by_hsm(ascii_card).split("|")[4] == "32"
    ascii_card.pad.script("123456")
    assert ok(ascii_card.driver.iReadDebitRecord(1)).count("|") == 1


def test_an_hsm_with_another_dpk_takes_nothing(counter: Counter) -> None:
    counter.host = CardHolderBase(SoftHsm(foreign_keys("DPK")))
    asked = ok(counter.driver.iDoDebit_HSM_Step1(counter.type, CARD, PAY))
    assert counter.driver.iDoDebit_HSM_Step2(counter.host.purchase(counter.basic, asked))[0] == -37634
    counter.pad.script("123456")
    assert counter.driver.iReadDebitRecord(counter.type) == (0, "")


def test_a_settlement_with_another_dtk_fails(counter: Counter) -> None:
    receipt = pay_by_hsm(counter)
    foreign = CardHolderBase(SoftHsm(foreign_keys("DTK")))
    assert not foreign.settle(counter.basic, receipt)


@pytest.mark.parametrize(
    ("pay", "code"),
    [
        ("", -14),
        ("12.34|5.60|20260105093000", -14),
        ("12.3|5.60|20260105093000|", -41),
        ("12,34|5.60|20260105093000|", -41),
        ("-1.00|5.60|20260105093000|", -41),
        ("42949672.95|5.60|20260105093000|", -23),
        ("42949672.94|0.00|20260105093000|", 0),
        ("12.34|5.60|20261305093000|", -23),
        ("12.34|5.60|2026010509300|", -42),
        ("12.34|5.60|2026-01-05 09|", -23),
        ("1" * 513, -42),
    ],
)
def test_pay_info_is_checked(counter: Counter, pay: str, code: int) -> None:
    assert counter.driver.iDoDebit_HSM_Step1(counter.type, CARD, pay)[0] == code


def test_what_the_host_sends_is_checked(counter: Counter) -> None:
    for key, code in (
        ("", -42),
        ("0" * 33, -14),
        ("1|20260105093000|00000000|", -42),
        ("0000000x|20260105093000|00000000|", -41),
        ("00000001|20260199093000|00000000|", -23),
        ("0" * 129, -42),
    ):
        counter.pad.script("123456")
        ok(counter.driver.iDoDebit_HSM_Step1(counter.type, CARD, PAY))
        assert counter.driver.iDoDebit_HSM_Step2(key)[0] == code


def test_an_unknown_purchase_key(counter: Counter) -> None:
    made = Counter(counter.personality, psam=psam_of(), purchase_key=4)
    made.pad.script("123456")
    assert made.driver.iDoDebit(1, CARD, PAY)[0] == -37891
    assert made.driver.iDoDebit_HSM_Step1(1, CARD, PAY)[0] == -27272, "the map of the installation has no such key"


@pytest.mark.parametrize(
    ("place", "pin", "debit", "query"),
    [
        ("tries-3", "123456", -35, -35),
        ("tries-8", "150009", -35, 0),
        ("tries-6", "123456", 0, 0),
        ("tries-10", "000000", 0, 0),
    ],
)
def test_what_a_place_forbids_of_the_initial_pin(place: str, pin: str, debit: int, query: int) -> None:
    """open-choices.md §3: nothing until it is changed, or queries only, or all."""
    counter = Counter("v2-3des", pin=pin, psam=psam_of(), place=find_place(place))
    counter.pad.script(*[pin] * 5)
    assert counter.driver.iDoDebit(1, CARD, PAY)[0] == debit
    assert counter.driver.iDoDebit_HSM_Step1(1, CARD, PAY)[0] == debit
    assert counter.driver.iReadDebitRecord(1)[0] == query
    assert counter.driver.iReadCard(1, 1, CARD, "DF01EF05|0E|$")[0] == query
    assert counter.driver.iVerifyPIN(1) == (0, "")


def test_a_card_without_pin_pays_without_being_asked() -> None:
    counter = Counter("v2-3des", pin="", psam=psam_of())
    ok(counter.driver.iDoDebit(1, CARD, PAY))
    assert counter.pad.prompts == []


def test_a_wrong_pin_buys_nothing(counter: Counter) -> None:
    counter.pad.script("000000")
    assert counter.driver.iDoDebit(counter.type, CARD, PAY)[0] == -51
    assert counter.has_pin(kit.PIN)
    assert "INITIALIZE FOR PURCHASE" not in counter.sent()
