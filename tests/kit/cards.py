"""Cards of the test issuer, the same every time, and what the tests know of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from sscard.card import Chip, Personality, Profile
from sscard.issuer import Card, Holder, Order, builtin_keys, make_order, personalise, preset
from sscard.issuer.cardfile import load_card, open_card
from sscard.issuer.database import wal_of
from sscard.issuer.image import write_image
from sscard.standard.encoding import encode_pin
from sscard.standard.generations import build_layout

PERSONALITIES = ("v3-sm4", "v2-3des")
PIN = "123456"
NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
"""SSSE's name, sx1.sh.社会保障 in GB code."""
HOLDER = Holder("张三", "410402198503150009")
ORIGINAL = bytes.fromhex("0102030405060708")
PUK, BK, UKSSSE, RKSSSE = 0x06, 0x05, 0x04, 0x0A
NAMES = {PUK: "PUK", BK: "BK", UKSSSE: "UKSSSE", RKSSSE: "RKSSSE"}


def order_of(personality: Personality, pin: str = PIN, **changes: Any) -> Order:
    """What to write on ``card_of``; ``changes`` are fields of the order, such as ``serial``."""
    order = Order(
        personality=personality,
        holder=HOLDER,
        city_code="510100",
        serial=1,
        code=0xA1B2C3D4,
        card_body="A0000001",
        issued=date(2025, 1, 1),
        pin=pin,
    )
    return replace(order, **changes)


def card_of(personality: Personality | str, pin: str = PIN, **changes: Any) -> Card:
    """A card of a personality, by name or as changed by the test; ``changes`` as for ``order_of``."""
    found = preset(personality) if isinstance(personality, str) else personality
    return personalise(order_of(found, pin, **changes), builtin_keys())


def citizens_card(
    pin: str,
    *,
    personality: Personality | None = None,
    id_number: str = HOLDER.id_number,
    city: str = "410400",
    seed: int | str = 1,
) -> Card:
    """A card as the service meets it: issued in the item's city, with numbers made from the seed."""
    holder = Holder(HOLDER.name, id_number)
    order = make_order(personality or preset("v3-sm4"), Random(seed), holder, city, date(2025, 1, 6))
    return personalise(replace(order, pin=pin), builtin_keys())


def vector_card(algorithm: str, stk: bytes, pin: str = "") -> Card:
    """A card with the keys of the vectors of card-security.md §7."""
    personality = replace(preset("v3-sm4" if algorithm == "SM4" else "v2-3des"), pin_tries=6)
    layout = build_layout(personality.generation, personality.ssse_fid)
    held = {"PUK": span(0x00), "STK": stk, "BK": span(0x20), "IRK": span(0x30)}
    keys = [(held.get(key.name, span(0xE0)),) * key.versions for key in layout.keys]
    profile = Profile(personality, layout, bytes.fromhex("1234A1B2C38649510100000001"), keys)
    return Card(profile, profile.new_memory(encode_pin(pin), {}))


def fresh_chip(card: Card, *, contact: bool = False) -> Chip:
    """A chip over the card's memory, powered."""
    chip = card.chip(Random(1), contact=contact)
    chip.power_on()
    return chip


def span(start: int, length: int = 16) -> bytes:
    """Consecutive byte values, as the keys of the vectors are."""
    return bytes(range(start, start + length))


def scripted(*values: bytes) -> Callable[[int], bytes]:
    """A random source that gives these values in turn."""
    waiting = list(values)

    def source(length: int) -> bytes:
        value = waiting.pop(0)
        assert len(value) == length
        return value

    return source


def image_of(path: Path) -> str:
    """What a card file holds: its bytes change whenever it is opened."""
    return write_image(load_card(path))


def on_disk(path: Path) -> Card:
    """The card as the next process finds it if this one, which has it open, is killed now.

    Another process makes the copy: closing the file in this one would drop its locks.
    """
    with TemporaryDirectory() as folder:
        for file in (path, wal_of(path)):
            if file.exists():
                subprocess.run(["cp", file, folder], check=True)  # noqa: S603, S607 - a copy
        card = load_card(Path(folder) / path.name)
    card.memory.recover()
    return card


def crash(path: Path, *commands: bytes) -> None:
    """Send commands to the card of a card file in a process that ends right after them, without closing it."""
    child = os.fork()
    if not child:
        try:
            opened = open_card(path, Random(1))
            card = opened.__enter__()
            card.power_on()
            for command in commands:
                card.transmit(command)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
