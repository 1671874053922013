"""The structure of a PSAM: environments, files, keys, and their memory cells (driver-api.md §8).

The environment of an algorithm follows from its id in the FCI. That of SM4 is
inferred: name sx3.sh.社会保障 after the other two, FID DDF2 after SSF33's DDF1.
SSF33 is secret, so its environment is not available. The location of a file, in
the environment or in the application, follows from its write key (inferred).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, NamedTuple

from sscard.psam.keys import CITY_FILE, NATIONAL_FILE, PROVINCE_FILE
from sscard.standard.cipher import ALGORITHM_NAMES, DES, SSF33_ID, SUITES, Suite

APPLICATION_FID: Final = 0xDF01
APPLICATION_AID: Final = bytes.fromhex("D15600000590")

MAIN_KEY: Final = 0x00
"""DDF-MK, the main key of an environment."""
OWN_KEYS: Final = ("DDF-MK", "KID-01", "KID-02", "KID-03")
"""By number, which is P2 of EXTERNAL AUTHENTICATION; KID-01 to 03 write the files of nation, province and city."""

TERMINAL_INFO, TERMINAL_SEQUENCE = 0x16, 0x19


class Environment(NamedTuple):
    """An environment (环境): one algorithm with its own files and keys."""

    fid: int
    name: bytes
    suite: Suite


def environment_name(algorithm: int) -> bytes:
    """``sx1.sh.社会保障`` in GB code for algorithm 01, ``sx2…`` for 02, 15 bytes."""
    return b"sx%d.sh." % algorithm + "社会保障".encode("gb2312")


def environment_fid(algorithm: int) -> int:
    """The MF for DES, a DDF below it for each algorithm after it."""
    return 0x3F00 if algorithm == DES.algorithm_id else 0xDDF0 + algorithm - DES.algorithm_id


ENVIRONMENTS: Final = tuple(
    Environment(environment_fid(id_), environment_name(id_), suite) for id_, suite in SUITES.items()
)
ENVIRONMENT_NAMES: Final = {algorithm: environment_name(algorithm) for algorithm in ALGORITHM_NAMES}
"""By the algorithm id of the card's FCI."""
SSF33_FID: Final = environment_fid(SSF33_ID)
SSF33_NAME: Final = environment_name(SSF33_ID)


class Kind(IntEnum):
    """The type of a file's content."""

    TRANSPARENT = 0
    RECORDS = 1
    KEYS = 2
    """Key records: used by commands, never read or selected."""


class PsamFile(NamedTuple):
    """An EF: FID 00xx, whether it is in DF01, size in bytes, number of the PSAM key for writing (−1: not writable)."""

    sfi: int
    name: str
    chinese: str
    kind: Kind
    in_application: bool
    size: int
    writer: int


NEVER: Final = -1
KEY_ROOM: Final = 64 * 24
"""Bytes of a key file; its size is open."""

FILES: Final = (
    PsamFile(0x01, "directory", "目录", Kind.RECORDS, False, 10, MAIN_KEY),
    PsamFile(0x15, "public info", "公共信息", Kind.TRANSPARENT, False, 15, MAIN_KEY),
    PsamFile(TERMINAL_INFO, "terminal info", "终端信息", Kind.TRANSPARENT, False, 6, MAIN_KEY),
    PsamFile(TERMINAL_SEQUENCE, "terminal sequence", "终端交易序号", Kind.TRANSPARENT, True, 4, NEVER),
    PsamFile(0x1A, "national info", "全国应用信息", Kind.TRANSPARENT, True, 10, 1),
    PsamFile(0x1B, "province info", "省级应用信息", Kind.TRANSPARENT, True, 10, 2),
    PsamFile(0x1C, "city info", "地市应用信息", Kind.TRANSPARENT, True, 10, 3),
    PsamFile(NATIONAL_FILE, "national keys", "全国密钥", Kind.KEYS, True, KEY_ROOM, 1),
    PsamFile(PROVINCE_FILE, "province keys", "省级密钥", Kind.KEYS, True, KEY_ROOM, 2),
    PsamFile(CITY_FILE, "city keys", "地市密钥", Kind.KEYS, True, KEY_ROOM, 3),
)
_PLACES: Final = {file.sfi: place for place, file in enumerate(FILES)}
FILES_BY_SFI: Final = {file.sfi: file for file in FILES}

# Number cells: the flag every PSAM has, then the tries of each environment's own keys.
BLOCKED: Final = 0


def tries_cell(environment: int, number: int) -> int:
    """The number cell with the tries left of an environment's own key."""
    return BLOCKED + 1 + environment * len(OWN_KEYS) + number


def file_cell(environment: int, sfi: int) -> int:
    """The string cell of an environment's file."""
    return environment * len(FILES) + _PLACES[sfi]


def number_names(environments: Sequence[Environment]) -> list[str]:
    """A stable name for each number cell, by cell."""
    return ["blocked"] + [f"{held.suite.name} {key} tries" for held in environments for key in OWN_KEYS]


def string_names(environments: Sequence[Environment]) -> list[str]:
    """A stable name for each string cell, by cell."""
    return [f"{held.suite.name} {file.sfi:04X}" for held in environments for file in FILES]
