"""Every status word that card-commands.md lists, for the commands that ``test_pin_commands.py`` leaves.

A case says what the sheet demands. ``OTHER_SHEET`` repeats the error lists of card-commands.md §1.2–1.13 and §3.2;
each word on them is reached by a case or named in ``UNREACHABLE`` with the reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from kit import PIN
from kit.command_sheet import BEYOND_THE_LIST, OTHER_SHEET, PIN_SHEET, generic
from kit.desk import Desk, amounts
from sscard.card.commands import COMMANDS
from sscard.issuer import preset
from sscard.standard.tree import Account

Send = Callable[[Desk], bytes]
Before = Callable[[Desk], object]
ALL = ("v1-des", "v2-3des", "v3-sm4")
LATER = ("v2-3des", "v3-sm4")
MAC = {"updates_need_mac": True}
BELOW_MF = {"ssse_fid": 0xDDF1}

UNREACHABLE = {
    ("INITIALIZE FOR LOAD", 0x6581): "it writes nothing",
    ("INITIALIZE FOR PURCHASE", 0x6581): "it writes nothing",
    ("GET STARTING DAY", 0x6982): "only the update asks for DSK (card-commands.md §3.2, preconditions)",
}


def at_once(desk: Desk) -> None:
    """Nothing comes before."""


@dataclass(frozen=True)
class Case:
    """``send`` (hex or made at the desk) after ``before`` answers ``sw``; ``cards`` are the presets it holds for."""

    says: str
    send: str | Send
    sw: int
    before: Before = at_once
    switches: dict[str, Any] = field(default_factory=dict)
    cards: tuple[str, ...] = ALL
    pin: str = PIN

    def __str__(self) -> str:
        return self.says


def then(*steps: Before) -> Before:
    """These steps, one after the other."""
    return lambda desk: [step(desk) for step in steps]


def sent(command: str) -> Before:
    return lambda desk: desk.send(command)


def held(key: str, df: str = "") -> Before:
    """A DF selected and a key of it proven."""
    return lambda desk: (desk.select(df) if df else None, desk.authenticate(key))


def selected(df: str) -> Before:
    return lambda desk: desk.select(df)


def challenged(desk: Desk) -> None:
    desk.challenge()


def verified(desk: Desk) -> None:
    assert desk.verify() == 0x9000


def card_blocked(desk: Desk) -> None:
    desk.block_card()


def blocked(df: str) -> Before:
    return lambda desk: (desk.block_application(df), desk.select(df))


def worn_out(desk: Desk) -> None:
    desk.memory.fail()


def outside(desk: Desk) -> None:
    """Under an MF that is not SSSE."""
    desk.repower()


def updater(desk: Desk) -> None:
    """Whoever may write SSSE's files: UKMF of a 1.0 card, UKSSSE of a later one."""
    desk.authenticate("UKMF" if desk.personality.generation == "1.0" else "UKSSSE")


def sealed(command: str, data: str, *, right: bool = True, stk: str = "STK") -> Send:
    return lambda desk: desk.sealed(command, data, right=right, stk=stk)


def reader(desk: Desk) -> None:
    if desk.personality.generation != "1.0":
        desk.authenticate("RKSSSE")


