"""What a driver function returns when it fails (driver-api.md §6 and §7): a code and its description."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final

from sscard.chip.engine import PowerError
from sscard.chip.memory import PowerLost
from sscard.errors import InputError, MissingPart
from sscard.pickling import PortableError
from sscard.standard.apdu import SW, status_words, tries_in
from sscard.terminal.errors import ApduError, PinBlocked, UnknownAlgorithm, WrongPin
from sscard.terminal.psam import PsamError
from sscard.transport.connection import ShortAnswer
from sscard.transport.faults import CardMute, CardRemoved, TransportError
from sscard.transport.pcsc import CardReset


class Code(IntEnum):
    """The driver's own return codes; a card's refusal is ``-SW``, which ``code_of`` computes."""

    OK = 0
    CARD_TYPE = -1
    """The ATR does not have 13 historical bytes, or the card has no SSSE."""
    NO_CARD = -2
    """No card in any reader that iType selects, or it was removed."""
    NO_POWER = -3
    """Another program powered off or reset the card between two steps."""
    NO_ANSWER = -4
    """The card is mute, or its answer is shorter than a status word."""
    LIBRARY = -5
    """A part of the environment is missing, such as pyscard."""
    READER = -11
    """The reader cannot be opened, or failed."""
    NOT_CONNECTED = -12
    """The terminal has no such reader, or the group of steps is not open."""
    UNSUPPORTED = -13
    """The card's version or algorithm is unknown to this driver."""
    PARAMETER = -14
    CHECKSUM = -15
    """The check byte of the ATR (TCK) is wrong."""
    IDENTIFICATION_CODE = -20
    NOT_GENUINE = -21
    HSM_DIFFERS = -25
    """Alternative table: ``NOT_GENUINE`` in iReadCardBas_HSM_Step2."""
    OTHER_CARD = -22
    ILLEGAL_DATA = -23
    PSAM_LEVEL = -24
    CANCELLED = -31
    TIMED_OUT = -32
    PIN_LENGTH = -33
    PINS_DIFFER = -34
    INITIAL_PIN = -35
    TO_INITIAL_PIN = -36
    CHARACTERS = -41
    LENGTH = -42
    PIN_WRONG = -51
    PIN_BLOCKED = -52
    NO_PSAM = -2201
    PSAM_ALGORITHM = -2202
    PSAM_RKSSSE = -2203
    HSM_NOT_NEEDED = -2204
    KEY_NOT_FOUND = -27272
    """Also ``-SW`` of 6A88."""
    UNKNOWN = -999
    """Alternative table: a status word without a code."""


LOWEST_STATUS: Final = 0x6000
"""Smaller numbers are no status words."""
FALLBACK: Final = frozenset({Code.NO_PSAM, Code.PSAM_ALGORITHM, Code.PSAM_RKSSSE, Code.KEY_NOT_FOUND, Code.PSAM_LEVEL})
"""The five codes on which an application continues with the HSM functions (driver-api.md §5)."""


class ErrorTable(StrEnum):
    """Which table of return codes a driver uses (driver-api.md §7 and §7.1) [OC-43]."""

    STANDARD = "standard"
    ALTERNATIVE = "alternative"
    """The control of a program, compiled."""
    SCRIPT = "alternative-script"
    """The same control as a script, which knows fewer status words."""


TEXT: Final[dict[Code, str]] = {
    Code.CARD_TYPE: "卡类型不对",
    Code.NO_CARD: "无卡",
    Code.NO_POWER: "卡未上电",
    Code.NO_ANSWER: "卡无应答",
    Code.LIBRARY: "加载动态库错",
    Code.READER: "读写器连接错",
    Code.NOT_CONNECTED: "未建立连接",
    Code.UNSUPPORTED: "动态库不支持该命令",
    Code.PARAMETER: "命令参数错",
    Code.CHECKSUM: "信息校验和出错",
    Code.IDENTIFICATION_CODE: "卡识别码格式错",
    Code.NOT_GENUINE: "内部认证失败，卡片不合法",
    Code.HSM_DIFFERS: "卡与加密机内部认证结果不一致",
    Code.OTHER_CARD: "传入数据与卡内数据不符",
    Code.ILLEGAL_DATA: "传入数据不合法",
    Code.PSAM_LEVEL: "PSAM卡密钥级别不够",
    Code.CANCELLED: "用户取消密码输入",
    Code.TIMED_OUT: "密码输入超时",
    Code.PIN_LENGTH: "密码长度错",
    Code.PINS_DIFFER: "两次输入的密码不一致",
    Code.INITIAL_PIN: "初始密码不能进行交易",
    Code.TO_INITIAL_PIN: "不能修改为初始密码",
    Code.CHARACTERS: "操作数含有非法字符",
    Code.LENGTH: "操作数长度错",
    Code.PIN_WRONG: "密码错误",
    Code.PIN_BLOCKED: "密码已锁定",
    Code.NO_PSAM: "无PSAM卡",
    Code.PSAM_ALGORITHM: "PSAM卡不支持该算法",
    Code.PSAM_RKSSSE: "PSAM卡中无RKSSSE密钥",
    Code.HSM_NOT_NEEDED: "读取该文件不需要加密机",
    Code.KEY_NOT_FOUND: "未找到密钥或引用数据",
    Code.UNKNOWN: "未知错误",
}


class DriverError(PortableError):
    """A driver function returns this code; ``detail`` is part of the description and never a secret."""

    def __init__(self, code: int, detail: str = "") -> None:
        self.code = code
        self.detail = detail
        super().__init__(self.description)

    @property
    def description(self) -> str:
        """The description in pOutInfo."""
        text = describe(self.code)
        return f"{text}，{self.detail}" if self.detail else text


