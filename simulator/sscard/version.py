"""The version of sscard, and whether its chip is compiled."""

from __future__ import annotations

import os
from importlib.machinery import ExtensionFileLoader, PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sscard.i18n.phrase import Phrase

__version__ = "0.2.0"

SOURCES = "SSCARD_SOURCES"
"""The environment variable that makes every ``import sscard`` prefer the sources of a compiled chip."""


def chip_is_compiled() -> bool:
    """Whether Python would load a compiled chip."""
    found = PathFinder.find_spec("engine", [__file__.removesuffix("version.py") + "chip"])
    return found is not None and isinstance(found.loader, ExtensionFileLoader)


def version_and_chip() -> Phrase:
    """The version, and which chip Python would load: ``sscard --version`` does not import it."""
    from sscard.i18n.phrase import Phrase  # not for ``import sscard``

    if chip_is_compiled() and not os.environ.get(SOURCES):
        return Phrase("{version} (compiled chip)", version=__version__)
    return Phrase("{version} (plain Python chip)", version=__version__)
