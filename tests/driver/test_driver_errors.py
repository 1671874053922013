"""Every code of the error table (driver-api.md §7), reached as it happens at a counter."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import kit
from kit.counter import CARD, OTHER, PAY, Counter, foreign_keys, ok, psam_of, varied
from sscard.driver.api import Readers, SSCardDriver
from sscard.driver.errors import FAILURES, FALLBACK, DriverError, code_of, describe, outcome
from sscard.driver.hoststrings import CardHolderBase
from sscard.errors import InputError, MissingPart
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys, find_place, personalise, preset
from sscard.terminal.errors import ApduError
from sscard.terminal.pinpad import EntryCancelled, EntryTimedOut, ScriptedPad
from sscard.transport.connection import Connection
from sscard.transport.faults import CardMute, CardRemoved, Mute, TransportError, Truncated
from sscard.transport.pcsc import CardReset, ReaderError

CODES = (
    *(-1, -2, -3, -4, -5, -11, -12, -13, -14, -15),
    *(-20, -21, -22, -23, -24),
    *(-31, -32, -33, -34, -35, -36, -41, -42, -51, -52),
    *(-2201, -2202, -2203, -2204, -25536, -25537, -25538),
    *(-26368, -26881, -27009, -27010, -27011, -27012, -27013, -27016),
    *(-27264, -27265, -27266, -27267, -27272, -37634, -37635, -37891, -37894),
)

UNREACHABLE: dict[int, str] = {}
"""Codes of the table that no function can end with, each with its reason. None is left."""

Result = tuple[int, str]


class Answering:
    """A card that answers one instruction with a status word of its own: not this bench's card."""

    def __init__(self, connection: Connection, ins: int, sw: int) -> None:
        self._connection = connection
        self._ins, self._sw = ins, sw.to_bytes(2, "big")
        self.power_on, self.power_off, self.reset = connection.power_on, connection.power_off, connection.reset

    def transmit(self, command: bytes) -> bytes:
        return self._sw if command[1] == self._ins else self._connection.transmit(command)


def answering(ins: int, sw: int) -> Counter:
    counter = Counter(psam=psam_of())
    counter.wire.connection = Answering(counter.chip, ins, sw)
    counter.pad.script("123456", "123456", "123456")
    return counter


def rewritten(tag: int, text: str, df: int = 0x3F00, **how: str) -> Counter:
    """A card on which an item of EF05 was written anew."""
    counter = Counter(**how)
    file = counter.card.profile.layout.file(df, 0x05)
    assert file is not None
    content = bytearray(counter.card.memory.strings[file.cell])
    place = content.index(bytes((tag, next(item.length for item in file.items if item.tag == tag))))
    content[place + 2 : place + 2 + len(text)] = text.encode()
    counter.card.memory.strings[file.cell] = bytes(content)
    return counter


def opened_by(open_reader: Callable[[], Connection]) -> Result:
    return SSCardDriver(Readers(contact=open_reader), ScriptedPad()).iVerifyPIN(1)


def raising(error: Exception) -> Callable[[], Connection]:
    def open_reader() -> Connection:
        raise error

    return open_reader


def no_card() -> Result:
    counter = Counter()
    counter.reader.remove()
    return counter.driver.iVerifyPIN(1)


def no_power() -> Result:
    """Another program takes the power between two steps."""
    counter = Counter()
    ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    counter.chip.power_off()
    return counter.driver.iReloadPIN_HSM_Step2("0" * 32)


def no_answer() -> Result:
    counter = Counter()
    counter.reader.arm(Mute())
    return counter.driver.iVerifyPIN(1)


def wrong_checksum() -> Result:
    """A bit of the ATR flipped in transit is found by TCK."""
    counter = Counter(contact=False)
    atr = counter.chip.power_on()
    counter.wire.power_on = lambda: atr[:-2] + bytes((atr[-2] ^ 1,)) + atr[-1:]  # type: ignore[method-assign]
    return counter.driver.iVerifyPIN(2)


def foreign(key: str) -> Counter:
    counter = Counter()
    counter.host = CardHolderBase(SoftHsm(foreign_keys(key)))
    return counter


def not_genuine() -> Result:
    counter = foreign("IRK")
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(1))
    return counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked))


def at_the_pad(*entries: str | type[EntryCancelled | EntryTimedOut], name: str = "iVerifyPIN") -> Result:
    counter = Counter()
    counter.pad.script(*entries)
    return getattr(counter.driver, name)(1)  # type: ignore[no-any-return]


