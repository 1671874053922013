"""After a card that left too early (防拔, terminal-flows.md §8): is it the same card, and did the operation happen?

A flow of this module runs on the card once it is back in the terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW
from sscard.standard.applications import DF04
from sscard.terminal import flows
from sscard.terminal.card import Identity, OpenedCard
from sscard.terminal.errors import ApduError, PinBlocked, WrongPin
from sscard.terminal.flow import Flow


class Standing(Enum):
    """How an operation stands after its answer did not come, and what to do."""

    OTHER_CARD = Phrase("not the card that was there before: give up")
    DONE = Phrase("the card did it")
    NOT_DONE = Phrase("the card did not do it: begin again")
    PIN_BLOCKED = Phrase("the PIN is blocked")
    UNDECIDED = Phrase("nobody can tell whether the card did it: let the holder try the PIN")


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a re-inserted card says; ``tac`` of a purchase that was completed."""

    standing: Standing
    tries_left: int | None = None
    tac: bytes = b""

    @property
    def text(self) -> str:
        """For the operator."""
        return say(self.standing.value)


def recover_change(card: OpenedCard, expected: Identity, old: str, new: str) -> Flow[Recovery]:
    """After a PIN change (修改): try the new PIN, then the old one.

    No try is spent that could block the PIN: with one left the holder is asked.
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
    takes a try before it compares, and gives all back when the change is
    done: fewer tries than before mean that it was cut short, and the old PIN
    goes first. So it does if one try is left, which is not for guessing.
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


def recover_reset(card: OpenedCard, expected: Identity, new: str) -> Flow[Recovery]:
    """After a PIN reset (重置): is the new PIN valid? A doubt counts as not done: to reset again does no harm."""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    standing = Standing.DONE if (yield from _is_pin(new)) else Standing.NOT_DONE
    return Recovery(standing, (yield from flows.tries_left()))


def recover_unblock(card: OpenedCard, expected: Identity) -> Flow[Recovery]:
    """After a PIN unblock (解锁): are there tries again?"""
    if card.identity != expected:
        return Recovery(Standing.OTHER_CARD)
    tries = yield from flows.tries_left()
    return Recovery(Standing.NOT_DONE if tries == 0 else Standing.DONE, tries)


def recover_purchase(card: OpenedCard, expected: Identity, count: int) -> Flow[Recovery]:
    """After DEBIT FOR PURCHASE: the card's proof of this count, or 9406: nothing was taken."""
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
    """Whether the card takes a PIN; not asked if one try is left or none, or if the card has no PIN."""
    if ((yield from flows.tries_left()) or 0) <= 1:
        return False
    try:
        yield from flows.verify_pin(pin)
    except (WrongPin, PinBlocked):
        return False
    return True
