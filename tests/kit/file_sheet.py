"""The tables of card-files.md and card-security.md: every file with its rights and items, every key's number."""

from __future__ import annotations

import re

from sscard.standard.tree import Structure

# The sheet's tables: DF, SFI | structure | read | write | items tag:type:length (hex), "xN" standing N times,
# {parts}; "--" for a field without tag, "N * record" the records a cyclic file has room for, "N bytes" plain room.

ISSUER = "01:cn:10 02:an:01 03:an:04 04:cn:0C 05:cn:04 06:cn:04 07:an:09"
HOLDER = "08:an:12 09:an:1E 4E:an:14 0A:an:01 0B:cn:01 0C:cn:03 0D:cn:04"
HOLDER_1 = "08:an:12 09:an:1E 0A:an:01 0B:cn:01 0C:cn:03 0D:cn:04"
PROFESSION = """42:an:03 41:an:03 43:tlv:6Cx2{5A:an:07 5B:an:01 5C:an:46 5D:cn:04 5E:an:10}
    44:tlv:65x2{33:an:03 34:an:46 35:cn:04 36:an:10}"""
CAPACITY = """45:an:14 46:an:02 47:an:02 48:an:01 49:an:01 67:cn:04 6B:an:3C
    4A:tlv:61x3{13:an:02 14:an:01 15:an:14 16:cn:04 17:an:3C}"""
MEDICAL = """81:an:08 84:cn:03 87:an:11 8C:cn:01 80:cn:04 8B:an:1D 8A:an:0F 83:an:09 86:an:09 89:an:09
    7D:an:09 7E:an:09 7F:an:09 8D:an:09 8E:an:09 8F:an:01"""
DETAILS = "30 * --:b:02 --:an:01 --:cn:06 --:cn:07 --:b:04 --:b:04 --:b:04"
JOB = "4 * --:an:07 --:cn:04 --:cn:04 --:an:46"
UNEMPLOYMENT = "61:cn:03 98:cn:04 62:cn:04 63:an:03 64:an:03 65:an:03 66:an:03"
PENSION = "70:an:03 71:cn:03 6E:cn:04 6C:cn:04 6F:cn:04 73:cn:04"
CERTIFICATE = "79:tlv:27x4{18:an:03 19:cn:03 1A:cn:04 1B:cn:04 1C:cn:04 1D:an:03 1E:cn:04}"
STATE = "4C:cn:04 4B:an:05 4D:cn:03 60:cn:04 4F:an:06 50:cn:03 3A:an:07"

FIRST = f"""
SSSE 05 | var    | free                        | UKMF    | {ISSUER}
SSSE 06 | var    | free                        | UKMF    | {HOLDER_1}
SSSE 07 | binary | free                        | UKMF    | 768 bytes
DF01 05 | var    | PIN                         | UK1DF01 | 20:an:02 21:an:50 0E:cn:03
DF01 06 | var    | PIN                         | UK4DF01 | 23:an:50 24:cn:03 28:an:0F 2C:an:32 2D:an:0F
DF01 07 | fixed  | PIN or UK2DF01              | UK2DF01 | 29:an:01
DF01 08 | var    | PIN                         | UK3DF01 | 2B:an:01
DF01 09 | var    | PIN or UK2DF01              | UK2DF01 | 2E:an:46 30:an:09 32:an:02
DF01 0A | fixed  | PIN                         | UK5DF01 | 37:cn:04 38:cn:04 39:cn:04
DF02 05 | var    | PIN or UK1DF02              | UK1DF02 | {PROFESSION}
DF02 06 | var    | PIN or UK2DF02              | UK2DF02 | {STATE}
DF02 07 | cyclic | PIN or UK3DF02              | UK3DF02 | {JOB}
DF02 09 | var    | PIN or UK4DF02              | UK4DF02 | 55:an:10 56:an:46 96:cn:04 97:cn:03
DF03 05 | var    | PIN & RK2DF03               | UK1DF03 | {UNEMPLOYMENT}
DF03 06 | var    | PIN                         | UK2DF03 | {CAPACITY}
DF03 07 | var    | PIN & RK1DF03               | UK3DF03 | {PENSION}
DF03 08 | var    | PIN & RK3DF03 or UK4DF03    | UK4DF03 | 7A:cn:03 7B:cn:04 7C:cn:04
DF03 09 | var    | PIN & RK4DF03 or UK5DF03    | UK5DF03 | 51:cn:03 5F:an:01
DF03 0A | var    | PIN & RK5DF03 or UK6DF03    | UK6DF03 | 128 bytes
DF04 05 | var    | PIN                         | UK1DF04 | {MEDICAL}
DF04 06 | fixed  | PIN & RK1DF04               | UK2DF04 | 90:cn:04 92:cn:04 93:cn:04
DF04 08 | cyclic | PIN                         | never   | {DETAILS}
DF04 09 | var    | PIN                         | UK3DF04 | 128 bytes
"""

