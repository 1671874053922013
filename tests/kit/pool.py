"""Work for the processes of a pool: a process that is spawned imports it from here."""

from __future__ import annotations

from random import Random

from sscard.hsm import Hsm
from sscard.issuer import Card, KeyHierarchy, Order, personalise
from sscard.terminal import CardSession


def verify_pin(card: Card, hsm: Hsm, pin: str) -> Card:
    """Verify a PIN; the card with its new retry counter comes back, or the error."""
    CardSession.start(card.chip(Random(1)), hsm).verify_pin(pin)
    return card


def reset_pin(order: Order, keys: KeyHierarchy, hsm: Hsm, pin: str) -> Card:
    """The card of an order, with another PIN."""
    card = personalise(order, keys)
    CardSession.start(card.chip(Random(1)), hsm).reset_pin(pin)
    return card


def fail(error: Exception) -> None:
    """Raise an error with a note."""
    error.add_note("at window 3")
    raise error
