"""sscard: a virtual Chinese social security card (社会保障卡) and its test bench."""

from sscard.version import __version__

__all__ = ["__version__"]
