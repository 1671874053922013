"""Observations that change with the defects of ``sscard.scenario.defects.rules``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from kit.citizens import Ticking, make_citizen
from sscard.i18n.phrase import Phrase
from sscard.issuer import Place, preset
from sscard.issuer.holderbase import ListedCards
from sscard.issuer.standing import Standing
from sscard.scenario import cards
from sscard.scenario.cards import CardData
from sscard.scenario.defects import rules
from sscard.service import (
    Channel,
    Ground,
    PinService,
    ProofResult,
    Reason,
    Rule,
    WhichPin,
    conditions,
)
from sscard.service.identity import Agent
from sscard.service.words import ApplicantKind, Document, Presence, Proof
from sscard.service.workdays import AnnouncedYear
from witnesses.acceptance import PASSPORT, _answer
from witnesses.item import NO_STEP
from witnesses.item import _answer as _answer_of
from witnesses.persons import FALSE, POLICY, _policy
from witnesses.witness import Witness


def _of(channel: Channel = Channel.WINDOW, reason: Reason | None = Reason.LEAKED, **application: Any) -> str:
    """The answer to an application where the window requires a proof of identity."""
    service = PinService(Ticking(), policy=POLICY)
    stated: dict[str, Any] = {"proof": ProofResult.PASSED, **application}
    case = service.intake(replace(make_citizen().application(reason, channel), **stated))
    return service.accept(case).text


CHECKS: Mapping[str, Witness] = {
    "_channel": lambda: _of(handling=Channel.ONLINE),
    "_online_step": lambda: _answer_of(NO_STEP, Channel.ONLINE),
    "_person": lambda: _answer(lives_in_province=False),
    "_presence": lambda: _answer(presence=Presence.PROXY),
    "_agent": lambda: _answer(
        presence=Presence.PROXY,
        agent=Agent(name="王五", id_number="410402201503150003"),
        policy=_policy(proxy="accept"),
    ),
    "_age": lambda: _answer(id_number="410402201503150003"),
    "_card": lambda: _answer(city="510100"),
    "_reason": lambda: _of(reason=None),
    "_which_pin": lambda: _of(which_pin=WhichPin.BANK),
    "_genuine_id": lambda: _answer(id_number=PASSPORT),
    "_valid_id": lambda: _answer(id_expires=date(2020, 1, 1)),
    "_readable_card": lambda: _of(card=None),
    "_card_in_use": lambda: _answer(
        policy=_policy(cards=(ListedCards(first="000000000", last="ZZZZZZZZZ", standing=Standing.LOST),))
    ),
    "_valid_card": lambda: _answer(expires="20200101"),
    "_same_person": lambda: _answer(id_number="410403199001010023"),
    "_genuine_agent": lambda: _answer(
        presence=Presence.PROXY, agent=Agent(name="王五", id_number=FALSE), policy=_policy(proxy="accept")
    ),
    "_identity": lambda: _of(proof=ProofResult.FAILED),
}
POLICIES: Mapping[str, object] = {
    "proxy": "accept",
    "minors": "accept",
    "adult_age": 21,
    "register_age": 21,
    "card_as_id": True,
    "unblock": "accept",
    "documents": dict.fromkeys(ApplicantKind, tuple(Document)),
    "identity_proof": {Channel.WINDOW: Proof.FACE},
    "cards": (ListedCards(first="000000000", standing=Standing.LOST),),
    "calendar": {2030: AnnouncedYear(notice="试验通知", off=(date(2030, 2, 1),))},
}
"""Another value of each field than that of the page."""


def _ground(rule: Rule) -> object:
    def check(*_: Any) -> Ground:
        return Ground(rule, "", Phrase("found"))

    return conditions.grounds_against(None, None, (check,))  # type: ignore[arg-type]


def _field(field: str, value: object) -> str:
    return repr(getattr(_policy(**{field: value}), field))


def _place(**fields: Any) -> Place:
    return Place(name="", **fields)


def _refusal(new_pin: str, id_number: str = "", **fields: Any) -> object:
    return _place(**fields).refusal(new_pin, id_number)


def _issued(**fields: Any) -> object:
    place = _place(**fields)
    with cards.bench_of(CardData(place=place), place.over(preset("v3-sm4")), "a") as bench:
        personality = bench.chip.profile.personality
        return personality.pin_tries, personality.unlock_limit


HOLDER = make_citizen().holder
BIRTH = f"{HOLDER.birth_date:%y%m%d}"
PLACES: Mapping[str, Witness] = {
    "pin_tries": lambda: _issued(pin_tries=4),
    "max_unblocks": lambda: _issued(max_unblocks=4),
    "initial_pin": lambda: _place(initial_pin="192837").initial_pin_of(HOLDER),
    "initial_pin_use": lambda: _place(initial_pin_use="must change").restricts_initial,
    "forbidden_pins": lambda: _refusal("864209", forbidden_pins=("864209",)),
}
REFUSALS: Mapping[str, Witness] = {
    "initial PIN": lambda: _refusal("123456", initial_pin_use="must change"),
    "forbidden PIN": lambda: _refusal("864209", forbidden_pins=("864209",)),
    "ID number that is not valid": lambda: _refusal("864209", PASSPORT, forbidden_pins=("birth date",)),
    "last 6 of ID": lambda: _refusal(HOLDER.id_number[-6:], HOLDER.id_number, forbidden_pins=("last 6 of ID",)),
    "birth date": lambda: _refusal(BIRTH, HOLDER.id_number, forbidden_pins=("birth date",)),
}


def _by_name() -> dict[str, Witness]:
    """The witnesses in the order of ``sscard.scenario.defects.rules``, by the names of its defects."""
    each: list[Witness] = [CHECKS[name] for name in rules.CHECKS]
    each += [partial(_ground, rule) for rule in rules.RULES]
    each += [partial(_field, name, POLICIES[name]) for name in rules.POLICY]
    each += [PLACES[name] for name in rules.PLACE]
    each += [REFUSALS[name] for name in rules.REFUSALS]
    return {defect.name: witness for defect, witness in zip(rules.DEFECTS, each, strict=True)}


WITNESSES = _by_name()
