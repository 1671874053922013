"""What the system says of a path that a user gave."""

from __future__ import annotations

from pathlib import Path

from sscard.errors import InputError
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase


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
