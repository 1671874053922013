"""Whose cards the scenarios use: the root keys of the issuer, and the HSM of terminal and service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from sscard.errors import InputError
from sscard.hsm import Hsm, SoftHsm, open_hsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import CardReference, KeyHierarchy, builtin_keys, load_keys
from sscard.standard.cipher import DES, FACTOR_LENGTH

KEY: Final = "PUK"
"""The key that is compared: every issuer has it."""


class Issuer(NamedTuple):
    """The root keys that cards are issued under, and the HSM that proves them."""

    keys: KeyHierarchy
    hsm: Hsm


@dataclass(frozen=True, slots=True)
class Issuing:
    """What opens them, in any process: a key file and the URL of an HSM, or the built-in keys and an HSM with ``keys``.

    ``token_file`` and ``pin`` are what an HSM service and a PKCS#11 token need. ``only_hsm`` states that nobody but the
    HSM has the keys of a card under test.
    """

    keys: Path | None = None
    hsm: str = ""
    token_file: Path | None = None
    pin: str = field(default="", repr=False)
    only_hsm: bool = False

    @contextmanager
    def open(self, ask_pin: Callable[[], str] | None = None) -> Iterator[Issuer]:
        """Keys and HSM until the end of the ``with`` statement. Errors: ``InputError``, ``HsmUnavailable``."""
        keys = load_keys(self.keys) if self.keys else builtin_keys()
        if not self.hsm:
            yield Issuer(keys, SoftHsm(keys))
            return
        with open_hsm(self.hsm, token_file=self.token_file, ask_pin=ask_pin or (lambda: self.pin)) as hsm:
            yield Issuer(keys, hsm)

    def check(self, ask_pin: Callable[[], str]) -> None:
        """Compare the HSM with the keys of the cards, by a proof of one key; ``ask_pin`` asks for the PIN of a token.

        An HSM whose keys nobody else has is only asked.

        Errors: ``InputError`` for an HSM with other keys, ``HsmUnavailable``, and
        ``HsmError`` if the HSM refuses.
        """
        card, factor = CardReference("410402", bytes(8)), bytes(FACTOR_LENGTH)
        with self.open(ask_pin) as issuer:
            proofs = [
                hsm.authentication_data(DES.algorithm_id, hsm.address_of(KEY), card, factor, factor)
                for hsm in (SoftHsm(issuer.keys), issuer.hsm)
            ]
        if proofs[0] != proofs[1] and not self.only_hsm:
            raise InputError(
                Phrase("the HSM has other keys than the cards, which are issued under {keys}", keys=issuer.keys.name),
                remedy=Phrase("give the root keys of the HSM with --keys FILE"),
            )


@dataclass(frozen=True, slots=True)
class OwnCards:
    """A testbed without a card: the HSM, and the keys that sscard's own cards are issued under.

    ``waivers`` is the path of the waiver file, which is not read yet.
    """

    issuing: Issuing
    waivers: Path | None = None
