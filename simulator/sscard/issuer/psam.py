"""Issuing a PSAM: roots of the key hierarchy, diversified according to its level, and the terminal number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random, SystemRandom
from typing import Final, Literal, NamedTuple

from sscard.chip.memory import Memory
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference, KeyHierarchy, builtin_keys
from sscard.psam.chip import PsamChip
from sscard.psam.keys import (
    CARD_KEYS,
    CITY_FILE,
    ENCIPHERING_KEY,
    NATIONAL_FILE,
    PROVINCE_FILE,
    PURCHASE_KEY,
    PURCHASE_VERSIONS,
    KeyRecord,
    KeyType,
    read_records,
    record_algorithm,
)
from sscard.psam.layout import (
    APPLICATION_AID,
    BLOCKED,
    ENVIRONMENTS,
    FILES,
    OWN_KEYS,
    TERMINAL_INFO,
    TERMINAL_SEQUENCE,
    Environment,
    file_cell,
)
from sscard.psam.session import OwnKeys, PsamProfile
from sscard.psam.snapshot import PsamSnapshot, take_snapshot
from sscard.standard.cipher import SM4, Suite, city_factor, province_factor
from sscard.standard.encoding import tlv

Level = Literal["national", "province", "city"]
LEVELS: Final[dict[Level, int]] = {"national": 3, "province": 2, "city": 1}
"""Levels of diversification below the roots in such a PSAM."""

DEFAULT_TERMINAL: Final = "510100000001"
TERMINAL_DIGITS: Final = 12
VALID: Final = bytes.fromhex("2025010120350101")
"""First and last day, which are not checked because a chip has no clock."""
KEY_TRIES: Final = 3
CHIP_AND_COS: Final = bytes.fromhex("5678B1C2D3")
"""Chip maker(2) and COS(3) of the ATR, made up; the PSAM's serial follows."""
SERIAL_LENGTH: Final = 8
PUBLIC_SERIAL_LENGTH: Final = 10

_SYSTEM: Final = SystemRandom()


@dataclass(frozen=True, slots=True)
class PsamCard:
    """An issued PSAM without power: the constant profile and the non-volatile memory."""

    profile: PsamProfile
    memory: Memory

    def chip(self, random: Random | None = None, *, contact: bool = True) -> PsamChip:
        """The PSAM's chip, without power; its challenges come from ``random``, by default from the operating system."""
        return PsamChip(self.profile, self.memory, (random or _SYSTEM).randbytes, contact=contact)

    @property
    def level(self) -> str:
        """How far its keys reach, by the levels of diversification of its IRK; empty without IRK."""
        records = (
            record
            for place in range(len(self.profile.environments))
            for record in read_records(self.memory.strings[file_cell(place, NATIONAL_FILE)])
            if record.id == CARD_KEYS["IRK"].id
        )
        levels = next((record.levels for record in records), 0)
        return next((level for level, count in LEVELS.items() if count == levels), "")

    def snapshot(self) -> PsamSnapshot:
        """Counters and states of the PSAM without power; no secrets."""
        return take_snapshot(self.profile, self.memory, None)


class _Order(NamedTuple):
    """Parameters of ``issue_psam``."""

    roots: KeyHierarchy
    level: Level
    terminal_number: str
    read_key: bool
    stk_enciphers: bool

    @property
    def city_code(self) -> str:
        return self.terminal_number[:6]

    @property
    def serial(self) -> bytes:
        return bytes.fromhex(self.terminal_number.rjust(2 * SERIAL_LENGTH, "0"))


def issue_psam(
    roots: KeyHierarchy,
    terminal_number: str = DEFAULT_TERMINAL,
    level: Level = "national",
    *,
    sm4: bool = True,
    read_key: bool = True,
    stk_enciphers: bool = True,
    own_keys: KeyHierarchy | None = None,
) -> PsamCard:
    """A PSAM for a terminal: 12 digits, the city code and the city's own number.

    ``level`` states how far its roots are diversified: national roots
    (usage ``67``) reach every card, a province's (``47``) the cards of the
    province, a city's (``27``) those of the city. STK, the national UK and
    DPK are bound to the city at every level. Keys whose root a province holds,
    PUK among them, are in PSAMs of province and city only.

    ``sm4`` states whether the PSAM has the SM4 environment in addition,
    ``read_key`` whether it has RKSSSE (a PSAM for 3.0 cards), and
    ``stk_enciphers`` whether it has STK for MAC and encryption too, which a PIN
    reset needs [OC-24]. ``own_keys`` contains the roots of DDF-MK and KID-01 to
    03, by default those in the key file of ``roots``, else the built-in ones.
    Environments and keys without a root are omitted. Errors: ``InputError`` for
    a terminal number of another form.
    """
    if len(terminal_number) != TERMINAL_DIGITS or not (terminal_number.isascii() and terminal_number.isdigit()):
        raise InputError(
            Phrase("not a terminal number"), remedy=Phrase("12 digits: 6 of the city code, 6 of the city's own")
        )
    order = _Order(roots, level, terminal_number, read_key, stk_enciphers)
    own_keys = own_keys or roots.psam_keys or builtin_own_keys()
    environments = tuple(
        environment
        for environment in ENVIRONMENTS
        if (sm4 or environment.suite is not SM4) and own_keys.root(environment.suite, OWN_KEYS[0], 0) is not None
    )
    held = tuple(_own_keys(order, environment.suite, own_keys) for environment in environments)
    profile = PsamProfile(CHIP_AND_COS + order.serial, environments, held, KEY_TRIES)
    numbers = [0] * (BLOCKED + 1) + [KEY_TRIES] * (len(environments) * len(OWN_KEYS))
    strings = [content for environment in environments for content in _files(order, environment)]
    return PsamCard(profile, Memory(numbers, strings))


