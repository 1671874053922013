"""Values that commands need before they load the language."""

from __future__ import annotations

from typing import Final

DEFAULT_SEED: Final = 1
"""The seed of a run: of challenges, made-up holders and the clock."""
