"""Command and response APDUs and the status words (状态码) of the card.

Used by all other packages: a command is ``bytes`` (CLA INS P1 P2 [Lc data]
[Le]), an answer is ``bytes`` (data ‖ SW1 SW2).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from sscard.i18n.phrase import Words
from sscard.pickling import PortableError

GET_RESPONSE_INS: Final = 0xC0


class SW(IntEnum):
    """Status words the card can answer (LD/T 32.5, complete list).

    ``TRIES_LEFT``, ``MORE_DATA`` and ``WRONG_LE`` carry a number in their low
    bits; ``status_words`` explains any word, these included.
    """

    OK = 0x9000
    MORE_DATA = 0x6100
    TRIES_LEFT = 0x63C0
    MEMORY_FAILURE = 0x6581
    WRONG_LENGTH = 0x6700
    WRONG_STATE = 0x6901
    WRONG_FILE_STRUCTURE = 0x6981
    SECURITY_NOT_SATISFIED = 0x6982
    METHOD_BLOCKED = 0x6983
    NO_CHALLENGE = 0x6984
    CONDITIONS_NOT_SATISFIED = 0x6985
    NO_CURRENT_EF = 0x6986
    MAC_MISSING = 0x6987
    WRONG_SECURE_MESSAGE = 0x6988
    WRONG_DATA = 0x6A80
    NOT_SUPPORTED = 0x6A81
    FILE_NOT_FOUND = 0x6A82
    RECORD_NOT_FOUND = 0x6A83
    FILE_FULL = 0x6A84
    LC_NOT_TLV = 0x6A85
    WRONG_P1P2 = 0x6A86
    KEY_NOT_FOUND = 0x6A88
    OFFSET_OUTSIDE = 0x6B00
    WRONG_LE = 0x6C00
    UNKNOWN_INS = 0x6D00
    UNKNOWN_CLA = 0x6E00
    NO_DATA_PENDING = 0x6F00
    WRONG_MAC = 0x9302
    APPLICATION_BLOCKED = 0x9303
    AMOUNT_INSUFFICIENT = 0x9401
    COUNTER_AT_MAXIMUM = 0x9402
    KEY_INDEX_UNKNOWN = 0x9403
    MAC_NOT_AVAILABLE = 0x9406


LESS_THAN_LE: Final = 0x6282
"""An answer of a contactless reader; the card has none."""
_TEXT: Final[dict[int, Words]] = {
    SW.OK: Words("done", "成功"),
    LESS_THAN_LE: Words("fewer bytes than Le", "数据少于Le"),
    SW.MEMORY_FAILURE: Words("memory failure", "存储器故障"),
    SW.WRONG_LENGTH: Words("wrong length", "长度错误"),
    SW.WRONG_STATE: Words("not accepted in this state", "命令不接受（无效状态）"),
    SW.WRONG_FILE_STRUCTURE: Words("incompatible with the file structure", "命令与文件结构不相容"),
    SW.SECURITY_NOT_SATISFIED: Words("security status not satisfied", "不满足安全状态"),
    SW.METHOD_BLOCKED: Words("PIN or key blocked", "认证方法锁定"),
    SW.NO_CHALLENGE: Words("no valid challenge", "引用数据无效（未取随机数）"),
    SW.CONDITIONS_NOT_SATISFIED: Words("conditions of use not satisfied", "使用条件不满足"),
    SW.NO_CURRENT_EF: Words("no current EF", "没有选择当前文件"),
    SW.MAC_MISSING: Words("MAC missing", "安全报文数据项丢失"),
    SW.WRONG_SECURE_MESSAGE: Words("secure message or MAC wrong", "安全报文数据项不正确"),
    SW.WRONG_DATA: Words("wrong data field", "数据域参数不正确"),
    SW.NOT_SUPPORTED: Words("not supported, or card locked", "功能不支持或卡片锁定"),
    SW.FILE_NOT_FOUND: Words("file not found", "未找到文件"),
    SW.RECORD_NOT_FOUND: Words("record not found", "未找到记录"),
    SW.FILE_FULL: Words("no room in the file", "文件空间不足"),
    SW.LC_NOT_TLV: Words("Lc inconsistent with TLV", "Lc与TLV结构不一致"),
    SW.WRONG_P1P2: Words("wrong P1 P2", "P1、P2参数不正确"),
    SW.KEY_NOT_FOUND: Words("key or referenced data not found", "未找到引用数据"),
    SW.OFFSET_OUTSIDE: Words("offset outside the EF", "偏移量超出文件"),
    SW.UNKNOWN_INS: Words("INS unknown", "INS不支持"),
    SW.UNKNOWN_CLA: Words("CLA unknown", "CLA不支持"),
    SW.NO_DATA_PENDING: Words("no data pending", "数据无效"),
    SW.WRONG_MAC: Words("MAC invalid", "MAC无效"),
    SW.APPLICATION_BLOCKED: Words("application permanently locked", "应用永久锁定"),
    SW.AMOUNT_INSUFFICIENT: Words("amount insufficient", "金额不足"),
    SW.COUNTER_AT_MAXIMUM: Words("transaction counter at maximum", "交易计数器达到最大值"),
    SW.KEY_INDEX_UNKNOWN: Words("key index not supported", "密钥索引不支持"),
    SW.MAC_NOT_AVAILABLE: Words("requested MAC not available", "所请求的MAC不可用"),
}
_UNKNOWN: Final = Words("unknown status word", "未知状态码")


class Answer(NamedTuple):
    """A parsed response APDU: data (0–256 bytes) and status word."""

    data: bytes
    sw: int


def command(cla: int, ins: int, p1: int, p2: int, data: bytes = b"", le: int | None = None) -> bytes:
    """Build a short command APDU: data 0–255 bytes, ``le`` 0–255 (0 asks for all)."""
    body = bytes((cla, ins, p1, p2))
    if data:
        body += bytes((len(data),)) + data
    if le is not None:
        body += bytes((le,))
    return body


class NoStatusWord(PortableError, ValueError):
    """An answer is shorter than a status word."""


def split(answer: bytes) -> Answer:
    """Split an answer of at least 2 bytes into data and status word; ``NoStatusWord`` if it is shorter."""
    if len(answer) < 2:
        raise NoStatusWord(f"an answer has at least 2 bytes, got {len(answer)}")
    return Answer(answer[:-2], answer[-2] << 8 | answer[-1])


def tries_in(sw: int) -> int | None:
    """Tries left as ``63Cx`` states them, ``None`` for any other status word."""
    return sw & 0x0F if sw & 0xFFF0 == SW.TRIES_LEFT else None


def tries_stated(sw: int) -> int | None:
    """The tries left that the status word of a PIN command states: 0 if blocked, ``None`` if it states none."""
    return 0 if sw == SW.METHOD_BLOCKED else tries_in(sw)


def status_words(sw: int) -> Words:
    """What a status word means, in English and Chinese."""
    tries = tries_in(sw)
    if tries is not None:
        return Words(
            f"verification failed, {tries} {'try' if tries == 1 else 'tries'} left", f"校验失败，剩余{tries}次"
        )
    low = sw & 0xFF
    if sw & 0xFF00 == SW.MORE_DATA:
        return Words(f"done, {low} {'byte' if low == 1 else 'bytes'} waiting", f"还有{low}字节数据")
    if sw & 0xFF00 == SW.WRONG_LE:
        return Words(f"wrong Le, {low or 256} is right", f"Le错误，应为{low or 256}")
    return _TEXT.get(sw, _UNKNOWN)


def named_status(sw: int) -> Words:
    """A status word, four hex digits, and what it means."""
    words = status_words(sw)
    return Words(f"{sw:04X} {words.english}", f"{sw:04X} {words.chinese}")
