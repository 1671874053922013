"""What a card is made of: applications, files, items and keys, and the memory cells they own.

A ``Layout`` is built once per generation and shared by all its cards. Rights
are sets of statuses, kept as bit masks: bit 0 is "PIN verified", bit k+1 is
"key k authenticated". A rule is a tuple of alternative masks: ``()`` is never,
``(0,)`` is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Final, Literal

from sscard.standard.encoding import tlv

MF: Final = 0x3F00
SSSE_NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
"""``sx1.sh.社会保障`` in GB code, 15 bytes (LD/T 32.3)."""

PIN_VERIFIED: Final = 1

# Number cells every card has; application flags and key counters follow.
PIN_TRIES: Final = 0
CARD_BLOCKED: Final = 1
# String cells every card has; the contents of the files follow.
PIN: Final = 0


class Account(IntEnum):
    """The medical amount file (医疗保险金额文件), by cell after ``Layout.medical``: counts, amounts in fen."""

    LOAD_COUNT = 0
    PURCHASE_COUNT = 1
    BALANCE = 2
    """CIA, 个人账户余额."""
    SELF_PAID = 3
    """SPIP, 个人自付累计."""
    POOL_PAID = 4
    """SPFP, 统筹基金支付累计."""
    YEAR = 5
    START_DAY = 6
    """年度起始日期, month·100 + day."""


class Purpose(IntEnum):
    """The one function a key serves."""

    INTERNAL = 0
    """Proves the card to the terminal (IRK)."""
    EXTERNAL = 1
    """Proves the outside to the card (PUK, BK, UK, RK, LK, DSK)."""
    MAC = 2
    """Session keys for MAC and PIN encipherment (STK)."""
    MEDICAL = 3
    """Load, purchase and TAC (DLK, DPK, DTK)."""


class Structure(IntEnum):
    """How an EF is organised."""

    TRANSPARENT = 0
    VARIABLE = 1
    """变长记录: TLV records, one per data item."""
    FIXED = 2
    """定长记录"""
    CYCLIC = 3
    """循环: fixed length, no tag, newest is record 1."""


ItemType = Literal["cn", "an", "b", "tlv"]


class Item:
    """A data item: tag (0 where a record has none), type, length in bytes, names."""

    __slots__ = ("chinese", "length", "name", "parts", "tag", "type")

    def __init__(
        self,
        tag: int,
        type: ItemType,
        length: int,
        name: str = "",
        chinese: str = "",
        parts: tuple[Item, ...] = (),
    ) -> None:
        self.tag = tag
        self.type: ItemType = type
        self.length = length
        self.name = name
        self.chinese = chinese
        self.parts = parts

    def blank(self, padding: int = 0) -> bytes:
        """The value of an item never written: cn F nibbles, an the padding byte [OC-22], b 00, its parts in TLV."""
        if self.type == "tlv":
            return b"".join(tlv(part.tag, part.blank(padding)) for part in self.parts)
        fill = 0xFF if self.type == "cn" else padding if self.type == "an" else 0
        return bytes((fill,)) * self.length


class KeySpec:
    """A key's place on the card: P2 number, how many versions, length under DES, purpose, counter."""

    __slots__ = ("chinese", "counted", "des_length", "df", "name", "number", "purpose", "versions")

    def __init__(
        self,
        name: str,
        df: int,
        number: int,
        purpose: Purpose,
        *,
        versions: int = 1,
        des_length: int = 16,
        counted: bool = False,
        chinese: str = "",
    ) -> None:
        self.name = name
        self.df = df
        self.number = number
        self.purpose = purpose
        self.versions = versions
        self.des_length = des_length
        self.counted = counted
        self.chinese = chinese


class DfSpec:
    """An application or environment: FID, name or AID (5–16 bytes).

    ``outside`` says that SSSE's PIN and keys do not reach it.
    """

    __slots__ = ("aid", "blocked_cell", "chinese", "ddf", "fid", "financial", "name", "outside")

    def __init__(
        self, fid: int, name: str, chinese: str, aid: bytes, *, ddf: bool = False, financial: bool = False
    ) -> None:
        self.fid = fid
        self.name = name
        self.chinese = chinese
        self.aid = aid
        self.ddf = ddf
        self.financial = financial
        self.outside = financial or (ddf and aid != SSSE_NAME)
        self.blocked_cell = 0


