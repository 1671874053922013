"""The sources of a compiled chip: a defect is planted in them, because compiled methods cannot be replaced."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.machinery import SOURCE_SUFFIXES, ExtensionFileLoader, FileFinder, ModuleSpec, SourceFileLoader
from types import ModuleType

from sscard.version import SOURCES, chip_is_compiled


class _Sources:
    """Finds the source of a module of sscard before the extension beside it."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None) -> ModuleSpec | None:
        if path is None or not name.startswith("sscard."):
            return None
        found = (FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(name) for folder in path)
        return next((spec for spec in found if spec is not None and spec.loader is not None), None)


def prefer_sources() -> None:
    """Import the chip from its sources from now on, in this process and those it starts; nothing if it is not compiled.

    Errors: ``MissingPart`` if a compiled module is loaded already.
    """
    if _Sources in sys.meta_path or not chip_is_compiled():
        return
    for name, module in list(sys.modules.items()):
        spec = getattr(module, "__spec__", None)
        if name.startswith("sscard.") and spec is not None and isinstance(spec.loader, ExtensionFileLoader):
            from sscard.errors import MissingPart
            from sscard.i18n.phrase import Phrase

            raise MissingPart(
                Phrase("a defect needs the sources of the chip, and the compiled one is loaded"),
                Phrase("set {variable}=1 before Python starts", variable=SOURCES),
            )
    sys.meta_path.insert(0, _Sources)
    os.environ[SOURCES] = "1"