def with_the_initial_pin() -> Result:
    counter = Counter(psam=psam_of(), place=find_place("tries-3"))
    counter.pad.script("123456")
    return counter.driver.iDoDebit(1, CARD, PAY)


def to_the_initial_pin() -> Result:
    counter = Counter(pin="777777", place=find_place("tries-3"))
    counter.pad.script("777777", "123456", "123456")
    return counter.driver.iChangePIN(1)


def blocked_pin() -> Result:
    counter = Counter()
    counter.block_pin()
    return counter.driver.iVerifyPIN(1)


def foreign_puk(times: int) -> Result:
    counter = foreign("PUK")
    for _ in range(times - 1):
        counter.reset()
    return counter.reset()


def another_program_buys() -> Result:
    """Another program's command between the steps ends the card's purchase."""
    counter = Counter()
    counter.pad.script("123456")
    asked = ok(counter.driver.iDoDebit_HSM_Step1(1, CARD, PAY))
    counter.chip.transmit(bytes.fromhex("0084000008"))
    return counter.driver.iDoDebit_HSM_Step2(counter.host.purchase(counter.basic, asked))


def another_program_selects() -> Result:
    """Another program's selection between the steps takes the challenge."""
    counter = Counter()
    asked = ok(counter.driver.iReloadPIN_HSM_Step1(1, CARD))
    for fid in ("DF01", "3F00"):
        counter.chip.transmit(bytes.fromhex(f"00A4000002{fid}"))
    return counter.driver.iReloadPIN_HSM_Step2(counter.host.authenticate(counter.basic, asked))


def version_tells_too_little() -> Result:
    """A 3.0 card that calls itself 2.0: its EF06 still wants RKSSSE."""
    counter = rewritten(0x03, "2.00")
    asked = ok(counter.driver.iReadCardBas_HSM_Step1(1))
    return counter.driver.iReadCardBas_HSM_Step2(counter.host.check_card(asked))


def on_line_card() -> Result:
    counter = rewritten(0x8F, "1", df=0xDF04)
    counter.pad.script("123456")
    return counter.driver.iDoDebit_HSM_Step1(1, CARD, PAY)


def same_pin_again() -> Result:
    return Counter(varied(same_pin_allowed=False)).reset(kit.PIN)


def blocked_card() -> Result:
    counter = Counter()
    counter.card.memory.put_number(1, 1)
    return counter.driver.iVerifyPIN(1)


def blocked_application() -> Result:
    counter = Counter()
    df = next(df for df in counter.card.profile.layout.dfs if df.name == "DF04")
    counter.card.memory.put_number(df.blocked_cell, 1)
    return counter.driver.iReadDebitRecord(1)


def wrong_mac1() -> Result:
    counter = foreign("DPK")
    counter.pad.script("123456")
    asked = ok(counter.driver.iDoDebit_HSM_Step1(1, CARD, PAY))
    return counter.driver.iDoDebit_HSM_Step2(counter.host.purchase(counter.basic, asked))


def unknown_purchase_key() -> Result:
    counter = Counter(psam=psam_of(), purchase_key=9)
    counter.pad.script("123456")
    return counter.driver.iDoDebit(1, CARD, PAY)


def read(address: str, counter: Counter | None = None) -> Result:
    counter = counter or Counter()
    counter.pad.script("123456")
    return counter.driver.iReadCard(1, 1, CARD, address)