LATER = f"""
SSSE 05 | var    | free           | UKSSSE  | {ISSUER}
SSSE 06 | var    | EF06           | UKSSSE  | {HOLDER}
SSSE 07 | binary | RKSSSE         | UKSSSE  | 768 bytes
SSSE 08 | binary | RKSSSE         | UKSSSE  | 4096 bytes
DF01 05 | var    | PIN or RK1DF01 | UK1DF01 | 20:an:02 21:an:50 0E:cn:03
DF01 06 | var    | PIN or RK1DF01 | UK4DF01 | 23:an:50 24:cn:03 28:an:0F 2C:an:32 2D:an:0F
DF01 07 | var    | PIN or RK1DF01 | UK2DF01 | 29:an:01
DF01 08 | var    | PIN or RK1DF01 | UK3DF01 | 2B:an:01
DF01 09 | var    | PIN or RK1DF01 | UK2DF01 | 2E:an:46 30:an:09 32:an:02
DF01 0A | var    | PIN or RK1DF01 | UK5DF01 | 37:an:03 38:an:02 39:cn:04
DF01 15 | var    | PIN or RK1DF01 | UK6DF01 | 2A:cn:01 40:tlv:34x3{{57:an:03 58:cn:03 59:an:28}}
DF01 16 | binary | free           | UK7DF01 | 296 bytes
DF01 17 | binary | free           | UK8DF01 | 296 bytes
DF01 18 | binary | free           | UK9DF01 | 296 bytes
DF01 19 | binary | free           | UKADF01 | 296 bytes
DF01 1A | binary | free           | UKBDF01 | 296 bytes
DF02 05 | var    | PIN or RK1DF02 | UK1DF02 | {PROFESSION}
DF02 06 | var    | PIN or RK1DF02 | UK2DF02 | {STATE}
DF02 07 | cyclic | PIN or RK1DF02 | UK3DF02 | {JOB}
DF02 09 | var    | PIN or RK1DF02 | UK4DF02 | 55:an:10 56:an:46 96:cn:04 97:cn:03
DF02 15 | var    | PIN or RK1DF02 | UK5DF02 | 99:tlv:10x4{{10:an:03 11:cn:04 12:cn:03}} 0F:cn:04 1F:cn:03
DF02 16 | cyclic | PIN or RK1DF02 | UK6DF02 | 4 * --:an:03 --:cn:04 --:cn:04 --:cn:04 --:cn:03
DF03 05 | var    | PIN or RK2DF03 | UK1DF03 | {UNEMPLOYMENT}
DF03 06 | var    | PIN or RK1DF03 | UK2DF03 | {CAPACITY}
DF03 07 | var    | PIN or RK1DF03 | UK3DF03 | {PENSION}
DF03 15 | var    | PIN or RK1DF03 | UK4DF03 | 7A:cn:03 7B:cn:04 7C:cn:04
DF03 16 | var    | PIN or RK1DF03 | UK5DF03 | 51:cn:03 5F:an:01
DF03 17 | var    | PIN or RK1DF03 | UK6DF03 | 3B:an:14 3C:an:46 3D:an:01 3E:cn:04 3F:an:3C
DF03 18 | var    | PIN or RK1DF03 | UK7DF03 | 74:an:03 75:cn:03 76:cn:01 77:cn:04 78:cn:04
DF03 19 | fixed  | PIN or RK1DF03 | UK8DF03 | {CERTIFICATE}
DF04 05 | var    | PIN or RK1DF04 | UK1DF04 | {MEDICAL}
DF04 06 | var    | PIN & RK1DF04  | UK2DF04 | 90:an:01 92:cn:04 93:an:02
DF04 08 | cyclic | PIN            | never   | {DETAILS}
DF04 15 | cyclic | PIN or RK1DF04 | UK2DF04 | 8 * --:b:02 --:an:01
DF07 05 | var    | RK1DF07        | UK1DF07 | F0:an:02 F1:an:01 F2:cn:04 F3:an:03 F4:cn:04
DF07 06 | var    | RK2DF07        | UK2DF07 | F5:an:03 F6:cn:04 F7:an:46
DF07 07 | var    | RK3DF07        | UK3DF07 | F8:cn:04 F9:an:01
"""

