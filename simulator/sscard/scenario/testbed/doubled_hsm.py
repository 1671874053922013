"""A card whose root keys only an HSM has: sscard's chip has keys of its own, and gets what they prove.

The chip that follows the card is issued under the test keys. Each proof and MAC that the HSM computes for the card is
computed with the test keys too, and takes its place in the command for the chip. Bytes that the HSM did not compute
are wrong on the card, and on the chip as well.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from functools import cache

from sscard.chip.command import HEADER_LENGTH
from sscard.hsm import Hsm, HsmError, SoftHsm
from sscard.hsm.protocol import locator
from sscard.i18n.phrase import Phrase
from sscard.issuer import CardReference, KeyHierarchy
from sscard.scenario.issuing import Issuer
from sscard.standard.cipher import AUTHENTICATION_LENGTH

KEPT = 64
"""Proofs and MACs that are remembered: scenarios send some again."""


class DoubledHsm:
    """The HSM of a card, and one with the keys of sscard's chip that computes the same.

    Addresses are those of the chip's keys.
    """

    def __init__(self, hsm: Hsm, keys: KeyHierarchy) -> None:
        self.own = SoftHsm(keys)
        self._hsm = hsm
        self._locate = locator(hsm)
        self._keys = keys
        self._computed: deque[tuple[bytes, bytes]] = deque(maxlen=KEPT)

    def for_chip(self, command: bytes) -> bytes:
        """A command for the card as sscard's chip gets it."""
        head, data = command[:HEADER_LENGTH], command[HEADER_LENGTH:]
        for theirs, own in reversed(self._computed):
            if theirs in data:
                return head + data.replace(theirs, own, 1)
        return command

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        return self.own.address_of(key, version)

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        proof = self._hsm.authentication_data(algorithm, self._theirs(address), card, factor, original)
        own = self.own.authentication_data(algorithm, address, card, factor, original)
        self._computed.append((proof[:AUTHENTICATION_LENGTH], own[:AUTHENTICATION_LENGTH]))
        return proof

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        message = self._hsm.safe_message(algorithm, self._theirs(address), card, factor, header, pin)
        own = self.own.safe_message(algorithm, address, card, factor, header, pin)
        self._computed.append((message[HEADER_LENGTH:], own[HEADER_LENGTH:]))
        return message

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        mac = self._hsm.purchase_mac(algorithm, self._theirs(address), card, factor, message)
        self._computed.append((mac, self.own.purchase_mac(algorithm, address, card, factor, message)))
        return mac

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._hsm.transaction_proof(algorithm, self._theirs(address), card, message)

    def _theirs(self, address: str) -> str:
        """The address of the same key in the HSM. Errors: ``HsmError``."""
        at = self._keys.at(address)
        if at is None:
            raise HsmError(Phrase("no key at address {address}", address=address))
        return self._locate(at.key, at.version)


def at_the_card(issuer: Issuer) -> Issuer:
    """The issuer of what stands beside the card: of PSAMs and other cards, which have keys that are not the card's."""
    return Issuer(_others(issuer.keys), issuer.hsm) if isinstance(issuer.hsm, DoubledHsm) else issuer


def at_the_chip(issuer: Issuer) -> Issuer:
    """The same on sscard's chip alone."""
    return Issuer(_others(issuer.keys), issuer.hsm.own) if isinstance(issuer.hsm, DoubledHsm) else issuer


@cache
def _others(keys: KeyHierarchy) -> KeyHierarchy:
    """The names and addresses of a hierarchy with other values."""
    others = [
        replace(
            key,
            by_suite={
                suite: [bytes(byte ^ 0x33 for byte in value) for value in values]
                for suite, values in key.by_suite.items()
            },
        )
        for key in keys.file.keys
    ]
    return KeyHierarchy(replace(keys.file, keys=others))
