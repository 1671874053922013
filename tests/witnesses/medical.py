"""Observations that change with the defects of ``sscard.scenario.defects.medical``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from kit.desk import Desk
from sscard.chip.answers import OK
from sscard.chip.memory import Moment, PowerLost
from sscard.standard.tree import Account
from witnesses.pins import answers
from witnesses.witness import Witness


def _account(balance: int = 1000) -> Desk:
    """A card with money, DF04 selected, PIN verified."""
    desk = Desk()
    desk.open_account()
    desk.set_account(Account.BALANCE, balance)
    return desk


def _load(*, right: bool = True) -> list[str]:
    desk = _account()
    opened = desk.begin_load(500)
    return answers(desk.credit(opened, 500, right=right), "B026000104", desk=desk)


def _purchase(amount: int = 100, *, right: bool = True, between: str = "", time: str = "20250101123000") -> list[str]:
    """A purchase, the balance and the self-paid total after it."""
    desk = _account()
    desk.set_account(Account.SELF_PAID, 700)
    desk.set_account(Account.YEAR, 2024)
    opened = desk.begin_purchase(amount, 30)
    if opened[-2:] != OK:
        return [opened.hex()]
    answers(*filter(None, [between]), desk=desk)
    debit = desk.debit(opened, amount, 30, right=right, time=time)
    return answers(debit, "B026000104", "B026000206", desk=desk)


def _purchase_without_pin() -> list[str]:
    desk = _account()
    desk.repower()
    answers("00A4000002DF04", desk=desk)
    return [desk.begin_purchase(1).hex()[-4:]]


def _torn_purchase() -> tuple[int, ...]:
    """Balance and number of details after a cut behind the amounts."""
    desk = _account()
    opened = desk.begin_purchase(100)
    debit = desk.debit(opened, 100)
    desk.memory.cut_power(7, Moment.BEFORE)
    with contextlib.suppress(PowerLost):
        answers(debit, desk=desk)
    desk.repower()
    return desk.account(Account.BALANCE), len(desk.details())


def _proof(count: str) -> list[str]:
    desk = _account()
    desk.load(500)
    return answers(f"B02E000102{count}", desk=desk)


def _starting_day() -> list[str]:
    desk = _account()
    return answers("B0560000020401", "B056010002", desk=desk)


def _counts() -> tuple[int, int]:
    desk = _account()
    desk.load(500)
    return desk.account(Account.LOAD_COUNT), len(desk.details())


def _on_line() -> str:
    desk = Desk()
    answers("00A4000002DF04", desk=desk)
    basic = desk.card.profile.layout.file(0xDF04, 0x05)
    assert basic is not None
    content = desk.memory.strings[basic.cell]
    desk.memory.put_string(basic.cell, content.replace(b"\x8f\x012", b"\x8f\x011"))
    desk.verify()
    return desk.begin_purchase(0).hex()


def _full_count() -> str:
    desk = _account()
    desk.set_account(Account.PURCHASE_COUNT, 0xFFFF)
    return desk.begin_purchase(1).hex()[:36]


def _totals() -> tuple[int, int]:
    desk = _account()
    opened = desk.begin_purchase(1, 20, 300)
    answers(desk.debit(opened, 1, 20, 300), desk=desk)
    return desk.account(Account.SELF_PAID), desk.account(Account.POOL_PAID)


WITNESSES: Mapping[str, Witness] = {
    "credit-for-load-without-checking-mac2": lambda: _load(right=False),
    "debit-without-checking-mac1": lambda: _purchase(right=False),
    "purchase-of-the-whole-balance-is-refused": lambda: _purchase(1000),
    "purchase-without-pin": _purchase_without_pin,
    "medical-transaction-survives-foreign-commands": lambda: _purchase(between="0020000000"),
    "yearly-totals-restart-a-day-late": lambda: _purchase(time="20250101000000"),
    "purchase-in-two-transactions": _torn_purchase,
    "transaction-proof-of-any-number": lambda: _proof("0007"),
    "starting-day-is-written-without-its-key": _starting_day,
    "a-load-is-not-in-the-details": _counts,
    "load-count-stays": _counts,
    "a-card-used-on-line-pays": _on_line,
    "unknown-key-index-means-the-first-key": lambda: _account().begin_purchase(1, version=9).hex()[:36],
    "a-full-sequence-number-is-used": _full_count,
    "self-paid-and-pool-total-are-swapped": _totals,
    "tac-of-a-purchase-leaves-out-the-terminal-sequence": _purchase,
    "mac2-of-a-purchase-is-mac1": _purchase,
}
