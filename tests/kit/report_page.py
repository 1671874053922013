"""What an HTML report holds, also what its browser decompresses."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from typing import Any

PACKED = re.compile(r'<script type="application/octet-stream"([^>]*)>([^<]*)</script>')


def unpacked(page: str) -> dict[str, list[Any]]:
    """The lists that a page has compressed: the ``facts`` of the filters, the ``maps`` of coverage, the ``chunks``."""
    found: dict[str, list[Any]] = {"facts": [], "maps": [], "chunks": []}
    for attributes, data in PACKED.findall(page):
        name = next((name for name in ("facts", "maps") if f'"{name}"' in attributes), "chunks")
        parts = zlib.decompress(b64decode(data)).decode().split("\0")
        found[name] += [part.split("\n") if name == "facts" else part for part in parts if part]
    return found


def whole(page: str) -> str:
    """The page with what it has compressed as text at its end."""
    parts = [PACKED.sub("", page)]
    for each in unpacked(page).values():
        parts += ["\n".join(part) if isinstance(part, list) else part for part in each]
    return "\n".join(parts)


def without_fractions(text: str) -> str:
    """A report without the fractions of its numbers: times, whose digits are now and then those of a PIN."""
    return re.sub(r"(?<=[0-9]\.)[0-9]+", "", text)
