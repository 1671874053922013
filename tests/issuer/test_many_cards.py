"""What one more card costs in memory, what it shares, and that sharing changes nothing."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from datetime import date
from itertools import product
from random import Random
from typing import Any

import pytest
from stdnum.cn import ric

import kit
from sscard.card import Personality
from sscard.chip.memory import Log, Memory, Moment, PowerLost
from sscard.errors import InputError
from sscard.hsm import SoftHsm
from sscard.issuer import Card, KeyHierarchy, builtin_keys, issue_card, make_holder, make_order, personalise
from sscard.issuer.hierarchy import CardReference, KeyFile
from sscard.issuer.holder import is_id_number
from sscard.issuer.image import write_image
from sscard.standard.cipher import Suite
from sscard.standard.tree import PIN, PIN_TRIES
from sscard.terminal import CardSession

CARDS = 300
LIMIT = 2048
"""Bytes that one more card may take."""
CHIP_LIMIT = 512
"""Bytes that its chip may take besides, without power."""


def cards_of(personality: Personality, count: int = CARDS) -> list[Card]:
    """Cards with holders and numbers that all differ."""
    random = Random(1)
    orders = (make_order(personality, random, make_holder(random), "410400", date(2026, 1, 5)) for _ in range(count))
    return [personalise(order, builtin_keys()) for order in orders]


def test_one_more_card_takes_two_kilobytes_with_all_that_it_shares(personality: Personality) -> None:
    cards_of(personality, 10)  # the modules are imported
    gc.collect()
    tracemalloc.start()
    try:
        cards = cards_of(personality)
        taken = tracemalloc.get_traced_memory()[0]
        chips = [card.chip() for card in cards]
        with_chips = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken / len(cards) < LIMIT
    assert (with_chips - taken) / len(chips) < CHIP_LIMIT


def test_cards_of_a_product_share_layout_numbers_and_blank_files(personality: Personality) -> None:
    cards = cards_of(personality)
    first, layout = cards[0].memory, cards[0].profile.layout
    own = {PIN} | {file.cell for file in layout.files if file.df == layout.ssse.fid and file.sfi in (0x05, 0x06)}
    for card in cards[1:]:
        assert card.profile.layout is layout
        assert card.memory.numbers is first.numbers
        shared = [one is other for one, other in zip(first.strings, card.memory.strings, strict=True)]
        assert {cell for cell, same in enumerate(shared) if not same} <= own


class CountingKeys(KeyHierarchy):
    """The built-in keys, which count what is derived from them."""

    def __init__(self) -> None:
        super().__init__(KeyFile(name="counting", keys=list(builtin_keys()._roots.values())))
        self.derived: list[tuple[str, int]] = []

    def card_key(self, suite: Suite, key: str, version: int, card: CardReference) -> bytes:
        self.derived.append((key, version))
        return super().card_key(suite, key, version, card)


def test_a_card_derives_a_key_when_it_is_first_used_and_only_once(personality: Personality) -> None:
    keys = CountingKeys()
    card = personalise(kit.order_of(personality), keys)
    assert keys.derived == []
    session = CardSession.start(card.chip(Random(1)), SoftHsm(builtin_keys()))
    for pin in ("111111", "222222", "333333"):
        session.reset_pin(pin)
    assert sorted(keys.derived) == [("PUK", 0), ("STK", 0)]


def test_a_card_file_gets_every_key_and_the_card_keeps_none_of_them(personality: Personality) -> None:
    keys = CountingKeys()
    card = personalise(kit.order_of(personality), keys)
    held = sum(key.versions for key in card.profile.layout.keys)
    assert write_image(card) == write_image(kit.card_of(personality))
    assert len(keys.derived) == held


def test_a_key_derived_late_is_the_one_of_the_hierarchy(personality: Personality) -> None:
    card = kit.card_of(personality)
    reference = CardReference("510100", card.profile.historical[-8:])
    expected = [
        tuple(
            builtin_keys().card_key(card.profile.suite, key.name, version, reference) for version in range(key.versions)
        )
        for key in card.profile.layout.keys
    ]
    assert card.profile.all_keys() == expected
    for index, values in enumerate(expected):
        assert tuple(card.profile.key(index, version) for version in range(len(values))) == values
        with pytest.raises(IndexError):
            card.profile.key(index, len(values))


def test_a_root_that_the_card_needs_is_missed_when_it_is_personalised(personality: Personality) -> None:
    roots = [root for name, root in builtin_keys()._roots.items() if name != "STK"]
    with pytest.raises(InputError, match="holds no root STK version 1"):
        personalise(kit.order_of(personality), KeyHierarchy(KeyFile(name="without", keys=roots)))


class SwappedKeys(KeyHierarchy):
    """Another issuer: its PUK is the BK of the built-in keys, and the other way round."""

    def __init__(self) -> None:
        super().__init__(KeyFile(name="swapped", keys=list(builtin_keys()._roots.values())))

    def card_key(self, suite: Suite, key: str, version: int, card: CardReference) -> bytes:
        return super().card_key(suite, {"PUK": "BK", "BK": "PUK"}.get(key, key), version, card)


def test_cards_of_two_issuers_in_one_city_have_their_own_keys(personality: Personality) -> None:
    order = kit.order_of(personality)
    one, other = personalise(order, builtin_keys()), personalise(order, SwappedKeys())
    puk, bk = (one.profile.layout.key_named(name) for name in ("PUK", "BK"))
    assert one.profile.key(puk) == other.profile.key(bk) != other.profile.key(puk)


# Writing shared numbers


def cells(memory: Memory) -> tuple[list[int], list[bytes]]:
    return list(memory.numbers), list(memory.strings)


@pytest.mark.parametrize("pin", ["123456", "999999"])
def test_a_command_on_one_card_changes_no_other(personality: Personality, pin: str) -> None:
    one, other, untouched = (kit.card_of(personality) for _ in range(3))
    kit.fresh_chip(one).transmit(kit.verify(pin))
    kit.fresh_chip(one).transmit(kit.change("123456", "654321"))
    assert cells(other.memory) == cells(untouched.memory)
    assert cells(kit.card_of(personality).memory) == cells(untouched.memory)


def shared_pair() -> tuple[Memory, Memory]:
    numbers = [6, 0]
    return Memory(numbers, [b"one"], shared=True), Memory(numbers, [b"other"], shared=True)


@pytest.mark.parametrize(("point", "moment"), list(product(range(4), Moment)))
def test_a_power_cut_in_the_first_write_tears_only_the_card_that_writes(point: int, moment: Moment) -> None:
    one, other = shared_pair()
    alone = Memory([6, 0], [b"one"])
    for memory in (one, alone):
        memory.cut_power(point, moment)
        try:
            memory.commit([(PIN_TRIES, 5)], [(0, b"new")])
        except PowerLost:
            memory.recover()
    assert (cells(one), one.writes, one.log) == (cells(alone), alone.writes, alone.log)
    assert cells(other) == ([6, 0], [b"other"])


def test_only_the_first_write_copies_the_numbers() -> None:
    one, other = shared_pair()
    one.put_number(PIN_TRIES, 5)
    copied = one.numbers
    one.put_number(PIN_TRIES, 4)
    assert one.numbers is copied
    assert (one.numbers, other.numbers, one.writes) == ([4, 0], [6, 0], 6)


# Holders


def test_a_district_is_looked_up_once_for_each_year_of_birth(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_up: list[str] = []
    original = ric.get_birth_place

    def counted(number: str) -> dict[str, Any]:
        looked_up.append(number[:10])
        return original(number)

    monkeypatch.setattr(ric, "get_birth_place", counted)
    random = Random(2)
    assert all(ric.is_valid(make_holder(random).id_number) for _ in range(20))
    looked_up.clear()
    bodies = [f"310101{year}0101{order:03d}" for order in range(30) for year in (1961, 1973)]
    assert all(is_id_number(body + ric.calc_check_digit(body + "0")) for body in bodies)
    assert len(looked_up) <= 2


@pytest.mark.parametrize(
    ("number", "valid"),
    [
        ("410402198503150009", True),
        ("410402 19850315 000 9", False),
        ("41040219850315000９", True),
        ("11010519491231002x", True),
        ("410402198502300000", False),
    ],
)
def test_a_number_is_judged_as_the_library_does(number: str, valid: bool) -> None:
    assert is_id_number(number) == ric.is_valid(number) == valid


def test_an_order_of_another_city_has_the_district_of_that_city(personality: Personality) -> None:
    one, other = kit.order_of(personality), replace(kit.order_of(personality), city_code="410400")
    cards = [personalise(order, builtin_keys()) for order in (one, other, one)]
    file = cards[0].profile.layout.file(0xDF01, 0x05)
    assert file is not None
    contents = [card.memory.strings[file.cell] for card in cards]
    assert contents[0] == contents[2] != contents[1]


def test_a_recovery_changes_no_card_but_its_own() -> None:
    """The cells of a complete log are written like any change."""
    one, other = (issue_card(seed=seed) for seed in (1, 2))
    before = list(other.memory.numbers)
    one.memory.log = Log([(PIN_TRIES, 1)], [], complete=True)
    one.memory.recover()
    assert one.snapshot().pin_tries == 1
    assert other.memory.numbers == before
