"""sscard: a virtual Chinese social security card (社会保障卡) and its test bench."""

__version__ = "0.1.0"
