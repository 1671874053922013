"""The HSM in software, with the root keys of a key file."""

from __future__ import annotations

from pathlib import Path

from sscard.hsm.protocol import CheckedHsm, HsmError
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import Address, CardReference, KeyHierarchy, builtin_keys
from sscard.issuer.lookup import load_keys
from sscard.standard.cipher import BlockKey, Suite


class SoftHsm(CheckedHsm):
    """The HSM in software, with the root keys of ``load_keys``; default: the built-in test keys."""

    def __init__(self, hierarchy: KeyHierarchy | None = None) -> None:
        self._hierarchy = hierarchy or builtin_keys()

    def __repr__(self) -> str:
        return f"<SoftHsm {self._hierarchy.name}>"

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        try:
            return self._hierarchy.address_of(key, version)
        except (KeyError, IndexError):
            raise HsmError(Phrase("this HSM holds no {key} version {version}", key=key, version=version + 1)) from None

    def _at(self, address: str) -> Address | None:
        return self._hierarchy.at(address)

    def _authenticate(self, suite: Suite, at: Address, card: CardReference, factor: bytes, original: bytes) -> bytes:
        return suite.authenticate(self._card_key(suite, at, card), factor, original)

    def _message(
        self, suite: Suite, at: Address, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        session = suite.session_key(self._card_key(suite, at, card), factor)
        message = header + (b"" if pin is None else suite.encipher_pin(session, pin))
        return message + suite.mac(session, message)

    def _purchase_mac(self, suite: Suite, at: Address, card: CardReference, factor: bytes, message: bytes) -> bytes:
        return suite.mac(suite.session_key(self._card_key(suite, at, card), factor), message)

    def _transaction_proof(self, suite: Suite, at: Address, card: CardReference, message: bytes) -> bytes:
        key = self._hierarchy.card_key(suite, at.key, at.version, card)
        return suite.mac(suite.key(suite.proof_key(key)), message)

    def _card_key(self, suite: Suite, at: Address, card: CardReference) -> BlockKey:
        return suite.key(self._hierarchy.card_key(suite, at.key, at.version, card))


def open_url(url: str, **_options: object) -> SoftHsm:
    """The HSM of ``soft:FILE``, or with the built-in test keys of ``soft:``."""
    __, __, file = url.partition(":")
    return SoftHsm(load_keys(Path(file).expanduser()) if file else builtin_keys())
