"""Which algorithm a card computes with (LD/T 32.4; terminal-flows.md §1.3)."""

from __future__ import annotations

from typing import Final

from sscard.pickling import PortableError
from sscard.standard.cipher import ALGORITHM_NAMES, DES, SSF33_ID, SUITES
from sscard.standard.encoding import records

ISSUER_DATA: Final = bytes.fromhex("9F0C")
"""Tag of the issuer data in the FCI, which contain the algorithm under tag 86."""
ALGORITHM: Final = 0x86
SSF33_CITIES: Final = "11"
"""Prefix of the city codes that mean SSF33 if the FCI names no algorithm."""


class UnknownAlgorithmId(PortableError, LookupError):
    """The FCI names an id that is not in ``ALGORITHM_NAMES``."""

    def __init__(self, algorithm: int) -> None:
        super().__init__(f"unknown algorithm {algorithm:02X}")
        self.algorithm = algorithm


def algorithm_of(fci: bytes, city_code: str) -> int:
    """The id of the algorithm of a card with this FCI and city code (6 digits).

    The value of tag 86; without the tag SSF33 in city 11, else DES. Raises
    ``UnknownAlgorithmId`` for a value that is not in ``ALGORITHM_NAMES``, or
    not one byte: a wrong guess costs a try of the key.
    """
    rest = fci.partition(ISSUER_DATA)[2]
    for record in records(rest[1 : 1 + rest[0]] if rest else b""):
        if record[0] == ALGORITHM:
            value = int.from_bytes(record[2:], "big")
            if len(record) != 3 or value not in ALGORITHM_NAMES:
                raise UnknownAlgorithmId(value)
            return value
    return SSF33_ID if city_code.startswith(SSF33_CITIES) else DES.algorithm_id


def block_of(algorithm: int) -> int:
    """Bytes of a cipher block of an algorithm, 16 for SSF33, which is not public."""
    return SUITES[algorithm].block if algorithm in SUITES else 16
