"""The keys of the card (LD/T 32.4, card security sheet §2).

Numbers are P2 of EXTERNAL AUTHENTICATION. Those up to 88 are the sheet's but
DSK; where it gives none, the free ones of the DF from 89 upward in its order.
A number means the same key in every generation.
"""

from __future__ import annotations

from typing import Final

from sscard.card.applications import DF01, DF02, DF03, DF04, DF05, DF06, DF07
from sscard.card.layout import KeySpec, Purpose

ALL: Final = "all"
FIRST: Final = "1.0"
"""Named by part 6 alone."""
LATER: Final = "2.0"
"""Added by 2.0."""
OPTIONAL: Final = "optional"
"""Of the applications in the annex."""

_SAME: Final = (
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
