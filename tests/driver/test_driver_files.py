"""iReadCard and iWriteCard, by PSAM and by the HSM steps, in the shapes of driver-api.md §2."""

from __future__ import annotations

import pytest

from kit.counter import ALL, CARD, Counter, ok, psam_of
from sscard.issuer import builtin_keys

PIN, KEY = 1, 2


@pytest.fixture(params=[(name, contact) for name in ALL for contact in (True, False)], ids=str)
def counter(request: pytest.FixtureRequest) -> Counter:
    name, contact = request.param
    return Counter(name, contact=contact, psam=psam_of("province"))


@pytest.fixture(params=[name for name in ALL if name != "v1-des"])
def later(request: pytest.FixtureRequest) -> Counter:
    """A card of 2.0 or 3.0."""
    return Counter(request.param, psam=psam_of("province"))


def read(counter: Counter, address: str, by: int = PIN) -> str:
    counter.pad.script("123456")
    return ok(counter.driver.iReadCard(counter.type, by, CARD, address))


def write(counter: Counter, address: str, data: str) -> tuple[int, str]:
    return counter.driver.iWriteCard(counter.type, CARD, address, data)


def stored(counter: Counter, df: int, sfi: int) -> bytes:
    file = counter.card.profile.layout.file(df, sfi)
    assert file is not None
    return counter.card.memory.strings[file.cell]


def test_free_items_need_neither_pin_nor_psam(counter: Counter) -> None:
    bare = Counter(counter.personality)
    version = f"{counter.generation}0"
    assert read(bare, "SSSEEF05|07|03|01|05|$") == (
        f"SSSEEF05|A00000011|{version}|510100D15600000500000001A1B2C3D4|20250101|$"
    )
    assert bare.pad.prompts == []
    assert not bare.chip.snapshot().powered


def test_items_behind_the_pin(counter: Counter) -> None:
    bare = Counter(counter.personality)
    assert read(bare, "DF01EF05|0E|20|$DF04EF05|8F|84|$") == "DF01EF05|510100||$DF04EF05|2|510100|$"
    assert bare.pad.prompts == ["请输入密码"], "asked once for both files"


def test_items_behind_pin_or_key(later: Counter) -> None:
    assert read(later, "DF01EF05|0E|$", KEY) == "DF01EF05|510100|$"
    assert later.pad.prompts == []
    assert read(later, "DF01EF05|0E|$", PIN) == "DF01EF05|510100|$"
    assert later.pad.prompts == ["请输入密码"]
    assert later.driver.iReadCard(1, 3, CARD, "DF01EF05|0E|$") == (-14, "命令参数错")


def test_items_behind_pin_and_key_key_first(counter: Counter) -> None:
    assert read(counter, "DF04EF06|90|$") == "DF04EF06||$"
    names = [name.split(" ")[0] for name in counter.sent()]
    assert names.index("EXTERNAL") < len(names) - 1 - names[::-1].index("VERIFY")
    assert counter.pad.prompts == ["请输入密码"]


def test_items_behind_pin_and_key_by_the_hsm(counter: Counter) -> None:
    """Step 1 verifies the PIN, step 2 proves the key."""
    counter.pad.script("123456")
    asked = ok(counter.driver.iReadCard_HSM_Step1(counter.type, CARD, "DF04EF06|90|$"))
    assert counter.pad.prompts == ["请输入密码"]
    algorithm, address, factor, original, rest = asked.split("|")
    assert (algorithm, address, rest) == (counter.algorithm, builtin_keys().address_of("RK1DF04"), "")
    assert len(factor) == len(original) == 16
    key = counter.host.authenticate(counter.basic, asked)
    assert counter.driver.iReadCard_HSM_Step2(key) == (0, "DF04EF06||$")
    assert not counter.chip.snapshot().powered


def test_only_the_first_file_goes_by_the_hsm(later: Counter) -> None:
    asked = ok(later.driver.iReadCard_HSM_Step1(1, CARD, "DF01EF05|0E|$DF04EF05|8F|$"))
    assert later.pad.prompts == []
    key = later.host.authenticate(later.basic, asked)
    assert later.driver.iReadCard_HSM_Step2(key) == (0, "DF01EF05|510100|$")


