"""Which algorithm a card computes with (LD/T 32.4; terminal flows §1.3)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

ALGORITHM_MARK: Final = bytes.fromhex("9F0C038601")
"""What stands before the algorithm id in the FCI: tag 9F0C, then tag 86."""
SSF33_CITIES: Final = "11"
"""City codes that begin so are SSF33 if the FCI names no algorithm."""


class Algorithm(IntEnum):
    """The ids of FCI tag 86. SSF33 is known, but not published: nothing here computes it."""

    DES = 0x01
    SSF33 = 0x02
    SM4 = 0x03

    @property
    def block(self) -> int:
        """Bytes of a cipher block."""
        return 8 if self is Algorithm.DES else 16


class UnknownAlgorithmId(LookupError):
    """The FCI names an id that is none of ``Algorithm``."""

    def __init__(self, algorithm: int) -> None:
        super().__init__(f"unknown algorithm {algorithm:02X}")
        self.algorithm = algorithm


def algorithm_of(fci: bytes, city_code: str) -> Algorithm:
    """The algorithm of a card with this FCI and city code (6 digits).

    What tag 86 names; without the tag SSF33 in city 11, else DES. Raises
    ``UnknownAlgorithmId`` for any other id.
    """
    _, mark, rest = fci.partition(ALGORITHM_MARK)
    if not mark or not rest:
        return Algorithm.SSF33 if city_code.startswith(SSF33_CITIES) else Algorithm.DES
    try:
        return Algorithm(rest[0])
    except ValueError:
        raise UnknownAlgorithmId(rest[0]) from None