READ_BINARY = [
    Case("by SFI", "00B0870010", 0x9000, reader),
    Case("the current file", "00B0010010", 0x9000, then(reader, sent("00A4020002EF07"))),
    Case("Le=00", "00B0870000", 0x9000, reader),
    Case("a record file", "00B0850010", 0x6981),
    Case("a record file is not read without a right either: structure first", "00B0860010", 0x6981),
    Case("no right", "00B0870010", 0x6982, cards=LATER),
    Case("no right, an offset outside: rights first", "00B0870F10", 0x6982, cards=LATER),
    Case("no current EF", "00B0000010", 0x6986),
    Case("no current EF after selecting a DF", "00B0000010", 0x6986, then(sent("00A4020002EF07"), selected("DF01"))),
    Case("no such file", "00B0890010", 0x6A82),
    Case("P1", "00B0A70010", 0x6A86),
    Case("an SFI of 0", "00B0800010", 0x6A86),
    Case("an offset outside", "00B0030001", 0x6B00, then(reader, sent("00A4020002EF07"))),
    Case("Le beyond the end", "00B002F811", 0x6C08, then(reader, sent("00A4020002EF07"))),
    Case("data where none belong", "00B0870002AABB", 0x6700),
    Case("CLA 04", "04B0870010", 0x6E00),
    Case("CLA 80", "80B0870010", 0x6E00),
    Case("a blocked card", "00B0870010", 0x6A81, card_blocked),
    Case("a blocked application", "00B0850010", 0x9303, blocked("DF01")),
]
UPDATE_BINARY = [
    Case("by SFI", "00D6870002AABB", 0x9000, updater),
    Case("the current file", "00D6010002AABB", 0x9000, then(updater, sent("00A4020002EF07"))),
    Case("with a MAC [OC-33]", sealed("04D68700", "AABB"), 0x9000, then(updater, challenged), MAC),
    Case(
        "with a MAC under the STK of its DF",
        sealed("04D69600", "AABB", stk="STKDF01"),
        0x9000,
        then(held("UK7DF01", "DF01"), challenged),
        MAC,
        LATER,
    ),
    Case("without the MAC that is demanded", "00D6870002AABB", 0x6987, updater, MAC),
    Case("a MAC that is not demanded", sealed("04D68700", "AABB"), 0x6E00, then(updater, challenged)),
    Case("CLA 04 before a length", "04D68700", 0x6E00),
    Case("CLA 04 before P1 P2", "04D6FF0002AABB", 0x6E00),
    Case("CLA 84", "84D6870002AABB", 0x6E00),
    Case("no data", "00D6870000", 0x6700, updater),
    Case("no more than a MAC", "04D6870004AABBCCDD", 0x6700, then(updater, challenged), MAC),
    Case("the tail outside", "00D602FF02AABB", 0x6700, then(updater, sent("00A4020002EF07"))),
    Case("length before rights", "00D6870000", 0x6700),
    Case("a record file", "00D6850002AABB", 0x6981, updater),
    Case("no right", "00D6870002AABB", 0x6982),
    Case("no right, a MAC demanded: rights first", "00D6870002AABB", 0x6982, switches=MAC),
    Case("no right, a wrong MAC: rights first", sealed("04D68700", "AABB", right=False), 0x6982, challenged, MAC),
    Case("the PIN is no right to write", "00D6870002AABB", 0x6982, verified),
    Case("no challenge", sealed("04D68700", "AABB"), 0x6984, updater, MAC),
    Case("no challenge [OC-12b]", sealed("04D68700", "AABB"), 0x6985, updater, MAC | {"no_challenge": 0x6985}),
    Case("no current EF", "00D6000002AABB", 0x6986, updater),
    Case("a wrong MAC", sealed("04D68700", "AABB", right=False), 0x6988, then(updater, challenged), MAC),
    Case(
        "a wrong MAC and an offset outside: the MAC first",
        sealed("04D60300", "AABB", right=False),
        0x6988,
        then(updater, sent("00A4020002EF07"), challenged),
        MAC,
    ),
    Case("no such file", "00D6890002AABB", 0x6A82, updater),
    Case("P1", "00D6A70002AABB", 0x6A86, updater),
    Case("P1 is wrong, and the file is not there either", "00D6A90002AABB", 0x6A86),
    Case("an offset outside", "00D6030002AABB", 0x6B00, then(updater, sent("00A4020002EF07"))),
    Case("memory worn out", "00D6870002AABB", 0x6581, then(updater, worn_out)),
    Case("a blocked card", "00D6870002AABB", 0x6A81, card_blocked),
    Case("a blocked application", "00D6960002AABB", 0x9303, blocked("DF01")),
]
CATEGORY = "020134"
UPDATE_RECORD = [
    Case("by number", f"00DC022C03{CATEGORY}", 0x9000, updater),
    Case("by identifier", f"00DC022803{CATEGORY}", 0x9000, updater),
    Case("the current record", f"00DC000403{CATEGORY}", 0x9000, then(updater, sent("00B2022803"))),
    Case("with a MAC [OC-33]", sealed("04DC022C", CATEGORY), 0x9000, then(updater, challenged), MAC),
    Case("without the MAC that is demanded", f"00DC022C03{CATEGORY}", 0x6987, updater, MAC),
    Case("no data", "00DC022C00", 0x6700, updater),
    Case("no more than a MAC", "04DC022C04AABBCCDD", 0x6700, then(updater, challenged), MAC),
    Case("length before rights", "00DC022C00", 0x6700),
    Case("a transparent file", f"00DC013C03{CATEGORY}", 0x6981, updater),
    Case("a cyclic file by number", "00DC013C02AABB", 0x6981, held("UK3DF02", "DF02")),
    Case("no right", f"00DC022C03{CATEGORY}", 0x6982),
    Case("no right, bad data: rights first", "00DC022C03020534", 0x6982),
    Case("nobody writes the details of the account", "00DC004303AABBCC", 0x6982, held("UK1DF04", "DF04")),
    Case("no challenge", sealed("04DC022C", CATEGORY), 0x6984, updater, MAC),
    Case("no challenge [OC-12b]", sealed("04DC022C", CATEGORY), 0x6985, updater, MAC | {"no_challenge": 0x6985}),
    Case("no current EF", f"00DC020403{CATEGORY}", 0x6986, updater),
    Case("a wrong MAC", sealed("04DC022C", CATEGORY, right=False), 0x6988, then(updater, challenged), MAC),
    Case(
        "a wrong MAC before bad data", sealed("04DC022C", "0205", right=False), 0x6988, then(updater, challenged), MAC
    ),
    Case("no such file", f"00DC014C03{CATEGORY}", 0x6A82, updater),
    Case("beyond the next number", f"00DC092C03{CATEGORY}", 0x6A83, updater),
    Case("the current record where none is", f"00DC002C03{CATEGORY}", 0x6A83, updater),
    Case("no room for one more", "00DC082C03770101", 0x6A84, updater),
    Case("no room for a new identifier", "00DC772803770101", 0x6A84, updater),
    Case("no room for a longer one", "00DC022C0402023434", 0x6A84, updater),
    Case("a length that does not fit Lc", "00DC022C03020234", 0x6A85, updater),
    Case("an identifier without a length", "00DC022C0102", 0x6A85, updater),
    Case("mode 101", f"00DC022D03{CATEGORY}", 0x6A86, updater),
    Case("mode 110", f"00DC022E03{CATEGORY}", 0x6A86, updater),
    Case("mode 111", f"00DC022F03{CATEGORY}", 0x6A86, updater),
    Case("SFI 31", f"00DC02FC03{CATEGORY}", 0x6A86, updater),
    Case("memory worn out", f"00DC022C03{CATEGORY}", 0x6581, then(updater, worn_out)),
    Case("a MAC that is not demanded", sealed("04DC022C", CATEGORY), 0x6E00, then(updater, challenged)),
    Case("CLA 80", f"80DC022C03{CATEGORY}", 0x6E00),
    Case("a blocked card", f"00DC022C03{CATEGORY}", 0x6A81, card_blocked),
    Case("a blocked application", f"00DC022C03{CATEGORY}", 0x9303, blocked("DF01")),
]
TWO_EIGHTS = "00" * 16
INTERNAL_AUTHENTICATION = [
    Case("no precondition", f"0088000010{TWO_EIGHTS}", 0x9000),
    Case("with Le", f"0088000010{TWO_EIGHTS}00", 0x9000),
    Case("version 03", f"0088000011{TWO_EIGHTS}03", 0x9000),
    Case("15 bytes", "008800000F" + "00" * 15, 0x6700),
    Case("18 bytes", "0088000012" + "00" * 18, 0x6700),
    Case("no data", "0088000000", 0x6700),
    Case("P1", f"0088010010{TWO_EIGHTS}", 0x6A86),
    Case("P2", f"0088000110{TWO_EIGHTS}", 0x6A86),
    Case("P1 P2 before length", "0088000100", 0x6A86),
    Case("a version that is not there", f"0088000011{TWO_EIGHTS}04", 0x6A88),
    Case("version 00", f"0088000011{TWO_EIGHTS}00", 0x6A88),
    Case("[OC-23]", f"0088000011{TWO_EIGHTS}04", 0x6A80, switches={"unknown_key_version": 0x6A80}),
    Case("a DF without an IRK", f"0088000010{TWO_EIGHTS}", 0x6A88, selected("DF01")),
    Case("CLA 80", f"8088000010{TWO_EIGHTS}", 0x6E00),
    Case("a blocked card", f"0088000010{TWO_EIGHTS}", 0x6A81, card_blocked),
    Case("a blocked application", f"0088000010{TWO_EIGHTS}", 0x9303, blocked("DF03")),
]


