"""The alternative table of return codes (driver-api.md §7.1), line by line, compiled and as script."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import kit
from kit.counter import CARD, OTHER, Counter, foreign_keys, ok, psam_of
from kit.native import Line
from kit.programs import run, running
from sscard.driver.errors import FALLBACK, ErrorTable, outcome
from sscard.driver.hoststrings import CardHolderBase
from sscard.hsm import SoftHsm
from sscard.issuer.cardfile import save_card
from sscard.terminal.errors import ApduError, PinBlocked, WrongPin, authentication_error, pin_error
from sscard.terminal.psam import PsamError

STANDARD, COMPILED, SCRIPT = ErrorTable.STANDARD, ErrorTable.ALTERNATIVE, ErrorTable.SCRIPT
SHEET = Path(__file__).parents[2] / "docs" / "standard" / "driver-api.md"


def genuine_only_elsewhere(table: ErrorTable) -> int:
    """The HSM and the card differ on the card's internal authentication."""
    counter = Counter(errors=table)
    host = CardHolderBase(SoftHsm(foreign_keys("IRK")))
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(1))
    return counter.driver.iReadCardBas_HSM_Step2(host.check_card(asked))[0]


def wrong_pin(table: ErrorTable) -> int:
    return Counter(errors=table).driver.iVerifyPIN(1, "654321")[0]


def wrong_proof(table: ErrorTable) -> int:
    """63C2 of EXTERNAL AUTHENTICATION."""
    counter = Counter(errors=table)
    counter.host = CardHolderBase(SoftHsm(foreign_keys("PUK")))
    return counter.reset()[0]


def other_card_at_a_reset(table: ErrorTable) -> int:
    return Counter(errors=table).driver.iReloadPIN_HSM_Step1(1, OTHER)[0]


def short_key_of_a_reset(table: ErrorTable) -> int:
    counter = Counter(errors=table)
    ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    return counter.driver.iReloadPIN_HSM_Step2("0" * 30)[0]


def short_keys_of_a_3_0_card(table: ErrorTable) -> int:
    counter = Counter(errors=table)
    ok(counter.driver.iReadCardBas_HSM_Step1(1))
    return counter.driver.iReadCardBas_HSM_Step2("0" * 32 + "||")[0]


def short_key_of_a_purchase(table: ErrorTable) -> int:
    counter = Counter(errors=table)
    counter.pad.script("123456")
    ok(counter.driver.iDoDebit_HSM_Step1(1, CARD, "12.34|5.60|20260105093000|"))
    return counter.driver.iDoDebit_HSM_Step2("00000001|20260105093000|")[0]


def status(*words: int) -> Callable[[ErrorTable], set[int]]:
    return lambda table: {outcome(ApduError("x", sw), table)[0] for sw in words}


LINES: list[tuple[str, Callable[[ErrorTable], int | set[int]], int, int, int]] = [
    ("−25", genuine_only_elsewhere, -21, -25, -25),
    ("−51", wrong_pin, -51, -51, -999),
    ("−51", wrong_proof, -25538, -51, -999),
    ("−14", other_card_at_a_reset, -22, -14, -14),
    ("−23", short_key_of_a_reset, -42, -23, -23),
    ("−23", short_keys_of_a_3_0_card, -42, -23, -23),
    ("−23", short_key_of_a_purchase, -42, -23, -23),
    ("−26368", status(0x6C00), -0x6C00, -26368, -26368),
    ("−26369", status(0x6700), -26368, -26369, -26369),
    ("−26370", status(0x6A86), -0x6A86, -26370, -26370),
    ("−26371", status(0x6E00), -0x6E00, -26371, -26371),
    ("−26371", status(0x6EFF), -0x6EFF, -26371, -26371),
    ("−26881", status(0x6986), -0x6986, -26881, -26881),
    ("−37635 or −27013", status(0x9303), -37635, -37635, -27013),
    *(("−999", status(sw), -sw, -999, -999) for sw in (0x6985, 0x6581, 0x6901, 0x6C12, 0x6A84, 0x6D00, 0x6F00)),
    *(("−999", status(sw), -sw, -sw, -999) for sw in (0x6983, 0x6984, 0x6988, 0x6A80)),
    *(("−999", status(sw), -sw, -51, -999) for sw in (0x63C0, 0x63C1, 0x63CF)),
]
"""Line of the sheet, what happens, and the code by the standard's table and by both forms of the other."""

SAME = (0x6981, 0x6982, 0x6A81, 0x6A82, 0x6A83, 0x6A88, 0x9302, 0x9403, 0x9406)


@pytest.mark.parametrize(("line", "happens", "standard", "compiled", "script"), LINES)
def test_a_line_of_the_table(
    line: str, happens: Callable[[ErrorTable], int | set[int]], standard: int, compiled: int, script: int
) -> None:
    for table, code in ((STANDARD, standard), (COMPILED, compiled), (SCRIPT, script)):
        assert happens(table) in (code, {code}), (line, table)


