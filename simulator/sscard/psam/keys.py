"""The keys a PSAM holds: usage byte, key record, and which id each key of the card has (driver-api.md §8).

Ids of national keys are those of the sheet's correspondence table; RK and UK
that it does not name follow it in the order of card-security.md §2
(inferred), as far as the range goes: UK of DF07 and DF05 have none. Ids of
keys whose root a province holds are free: they are taken from the province's
ranges in the same order.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from sscard.standard.cipher import DES, SUITES, Suite

LEVELS_SHIFT: Final = 5
TYPE_MASK: Final = 0b11111
MAX_LEVELS: Final = 3

HEAD_LENGTH: Final = 8
"""Usage(1) ‖ id(1) ‖ RFU(1) ‖ algorithm(1) ‖ right(2) ‖ RFU(2); the value follows."""


class KeyType(IntEnum):
    """The type of a key: b5–b1 of the usage byte."""

    PURCHASE = 2
    MAC = 6
    ENCRYPT = 7
    MAC_AND_ENCRYPT = 8
    LOAD = 9
    PROOF = 12
    """TAC."""


TRIPLE_DES: Final = 0
"""Algorithm byte of a key record for 3DES; every other algorithm has its id in the FCI (SM4 inferred)."""


def record_algorithm(suite: Suite, length: int) -> int:
    """The algorithm byte of a key record whose value has this length in bytes."""
    return TRIPLE_DES if suite is DES and length != DES.block else suite.algorithm_id


def value_length(algorithm: int) -> int:
    """Bytes of the value in a record with this algorithm byte."""
    return max(DES.key_lengths) if algorithm == TRIPLE_DES else SUITES[algorithm].key_lengths[0]


def usage_byte(kind: KeyType, levels: int) -> int:
    """``67`` is three levels of diversification and encrypt."""
    return levels << LEVELS_SHIFT | kind


class KeyRecord(NamedTuple):
    """One key of a key file.

    ``right`` 0 is free use; else it is the number of the PSAM's own key that
    must be authenticated first (inferred).
    """

    kind: int
    levels: int
    id: int
    algorithm: int
    right: int
    value: bytes

    def __repr__(self) -> str:
        return f"<KeyRecord {self.usage:02X}/{self.id:02X}>"

    @property
    def usage(self) -> int:
        return self.levels << LEVELS_SHIFT | self.kind

    def encode(self) -> bytes:
        """The record as the file holds it, 16 or 24 bytes."""
        return bytes((self.usage, self.id, 0, self.algorithm, 0, self.right, 0, 0)) + self.value


def read_records(content: bytes) -> list[KeyRecord]:
    """The records of a key file."""
    found = []
    start = 0
    while start < len(content):
        usage, id_, _, algorithm, _, right = content[start : start + 6]
        end = start + HEAD_LENGTH + value_length(algorithm)
        value = content[start + HEAD_LENGTH : end]
        found.append(KeyRecord(usage & TYPE_MASK, usage >> LEVELS_SHIFT, id_, algorithm, right, value))
        start = end
    return found


class CardKey(NamedTuple):
    """The place of a card's key in a PSAM.

    ``city_bound`` states that its root is diversified to one city at every level
    of the PSAM.
    """

    kind: KeyType
    id: int
    national: bool
    city_bound: bool


def _keys(kind: KeyType, first: int, names: str, *, national: bool, city_bound: bool) -> dict[str, CardKey]:
    return {name: CardKey(kind, id_, national, city_bound) for id_, name in enumerate(names.split(), start=first)}


CARD_KEYS: Final[dict[str, CardKey]] = {
    **_keys(KeyType.ENCRYPT, 0x08, "IRK", national=True, city_bound=False),
    **_keys(KeyType.MAC, 0x09, "STK", national=True, city_bound=True),
    **_keys(KeyType.ENCRYPT, 0x0A, "RKSSSE", national=True, city_bound=False),
    **_keys(KeyType.MAC, 0x20, "STKDF01 STKDF02 STKDF03 STKDF04", national=True, city_bound=True),
    **_keys(
        KeyType.ENCRYPT,
        0x24,
        "UK3DF01 UK4DF01 UK1DF02 UK4DF02 UK5DF02 UK2DF03 UK2DF04",
        national=True,
        city_bound=True,
    ),
    **_keys(KeyType.ENCRYPT, 0x2B, "RK1DF03 RK2DF03 RK1DF04 RK1DF01 RK1DF02", national=True, city_bound=False),
    **_keys(
        KeyType.ENCRYPT,
        0x30,
        "UK6DF01 UK7DF01 UK8DF01 UK9DF01 UKADF01 UKBDF01 UK6DF02 UK4DF03 UK5DF03 UK6DF03 UK7DF03 UK8DF03",
        national=True,
        city_bound=True,
    ),
    **_keys(KeyType.MAC, 0x3C, "STKDF07", national=True, city_bound=True),
    **_keys(KeyType.ENCRYPT, 0x3D, "RK1DF07 RK2DF07 RK3DF07", national=True, city_bound=False),
    **_keys(KeyType.ENCRYPT, 0x10, "UKSSSE BK PUK", national=False, city_bound=False),
    **_keys(
        KeyType.ENCRYPT,
        0x40,
        "UK1DF01 UK2DF01 UK5DF01 UK2DF02 UK3DF02 LKDF03 UK1DF03 UK3DF03 LKDF04 UK1DF04 DSK",
        national=False,
        city_bound=False,
    ),
}
"""By the card's key name. DPK is apart: its id is its version."""

PURCHASE_KEY: Final = "DPK"
PURCHASE_VERSIONS: Final = (1, 2, 3)
ENCIPHERING_KEY: Final = "STK"
"""MAC only by the correspondence table, MAC and encrypt by the HSM's [OC-24]."""

NATIONAL_FILE, PROVINCE_FILE, CITY_FILE = 0x11, 0x12, 0x13
KEY_IDS: Final = {
    NATIONAL_FILE: frozenset((*PURCHASE_VERSIONS, *range(0x08, 0x10), *range(0x20, 0x40))),
    PROVINCE_FILE: frozenset((*range(0x10, 0x18), *range(0x40, 0x80))),
    CITY_FILE: frozenset((*range(0x18, 0x20), *range(0x80, 0xC0))),
}
"""The ids a key file may hold, by the low byte of its FID."""
