"""Holder bases by URL: ``sqlite:FILE`` or a path, ``http(s)://``, and what packages add (``sscard.holder_bases``).

The service of an HSM offers a holder base beside the HSM, to programs with the
same token: ``POST /v1/holder-base/standing`` with ``{"card_number": "…"}``
answers ``{"result": "lost"}``, a word of ``Standing``; 503 if the base behind
the service gives no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import Field

from sscard.errors import HolderBaseUnavailable
from sscard.hsm.http import HttpHsm
from sscard.hsm.http import open_url as open_service
from sscard.hsm.operations import Operation, Request
from sscard.hsm.protocol import Access, HsmError
from sscard.i18n.phrase import Phrase
from sscard.issuer.holderbase import HolderBase
from sscard.issuer.standing import Standing
from sscard.plugins import Registry

STANDING: Final = "holder-base/standing"

Opener = Callable[..., HolderBase | AbstractContextManager[HolderBase]]
"""``opener(url, access=…)``: a base, or a context manager that gives one; one without ``access`` takes ``**_``."""

HOLDER_BASES: Final[Registry[Opener]] = Registry(
    "sscard.holder_bases",
    Phrase("kind of holder base"),
    {
        "sqlite": "sscard.issuer.holderbasefile:open_url",
        "http": "sscard.hsm.holderbase:open_url",
        "https": "sscard.hsm.holderbase:open_url",
    },
    "sqlite",
    result=HolderBase,
)


@contextmanager
def open_holder_base(url: str, *, token_file: Path | None = None) -> Iterator[HolderBase]:
    """The holder base at a URL or path, until the end of the ``with`` statement.

    ``token_file`` holds the token of a service. ``InputError`` for an unknown
    scheme, a malformed URL or a file that is no holder base, ``MissingPart`` for
    a package that is not installed. A base that gives no answer is noticed when
    it is asked.
    """
    with HOLDER_BASES.open(url, access=Access(token_file)) as base:
        yield base


class HttpHolderBase:
    """The holder base of a service, asked through the client of its HSM with that client's token and timeout."""

    def __init__(self, service: HttpHsm) -> None:
        self._service = service

    def standing(self, card_number: str) -> Standing:
        """See ``HolderBase``."""
        try:
            return self._service.ask(STANDING, {"card_number": card_number}, Standing)
        except HsmError as error:
            raise HolderBaseUnavailable(error.said) from None


@contextmanager
def open_url(url: str, *, access: Access) -> Iterator[HttpHolderBase]:
    """The holder base of the service at ``http://HOST:PORT`` or ``https://HOST:PORT``."""
    with open_service(url, access=access) as service:
        yield HttpHolderBase(service)


class _StandingOf(Request):
    card_number: Annotated[str, Field(max_length=64)]


def standing_operation(base: HolderBase) -> dict[str, Operation]:
    """The operation of a holder base, for ``HsmServer``."""

    def standing(asked: Any) -> str:
        return base.standing(asked.card_number).value

    return {STANDING: Operation(_StandingOf, standing)}
