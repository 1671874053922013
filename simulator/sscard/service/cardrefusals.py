"""What a refusal of the card means for a case: the text for the citizen, and whether the case can continue.

Also the refusal of a new PIN, before the card is changed.
"""

from __future__ import annotations

from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.issuer import Place
from sscard.service.notices import NotDone
from sscard.standard.apdu import SW, status_words, tries_in
from sscard.standard.cipher import equal
from sscard.terminal import AuthenticationFailed, CardSession, CardUnusable, KeyBlocked, PinBlocked, WrongPin
from sscard.terminal.errors import ApduError
from sscard.terminal.newpin import refusal_of
from sscard.transport.faults import TransportError

BLOCKED: Final = Phrase("the PIN is blocked: please apply for a reset, card locked")
_FOUND: tuple[tuple[type[ApduError], Phrase], ...] = (
    (WrongPin, Phrase.plural("the PIN is wrong, {count} more try", "the PIN is wrong, {count} more tries", count=0)),
    (PinBlocked, BLOCKED),
    (
        AuthenticationFailed,
        Phrase.plural(
            "the card does not accept the issuer's key, which has {count} more try; {pin}",
            "the card does not accept the issuer's key, which has {count} more tries; {pin}",
            count=0,
        ),
    ),
    (KeyBlocked, Phrase("the issuer's key is blocked on the card; {pin}")),
    (CardUnusable, Phrase("the card or the application is blocked")),
)
SAME_PIN: Final = Phrase("the new PIN is the one that leaked: choose another PIN")
NO_ID_NUMBER: Final = Phrase(
    "the PIN rules of this place need the holder's ID number, and the card gave no answer: put the same card back"
)
_WITHOUT_REMEDY: Final = (PinBlocked, AuthenticationFailed, KeyBlocked, CardUnusable)
"""Refusals of the card that end a case, besides a wrong PIN that leaves no try."""
_KNOWN: Final = frozenset(SW)
_UNCLEAR: Final = (SW.MEMORY_FAILURE, SW.NO_DATA_PENDING)
"""Answers that say nothing about the PIN: 6F00 belongs to GET RESPONSE, and to any command as a general error."""


def not_done(error: ApduError, pin: Phrase) -> NotDone:
    """The answer of the service to a refusal of the card; ``pin`` states what is known of the PIN."""
    tries: int | None = getattr(error, "tries_left", None)
    return NotDone(_found(error, tries, pin), error.sw, tries)


def ends_case(error: ApduError) -> bool:
    """Whether the operation cannot succeed if it is repeated."""
    return getattr(error, "tries_left", None) == 0 or isinstance(error, _WITHOUT_REMEDY)


def is_unclear(error: ApduError) -> bool:
    """Whether the result is unknown: after an unknown status word, a memory failure or a general error."""
    known = error.sw in _KNOWN or tries_in(error.sw) is not None
    return not known or error.sw in _UNCLEAR


def refusal_of_new(place: Place, session: CardSession, new_pin: str, old_pin: str) -> Phrase | None:
    """Why a new PIN is not permitted; the card's own choice for an unchanged PIN is OC-19.

    ``AuthenticationFailed`` if the rules need the ID number, and the card refuses the key that reads it.
    """
    if equal(new_pin.encode(), old_pin.encode()):
        return SAME_PIN
    try:
        return refusal_of(place, session, new_pin)
    except TransportError:
        return NO_ID_NUMBER


def _found(error: ApduError, tries: int | None, pin: Phrase) -> Phrase:
    if isinstance(error, WrongPin) and tries == 0:
        return Phrase("the PIN is wrong; {blocked}", blocked=BLOCKED)
    known = (words.filled(count=tries or 0, pin=pin) for kind, words in _FOUND if isinstance(error, kind))
    found = next(known, Phrase("{text}", text=status_words(error.sw)))
    if not isinstance(error, KeyBlocked):
        return found
    # The limit of unblocks blocks the PUK as failed proofs do, and the card answers the same [OC-42].
    return Phrase(
        "{found}; the card permits no more unblocks or resets and is void: please apply for a new card", found=found
    )
