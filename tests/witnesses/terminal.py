"""Observations that change with the defects of ``terminal`` and ``hsm``, and with some of ``driver``."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from kit.cards import PIN, card_of, order_of
from kit.counter import CARD, OTHER, Counter, foreign_keys, psam_of
from sscard.conversation import recorder
from sscard.hsm import SoftHsm, operations
from sscard.issuer import Card, CardReference, Place, builtin_keys, preset
from sscard.issuer.personalise import card_reference
from sscard.terminal import recovery
from sscard.terminal.admission import Blacklist, TerminalRules, pre_process
from sscard.terminal.errors import AuthenticationFailed, KeyBlocked, WrongPin
from sscard.terminal.psam import PsamError
from sscard.terminal.session import CardSession
from witnesses.witness import Witness

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
    reference = card_reference(order_of(preset("v3-sm4")))
    return hsm.authentication_data(3, hsm.address_of("UKSSSE", version), reference, bytes(8), bytes(8)).hex()


def _proof_by_a_psam_of_another_city() -> object:
    """What a PSAM with the keys of its city does for a card of another province."""
    psam = psam_of("city")
    try:
        return psam.authentication_data(3, "PUK", CardReference("440100", bytes(8)), bytes(8), bytes(8)).hex()
    except PsamError as error:
        return error.code


WITNESSES: Mapping[str, Witness] = {
    "terminal-recovers-another-card": _recovery_of_another_card,
    "recovery-spends-the-last-try": lambda: _tries_after_recovery(1),
    "verify-is-not-masked-in-a-trace": _trace,
    "wrong-puk-proof-is-repeated-until-blocked": _tries_of_puk_after_reset_with_foreign_key,
    "tries-left-are-parsed-one-byte-off": lambda: _session().tries_left(),
    "a-card-that-is-not-genuine-is-served": lambda: _findings(TerminalRules(), hsm=SoftHsm(foreign_keys("IRK"))),
    "a-card-on-the-black-list-is-served": lambda: _findings(
        TerminalRules(Blacklist(ranges=(("A00000000", "A00000099"),)))
    ),
    "an-expired-card-is-served-at-the-terminal": lambda: _findings(TerminalRules(), date(2099, 1, 1)),
    "terminal-reports-one-try-too-many": _tries_reported,
    "psam-serves-cards-of-every-region": _proof_by_a_psam_of_another_city,
    "driver-resets-another-card-than-the-one-it-read": lambda: _reset(NEW, NEW, card=OTHER),
    "unequal-double-entry-of-a-pin-is-accepted": lambda: _reset(NEW, WRONG),
    "driver-asks-for-a-pin-that-is-not-set": _prompts_without_pin,
    "driver-reads-a-card-that-is-not-genuine": _genuine_at_the_driver,
    "driver-sets-the-initial-pin-where-it-is-forbidden": lambda: _reset(PIN, PIN, place=PLACE),
    "hsm-service-accepts-any-token": lambda: _status_of("Bearer wrong"),
    "hsm-uses-version-1-of-every-key": lambda: _proof_of_key(1),
}
