"""The HSM of a campaign: it counts its operations, and fails when a card's life says so."""

from __future__ import annotations

from time import perf_counter

from sscard.errors import HsmUnavailable
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference

DOWN, REMEDY = Phrase("the HSM does not answer"), Phrase("come back later")


class FailingHsm:
    """An ``Hsm`` around another one. ``fails_after`` so many operations it is down; ``None``: never.

    ``sealed`` is the PIN (cn) that it enciphered last, ``None`` for a message without one. ``seconds`` is the time in
    the other HSM.
    """

    def __init__(self, hsm: Hsm) -> None:
        self._hsm = hsm
        self.operations = 0
        self.fails_after: int | None = None
        self.sealed: bytes | None = None
        self.seconds = 0.0
        self.address_of = hsm.address_of

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        began = self._begin()
        made = self._hsm.authentication_data(algorithm, address, card, factor, original)
        self.seconds += perf_counter() - began
        return made

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        began = self._begin()
        made = self._hsm.safe_message(algorithm, address, card, factor, header, pin)
        self.sealed = pin
        self.seconds += perf_counter() - began
        return made

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        self._begin()
        return self._hsm.purchase_mac(algorithm, address, card, factor, message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        self._begin()
        return self._hsm.transaction_proof(algorithm, address, card, message)

    def _begin(self) -> float:
        left = self.fails_after
        if left is not None:
            if left == 0:
                raise HsmUnavailable(DOWN, REMEDY)
            self.fails_after = left - 1
        self.operations += 1
        return perf_counter()
