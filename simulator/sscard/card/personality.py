"""The personality: what the documents leave open and an issuer decides.

Every field cites its open choice [OC-n]. A command that meets a choice asks
the personality; no command has a limit or an undecided status word of its own.
Values that are status words are plain numbers, ``0x6984``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StatusEffect = Literal["keep", "set", "clear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """One card product, immutable; the defaults are those of the open choices."""

    name: str
    generation: Literal["1.0", "2.0", "3.0"]
    """规范版本: which file tree and access rules the card has."""
    algorithm: Literal["DES", "SM4"]
    """Suite of all keys: FCI tag 86 is 01 for DES/3DES, 03 for SM4."""

    pin_tries: int = 6
    """[OC-1] PIN retry limit, 1–15."""
    key_tries: int = 3
    """[OC-2] Retry limit of PUK, UK and RK, 1–15."""
    pin_min_digits: int = 4
    """[OC-19b] Fewest digits of a PIN, 3 or 4."""
    ssse_fid: int = 0x3F00
    """FID of SSSE: 3F00 where it is the MF itself, else a DDF below it (DDF1)."""
    optional_applications: bool = False
    """DF05 and DF06 of the annex exist (2.0 and 3.0)."""
    financial: bool = True
    """The financial DDF exists behind the application firewall."""
    dir_sfi: int = 0
    """[OC-21] SFI of the DIR file, told by tag 88 in the FCI of SSSE; 0: none of both."""
    an_padding: Literal[0x00, 0x20, 0x30] = 0x00
    """[OC-22] Byte that fills short and unwritten an."""

    blocked_query: Literal[0x63C0, 0x6983] = 0x63C0
    """[OC-3] VERIFY without data on a blocked PIN."""
    verified_query_ok: bool = False
    """[OC-4] VERIFY without data answers 9000 once the PIN is verified, else 63Cx."""
    empty_pin_counts: bool = True
    """[OC-5, OC-36] A PIN given while none is set costs a try."""
    change_pin_status: StatusEffect = "keep"
    """[OC-6] What a successful CHANGE PIN does to "PIN verified"."""
    reset_pin_status: StatusEffect = "clear"
    """[OC-6] What a successful PIN CHANGE/UNBLOCK does to "PIN verified"."""
    failed_mac_counts: bool = False
    """[OC-7] A wrong MAC of PIN CHANGE/UNBLOCK costs a try of the PUK."""
    failed_mac_clears: bool = False
    """[OC-7] A wrong MAC of PIN CHANGE/UNBLOCK drops the PUK authentication."""
    puk_once: bool = False
    """[OC-8] The PUK authentication is used up by one PIN CHANGE/UNBLOCK."""
    select_keeps: Literal["pin", "nothing", "all"] = "pin"
    """[OC-9] Which statuses survive the selection of another DF."""
    uncounted_failure: Literal[0x63CF, 0x6982, 0x6988] = 0x63CF
    """[OC-10] EXTERNAL AUTHENTICATION failed with a key that has no counter."""
    failed_authentication_clears: bool = True
    """[OC-11] A failed EXTERNAL AUTHENTICATION clears the key's earlier success."""
    challenge_lasts: Literal["use", "success", "command"] = "use"
    """[OC-12] A challenge ends with its use, with its successful use, or with any command."""
    no_challenge: Literal[0x6984, 0x6985] = 0x6984
    """[OC-12b] A MAC command without a challenge."""
    no_challenge_external: Literal[0x6984, 0x6985] = 0x6984
    """[OC-28] EXTERNAL AUTHENTICATION without a challenge."""
    failed_verify_clears: bool = True
    """[OC-13] A failed VERIFY clears an earlier success."""
    empty_pin_without_block: bool = True
    """[OC-14 A] PIN reset with no enciphered part sets the empty PIN, else 6A80."""
    empty_pin_as_block: bool = True
    """[OC-14 B] PIN reset with a block of LD=00 sets the empty PIN, else 6A80."""
    reload_pin: Literal[0x6A86, 0x6D00, 0x6A81] = 0x6A86
    """[OC-15] CHANGE PIN with P1=00, the reload of other card families."""
    unknown_ins: Literal[0x6D00, 0x6A81] = 0x6D00
    """[OC-16] An INS the card does not know."""
    select_ef_as_file: Literal[0x9000, 0x6A82, 0x6A86] = 0x9000
    """[OC-17] SELECT with P1=00 and the FID of an EF: 9000 accepts."""
    transaction_type_ascii: bool = False
    """[OC-18] Transaction type as 31/32 in records and MACs, else 01/02."""
    same_pin_allowed: bool = True
    """[OC-19] A new PIN may equal the old one, else 6A80."""
    two_block_pin: bool = True
    """[OC-20] An 8-byte PIN under DES takes two blocks, else 6A80."""
    default_key_version: Literal["lowest", "newest"] = "lowest"
    """[OC-23] The key version meant where a command names none."""
    unknown_key_version: Literal[0x6A88, 0x6A80] = 0x6A88
    """[OC-23] A key version the card does not hold."""
    card_block_reaches_financial: bool = False
    """[OC-29] CARD BLOCK also ends the financial application behind the firewall."""
    short_record_le: Literal["6Cxx", "truncate"] = "6Cxx"
    """[OC-30] READ RECORD with an Le below the record's length."""
    reset_empty_pin: bool = True
    """[OC-31] PIN CHANGE/UNBLOCK is allowed while no PIN is set, else 6985."""
    reserved_key: Literal[0x6A88, 0x6A86] = 0x6A88
    """[OC-32] EXTERNAL AUTHENTICATION with P2=00."""
    updates_need_mac: bool = False
    """[OC-33] UPDATE takes CLA 04 with a MAC and answers 6987 without one; else CLA 04 is unknown."""
    absent_old_pin_counts: bool = True
    """[OC-35] CHANGE PIN without the old PIN while one is set is a wrong try, else 6A80."""
