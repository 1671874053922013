"""The table of choices that the standard leaves open to the issuer (docs/standard/open-choices.md §1).

Each field of ``Personality`` except its name is one row: name, type and default,
and in its metadata the numbers of its open choices, the allowed values, the
format in a file, and the meaning. Validation, help and documentation of
personality files are generated from these rows. Commands read every open limit
and status word from the personality. Values that are status words are plain
numbers, ``0x6984``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple, get_args

from sscard.standard.cipher import SECRET_ALGORITHMS, SUITES_BY_NAME
from sscard.standard.generations import GENERATIONS, TAKEN_FIDS

StatusEffect = Literal["keep", "set", "clear"]
Survivors = Literal["pin", "nothing", "all"]
Lifetime = Literal["use", "success", "command"]
KeyVersion = Literal["lowest", "newest"]
ShortLe = Literal["6Cxx", "truncate"]
Children = Literal["children", "siblings", "FID", "6A86"]
CertificateLevel = Literal["absent", "stub"]


class Choice(NamedTuple):
    """A row: ``allowed`` values (empty: any), and hex ``digits`` in a file (0: not written in hex).

    ``refused`` values have the right form, ``reason`` states why they are not allowed.
    ``older`` are the defaults of earlier generations that differ from that of the field.
    ``generations`` are those whose cards may differ from the default (empty: all).
    """

    meaning: str
    numbers: str = ""
    allowed: tuple[int | str, ...] = ()
    digits: int = 0
    refused: tuple[int | str, ...] = ()
    reason: str = ""
    older: tuple[tuple[str, int | str], ...] = ()
    generations: tuple[str, ...] = ()

    @property
    def help(self) -> str:
        """The meaning with the numbers of the open choices."""
        return f"[{self.numbers}] {self.meaning}" if self.numbers else self.meaning


_ROW: Final = "choice"
_ANNEX: Final = tuple(made.name for made in GENERATIONS.values() if made.annex)
_CERTIFICATES: Final = tuple(made.name for made in GENERATIONS.values() if made.certificates)


def _flag(numbers: str, meaning: str, generations: tuple[str, ...] = (), **older: bool) -> dict[str, Choice]:
    return {_ROW: Choice(meaning, numbers, (False, True), older=_older(older), generations=generations)}


def _number(
    numbers: str,
    meaning: str,
    first: int,
    last: int,
    refused: tuple[int, ...] = (),
    reason: str = "",
    **older: int,
) -> dict[str, Choice]:
    allowed = tuple(range(first, last + 1))
    return {_ROW: Choice(meaning, numbers, allowed, refused=refused, reason=reason, older=_older(older))}


def _hex(
    numbers: str,
    meaning: str,
    *allowed: int,
    digits: int = 4,
    refused: tuple[int, ...] = (),
    reason: str = "",
    **older: int,
) -> dict[str, Choice]:
    return {_ROW: Choice(meaning, numbers, allowed, digits, refused, reason, _older(older))}


def _older(defaults: Mapping[str, int | str]) -> tuple[tuple[str, int | str], ...]:
    """The defaults by generation from those named ``v1`` and ``v2``; a flag stays one, which ``int`` would not keep."""
    return tuple((f"{name[1:]}.0", value) for name, value in defaults.items())


def _word(
    numbers: str, meaning: str, allowed: Iterable[str], refused: tuple[str, ...] = (), reason: str = ""
) -> dict[str, Choice]:
    return {_ROW: Choice(meaning, numbers, tuple(allowed), refused=refused, reason=reason)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """One card product, immutable. The defaults are those of a 3.0 card; ``make_personality`` has them by generation.

    Pickled as what differs from the defaults. Equal ones are the same object again when they are loaded.
    """

    name: str
    generation: str = field(metadata=_word("", "规范版本: which file tree and access rules the card has.", GENERATIONS))
    algorithm: str = field(
        metadata=_word(
            "",
            "Suite of all keys: FCI tag 86 is "
            + ", ".join(f"{suite.algorithm_id:02X} for {suite.title}" for suite in SUITES_BY_NAME.values())
            + ".",
            SUITES_BY_NAME,
            SECRET_ALGORITHMS,
            "{value} is not public and nothing honest can stand in for it; use " + " or ".join(SUITES_BY_NAME),
        )
    )

    pin_tries: int = field(default=6, metadata=_number("OC-1", "PIN retry limit, 1–15.", 1, 15))
    key_tries: int = field(default=3, metadata=_number("OC-2", "Retry limit of PUK, UK and RK, 1–15.", 1, 15))
    pin_min_digits: int = field(default=4, metadata=_number("OC-19b", "Fewest digits of a PIN, 3 or 4.", 3, 4))
    ssse_fid: int = field(
        default=0x3F00,
        metadata=_hex(
            "",
            "FID of SSSE: 3F00 where it is the MF itself, else a DDF below it (DDF1).",
            refused=TAKEN_FIDS,
            reason="{value:04X} belongs to an application, or is no FID of a DF; use 3F00 or DDF1",
        ),
    )
    optional_applications: bool = field(
        default=False,
        metadata=_flag(
            "",
            f"DF05 and DF06 of the annex exist ({' and '.join(_ANNEX)}).",
            _ANNEX,
        ),
    )
    health_application: bool = field(
        default=True,
        metadata=_flag(
            "OC-40",
            f"DF05 of the annex exists, with DF06 or without ({' and '.join(_ANNEX)}).",
            _ANNEX,
            v1=False,
            v2=False,
        ),
    )
    financial: bool = field(
        default=True, metadata=_flag("", "The financial DDF exists behind the application firewall.")
    )
    dir_sfi: int = field(
        default=0x1E,
        metadata=_number(
            "OC-21",
            "SFI of the DIR file in decimal, given by tag 88 in the FCI of SSSE; 0: neither DIR file nor tag.",
            0,
            30,
            refused=(5, 6, 7, 8),
            reason="{value} is the SFI of a file of SSSE; use 1 to 4 or 9 to 30, 0 for no DIR file",
            v1=0x0B,
        ),
    )
    fci_algorithm: bool = field(
        default=True,
        metadata=_flag("OC-39", "The FCI of SSSE names the algorithm, with tag 86 in tag 9F0C.", v1=False),
    )
    an_padding: int = field(
        default=0x00,
        metadata=_hex("OC-22", "Byte that fills short an; unwritten an is 00.", 0x00, 0x20, 0x30, digits=2, v1=0x20),
    )
    long_uid: bool = field(
        default=False,
        metadata=_flag("", "The UID that a contactless reader returns (FF CA 00 00 00) has 7 bytes, else 4."),
    )

    blocked_query: int = field(
        default=0x63C0, metadata=_hex("OC-3", "VERIFY without data on a blocked PIN.", 0x63C0, 0x6983)
    )
    verified_query_ok: bool = field(
        default=False,
        metadata=_flag("OC-4", "VERIFY without data answers 9000 once the PIN is verified, else 63Cx."),
    )
    empty_pin_counts: bool = field(
        default=True, metadata=_flag("OC-5, OC-36", "A PIN given while none is set costs a try.")
    )
    change_pin_status: StatusEffect = field(
        default="keep",
        metadata=_word("OC-6", 'What a successful CHANGE PIN does to "PIN verified".', get_args(StatusEffect)),
    )
    reset_pin_status: StatusEffect = field(
        default="clear",
        metadata=_word("OC-6", 'What a successful PIN CHANGE/UNBLOCK does to "PIN verified".', get_args(StatusEffect)),
    )
    failed_mac_counts: bool = field(
        default=False, metadata=_flag("OC-7", "A wrong MAC of PIN CHANGE/UNBLOCK costs a try of the PUK.")
    )
    failed_mac_clears: bool = field(
        default=False, metadata=_flag("OC-7", "A wrong MAC of PIN CHANGE/UNBLOCK drops the PUK authentication.")
    )
    puk_once: bool = field(
        default=False, metadata=_flag("OC-8", "The PUK authentication is used up by one PIN CHANGE/UNBLOCK.")
    )
    select_keeps: Survivors = field(
        default="pin",
        metadata=_word("OC-9", "Which statuses survive the selection of another DF.", get_args(Survivors)),
    )
    uncounted_failure: int = field(
        default=0x63CF,
        metadata=_hex(
            "OC-10", "EXTERNAL AUTHENTICATION failed with a key that has no counter.", 0x63CF, 0x6982, 0x6988
        ),
    )
    failed_authentication_clears: bool = field(
        default=True, metadata=_flag("OC-11", "A failed EXTERNAL AUTHENTICATION clears the key's earlier success.")
    )
    challenge_lasts: Lifetime = field(
        default="use",
        metadata=_word(
            "OC-12", "A challenge ends with its use, with its successful use, or with any command.", get_args(Lifetime)
        ),
    )
    no_challenge: int = field(
        default=0x6984, metadata=_hex("OC-12b", "A MAC command without a challenge.", 0x6984, 0x6985)
    )
    no_challenge_external: int = field(
        default=0x6984, metadata=_hex("OC-28", "EXTERNAL AUTHENTICATION without a challenge.", 0x6984, 0x6985)
    )
    failed_verify_clears: bool = field(
        default=True, metadata=_flag("OC-13", "A failed VERIFY clears an earlier success.")
    )
    empty_pin_without_block: bool = field(
        default=True,
        metadata=_flag("OC-14 A", "PIN reset with no enciphered part sets the empty PIN, else 6A80."),
    )
    empty_pin_as_block: bool = field(
        default=True, metadata=_flag("OC-14 B", "PIN reset with a block of LD=00 sets the empty PIN, else 6A80.")
    )
    reload_pin: int = field(
        default=0x6A86,
        metadata=_hex("OC-15", "CHANGE PIN with P1=00, the reload of other card families.", 0x6A86, 0x6D00, 0x6A81),
    )
    unknown_ins: int = field(default=0x6D00, metadata=_hex("OC-16", "An INS the card does not know.", 0x6D00, 0x6A81))
    select_ef_as_file: int = field(
        default=0x9000,
        metadata=_hex("OC-17", "SELECT with P1=00 and the FID of an EF: 9000 accepts.", 0x9000, 0x6A82, 0x6A86),
    )
    select_child: Children = field(
        default="children",
        metadata=_word(
            "OC-37",
            "SELECT with P1=01: among the children of the current DF, also among those of its parent (siblings), "
            "as with P1=00 (FID), or refused with 6A86.",
            get_args(Children),
        ),
    )
    transaction_type_ascii: bool = field(
        default=False, metadata=_flag("OC-18", "Transaction type as 31/32 in records and MACs, else 01/02.")
    )
    same_pin_allowed: bool = field(default=True, metadata=_flag("OC-19", "A new PIN may equal the old one, else 6A80."))
    two_block_pin: bool = field(
        default=True, metadata=_flag("OC-20", "An 8-byte PIN under DES takes two blocks, else 6A80.")
    )
    default_key_version: KeyVersion = field(
        default="lowest",
        metadata=_word("OC-23", "The key version meant where a command names none.", get_args(KeyVersion)),
    )
    unknown_key_version: int = field(
        default=0x6A88, metadata=_hex("OC-23", "A key version the card does not hold.", 0x6A88, 0x6A80)
    )
    card_block_reaches_financial: bool = field(
        default=False,
        metadata=_flag("OC-29", "CARD BLOCK also ends the financial application behind the firewall."),
    )
    short_record_le: ShortLe = field(
        default="6Cxx",
        metadata=_word("OC-30", "READ RECORD with an Le below the record's length.", get_args(ShortLe)),
    )
    whole_record_contact: bool = field(
        default=False,
        metadata=_flag("OC-38", "READ RECORD with Le=00 over contact returns the whole records, else 6Cxx."),
    )
    whole_record_contactless: bool = field(
        default=True,
        metadata=_flag("OC-38", "READ RECORD with Le=00 over contactless returns the whole records, else 6Cxx."),
    )
    reset_empty_pin: bool = field(
        default=True, metadata=_flag("OC-31", "PIN CHANGE/UNBLOCK is allowed while no PIN is set, else 6985.")
    )
    reserved_key: int = field(
        default=0x6A88, metadata=_hex("OC-32", "EXTERNAL AUTHENTICATION with P2=00.", 0x6A88, 0x6A86)
    )
    updates_need_mac: bool = field(
        default=False,
        metadata=_flag("OC-33", "UPDATE takes CLA 04 with a MAC and answers 6987 without one; else CLA 04 is unknown."),
    )
    absent_old_pin_counts: bool = field(
        default=True,
        metadata=_flag("OC-35", "CHANGE PIN without the old PIN while one is set is a wrong try, else 6A80."),
    )
    certificate_application: CertificateLevel = field(
        default="absent",
        metadata={
            _ROW: Choice(
                f"The certificate application of a {' or '.join(_CERTIFICATES)} card (others have none): absent, or a "
                "stub with its own PINs.",
                "OC-41",
                get_args(CertificateLevel),
                generations=_CERTIFICATES,
            )
        },
    )
    certificate_user_tries: int = field(
        default=6,
        metadata=_number("", "Retry limit of the user PIN of the certificate application, 1–15.", 1, 15),
    )
    certificate_administrator_tries: int = field(
        default=6,
        metadata=_number("", "Retry limit of the administrator PIN of the certificate application, 1–15.", 1, 15),
    )
    bank_application: bool = field(
        default=False,
        metadata=_flag("", "The bank application A000000333010101 answers SELECT, behind the application firewall."),
    )

    unlock_limit: int = field(
        default=0,
        metadata=_number(
            "OC-42",
            "How often PIN CHANGE/UNBLOCK may succeed, 1–99; then the PUK is blocked for ever. 0: no limit.",
            0,
            99,
        ),
    )

    def __reduce__(self) -> tuple[Any, ...]:
        values = ((each.name, getattr(self, each.name), each.default) for each in fields(self))
        return personality_with, (tuple((name, value) for name, value, default in values if value != default),)


@lru_cache(maxsize=64)
def personality_with(values: tuple[tuple[str, Any], ...]) -> Personality:
    """The personality with these values of fields by name, and else the defaults."""
    return Personality(**dict(values))


def make_personality(generation: str, **values: Any) -> Personality:
    """A personality of a generation ("1.0", "2.0", "3.0"); fields that are not given have its defaults.

    ``name`` and ``algorithm`` ("DES", "SM4") must be given.
    """
    older = {name: value for name, each, value in _OLDER if each == generation}
    return Personality(generation=generation, **(older | values))


CHOICES: Final[dict[str, Choice]] = {
    choice.name: choice.metadata[_ROW] for choice in fields(Personality) if _ROW in choice.metadata
}
"""The rows by field name, in the order of the fields."""
_OLDER: Final = tuple(
    (name, generation, value) for name, choice in CHOICES.items() for generation, value in choice.older
)
"""The defaults of older generations: name, generation, value."""
