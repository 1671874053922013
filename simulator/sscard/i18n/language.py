"""The language of user-visible text: English, or Chinese from the catalog in ``locale``.

The library uses phrases (``sscard.i18n.phrase``), and ``say`` translates them
when they are shown: an error in its ``__str__``, a report when it is written.
Code that prints directly (the command line, the reports) calls
``_("no personality {name!r}", name=name)``. Values are inserted after the
translation. Control characters of a value, as of a name or a path that
somebody else chose, are shown escaped (``visible``). An empty message is never looked up: gettext would return the
header of the catalog.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Final
from unicodedata import east_asian_width

from sscard.i18n.phrase import Phrase, Sayable, Words

if TYPE_CHECKING:
    from gettext import NullTranslations
    from pathlib import Path

DOMAIN: Final = "sscard"
CHINESE, ENGLISH = "zh", "en"
LANGUAGES: Final = (CHINESE, ENGLISH)
VARIABLES: Final = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
"""Environment variables for the language; the first one that is set is used."""

_IN_LINES: Final = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff"
HIDDEN: Final = rf"[\t\n{_IN_LINES}]"
HIDDEN_IN_LINES: Final = f"[{_IN_LINES}]"
"""What a terminal or a browser would obey, and not show."""

_chosen = ""
_speaking: ContextVar[str] = ContextVar("language", default="")


def choose_language(name: str = "") -> str:
    """Set the language of this process, ``zh`` or ``en``, by default that of the environment; return it."""
    global _chosen  # noqa: PLW0603 - a process has one language
    _chosen = language_in(os.environ) if not name else CHINESE if _is_chinese(name) else ENGLISH
    return _chosen


def language_in(environment: Mapping[str, str]) -> str:
    """The language of an environment; from a list in LANGUAGE the first that is known, else English."""
    asked = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    for each in asked.split(":"):
        if _is_chinese(each):
            return CHINESE
        if each.startswith(ENGLISH):
            return ENGLISH
    return ENGLISH


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """Use this language inside the ``with`` statement."""
    token = _speaking.set(name)
    try:
        yield
    finally:
        _speaking.reset(token)


def is_chinese() -> bool:
    """Whether the language is Chinese; the first call sets the language from the environment."""
    return (_speaking.get() or _chosen or choose_language()) == CHINESE


def _(text: str, /, **values: object) -> str:
    """The translation of a message, with these values for its placeholders."""
    message = _catalog().gettext(text) if text and is_chinese() else text
    return _filled(message, values)


def say(said: Sayable) -> str:
    """The text of a phrase or a name in the current language; text and numbers are unchanged."""
    if isinstance(said, Words):
        return said.chinese if is_chinese() else said.english
    if not isinstance(said, Phrase):
        return visible_lines(str(said))
    if not said.many:
        return _(said.text, **said.values)
    count = said.values["count"]
    assert isinstance(count, int)
    if is_chinese():
        return _filled(_catalog().ngettext(said.text, said.many, count), said.values)
    return _filled(said.text if count == 1 else said.many, said.values)


def _filled(message: str, values: Mapping[str, object]) -> str:
    """A translated message with its values; phrases and names among them are translated too, other text is visible."""
    said: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, Phrase | Words):
            said[name] = say(value)
        else:
            said[name] = _Value(value) if isinstance(value, str | os.PathLike) else value
    return message.format(**said) if said else message


class _Value(str):
    """A text in a message: visible, unless the message quotes it (``!r``), which escapes it already."""

    __slots__ = ()

    def __format__(self, form: str) -> str:
        return str.__format__(visible(self), form)


def visible(text: str) -> str:
    r"""A text with its control characters escaped, as ``\n`` or ``\x1b``.

    Those are C0 with the line end, DEL, C1, what changes the direction of the
    text or ends a line, half a surrogate pair, and what XML does not take.
    """
    return _escaped(HIDDEN, text)


def visible_lines(text: str) -> str:
    """The same for a text of several lines."""
    return _escaped(HIDDEN_IN_LINES, text)


def _escaped(hidden: str, text: str) -> str:
    if text.isprintable():  # the expression is compiled for other texts only, which are rare
        return text
    return re.sub(hidden, lambda found: found[0].encode("unicode_escape").decode(), text)


def columns(text: str) -> int:
    """Width of a text in terminal columns; a Chinese character takes two."""
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)


def padded(text: str, width: int) -> str:
    """Text padded with spaces to a width in terminal columns."""
    return text + " " * (width - columns(text))


def ranges(numbers: Iterable[int], dash: str = "–", comma: str = ", ") -> str:
    """Numbers as ranges: ``1–4, 7``."""
    parts = []
    for _distance, group in groupby(enumerate(numbers), key=lambda each: each[1] - each[0]):
        first, *others = (number for _place, number in group)
        parts.append(f"{first}{dash}{others[-1]}" if others else str(first))
    return comma.join(parts)


def N_(text: str) -> str:  # noqa: N802 - the name that gettext's users know
    """Mark a message for extraction that is translated later."""
    return text


def reason_of(error: OSError) -> Sayable:
    """The reason of an ``OSError`` by its error number; the system's text for rare ones."""
    return REASONS.get(error.errno or 0) or error.strerror or str(error)


@cache
def _catalog() -> NullTranslations:
    from gettext import GNUTranslations

    with catalog_file("mo").open("rb") as file:
        return GNUTranslations(file)


def catalog_file(suffix: str) -> Path:
    """The Chinese catalog: ``po`` for translators, ``mo`` for programs."""
    from pathlib import Path

    return Path(__file__).parent / "locale" / CHINESE / "LC_MESSAGES" / f"{DOMAIN}.{suffix}"


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
"""Messages of the operating system by error number."""