def lock(desk: Desk) -> bytes:
    return desk.sealed("841E0001", stk="STKDF03")


def wrong_lock(desk: Desk) -> bytes:
    return desk.sealed("841E0001", stk="STKDF03", right=False)


ready_to_lock = then(held("LKDF03", "DF03"), challenged)
APPLICATION_BLOCK = [
    Case("DF03 with LKDF03", lock, 0x9000, ready_to_lock),
    Case(
        "DF01 with BK",
        lambda desk: desk.sealed("841E0001", stk="STKDF01"),
        0x9000,
        then(selected("DF01"), held("BK"), challenged),
    ),
    Case("DF03 with BK is not enough", lock, 0x6982, then(selected("DF03"), held("BK"), challenged)),
    Case("no lock key proven", lock, 0x6982, then(selected("DF03"), challenged)),
    Case("no right and no challenge: rights first", lock, 0x6982, selected("DF03")),
    Case("no challenge", lock, 0x6984, held("LKDF03", "DF03")),
    Case("no challenge [OC-12b]", lock, 0x6985, held("LKDF03", "DF03"), {"no_challenge": 0x6985}),
    Case("a wrong MAC", wrong_lock, 0x6988, ready_to_lock),
    Case("a MAC under SSSE's STK", lambda desk: desk.sealed("841E0001"), 0x6988, ready_to_lock),
    Case("SSSE is no application", "841E000104AABBCCDD", 0x6985, then(held("BK"), challenged)),
    Case("where no key is", "841E000104AABBCCDD", 0x6A88, outside, BELOW_MF),
    Case("no MAC", "841E000100", 0x6700, ready_to_lock),
    Case("5 bytes", "841E000105AABBCCDDEE", 0x6700, ready_to_lock),
    Case("length before rights", "841E000100", 0x6700, selected("DF03")),
    Case("a block for a time, which PBOC has", "841E000004AABBCCDD", 0x6A86, ready_to_lock),
    Case("P1", "841E010104AABBCCDD", 0x6A86, ready_to_lock),
    Case("P1 P2 before length", "841E000000", 0x6A86, ready_to_lock),
    Case("memory worn out", lock, 0x6581, then(ready_to_lock, worn_out)),
    Case("CLA 00", "001E000104AABBCCDD", 0x6E00, ready_to_lock),
    Case("CLA 04", "041E000104AABBCCDD", 0x6E00, ready_to_lock),
    Case("a blocked card", "841E000104AABBCCDD", 0x6A81, card_blocked),
    Case("blocked already, no good MAC", "841E000104AABBCCDD", 0x9303, blocked("DF03")),
]


