"""New PINs at each place, channel and operation: one table of what no holder may choose (open-choices.md §3.1)."""

from __future__ import annotations

from collections import Counter as Count
from functools import cache
from itertools import product
from typing import Any, NamedTuple

import pytest

from kit.cards import card_of
from kit.citizens import Citizen, Ticking, make_citizen
from kit.counter import Counter, psam_of
from sscard.issuer import Holder, Place, find_place
from sscard.issuer.places import PRESETS, place_of
from sscard.service import Act, Channel, NotDone, Operated, PinService, Reason, Stage
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN


class Bearer(NamedTuple):
    """A holder's ID number, the last six digits of it (X as 0), and the birth date in six digits."""

    number: str
    last_6: str
    birth: str


HOLDERS = (Bearer("410402198503150009", "150009", "850315"), Bearer("11010519491231002X", "310020", "491231"))
INITIAL, EASY, LAST_6, BIRTH, LEAKED = (
    "does not permit the initial PIN",
    "easy to guess",
    "the last six digits of the ID number",
    "does not permit the birth date",
    "the one that leaked",
)
"""Words of the text that refuses a PIN."""

# On the left a place: one that comes with sscard, or fields of an own one. On the right what it does not permit as a
# new PIN, and why; {last 6} and {birth} are the holder's. An initial PIN that may be used as it is, or is off, is a PIN
# like another.
TABLE: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "tries-3": ({}, {"123456": INITIAL}),
    "tries-6": ({}, {}),
    "tries-8": ({}, {"{last 6}": INITIAL}),
    "tries-10": ({}, {}),
    "no-initial-pin": ({}, {}),
    "forbidden-pins": ({}, {"123456": EASY, "000000": EASY, "{last 6}": LAST_6, "{birth}": BIRTH}),
    "unblocks-10": ({}, {}),
    "birth date first": ({"initial_pin": "birth date", "initial_pin_use": "must change"}, {"{birth}": INITIAL}),
    "birth date, free": ({"initial_pin": "birth date"}, {}),
    "six and ones": (
        {"initial_pin": "666666", "initial_pin_use": "query only", "forbidden_pins": ["111111", "last 6 of ID"]},
        {"666666": INITIAL, "111111": EASY, "{last 6}": LAST_6},
    ),
    "initial and forbidden": (
        {
            "initial_pin": "last 6 of ID",
            "initial_pin_use": "must change",
            "forbidden_pins": ["last 6 of ID", "12345678"],
        },
        {"{last 6}": INITIAL, "12345678": EASY},
    ),
    "off, but forbidden": (
        {"initial_pin": "000000", "initial_pin_use": "off", "forbidden_pins": ["000000"]},
        {"000000": EASY},
    ),
    "none, birth date forbidden": ({"initial_pin": "none", "forbidden_pins": ["birth date"]}, {"{birth}": BIRTH}),
}
OLD = "739104"
NEW = (
    *("123456", "000000", "111111", "666666", "12345678", "{last 6}", "{birth}"),
    *("1234567", "{last 6}0", "0000", "80264153", OLD),  # longer or shorter than a forbidden one, another, the same
)
REASONS = (Reason.LEAKED, Reason.FORGOTTEN, Reason.LOCKED)


def place(name: str) -> Place:
    fields = TABLE[name][0]
    return place_of({"name": name, **fields}) if fields else find_place(name)


def of(pin: str, holder: Bearer) -> str:
    return pin.replace("{last 6}", holder.last_6).replace("{birth}", holder.birth)


def refusal(name: str, holder: Bearer, pin: str) -> str | None:
    """Why a place does not permit the PIN of a holder."""
    return {of(each, holder): why for each, why in TABLE[name][1].items()}.get(pin)


@cache
def citizen(holder: Bearer) -> Citizen:
    return make_citizen(id_number=holder.number, pin=OLD)


@pytest.mark.parametrize("name", TABLE)
def test_each_new_pin_is_refused_or_set_at_each_channel(name: str) -> None:
    service = PinService(Ticking(), place=place(name))
    for holder, channel, reason, form in product(HOLDERS, Channel, REASONS, NEW):
        one, pin = citizen(holder), of(form, holder)
        changes = reason is Reason.LEAKED
        why = LEAKED if changes and pin == OLD else refusal(name, holder, pin)
        case = service.intake(one.application(reason, channel))
        service.accept(case)
        answer = service.operate(case, one.session, pin, OLD if changes else "")
        kept = one.chip.memory.strings[PIN]
        if why is None:
            assert isinstance(answer, Operated), (holder, channel, reason, form)
            assert (case.stage, kept) == (Stage.OPERATED, encode_pin(pin))
            one.session.reset_pin(OLD)
            continue
        assert isinstance(answer, NotDone), (holder, channel, reason, form)
        assert why in answer.text
        assert pin not in answer.text
        assert (case.stage, case.in_doubt, kept) == (Stage.ACCEPTED, False, encode_pin(OLD))
        assert Act.BEGUN not in [event.act for event in case.events]


@pytest.mark.parametrize("name", TABLE)
def test_the_driver_refuses_the_same_pins(name: str) -> None:
    codes = Count[int]()
    for holder in HOLDERS:
        card = card_of("v3-sm4", OLD, holder=Holder("张三", holder.number))
        driver = Counter(card=card, psam=psam_of(), place=place(name))
        for form in NEW:
            pin = of(form, holder)
            code = -36 if refusal(name, holder, pin) else 0
            driver.pad.script(OLD, pin, pin)
            assert driver.driver.iChangePIN(1)[0] == code, (holder, form)
            driver.pad.script(OLD if code else pin, OLD, OLD)
            assert driver.driver.iChangePIN(1)[0] == 0
            assert driver.reset(pin)[0] == code, (holder, form)
            driver.pad.script(OLD if code else pin, OLD, OLD)
            assert driver.driver.iChangePIN(1)[0] == 0
            codes[code] += 1
    assert codes[-36] == 2 * len(TABLE[name][1])


def test_the_table_has_every_place_and_every_rule() -> None:
    assert set(PRESETS) <= set(TABLE)
    assert {why for _, refused in TABLE.values() for why in refused.values()} == {INITIAL, EASY, LAST_6, BIRTH}
    assert {pin for _, refused in TABLE.values() for pin in refused} <= set(NEW)