def builtin_own_keys() -> KeyHierarchy:
    """The roots of the own keys of test PSAMs that come with sscard."""
    own_keys = builtin_keys().psam_keys
    assert own_keys is not None
    return own_keys


def _own_keys(order: _Order, suite: Suite, roots: KeyHierarchy) -> OwnKeys:
    """DDF-MK, and a KID for each key file that a PSAM of this level uses."""
    reference = CardReference(order.city_code, order.serial)
    held = len(OWN_KEYS) + 1 - LEVELS[order.level]
    return tuple(
        roots.card_key(suite, name, 0, reference) if number < held else None for number, name in enumerate(OWN_KEYS)
    )


def _files(order: _Order, environment: Environment) -> list[bytes]:
    """The contents of an environment's files in their order."""
    contents = {
        0x01: tlv(0x61, tlv(0x4F, APPLICATION_AID)),
        # Issuer id(1) ‖ serial(10 cn) ‖ version(1) ‖ key type(1) ‖ FCI data(2)
        0x15: b"\x01" + order.serial.rjust(PUBLIC_SERIAL_LENGTH, b"\x00") + bytes.fromhex("01000000"),
        TERMINAL_INFO: bytes.fromhex(order.terminal_number),
        TERMINAL_SEQUENCE: (1).to_bytes(4, "big"),
        0x1A: _application_info(order, 3),
        0x1B: _application_info(order, 2),
        0x1C: _application_info(order, 1),
        NATIONAL_FILE: _encoded(_national_keys(order, environment.suite)),
        PROVINCE_FILE: _encoded(_province_keys(order, environment.suite)),
        CITY_FILE: b"",
    }
    return [contents[file.sfi] for file in FILES]


def _application_info(order: _Order, level: int) -> bytes:
    """Purchase key index(1) ‖ key version(1) ‖ start(4) ‖ end(4); never written above the PSAM's level."""
    if level < LEVELS[order.level]:
        return b"\xff" * 10
    return b"\x01\x01" + VALID


def _encoded(records: Iterator[KeyRecord]) -> bytes:
    return b"".join(record.encode() for record in records)


def _national_keys(order: _Order, suite: Suite) -> Iterator[KeyRecord]:
    for name, key in CARD_KEYS.items():
        if not key.national or (name == "RKSSSE" and not order.read_key):
            continue
        levels = 1 if key.city_bound else LEVELS[order.level]
        yield from _records(order, suite, name, 0, (key.kind, levels, key.id))
        if name == ENCIPHERING_KEY and order.stk_enciphers:
            yield from _records(order, suite, name, 0, (KeyType.MAC_AND_ENCRYPT, levels, key.id))
    for version in PURCHASE_VERSIONS:
        yield from _records(order, suite, PURCHASE_KEY, version - 1, (KeyType.PURCHASE, 1, version))


def _province_keys(order: _Order, suite: Suite) -> Iterator[KeyRecord]:
    levels = LEVELS[order.level]
    if order.level == "national":
        return
    for name, key in CARD_KEYS.items():
        if not key.national:
            yield from _records(order, suite, name, 0, (key.kind, levels, key.id))


def _records(
    order: _Order, suite: Suite, name: str, version: int, place: tuple[KeyType, int, int]
) -> Iterator[KeyRecord]:
    """The record of a root, empty if the issuer does not have it."""
    kind, levels, id_ = place
    value = order.roots.root(suite, name, version)
    if value is None:
        return
    done = (province_factor(order.city_code), city_factor(order.city_code))[: 3 - levels]
    for factor in done:
        value = suite.diversify(suite.key(value), factor)
    yield KeyRecord(kind, levels, id_, record_algorithm(suite, len(value)), 0, value)
