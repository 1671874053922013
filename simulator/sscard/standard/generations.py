"""The file trees of the card's generations as data (LD/T 32.6, card file sheet §1, §4 and §5)."""

from __future__ import annotations

from typing import Final

from sscard.standard.applications import application_dfs, application_files
from sscard.standard.encoding import tlv
from sscard.standard.keys import card_keys, updater_name
from sscard.standard.tree import MF, SSSE_NAME, DfSpec, FileSpec, Item, Layout, Structure

ISSUER: Final = (
    Item(0x01, "cn", 0x10, "identification code", "卡的识别码"),
    Item(0x02, "an", 0x01, "card category", "卡的类别"),
    Item(0x03, "an", 0x04, "specification version", "规范版本"),
    Item(0x04, "cn", 0x0C, "initializing body", "初始化机构编号"),
    Item(0x05, "cn", 0x04, "issue date", "发卡日期"),
    Item(0x06, "cn", 0x04, "expiry", "卡有效期"),
    Item(0x07, "an", 0x09, "card number", "卡号"),
)
HOLDER: Final = (
    Item(0x08, "an", 0x12, "social security number", "社会保障号码"),
    Item(0x09, "an", 0x1E, "name", "姓名"),
    Item(0x4E, "an", 0x14, "name extension", "姓名扩展"),
    Item(0x0A, "an", 0x01, "sex", "性别"),
    Item(0x0B, "cn", 0x01, "ethnic group", "民族"),
    Item(0x0C, "cn", 0x03, "birthplace", "出生地"),
    Item(0x0D, "cn", 0x04, "date of birth", "出生日期"),
)
HOLDER_1: Final = tuple(item for item in HOLDER if item.tag != 0x4E)


def build_layout(
    generation: str,
    ssse_fid: int = MF,
    *,
    optional_applications: bool = False,
    financial: bool = True,
    dir_sfi: int = 0,
) -> Layout:
    """The layout of a generation ("1.0", "2.0", "3.0").

    SSSE stands at ``ssse_fid``: the MF itself or a DDF below it. The flags say
    whether DF05 and DF06 (2.0 and 3.0) and the financial DDF exist, ``dir_sfi``
    which SFI the DIR file has, 0 for none [OC-21].
    """
    applications = application_dfs(generation, optional_applications, financial)
    files = _ssse_files(generation, ssse_fid)
    if dir_sfi:
        files.append(_directory(ssse_fid, dir_sfi, updater_name(generation), applications))
    return Layout(
        generation,
        _environments(ssse_fid) + applications,
        card_keys(generation, ssse_fid, optional_applications),
        files + application_files(generation, optional_applications),
    )


def _environments(ssse_fid: int) -> list[DfSpec]:
    ssse = DfSpec(ssse_fid, "SSSE", "社会保障系统环境", SSSE_NAME, ddf=True)
    return [ssse] if ssse_fid == MF else [DfSpec(MF, "MF", "主控文件", b"\x3f\x00", ddf=True), ssse]


def _ssse_files(generation: str, ssse: int) -> list[FileSpec]:
    first = generation == "1.0"
    holder, holder_read = HOLDER_1 if first else HOLDER, "RKSSSE" if generation == "3.0" else "free"
    fingerprint_read = "free" if first else "RKSSSE"
    write = updater_name(generation)
    files = [
        FileSpec(ssse, 0x05, "issuer data", "发卡机构数据", Structure.VARIABLE, "free", write, ISSUER),
        FileSpec(ssse, 0x06, "holder basic data", "持卡人基本信息", Structure.VARIABLE, holder_read, write, holder),
        FileSpec(ssse, 0x07, "fingerprint", "指纹", Structure.TRANSPARENT, fingerprint_read, write, size=0x300),
    ]
    if not first:
        files.append(FileSpec(ssse, 0x08, "photo", "数字相片", Structure.TRANSPARENT, "RKSSSE", write, size=0x1000))
    return files


def _directory(ssse: int, sfi: int, write: str, dfs: list[DfSpec]) -> FileSpec:
    """DIR: a record 61 {4F name, 50 label} per application of SSSE."""
    content = b"".join(
        tlv(0x61, tlv(0x4F, df.aid) + tlv(0x50, df.chinese.encode("gbk"))) for df in dfs if not df.financial
    )
    return FileSpec(ssse, sfi, "directory", "目录", Structure.VARIABLE, "free", write, content=content)
