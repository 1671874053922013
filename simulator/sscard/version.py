"""The version of sscard, and whether its chip is compiled."""

from importlib.machinery import ExtensionFileLoader, PathFinder

__version__ = "0.2.0"


def version_and_chip() -> str:
    """The version, and which chip Python would load: ``sscard --version`` does not import it."""
    found = PathFinder.find_spec("engine", [__file__.removesuffix("version.py") + "chip"])
    compiled = found is not None and isinstance(found.loader, ExtensionFileLoader)
    return f"{__version__} ({'compiled' if compiled else 'plain Python'} chip)"
