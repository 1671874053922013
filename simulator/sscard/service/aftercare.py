"""Aftercare: the trial of the new PIN at a pharmacy, and what an initial PIN may do until it is changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sscard.hsm import Hsm
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.issuer import Place
from sscard.standard.apdu import SW
from sscard.standard.cipher import equal
from sscard.terminal import CardSession, Receipt
from sscard.terminal.errors import ApduError

TRIAL_COST: Final = 1
"""One fen, paid by the holder and not from the account."""
NO_ACCOUNT: Final = frozenset({SW.FILE_NOT_FOUND, SW.UNKNOWN_INS, SW.UNKNOWN_CLA, SW.CONDITIONS_NOT_SATISFIED})


@dataclass(frozen=True, slots=True)
class InitialPinUse:
    """What an initial PIN may do in a place (open-choices.md §3); ``asked``: whether the holder must enter it."""

    pays: bool
    queries: bool
    asked: bool
    notice: Phrase | None


INITIAL_PIN_USES: Final[dict[str, InitialPinUse]] = {
    "free": InitialPinUse(pays=True, queries=True, asked=True, notice=None),
    "query only": InitialPinUse(
        pays=False,
        queries=True,
        asked=True,
        notice=Phrase("An initial PIN is for queries only; you can pay once it is changed"),
    ),
    "must change": InitialPinUse(
        pays=False, queries=False, asked=True, notice=Phrase("An initial PIN must be changed before it can be used")
    ),
    "off": InitialPinUse(
        pays=True,
        queries=True,
        asked=False,
        notice=Phrase("An initial PIN counts as no PIN; it has effect once it is changed"),
    ),
}


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of a trial: whether the PIN was accepted, the text for the citizen, the receipt if it paid."""

    passed: bool
    said: Phrase
    receipt: Receipt | None = None

    @property
    def text(self) -> str:
        return say(self.said)


def is_initial(place: Place, session: CardSession, pin: str) -> bool:
    """Whether a PIN is the initial PIN of the place; the card is read only if the PIN depends on the holder."""
    number = session.read_basic().social_security_number if place.initial_depends_on_id else ""
    initial = place.initial_pin_by(number)
    return bool(initial) and equal(pin.encode(), initial.encode())


def try_at_pharmacy(session: CardSession, hsm: Hsm, place: Place, pin: str, now: datetime) -> Trial:
    """Pay one fen with the PIN, as the item advises (到药店测试密码); only VERIFY without a medical account.

    Raises ``ApduError`` if the card refuses the PIN.
    """
    use = INITIAL_PIN_USES[place.initial_pin_use]
    if use.notice is not None and is_initial(place, session, pin):
        return Trial(use.pays, use.notice)
    try:
        receipt = session.pay(pin, TRIAL_COST, hsm, now)
    except ApduError as error:
        if error.sw not in NO_ACCOUNT:
            raise
        session.verify_pin(pin)
        return Trial(True, Phrase("The new PIN is right; this card cannot pay at a pharmacy"))
    return Trial(True, Phrase("You can pay with the new PIN"), receipt)
