"""Files that a user names: errors of the system as errors with a remedy."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

from sscard.errors import InputError, MissingPart
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase

FULL: Final = {errno.ENOSPC, errno.EDQUOT}
LARGEST: Final = 16 << 20
"""Bytes of a text file that is read whole: a document, a recording, a card image."""


def read_text(path: Path) -> str:
    """The text of a UTF-8 file of at most ``LARGEST`` bytes. Errors: ``InputError``."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) <= LARGEST:
            return content.decode().replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise InputError(Phrase("cannot be read: {reason}", reason=reason_of(error)), file=str(path)) from None
    except UnicodeDecodeError as error:
        raise InputError(Phrase("is not UTF-8 text (byte {start})", start=error.start), file=str(path)) from None
    raise InputError(
        Phrase("larger than {limit} MiB", limit=LARGEST >> 20),
        file=str(path),
        remedy=Phrase("split it into several files"),
    )


def write_text(path: Path, text: str) -> None:
    """Write a file as UTF-8. Errors: ``InputError``, ``MissingPart`` if the disk is full."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(path, error) from None


def unwritable(path: Path, error: OSError) -> InputError | MissingPart:
    """Why a file cannot be written."""
    if error.errno in FULL:
        return MissingPart(
            Phrase("{path}: cannot be written: {reason}", path=str(path), reason=reason_of(error)),
            Phrase("free space on the disk, or choose another place"),
        )
    return InputError(Phrase("cannot be written: {reason}", reason=reason_of(error)), file=str(path))


def mode_of(path: Path) -> int:
    """Type and permissions of a file as ``os.stat`` gives them, 0 if there is no such file.

    Links are followed. ``InputError`` if the system cannot look at the path:
    a name that is too long, a loop of links, a folder without permission.
    ``Path.exists`` and its like raise ``OSError`` for some of these.
    """
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise InputError(Phrase("cannot be used: {reason}", reason=reason_of(error)), file=str(path)) from None
    except ValueError:
        raise InputError(Phrase("a path holds no null character"), file=ascii(str(path))) from None
