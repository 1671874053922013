"""Observations that change with the defects of ``sscard.scenario.defects.acceptance``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from kit.citizens import Ticking, make_citizen
from sscard.errors import HolderBaseUnavailable
from sscard.i18n.phrase import Phrase
from sscard.issuer.holderbase import HolderBase, ListedCards
from sscard.issuer.standing import Standing
from sscard.service import (
    Applicant,
    Application,
    Channel,
    KeyTaken,
    Paper,
    PinService,
    Reason,
    WrongStage,
    load_item,
)
from sscard.service.conditions import OUT_OF_USE
from sscard.service.policy import Policy, load_policy
from sscard.service.words import ApplicantKind, Presence
from witnesses.witness import Witness

PASSPORT = "E12345678"


def _answer(
    *,
    channel: Channel = Channel.WINDOW,
    policy: Policy | None = None,
    holder_base: HolderBase | None = None,
    papers: frozenset[Paper] = frozenset(Paper),
    city: str = "410400",
    expires: str = "",
    reason: Reason = Reason.LEAKED,
    **of: Any,
) -> list[str]:
    """The stages of a case up to the answer to the application, and the text of the answer."""
    citizen = make_citizen(city=city)
    applicant = Applicant(name=citizen.holder.name, id_number=citizen.holder.id_number).model_copy(update=of)
    card = replace(citizen.basic, expires=expires or citizen.basic.expires)
    service = PinService(Ticking(), policy=policy, holder_base=holder_base)
    case = service.intake(Application(applicant, channel, reason, papers, card))
    answer = service.accept(case)
    return [*(event.stage for event in case.events), answer.text]


class _Down:
    """A holder base that gives no answer."""

    def standing(self, _card_number: str) -> Standing:
        raise HolderBaseUnavailable(Phrase("down"))


def _listed(standing: Standing) -> list[str]:
    every = ListedCards(first="000000000", last="ZZZZZZZZZ", standing=standing)
    return _answer(policy=load_policy().model_copy(update={"cards": (every,)}))


def _hand_over() -> bool:
    service = PinService(Ticking())
    case = service.intake(make_citizen().application(Reason.LEAKED, Channel.ONLINE))
    service.accept(case)
    return service.hand_over(case, Channel.WINDOW)


def _second_notice() -> list[str]:
    citizen = make_citizen()
    service = PinService(Ticking())
    application = citizen.application(Reason.LEAKED)
    case = service.intake(replace(application, papers=frozenset(), card=None))
    service.accept(case)
    answer = service.supplement(case, [Paper.ID_CARD])
    return [answer.text]


def _one_key() -> bool:
    service, citizen = PinService(Ticking()), make_citizen()
    first, second = (service.intake(citizen.application(Reason.LEAKED), key="k") for __ in range(2))
    return first is second


def _key_of_another() -> str:
    service, citizen = PinService(Ticking()), make_citizen()
    service.intake(citizen.application(Reason.LEAKED), key="k")
    try:
        return service.intake(citizen.application(Reason.FORGOTTEN), key="k").number
    except KeyTaken as error:
        return str(error)


def _hand_over_to_a_terminal() -> bool:
    page = load_item()
    extended = page.extended.model_copy(update={"self_service": "否"})
    service = PinService(Ticking(), page.model_copy(update={"extended": extended}))
    case = service.intake(make_citizen().application(Reason.LEAKED, Channel.ONLINE))
    service.accept(case)
    return service.hand_over(case, Channel.SELF_SERVICE)


def _abandoned_before_acceptance() -> str:
    service = PinService(Ticking())
    case = service.intake(make_citizen().application(Reason.LEAKED))
    try:
        return service.abandon(case).text
    except WrongStage as error:
        return str(error)


WITNESSES: Mapping[str, Witness] = {
    "unblock-is-offered-everywhere": lambda: _answer(reason=Reason.LOCKED_KNOWN),
    **{f"{standing}-in-the-holder-base-is-accepted": partial(_listed, standing) for standing in OUT_OF_USE},
    "no-answer-of-the-holder-base-is-taken-for-in-use": lambda: _answer(holder_base=_Down()),
    "expired-card-is-accepted": lambda: _answer(expires="20200101"),
    "wrong-document-for-the-kind-of-applicant-is-accepted": lambda: _answer(id_number=PASSPORT),
    "passport-is-accepted-at-the-self-service-terminal": lambda: _answer(
        channel=Channel.SELF_SERVICE,
        id_number=PASSPORT,
        kind=ApplicantKind.FOREIGNER,
        works_or_insured_in_province=True,
    ),
    "no-pre-review-online": lambda: _answer(channel=Channel.ONLINE),
    "hand-over-is-impossible": _hand_over,
    "refusal-states-the-first-ground-only": lambda: _answer(lives_in_province=False, presence=Presence.PROXY),
    "supplement-notice-names-the-first-paper-only": lambda: _answer(papers=frozenset()),
    "second-supplement-notice": _second_notice,
    "due-date-is-one-day-late": _answer,
    "key-of-an-application-is-ignored": _one_key,
    "key-of-another-application-is-accepted": _key_of_another,
    "case-is-handed-over-to-a-channel-that-the-item-lacks": _hand_over_to_a_terminal,
    "case-is-not-abandoned-before-acceptance": _abandoned_before_acceptance,
}
