"""The keys of the card (LD/T 32.4, card-security.md §2).

Numbers are P2 of EXTERNAL AUTHENTICATION. If the standard gives no number, it is
inferred: DSK has 87, the others the free numbers of their DF from 89 upward in
the standard's order. A number is the same key in every generation. Each key has
a root with the same name in the issuer's key file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from sscard.standard.applications import DF01, DF02, DF03, DF04, DF05, DF06, DF07
from sscard.standard.tree import SSSE, KeySpec, Purpose

ALL: Final = "all"
FIRST: Final = "1.0"
"""Named by part 6 alone."""
LATER: Final = "2.0"
"""Added by 2.0."""
OPTIONAL: Final = "optional"
"""Of the applications in the annex."""

_INTERNAL, _EXTERNAL, _MAC, _MEDICAL = Purpose.INTERNAL, Purpose.EXTERNAL, Purpose.MAC, Purpose.MEDICAL

_UPDATER: Final = KeySpec("UKSSSE", SSSE, 0x04, _EXTERNAL, LATER, versions=3, counted=True, chinese="更新密钥")
_SSSE_KEYS: Final = (
    KeySpec("IRK", SSSE, 0x00, _INTERNAL, ALL, versions=3, chinese="内部认证密钥"),
    KeySpec("STK", SSSE, 0x02, _MAC, ALL, des_length=8, chinese="安全报文密钥"),
    replace(_UPDATER, name="UKMF", group=FIRST),
    _UPDATER,
    KeySpec("BK", SSSE, 0x05, _EXTERNAL, ALL, chinese="卡片锁定密钥"),
    KeySpec("PUK", SSSE, 0x06, _EXTERNAL, ALL, counted=True, chinese="个人密码解锁密钥"),
    KeySpec("RKSSSE", SSSE, 0x0A, _EXTERNAL, LATER, versions=3, counted=True, chinese="读取密钥"),
)
ROOT_OF: Final = {"UKMF": "UKSSSE"}
"""Keys with different names in a generation and in the issuer's key file, which has one root for both."""

_KINDS: Final = {
    "UK": KeySpec("", 0, 0, _EXTERNAL, versions=3, counted=True, chinese="更新密钥{ordinal}"),
    "RK": KeySpec("", 0, 0, _EXTERNAL, versions=3, counted=True, chinese="读取密钥{ordinal}"),
    "LK": KeySpec("", 0, 0, _EXTERNAL, chinese="应用锁定密钥"),
    "ST": KeySpec("", 0, 0, _MAC, des_length=8, chinese="安全报文密钥"),
    "DS": KeySpec("", 0, 0, _EXTERNAL, versions=3, chinese="年度起始日期修改密钥"),
    "DL": KeySpec("", 0, 0, _MEDICAL, versions=3, chinese="帐户划入密钥"),
    "DT": KeySpec("", 0, 0, _MEDICAL, versions=3, chinese="交易认证密钥"),
    "DP": KeySpec("", 0, 0, _MEDICAL, versions=3, chinese="医疗消费密钥"),
}
"""Common properties of the applications' keys, by the first letters of their names; UK3DF01 is the third UK."""

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

KEYS: Final = (
    *_SSSE_KEYS,
    *(
        replace(kind, name=name, df=df, number=number, group=group, chinese=kind.chinese.format(ordinal=name[2:3]))
        for name, df, number, group in _APPLICATION_KEYS
        for kind in (_KINDS[name[:2]],)
    ),
)
"""Every key of every generation, SSSE's first."""
NAMED_KEYS: Final = frozenset(("PUK", "STK", "DSK", "DLK", "DTK", "DPK"))
"""Keys that commands of the card look up by name: every card has them."""
