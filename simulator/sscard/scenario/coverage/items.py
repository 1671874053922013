"""The items of the test standard LD/T 6001-2023 and the numbers of LD/T 32.5 (test-standard.md §1–5).

Only titles are public, so a covered item does not show conformity.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from sscard.i18n.phrase import Words
from sscard.standard.generations import GENERATIONS, NEWEST, OLDEST

ALL: Final = tuple(GENERATIONS)
"""The generations in the order of the standard's versions."""
EARLIER: Final = tuple(name for name in ALL if name != NEWEST)
LATER: Final = tuple(name for name in ALL if name != OLDEST)


class StandardItem(NamedTuple):
    """An item of a test standard; ``mark`` is what a scenario writes under ``covers``.

    It is covered if scenarios that name it pass on a card of each of its ``generations``, and partly if they
    pass on some.
    """

    mark: str
    title: Words
    generations: tuple[str, ...] = ALL


_COS: Final = (
    StandardItem("LD/T 6001.2 function", Words("command function", "命令功能")),
    StandardItem("LD/T 6001.2 parameter", Words("command parameters", "命令参数")),
    StandardItem("LD/T 6001.2 firewall", Words("firewall", "防火墙")),
    StandardItem("LD/T 6001.2 tear", Words("tear-off", "防拔")),
    StandardItem("LD/T 6001.2 purchase", Words("medical purchase", "医疗消费交易")),
    StandardItem("LD/T 6001.2 certificate", Words("certificate application", "数字证书应用设置"), (NEWEST,)),
    StandardItem("LD/T 6001.2 compatibility", Words("compatibility of terminals", "终端的兼容性")),
)
_APPLICATIONS: Final = {
    **dict.fromkeys(("SSSE", "DF01", "DF02", "DF03", "DF04"), ALL),
    **dict.fromkeys(("DF05", "DF07"), LATER),
}
_DATA: Final = (
    StandardItem("LD/T 6001.3 6.1", Words("CHANGE PIN", "CHANGE PIN命令")),
    StandardItem("LD/T 6001.3 6.2", Words("answer to reset", "复位应答")),
    *(
        StandardItem(f"LD/T 6001.3 {chapter}.{number}", Words(f"{what} of {name}", f"{name}_{part}"), generations)
        for chapter, what, part in ((7, "records", "RECORD"), (8, "rights", "SAFETY"))
        for number, (name, generations) in enumerate(_APPLICATIONS.items(), start=1)
    ),
    StandardItem("LD/T 6001.3 9.1", Words("first version of a key", "KEY_VER1")),
    StandardItem("LD/T 6001.3 9.2", Words("second version of a key", "KEY_VER2")),
    StandardItem("LD/T 6001.3 9.3", Words("third version of a key", "KEY_VER3")),
    StandardItem("LD/T 6001.3 10.1", Words("files of the certificate application", "ACSE_RECORD"), (NEWEST,)),
    StandardItem("LD/T 6001.3 10.2", Words("rights of the certificate application", "ACSE_SAFETY"), (NEWEST,)),
    StandardItem("LD/T 6001.3 10.3", Words("certificates", "CHECK_CERT"), (NEWEST,)),
    StandardItem("LD/T 6001.3 11.1", Words("items of 1.0 and 2.0 cards", "社会保障卡1.0版本和2.0版本"), EARLIER),
)
DRIVER_TITLES: Final = {
    "iReadCardBas": Words("read basic data", "读基本信息"),
    "iReadCard": Words("read any readable file", "通用读卡"),
    "iWriteCard": Words("write any writable file", "通用写卡"),
    "iVerifyPIN": Words("verify the PIN", "PIN校验"),
    "iChangePIN": Words("change the PIN", "PIN修改"),
    "iReloadPIN": Words("reset the PIN", "PIN重置"),
    "iUnblockPIN": Words("unblock the PIN", "PIN解锁"),
    "iDoDebit": Words("purchase", "消费交易"),
    "iReadDebitRecord": Words("read purchase records", "读消费交易记录"),
}
"""Driver functions in the order of LD/T 6001.5 chapter 5."""
_WAYS: Final = {"PSAM": Words("by PSAM", "基于PSAM卡"), "HSM": Words("by HSM", "基于加密机")}


def ways_of(function: str) -> tuple[str, ...]:
    """The forms of a driver function: with keys of the PSAM, and, except for three, of the HSM."""
    by_psam_only = ("iVerifyPIN", "iChangePIN", "iReadDebitRecord")
    return ("PSAM",) if function in by_psam_only else tuple(_WAYS)


def _driver_items() -> Iterator[StandardItem]:
    for way, by in _WAYS.items():
        for name, title in DRIVER_TITLES.items():
            if way in ways_of(name):
                words = Words(f"{title.english}, {by.english}", f"{title.chinese}（{by.chinese}）")
                yield StandardItem(f"LD/T 6001.5 {name} ({way})", words)
    for name, title in (
        ("PKI_SignData", Words("sign", "签名")),
        ("PKI_VerifySign", Words("verify a signature", "验证签名")),
        ("envelope", Words("envelope encryption", "数字信封加密")),
    ):
        yield StandardItem(f"LD/T 6001.5 {name}", title)


_OTHER_PARTS: Final = (
    StandardItem("LD/T 6001.1", Words("physical properties and quality", "卡片质量物理特性检测")),
    StandardItem("LD/T 6001.4", Words("read-write terminal", "读写终端检测")),
)
COMMAND_NUMBERS: Final = {
    "7.1": "APPLICATION BLOCK",
    "7.2": "CARD BLOCK",
    "7.3": "CHANGE PIN",
    "7.4": "EXTERNAL AUTHENTICATION",
    "7.5": "GET CHALLENGE",
    "7.6": "GET RESPONSE",
    "7.7": "INTERNAL AUTHENTICATION",
}
"""Commands of LD/T 32.5 with a public number."""
SUB_ITEMS: Final = 5
"""Parts of each command of LD/T 32.5: scope, message, data field, response data, status words."""
_COMMANDS: Final = (
    StandardItem("LD/T 32.5 6.1", Words("command APDU", "命令APDU")),
    StandardItem("LD/T 32.5 6.2", Words("response APDU", "响应APDU")),
    StandardItem("LD/T 32.5 6.3.1", Words("basic commands", "基本命令")),
    StandardItem("LD/T 32.5 6.3.2", Words("medical commands", "专有命令")),
    StandardItem("LD/T 32.5 6.4", Words("status words", "状态返回码")),
    *(StandardItem(f"LD/T 32.5 {number}", Words(name, name)) for number, name in COMMAND_NUMBERS.items()),
)

ITEMS: Final = {
    item.mark: item for item in (*_OTHER_PARTS[:1], *_COS, *_DATA, *_OTHER_PARTS[1:], *_driver_items(), *_COMMANDS)
}
"""Every item by its mark, in the order of the standards."""
