"""Durations as people read them."""

from __future__ import annotations

from typing import Final

from sscard.i18n.language import N_, _

UNITS: Final = (
    (86400, N_("{count} d")),
    (3600, N_("{count} h")),
    (60, N_("{count} min")),
    (1, N_("{count} s")),
)
"""Whole units in seconds."""
FRACTIONS: Final = ((1.0, N_("{number} s")), (1e-3, N_("{number} ms")), (1e-6, N_("{number} µs")))
"""Units in seconds, with three digits of a number before them."""


def duration_text(seconds: int) -> str:
    """A time with its two largest units: ``1 min 5 s``, ``2 d 3 h``."""
    parts = []
    for size, text in UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(_(text, count=count))
    return " ".join(parts[:2]) or _("{count} s", count=0)


def time_text(seconds: float) -> str:
    """A time with three digits: ``58.3 µs``, ``1.25 ms``, ``2.10 s``; from a minute in seconds: ``3 min 5 s``."""
    if seconds >= 60:
        return _("{minutes} min {seconds} s", minutes=int(seconds // 60), seconds=int(seconds % 60))
    size, text = next((each for each in FRACTIONS if seconds >= 0.9995 * each[0]), FRACTIONS[-1])  # 999.6 µs: 1.00 ms
    return _(text, number=f"{seconds / size:#.3g}".rstrip("."))
