"""What no scenario can reach, or only partly, and why. A test fails if one that cannot be reached is reached."""

from __future__ import annotations

from typing import Final

from sscard.i18n.phrase import Words
from sscard.scenario.coverage.facts import COMMAND_STATUS, KEY_VERSIONS, SEED_CLAUSES, STANDARD_ITEMS

Reasons = dict[tuple[str, ...], Words]
"""Reasons by key of a dimension."""

_PAGE: Final = Words("a description that `sscard item` prints", "说明性内容，由 `sscard item` 显示")
_EMPTY: Final = Words("the page leaves it empty", "页面此项为“无”")
_NOT_SHOWN: Final = Words("the public contents do not show it", "公开的目录未显示该项")
_PHYSICS: Final = Words("physical properties: not a matter of software", "物理特性，软件无法检测")
_PKI: Final = Words("the commands that it sends to the card are not public", "其发往卡片的命令未公开")

_NO_CHALLENGE: Final = Words(
    "VERIFY uses no challenge and no other data that could be invalid", "VERIFY不使用随机数，也无其他可能无效的数据"
)
_NO_WRITE: Final = Words("it writes nothing", "不写入任何数据")
_NO_KEY: Final = Words("only the update asks for DSK", "仅更新要求DSK")

_FIRST_DTK: Final = Words("the TAC is computed with the first version", "TAC始终用第一版本计算")

_DESCRIPTIONS: Final = (
    "1.1 1.2 1.3 1.7 1.8 1.9 1.10 1.11 1.16 1.21 1.22 2.1 2.2 2.4 2.5 2.12 2.14 2.15 2.17 2.18 3.1 3.2 3.3 3.4 5"
)
_EMPTY_CLAUSES: Final = "1.20 1.24 2.3 2.7 2.8 2.9 2.10 2.11 2.13 2.16 7.1 7.2 7.3 7.4 7.5"
_PKI_FUNCTIONS: Final = ("PKI_SignData", "PKI_VerifySign", "envelope")

UNREACHABLE: Final[dict[str, Reasons]] = {
    COMMAND_STATUS: {
        ("VERIFY (00 20)", "6984"): _NO_CHALLENGE,
        ("INITIALIZE FOR LOAD (B0 28)", "6581"): _NO_WRITE,
        ("INITIALIZE FOR PURCHASE (B0 28)", "6581"): _NO_WRITE,
        ("GET STARTING DAY (B0 56)", "6982"): _NO_KEY,
    },
    KEY_VERSIONS: {("DTK", "2"): _FIRST_DTK, ("DTK", "3"): _FIRST_DTK},
    SEED_CLAUSES: {
        **{(number,): _PAGE for number in _DESCRIPTIONS.split()},
        **{(number,): _EMPTY for number in _EMPTY_CLAUSES.split()},
    },
    STANDARD_ITEMS: {
        ("LD/T 6001.1",): _PHYSICS,
        ("LD/T 6001.3 11.1",): _NOT_SHOWN,
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