def end(desk: Desk) -> bytes:
    return desk.sealed("84160000")


ready_to_end = then(held("BK"), challenged)
CARD_BLOCK = [
    Case("with BK", end, 0x9000, ready_to_end),
    Case("BK not proven", end, 0x6982, challenged),
    Case("another key", end, 0x6982, then(held("PUK"), challenged)),
    Case("no challenge", end, 0x6984, held("BK")),
    Case("no challenge [OC-12b]", end, 0x6985, held("BK"), {"no_challenge": 0x6985}),
    Case("not in SSSE", end, 0x6985, then(selected("DF01"), held("BK"), challenged)),
    Case("a wrong MAC", lambda desk: desk.sealed("84160000", right=False), 0x6988, ready_to_end),
    Case("where no key is", "8416000004AABBCCDD", 0x6A88, outside, BELOW_MF),
    Case("no MAC", "8416000000", 0x6700, ready_to_end),
    Case("3 bytes", "8416000003AABBCC", 0x6700, ready_to_end),
    Case("P1", "8416010004AABBCCDD", 0x6A86, ready_to_end),
    Case("P2", "8416000104AABBCCDD", 0x6A86, ready_to_end),
    Case("memory worn out", end, 0x6581, then(ready_to_end, worn_out)),
    Case("CLA 00", "0016000004AABBCCDD", 0x6E00, ready_to_end),
    Case("blocked already", end, 0x6A81, card_blocked),
    Case("in a blocked application", "8416000004AABBCCDD", 0x9303, blocked("DF03")),
]


