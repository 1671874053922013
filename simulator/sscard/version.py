"""The version of sscard."""

__version__ = "0.2.0"
