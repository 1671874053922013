"""PIN functions of the driver: pad, VERIFY, change, reset and unblock, by PSAM and by the HSM steps."""

from __future__ import annotations

import pytest

import kit
from kit.counter import ALL, CARD, OTHER, Counter, foreign_keys, ok, psam_of, varied
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.issuer import find_place
from sscard.standard.apdu import SW
from sscard.terminal.pinpad import EntryCancelled, EntryTimedOut

OLD, NEW, AGAIN, PIN = "请输入原密码", "请输入新密码", "请再次输入新密码", "请输入密码"


@pytest.fixture(params=[(name, contact) for name in ALL for contact in (True, False)], ids=str)
def counter(request: pytest.FixtureRequest) -> Counter:
    name, contact = request.param
    return Counter(name, contact=contact, psam=psam_of("province"))


def test_verify(counter: Counter) -> None:
    counter.pad.script("123456")
    assert counter.driver.iVerifyPIN(counter.type) == (0, "")
    assert counter.pad.prompts == [PIN]
    assert not counter.chip.snapshot().powered


def test_a_wrong_pin_tells_the_tries_left(counter: Counter) -> None:
    counter.pad.script(*["654321"] * 6)
    for left in (5, 4, 3, 2, 1, 0):
        assert counter.driver.iVerifyPIN(counter.type) == (-51, f"密码错误，剩余{left}次")
    assert counter.driver.iVerifyPIN(counter.type) == (-52, "密码已锁定")
    assert len(counter.pad.prompts) == 6, "nobody is asked for a PIN that is blocked"


def test_change(counter: Counter) -> None:
    counter.pad.script("123456", "24681357", "24681357")
    assert counter.driver.iChangePIN(counter.type) == (0, "")
    assert counter.pad.prompts == [OLD, NEW, AGAIN]
    assert counter.has_pin("24681357")


def test_change_with_a_wrong_old_pin(counter: Counter) -> None:
    counter.pad.script("000000", "24681357", "24681357")
    assert counter.driver.iChangePIN(counter.type) == (-51, "密码错误，剩余5次")
    assert counter.has_pin(kit.PIN)
    counter.block_pin()
    assert counter.driver.iChangePIN(counter.type) == (-52, "密码已锁定")


def test_a_card_without_pin(counter: Counter) -> None:
    bare = Counter(counter.personality, pin="")
    assert bare.driver.iVerifyPIN(1) == (0, "")
    assert bare.pad.prompts == []
    bare.pad.script("1234", "1234")
    assert bare.driver.iChangePIN(1) == (0, "")
    assert bare.pad.prompts == [NEW, AGAIN]
    assert bare.has_pin("1234")


def test_reset_by_the_psam(counter: Counter) -> None:
    counter.block_pin()
    counter.pad.script("654321", "654321")
    assert counter.driver.iReloadPIN(counter.type, CARD) == (0, "")
    assert counter.pad.prompts == [NEW, AGAIN]
    assert counter.has_pin("654321")
    assert counter.tries == 6


def test_unblock_by_the_psam(counter: Counter) -> None:
    counter.block_pin()
    assert counter.driver.iUnblockPIN(counter.type, CARD) == (0, "")
    assert counter.has_pin(kit.PIN)
    assert counter.tries == 6


@pytest.mark.parametrize("pin", ["1234", "654321", "1234567", "12345678901234", "1234567890123456"])
def test_reset_by_the_hsm_steps_field_by_field(counter: Counter, pin: str) -> None:
    """driver-api.md §4; the header's Lc is that of the card's own block (8: 0C up to 7 bytes, else 14)."""
    counter.block_pin()
    counter.pad.script(pin, pin)
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    algorithm, address, factor, original, rest = asked.split("|")
    assert (algorithm, address, rest) == (counter.algorithm, "1009", "")
    assert len(factor) == len(original) == 16
    assert factor != original
    key = counter.host.authenticate(counter.basic, asked)
    assert len(key) == 32
    assert key.endswith(original)

    asked = ok(counter.driver.iReloadPIN_HSM_Step2(key))
    algorithm, address, factor, header, plain, rest = asked.split("|")
    assert (algorithm, address, rest) == (counter.algorithm, "1004", "")
    assert len(factor) == 16
    short_block = counter.algorithm == "01" and len(pin) < 15
    assert header == ("842400010C" if short_block else "8424000114")
    assert plain == (pin + "F" if len(pin) % 2 else pin)
    assert counter.pad.prompts[-2:] == [NEW, AGAIN]

    key = counter.host.safe_message(counter.basic, asked)
    assert len(key) == (34 if short_block else 50)
    assert key.startswith(header)
    assert counter.driver.iReloadPIN_HSM_Step3(key) == (0, "")
    assert counter.has_pin(pin)
    assert counter.tries == 6
    assert not counter.chip.snapshot().powered


