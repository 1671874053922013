"""The file trees of the card's generations as data (LD/T 32.6, card file sheet §1 and §5)."""

from __future__ import annotations

from typing import Final

from sscard.card.layout import MF, SSSE_NAME, DfSpec, FileSpec, Item, KeySpec, Layout, Purpose, Structure

SSSE: Final = 0
"""Stands for the FID of SSSE, which the personality decides."""


def _dfs(ssse_fid: int) -> list[DfSpec]:
    ssse = DfSpec(ssse_fid, "SSSE", "社会保障系统环境", SSSE_NAME, ddf=True)
    return [ssse] if ssse_fid == MF else [DfSpec(MF, "MF", "主控文件", b"\x3f\x00", ddf=True), ssse]


def _keys(generation: str, ssse: int) -> list[KeySpec]:
    keys = [
        KeySpec("IRK", ssse, 0x00, Purpose.INTERNAL, versions=3, chinese="内部认证密钥"),
        KeySpec("STK", ssse, 0x02, Purpose.MAC, des_length=8, chinese="安全报文密钥"),
        KeySpec(_updater(generation), ssse, 0x04, Purpose.EXTERNAL, versions=3, counted=True, chinese="更新密钥"),
        KeySpec("BK", ssse, 0x05, Purpose.EXTERNAL, chinese="卡片锁定密钥"),
        KeySpec("PUK", ssse, 0x06, Purpose.EXTERNAL, counted=True, chinese="个人密码解锁密钥"),
    ]
    if generation != "1.0":
        keys.append(KeySpec("RKSSSE", ssse, 0x0A, Purpose.EXTERNAL, versions=3, counted=True, chinese="读取密钥"))
    return keys


def _updater(generation: str) -> str:
    """The key that writes SSSE's files: 1.0 calls it UKMF."""
    return "UKMF" if generation == "1.0" else "UKSSSE"


def _files(generation: str, ssse: int) -> list[FileSpec]:
    updater = _updater(generation)
    holder = [
        Item(0x08, "an", 18, "social security number", "社会保障号码"),
        Item(0x09, "an", 30, "name", "姓名"),
        Item(0x4E, "an", 20, "name extension", "姓名扩展"),
        Item(0x0A, "an", 1, "sex", "性别"),
        Item(0x0B, "cn", 1, "ethnic group", "民族"),
        Item(0x0C, "cn", 3, "birthplace", "出生地"),
        Item(0x0D, "cn", 4, "date of birth", "出生日期"),
    ]
    if generation == "1.0":
        holder = [item for item in holder if item.tag != 0x4E]
    return [
        FileSpec(
            ssse,
            0x05,
            "issuer data",
            "发卡机构数据",
            Structure.VARIABLE,
            "free",
            updater,
            (
                Item(0x01, "cn", 16, "identification code", "卡的识别码"),
                Item(0x02, "an", 1, "card category", "卡的类别"),
                Item(0x03, "an", 4, "specification version", "规范版本"),
                Item(0x04, "cn", 12, "initializing body", "初始化机构编号"),
                Item(0x05, "cn", 4, "issue date", "发卡日期"),
                Item(0x06, "cn", 4, "expiry", "卡有效期"),
                Item(0x07, "an", 9, "card number", "卡号"),
            ),
        ),
        FileSpec(
            ssse,
            0x06,
            "holder basic data",
            "持卡人基本信息",
            Structure.VARIABLE,
            "RKSSSE" if generation == "3.0" else "free",
            updater,
            tuple(holder),
        ),
    ]


def build_layout(generation: str, ssse_fid: int) -> Layout:
    """The layout of a generation ("1.0", "2.0", "3.0") with SSSE at this FID."""
    return Layout(generation, _dfs(ssse_fid), _keys(generation, ssse_fid), _files(generation, ssse_fid))
