"""What the tests share: cards, a desk that speaks raw APDUs to one, and the keys the desk needs for it.

The cryptograms come from ``sscard.standard.cipher``, which ``test_cipher.py`` holds to the vectors of the
specification; everything else is said in bytes of the command sheet.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random

from sscard.card import Chip, Personality, Profile
from sscard.chip.memory import Memory
from sscard.issuer import Card, CardReference, Holder, Order, builtin_keys, personalise, preset
from sscard.issuer.personalise import card_reference
from sscard.standard.cipher import SUITES_BY_NAME
from sscard.standard.encoding import encode_pin
from sscard.standard.generations import build_layout
from sscard.standard.tree import CARD_BLOCKED

PERSONALITIES = ("v3-sm4", "v2-3des")
PIN = "123456"
NAME = "7378312E73682EC9E7BBE1B1A3D5CF"
"""SSSE's name, sx1.sh.社会保障 in GB code."""
HOLDER = Holder("张三", "410402198503150009")
ORIGINAL = bytes.fromhex("0102030405060708")
PUK, BK, UKSSSE, RKSSSE = 0x06, 0x05, 0x04, 0x0A
NAMES = {PUK: "PUK", BK: "BK", UKSSSE: "UKSSSE", RKSSSE: "RKSSSE"}


def order_of(personality: Personality, pin: str = PIN) -> Order:
    return Order(
        personality=personality,
        holder=HOLDER,
        city_code="510100",
        serial=1,
        code=0xA1B2C3D4,
        card_body="A0000001",
        issued=date(2025, 1, 1),
        pin=pin,
    )


def card_of(personality: Personality | str, pin: str = PIN) -> Card:
    """A card of the test issuer, made the same every time."""
    found = preset(personality) if isinstance(personality, str) else personality
    return personalise(order_of(found, pin), builtin_keys())


def vector_card(algorithm: str, stk: bytes, pin: str = "") -> Card:
    """A card with the keys of the vectors of card-security.md §7."""
    personality = replace(preset("v3-sm4" if algorithm == "SM4" else "v2-3des"), pin_tries=6)
    layout = build_layout(personality.generation, personality.ssse_fid)
    held = {"PUK": span(0x00), "STK": stk, "BK": span(0x20), "IRK": span(0x30)}
    keys = [(held.get(key.name, span(0xE0)),) * key.versions for key in layout.keys]
    profile = Profile(personality, layout, bytes.fromhex("1234A1B2C38649510100000001"), keys)
    return Card(profile, profile.new_memory(encode_pin(pin), {}))


def span(start: int, length: int = 16) -> bytes:
    return bytes(range(start, start + length))


def scripted(*values: bytes) -> Callable[[int], bytes]:
    """A random source that gives these values in turn."""
    waiting = list(values)

    def source(length: int) -> bytes:
        value = waiting.pop(0)
        assert len(value) == length
        return value

    return source


class Desk:
    """A powered chip and the keys of its card: APDUs in, status words out."""

    def __init__(
        self, personality: Personality | str = "v3-sm4", pin: str = PIN, *, contact: bool = False, seed: int = 1
    ) -> None:
        self.card = card_of(personality, pin)
        self.personality = self.card.profile.personality
        self.suite = SUITES_BY_NAME[self.personality.algorithm]
        self.reference: CardReference = card_reference(order_of(self.personality))
        self.chip = self.card.chip(Random(seed), contact=contact)
        self.chip.power_on()
        self.random = b""
        if self.personality.ssse_fid != 0x3F00:
            assert self.sw(f"00A404000F{NAME}") & 0xFF00 in (0x9000, 0x6100)

    @property
    def memory(self) -> Memory:
        return self.card.memory

    @property
    def tries(self) -> int:
        return self.chip.snapshot().pin_tries

    def key_tries(self, name: str = "PUK") -> int:
        return self.chip.snapshot().key_tries[name][0]

    def send(self, command: bytes | str) -> bytes:
        return self.chip.transmit(bytes.fromhex(command) if isinstance(command, str) else command)

    def sw(self, command: bytes | str) -> int:
        return int.from_bytes(self.send(command)[-2:], "big")

    def key(self, name: str, version: int = 0) -> bytes:
        return builtin_keys().card_key(self.suite, name, version, self.reference)

    def challenge(self, length: int = 8) -> bytes:
        answer = self.send(bytes((0x00, 0x84, 0, 0, length)))
        assert answer[-2:] == b"\x90\x00"
        self.random = answer[:-2]
        return self.random

    def proof(self, number: int = PUK, *, right: bool = True, version: int | None = None) -> bytes:
        """An EXTERNAL AUTHENTICATION over the last challenge taken."""
        key = self.suite.key(self.key(NAMES[number], (version or 1) - 1))
        data = self.suite.authenticate(key, self.random or bytes(8), ORIGINAL) + ORIGINAL
        if not right:
            data = bytes((data[0] ^ 1,)) + data[1:]
        if version is not None:
            data += bytes((version,))
        return bytes((0x00, 0x82, 0x00, number, len(data))) + data

    def message(self, p2: int, plain: bytes = b"", *, right: bool = True) -> bytes:
        """A PIN CHANGE/UNBLOCK over the last challenge: ``plain`` is what gets enciphered, whole blocks."""
        session = self.suite.session_key(self.suite.key(self.key("STK")), self.random or bytes(8))
        enciphered = session.encrypt(plain) if plain else b""
        head = bytes((0x84, 0x24, 0x00, p2, len(enciphered) + 4)) + enciphered
        mac = self.suite.mac(session, head)
        return head + (mac if right else bytes((mac[0] ^ 1,)) + mac[1:])

    def block(self, pin: bytes) -> bytes:
        """LD ‖ PIN ‖ padding, as card-security.md §5 pads it."""
        plain = bytes((len(pin),)) + pin
        if len(plain) % self.suite.block:
            plain += b"\x80"
            plain += bytes(-len(plain) % self.suite.block)
        return plain

    def authenticate(self, number: int = PUK) -> None:
        self.challenge()
        assert self.sw(self.proof(number)) == 0x9000

    def verify(self, pin: str = PIN) -> int:
        return self.sw(verify(pin))

    def block_pin(self) -> None:
        """Wrong PINs until none is left."""
        while self.tries:
            self.verify("999999")

    def block_key(self, number: int = PUK) -> None:
        while self.key_tries(NAMES[number]):
            self.challenge()
            self.send(self.proof(number, right=False))

    def block_card(self) -> None:
        self.memory.put_number(CARD_BLOCKED, 1)
        self.repower()

    def block_application(self) -> None:
        self.memory.put_number(self.card.profile.layout.ssse.blocked_cell, 1)
        self.repower()

    def repower(self) -> None:
        self.chip.power_off()
        self.chip.power_on()
        self.random = b""


def verify(pin: str) -> bytes:
    data = encode_pin(pin)
    return bytes((0x00, 0x20, 0x00, 0x00, len(data))) + data


def change(old: str, new: str) -> bytes:
    data = encode_pin(old) + b"\xff" + encode_pin(new)
    return bytes((0x80, 0x5E, 0x01, 0x00, len(data))) + data


def fresh_chip(card: Card, *, contact: bool = False) -> Chip:
    chip = card.chip(Random(1), contact=contact)
    chip.power_on()
    return chip


def until(condition: Callable[[], bool], patience: float = 10.0) -> bool:
    """Look again and again until it is so, at most ``patience`` seconds; whether it came to be."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.01) for _ in range(int(patience / 0.01)))
