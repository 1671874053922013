"""Recovery after a card was removed too early (防拔, terminal-flows.md §8): is it the same card, and what did it do?

The flows of this module run on the card after it is inserted again.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW
from sscard.standard.applications import DF04
from sscard.standard.encoding import encode_given_pin
from sscard.terminal import flows
from sscard.terminal.card import Identity, OpenedCard
from sscard.terminal.errors import ApduError, PinBlocked, WrongPin
from sscard.terminal.flow import Flow


class Standing(Enum):
    """Result of recovery after an operation without answer, and what to do."""

    OTHER_CARD = Phrase("not the same card as before: give up")
    DONE = Phrase("the card did it")
    NOT_DONE = Phrase("the card did not do it: begin again")
    PIN_BLOCKED = Phrase("the PIN is blocked")
    UNDECIDED = Phrase("it is not known whether the card did it: let the holder try the PIN")


@dataclass(frozen=True, slots=True)
class Recovery:
    """Result for a re-inserted card; ``tac`` of a completed purchase."""

    standing: Standing
    tries_left: int | None = None
    tac: bytes = b""

    @property
    def text(self) -> str:
        """The text for the operator."""
        return say(self.standing.value)


def recover_change(card: OpenedCard, expected: Identity, old: str, new: str) -> Flow[Recovery]:
    """After a PIN change (修改): try the new PIN, then the old one.

    No try is used that could block the PIN: with one try left the holder decides.
    """
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    tries = yield from flows.tries_left()
    if tries is None:
        return Recovery(Standing.UNDECIDED if old and new else Standing.DONE if old else Standing.NOT_DONE)
    if tries == 0:
        return Recovery(Standing.PIN_BLOCKED, 0)
    standing = Standing.UNDECIDED
    if new and (yield from _is_pin(new)):
        standing = Standing.DONE
    elif old and (yield from _is_pin(old)):
        standing = Standing.NOT_DONE
    return Recovery(standing, (yield from flows.tries_left()))


def finish_change(old: str, new: str, tries_before: int | None) -> Flow[None]:
    """Bring a PIN change to its end with as few tries as the card allows; a wrong PIN raises as ``verify_pin``.

    ``tries_before`` are the tries left before the change was sent. The card
    uses a try before it compares, and restores all tries after the change. If
    the retry counter shows that the change did not happen, or only one try is
    left, try the old PIN first.
    """
    tries = yield from flows.tries_left()
    takes_old, has_new = flows.change_pin(old, new), flows.verify_pin(new)
    if tries is None:  # no PIN is set, so none was changed
        yield from takes_old
        return
    fewer = tries_before is not None and tries < tries_before
    first, second = (takes_old, has_new) if fewer or tries == 1 else (has_new, takes_old)
    try:
        yield from first
    except WrongPin as error:
        if not error.tries_left:
            raise
        yield from second


def finish_reset(card: OpenedCard, new: str) -> Flow[None]:
    """Repeat a PIN reset whose result is not known.

    A card may refuse it because it has the new PIN already [OC-19], or because
    the reset was the last one that it permits, which blocks the PUK [OC-42]:
    then the new PIN is tried.
    """
    try:
        yield from flows.reset_pin(card, encode_given_pin(new))
    except ApduError as error:
        if error.sw not in (SW.WRONG_DATA, SW.METHOD_BLOCKED) or not (yield from _is_pin(new)):
            raise


def finish_unblock(card: OpenedCard) -> Flow[None]:
    """Bring a PIN unblock to its end whose result is not known; repeat it only if the PIN is still blocked.

    Each unblock counts towards the limit of the card [OC-42], so one that the
    retry counter shows to be done is not repeated.
    """
    if (yield from flows.tries_left()) == 0:
        yield from flows.unblock_pin(card)


def recover_reset(card: OpenedCard, expected: Identity, new: str) -> Flow[Recovery]:
    """After a PIN reset (重置): is the new PIN valid? If unknown, report "not done": a repeated reset is harmless."""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    standing = Standing.DONE if (yield from _is_pin(new)) else Standing.NOT_DONE
    return Recovery(standing, (yield from flows.tries_left()))


def recover_unblock(card: OpenedCard, expected: Identity) -> Flow[Recovery]:
    """After a PIN unblock (解锁): are the tries restored?"""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    tries = yield from flows.tries_left()
    return Recovery(Standing.NOT_DONE if tries == 0 else Standing.DONE, tries)


def recover_purchase(card: OpenedCard, expected: Identity, count: int) -> Flow[Recovery]:
    """After DEBIT FOR PURCHASE: the card's proof of this count, or 9406 if the purchase was not posted."""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    yield from flows.issuer_of(card)
    yield from flows.enter(card, DF04)
    try:
        _, tac = yield from flows.transaction_proof(flows.PURCHASE, count)
    except ApduError as error:
        if error.sw != SW.MAC_NOT_AVAILABLE:
            raise
        return Recovery(Standing.NOT_DONE)
    return Recovery(Standing.DONE, tac=tac)


def _is_pin(pin: str) -> Flow[bool]:
    """Whether the card accepts a PIN; not tried with less than two tries left or if the card has no PIN."""
    if ((yield from flows.tries_left()) or 0) <= 1:
        return False
    try:
        yield from flows.verify_pin(pin)
    except (WrongPin, PinBlocked):
        return False
    return True
