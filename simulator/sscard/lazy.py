"""Names of a package that are imported when they are first used (PEP 562), and logging without importing it."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
"""True for type checkers. Importing ``typing`` for it would double the time of ``import sscard``."""
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any
else:
    ModuleType = type(sys)


class Logger:
    """The logger of a module that a command needs to start: if nobody has imported ``logging``, nobody listens."""

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, message: str, **fields: object) -> None:
        """Log details."""
        self._log("debug", message, fields)

    def info(self, message: str, **fields: object) -> None:
        """Log an event."""
        self._log("info", message, fields)

    def _log(self, level: str, message: str, fields: dict[str, object]) -> None:
        if "logging" in sys.modules:
            getattr(sys.modules["logging"].getLogger(self._name), level)(message, extra=fields)


class _Package(ModuleType):
    """A package that has a function and a module of the same name: the name means the function."""

    _homes: dict[str, str]

    def __setattr__(self, name: str, value: object) -> None:
        """Set an attribute, but not to a module of the package that was just imported."""
        if type(value) is not ModuleType or self._homes.get(name, self.__name__) == self.__name__:
            super().__setattr__(name, value)


def names_on_use(
    package: str, modules: dict[str, tuple[str, ...]]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of a package whose names are imported when they are first used.

    ``modules`` has the names of each module; the names of the package itself are
    modules.
    """
    module = sys.modules[package]
    homes = {name: home for home, names in modules.items() for name in names}
    vars(module)["_homes"] = homes
    module.__class__ = _Package

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        # Not by importlib, which costs more than all the rest of this module.
        if homes[name] == package:
            return __import__(f"{package}.{name}", fromlist=(name,))
        found = vars(module)[name] = getattr(__import__(homes[name], fromlist=(name,)), name)
        return found

    return get, lambda: sorted({*vars(module), *homes})