def test_every_line_of_the_sheet_is_tested() -> None:
    section = SHEET.read_text("utf-8").partition("### 7.1")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| (−\d+[^|]*?) \|", section, re.MULTILINE)) == {line for line, *_ in LINES}


@pytest.mark.parametrize("table", [COMPILED, SCRIPT])
@pytest.mark.parametrize("sw", SAME)
def test_a_status_word_without_a_line_has_the_code_of_the_standard(table: ErrorTable, sw: int) -> None:
    assert outcome(ApduError("x", sw), table) == outcome(ApduError("x", sw))


@pytest.mark.parametrize("table", ErrorTable)
def test_a_wrong_type_and_a_missing_psam_are_the_same_in_each_table(table: ErrorTable) -> None:
    counter = Counter(errors=table)
    assert counter.driver.iVerifyPIN(5) == (-1, "卡类型不对")
    assert counter.driver.iReadCardBas(1) == (-2201, "无PSAM卡")


@pytest.mark.parametrize("table", [COMPILED, SCRIPT])
def test_what_a_line_names_for_one_function_is_different_in_that_one_alone(table: ErrorTable) -> None:
    counter = Counter(errors=table, psam=psam_of())
    assert (
        counter.driver.iReloadPIN(1, OTHER)[0]
        == counter.driver.iReadCard_HSM_Step1(1, OTHER, "DF01EF05|0E|$")[0]
        == -22
    )
    ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    assert counter.driver.iReloadPIN_HSM_Step2("0" * 31 + "x")[0] == -41, "as long as it should be"
    assert counter.driver.iUnblockPIN(1, "0" * 129)[0] == -42


def test_the_words_of_the_codes() -> None:
    assert outcome(WrongPin("x", 0x63C0), COMPILED)[1] == "密码错误，剩余0次"
    assert outcome(authentication_error("x", 0x63C2), COMPILED)[1] == "密码错误，剩余2次"
    assert outcome(pin_error("x", 0x6983), COMPILED) == (-52, "密码已锁定")
    assert outcome(PinBlocked("x", 0x6983), SCRIPT) == (-999, "未知错误")
    for sw in (0x6C00, 0x6700, 0x6A86, 0x6E00, 0x6986, 0x9303, 0x6985):
        assert len({outcome(ApduError("x", sw), table)[1] for table in (COMPILED, SCRIPT)} - {""}) == 1


@pytest.mark.parametrize(("table", "code"), [(STANDARD, -52), (COMPILED, -52), (SCRIPT, -999)])
def test_a_blocked_pin(table: ErrorTable, code: int) -> None:
    counter = Counter(errors=table)
    for _ in range(6):
        counter.driver.iVerifyPIN(1, "000000")
    assert counter.driver.iVerifyPIN(1)[0] == counter.driver.iVerifyPIN(1, "123456")[0] == code


@pytest.mark.parametrize("table", [COMPILED, SCRIPT])
def test_a_status_word_of_the_psam_has_the_code_of_its_line_and_the_five_codes_stay(table: ErrorTable) -> None:
    assert outcome(PsamError(-0x6901, "x"), table) == (-999, "未知错误")
    assert outcome(PsamError(-0x6A86, "x"), table)[0] == -26370
    assert {outcome(PsamError(code, "x"), table)[0] for code in FALLBACK} == set(map(int, FALLBACK))


# The server


@pytest.mark.parametrize(
    ("options", "environment", "code"),
    [
        ([], {}, -22),
        (["--errors", "alternative"], {}, -14),
        ([], {"SSCARD_DRIVER_SERVE_ERRORS": "alternative-script"}, -14),
        (["--errors", "standard"], {"SSCARD_DRIVER_SERVE_ERRORS": "alternative"}, -22),
    ],
)
def test_the_server_has_its_table_by_option_or_environment(
    tmp_path: Path, options: list[str], environment: dict[str, str], code: int
) -> None:
    """A server that the C library starts inherits the environment of the program."""
    image, place = tmp_path / "card.db", tmp_path / "driver"
    save_card(kit.card_of("v3-sm4"), image)
    with running("driver", "serve", image, "--listen", place, *options, **environment) as program:
        program.line_with("driver at ")
        with Line(str(place)) as line:
            assert line.call("iReloadPIN_HSM_Step1", "1", OTHER)[0] == code


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--errors", "mine"], "expected one of: alternative, alternative-script, standard"),
        (["--internal-auth", "2.0"], "--internal-auth: no '2.0'"),
        (["--device-serial", "a|b"], "a device serial has up to 128 characters, no bar and no control character"),
    ],
)
def test_an_option_of_another_form_ends_with_2(tmp_path: Path, options: list[str], problem: str) -> None:
    image = tmp_path / "card.db"
    save_card(kit.card_of("v3-sm4"), image)
    done = run("driver", "serve", image, *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
