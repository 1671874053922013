"""HSMs by URL: ``soft:``, ``http(s)://``, ``pkcs11:`` and what installed packages add (``sscard.hsms``)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from sscard.hsm.plugin import PlugInHsm
from sscard.hsm.protocol import Access, Hsm
from sscard.i18n.phrase import Phrase
from sscard.lazy import Logger
from sscard.plugins import Registry

logger = Logger("sscard.hsm")

Opener = Callable[..., Hsm | AbstractContextManager[Hsm]]
"""``opener(url, access=…)``: an HSM, or a context manager that gives one; one without ``access`` takes ``**_``."""

HSMS: Final[Registry[Opener]] = Registry(
    "sscard.hsms",
    Phrase("kind of HSM"),
    {
        "soft": "sscard.hsm.soft:open_url",
        "http": "sscard.hsm.http:open_url",
        "https": "sscard.hsm.http:open_url",
        "pkcs11": "sscard.hsm.pkcs11:open_url",
    },
    result=Hsm,
    guard=PlugInHsm,
)


@contextmanager
def open_hsm(url: str, *, token_file: Path | None = None, ask_pin: Callable[[], str] | None = None) -> Iterator[Hsm]:
    """The HSM at a URL, until the end of the ``with`` statement.

    ``token_file`` holds the token of an HSM service, ``ask_pin`` asks for the
    PIN of a PKCS#11 token if SSCARD_TOKEN_PIN does not hold it. ``InputError``
    for an unknown scheme or a malformed URL, ``MissingPart`` for a package that
    is not installed, ``HsmUnavailable`` if no HSM can be asked.
    """
    with HSMS.open(url, access=Access(token_file, ask_pin)) as hsm:
        logger.info("HSM opened", kind=url.partition(":")[0].lower())
        yield hsm