def test_unblock_by_the_hsm_steps_field_by_field(counter: Counter) -> None:
    counter.block_pin()
    asked = ok(counter.driver.iUnblockPIN_HSM_Step1(counter.type, CARD))
    algorithm, address, factor, original, rest = asked.split("|")
    assert (algorithm, address, rest) == (counter.algorithm, "1009", "")
    assert len(factor) == len(original) == 16
    asked = ok(counter.driver.iUnblockPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked)))
    algorithm, address, factor, header, plain, rest = asked.split("|")
    assert (algorithm, address, header, plain, rest) == (counter.algorithm, "1004", "8424000004", "", "")
    assert len(factor) == 16
    key = counter.host.safe_message(counter.basic, asked)
    assert len(key) == 18
    assert counter.driver.iUnblockPIN_HSM_Step3(key) == (0, "")
    assert counter.has_pin(kit.PIN)
    assert counter.tries == 6
    assert not counter.chip.snapshot().powered


def test_the_wire_of_a_reset_is_that_of_the_flow(counter: Counter) -> None:
    """terminal-flows.md §6.1: two challenges, EXTERNAL AUTHENTICATION, a third, PIN CHANGE/UNBLOCK."""
    assert counter.reset() == (0, "")
    without_responses = [name.split(" ")[0] + name.split(" ")[1] for name in counter.sent() if "RESPONSE" not in name]
    assert without_responses[-5:] == [
        "GETCHALLENGE",
        "GETCHALLENGE",
        "EXTERNALAUTHENTICATION",
        "GETCHALLENGE",
        "PINCHANGE/UNBLOCK",
    ]


@pytest.mark.parametrize(
    "changes", [{"challenge_lasts": "command"}, {"puk_once": True}, {"challenge_lasts": "success"}]
)
def test_steps_work_on_cards_that_keep_a_challenge_for_one_command_only(changes: dict[str, object]) -> None:
    counter = Counter(varied(**changes))
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(1))
    ok(counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked)))
    assert counter.reset() == (0, "")


def test_a_national_psam_holds_no_puk_and_the_hsm_takes_over() -> None:
    counter = Counter(psam=psam_of("national"))
    counter.block_pin()
    counter.pad.script("654321", "654321")
    assert counter.driver.iReloadPIN(1, CARD) == (-27272, "未找到密钥或引用数据")
    assert counter.driver.iUnblockPIN(1, CARD)[0] == -27272
    assert counter.pad.prompts == [], "the holder is not asked in vain"
    assert counter.reset() == (0, "")


def test_a_psam_whose_stk_only_macs_unblocks_but_does_not_reset() -> None:
    counter = Counter(psam=psam_of("province", stk_enciphers=False))
    counter.pad.script("654321", "654321")
    assert counter.driver.iReloadPIN(1, CARD)[0] == -27272
    assert counter.driver.iUnblockPIN(1, CARD) == (0, "")
    assert counter.has_pin(kit.PIN)


# The pad


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (EntryCancelled, -31),
        (EntryTimedOut, -32),
        ("123", -33),
        ("12345678901234567", -33),
        ("", -33),
        ("12a456", -41),
        ("１２３４５６", -41),
    ],
)
def test_what_goes_wrong_at_the_pad(counter: Counter, entry: str | type[EntryCancelled], code: int) -> None:
    first = [entry]
    second = [entry] if isinstance(entry, type) else [entry, entry]
    for name, script in (
        ("iVerifyPIN", first),
        ("iChangePIN", first),
        ("iChangePIN", ["123456", *second]),
        ("iReloadPIN", second),
    ):
        counter.pad.script(*script)
        arguments = (counter.type, CARD) if name == "iReloadPIN" else (counter.type,)
        assert getattr(counter.driver, name)(*arguments)[0] == code
    counter.pad.script(*second)
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    assert counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked))[0] == code
    assert counter.unharmed()