def test_a_file_without_key_needs_no_hsm(counter: Counter) -> None:
    pin_only = "DF01EF05|0E|$" if counter.generation == "1.0" else "DF04EF08|$"
    for address in ("SSSEEF05|07|$", pin_only):
        assert counter.driver.iReadCard_HSM_Step1(counter.type, CARD, address) == (-2204, "读取该文件不需要加密机")


def test_files_of_a_1_0_card_with_their_own_key_or_the_pin_and_another() -> None:
    """Part 6: DF03 EF08 (PIN & RK3DF03) or UK4DF03."""
    counter = Counter("v1-des")
    asked = ok(counter.driver.iReadCard_HSM_Step1(1, CARD, "DF03EF08|7A|$"))
    assert asked.split("|")[1] == builtin_keys().address_of("UK4DF03")
    assert counter.driver.iReadCard_HSM_Step2(counter.host.authenticate(counter.basic, asked))[0] == 0


def test_write_and_read_an_item(counter: Counter) -> None:
    address = "DF01EF06|23|24|28|$"
    assert write(counter, address, "DF01EF06|幸福路1号|410402|13800000000|$") == (0, "")
    assert read(counter, address) == "DF01EF06|幸福路1号|410402|13800000000|$"
    assert stored(counter, 0xDF01, 0x06)[:12] == b"\x23\x50" + "幸福路1号".encode("gbk") + b"\0"
    assert not counter.chip.snapshot().powered


def test_an_empty_field_writes_an_empty_item(counter: Counter) -> None:
    ok(write(counter, "DF01EF05|0E|20|$", "DF01EF05||1|$"))
    assert read(counter, "DF01EF05|0E|20|$") == "DF01EF05||1|$"


def test_write_and_read_the_second_of_equal_tags(later: Counter) -> None:
    ok(write(later, "DF01EF15|2A|40:2|$", "DF01EF15|20|3^0801^北京大学^|$"))
    assert read(later, "DF01EF15|40|40:2|2A|40:3|$") == "DF01EF15|^^^|3^0801^北京大学^|20|^^^|$"


def test_write_and_read_a_cyclic_file(counter: Counter) -> None:
    """Newest first; items end with ^, records with |."""
    for number in range(1, 6):
        data = f"DF02EF07|J{number}^2024010{number}^20250101^单位{number}^|$"
        assert write(counter, "DF02EF07|$", data) == (0, "")
    expected = "".join(f"J{number}^2024010{number}^20250101^单位{number}^|" for number in (5, 4, 3, 2))
    assert read(counter, "DF02EF07|$") == f"DF02EF07|{expected}$"
    assert read(counter, "DF02EF07|2|$") == "DF02EF07|J4^20240104^20250101^单位4^|$"
    assert counter.driver.iReadCard(counter.type, PIN, CARD, "DF02EF07|0|$")[0] == -14


def test_an_empty_cyclic_file(counter: Counter) -> None:
    assert read(counter, "DF02EF07|$") == "DF02EF07|$"


def test_write_and_read_a_whole_transparent_file(later: Counter) -> None:
    content = bytes(range(256)).hex().upper()
    ok(write(later, "DF01EF16|$", f"DF01EF16|{content}|$"))
    assert read(later, "DF01EF16|$") == f"DF01EF16|{content}{'00' * 40}|$"


def test_a_photo_fits_into_the_callers_buffer(later: Counter) -> None:
    content = "5A" * 4096
    ok(write(later, "SSSEEF08|$", f"SSSEEF08|{content}|$"))
    assert read(later, "SSSEEF08|$") == f"SSSEEF08|{content}|$"
    assert later.driver.iReadCard(1, PIN, CARD, "SSSEEF08|$" * 3)[0] == -42