class FileSpec:
    """An EF: where it is, its structure, its items, who may read and write it, its memory cell.

    ``items`` are the records of a variable or fixed file, which are TLV, and
    the fields of one record of a cyclic file. ``record_length`` is that of a
    fixed (with tag and length) or cyclic file, else 0. ``size`` is the room in
    bytes: what the items take with their tags and lengths unless given.
    ``content`` is what the file holds from the start instead of blank items.
    """

    __slots__ = (
        "_blank",
        "cell",
        "chinese",
        "content",
        "df",
        "items",
        "name",
        "read",
        "read_rule",
        "record_length",
        "sfi",
        "size",
        "structure",
        "write",
        "write_rule",
    )

    def __init__(
        self,
        df: int,
        sfi: int,
        name: str,
        chinese: str,
        structure: Structure,
        read: str,
        write: str,
        items: tuple[Item, ...] = (),
        *,
        size: int = 0,
        content: bytes = b"",
    ) -> None:
        self.df = df
        self.sfi = sfi
        self.name = name
        self.chinese = chinese
        self.structure = structure
        self.read_rule = read
        self.write_rule = write
        self.items = items
        self.content = content
        self.record_length = 0
        if structure == Structure.CYCLIC:
            self.record_length = sum(item.length for item in items)
        elif structure == Structure.FIXED:
            self.record_length = len(tlv(items[0].tag, items[0].blank()))
        self.size = size
        self._blank: dict[int, bytes] = {}
        self.size = size or len(self.blank())
        self.read: tuple[int, ...] = ()
        self.write: tuple[int, ...] = ()
        self.cell = 0

    @property
    def fid(self) -> int:
        return 0xEF00 | self.sfi

    def blank(self, padding: int = 0) -> bytes:
        """The contents before anything is written: the same bytes for every card, an filled with ``padding``."""
        blank = self._blank.get(padding)
        if blank is None:
            blank = self._blank[padding] = self._make_blank(padding)
        return blank

    def _make_blank(self, padding: int) -> bytes:
        if self.content:
            return self.content
        if self.structure == Structure.TRANSPARENT:
            return bytes(self.size)
        if self.structure == Structure.CYCLIC:
            return b""
        return b"".join(tlv(item.tag, item.blank(padding)) for item in self.items)


class Layout:
    """The tree of one generation: look-ups for the commands, cell numbers for the memory.

    ``medical`` is the first of the number cells of the medical account (see
    ``Account``), ``proofs`` the first of its two string cells, the proof of
    the last load and of the last purchase.
    """

    __slots__ = (
        "_files",
        "_keys",
        "counters",
        "dfs",
        "files",
        "generation",
        "keys",
        "medical",
        "proofs",
        "puk",
        "ssse",
        "stk",
    )

    def __init__(
        self,
        generation: str,
        dfs: Sequence[DfSpec],
        keys: Sequence[KeySpec],
        files: Sequence[FileSpec],
    ) -> None:
        self.generation = generation
        self.dfs = tuple(dfs)
        self.keys = tuple(keys)
        self.files = tuple(files)
        self._number_cells()
        self._files = {file.df << 8 | file.sfi: file for file in self.files}
        self._keys = {key.df << 8 | key.number: index for index, key in enumerate(self.keys)}
        self._set_rights()
        self.ssse = next(df for df in self.dfs if df.aid == SSSE_NAME)
        self.puk = self.key_named("PUK")
        self.stk = self.key_named("STK")

    def file(self, df: int, sfi: int) -> FileSpec | None:
        """The EF of a DF (by FID) with this short file identifier."""
        return self._files.get(df << 8 | sfi)

    def key(self, df: int, number: int) -> int | None:
        """The index of a DF's key with this number, as P2 of EXTERNAL AUTHENTICATION gives it."""
        return self._keys.get(df << 8 | number)

    def key_named(self, name: str) -> int:
        """The index of a key by name; ``KeyError`` where the card has none."""
        for index, key in enumerate(self.keys):
            if key.name == name:
                return index
        raise KeyError(name)

    def counter(self, key: int, version: int) -> int:
        """The number cell with the tries left of a key's version (from 0)."""
        return self.counters[key] + version

    def statuses(self, mask: int) -> list[str]:
        """The names behind a mask of statuses."""
        names = ["PIN"] if mask & PIN_VERIFIED else []
        return names + [key.name for index, key in enumerate(self.keys) if mask >> (index + 1) & 1]

    def number_names(self) -> list[str]:
        """A lasting name for each number cell, by cell."""
        names = ["pin tries", "card blocked"]
        names += [f"{df.name} blocked" for df in self.dfs]
        names += [f"{key.name} {version + 1} tries" for key in self.keys for version in range(key.versions)]
        return names + [f"account {which.name.lower().replace('_', ' ')}" for which in Account]

    def string_names(self) -> list[str]:
        """A lasting name for each string cell, by cell."""
        names = ["pin"] + [f"{self.df_name(file.df)} EF{file.sfi:02X}" for file in self.files]
        return [*names, "load proof", "purchase proof"]

    def df_name(self, fid: int) -> str:
        """The name of the DF with this FID."""
        return next(df.name for df in self.dfs if df.fid == fid)

    def _number_cells(self) -> None:
        cell = CARD_BLOCKED + 1
        for df in self.dfs:
            df.blocked_cell = cell
            cell += 1
        self.counters: list[int] = []
        for key in self.keys:
            self.counters.append(cell)
            cell += key.versions
        for place, file in enumerate(self.files):
            file.cell = PIN + 1 + place
        self.medical = cell
        self.proofs = PIN + 1 + len(self.files)

    def _set_rights(self) -> None:
        for file in self.files:
            file.read = self._masks(file.read_rule)
            file.write = self._masks(file.write_rule)

    def _masks(self, rule: str) -> tuple[int, ...]:
        if rule == "never":
            return ()
        if rule == "free":
            return (0,)
        return tuple(sum(map(self._mask, way.split(" & "))) for way in rule.split(" | "))

    def _mask(self, status: str) -> int:
        return PIN_VERIFIED if status == "PIN" else 2 << self.key_named(status)