def test_two_entries_that_differ(counter: Counter) -> None:
    counter.pad.script("123456", "111111", "222222")
    assert counter.driver.iChangePIN(counter.type) == (-34, "两次输入的密码不一致")
    counter.pad.script("111111", "222222")
    assert counter.driver.iReloadPIN(counter.type, CARD)[0] == -34
    counter.pad.script("111111", "222222")
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    assert counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked))[0] == -34
    assert counter.unharmed()


@pytest.mark.parametrize(("longest", "code"), [(16, 0), (12, -33)])
def test_the_pad_of_part_8_takes_twelve_digits(longest: int, code: int) -> None:
    counter = Counter(longest_pin=longest)
    counter.pad.script("123456", "1234567890123", "1234567890123")
    assert counter.driver.iChangePIN(1)[0] == code


# The initial PIN


@pytest.mark.parametrize(("place", "code"), [("tries-3", -36), ("tries-8", 0), ("tries-6", 0), ("tries-10", 0)])
def test_nobody_changes_to_a_fixed_initial_pin_where_the_place_forbids_it(place: str, code: int) -> None:
    counter = Counter("v2-3des", pin="777777", place=find_place(place))
    counter.pad.script("777777", "123456", "123456")
    assert counter.driver.iChangePIN(1)[0] == code


@pytest.mark.parametrize("personality", ALL)
def test_an_initial_pin_out_of_the_id_number_is_known_once_the_card_was_read(personality: str) -> None:
    """tries-8: the last six of the ID number (150009); a 3.0 card returns it only after RKSSSE."""
    counter = Counter(personality, place=find_place("tries-8"))
    if personality == "v3-sm4":
        asked = ok(counter.driver.iReadCardBas_HSM_Step1(1))
        ok(counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked)))
    counter.pad.script("123456", "150009", "150009")
    assert counter.driver.iChangePIN(1) == (-36, "不能修改为初始密码")
    code, _ = counter.reset("150009")
    assert code == -36
    assert counter.unharmed()


@pytest.mark.parametrize(("digits", "code"), [("123456", -36), ("150009", -36), ("850315", -36), ("864209", 0)])
def test_a_pin_that_the_place_forbids_is_refused_on_a_card_that_was_not_read(digits: str, code: int) -> None:
    """The PSAM proves RKSSSE, so that a 3.0 card returns the ID number; the same in the HSM group."""
    counter = Counter("v3-sm4", pin="777777", psam=psam_of(), place=find_place("forbidden-pins"))
    assert counter.reset(digits)[0] == code
    counter.pad.script("777777" if code else digits, digits, digits)
    assert counter.driver.iChangePIN(1)[0] == code
    assert counter.has_pin("777777") is (code != 0)


def test_without_a_psam_no_pin_is_set_on_a_card_whose_id_number_the_rules_need() -> None:
    counter = Counter("v3-sm4", pin="777777", place=find_place("forbidden-pins"))
    assert counter.driver.iChangePIN(1, "777777", "864209")[0] == -2201
    assert counter.driver.iReloadPIN_HSM_Step1(1, CARD)[0] == -2201
    assert counter.has_pin("777777")
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(1))
    ok(counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked)))
    assert counter.driver.iChangePIN(1, "777777", "864209")[0] == 0


def test_a_driver_cancels_a_pin_by_a_change_to_none() -> None:
    counter = Counter("v2-3des", pin="777777", place=find_place("no-initial-pin"))
    assert counter.driver.iChangePIN(1, "777777", "")[0] == 0
    assert not counter.card.snapshot().pin_set


# Keys and cards that do not fit


def test_another_card_is_refused_before_anything_happens(counter: Counter) -> None:
    for name in ("iReloadPIN", "iReloadPIN_HSM_Step1", "iUnblockPIN", "iUnblockPIN_HSM_Step1"):
        assert getattr(counter.driver, name)(counter.type, OTHER) == (-22, "传入数据与卡内数据不符")
    assert counter.unharmed()
    assert "EXTERNAL AUTHENTICATION" not in counter.sent()


