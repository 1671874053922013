"""The version of sscard."""

__version__ = "0.1.0"