class ShortKey(DriverError):
    """A pKey of a second step has too few characters: −42, or −23 by the alternative table."""


def describe(code: int) -> str:
    """A return code in words."""
    try:
        return TEXT[Code(code)]
    except (KeyError, ValueError):
        return status_words(-code).chinese


def code_of(sw: int, *, reversed_tries: bool = False) -> int:
    """A status word as a return code: ``-SW``.

    63Cx (x tries left) gives −(25536 + x). The sheet's list names −25536,
    −25537, −25538 as 2, 1, 0 tries left instead; ``reversed_tries`` follows
    that list for the three it names.
    """
    tries = tries_in(sw)
    if reversed_tries and tries is not None and tries <= 2:
        return -(0x63C0 + 2 - tries)
    return -sw


_TRANSPORT: Final[tuple[tuple[type[Exception], Code], ...]] = (
    (CardRemoved, Code.NO_CARD),
    (PowerLost, Code.NO_CARD),
    (CardMute, Code.NO_ANSWER),
    (ShortAnswer, Code.NO_ANSWER),
    (CardReset, Code.NO_POWER),
    (PowerError, Code.NO_POWER),
    (TransportError, Code.READER),
    (MissingPart, Code.LIBRARY),
    (InputError, Code.READER),
)
"""Errors of a connection, derived classes before their bases."""

FAILURES: Final[tuple[type[Exception], ...]] = (
    *(DriverError, PsamError, ApduError, UnknownAlgorithm),
    *(kind for kind, _ in _TRANSPORT),
)
"""The errors that become a return code; any other is a programming error and is raised."""


def outcome(
    error: Exception,
    table: ErrorTable = ErrorTable.STANDARD,
    function: str = "",
    *,
    reversed_tries: bool = False,
) -> tuple[int, str]:
    """The return code and description of one of ``FAILURES`` that ended ``function``."""
    if table != ErrorTable.STANDARD:
        if isinstance(error, DriverError):
            return _alternative_code(error, table, function)
        if isinstance(error, PsamError) and error.code <= -LOWEST_STATUS:  # a status word of the PSAM
            return _alternative_status(ApduError("PSAM", -error.code), table)
        if isinstance(error, ApduError):
            return _alternative_status(error, table)
    if isinstance(error, DriverError):
        return int(error.code), error.description
    if isinstance(error, PsamError):
        return error.code, describe(error.code)
    if isinstance(error, WrongPin):
        return int(Code.PIN_WRONG), f"{TEXT[Code.PIN_WRONG]}，剩余{error.tries_left}次"
    if isinstance(error, PinBlocked):
        return int(Code.PIN_BLOCKED), TEXT[Code.PIN_BLOCKED]
    if isinstance(error, UnknownAlgorithm):
        return int(Code.UNSUPPORTED), TEXT[Code.UNSUPPORTED]
    if isinstance(error, ApduError):
        return code_of(error.sw, reversed_tries=reversed_tries), status_words(error.sw).chinese
    code = next(code for kind, code in _TRANSPORT if isinstance(error, kind))
    return int(code), TEXT[code]


_SAME: Final = frozenset(
    {0x6981, 0x6982, 0x6983, 0x6984, 0x6988, 0x6A80, 0x6A81, 0x6A82, 0x6A83, 0x6A88, 0x9302, 0x9303, 0x9403, 0x9406}
)
"""Status words with the same code in both tables."""
_UNKNOWN_TO_SCRIPT: Final = frozenset({0x6983, 0x6984, 0x6988, 0x6A80})
_OTHER: Final = {
    0x6C00: (-26368, "Lc/Le错误"),
    0x6700: (-26369, "P1、P2与Lc不一致"),
    0x6A86: (-26370, "P1、P2错误"),
    0x6986: (-26881, "无效状态"),
}
"""Status words with another code in the alternative table."""
_CLASS_WRONG: Final = (-26371, "CLA错误")
_BLOCKED_IN_SCRIPT: Final = -27013


def _alternative_code(error: DriverError, table: ErrorTable, function: str) -> tuple[int, str]:
    """One of the driver's own codes in the alternative table (driver-api.md §7.1)."""
    code = error.code
    if isinstance(error, ShortKey):
        code = Code.ILLEGAL_DATA
    elif (function, code) == ("iReadCardBas_HSM_Step2", Code.NOT_GENUINE):
        code = Code.HSM_DIFFERS
    elif (function, code) == ("iReloadPIN_HSM_Step1", Code.OTHER_CARD):
        code = Code.PARAMETER
    elif (table, code) == (ErrorTable.SCRIPT, Code.PIN_BLOCKED):  # 6983 of VERIFY
        code = Code.UNKNOWN
    return int(code), describe(code) if code != error.code else error.description


def _alternative_status(error: ApduError, table: ErrorTable) -> tuple[int, str]:
    """A status word in the alternative table: −51 for every 63Cx, −999 for one without a line."""
    sw, script = error.sw, table == ErrorTable.SCRIPT
    tries = tries_in(sw)
    if sw in _OTHER:
        return _OTHER[sw]
    if sw >> 8 == SW.UNKNOWN_CLA >> 8:
        return _CLASS_WRONG
    if tries is not None and not script:
        return int(Code.PIN_WRONG), f"{TEXT[Code.PIN_WRONG]}，剩余{tries}次"
    if isinstance(error, PinBlocked) and not script:
        return int(Code.PIN_BLOCKED), TEXT[Code.PIN_BLOCKED]
    if sw == SW.APPLICATION_BLOCKED and script:
        return _BLOCKED_IN_SCRIPT, status_words(sw).chinese
    if sw in _SAME and not (script and sw in _UNKNOWN_TO_SCRIPT):
        return code_of(sw), status_words(sw).chinese
    return int(Code.UNKNOWN), TEXT[Code.UNKNOWN]
