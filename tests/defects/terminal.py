"""Defects of terminal, driver and HSM."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from defects.catalogue import Catalogue, Patch
from kit.cards import PIN, PUK, card_of, order_of
from kit.counter import CARD, OTHER, Counter, foreign_keys, psam_of
from sscard.conversation import recorder, redaction
from sscard.driver.pins import PinEntry
from sscard.driver.station import Terminal
from sscard.hsm import SoftHsm, operations
from sscard.issuer import Card, Place, builtin_keys, preset
from sscard.standard.apdu import SW
from sscard.terminal import admission, flows, recovery
from sscard.terminal.admission import Blacklist, TerminalRules, pre_process
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError, AuthenticationFailed, KeyBlocked, WrongPin
from sscard.terminal.flow import AskPin, Flow
from sscard.terminal.pinpad import ENTER_AGAIN, ENTER_NEW
from sscard.terminal.recovery import Recovery
from sscard.terminal.session import CardSession

catalogue = Catalogue("terminal")
NEW, WRONG = "654321", "999999"
TODAY = date(2026, 1, 5)
PLACE = Place(name="", initial_pin=PIN, initial_pin_use="must change")


def _session(card: Card | None = None, hsm: SoftHsm | None = None) -> CardSession:
    return CardSession.start((card or card_of("v3-sm4")).chip(Random(1)), hsm or SoftHsm(builtin_keys()))


def _recovery_of_another_card() -> object:
    session = _session()
    expected = replace(session.identity, card_number="B00000019")
    return session.run(recovery.recover_reset(session.card, expected, PIN)).standing


def _tries_after_recovery(left: int) -> int:
    card = card_of("v3-sm4")
    card.memory.put_number(0, left)
    session = _session(card)
    session.run(recovery.recover_change(session.card, session.identity, PIN, WRONG))
    return card.snapshot().pin_tries


def _tries_of_puk_after_reset_with_foreign_key() -> int:
    card = card_of("v3-sm4")
    session = _session(card, SoftHsm(foreign_keys("PUK")))
    with contextlib.suppress(AuthenticationFailed, KeyBlocked):
        session.reset_pin(NEW)
    return card.snapshot().key_tries["PUK"][0]


def _findings(rules: TerminalRules, today: date = TODAY, hsm: SoftHsm | None = None) -> object:
    session = _session(hsm=hsm)
    return session.run(pre_process(session.card, rules, today)).findings


def _tries_reported() -> int:
    session = _session()
    try:
        session.verify_pin(WRONG)
    except WrongPin as error:
        return error.tries_left
    return -1


def _trace() -> str:
    heard = recorder.Recorder(card_of("v3-sm4").chip(Random(1)))
    heard.power_on()
    heard.transmit(bytes.fromhex("0020000003123456"))
    return heard.events[-1].command  # type: ignore[union-attr]


def _status_of(authorization: str) -> int:
    """The HTTP status of the answer to a client, 0 if it is admitted."""
    refusal = operations.HsmOperations(SoftHsm(builtin_keys()), "right").refusal(authorization)
    return refusal.status if refusal else 0


def _reset(*entries: str, card: str = CARD, **options: Any) -> tuple[int, bool]:
    """The code of a reset by the PSAM, and whether the card has the new PIN."""
    counter = Counter(psam=psam_of(), **options)
    counter.pad.script(*entries)
    code, __ = counter.driver.iReloadPIN(counter.type, card)
    return code, counter.has_pin(NEW)


def _prompts_without_pin() -> list[str]:
    counter = Counter(pin="", psam=psam_of())
    counter.pad.script(PIN)
    counter.driver.iVerifyPIN(counter.type)
    return counter.pad.prompts


def _genuine_at_the_driver() -> int:
    counter = Counter(psam=psam_of())
    profile = counter.chip.profile
    irk = profile.layout.key_named("IRK")
    profile._keys = [(bytes(16),) * 3 if index == irk else key for index, key in enumerate(profile.all_keys())]
    return counter.driver.iReadCardBas(counter.type)[0]


def _proof_of_key(version: int) -> str:
    hsm = SoftHsm(builtin_keys())
    from sscard.issuer.personalise import card_reference

    reference = card_reference(order_of(preset("v3-sm4")))
    return hsm.authentication_data(3, hsm.address_of("UKSSSE", version), reference, bytes(8), bytes(8)).hex()


# The terminal


@catalogue.add(
    "terminal-flows.md §8: after a tear the same card must be put back", _recovery_of_another_card, "other-card"
)
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


@catalogue.add(
    "terminal-flows.md §8: the terminal uses no try that could block the PIN",
    lambda: _tries_after_recovery(1),
    "last-try",
)
def recovery_spends_the_last_try(patch: Patch) -> None:
    def is_pin(pin: str) -> Flow[bool]:
        try:
            yield from flows.verify_pin(pin)
        except ApduError:
            return False
        return True

    patch.attribute(recovery, "_is_pin", is_pin)


@catalogue.add("card-security.md §1: a PIN is never in a trace", _trace, "trace")
def verify_is_not_masked_in_a_trace(patch: Patch) -> None:
    def places(command: bytes) -> range:
        return redaction.NOWHERE if command[1:2] == b"\x20" else original(command)

    original = patch.attribute(redaction, "secret_places", places)
    patch.attribute(recorder, "secret_places", places)


@catalogue.add(
    "terminal-flows.md §6.1: a wrong proof of PUK ends the reset after one try",
    _tries_of_puk_after_reset_with_foreign_key,
    "reset and (hsm or key)",
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


@catalogue.add(
    "OpenSC#3470: the tries left are parsed one byte off",
    lambda: _session().tries_left(),
    "tries",
)
def tries_left_are_parsed_one_byte_off(patch: Patch) -> None:
    patch.attribute(flows, "tries_in", lambda sw: sw & 0xFF if sw >> 8 == SW.TRIES_LEFT >> 8 else None)


@catalogue.add(
    "terminal-flows.md §1.4a: a card that cannot prove IRK is not served",
    lambda: _findings(TerminalRules(), hsm=SoftHsm(foreign_keys("IRK"))),
    "pre-process or genuine",
)
def a_card_that_is_not_genuine_is_served(patch: Patch) -> None:
    def is_genuine(card: OpenedCard) -> Flow[bool]:
        yield from original(card)
        return True

    original = patch.attribute(flows, "is_genuine", is_genuine)


@catalogue.add(
    "terminal-flows.md §1.4b: a card on the black list is not served",
    lambda: _findings(TerminalRules(Blacklist(ranges=(("A00000000", "A00000099"),)))),
    "pre-process",
)
def a_card_on_the_black_list_is_served(patch: Patch) -> None:
    patch.attribute(Blacklist, "holds", lambda *_: False)


@catalogue.add(
    "terminal-flows.md §1.4b: a card is valid on its last day, not after it",
    lambda: _findings(TerminalRules(), date(2099, 1, 1)),
    "pre-process",
)
def an_expired_card_is_served_at_the_terminal(patch: Patch) -> None:
    def findings(rules: TerminalRules, issuer: Any, today: date) -> tuple[admission.Finding, ...]:
        return original(rules, replace(issuer, expires=""), today)  # type: ignore[no-any-return]

    original = patch.attribute(TerminalRules, "findings", findings)


@catalogue.add(
    "card-commands.md §0.1: the last digit of 63Cx is the number of tries left",
    _tries_reported,
    "counts-down",
)
def terminal_reports_one_try_too_many(patch: Patch) -> None:
    def begin(error: WrongPin, operation: Any, sw: int) -> None:
        original(error, operation, sw + 1)

    original = patch.attribute(WrongPin, "__init__", begin)


# The driver


@catalogue.add(
    "driver-api.md §3: iReloadPIN with the pCardInfo of another card is refused (−22)",
    lambda: _reset(NEW, NEW, card=OTHER),
    "driver and (card or reload)",
    "driver",
)
def driver_resets_another_card_than_the_one_it_read(patch: Patch) -> None:
    original = patch.attribute(Terminal, "open", lambda terminal, reader, *_: original(terminal, reader))


@catalogue.add(
    "driver-api.md §3: a new PIN is entered twice, −34 if the entries differ",
    lambda: _reset(NEW, WRONG),
    "driver and pin",
    "driver",
)
def unequal_double_entry_of_a_pin_is_accepted(patch: Patch) -> None:
    def ask_new(pins: PinEntry, initial: str) -> Flow[str]:
        pin: str = yield AskPin(ENTER_NEW)
        yield AskPin(ENTER_AGAIN)
        pins.refuse_initial(pin, initial)
        return pin

    patch.attribute(PinEntry, "ask_new", ask_new)


@catalogue.add(
    "terminal-flows.md §1.6, driver-api.md §3: no prompt for the PIN if the card has none",
    _prompts_without_pin,
    "driver and pin",
    "driver",
)
def driver_asks_for_a_pin_that_is_not_set(patch: Patch) -> None:
    from sscard.driver import api

    def needs_pin() -> Flow[bool]:
        yield from original()
        return True

    original = patch.attribute(api, "_needs_pin", needs_pin)


@catalogue.add(
    "driver-api.md §3: iReadCardBas refuses a card that cannot prove IRK (−21)",
    _genuine_at_the_driver,
    "driver",
    "driver",
)
def driver_reads_a_card_that_is_not_genuine(patch: Patch) -> None:
    from sscard.driver import api

    def is_genuine(card: OpenedCard) -> Flow[bool]:
        yield from original(card)
        return True

    original = patch.attribute(flows, "is_genuine", is_genuine)
    patch.attribute(api, "equal", lambda *_: True)


@catalogue.add(
    "open-choices.md §3: where the initial PIN must be changed, it is no new PIN (−36)",
    lambda: _reset(PIN, PIN, place=PLACE),
    "driver and initial",
    "driver",
)
def driver_sets_the_initial_pin_where_it_is_forbidden(patch: Patch) -> None:
    patch.attribute(PinEntry, "refuse_initial", lambda *_: None)


# The HSM


@catalogue.add(
    "hsm/operations.py: each request needs the token of the service, else 401",
    lambda: _status_of("Bearer wrong"),
    "hsm",
    "hsm",
)
def hsm_service_accepts_any_token(patch: Patch) -> None:
    patch.attribute(operations, "equal", lambda *_: True)


@catalogue.add(
    "driver-api.md §9: each version of a key has an address, and the HSM uses the version at the address",
    lambda: _proof_of_key(1),
    "version",
    "hsm",
)
def hsm_uses_version_1_of_every_key(patch: Patch) -> None:
    original = patch.attribute(
        SoftHsm, "_at", lambda hsm, address: (found := original(hsm, address)) and found._replace(version=0)
    )


DEFECTS = tuple(catalogue.defects)