def test_an_hsm_with_another_puk_costs_the_card_a_try_of_that_key(counter: Counter) -> None:
    counter.host = CardHolderBase(SoftHsm(foreign_keys("PUK")))
    for code, text in ((-25538, "剩余2次"), (-25537, "剩余1次"), (-25536, "剩余0次"), (-27011, "锁定")):
        answered, out = counter.reset()
        assert answered == code
        assert text in out
    assert counter.unharmed()


def test_the_sheets_own_list_counts_the_tries_of_a_key_backwards() -> None:
    counter = Counter(reversed_tries=True)
    counter.host = CardHolderBase(SoftHsm(foreign_keys("PUK")))
    assert [counter.reset()[0] for _ in range(4)] == [-25536, -25537, -25538, -27011]


def test_an_hsm_with_another_stk_leaves_pin_and_tries(counter: Counter) -> None:
    counter.host = CardHolderBase(SoftHsm(foreign_keys("STK")))
    assert counter.reset()[0] == -SW.WRONG_SECURE_MESSAGE == -27016
    assert counter.unharmed()
    assert counter.key_tries() == 3


# Groups of steps


@pytest.mark.parametrize("step", ["iReloadPIN_HSM_Step2", "iReloadPIN_HSM_Step3", "iUnblockPIN_HSM_Step2"])
def test_a_step_without_the_one_before_it(counter: Counter, step: str) -> None:
    assert getattr(counter.driver, step)("0" * 32) == (-12, "未建立连接")
    ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    if step != "iReloadPIN_HSM_Step2":
        assert getattr(counter.driver, step)("0" * 32)[0] == -12
        assert counter.driver.iReloadPIN_HSM_Step2("0" * 32)[0] == -12, "the group is over"
    assert counter.key_tries() == 3


def test_any_other_function_ends_an_open_group(counter: Counter) -> None:
    ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    counter.pad.script("123456")
    ok(counter.driver.iVerifyPIN(counter.type))
    assert counter.driver.iReloadPIN_HSM_Step2("0" * 32)[0] == -12


def test_a_step_may_not_come_twice(counter: Counter) -> None:
    message = counter.reset_up_to_step_2()
    ok(counter.driver.iReloadPIN_HSM_Step3(message))
    assert counter.driver.iReloadPIN_HSM_Step3(message)[0] == -12


@pytest.mark.parametrize(
    ("key", "code"),
    [("", -42), ("00", -42), ("0" * 33, -42), ("0" * 31 + "|", -41), ("zz" * 16, -41), ("0 " * 16, -41)],
)
def test_a_key_of_another_shape_never_reaches_the_card(counter: Counter, key: str, code: int) -> None:
    ok(counter.driver.iReloadPIN_HSM_Step1(counter.type, CARD))
    assert counter.driver.iReloadPIN_HSM_Step2(key)[0] == code
    assert counter.unharmed()
    assert counter.key_tries() == 3


def test_a_message_must_be_the_command_that_was_asked_for(counter: Counter) -> None:
    message = counter.reset_up_to_step_2()
    assert counter.driver.iReloadPIN_HSM_Step3(message[:7] + "0" + message[8:])[0] == -23
    message = counter.reset_up_to_step_2()
    assert counter.driver.iReloadPIN_HSM_Step3(message[:-2])[0] == -42
    assert counter.unharmed()


@pytest.mark.parametrize(
    ("card_info", "code"),
    [
        ("", -14),
        (CARD[:-1], -14),
        (CARD + "|", -14),
        ("x" * 129, -42),
        ("510100E15600000500000001A1B2C3D4|A00000011|", -20),
        ("510100D15600000500000001A1B2C3|A00000011|", -20),
        ("510100D15600000500000001A1B2C3D4|A0000001|", -42),
        ("510100D15600000500000001A1B2C3D4|A000-0011|", -41),
        (OTHER, -22),
    ],
)
def test_card_info_is_checked(counter: Counter, card_info: str, code: int) -> None:
    assert counter.driver.iUnblockPIN_HSM_Step1(counter.type, card_info)[0] == code
    assert counter.driver.iReadCard(counter.type, 1, card_info, "SSSEEF05|07|$")[0] == code