def account(balance: int = 1000) -> Before:
    """DF04 with the PIN verified and money on it."""
    return lambda desk: (desk.set_account(Account.BALANCE, balance), desk.open_account())


def counted(which: Account) -> Before:
    return lambda desk: desk.set_account(which, 0xFFFF)


def on_line(desk: Desk) -> None:
    """Item 8F says the card is used on line."""
    desk.select("DF04")
    desk.authenticate("UK1DF04")
    assert desk.sw("00DC8F28038F0131") == 0x9000
    desk.select("DF04")


def loading(desk: Desk) -> None:
    desk.last = desk.begin_load(500)
    assert desk.last[-2:] == b"\x90\x00"


def purchasing(desk: Desk) -> None:
    desk.last = desk.begin_purchase(100, 20, 3)
    assert desk.last[-2:] == b"\x90\x00"


def credit(*, right: bool = True) -> Send:
    return lambda desk: desk.credit(desk.last, 500, right=right)


def debit(*, right: bool = True, time: str = "20250101123000") -> Send:
    return lambda desk: desk.debit(desk.last, 100, 20, 3, right=right, time=time)


LOAD = "B02800010B01000001F4510100000001"
BUY = "B028010113{:02X}" + amounts(100, 20, 3).hex() + "510100000001"
BLOCKED_ACCOUNT = blocked("DF04")
INITIALIZE_FOR_LOAD = [
    Case("a load", LOAD, 0x9000, account()),
    Case("with Le", LOAD + "10", 0x9000, account()),
    Case("no PIN set", LOAD, 0x9000, selected("DF04"), pin=""),
    Case("PIN not verified", LOAD, 0x6982, selected("DF04")),
    Case("another application", LOAD, 0x6985, verified),
    Case("a card used on line", LOAD, 0x6985, then(verified, on_line)),
    Case("more than an account holds", "B02800010B01FFFFFFFF510100000001", 0x6985, account(1)),
    Case("10 bytes", "B02800010A01000001F45101000000", 0x6700, account()),
    Case("the data of a purchase", "B028000113" + "00" * 19, 0x6700, account()),
    Case("length before rights", "B02800010A01000001F45101000000", 0x6700),
    Case("P2", "B02800020B01000001F4510100000001", 0x6A86, account()),
    Case("P1", "B02802010B01000001F4510100000001", 0x6A86, account()),
    Case("a key index that is not there", "B02800010B04000001F4510100000001", 0x9403, account()),
    Case("key index 00", "B02800010B00000001F4510100000001", 0x9403, account()),
    Case("the count at its maximum", LOAD, 0x9402, then(account(), counted(Account.LOAD_COUNT))),
    Case("the other count at its maximum", LOAD, 0x9000, then(account(), counted(Account.PURCHASE_COUNT))),
    Case("CLA 80", "80" + LOAD[2:], 0x6E00, account()),
    Case("a blocked card", LOAD, 0x6A81, card_blocked),
    Case("a blocked application", LOAD, 0x9303, BLOCKED_ACCOUNT),
]
NO_MONEY = "B02A00000B" + "20250101123000" + "00000000"
CREDIT_FOR_LOAD = [
    Case("a load", credit(), 0x9000, then(account(), loading)),
    Case("a wrong MAC2", credit(right=False), 0x9302, then(account(), loading)),
    Case("not initialized", NO_MONEY, 0x6901, account()),
    Case("initialized for a purchase", NO_MONEY, 0x6901, then(account(), purchasing)),
    Case("once more", credit(), 0x6901, then(account(), loading, lambda desk: desk.send(credit()(desk)))),
    Case("another application", NO_MONEY, 0x6985, verified),
    Case("10 bytes", "B02A00000A" + "00" * 10, 0x6700, then(account(), loading)),
    Case("P1", "B02A01000B" + "00" * 11, 0x6A86, then(account(), loading)),
    Case("memory worn out", credit(), 0x6581, then(account(), loading, worn_out)),
    Case("CLA 00", "00" + NO_MONEY[2:], 0x6E00, then(account(), loading)),
    Case("a blocked card", NO_MONEY, 0x6A81, card_blocked),
    Case("a blocked application", NO_MONEY, 0x9303, BLOCKED_ACCOUNT),
]
INITIALIZE_FOR_PURCHASE = [
    Case("a purchase", BUY.format(1), 0x9000, account()),
    Case("with Le", BUY.format(3) + "16", 0x9000, account()),
    Case("all that is there", BUY.format(1), 0x9000, account(100)),
    Case("no PIN set", BUY.format(1), 0x9401, selected("DF04"), pin=""),
    Case("PIN not verified", BUY.format(1), 0x6982, selected("DF04")),
    Case("another application", BUY.format(1), 0x6985, verified),
    Case("a card used on line", BUY.format(1), 0x6985, then(verified, on_line)),
    Case("18 bytes", "B028010112" + "00" * 18, 0x6700, account()),
    Case("the data of a load", "B02801010B" + "00" * 11, 0x6700, account()),
    Case("P2", "B028010013" + "00" * 19, 0x6A86, account()),
    Case("a key index that is not there", BUY.format(4), 0x9403, account()),
    Case("the count at its maximum", BUY.format(1), 0x9402, then(account(), counted(Account.PURCHASE_COUNT))),
    Case("too little money", BUY.format(1), 0x9401, account(99)),
    Case("CLA 00", "00" + BUY.format(1)[2:], 0x6E00, account()),
    Case("a blocked card", BUY.format(1), 0x6A81, card_blocked),
    Case("a blocked application", BUY.format(1), 0x9303, BLOCKED_ACCOUNT),
]
NO_SALE = "B02C01000F" + "00000023" + "20250101123000" + "00000000"
DEBIT_FOR_PURCHASE = [
    Case("a purchase", debit(), 0x9000, then(account(), purchasing)),
    Case("a wrong MAC1", debit(right=False), 0x9302, then(account(), purchasing)),
    Case("not initialized", NO_SALE, 0x6901, account()),
    Case("initialized for a load", NO_SALE, 0x6901, then(account(), loading)),
    Case("once more", debit(), 0x6901, then(account(), purchasing, lambda desk: desk.send(debit()(desk)))),
    Case("another application", NO_SALE, 0x6985, verified),
    Case("a time that is none", debit(time="2025AB01123000"), 0x6985, then(account(), purchasing)),
    Case("14 bytes", "B02C01000E" + "00" * 14, 0x6700, then(account(), purchasing)),
    Case("P1", "B02C00000F" + "00" * 15, 0x6A86, then(account(), purchasing)),
    Case("memory worn out", debit(), 0x6581, then(account(), purchasing, worn_out)),
    Case("CLA 80", "80" + NO_SALE[2:], 0x6E00, then(account(), purchasing)),
    Case("a blocked card", NO_SALE, 0x6A81, card_blocked),
    Case("a blocked application", NO_SALE, 0x9303, BLOCKED_ACCOUNT),
]
GET_BALANCE = [
    Case("the balance", "B026000104", 0x9000, account()),
    Case("the self-paid total", "B026000206", 0x9000, account()),
    Case("the pool total", "B026000306", 0x9000, account()),
    Case("no PIN set", "B026000104", 0x9000, selected("DF04"), pin=""),
    Case("Le=00", "B026000100", 0x6C04, account()),
    Case("another Le", "B026000204", 0x6C06, account()),
    Case("data where none belong", "B0260001020000", 0x6700, account()),
    Case("PIN not verified", "B026000104", 0x6982, selected("DF04")),
    Case("another application", "B026000104", 0x6985, verified),
    Case("P2=00", "B026000004", 0x6A86, account()),
    Case("P2=04", "B026000404", 0x6A86, account()),
    Case("P1", "B026010104", 0x6A86, account()),
    Case("CLA 80", "8026000104", 0x6E00, account()),
    Case("a blocked card", "B026000104", 0x6A81, card_blocked),
    Case("a blocked application", "B026000104", 0x9303, BLOCKED_ACCOUNT),
]