def test_write_by_the_hsm_steps(counter: Counter) -> None:
    asked = ok(counter.driver.iWriteCard_HSM_Step1(counter.type, CARD, "DF01EF06|28|$"))
    algorithm, address, factor, original, rest = asked.split("|")
    assert (algorithm, address, rest) == (counter.algorithm, builtin_keys().address_of("UK4DF01"), "")
    assert len(factor) == len(original) == 16
    key = counter.host.authenticate(counter.basic, asked)
    assert counter.driver.iWriteCard_HSM_Step2(key, "DF01EF06|13900000000|$") == (0, "")
    assert read(counter, "DF01EF06|28|$") == "DF01EF06|13900000000|$"


def test_ssses_own_files_are_written_too(counter: Counter) -> None:
    ok(write(counter, "SSSEEF06|0B|$", "SSSEEF06|55|$"))
    assert b"\x0b\x01\x55" in stored(counter, 0x3F00, 0x06)


@pytest.mark.parametrize("df", ["3F00", "DDF1"])
def test_3f00_and_ddf1_name_ssse_and_the_answer_keeps_the_spelling(counter: Counter, df: str) -> None:
    """A window program reads 3F00EF06|08|09|$ (driver-api.md §2)."""
    assert read(counter, f"{df}EF06|08|09|$", KEY) == f"{df}EF06|410402198503150009|张三|$"
    assert read(counter, f"{df}EF05|07|$SSSEEF05|07|$") == f"{df}EF05|A00000011|$SSSEEF05|A00000011|$"
    ok(write(counter, f"{df}EF06|0B|$", f"{df}EF06|55|$"))
    assert b"\x0b\x01\x55" in stored(counter, 0x3F00, 0x06)
    ok(write(counter, f"{df}EF06|0B|$", "SSSEEF06|56|$"))
    assert b"\x0b\x01\x56" in stored(counter, 0x3F00, 0x06)


@pytest.mark.parametrize("df", ["3F00", "DDF1"])
def test_ssse_has_three_names_in_the_hsm_steps_too(later: Counter, df: str) -> None:
    counter = Counter(later.personality)
    key = counter.host.authenticate(counter.basic, ok(counter.driver.iWriteCard_HSM_Step1(1, CARD, f"{df}EF06|0B|$")))
    ok(counter.driver.iWriteCard_HSM_Step2(key, f"{df}EF06|55|$"))
    if counter.generation == "3.0":
        asked = ok(counter.driver.iReadCard_HSM_Step1(1, CARD, f"{df}EF06|0B|$"))
        key = counter.host.authenticate(counter.basic, asked)
        assert ok(counter.driver.iReadCard_HSM_Step2(key)) == f"{df}EF06|55|$"


def test_only_the_card_writes_its_transactions(counter: Counter) -> None:
    data = "DF04EF08|0001^2^510100000001^20250101120000^00000000^00000001^00000000^|$"
    assert write(counter, "DF04EF08|$", data)[0] == -27010
    assert counter.driver.iWriteCard_HSM_Step1(counter.type, CARD, "DF04EF08|$")[0] == -27010


@pytest.mark.parametrize(
    ("address", "data", "code"),
    [
        ("DF01EF06|24|$", "DF01EF06|41040|$", 0),
        ("DF01EF06|24|$", "DF01EF06|4104AB|$", -41),
        ("DF01EF06|24|$", "DF01EF06|41040200|$", -42),
        ("DF01EF06|28|$", f"DF01EF06|{'1' * 16}|$", -42),
        ("DF01EF06|28|$", "DF01EF06|☃|$", -41),
        ("DF01EF06|28|24|$", "DF01EF06|1|$", -23),
        ("DF01EF06|28|$", "DF01EF05|1|$", -23),
        ("DF01EF06|28|$", "DF01EF06|1|$DF01EF06|1|$", -23),
        ("DF01EF06|28|$", "DF01EF06|1|", -14),
        ("DF01EF06|$", "DF01EF06|1|$", -14),
        ("DF02EF07|$", "DF02EF07|J1^20240101^20250101^|$", -23),
        ("DF02EF07|$", "DF02EF07|J1^20240101^20250101^单位|$", -23),
        ("DF02EF07|1|$", "DF02EF07|J1^20240101^20250101^单位^|$", -14),
        ("SSSEEF07|$", f"SSSEEF07|{'00' * 769}|$", -42),
        ("SSSEEF07|$", "SSSEEF07|0|$", -42),
        ("SSSEEF07|$", "SSSEEF07|0 1x|$", -41),
        ("DF01EF06|28|$", "x" * 20481, -42),
        ("DF01EF06|28:2|$", "DF01EF06|1|$", -27267),
    ],
)
def test_what_is_to_be_written_is_checked_first(counter: Counter, address: str, data: str, code: int) -> None:
    before = list(counter.card.memory.strings)
    assert write(counter, address, data)[0] == code
    assert (counter.card.memory.strings == before) is (code != 0)


