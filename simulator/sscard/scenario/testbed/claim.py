"""The claim of a testbed, and what its card shows of the choices that the claim leaves open."""

from __future__ import annotations

from dataclasses import replace

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.scenario.issuing import Issuer
from sscard.scenario.testbed.card import Ask, supply
from sscard.scenario.testbed.file import Testbed
from sscard.scenario.testbed.observation import Observed, made_with, observe
from sscard.scenario.testbed.probed_card import Permissions
from sscard.standard.choices import CHOICES
from sscard.terminal.cards import open_card

REQUIRED = ("generation", "algorithm")
"""Choices without which no scenario can be chosen."""


def observe_testbed(testbed: Testbed, issuer: Issuer, ask: Ask) -> Observed:
    """Probe the card of a testbed with its permissions; it is destroyed only if ``fresh`` gives a new one before.

    Errors: as of ``observe``; ``MissingPart`` without a new card.
    """
    card = testbed.card
    new = bool(card.may_destroy and card.fresh)
    if new:
        supply(card, 0, ask)
    may = Permissions(may_write=card.may_write, may_block=card.may_block, may_destroy=new, new=new)
    claim = None if testbed.unknown == CHOICES.keys() else testbed.claim
    hsm = issuer.hsm if testbed.has_keys else None
    with open_card(card.use, contact=testbed.contact, exclusive=True) as connection:
        return observe(connection, card.pin, hsm, may, claim, testbed.unknown, contact=testbed.contact)


def learned(testbed: Testbed, issuer: Issuer, ask: Ask) -> Testbed:
    """The testbed with what its card shows of the choices that are unknown; ``unknown`` are the others then.

    Errors: as of ``observe_testbed``; ``InputError`` if the card does not show its generation or algorithm.
    """
    observed = observe_testbed(testbed, issuer, ask)
    found = {each.name: each for each in observed.findings if each.name in testbed.unknown}
    for name in REQUIRED:
        if name in found and not found[name].known:
            raise InputError(
                Phrase("the card does not show its choice {name}", name=name),
                remedy=Phrase("write it with personality: under card: in the testbed file"),
            )
    values = {name: each.value for name, each in found.items() if each.known}
    base = observed.personality if testbed.unknown == CHOICES.keys() else testbed.claim
    return replace(testbed, claim=made_with(base, values), unknown=testbed.unknown - values.keys())
