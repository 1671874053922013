"""What no scenario can reach, or only partly, and why. A test fails if one that cannot be reached is reached."""

from __future__ import annotations

from typing import Final

from sscard.i18n.phrase import Words
from sscard.scenario.coverage.facts import COMMAND_STATUS, FILE_RIGHTS, KEY_VERSIONS, STANDARD_ITEMS

Reasons = dict[tuple[str, ...], Words]
"""Reasons by key of a dimension."""

_DIVISION: Final = Words("the public contents do not show which items it names", "公开的目录未显示其所列项目")
_PHYSICS: Final = Words("physical properties: not a matter of software", "物理特性，软件无法检测")
_PKI: Final = Words("the commands that it sends to the card are not public", "其发往卡片的命令未公开")

_NO_CHALLENGE: Final = Words(
    "VERIFY uses no challenge and no other data that could be invalid", "VERIFY不使用随机数，也无其他可能无效的数据"
)
_NO_WRITE: Final = Words("it writes nothing", "不写入任何数据")
_NO_KEY: Final = Words("only the update asks for DSK", "仅更新要求DSK")

_LOCKED_OUTSIDE: Final = Words(
    "a locked card does not select the environment of the PIN", "卡片锁定后不能选择该PIN所在的环境"
)
_NO_LOCK: Final = Words("no command locks the certificate application", "没有命令可锁定数字证书应用")
_NO_UPDATE: Final = Words("the environment of the file has no command that writes", "该文件所在环境没有写命令")
_FIRST_DTK: Final = Words("the TAC is computed with the first version", "TAC始终用第一版本计算")

_PKI_FUNCTIONS: Final = ("PKI_SignData", "PKI_VerifySign", "envelope")

UNREACHABLE: Final[dict[str, Reasons]] = {
    COMMAND_STATUS: {
        ("VERIFY (00 20)", "6984"): _NO_CHALLENGE,
        ("INITIALIZE FOR LOAD (B0 28)", "6581"): _NO_WRITE,
        ("INITIALIZE FOR PURCHASE (B0 28)", "6581"): _NO_WRITE,
        ("GET STARTING DAY (B0 56)", "6982"): _NO_KEY,
        ("VERIFY CERTIFICATE PIN (00 20)", "6A81"): _LOCKED_OUTSIDE,
        ("VERIFY CERTIFICATE PIN (00 20)", "9303"): _NO_LOCK,
    },
    FILE_RIGHTS: {
        ("3.0", f"certificates EF{sfi}", "write-refused"): _NO_UPDATE for sfi in ("12", "13", "14", "15", "18", "19")
    },
    KEY_VERSIONS: {("DTK", "2"): _FIRST_DTK, ("DTK", "3"): _FIRST_DTK},
    STANDARD_ITEMS: {
        ("LD/T 6001.1",): _PHYSICS,
        ("LD/T 6001.3 11.1",): _DIVISION,
        **{(f"LD/T 6001.5 {name}",): _PKI for name in _PKI_FUNCTIONS},
    },
}
"""Keys that cannot be reached, by dimension."""

_TERMINAL: Final = Words(
    "the conduct of the terminal towards the card; not its hardware", "仅终端对卡的操作流程，不含终端硬件"
)
_STUB: Final = Words(
    "a stub: environment, files and PINs; commands with its keys are not public",
    "桩实现：环境、文件和PIN；使用其密钥的命令未公开",
)
PARTLY: Final[Reasons] = {
    ("LD/T 6001.4",): _TERMINAL,
    ("LD/T 6001.2 certificate",): _STUB,
    ("LD/T 6001.3 10.1",): _STUB,
    ("LD/T 6001.3 10.2",): _STUB,
    ("LD/T 6001.3 10.3",): _STUB,
}
"""Items of the test standard that scenarios can cover only partly."""
