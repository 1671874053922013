"""The open choices that the oracle knows, by their numbers in open-choices.md §1, and their values by generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Effect = Literal["keep", "set", "clear"]


@dataclass(frozen=True)
class Choices:
    """The open choices these commands meet, by their numbers; the defaults are the sheet's for a 3.0 card."""

    ssse_fid: int = 0x3F00  # the MF, or a DDF below it
    dir_sfi: int = 0x1E  # 21
    fci_algorithm: bool = True  # 39
    health_application: bool = True  # 40
    pin_tries: int = 6  # 1
    key_tries: int = 3  # 2
    blocked_query: int = 0x63C0  # 3
    verified_query_ok: bool = False  # 4
    empty_pin_counts: bool = True  # 5, 36
    change_pin_status: Effect = "keep"  # 6
    reset_pin_status: Effect = "clear"  # 6
    failed_mac_counts: bool = False  # 7 b
    failed_mac_clears: bool = False  # 7 c
    puk_once: bool = False  # 8
    select_keeps: Literal["pin", "nothing", "all"] = "pin"  # 9
    uncounted_failure: int = 0x63CF  # 10
    failed_authentication_clears: bool = True  # 11
    challenge_lasts: Literal["use", "success", "command"] = "use"  # 12
    no_challenge: int = 0x6984  # 12b
    failed_verify_clears: bool = True  # 13
    empty_pin_without_block: bool = True  # 14 A
    empty_pin_as_block: bool = True  # 14 B
    reload_pin: int = 0x6A86  # 15
    unknown_ins: int = 0x6D00  # 16
    select_ef_as_file: int = 0x9000  # 17
    select_child: Literal["children", "siblings", "FID", "6A86"] = "children"  # 37
    same_pin_allowed: bool = True  # 19
    pin_min_digits: int = 4  # 19b
    two_block_pin: bool = True  # 20
    no_challenge_external: int = 0x6984  # 28
    short_record_le: Literal["6Cxx", "truncate"] = "6Cxx"  # 30
    reset_empty_pin: bool = True  # 31
    absent_old_pin_counts: bool = True  # 35
    whole_record_contact: bool = False  # 38
    whole_record_contactless: bool = True  # 38
    unlock_limit: int = 0  # 42; 0: none
    certificate_application: Literal["absent", "stub"] = "absent"  # 41
    certificate_user_tries: int = 6
    certificate_administrator_tries: int = 6


def choices_of(generation: str) -> Choices:
    """The choices of the sheet for a generation."""
    if generation == "3.0":
        return Choices()
    if generation == "2.0":
        return Choices(health_application=False)
    return Choices(health_application=False, dir_sfi=0x0B, fci_algorithm=False)
