"""The HSM of a package: what its code does wrong becomes an error that names the HSM."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from sscard.errors import PhrasedError
from sscard.hsm.protocol import Hsm, UnusableAnswer
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.hierarchy import CardReference

T = TypeVar("T", str, bytes)
CHECK: Final = "sscard hsm check URL"


class PlugInFault(UnusableAnswer):
    """The code of a package failed, or returned another type than that of the operation."""


class PlugInHsm:
    """The HSM of a package: it answers bytes, or raises an error of sscard. ``url`` is shown, so it has no password."""

    def __init__(self, hsm: Hsm, url: str) -> None:
        self._hsm = hsm
        self._url = url

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        return self._ask(str, self._hsm.address_of, key, version)

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        return self._ask(bytes, self._hsm.authentication_data, algorithm, address, card, factor, original)

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        return self._ask(bytes, self._hsm.safe_message, algorithm, address, card, factor, header, pin)

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._ask(bytes, self._hsm.purchase_mac, algorithm, address, card, factor, message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._ask(bytes, self._hsm.transaction_proof, algorithm, address, card, message)

    def _ask(self, expected: type[T], ask: Callable[..., object], *asked: object) -> T:
        call: dict[str, Sayable] = {"url": self._url, "call": ask.__name__}
        try:
            answer = ask(*asked)
        except PhrasedError:  # an answer, no fault
            raise
        except (Exception, SystemExit) as error:
            # Not its text, which may repeat a PIN or a key.
            failed = Phrase("HSM {url}: {call} failed with {error}", error=type(error).__name__, **call)
            raise PlugInFault(failed, CHECK) from None
        if isinstance(answer, expected):
            return answer
        other, name = type(answer).__name__, expected.__name__
        raise PlugInFault(
            Phrase("HSM {url}: {call} returned {type}, expected {expected}", type=other, expected=name, **call), CHECK
        )
