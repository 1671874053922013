"""HSMs by URL: ``soft:``, ``http://``, ``https://``, ``pkcs11:`` and the schemes that installed packages add.

A package adds one with an entry point of the group ``sscard.hsms``. Its name
is the scheme, its object a callable ``open(url)`` that returns an ``Hsm``, or
a context manager that gives one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final

from sscard.errors import InputError, MissingPart
from sscard.hsm.protocol import Access, Hsm
from sscard.i18n.language import _

GROUP: Final = "sscard.hsms"
BUILT_IN: Final = {
    "soft": "sscard.hsm.soft:open_url",
    "http": "sscard.hsm.http:open_url",
    "https": "sscard.hsm.http:open_url",
    "pkcs11": "sscard.hsm.pkcs11:open_url",
}
"""Scheme → ``open(url, access)``, loaded when it is asked for."""


@contextmanager
def open_hsm(url: str, *, token_file: Path | None = None, ask_pin: Callable[[], str] | None = None) -> Iterator[Hsm]:
    """The HSM at a URL, until the end of the ``with`` statement.

    ``token_file`` holds the token of an HSM service, ``ask_pin`` asks for the
    PIN of a PKCS#11 token if SSCARD_TOKEN_PIN does not hold it. ``InputError``
    for a URL that makes no sense, ``MissingPart`` for a package that is not
    installed, ``HsmUnavailable`` if no HSM can be asked.
    """
    scheme = url.partition(":")[0].lower()
    if scheme in BUILT_IN:
        opened: Any = EntryPoint(scheme, BUILT_IN[scheme], GROUP).load()(url, Access(token_file, ask_pin))
    else:
        opened = _plug_in(scheme)(url)
    if isinstance(opened, AbstractContextManager):
        with opened as hsm:
            yield hsm
    else:
        yield opened


def _plug_in(scheme: str) -> Callable[[str], Any]:
    found = entry_points(group=GROUP)
    if scheme not in found.names:
        known = ", ".join(sorted({*BUILT_IN, *found.names}))
        raise InputError(
            _("unknown HSM scheme {scheme!r}", scheme=scheme), remedy=_("known schemes: {schemes}", schemes=known)
        )
    plug_in = found[scheme]
    try:
        opener: Callable[[str], Any] = plug_in.load()
    except (ImportError, AttributeError) as error:
        package = plug_in.dist.name if plug_in.dist else plug_in.module.partition(".")[0]
        raise MissingPart(
            _("the HSM plug-in {scheme!r} cannot be loaded: {problem}", scheme=scheme, problem=error),
            f"pip install --force-reinstall {package}",
        ) from error
    return opener
