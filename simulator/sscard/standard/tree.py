"""The structure of a card: applications, files, items and keys, and their memory cells.

All classes are frozen: the rows of ``applications``, ``keys`` and ``generations``
are constants, and a ``Layout``, built once for all cards of a product, contains
copies of them with their cells and rights. Rights are sets of statuses,
kept as bit masks: bit 0 is "PIN verified", bit k+1 is "key k authenticated". A
rule is a tuple of alternative masks: ``()`` is never, ``(0,)`` is free.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from itertools import accumulate
from typing import Any, Final, Literal

from sscard.standard.encoding import tlv

MF: Final = 0x3F00
SSSE_NAME: Final = bytes.fromhex("7378312E73682EC9E7BBE1B1A3D5CF")
"""``sx1.sh.社会保障`` in GB code, 15 bytes (LD/T 32.3)."""

SSSE: Final = 0
"""Placeholder in a row for the FID of SSSE, which the personality defines."""
SSSE_BELOW_MF: Final = 0xDDF1
"""The FID of SSSE on a card that has it below the MF."""
NO_PARENT: Final = -1
"""What the MF has instead of the FID of a parent."""

PIN_VERIFIED: Final = 1
NAME_LENGTHS: Final = range(5, 17)
"""Bytes of the name of a DF, and of the beginning of it by which SELECT finds it."""

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


LOAD_TYPES: Final = (b"\x01", b"\x31")
PURCHASE_TYPES: Final = (b"\x02", b"\x32")
"""Transaction types in MACs and details, binary or ASCII [OC-18]."""


class CertificatePin(IntEnum):
    """The PINs of the certificate application, by cell after ``Layout.certificate_tries`` and ``certificate_pins``."""

    USER = 0
    """用户PIN."""
    ADMINISTRATOR = 1
    """管理员PIN."""


class Purpose(IntEnum):
    """The purpose of a key."""

    INTERNAL = 0
    """Authenticates the card to the terminal (IRK)."""
    EXTERNAL = 1
    """Authenticates the terminal or issuer to the card (PUK, BK, UK, RK, LK, DSK)."""
    MAC = 2
    """Session keys for MAC and PIN encipherment (STK)."""
    MEDICAL = 3
    """Load, purchase and TAC (DLK, DPK, DTK)."""


class Structure(IntEnum):
    """The structure of an EF."""

    TRANSPARENT = 0
    VARIABLE = 1
    """变长记录: TLV records, one per data item."""
    FIXED = 2
    """定长记录"""
    CYCLIC = 3
    """循环: fixed length, no tag, newest is record 1."""


ItemType = Literal["cn", "an", "b", "tlv"]


@dataclass(frozen=True, slots=True)
class Item:
    """A data item: tag (0 where a record has none), type, length in bytes, names."""

    tag: int
    type: ItemType
    length: int
    name: str = ""
    chinese: str = ""
    parts: tuple[Item, ...] = ()

    def blank(self) -> bytes:
        """The value of an item never written: cn F nibbles, an and b 00 [OC-22], its parts in TLV."""
        if self.type == "tlv":
            return b"".join(tlv(part.tag, part.blank()) for part in self.parts)
        return (b"\xff" if self.type == "cn" else b"\x00") * self.length


@dataclass(frozen=True, slots=True, eq=False)
class KeySpec:
    """A key's place on the card: P2 number, how many versions, length under DES, purpose, counter.

    ``group`` is the key group that a generation must list to have the key.
    """

    name: str
    df: int
    number: int
    purpose: Purpose
    group: str = ""
    versions: int = 1
    des_length: int = 16
    counted: bool = False
    chinese: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class DfSpec:
    """An application or environment: FID, name or AID (5–16 bytes), FID of the DF it lies below.

    ``outside`` states that SSSE's PIN and keys are not valid in it, ``certificates``
    that it is the certificate environment or its ADF, with PINs and commands of
    its own. A layout sets the cell of its "blocked" flag.
    """

    fid: int
    name: str
    chinese: str
    aid: bytes
    ddf: bool = False
    financial: bool = False
    outside: bool = False
    parent: int = SSSE
    certificates: bool = False
    blocked_cell: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class FileSpec:
    """An EF: where it is, its structure, its items, who may read and write it, its memory cell.

    ``items`` are the records of a variable or fixed file, which are TLV, and
    the fields of one record of a cyclic file. ``size`` is the size in bytes, by
    default that of the items with their tags and lengths. ``content`` is the
    initial content instead of blank items. ``prefix`` is the first byte of the FID.

    A layout sets the rest: ``record_length``, that of a fixed (with tag and
    length) or cyclic file, else 0; the memory cell; the rights as masks.
    """

    df: int
    sfi: int
    name: str
    chinese: str
    structure: Structure
    read_rule: str
    write_rule: str
    items: tuple[Item, ...] = ()
    size: int = 0
    content: bytes = b""
    prefix: int = 0xEF
    record_length: int = 0
    cell: int = 0
    read: tuple[int, ...] = ()
    write: tuple[int, ...] = ()

    @property
    def fid(self) -> int:
        return self.prefix << 8 | self.sfi

    def blank(self) -> bytes:
        """The contents before anything is written: the same bytes for every card."""
        return _blank(self)


@lru_cache(maxsize=1024)
def _blank(file: FileSpec) -> bytes:
    if file.content:
        return file.content
    if file.structure == Structure.TRANSPARENT:
        return bytes(file.size)
    if file.structure == Structure.CYCLIC:
        return b""
    return b"".join(tlv(item.tag, item.blank()) for item in file.items)


class Layout:
    """The tree of one generation: look-ups for the commands, cell numbers for the memory.

    ``held`` is the number of versions per key on a card that lacks some keys: a
    key that it does not contain is absent, and rules with it are never satisfied.

    ``origin`` is a function that builds the same layout once for all, and its
    arguments: what a pickle holds.

    ``medical`` is the first of the number cells of the medical account (see
    ``Account``), ``unlocks`` the cell with the number of the PIN's unlocks,
    counted if they are limited [OC-42]. ``proofs`` is the first of the account's
    two string cells, the proof of the last load and of the last purchase.
    ``own_pins`` are the PINs of the certificate application, none if the card
    lacks it, ``certificate_tries`` the first of their number cells,
    ``certificate_pins`` that of their string cells.
    """

    __slots__ = (
        "_absent",
        "_dfs",
        "_files",
        "_keys",
        "_named",
        "_origin",
        "certificate_pins",
        "certificate_tries",
        "counters",
        "dfs",
        "files",
        "generation",
        "keys",
        "medical",
        "own_pins",
        "proofs",
        "puk",
        "ssse",
        "stk",
        "unlocks",
    )

    def __init__(
        self,
        generation: str,
        dfs: Sequence[DfSpec],
        keys: Sequence[KeySpec],
        files: Sequence[FileSpec],
        held: Mapping[str, int] | None = None,
        *,
        origin: tuple[Callable[..., Layout], tuple[object, ...]],
    ) -> None:
        self._origin: Final = origin
        self.generation: Final = generation
        first = CARD_BLOCKED + 1
        self.dfs: Final = tuple(replace(df, blocked_cell=cell) for cell, df in enumerate(dfs, first))
        self.keys: Final = tuple(
            keys if held is None else (replace(key, versions=held[key.name]) for key in keys if held.get(key.name))
        )
        self._absent: Final = frozenset(key.name for key in keys) - {key.name for key in self.keys}
        self._keys: Final = {key.df << 8 | key.number: index for index, key in enumerate(self.keys)}
        cells = tuple(accumulate((key.versions for key in self.keys), initial=first + len(self.dfs)))
        self.counters: Final = cells[:-1]
        self.medical: Final = cells[-1]
        self.unlocks: Final = self.medical + len(Account)
        self.files: Final = tuple(self._place(file, cell) for cell, file in enumerate(files, PIN + 1))
        self.proofs: Final = PIN + 1 + len(self.files)
        self.own_pins: Final = tuple(CertificatePin) if any(df.certificates for df in dfs) else ()
        self.certificate_tries: Final = self.unlocks + 1
        self.certificate_pins: Final = self.proofs + 2
        self._files: Final = {file.df << 8 | file.sfi: file for file in self.files}
        self._dfs: Final = {df.fid: df for df in reversed(self.dfs)}
        self._named: dict[bytes, tuple[DfSpec, ...]] = {}
        for df in self.dfs:
            for end in range(NAME_LENGTHS.start, len(df.aid) + 1):
                self._named[df.aid[:end]] = (*self.named(df.aid[:end]), df)
        self.ssse: Final = next(df for df in self.dfs if df.aid == SSSE_NAME)
        self.puk: Final = self.key_named("PUK")
        self.stk: Final = self.key_named("STK")

    def __reduce__(self) -> tuple[Any, ...]:
        return self._origin

    def df(self, fid: int) -> DfSpec | None:
        """The first DF with this FID."""
        return self._dfs.get(fid)

    def named(self, name: bytes) -> tuple[DfSpec, ...]:
        """The DFs whose names begin with these bytes, at least the 5 of the shortest name."""
        return self._named.get(name, ())

    def file(self, df: int, sfi: int) -> FileSpec | None:
        """The EF of a DF (by FID) with this short file identifier."""
        return self._files.get(df << 8 | sfi)

    def key(self, df: int, number: int) -> int | None:
        """The index of a DF's key with this number, as P2 of EXTERNAL AUTHENTICATION gives it."""
        return self._keys.get(df << 8 | number)

    def key_named(self, name: str) -> int:
        """The index of a key by name; ``KeyError`` if the card does not have it."""
        for index, key in enumerate(self.keys):
            if key.name == name:
                return index
        raise KeyError(name)

    def counter(self, key: int, version: int) -> int:
        """The number cell with the tries left of a key's version (from 0)."""
        return self.counters[key] + version

    def key_tries(self) -> Iterator[int]:
        """The number cells with the tries left of each version of each counted key."""
        for index, key in enumerate(self.keys):
            if key.counted:
                yield from (self.counter(index, version) for version in range(key.versions))

    def all_tries(self) -> Iterator[int]:
        """The number cells with the tries left of every secret: the PIN first, then keys and certificate PINs."""
        yield PIN_TRIES
        yield from self.key_tries()
        yield from (self.certificate_tries + which for which in self.own_pins)

    def statuses(self, mask: int) -> list[str]:
        """The names behind a mask of statuses."""
        names = ["PIN"] if mask & PIN_VERIFIED else []
        return names + [key.name for index, key in enumerate(self.keys) if mask >> (index + 1) & 1]

    def number_names(self) -> list[str]:
        """A stable name for each number cell, by cell."""
        names = ["pin tries", "card blocked"]
        names += [f"{df.name} blocked" for df in self.dfs]
        names += [f"{key.name} {version + 1} tries" for key in self.keys for version in range(key.versions)]
        names += [f"account {which.name.lower().replace('_', ' ')}" for which in Account]
        return [*names, "pin unlocks", *(f"certificate {which.name.lower()} tries" for which in self.own_pins)]

    def string_names(self) -> list[str]:
        """A stable name for each string cell, by cell."""
        names = ["pin"] + [f"{self.df_name(file.df)} EF{file.sfi:02X}" for file in self.files]
        own = (f"certificate {which.name.lower()} pin" for which in self.own_pins)
        return [*names, "load proof", "purchase proof", *own]

    def df_name(self, fid: int) -> str:
        """The name of the DF with this FID."""
        return next(df.name for df in self.dfs if df.fid == fid)

    def _place(self, file: FileSpec, cell: int) -> FileSpec:
        record_length = 0
        if file.structure == Structure.CYCLIC:
            record_length = sum(item.length for item in file.items)
        elif file.structure == Structure.FIXED:
            record_length = len(tlv(file.items[0].tag, file.items[0].blank()))
        return replace(
            file,
            size=file.size or len(file.blank()),
            record_length=record_length,
            cell=cell,
            read=self._masks(file.read_rule),
            write=self._masks(file.write_rule),
        )

    def _masks(self, rule: str) -> tuple[int, ...]:
        """The alternatives of a rule, without those that need an absent key."""
        if rule == "never":
            return ()
        if rule == "free":
            return (0,)
        ways = [way.split(" & ") for way in rule.split(" | ")]
        return tuple(sum(map(self._mask, way)) for way in ways if self._absent.isdisjoint(way))

    def _mask(self, status: str) -> int:
        return PIN_VERIFIED if status == "PIN" else 2 << self.key_named(status)
