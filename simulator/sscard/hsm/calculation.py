"""The calculation of an HSM after LD/T 32.4 in steps: as they are it is the right one, with a step replaced a mistake.

``sscard.hsm.vectors`` computes test vectors with the right one, and
``sscard.hsm.mistakes`` compares the answer of a wrong HSM with known mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from sscard.hsm.protocol import HEADER_LENGTH
from sscard.issuer.hierarchy import CardReference, KeyHierarchy
from sscard.standard.cipher import (
    AUTHENTICATION_LENGTH,
    SUITES,
    BlockKey,
    Suite,
    city_factor,
    pad,
    pin_block,
    province_factor,
)

NO_CARD: Final = CardReference("", b"")
DIVERSIFY: Final = "diversify"
SESSION_KEY: Final = "session-key"
LEVELS: Final = ("province", "city", "card")
"""Keys of the diversification, in its order: vectors for implementers, no operation of an HSM."""
DIVERSIFIED: Final = 4096
"""Card keys that are kept."""


class Question(NamedTuple):
    """What an HSM is asked: an operation of the protocol ``Hsm`` with its data, by the names of the HTTP service.

    A question names a key with its version (from 0) and a card, an address, or
    for implementers the ``card_key`` itself. ``level`` is one of ``LEVELS``.
    """

    operation: str
    algorithm: int
    data: Mapping[str, bytes | None]
    key: str = ""
    version: int = 0
    card: CardReference = NO_CARD
    address: str = ""
    card_key: bytes = b""
    level: str = ""


@lru_cache(maxsize=DIVERSIFIED)
def _diversified(child: Callable[[Suite, bytes, bytes], bytes], suite: Suite, root: bytes, *factors: bytes) -> bytes:
    """A root diversified by one factor after another: the same for most mistakes, and a third of their time."""
    key = root
    for factor in factors:
        key = child(suite, key, factor)
    return key


def session_of(suite: Suite, key: bytes, challenge: bytes) -> BlockKey:
    """The session key: the card key enciphers the challenge."""
    return suite.passing_key(suite.key(key).encrypt(challenge))


@dataclass(frozen=True, slots=True)
class Calculation:
    """The steps from a root key to an answer, in their order."""

    suite: Callable[[Suite], Suite] = lambda suite: suite
    factors: Callable[[CardReference], Sequence[bytes]] = lambda card: (
        province_factor(card.city_code),
        city_factor(card.city_code),
        card.serial,
    )
    child: Callable[[Suite, bytes, bytes], bytes] = lambda suite, key, factor: suite.diversify(suite.key(key), factor)
    exchanged: bool = False
    """Factor and original data change places."""
    challenge: Callable[[bytes, int], bytes] = lambda factor, block: factor.ljust(block, b"\0")
    session: Callable[[Suite, bytes, bytes], BlockKey] = session_of
    authentication: Callable[[Suite, BlockKey, bytes], bytes] = lambda suite, session, original: (
        suite.authentication_data(session, original)
    )
    pin_block: Callable[[bytes, int], bytes] = pin_block
    header: Callable[[bytes], bytes] = lambda header: header
    """The header as the MAC covers it."""
    pad: Callable[[bytes, int], bytes] = pad
    chain: Callable[[BlockKey, bytes, bytes], bytes] = lambda session, blocks, _factor: session.chain(blocks)
    fold: Callable[[Suite, bytes], bytes] = lambda suite, block: suite.fold(block)
    proof_key: Callable[[Suite, bytes], bytes] = lambda suite, key: suite.proof_key(key)
    answer: Callable[[bytes, bytes], bytes] = lambda computed, original: computed + original
    """Authentication data and original data, as they are answered."""

    def run(self, asked: Question, roots: KeyHierarchy) -> bytes:
        """The answer to a question.

        ``InputError`` if the issuer does not have the root, ``ValueError`` (a
        ``CipherError`` too) if the steps do not fit the question.
        """
        suite = self.suite(SUITES[asked.algorithm])
        key = self._card_key(suite, asked, roots)
        if asked.operation == DIVERSIFY:
            return key
        data = {name: value or b"" for name, value in asked.data.items()}
        if asked.operation == "transaction-proof":
            return self._mac(suite, suite.key(self.proof_key(suite, key)), data["message"], b"")
        factor, original = data["factor"], data.get("original", b"")
        if self.exchanged and original:
            factor, original = original, factor.ljust(AUTHENTICATION_LENGTH, b"\0")[:AUTHENTICATION_LENGTH]
        challenge = self.challenge(factor, suite.block)
        if asked.operation == SESSION_KEY:
            return suite.key(key).encrypt(challenge)
        session = self.session(suite, key, challenge)
        if asked.operation == "authentication-data":
            return self.answer(self.authentication(suite, session, original), data["original"])
        if asked.operation == "purchase-mac":
            return self._mac(suite, session, data["message"], challenge)
        header, pin = data["header"], asked.data["pin"]
        rest = header[HEADER_LENGTH:] if pin is None else session.encrypt(self.pin_block(pin, suite.block))
        header = header[:HEADER_LENGTH]
        return header + rest + self._mac(suite, session, self.header(header) + rest, challenge)

    def _card_key(self, suite: Suite, asked: Question, roots: KeyHierarchy) -> bytes:
        if asked.card_key:
            return asked.card_key
        root = roots.needed(suite, asked.key, asked.version)
        count = LEVELS.index(asked.level) + 1 if asked.level else len(LEVELS)
        return _diversified(self.child, suite, root, *self.factors(asked.card)[:count])

    def _mac(self, suite: Suite, session: BlockKey, message: bytes, challenge: bytes) -> bytes:
        return self.fold(suite, self.chain(session, self.pad(message, suite.block), challenge))


RIGHT: Final = Calculation()
