"""The table of generations: all differences by 规范版本 of a card (LD/T 32.6, card-files.md §1, §4 and §5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from sscard.standard.applications import ANNEX_2, ANNEX_FILES_2, DF05, DFS_1, DFS_2, FILES_1, FILES_2, FINANCIAL
from sscard.standard.certificates import BANK, CERTIFICATE_DFS, CERTIFICATE_FILES
from sscard.standard.encoding import tlv
from sscard.standard.keys import ALL, FIRST, KEYS, LATER
from sscard.standard.tree import MF, NO_PARENT, SSSE, SSSE_NAME, DfSpec, FileSpec, Item, Layout, Structure

ISSUER: Final = (
    Item(0x01, "cn", 0x10, "identification code", "卡的识别码"),
    Item(0x02, "an", 0x01, "card category", "卡的类别"),
    Item(0x03, "an", 0x04, "specification version", "规范版本"),
    Item(0x04, "cn", 0x0C, "initializing body", "初始化机构编号"),
    Item(0x05, "cn", 0x04, "issue date", "发卡日期"),
    Item(0x06, "cn", 0x04, "expiry", "卡有效期"),
    Item(0x07, "an", 0x09, "card number", "卡号"),
)
NAME_EXTENSION: Final = 0x4E
HOLDER: Final = (
    Item(0x08, "an", 0x12, "social security number", "社会保障号码"),
    Item(0x09, "an", 0x1E, "name", "姓名"),
    Item(NAME_EXTENSION, "an", 0x14, "name extension", "姓名扩展"),
    Item(0x0A, "an", 0x01, "sex", "性别"),
    Item(0x0B, "cn", 0x01, "ethnic group", "民族"),
    Item(0x0C, "cn", 0x03, "birthplace", "出生地"),
    Item(0x0D, "cn", 0x04, "date of birth", "出生日期"),
)
HOLDER_1: Final = tuple(item for item in HOLDER if item.tag != NAME_EXTENSION)

VARIABLE: Final = Structure.VARIABLE
TRANSPARENT: Final = Structure.TRANSPARENT

SSSE_DF: Final = DfSpec(SSSE, "SSSE", "社会保障系统环境", SSSE_NAME, ddf=True)
MF_DF: Final = DfSpec(MF, "MF", "主控文件", b"\x3f\x00", ddf=True, outside=True, parent=NO_PARENT)
"""The MF of a card whose SSSE is a DDF below it."""

EF_HOLDER: Final = 0x06
SSSE_FILES_1: Final = (
    FileSpec(SSSE, 0x05, "issuer data", "发卡机构数据", VARIABLE, "free", "UKMF", ISSUER),
    FileSpec(SSSE, EF_HOLDER, "holder basic data", "持卡人基本信息", VARIABLE, "free", "UKMF", HOLDER_1),
    FileSpec(SSSE, 0x07, "fingerprint", "指纹", TRANSPARENT, "free", "UKMF", size=0x300),
)
SSSE_FILES_2: Final = (
    FileSpec(SSSE, 0x05, "issuer data", "发卡机构数据", VARIABLE, "free", "UKSSSE", ISSUER),
    FileSpec(SSSE, EF_HOLDER, "holder basic data", "持卡人基本信息", VARIABLE, "free", "UKSSSE", HOLDER),
    FileSpec(SSSE, 0x07, "fingerprint", "指纹", TRANSPARENT, "RKSSSE", "UKSSSE", size=0x300),
    FileSpec(SSSE, 0x08, "photo", "数字相片", TRANSPARENT, "RKSSSE", "UKSSSE", size=0x1000),
)
SSSE_FILES_3: Final = tuple(
    replace(file, read_rule="RKSSSE") if file.sfi == EF_HOLDER else file for file in SSSE_FILES_2
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """A generation of the card (规范版本).

    ``key_groups`` selects its rows of ``KEYS``. The DFs and files of the annex
    are optional, and so are those of ``certificates``. ``fill`` is the padding of an item that was rewritten with the
    shorter content of a later generation (card-files.md §6).
    """

    name: str
    ssse_files: tuple[FileSpec, ...]
    dfs: tuple[DfSpec, ...]
    files: tuple[FileSpec, ...]
    key_groups: frozenset[str]
    annex: tuple[DfSpec, ...] = ()
    annex_files: tuple[FileSpec, ...] = ()
    certificates: tuple[DfSpec, ...] = ()
    certificate_files: tuple[FileSpec, ...] = ()
    fill: bytes = b""

    @property
    def version(self) -> str:
        """Item 03 of EF05."""
        return f"{self.name}0"

    @property
    def holder_file(self) -> FileSpec:
        """EF06 of SSSE."""
        return next(file for file in self.ssse_files if file.sfi == EF_HOLDER)

    @property
    def holder_key(self) -> str:
        """The key to prove before EF06 is read, empty if it is read freely."""
        rule = self.holder_file.read_rule
        return "" if rule == "free" else rule

    @property
    def extends_name(self) -> bool:
        """Whether EF06 has an item for the end of a long name."""
        return any(item.tag == NAME_EXTENSION for item in self.holder_file.items)


_GENERATION_2: Final = Generation(
    name="2.0",
    ssse_files=SSSE_FILES_2,
    dfs=DFS_2,
    files=FILES_2,
    key_groups=frozenset((ALL, LATER)),
    annex=ANNEX_2,
    annex_files=ANNEX_FILES_2,
)
GENERATIONS: Final[dict[str, Generation]] = {
    generation.name: generation
    for generation in (
        Generation(
            name="1.0",
            ssse_files=SSSE_FILES_1,
            dfs=DFS_1,
            files=FILES_1,
            key_groups=frozenset((ALL, FIRST)),
            fill=b"\xee",
        ),
        _GENERATION_2,
        replace(
            _GENERATION_2,
            name="3.0",
            ssse_files=SSSE_FILES_3,
            certificates=CERTIFICATE_DFS,
            certificate_files=CERTIFICATE_FILES,
        ),
    )
}
"""By name, oldest first."""
OLDEST: Final = next(iter(GENERATIONS))
NEWEST: Final = next(reversed(GENERATIONS))

LAYOUTS: Final = 256
"""Layouts that are kept."""
TAKEN_FIDS: Final = (
    *sorted({df.fid for made in GENERATIONS.values() for df in (*made.dfs, *made.annex, FINANCIAL)}),
    *range(0xEF00, 0xF000),
    *(0x0000, 0x3FFF, 0xFFFF),
)
"""FIDs that an application has in some generation, those of files, and those that ISO/IEC 7816-4 gives to no DF."""


def generation_in(version: str) -> Generation | None:
    """The generation that item 03 of EF05 begins with, the oldest if it is blank; ``None`` for an unknown one."""
    return GENERATIONS.get(version.strip()[:3] or OLDEST)


def build_layout(
    generation: str,
    ssse_fid: int = MF,
    *,
    optional_applications: bool = False,
    health_application: bool = False,
    financial: bool = True,
    dir_sfi: int = 0,
    certificates: bool = False,
    bank: bool = False,
    held: Mapping[str, int] | None = None,
) -> Layout:
    """The layout of a generation, by name, built once for all cards of a product.

    ``ssse_fid`` is the FID of SSSE: the MF itself or a DDF below it. The flags
    state whether the applications of the annex (DF05 also with
    ``health_application`` alone [OC-40]) and the financial DDF exist,
    ``dir_sfi`` is the SFI of the DIR file, 0 for no DIR file [OC-21].
    ``certificates`` states whether the certificate application exists, if the
    generation has one [OC-41], ``bank`` whether the bank application does.
    ``held`` is that of ``Layout``.
    """
    versions = None if held is None else tuple(each for each in held.items() if each[1])
    health = optional_applications or health_application
    return _built(generation, ssse_fid, optional_applications, health, financial, dir_sfi, certificates, bank, versions)


@lru_cache(maxsize=LAYOUTS)
def _built(
    generation: str,
    ssse_fid: int,
    optional_applications: bool,
    health: bool,
    financial: bool,
    dir_sfi: int,
    certificates: bool,
    bank: bool,
    held: tuple[tuple[str, int], ...] | None,
) -> Layout:
    made = GENERATIONS[generation]
    annex = [df for df in made.annex if optional_applications or (health and df.fid == DF05)]
    optional = {df.fid for df in annex}
    dfs = [replace(df, parent=ssse_fid) for df in (*made.dfs, *annex)]
    files = [*made.files, *(file for file in made.annex_files if file.df in optional)]
    directory = [_directory(dir_sfi, made.holder_file.write_rule, dfs)] if dir_sfi else []
    if certificates:
        files += made.certificate_files
    ssse = replace(SSSE_DF, fid=ssse_fid, parent=NO_PARENT if ssse_fid == MF else MF)
    beside = (
        *([FINANCIAL] if financial else []),
        *([BANK] if bank else []),
        *(made.certificates if certificates else ()),
    )
    return Layout(
        generation,
        [*([ssse] if ssse_fid == MF else [MF_DF, ssse]), *dfs, *beside],
        [
            key if key.df else replace(key, df=ssse_fid)
            for key in KEYS
            if key.group in made.key_groups or key.df in optional
        ],
        [file if file.df else replace(file, df=ssse_fid) for file in (*made.ssse_files, *directory, *files)],
        None if held is None else dict(held),
        origin=(
            _built,
            (generation, ssse_fid, optional_applications, health, financial, dir_sfi, certificates, bank, held),
        ),
    )


def _directory(sfi: int, updater: str, dfs: list[DfSpec]) -> FileSpec:
    """DIR: a record 61 {4F name, 50 label} per application of SSSE."""
    content = b"".join(tlv(0x61, tlv(0x4F, df.aid) + tlv(0x50, df.chinese.encode("gbk"))) for df in dfs)
    return FileSpec(SSSE, sfi, "directory", "目录", VARIABLE, "free", updater, content=content)