SHEETS = {"1.0": FIRST, "2.0": LATER.replace("EF06", "free"), "3.0": LATER.replace("EF06", "RKSSSE")}
GENERATIONS = tuple(SHEETS)
STRUCTURES = {
    "var": Structure.VARIABLE,
    "fixed": Structure.FIXED,
    "cyclic": Structure.CYCLIC,
    "binary": Structure.TRANSPARENT,
}
ITEM = re.compile(r"(--|[0-9A-F]{2}):(an|cn|b|tlv):([0-9A-F]{2})(?:x(\d))?(?:\{(.*?)\})?")

# Key, id, number of versions, length in a DES card; ids the sheet gives are checked, the others are free ones.
KEYS = """
IRK 00 3 16, STK 02 1 8, BK 05 1 16, PUK 06 1 16,
STKDF01 82 1 8, UK1DF01 83 3 16, UK2DF01 84 3 16, UK3DF01 85 3 16, UK4DF01 86 3 16, UK5DF01 87 3 16,
STKDF02 82 1 8, UK1DF02 83 3 16, UK2DF02 84 3 16, UK3DF02 85 3 16, UK4DF02 86 3 16, UK5DF02 87 3 16,
STKDF03 82 1 8, LKDF03 83 1 16, RK1DF03 84 3 16, RK2DF03 85 3 16, UK1DF03 86 3 16, UK2DF03 87 3 16, UK3DF03 88 3 16,
UK4DF03 ? 3 16, UK5DF03 ? 3 16, UK6DF03 ? 3 16,
STKDF04 82 1 8, LKDF04 83 1 16, RK1DF04 84 3 16, UK1DF04 85 3 16, UK2DF04 86 3 16, DSK 87 3 16,
DLK ? 3 16, DTK ? 3 16, DPK ? 3 16
"""
KEYS_FIRST = "UKMF 04 3 16, RK3DF03 ? 3 16, RK4DF03 ? 3 16, RK5DF03 ? 3 16, UK3DF04 ? 3 16"
KEYS_LATER = """
UKSSSE 04 3 16, RKSSSE 0A 3 16,
RK1DF01 ? 3 16, UK6DF01 ? 3 16, UK7DF01 ? 3 16, UK8DF01 ? 3 16, UK9DF01 ? 3 16, UKADF01 ? 3 16, UKBDF01 ? 3 16,
RK1DF02 ? 3 16, UK6DF02 ? 3 16, UK7DF03 ? 3 16, UK8DF03 ? 3 16,
STKDF07 82 1 8, RK1DF07 ? 3 16, RK2DF07 ? 3 16, RK3DF07 ? 3 16, UK1DF07 ? 3 16, UK2DF07 ? 3 16, UK3DF07 ? 3 16
"""
KEYS_OPTIONAL = """
STKDF05 82 1 8, UK1DF05 ? 3 16, STKDF06 82 1 8, LKDF06 ? 1 16, UK1DF06 ? 3 16, UK2DF06 ? 3 16, RK1DF06 ? 3 16
"""

Shape = tuple[int, str, int, tuple["Shape", ...]]


def parse(text: str) -> list[Shape]:
    """Items of the sheet: tag (0 for none), type, length, parts."""
    shapes: list[Shape] = []
    for tag, kind, length, times, parts in ITEM.findall(text):
        shape = (0 if tag == "--" else int(tag, 16), kind, int(length, 16), tuple(parse(parts)))
        shapes += [shape] * int(times or 1)
    return shapes


def rows(sheet: str) -> dict[tuple[str, int], list[str]]:
    cells = [
        [" ".join(cell.split()) for cell in row.split("|")] for row in re.split(r"\n(?=SSSE|DF)", sheet) if row.strip()
    ]
    return {(place.split()[0], int(place.split()[1], 16)): rest for place, *rest in cells}


def keys(text: str) -> dict[str, tuple[int | None, int, int]]:
    found = (row.split() for row in text.split(","))
    return {name: (None if id_ == "?" else int(id_, 16), int(grp), int(des)) for name, id_, grp, des in found}
