"""The limit of unlocks [OC-42]: each success counts, the last one blocks the PUK, whenever the power goes."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from kit import PIN, PUK, Desk
from sscard.chip.memory import Moment, PowerLost
from sscard.issuer import preset
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN as PIN_CELL
from sscard.standard.tree import PIN_TRIES

PRESETS = ("v1-des", "v2-3des", "v3-sm4")
NEW = "654321"


def desk_of(name: str, limit: int) -> Desk:
    return Desk(replace(preset(name), unlock_limit=limit))


def unblock(desk: Desk) -> bytes:
    return desk.message(0)


def reset(desk: Desk) -> bytes:
    return desk.message(1, desk.block(encode_pin(NEW)))


def unlocks(desk: Desk) -> int:
    return desk.memory.numbers[desk.card.profile.layout.unlocks]


def ready(desk: Desk) -> None:
    desk.authenticate(PUK)
    desk.challenge()


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("limit", [1, 3])
def test_each_success_counts_and_the_last_one_blocks_the_puk(name: str, limit: int) -> None:
    desk = desk_of(name, limit)
    for number in range(1, limit + 1):
        ready(desk)
        assert desk.sw((unblock, reset)[number % 2](desk)) == 0x9000
        assert unlocks(desk) == number
    desk.challenge()
    assert desk.sw(unblock(desk)) == 0x6982
    desk.challenge()
    assert desk.sw(desk.proof()) == 0x6983
    assert desk.verify(NEW) == 0x9000


@pytest.mark.parametrize("name", PRESETS)
def test_a_failure_does_not_count(name: str) -> None:
    desk = desk_of(name, 1)
    desk.challenge()
    assert desk.sw(unblock(desk)) == 0x6982
    ready(desk)
    assert desk.sw(desk.message(0, right=False)) == 0x6988
    desk.challenge()
    assert desk.sw(desk.message(1, desk.block(b"\x12"))) == 0x6A80
    assert unlocks(desk) == 0


@pytest.mark.parametrize("name", PRESETS)
def test_nothing_counts_without_a_limit(name: str) -> None:
    desk = desk_of(name, 0)
    for _ in range(3):
        ready(desk)
        assert desk.sw(unblock(desk)) == 0x9000
    assert unlocks(desk) == 0


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("send", [unblock, reset])
@pytest.mark.parametrize("moment", list(Moment))
def test_the_count_is_torn_from_nothing(name: str, send: Callable[[Desk], bytes], moment: Moment) -> None:
    """At every write point of the last unlock PIN, tries, count and PUK are all old or all new."""
    point = 0
    seen = set()
    while True:
        desk = desk_of(name, 1)
        desk.block_pin()
        ready(desk)
        command = send(desk)
        desk.memory.cut_power(point, moment)
        with suppress(PowerLost):
            desk.send(command)
            break
        desk.chip.power_on()
        puk = desk.card.profile.layout.counter(desk.card.profile.layout.puk, 0)
        numbers = desk.memory.numbers
        seen.add((desk.memory.strings[PIN_CELL], numbers[PIN_TRIES], unlocks(desk), numbers[puk]))
        point += 1
    old, new = encode_pin(PIN), encode_pin(NEW if send is reset else PIN)
    assert point == (6 if send is reset else 5)
    assert seen == {(new, 6, 1, 0)} | (set() if moment is Moment.AFTER else {(old, 0, 0, 3)})
