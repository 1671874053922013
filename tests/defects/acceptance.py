"""Defects of the service: who and what is accepted, and what the citizen is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from defects.catalogue import Catalogue, Patch
from kit.citizens import Ticking, make_citizen
from sscard.service import (
    Applicant,
    Application,
    Case,
    Channel,
    Paper,
    PinService,
    Reason,
    Refusal,
    conditions,
    pipeline,
)
from sscard.service.channels import CHANNEL_RULES
from sscard.service.conditions import Check, Rules
from sscard.service.notices import Ground
from sscard.service.policy import ListedCards, Policy, load_policy
from sscard.service.words import ApplicantKind, Document, Presence, Standing
from sscard.service.workdays import Due

catalogue = Catalogue("service")
PASSPORT = "E12345678"


def _answer(
    *,
    channel: Channel = Channel.WINDOW,
    policy: Policy | None = None,
    papers: frozenset[Paper] = frozenset(Paper),
    city: str = "410400",
    expires: str = "",
    **of: Any,
) -> list[str]:
    """The stages of a case up to the answer to the application, and the text of the answer."""
    citizen = make_citizen(city=city)
    applicant = Applicant(name=citizen.holder.name, id_number=citizen.holder.id_number).model_copy(update=of)
    card = replace(citizen.basic, expires=expires or citizen.basic.expires)
    service = PinService(Ticking(), policy=policy)
    case = service.intake(Application(applicant, channel, Reason.LEAKED, papers, card))
    answer = service.accept(case)
    return [*(event.stage for event in case.events), answer.text]


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


def _replace_check(patch: Patch, old: Check, new: Check) -> None:
    """Use another check in place of one of the conditions."""

    def grounds_against(rules: Rules, case: Case, checks: tuple[Check, ...] = conditions.CHECKS) -> tuple[Ground, ...]:
        return original(rules, case, tuple(new if check is old else check for check in checks))

    original = conditions.grounds_against
    patch.function(original, grounds_against)


def _no_ground(_rules: Rules, _case: Case) -> None:
    return None


def _with_channel(patch: Patch, channel: Channel, **changes: Any) -> None:
    patch.row(CHANNEL_RULES, channel, replace(CHANNEL_RULES[channel], **changes))


@catalogue.add(
    "item.yaml, acceptance: the identity document is valid on the day of the application",
    lambda: _answer(id_expires=date(2020, 1, 1)),
    "id or genuine",
)
def expired_id_is_accepted(patch: Patch) -> None:
    _replace_check(patch, conditions._valid_id, _no_ground)


@catalogue.add(
    "open-choices.md §3.5: a card that was reported as lost is refused",
    lambda: _answer(
        policy=load_policy().model_copy(
            update={"cards": (ListedCards(first="000000000", last="ZZZZZZZZZ", standing=Standing.LOST),)}
        )
    ),
    "lost or standing or card",
)
def lost_card_is_accepted(patch: Patch) -> None:
    def standing_of(policy: Policy, number: str) -> Standing:
        found: Standing = original(policy, number)
        return Standing.IN_USE if found is Standing.LOST else found

    original = patch.attribute(Policy, "standing_of", standing_of)


@catalogue.add(
    "item.yaml, acceptance: the social security card is valid on the day of the application",
    lambda: _answer(expires="20200101"),
    "expired or card",
)
def expired_card_is_accepted(patch: Patch) -> None:
    long_ago = date(1900, 1, 1)
    old = conditions._valid_card
    _replace_check(patch, old, lambda rules, case: old(replace(rules, today=long_ago), case))


@catalogue.add(
    "open-choices.md §3.2: each kind of applicant has its identity documents",
    lambda: _answer(id_number=PASSPORT),
    "document or applicant",
)
def wrong_document_for_the_kind_of_applicant_is_accepted(patch: Patch) -> None:
    every = {kind: tuple(Document) for kind in ApplicantKind}
    old = conditions._genuine_id

    def check(rules: Rules, case: Case) -> Ground | None:
        return old(replace(rules, policy=rules.policy.model_copy(update={"documents": every})), case)

    _replace_check(patch, old, check)


@catalogue.add(
    "open-choices.md §3.6: a self-service terminal reads chips only, and a passport has none that it reads",
    lambda: _answer(
        channel=Channel.SELF_SERVICE,
        id_number=PASSPORT,
        kind=ApplicantKind.FOREIGNER,
        works_or_insured_in_province=True,
    ),
    "self-service or passport",
)
def passport_is_accepted_at_the_self_service_terminal(patch: Patch) -> None:
    _with_channel(patch, Channel.SELF_SERVICE, reads=frozenset(Document))


@catalogue.add(
    "item.yaml, forms: an application online is pre-reviewed", lambda: _answer(channel=Channel.ONLINE), "online"
)
def no_pre_review_online(patch: Patch) -> None:
    _with_channel(patch, Channel.ONLINE, pre_review=False)


@catalogue.add("item.yaml, forms: a case opened online is handed over to the window", _hand_over, "online or hand")
def hand_over_is_impossible(patch: Patch) -> None:
    for channel in Channel:
        _with_channel(patch, channel, hands_over_to=frozenset())


@catalogue.add(
    "item.yaml, conditions: a proxy may not apply", lambda: _answer(presence=Presence.PROXY), "proxy or presence"
)
def proxy_is_accepted(patch: Patch) -> None:
    _replace_check(patch, conditions._presence, _no_ground)


@catalogue.add(
    "item.yaml, conditions: the card was issued in the province", lambda: _answer(city="510100"), "province or card"
)
def card_of_another_province_is_accepted(patch: Patch) -> None:
    _replace_check(patch, conditions._card, _no_ground)


@catalogue.add(
    "item.yaml, acceptance: identity document and card are of the same person",
    lambda: _answer(id_number="410403199001010023"),
    "person",
)
def card_of_another_person_is_accepted(patch: Patch) -> None:
    _replace_check(patch, conditions._same_person, _no_ground)


@catalogue.add(
    "item.yaml: a refusal states every ground",
    lambda: _answer(lives_in_province=False, presence=Presence.PROXY),
    "ground or refusal",
)
def refusal_states_the_first_ground_only(patch: Patch) -> None:
    def begin(refusal: Refusal, grounds: tuple[Ground, ...]) -> None:
        original(refusal, grounds[:1])

    original = patch.attribute(Refusal, "__init__", begin)


@catalogue.add(
    "item.yaml: missing papers are named once, all of them (一次性告知)",
    lambda: _answer(papers=frozenset()),
    "papers or supplement or missing",
)
def supplement_notice_names_the_first_paper_only(patch: Patch) -> None:
    original = conditions.missing_papers
    patch.function(original, lambda item, case: original(item, case)[:1])


@catalogue.add("item.yaml: a case has one supplement notice", _second_notice, "supplement or papers")
def second_supplement_notice(patch: Patch) -> None:
    def ask_for(service: PinService, case: Case, missing: tuple[Paper, ...]) -> Any:
        case.notice = None
        return original(service, case, missing)

    original = patch.attribute(PinService, "_ask_for", ask_for)


@catalogue.add(
    "item.yaml, promised limit: working days after the day of acceptance, which is not counted",
    _answer,
    "due or accepted",
)
def due_date_is_one_day_late(patch: Patch) -> None:
    original = pipeline.due_after

    def due_after(*given: Any) -> Due:
        due = original(*given)
        return replace(due, day=due.day + timedelta(days=1))

    patch.function(original, due_after)


DEFECTS = tuple(catalogue.defects)
