"""The language of everything a person reads: English, or Chinese by the catalog in ``locale``.

The library holds phrases (``sscard.i18n.phrase``), and ``say`` makes text of
them where they are shown: an error in its ``__str__``, a report when it is
written. Code that shows what it writes (the command line, the reports) calls
``_("no personality {name!r}", name=name)``. A message is translated first and
gets its values after. An empty message is never looked up: gettext would
return the header of the catalog.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import Final
from unicodedata import east_asian_width

from sscard.i18n.phrase import Phrase, Sayable, Words

DOMAIN: Final = "sscard"
LOCALE: Final = Path(__file__).parent / "locale"
CHINESE, ENGLISH = "zh", "en"
LANGUAGES: Final = (CHINESE, ENGLISH)
VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Where a user says which language, the first that says any counts."""

_chosen = ""
_speaking: ContextVar[str] = ContextVar("language", default="")


def choose_language(name: str = "") -> str:
    """Choose the language of this process, ``zh`` or ``en``; without a name the environment's. What was chosen."""
    global _chosen  # noqa: PLW0603 - a process talks to its user in one language
    _chosen = language_in(os.environ) if not name else CHINESE if _is_chinese(name) else ENGLISH
    return _chosen


def language_in(environment: Mapping[str, str]) -> str:
    """The language that an environment asks for; of a list in LANGUAGE the first that is known, else English."""
    asked = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    for each in asked.split(":"):
        if _is_chinese(each):
            return CHINESE
        if each.startswith(ENGLISH):
            return ENGLISH
    return ENGLISH


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Say what is said inside in one language, whatever was chosen."""
    token = _speaking.set(name)
    try:
        yield
    finally:
        _speaking.reset(token)


def is_chinese() -> bool:
    """Whether Chinese is spoken now; the first question settles the language from the environment."""
    return (_speaking.get() or _chosen or choose_language()) == CHINESE


def _(text: str, /, **values: object) -> str:
    """A message that is shown as soon as it is made, in the language, with these values in its places."""
    message = _catalog().gettext(text) if text and is_chinese() else text
    return _filled(message, values)


def say(said: Sayable) -> str:
    """A phrase or a name in the language of now; text and numbers as they are."""
    if isinstance(said, Words):
        return said.chinese if is_chinese() else said.english
    if not isinstance(said, Phrase):
        return str(said)
    if not said.many:
        return _(said.text, **said.values)
    count = said.values["count"]
    assert isinstance(count, int)
    if is_chinese():
        return _filled(_catalog().ngettext(said.text, said.many, count), said.values)
    return _filled(said.text if count == 1 else said.many, said.values)


def _filled(message: str, values: Mapping[str, object]) -> str:
    """A message with its values, those that are phrases or names said in the same language."""
    said = {name: say(value) if isinstance(value, Phrase | Words) else value for name, value in values.items()}
    return message.format(**said) if said else message


def padded(text: str, width: int) -> str:
    """Text filled with spaces to so many columns of a terminal, where a Chinese character takes two."""
    taken = sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
    return text + " " * (width - taken)


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's users know
    """Mark a message for the catalog that is translated later."""
    return text


def reason_of(error: OSError) -> Sayable:
    """Why the operating system refused, by its error number; in its own words for a rare one."""
    return REASONS.get(error.errno or 0) or error.strerror or str(error)


@cache
def _catalog() -> NullTranslations:
    with (LOCALE / CHINESE / "LC_MESSAGES" / f"{DOMAIN}.mo").open("rb") as file:
        return GNUTranslations(file)


def _is_chinese(name: str) -> bool:
    return name.lower().startswith(CHINESE)


REASONS: Final = {
    errno.ENOENT: Phrase("No such file or directory"),
    errno.EACCES: Phrase("Permission denied"),
    errno.EPERM: Phrase("Operation not permitted"),
    errno.EISDIR: Phrase("Is a directory"),
    errno.ENOTDIR: Phrase("Not a directory"),
    errno.EEXIST: Phrase("File exists"),
    errno.ENAMETOOLONG: Phrase("File name too long"),
    errno.ELOOP: Phrase("Too many levels of symbolic links"),
    errno.ENOSPC: Phrase("No space left on device"),
    errno.EROFS: Phrase("Read-only file system"),
    errno.EFBIG: Phrase("File too large"),
    errno.EMFILE: Phrase("Too many open files"),
    errno.EIO: Phrase("Input/output error"),
    errno.ENOEXEC: Phrase("Exec format error"),
    errno.EADDRINUSE: Phrase("Address already in use"),
    errno.EADDRNOTAVAIL: Phrase("Cannot assign requested address"),
    errno.ECONNREFUSED: Phrase("Connection refused"),
    errno.ECONNRESET: Phrase("Connection reset by peer"),
    errno.EPIPE: Phrase("Broken pipe"),
    errno.ETIMEDOUT: Phrase("Connection timed out"),
    errno.EHOSTUNREACH: Phrase("No route to host"),
    errno.ENETUNREACH: Phrase("Network is unreachable"),
}
"""What the operating system says for an error number."""
