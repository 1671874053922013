"""Driver libraries by URL: shared libraries, controls of browsers; packages add kinds (``sscard.drivers``).

Source: the signatures and the sizes of pOutInfo of driver-api.md §3; text is GBK.
"""

from __future__ import annotations

import ctypes
import logging
import os
import re
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from sscard.driver.api import FUNCTIONS, Result
from sscard.driver.server import CHARSETS
from sscard.errors import InputError, MissingPart, TransportError, not_loaded, suggestion
from sscard.i18n.phrase import EITHER, Phrase
from sscard.plugins import Registry

logger = logging.getLogger("sscard.driver")

LIBRARY: Final = "library"
CHARSET_VARIABLE: Final = "SSCARD_DRIVER_CHARSET"
"""The encoding of the text of sscard's own library; libraries of vendors use GBK."""
BEYOND: Final = 65536
"""Bytes after pOutInfo that a library may overwrite without damage to this process."""
PIN_FIELDS: Final = {"iReloadPIN_HSM_Step2": 4}
"""Functions whose pOutInfo contains a PIN, and the index of that field, from 0."""

_NUMBER: Final = re.compile("-?[0-9]{1,9}")


@runtime_checkable
class DriverLibrary(Protocol):
    """Interface of a driver whose functions are called by name."""

    def call(self, function: str, parameters: Sequence[int | str]) -> Result:
        """Call a function with its parameters except pOutInfo; return the return code and pOutInfo."""


class NativeLibrary:
    """A shared library (.so, .dll), of sscard or of a vendor.

    Errors: ``InputError`` (cannot be loaded, has no such function),
    ``TransportError`` (wrote more into pOutInfo than its size).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            load = getattr(ctypes, "WinDLL", ctypes.CDLL)  # the functions are stdcall on Windows
            self._library = load(str(path.absolute()))
        except OSError:
            reason = not_loaded(path)
            raise InputError(Phrase("cannot be loaded: {reason}", reason=reason), file=str(path)) from None
        logger.info("driver library loaded", extra={"library": str(path)})

    def call(self, function: str, parameters: Sequence[int | str]) -> Result:
        """See ``DriverLibrary``."""
        charset = CHARSETS.get(os.environ.get(CHARSET_VARIABLE, ""), CHARSETS["GBK"])
        try:
            name = FUNCTIONS[function].exported(len(parameters))
            called = self._library[name]
        except AttributeError:
            raise InputError(Phrase("has no function {function}", function=name), file=str(self._path)) from None
        called.restype = ctypes.c_long
        size = FUNCTIONS[function].size
        out = ctypes.create_string_buffer(size + BEYOND)
        try:
            given = [
                ctypes.c_int(value) if isinstance(value, int) else ctypes.create_string_buffer(value.encode(charset))
                for value in parameters
            ]
        except UnicodeEncodeError:
            raise InputError(
                Phrase("{function}: a parameter cannot be encoded as {charset}", function=function, charset=charset)
            ) from None
        code = called(*given, out)
        if len(out.value) >= size:
            raise TransportError(
                Phrase(
                    "{file}: {function} wrote beyond the {size} bytes of pOutInfo",
                    file=str(self._path),
                    function=function,
                    size=size,
                )
            )
        return code, out.value.decode(charset, errors="replace")


class PlugInDriver:
    """The driver library of a package: it returns a code and a text, or raises a ``TransportError`` that names it."""

    def __init__(self, library: DriverLibrary, url: str) -> None:
        self._library = library
        self._url = url

    def call(self, function: str, parameters: Sequence[int | str]) -> Result:
        """See ``DriverLibrary``."""
        try:
            returned: object = self._library.call(function, parameters)
        except (TransportError, InputError, MissingPart):
            raise
        except (Exception, SystemExit) as error:
            # Not its text, which may repeat a parameter that is a PIN.
            raise self._failure(function, Phrase("failed with {error}", error=type(error).__name__)) from None
        match returned:
            case (int(code), str(out)):
                return code, out
        raise self._failure(function, Phrase("returned no return code and text"))

    def _failure(self, function: str, problem: Phrase) -> TransportError:
        return TransportError(
            Phrase("driver library {url}: {function} {problem}", url=self._url, function=function, problem=problem)
        )


DRIVERS: Final[Registry[Callable[[str], AbstractContextManager[DriverLibrary]]]] = Registry(
    "sscard.drivers",
    Phrase("kind of driver library"),
    {
        LIBRARY: lambda url: nullcontext(NativeLibrary(Path(url.partition(":")[2]))),
        "ws": "sscard.driver.control:open_control",
    },
    LIBRARY,
    result=DriverLibrary,
    guard=PlugInDriver,
)
"""The path of a shared library, ``ws://HOST:PORT``, or a scheme of an installed package."""


def parameters_of(function: str, words: Sequence[str]) -> list[int | str]:
    """The parameters of a function from words: numbers first, then texts; ``InputError`` never repeats a value."""
    if function not in FUNCTIONS:
        raise InputError(Phrase("no function {function!r}", function=function), remedy=suggestion(function, FUNCTIONS))
    numbers, counts = FUNCTIONS[function].numbers, FUNCTIONS[function].counts
    if len(words) not in counts or not all(_NUMBER.fullmatch(word) for word in words[:numbers]):
        raise InputError(
            Phrase(
                "{function} takes numbers: {numbers}, then texts: {texts}",
                function=function,
                numbers=numbers,
                texts=Phrase.joined(EITHER, [count - numbers for count in counts]),
            ),
            remedy=Phrase("pOutInfo is not given"),
        )
    return [*map(int, words[:numbers]), *words[numbers:]]


def without_pin(function: str, out: str) -> str:
    """A pOutInfo with its PIN masked."""
    fields = out.split("|")
    place = PIN_FIELDS.get(function, len(fields))
    if place < len(fields) and fields[place]:
        fields[place] = "*" * len(fields[place])
    return "|".join(fields)
