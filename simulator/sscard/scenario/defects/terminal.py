"""Defects of the terminal, and of its use of the PSAM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from sscard.conversation import recorder, redaction
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard.apdu import SW
from sscard.terminal import admission, flows, recovery
from sscard.terminal.admission import Blacklist, TerminalRules
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError, AuthenticationFailed, WrongPin
from sscard.terminal.flow import Flow
from sscard.terminal.psam import Psam
from sscard.terminal.recovery import Recovery

catalogue = Catalogue(Part.TERMINAL)


@catalogue.defect("terminal-flows.md §8: after a tear the same card must be put back", "other-card.yaml")
def terminal_recovers_another_card(patch: Patch) -> None:
    """After a tear the terminal continues with any card."""
    for original in (
        recovery.recover_change,
        recovery.recover_reset,
        recovery.recover_unblock,
        recovery.recover_purchase,
    ):
        patch.function(original, _of_any_card(original))


def _of_any_card(recover: Callable[..., Flow[Recovery]]) -> Callable[..., Flow[Recovery]]:
    return lambda card, _expected, *given: recover(card, card.identity, *given)


@catalogue.defect("terminal-flows.md §8: the terminal uses no try that could block the PIN", "terminal and last-try")
def recovery_spends_the_last_try(patch: Patch) -> None:
    """The recovery tries a PIN although only one try is left."""

    def is_pin(pin: str) -> Flow[bool]:
        try:
            yield from flows.verify_pin(pin)
        except ApduError:
            return False
        return True

    patch.attribute(recovery, "_is_pin", is_pin)


@catalogue.defect("card-security.md §1: a PIN is never in a trace", "trace.yaml")
def verify_is_not_masked_in_a_trace(patch: Patch) -> None:
    """The PIN of VERIFY is readable in a trace."""

    def places(command: bytes) -> range:
        return redaction.NOWHERE if command[1:2] == b"\x20" else original(command)

    original = patch.attribute(redaction, "secret_places", places)
    patch.attribute(recorder, "secret_places", places)


@catalogue.defect(
    "terminal-flows.md §6.1: a wrong proof of PUK ends the reset after one try",
    "reset-foreign-puk or puk-not-repeated or hsm-wrong-key",
)
def wrong_puk_proof_is_repeated_until_blocked(patch: Patch) -> None:
    """A wrong proof of PUK is repeated until PUK is blocked."""

    def authenticate(card: OpenedCard, key: str, number: int) -> Flow[None]:
        while True:
            try:
                yield from original(card, key, number)
            except AuthenticationFailed:
                if number == flows.PUK_NUMBER:
                    continue
                raise
            return

    original = patch.attribute(flows, "authenticate", authenticate)


@catalogue.defect("OpenSC#3470: the tries left are parsed one byte off", "status-word-form or limit-of-fifteen")
def tries_left_are_parsed_one_byte_off(patch: Patch) -> None:
    """The terminal reads the whole low byte of 63Cx as the number of tries left."""
    patch.attribute(flows, "tries_in", lambda sw: sw & 0xFF if sw >> 8 == SW.TRIES_LEFT >> 8 else None)


@catalogue.defect("terminal-flows.md §1.4a: a card that cannot prove IRK is not served", "genuine")
def a_card_that_is_not_genuine_is_served(patch: Patch) -> None:
    """The terminal serves a card that cannot prove IRK."""

    def is_genuine(card: OpenedCard) -> Flow[bool]:
        yield from original(card)
        return True

    original = patch.attribute(flows, "is_genuine", is_genuine)


@catalogue.defect("terminal-flows.md §1.4b: a card on the black list is not served", "pre-process")
def a_card_on_the_black_list_is_served(patch: Patch) -> None:
    """The terminal serves a card on the black list."""
    patch.attribute(Blacklist, "holds", lambda *_: False)


@catalogue.defect("terminal-flows.md §1.4b: a card is valid on its last day, not after it", "pre-process")
def an_expired_card_is_served_at_the_terminal(patch: Patch) -> None:
    """The terminal serves a card after its last day."""

    def findings(rules: TerminalRules, issuer: Any, today: date) -> tuple[admission.Finding, ...]:
        return original(rules, replace(issuer, expires=""), today)  # type: ignore[no-any-return]

    original = patch.attribute(TerminalRules, "findings", findings)


@catalogue.defect("card-commands.md §0.1: the last digit of 63Cx is the number of tries left", "counts-down")
def terminal_reports_one_try_too_many(patch: Patch) -> None:
    """The terminal reports one try more than is left."""

    def begin(error: WrongPin, operation: Any, sw: int) -> None:
        original(error, operation, sw + 1)

    original = patch.attribute(WrongPin, "__init__", begin)


@catalogue.defect(
    "card-security.md §8: a PSAM with the root of another region does not serve a card",
    "reset-refused or read-basic-refused",
)
def psam_serves_cards_of_every_region(patch: Patch) -> None:
    """The terminal asks the PSAM of one region for keys of cards of every region."""
    patch.attribute(Psam, "_serves", lambda *_: True)


DEFECTS = tuple(catalogue.defects)
