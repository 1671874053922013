"""The key file of a journal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from sscard.errors import InputError
from sscard.files import mode_of, unreadable
from sscard.i18n.phrase import Phrase

KEY_LENGTH: Final = 32


def load_key(path: Path) -> bytes:
    """The journal's key (32 bytes as 64 hex digits) from its file, created for the owner only if it does not exist."""
    try:
        _make_key(path)
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


def _make_key(path: Path) -> None:
    """Whole or not at all, and once: a file beside it takes its place unless another did."""
    if mode_of(path):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, os.urandom(KEY_LENGTH).hex().encode())
        os.fsync(handle)
        os.link(beside, path)
    except FileExistsError:
        pass
    finally:
        os.close(handle)
        beside.unlink()