def loaded(desk: Desk) -> None:
    desk.load(500)


def bought(desk: Desk) -> None:
    desk.purchase(100, 20, 3)


GET_TRANSACTION_PROOF = [
    Case("a load", "B02E0001020000", 0x9000, then(account(), loaded)),
    Case("a purchase", "B02E0002020000", 0x9000, then(account(), bought)),
    Case("without the PIN", "B02E0002020000", 0x9000, then(account(), bought, Desk.repower, selected("DF04"))),
    Case("none yet", "B02E0001020000", 0x9406, account()),
    Case("of the other kind", "B02E0001020000", 0x9406, then(account(), bought)),
    Case("another number", "B02E0002020001", 0x9406, then(account(), bought)),
    Case("1 byte", "B02E00020100", 0x6700, account()),
    Case("no data", "B02E000200", 0x6700, account()),
    Case("another application", "B02E0002020000", 0x6985, verified),
    Case("a type that is none", "B02E0003020000", 0x6A86, account()),
    Case("P1", "B02E0102020000", 0x6A86, account()),
    Case("CLA 00", "002E0002020000", 0x6E00, account()),
    Case("a blocked card", "B02E0002020000", 0x6A81, card_blocked),
    Case("a blocked application", "B02E0002020000", 0x9303, BLOCKED_ACCOUNT),
]
proven = held("DSK", "DF04")
UPDATE_STARTING_DAY = [
    Case("a day", "B0560000020401", 0x9000, proven),
    Case("the last of the year", "B0560000021231", 0x9000, proven),
    Case("DSK not proven", "B0560000020401", 0x6982, account()),
    Case("another key", "B0560000020401", 0x6982, held("UK1DF04", "DF04")),
    Case("another application", "B0560000020401", 0x6985, verified),
    Case("no month", "B0560000020001", 0x6985, proven),
    Case("month 13", "B0560000021301", 0x6985, proven),
    Case("day 32", "B0560000020132", 0x6985, proven),
    Case("no digits", "B0560000020A01", 0x6985, proven),
    Case("1 byte", "B05600000104", 0x6700, proven),
    Case("P1", "B0560200020401", 0x6A86, proven),
    Case("P2", "B0560001020401", 0x6A86, proven),
    Case("memory worn out", "B0560000020401", 0x6581, then(proven, worn_out)),
    Case("CLA 80", "80560000020401", 0x6E00, proven),
    Case("a blocked card", "B0560000020401", 0x6A81, card_blocked),
    Case("a blocked application", "B0560000020401", 0x9303, BLOCKED_ACCOUNT),
]
GET_STARTING_DAY = [
    Case("without any right", "B056010002", 0x9000, selected("DF04")),
    Case("Le=00", "B056010000", 0x6C02, selected("DF04")),
    Case("data where none belong", "B0560100020401", 0x6700, selected("DF04")),
    Case("another application", "B056010002", 0x6985),
    Case("P2", "B056010102", 0x6A86, selected("DF04")),
    Case("CLA 00", "0056010002", 0x6E00, selected("DF04")),
    Case("a blocked card", "B056010002", 0x6A81, card_blocked),
    Case("a blocked application", "B056010002", 0x9303, BLOCKED_ACCOUNT),
]
CASES = {
    "READ BINARY": READ_BINARY,
    "UPDATE BINARY": UPDATE_BINARY,
    "UPDATE RECORD": UPDATE_RECORD,
    "INTERNAL AUTHENTICATION": INTERNAL_AUTHENTICATION,
    "APPLICATION BLOCK": APPLICATION_BLOCK,
    "CARD BLOCK": CARD_BLOCK,
    "INITIALIZE FOR LOAD": INITIALIZE_FOR_LOAD,
    "CREDIT FOR LOAD": CREDIT_FOR_LOAD,
    "INITIALIZE FOR PURCHASE": INITIALIZE_FOR_PURCHASE,
    "DEBIT FOR PURCHASE": DEBIT_FOR_PURCHASE,
    "GET BALANCE": GET_BALANCE,
    "GET TRANSACTION PROOF": GET_TRANSACTION_PROOF,
    "UPDATE STARTING DAY": UPDATE_STARTING_DAY,
    "GET STARTING DAY": GET_STARTING_DAY,
}


