"""Which algorithm a card computes with (LD/T 32.4; terminal-flows.md §1.3)."""

from __future__ import annotations

from typing import Final

from sscard.pickling import PortableError
from sscard.standard.cipher import ALGORITHM_NAMES, DES, SSF33_ID, SUITES

ALGORITHM_MARK: Final = bytes.fromhex("9F0C038601")
"""The bytes before the algorithm id in the FCI: tag 9F0C, then tag 86."""
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
    ``UnknownAlgorithmId`` for an id that is not in ``ALGORITHM_NAMES``.
    """
    _, mark, rest = fci.partition(ALGORITHM_MARK)
    if not mark or not rest:
        return SSF33_ID if city_code.startswith(SSF33_CITIES) else DES.algorithm_id
    if rest[0] not in ALGORITHM_NAMES:
        raise UnknownAlgorithmId(rest[0])
    return rest[0]


def block_of(algorithm: int) -> int:
    """Bytes of a cipher block of an algorithm, 16 for SSF33, which is not public."""
    return SUITES[algorithm].block if algorithm in SUITES else 16
