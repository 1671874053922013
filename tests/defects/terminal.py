"""Defects of terminal, driver and HSM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from defects.catalogue import Catalogue, Patch
from kit.cards import PUK
from sscard.conversation import recorder, redaction
from sscard.driver import api
from sscard.driver.pins import PinEntry
from sscard.driver.station import Terminal
from sscard.hsm import SoftHsm, operations
from sscard.standard.apdu import SW
from sscard.terminal import admission, flows, recovery
from sscard.terminal.admission import Blacklist, TerminalRules
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError, AuthenticationFailed, WrongPin
from sscard.terminal.flow import AskPin, Flow
from sscard.terminal.pinpad import ENTER_AGAIN, ENTER_NEW
from sscard.terminal.recovery import Recovery

catalogue = Catalogue("terminal")


# The terminal


@catalogue.add("terminal-flows.md §8: after a tear the same card must be put back", "other-card.yaml")
def terminal_recovers_another_card(patch: Patch) -> None:
    for original in (
        recovery.recover_change,
        recovery.recover_reset,
        recovery.recover_unblock,
        recovery.recover_purchase,
    ):
        patch.function(original, _of_any_card(original))


def _of_any_card(recover: Callable[..., Flow[Recovery]]) -> Callable[..., Flow[Recovery]]:
    return lambda card, _expected, *given: recover(card, card.identity, *given)


@catalogue.add("terminal-flows.md §8: the terminal uses no try that could block the PIN", "terminal and last-try")
def recovery_spends_the_last_try(patch: Patch) -> None:
    def is_pin(pin: str) -> Flow[bool]:
        try:
            yield from flows.verify_pin(pin)
        except ApduError:
            return False
        return True

    patch.attribute(recovery, "_is_pin", is_pin)


@catalogue.add("card-security.md §1: a PIN is never in a trace", "trace.yaml")
def verify_is_not_masked_in_a_trace(patch: Patch) -> None:
    def places(command: bytes) -> range:
        return redaction.NOWHERE if command[1:2] == b"\x20" else original(command)

    original = patch.attribute(redaction, "secret_places", places)
    patch.attribute(recorder, "secret_places", places)


@catalogue.add(
    "terminal-flows.md §6.1: a wrong proof of PUK ends the reset after one try",
    "reset-foreign-puk or puk-not-repeated or hsm-wrong-key",
)
def wrong_puk_proof_is_repeated_until_blocked(patch: Patch) -> None:
    def authenticate(card: OpenedCard, key: str, number: int) -> Flow[None]:
        while True:
            try:
                yield from original(card, key, number)
            except AuthenticationFailed:
                if number == PUK:
                    continue
                raise
            return

    original = patch.attribute(flows, "authenticate", authenticate)


@catalogue.add("OpenSC#3470: the tries left are parsed one byte off", "status-word-form or limit-of-fifteen")
def tries_left_are_parsed_one_byte_off(patch: Patch) -> None:
    patch.attribute(flows, "tries_in", lambda sw: sw & 0xFF if sw >> 8 == SW.TRIES_LEFT >> 8 else None)


@catalogue.add("terminal-flows.md §1.4a: a card that cannot prove IRK is not served", "genuine")
def a_card_that_is_not_genuine_is_served(patch: Patch) -> None:
    def is_genuine(card: OpenedCard) -> Flow[bool]:
        yield from original(card)
        return True

    original = patch.attribute(flows, "is_genuine", is_genuine)


@catalogue.add("terminal-flows.md §1.4b: a card on the black list is not served", "pre-process")
def a_card_on_the_black_list_is_served(patch: Patch) -> None:
    patch.attribute(Blacklist, "holds", lambda *_: False)


@catalogue.add("terminal-flows.md §1.4b: a card is valid on its last day, not after it", "pre-process")
def an_expired_card_is_served_at_the_terminal(patch: Patch) -> None:
    def findings(rules: TerminalRules, issuer: Any, today: date) -> tuple[admission.Finding, ...]:
        return original(rules, replace(issuer, expires=""), today)  # type: ignore[no-any-return]

    original = patch.attribute(TerminalRules, "findings", findings)


@catalogue.add("card-commands.md §0.1: the last digit of 63Cx is the number of tries left", "counts-down")
def terminal_reports_one_try_too_many(patch: Patch) -> None:
    def begin(error: WrongPin, operation: Any, sw: int) -> None:
        original(error, operation, sw + 1)

    original = patch.attribute(WrongPin, "__init__", begin)


# The driver


@catalogue.add(
    "driver-api.md §3: iReloadPIN with the pCardInfo of another card is refused (−22)",
    "card-info or reset-refused",
    "driver",
)
def driver_resets_another_card_than_the_one_it_read(patch: Patch) -> None:
    original = patch.attribute(Terminal, "open", lambda terminal, reader, *_: original(terminal, reader))


@catalogue.add("driver-api.md §3: a new PIN is entered twice, −34 if the entries differ", "reset-unequal", "driver")
def unequal_double_entry_of_a_pin_is_accepted(patch: Patch) -> None:
    def ask_new(pins: PinEntry, id_number: str) -> Flow[str]:
        pin: str = yield AskPin(ENTER_NEW)
        yield AskPin(ENTER_AGAIN)
        pins.check_new(pin, id_number)
        return pin

    patch.attribute(PinEntry, "ask_new", ask_new)


@catalogue.add(
    "terminal-flows.md §1.6, driver-api.md §3: no prompt for the PIN if the card has none",
    "driver and no-pin",
    "driver",
)
def driver_asks_for_a_pin_that_is_not_set(patch: Patch) -> None:
    def needs_pin() -> Flow[bool]:
        yield from original()
        return True

    original = patch.attribute(api, "_needs_pin", needs_pin)


@catalogue.add("driver-api.md §3: iReadCardBas refuses a card that cannot prove IRK (−21)", "not-genuine", "driver")
def driver_reads_a_card_that_is_not_genuine(patch: Patch) -> None:
    def is_genuine(card: OpenedCard) -> Flow[bool]:
        yield from original(card)
        return True

    original = patch.attribute(flows, "is_genuine", is_genuine)
    patch.attribute(api, "equal", lambda *_: True)


@catalogue.add(
    "open-choices.md §3: where the initial PIN must be changed, it is no new PIN (−36)", "initial-pin", "driver"
)
def driver_sets_the_initial_pin_where_it_is_forbidden(patch: Patch) -> None:
    patch.attribute(PinEntry, "check_new", lambda *_: None)


# The HSM


@catalogue.add("hsm/operations.py: each request needs the token of the service, else 401", "service-token", "hsm")
def hsm_service_accepts_any_token(patch: Patch) -> None:
    patch.attribute(operations, "equal", lambda *_: True)


@catalogue.add(
    "driver-api.md §9: each version of a key has an address, and the HSM uses the version at the address",
    "versions.yaml",
    "hsm",
)
def hsm_uses_version_1_of_every_key(patch: Patch) -> None:
    original = patch.attribute(
        SoftHsm, "_at", lambda hsm, address: (found := original(hsm, address)) and found._replace(version=0)
    )


DEFECTS = tuple(catalogue.defects)
