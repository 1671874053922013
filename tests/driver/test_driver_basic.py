"""iReadCardBas and its HSM steps, field by field as driver-api.md §3 and §4 list them."""

from __future__ import annotations

from pathlib import Path

import pytest

import kit
from kit.counter import ALL, CARD, Counter, ok, psam_of
from sscard.driver.api import DriverOptions, Readers, SSCardDriver
from sscard.driver.hoststrings import CardHolderBase
from sscard.driver.station import InternalAuth
from sscard.errors import InputError
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys
from sscard.issuer.cardfile import open_card, save_card
from sscard.terminal.pinpad import ScriptedPad
from sscard.transport.faults import FaultyConnection

VERSIONS = {"v1-des": "1.00", "v2-3des": "2.00", "v3-sm4": "3.00"}
CODE = "510100D15600000500000001A1B2C3D4"
HISTORICAL = "1234A1B2C38649510100000001"

pytestmark = pytest.mark.parametrize("contact", [True, False], ids=["contact", "contactless"])
by_personality = pytest.mark.parametrize("personality", ALL)


def basic_data(personality: str, terminal: str) -> str:
    """The example of driver-api.md §4, with the card's own version and the terminal's own number."""
    return (
        f"510100|410402198503150009|A00000011|{CODE}|张三|{HISTORICAL}"
        f"|{VERSIONS[personality]}|20250101|20350101|{terminal}||"
    )


@by_personality
def test_basic_data_by_the_psam(personality: str, contact: bool) -> None:
    counter = Counter(personality, contact=contact, psam=psam_of("national"))
    assert counter.driver.iReadCardBas(counter.type) == (0, basic_data(personality, "510100000001"))
    assert not counter.chip.snapshot().powered


@by_personality
def test_basic_data_by_the_hsm(personality: str, contact: bool) -> None:
    counter = Counter(personality, contact=contact)
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
    *told, rest = asked.split("|")
    district, historical, algorithm, code, factor, original, key_factor, key_original = told
    assert rest == ""
    assert (district, historical, algorithm, code) == ("510100", HISTORICAL, counter.algorithm, CODE)
    assert len(factor) == len(original) == 16
    expected = 16 if personality == "v3-sm4" else 0
    assert len(key_factor) == len(key_original) == expected
    assert counter.chip.snapshot().powered
    key = counter.host.check_card(asked)
    assert len(key) == (66 if expected else 34)
    out = ok(counter.driver.iReadCardBas_HSM_Step2(key))
    assert out == basic_data(personality, "000000000000")
    assert not counter.chip.snapshot().powered


@by_personality
def test_a_device_serial_is_the_ninth_field(personality: str, contact: bool) -> None:
    """Programs send it to the host as terminal code (driver-api.md §4)."""
    for serial, last in (("DEV00001", "|DEV00001|"), ("", "||")):
        counter = Counter(personality, contact=contact, device_serial=serial)
        asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
        assert asked.count("|") == 9
        assert asked.endswith(last)
        out = ok(counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked)))
        assert out == basic_data(personality, "000000000000")


@pytest.mark.parametrize("serial", ["a|b", "a\n", "x" * 129])
def test_a_device_serial_that_would_break_the_string_is_refused(serial: str, contact: bool) -> None:
    with pytest.raises(InputError, match="a device serial has up to 128 characters"):
        Counter(contact=contact, device_serial=serial)


@pytest.mark.parametrize("given", ["||", "", "|", "0" * 32 + "||"])
@by_personality
def test_a_driver_that_authenticates_3_0_cards_only(personality: str, given: str, contact: bool) -> None:
    """[OC-44]: fields 5 to 8 of 1.0 and 2.0 cards are empty, and Step2 takes any pKey."""
    counter = Counter(
        personality, contact=contact, internal_authentication=InternalAuth.ONLY_3, device_serial="DEV00001"
    )
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
    head = f"510100|{HISTORICAL}|{counter.algorithm}|{CODE}|"
    genuine = any(name.startswith("INTERNAL AUTHENTICATION") for name in counter.sent())
    if personality == "v3-sm4":
        assert genuine
        assert "||" not in asked
        assert counter.driver.iReadCardBas_HSM_Step2(given)[0] == -42
        asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
        given = counter.host.check_card(asked)
    else:
        assert not genuine
        assert asked == f"{head}||||DEV00001|"
        assert counter.host.check_card(asked) == "||"
    out = ok(counter.driver.iReadCardBas_HSM_Step2(given))
    assert out == basic_data(personality, "000000000000")


def test_a_card_that_was_authenticated_needs_its_proof(contact: bool) -> None:
    counter = Counter("v2-3des", contact=contact)
    ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
    assert counter.driver.iReadCardBas_HSM_Step2("||")[0] == -42


def test_with_a_psam_the_hsm_steps_know_the_terminal(contact: bool) -> None:
    counter = Counter("v2-3des", contact=contact, psam=psam_of(terminal_number="510100000042"), device_number="D7")
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
    out = ok(counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked)))
    assert out.endswith("|510100000042|D7|")


@pytest.mark.parametrize(
    ("personality", "psam", "code"),
    [
        ("v3-sm4", None, -2201),
        ("v3-sm4", {"sm4": False}, -2202),
        ("v3-sm4", {"read_key": False}, -2203),
        ("v2-3des", {"read_key": False}, 0),
    ],
)
def test_without_the_right_psam_the_application_goes_on_with_the_hsm(
    personality: str, psam: dict[str, bool] | None, code: int, contact: bool
) -> None:
    counter = Counter(personality, contact=contact, psam=None if psam is None else psam_of(**psam))
    assert counter.driver.iReadCardBas(counter.type)[0] == code
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(counter.type))
    ok(counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked)))