REACHED: dict[int, Callable[[], Result]] = {
    -1: lambda: answering(0xA4, 0x6A82).driver.iVerifyPIN(1),
    -2: no_card,
    -3: no_power,
    -4: no_answer,
    -5: lambda: opened_by(raising(MissingPart("pyscard is not installed", "pip install 'sscard[pcsc]'"))),
    -11: lambda: opened_by(raising(ReaderError("PC/SC: reader unavailable"))),
    -12: lambda: Counter().driver.iReloadPIN_HSM_Step2("0" * 32),
    -13: lambda: rewritten(0x03, "4.00").driver.iChangePIN(1),
    -14: lambda: Counter().driver.iUnblockPIN(1, CARD[:32]),
    -15: wrong_checksum,
    -20: lambda: Counter().driver.iUnblockPIN(1, f"{'0' * 32}|A00000011|"),
    -21: not_genuine,
    -22: lambda: Counter().driver.iUnblockPIN(1, OTHER),
    -23: lambda: Counter().driver.iDoDebit(1, CARD, "42949672.95|0.00|20260105093000|"),
    -24: lambda: Counter(psam=psam_of("city", terminal_number="410400000001")).driver.iReadCardBas(1),
    -31: lambda: at_the_pad(EntryCancelled),
    -32: lambda: at_the_pad(EntryTimedOut),
    -33: lambda: at_the_pad("123"),
    -34: lambda: at_the_pad("123456", "111111", "222222", name="iChangePIN"),
    -35: with_the_initial_pin,
    -36: to_the_initial_pin,
    -41: lambda: Counter().driver.iUnblockPIN(1, CARD.replace("A0", "a0")),
    -42: lambda: Counter().driver.iUnblockPIN(1, "0" * 129),
    -51: lambda: at_the_pad("654321"),
    -52: blocked_pin,
    -2201: lambda: Counter().driver.iReadCardBas(1),
    -2202: lambda: Counter(psam=psam_of(sm4=False)).driver.iReadCardBas(1),
    -2203: lambda: Counter(psam=psam_of(read_key=False)).driver.iReadCardBas(1),
    -2204: lambda: Counter().driver.iReadCard_HSM_Step1(1, CARD, "SSSEEF05|07|$"),
    -25536: lambda: foreign_puk(3),
    -25537: lambda: foreign_puk(2),
    -25538: lambda: foreign_puk(1),
    -26368: lambda: answering(0x84, 0x6700).driver.iUnblockPIN(1, CARD),
    -26881: another_program_buys,
    -27009: lambda: read("DF01EF05|0E|$", answering(0xB2, 0x6981)),
    -27010: version_tells_too_little,
    -27011: lambda: foreign_puk(4),
    -27012: another_program_selects,
    -27013: on_line_card,
    -27016: lambda: foreign("STK").reset(),
    -27264: same_pin_again,
    -27265: blocked_card,
    -27266: lambda: read("DF01EF15|2A|$", Counter("v1-des")),
    -27267: lambda: read("DF01EF05|0E:2|$"),
    -27272: lambda: Counter(psam=psam_of("national")).driver.iUnblockPIN(1, CARD),
    -37634: wrong_mac1,
    -37635: blocked_application,
    -37891: unknown_purchase_key,
    -37894: lambda: answering(0x2C, 0x9406).driver.iDoDebit(1, CARD, PAY),
}


def test_every_code_of_the_table_is_reached_or_has_a_reason() -> None:
    assert sorted(CODES) == sorted({*REACHED, *UNREACHABLE})
    assert not REACHED.keys() & UNREACHABLE.keys()


@pytest.mark.parametrize("code", CODES)
def test_the_code_is_reached_and_described(code: int) -> None:
    answered, out = REACHED[code]()
    assert answered == code
    assert out != ""
    assert "未知" not in out
    assert out.startswith(describe(code)) or code <= -25536


def test_five_codes_lead_to_the_hsm() -> None:
    """driver-api.md §5."""
    assert {int(code) for code in FALLBACK} == {-2201, -2202, -2203, -27272, -24}


@pytest.mark.parametrize(
    ("sw", "code"),
    [
        (0x6983, -27011),
        (0x6988, -27016),
        (0x6A88, -27272),
        (0x9302, -37634),
        (0x63C0, -25536),
        (0x63C1, -25537),
        (0x63C2, -25538),
        (0x63CF, -25551),
    ],
)
def test_a_status_word_becomes_its_negative(sw: int, code: int) -> None:
    """driver-api.md §6."""
    assert code_of(sw) == code


@pytest.mark.parametrize(("tries", "code"), [(2, -25536), (1, -25537), (0, -25538), (3, -25539), (15, -25551)])
def test_the_sheets_list_of_tries_is_the_other_way_round(tries: int, code: int) -> None:
    assert code_of(0x63C0 + tries, reversed_tries=True) == code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CardRemoved("left"), -2),
        (CardMute("silent"), -4),
        (CardReset("another program"), -3),
        (ReaderError("refused"), -11),
        (TransportError("?"), -11),
        (InputError("no such reader"), -11),
        (MissingPart("pcscd", "apt-get install pcscd"), -5),
        (DriverError(-35), -35),
        (ApduError("x", 0x6F00), -0x6F00),
    ],
)
def test_what_a_connection_raises_has_a_code(error: Exception, code: int) -> None:
    assert isinstance(error, FAILURES)
    assert outcome(error)[0] == code


def test_an_unknown_status_word_is_unknown() -> None:
    assert outcome(ApduError("x", 0x1234)) == (-0x1234, "未知状态码")


def test_half_a_status_word_is_no_answer() -> None:
    counter = Counter()
    counter.reader.arm(Truncated(1))
    assert counter.driver.iVerifyPIN(1)[0] == -4


