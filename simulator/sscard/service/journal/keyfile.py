"""The key file of a journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sscard.errors import InputError
from sscard.files import create_private, mode_of, unreadable
from sscard.i18n.phrase import Phrase

KEY_LENGTH: Final = 32


def load_key(path: Path) -> bytes:
    """The journal's key (32 bytes as 64 hex digits) from its file, created for the owner only if it does not exist."""
    try:
        if not mode_of(path):
            create_private(path, os.urandom(KEY_LENGTH).hex().encode())
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except OSError as error:
        raise unreadable(path, error) from None
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH:
        raise InputError(
            Phrase("is not the key of a journal"), file=str(path), remedy=Phrase("64 hex digits are expected")
        )
    return key