def test_a_psam_of_another_region_has_too_low_a_level(contact: bool) -> None:
    counter = Counter(contact=contact, psam=psam_of("province", terminal_number="410400000001"))
    assert counter.driver.iReadCardBas(counter.type) == (-24, "PSAM卡密钥级别不够")


def test_the_hsms_own_result_must_be_the_cards(contact: bool) -> None:
    counter = Counter(contact=contact)
    key = counter.host.check_card(ok(counter.driver.iReadCardBas_HSM_Step1(counter.type)))
    code, out = counter.driver.iReadCardBas_HSM_Step2(f"{'0' * 32}|{key.split('|')[1]}|")
    assert (code, out) == (-21, "内部认证失败，卡片不合法")
    assert counter.key_tries("RKSSSE") == 3
    assert not counter.chip.snapshot().powered


def test_the_strings_use_the_map_of_the_installation(contact: bool) -> None:
    """driver-api.md §9: any user can put in the map of the installation under test."""
    counter = Counter(contact=contact)
    addresses = {("PUK", 0): "AB01", ("STK", 0): "AB02"}
    driver = SSCardDriver(
        Readers(contact=lambda: counter.chip, contactless=lambda: counter.chip),
        ScriptedPad(["654321", "654321"]),
        addresses=lambda key, version=0: addresses[key, version],
        options=DriverOptions(),
    )
    asked = ok(driver.iReloadPIN_HSM_Step1(3, CARD))
    assert asked.split("|")[1] == "AB01"
    here = asked.replace("AB01", builtin_keys().address_of("PUK"))
    asked = ok(driver.iReloadPIN_HSM_Step2(CardHolderBase(SoftHsm(builtin_keys())).authenticate(counter.basic, here)))
    assert asked.split("|")[1] == "AB02"
    assert driver.iWriteCard_HSM_Step1(3, CARD, "DF01EF05|20|$") == (-27272, "未找到密钥或引用数据")


@pytest.mark.parametrize(
    ("reader_type", "contact_card", "contactless_card", "code"),
    [
        (1, True, True, 0),
        (1, False, True, -2),
        (2, True, False, -2),
        (2, False, True, 0),
        (3, True, False, 0),
        (3, False, True, 0),
        (4, True, False, 0),
        (4, False, False, -2),
    ],
)
def test_the_reader_type_says_where_to_look(
    reader_type: int, contact_card: bool, contactless_card: bool, code: int, contact: bool
) -> None:
    counters = Counter(contact=True), Counter(contact=False)
    for counter, there in zip(counters, (contact_card, contactless_card), strict=True):
        if not there:
            counter.reader.remove()
    driver = SSCardDriver(
        Readers(contact=lambda: counters[0].reader, contactless=lambda: counters[1].reader), ScriptedPad(["123456"])
    )
    assert driver.iVerifyPIN(reader_type)[0] == code


def test_auto_asks_the_first_interface_first(contact: bool) -> None:
    first = 3 if contact else 4
    asked: list[str] = []
    chip = Counter(contact=contact).chip

    def reader(name: str) -> FaultyConnection:
        asked.append(name)
        return FaultyConnection(chip)

    driver = SSCardDriver(
        Readers(contact=lambda: reader("contact"), contactless=lambda: reader("contactless")), ScriptedPad(["123456"])
    )
    ok(driver.iVerifyPIN(first))
    assert asked == ["contact" if contact else "contactless"]


def test_a_name_on_two_items_comes_as_one(contact: bool) -> None:
    counter = Counter("v2-3des", contact=contact, psam=psam_of("national"))
    layout = counter.card.profile.layout
    cell = next(file.cell for file in layout.files if file.df == layout.ssse.fid and file.sfi == 0x06)
    content = counter.card.memory.strings[cell]
    name, extension = "阿" * 15, "卜拉"
    changed = content.replace("张三".encode("gbk").ljust(30, b"\0"), name.encode("gbk"))
    changed = changed.replace(b"\x4e\x14" + bytes(20), b"\x4e\x14" + extension.encode("gbk").ljust(20, b"\0"))
    counter.card.memory.strings[cell] = changed
    assert ok(counter.driver.iReadCardBas(counter.type)).split("|")[4] == name + extension


def test_a_1_0_card_has_no_key_to_prove(contact: bool) -> None:
    counter = Counter("v1-des", contact=contact)
    key = counter.host.check_card(ok(counter.driver.iReadCardBas_HSM_Step1(counter.type)))
    assert counter.driver.iReadCardBas_HSM_Step2(f"{key.split('|')[0]}|{'0' * 32}|")[0] == -27272


def test_the_card_of_an_image_file(tmp_path: Path, contact: bool) -> None:
    """Every change is in the file when the function returns."""
    path = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), path)
    with open_card(path, contact=contact) as card:
        driver = SSCardDriver(Readers(contact=lambda: card), ScriptedPad(["123456", "654321", "654321", "123456"]))
        ok(driver.iChangePIN(1))
        assert driver.iVerifyPIN(1) == (-51, "密码错误，剩余5次")
    with open_card(path, contact=contact) as card:
        assert card.card.snapshot().pin_tries == 5
        pad = ScriptedPad(["654321"])
        assert SSCardDriver(Readers(contact=lambda: card), pad).iVerifyPIN(1) == (0, "")