@pytest.mark.parametrize("atr", ["3B00", "3B", "", "3B6D0000", "3B6C00001234A1B2C386495101000000"])
def test_a_card_of_another_kind(atr: str) -> None:
    counter = Counter()
    counter.wire.power_on = lambda: bytes.fromhex(atr)  # type: ignore[method-assign]
    assert counter.driver.iVerifyPIN(1)[0] == -1


def test_a_mistake_in_a_program_passes_and_the_device_is_closed_all_the_same() -> None:
    counter = Counter()

    class BrokenPad:
        def enter(self, prompt: str) -> str:
            raise RuntimeError(prompt)

    driver = SSCardDriver(Readers(contact=lambda: counter.reader), BrokenPad())
    with pytest.raises(RuntimeError):
        driver.iVerifyPIN(1)
    assert not counter.chip.snapshot().powered


def test_a_terminal_without_a_reader_of_this_kind() -> None:
    driver = SSCardDriver(Readers(), ScriptedPad())
    assert driver.iVerifyPIN(1)[0] == driver.iVerifyPIN(4)[0] == -12
    assert driver.iVerifyPIN(0)[0] == driver.iVerifyPIN(5)[0] == -1


def test_the_psam_that_leaves_in_the_middle() -> None:
    counter = Counter(psam=psam_of("province"))
    counter.block_pin()
    psam = counter.driver._terminal.psam
    psam.terminal_number()
    assert psam._connection is not None
    psam._connection.power_off()
    assert counter.driver.iUnblockPIN(1, CARD)[0] == -2201
    assert counter.key_tries() == 3
    assert counter.driver.iUnblockPIN(1, CARD) == (0, "")


def test_an_address_map_of_another_installation() -> None:
    counter = Counter()

    def nothing(key: str, version: int = 0) -> str:
        raise KeyError(key, version)

    driver = SSCardDriver(Readers(contact=lambda: counter.reader), ScriptedPad(), addresses=nothing)
    assert driver.iReloadPIN_HSM_Step1(1, CARD)[0] == -27272
    assert driver.iReadCardBas_HSM_Step1(1)[0] == 0, "the card check needs no address"
    assert builtin_keys().address_of("PUK") == "1009"


# Algorithms


class OtherFci(Answering):
    """A card whose FCI names another algorithm, or none."""

    def __init__(self, connection: Connection, named: str) -> None:
        super().__init__(connection, -1, 0)
        self._named = bytes.fromhex(named)

    def transmit(self, command: bytes) -> bytes:
        return super().transmit(command).replace(bytes.fromhex("9F0C03860103"), self._named)


def naming(named: str, city: str = "510100", **how: Any) -> Counter:
    card = personalise(replace(kit.order_of(preset("v3-sm4")), city_code=city), builtin_keys())
    counter = Counter(card=card, contact=False, **how)
    counter.wire.connection = OtherFci(counter.reader, named)
    return counter


def test_an_unknown_algorithm_costs_no_try_and_the_pin_works() -> None:
    counter = naming("9F0C03860107", psam=psam_of("province"))
    for result in (
        counter.driver.iReadCardBas(2),
        counter.driver.iReadCardBas_HSM_Step1(2),
        counter.driver.iReloadPIN(2, CARD),
        counter.driver.iReloadPIN_HSM_Step1(2, CARD),
        counter.driver.iUnblockPIN(2, CARD),
    ):
        assert result == (-13, "动态库不支持该命令")
    assert "EXTERNAL AUTHENTICATION" not in " ".join(counter.sent())
    assert counter.unharmed()
    counter.pad.script("123456", "123456", "654321", "654321")
    assert counter.driver.iVerifyPIN(2) == (0, "")
    assert counter.driver.iChangePIN(2) == (0, "")


@pytest.mark.parametrize(("named", "city"), [("9F0C03860102", "510100"), ("", "110100")])
def test_ssf33_is_named_to_the_hsm_and_refused_by_the_psam(named: str, city: str) -> None:
    counter = naming(named, city, psam=psam_of("national", terminal_number=f"{city}000001"))
    card = CARD.replace("510100", city, 1)
    assert ok(counter.driver.iReloadPIN_HSM_Step1(2, card)).startswith("02|")
    counter.driver.close()
    assert counter.driver.iReloadPIN(2, card) == (-2202, "PSAM卡不支持该算法")
    assert "EXTERNAL AUTHENTICATION" not in " ".join(counter.sent())
    assert counter.key_tries() == 3
