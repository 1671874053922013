"""Answers to a flow's requests for key operations from an HSM; a ``Psam`` has its own method ``answer``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from sscard.hsm import Hsm
from sscard.hsm.protocol import locator
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW
from sscard.standard.cipher import equal
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import CheckMac2, Mac1, Prove, PurchaseMac, Request, Seal

DLK, DPK = "DLK", "DPK"


class HsmAnswers:
    """The answers of an HSM; ``sequences`` numbers the purchases, in which it replaces a PSAM."""

    def __init__(self, hsm: Hsm, sequences: Iterator[int] | None = None) -> None:
        self._hsm = hsm
        self._locate = locator(hsm)
        self._sequences = sequences or count(1)

    def __call__(self, request: Request) -> object:
        if isinstance(request, Prove):
            card, key, factor, original, version = request
            address = self._locate(key, version)
            return self._hsm.authentication_data(card.algorithm, address, card.reference, factor, original)
        if isinstance(request, Seal):
            card, header, pin = request.card, request.header, request.pin
            address = self._locate(request.key, 0)
            return self._hsm.safe_message(card.algorithm, address, card.reference, request.factor, header, pin)
        if isinstance(request, PurchaseMac):
            sequence = next(self._sequences).to_bytes(4, "big")
            return Mac1(sequence, request.time, self.purchase_mac(request, sequence, request.message))
        if isinstance(request, CheckMac2):
            asked = request.purchase
            if not equal(self.purchase_mac(asked, request.made.sequence, asked.amounts), request.mac2):
                raise ApduError(Phrase("check MAC2"), SW.WRONG_MAC)
            return True
        raise NotImplementedError(type(request).__name__)

    def purchase_mac(self, asked: PurchaseMac, sequence: bytes, message: bytes) -> bytes:
        """MAC1 of a purchase, over its ``message``, or MAC2, over its ``amounts``."""
        card = asked.card
        address = self._locate(DPK, asked.key_version - 1)
        factor = asked.random + asked.purchase_count + sequence[2:]
        return self._hsm.purchase_mac(card.algorithm, address, card.reference, factor, message)

    def load_mac(self, card: OpenedCard, opening: bytes, message: bytes) -> bytes:
        """MAC2 of a load(4); ``opening`` is count(2) ‖ key version(1) ‖ algorithm id(1) ‖ random(4) of the card."""
        address = self._locate(DLK, opening[2] - 1)
        factor = opening[4:] + opening[:2] + b"\x80\x00"
        return self._hsm.purchase_mac(card.algorithm, address, card.reference, factor, message)