def table() -> list[Any]:
    return [
        pytest.param(case, card, id=f"{name}: {case.says} {case.sw:04X} {card}")
        for name, cases in CASES.items()
        for case in cases
        for card in case.cards
    ]


@pytest.mark.parametrize(("case", "card"), table())
def test_case(case: Case, card: str) -> None:
    desk = Desk(replace(preset(card), **case.switches), case.pin)
    case.before(desk)
    command = bytes.fromhex(case.send) if isinstance(case.send, str) else case.send(desk)
    assert f"{desk.sw(command):04X}" == f"{case.sw:04X}"


@pytest.mark.parametrize("name", list(OTHER_SHEET))
def test_every_word_of_the_sheet_is_reached_or_excused(name: str) -> None:
    reached = {generic(case.sw) for case in CASES[name]}
    excused = {word for command, word in UNREACHABLE if command == name}
    assert {f"{word:04X}" for word in OTHER_SHEET[name] - excused - reached} == set()


@pytest.mark.parametrize("name", list(OTHER_SHEET))
def test_no_case_expects_a_word_that_the_sheet_does_not_have(name: str) -> None:
    """Where an issuer chose another word [OC-n], the choice names it."""
    plain = {generic(case.sw) for case in CASES[name] if set(case.switches) <= {"updates_need_mac", "ssse_fid"}}
    assert {f"{word:04X}" for word in plain - OTHER_SHEET[name] - BEYOND_THE_LIST.get(name, set()) - {0x9000}} == set()


@pytest.mark.parametrize("name", list(OTHER_SHEET))
def test_declarations_list_what_the_sheet_lists(name: str) -> None:
    """The sheet has one list for UPDATE with and without a MAC; each has a declaration of its own."""
    declared = {generic(word) for command in COMMANDS if command.name == name for word in command.statuses}
    assert {f"{word:04X}" for word in OTHER_SHEET[name] - declared} == set()


def test_no_command_is_forgotten() -> None:
    assert OTHER_SHEET.keys() | PIN_SHEET.keys() == {command.name for command in COMMANDS}
    assert OTHER_SHEET.keys() & PIN_SHEET.keys() == set()
