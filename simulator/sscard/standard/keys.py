"""The keys of the card (LD/T 32.4, card security sheet §2).

Numbers are P2 of EXTERNAL AUTHENTICATION. Where the sheet gives none they are
inferred: DSK has 87, the others the free ones of their DF from 89 upward in
the sheet's order. A number means the same key in every generation.
"""

from __future__ import annotations

from typing import Final

from sscard.standard.applications import DF01, DF02, DF03, DF04, DF05, DF06, DF07
from sscard.standard.tree import KeySpec, Purpose

ALL: Final = "all"
FIRST: Final = "1.0"
"""Named by part 6 alone."""
LATER: Final = "2.0"
"""Added by 2.0."""
OPTIONAL: Final = "optional"
"""Of the applications in the annex."""

_APPLICATION_KEYS: Final = (
    ("STKDF01", DF01, 0x82, ALL),
    ("UK1DF01", DF01, 0x83, ALL),
    ("UK2DF01", DF01, 0x84, ALL),
    ("UK3DF01", DF01, 0x85, ALL),
    ("UK4DF01", DF01, 0x86, ALL),
    ("UK5DF01", DF01, 0x87, ALL),
    ("RK1DF01", DF01, 0x89, LATER),
    ("UK6DF01", DF01, 0x8A, LATER),
    ("UK7DF01", DF01, 0x8B, LATER),
    ("UK8DF01", DF01, 0x8C, LATER),
    ("UK9DF01", DF01, 0x8D, LATER),
    ("UKADF01", DF01, 0x8E, LATER),
    ("UKBDF01", DF01, 0x8F, LATER),
    ("STKDF02", DF02, 0x82, ALL),
    ("UK1DF02", DF02, 0x83, ALL),
    ("UK2DF02", DF02, 0x84, ALL),
    ("UK3DF02", DF02, 0x85, ALL),
    ("UK4DF02", DF02, 0x86, ALL),
    ("UK5DF02", DF02, 0x87, ALL),
    ("RK1DF02", DF02, 0x89, LATER),
    ("UK6DF02", DF02, 0x8A, LATER),
    ("STKDF03", DF03, 0x82, ALL),
    ("LKDF03", DF03, 0x83, ALL),
    ("RK1DF03", DF03, 0x84, ALL),
    ("RK2DF03", DF03, 0x85, ALL),
    ("UK1DF03", DF03, 0x86, ALL),
    ("UK2DF03", DF03, 0x87, ALL),
    ("UK3DF03", DF03, 0x88, ALL),
    ("UK4DF03", DF03, 0x89, ALL),
    ("UK5DF03", DF03, 0x8A, ALL),
    ("UK6DF03", DF03, 0x8B, ALL),
    ("UK7DF03", DF03, 0x8C, LATER),
    ("UK8DF03", DF03, 0x8D, LATER),
    ("RK3DF03", DF03, 0x8E, FIRST),
    ("RK4DF03", DF03, 0x8F, FIRST),
    ("RK5DF03", DF03, 0x90, FIRST),
    ("STKDF04", DF04, 0x82, ALL),
    ("LKDF04", DF04, 0x83, ALL),
    ("RK1DF04", DF04, 0x84, ALL),
    ("UK1DF04", DF04, 0x85, ALL),
    ("UK2DF04", DF04, 0x86, ALL),
    ("DSK", DF04, 0x87, ALL),
    ("DLK", DF04, 0x89, ALL),
    ("DTK", DF04, 0x8A, ALL),
    ("DPK", DF04, 0x8B, ALL),
    ("UK3DF04", DF04, 0x8C, FIRST),
    ("STKDF07", DF07, 0x82, LATER),
    ("RK1DF07", DF07, 0x89, LATER),
    ("RK2DF07", DF07, 0x8A, LATER),
    ("RK3DF07", DF07, 0x8B, LATER),
    ("UK1DF07", DF07, 0x8C, LATER),
    ("UK2DF07", DF07, 0x8D, LATER),
    ("UK3DF07", DF07, 0x8E, LATER),
    ("STKDF05", DF05, 0x82, OPTIONAL),
    ("UK1DF05", DF05, 0x89, OPTIONAL),
    ("STKDF06", DF06, 0x82, OPTIONAL),
    ("LKDF06", DF06, 0x89, OPTIONAL),
    ("UK1DF06", DF06, 0x8A, OPTIONAL),
    ("UK2DF06", DF06, 0x8B, OPTIONAL),
    ("RK1DF06", DF06, 0x8C, OPTIONAL),
)


def updater_name(generation: str) -> str:
    """The key that writes SSSE's files: 1.0 calls it UKMF."""
    return "UKMF" if generation == "1.0" else "UKSSSE"


def card_keys(generation: str, ssse: int, optional: bool) -> list[KeySpec]:
    """The keys of a generation, SSSE (with this FID) first."""
    first = generation == "1.0"
    held = {ALL, FIRST} if first else {ALL, LATER, OPTIONAL} if optional else {ALL, LATER}
    keys = [
        KeySpec("IRK", ssse, 0x00, Purpose.INTERNAL, versions=3, chinese="内部认证密钥"),
        KeySpec("STK", ssse, 0x02, Purpose.MAC, des_length=8, chinese="安全报文密钥"),
        KeySpec(updater_name(generation), ssse, 0x04, Purpose.EXTERNAL, versions=3, counted=True, chinese="更新密钥"),
        KeySpec("BK", ssse, 0x05, Purpose.EXTERNAL, chinese="卡片锁定密钥"),
        KeySpec("PUK", ssse, 0x06, Purpose.EXTERNAL, counted=True, chinese="个人密码解锁密钥"),
    ]
    if not first:
        keys.append(KeySpec("RKSSSE", ssse, 0x0A, Purpose.EXTERNAL, versions=3, counted=True, chinese="读取密钥"))
    return keys + [_key(name, df, number) for name, df, number, where in _APPLICATION_KEYS if where in held]


def _key(name: str, df: int, number: int) -> KeySpec:
    """A key of an application; the letters of its name tell its kind, as in UK3DF01."""
    kind, ordinal = name[:2], name[2:3]
    if kind == "UK":
        return KeySpec(name, df, number, Purpose.EXTERNAL, versions=3, counted=True, chinese=f"更新密钥{ordinal}")
    if kind == "RK":
        return KeySpec(name, df, number, Purpose.EXTERNAL, versions=3, counted=True, chinese=f"读取密钥{ordinal}")
    if kind == "LK":
        return KeySpec(name, df, number, Purpose.EXTERNAL, chinese="应用锁定密钥")
    if kind == "ST":
        return KeySpec(name, df, number, Purpose.MAC, des_length=8, chinese="安全报文密钥")
    if name == "DSK":
        return KeySpec(name, df, number, Purpose.EXTERNAL, versions=3, chinese="年度起始日期修改密钥")
    return KeySpec(name, df, number, Purpose.MEDICAL, versions=3, chinese=_MEDICAL_NAMES[name])


_MEDICAL_NAMES: Final = {"DLK": "帐户划入密钥", "DTK": "交易认证密钥", "DPK": "医疗消费密钥"}