def test_nothing_is_written_where_one_of_the_values_does_not_fit(counter: Counter) -> None:
    before = list(counter.card.memory.strings)
    assert write(counter, "DF01EF06|28|$DF01EF05|0E|$", "DF01EF06|1|$DF01EF05|12345678|$")[0] == -42
    assert counter.card.memory.strings == before


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("", -14),
        ("DF01EF05|0E|", -14),
        ("DF01EF05|0E$", -14),
        ("DF01EF05|$", -14),
        ("DF01EF05|0|$", -14),
        ("DF01EF05|0G|$", -14),
        ("DF01EF05|0E:0|$", -14),
        ("DX01EF05|0E|$", -14),
        ("3F01EF05|0E|$", -14),
        ("DDF2EF05|0E|$", -14),
        ("3F00|0E|$", -14),
        ("DF01|0E|$", -14),
        ("SSSEEF07|01|$", -14),
        ("DF01EF05|0E|$" * 90, -42),
        ("DF0AEF05|0E|$", -27266),
        ("DF01EF1F|0E|$", -27266),
        ("DF06EF05|0E|$", -27266),
        ("DF01EF05|0F|$", -27267),
        ("DF01EF05|0E:2|$", -27267),
    ],
)
def test_what_is_to_be_read_is_checked(counter: Counter, address: str, code: int) -> None:
    if address.startswith("SSSE"):
        counter = Counter("v1-des")
    counter.pad.script("123456")
    assert counter.driver.iReadCard(counter.type, PIN, CARD, address)[0] == code
    assert not counter.chip.snapshot().powered


def test_an_item_the_standard_does_not_list_reads_as_hex() -> None:
    """Local additions: tag 7E of an EF that is listed."""
    counter = Counter("v1-des")
    file = counter.card.profile.layout.file(0xDF01, 0x05)
    assert file is not None
    counter.card.memory.strings[file.cell] += bytes.fromhex("7E020A0B")
    assert read(counter, "DF01EF05|7E|$") == "DF01EF05|0A0B|$"


def test_an_item_rewritten_with_the_meaning_of_2_0_keeps_its_fill_to_itself() -> None:
    """card-files.md §6: the old length, right-filled with hex E."""
    counter = Counter("v1-des")
    file = counter.card.profile.layout.file(0xDF01, 0x09)
    assert file is not None
    content = bytearray(counter.card.memory.strings[file.cell])
    place = content.index(b"\x30\x09")
    content[place + 2 : place + 11] = b"123" + b"\xee" * 6
    counter.card.memory.strings[file.cell] = bytes(content)
    assert read(counter, "DF01EF09|30|$") == "DF01EF09|123|$"


def test_a_blocked_application_says_so(counter: Counter) -> None:
    df = next(df for df in counter.card.profile.layout.dfs if df.name == "DF03")
    counter.card.memory.put_number(df.blocked_cell, 1)
    counter.pad.script("123456")
    assert counter.driver.iReadCard(counter.type, PIN, CARD, "DF03EF06|45|$")[0] == -37635
    assert read(counter, "DF01EF05|0E|$") == "DF01EF05|510100|$"
