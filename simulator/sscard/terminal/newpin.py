"""The PIN rules of a place, applied to a new PIN before the card is changed (open-choices.md §3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sscard.errors import HsmError
from sscard.i18n.phrase import Phrase
from sscard.terminal.errors import ApduError, AuthenticationFailed

if TYPE_CHECKING:
    from sscard.issuer.places import Place
    from sscard.terminal.session import CardSession

UNREADABLE: Final = Phrase("the PIN rules of this place need the holder's ID number, which cannot be read: {error}")


def refusal_of(place: Place, session: CardSession, new_pin: str) -> Phrase | None:
    """Why a place does not permit a new PIN, ``None`` if it does; the text contains no PIN.

    The card is read only if the rules depend on the holder's ID number. If the
    number cannot be read, no PIN is permitted. ``TransportError`` without an
    answer of the card; ``AuthenticationFailed`` if it refuses the key that reads
    the number, which takes one try of the key.
    """
    number = ""
    if place.rules_depend_on_id:
        try:
            number = session.read_basic().social_security_number
        except AuthenticationFailed:
            raise
        except (ApduError, HsmError) as error:
            return UNREADABLE.filled(error=error.said)
    return place.refusal(new_pin, number)
