"""The item's conditions (申请条件, 受理标准) as checks: each returns one ground of refusal or ``None``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.service.case import Case
from sscard.service.channels import CHANNEL_RULES
from sscard.service.item import Item
from sscard.service.notices import Ground, Rule
from sscard.service.policy import Policy
from sscard.service.words import ApplicantKind, Paper, Presence, Standing
from sscard.standard.cipher import equal


@dataclass(frozen=True, slots=True)
class Rules:
    """What an application is checked against on a day."""

    item: Item
    policy: Policy
    today: date


Check = Callable[[Rules, Case], Ground | None]


def _channel(rules: Rules, case: Case) -> Ground | None:
    if case.channel not in rules.item.channels:
        return Ground(
            Rule.CHANNEL, rules.item.basic.forms, Phrase("{channel}: not offered", channel=case.channel.words)
        )
    if case.handling is case.channel or case.handling in CHANNEL_RULES[case.channel].hands_over_to:
        return None
    found = Phrase(
        "{channel}: cannot be handed over to {handling}", channel=case.channel.words, handling=case.handling.words
    )
    return Ground(Rule.CHANNEL, rules.item.basic.forms, found)


def _person(rules: Rules, case: Case) -> Ground | None:
    person = case.person
    words = rules.item.conditions[0]
    if person.kind is ApplicantKind.CITIZEN:
        return (
            None
            if person.lives_in_province
            else Ground(Rule.PERSON, words, Phrase("the applicant does not live in this province"))
        )
    if person.works_or_insured_in_province:
        return None
    found = Phrase("the applicant ({kind}) neither works nor is insured in this province", kind=person.kind.words)
    return Ground(Rule.PERSON, words, found)


def _presence(rules: Rules, case: Case) -> Ground | None:
    """A guardian acts for a minor by law; any other representative is a proxy."""
    person, policy = case.person, rules.policy
    admitted = person.presence in CHANNEL_RULES[case.channel].admits
    if person.presence is Presence.IN_PERSON or (person.presence is Presence.GUARDIAN and person.minor and admitted):
        return None
    if policy.proxy == "accept" and admitted:
        return None
    found = Phrase("only the applicant in person can apply, not a proxy")
    if not admitted:
        found = Phrase("{channel}: not for a {presence}", channel=case.channel.words, presence=person.presence.words)
    return Ground(Rule.PRESENCE, rules.item.basic.serves, found)


def _age(rules: Rules, case: Case) -> Ground | None:
    person, policy = case.person, rules.policy
    if not person.minor or policy.minors == "accept":
        return None
    if policy.minors == "with guardian" and person.presence is Presence.GUARDIAN:
        return None
    found = Phrase("minors cannot apply")
    if policy.minors == "with guardian":
        found = Phrase("a minor must come with a guardian")
    return Ground(Rule.AGE, rules.item.basic.serves, found)


def _card(rules: Rules, case: Case) -> Ground | None:
    if case.card is None or case.card.identity.city_code.startswith(rules.item.province):
        return None
    return Ground(
        Rule.CARD, rules.item.conditions[1], Phrase("the social security card was not issued in this province")
    )


def _reason(rules: Rules, case: Case) -> Ground | None:
    if case.reason_given is not None:
        return None
    return Ground(Rule.REASON, rules.item.conditions[2], Phrase("there is no reason for a change or reset of the PIN"))


def _genuine_id(rules: Rules, case: Case) -> Ground | None:
    person = case.person
    if Paper.ID_CARD not in case.papers:
        return None
    if person.id_problem:
        return _not_genuine(rules, Phrase("the number of the {document} is not valid", document=person.document.words))
    if person.document not in rules.policy.documents[person.kind]:
        words = {"document": person.document.words, "kind": person.kind.words}
        return _not_genuine(rules, Phrase("{document}: not an identity document for a {kind}", **words))
    if person.document not in CHANNEL_RULES[case.channel].reads:
        words = {"document": person.document.words, "channel": case.channel.words}
        return Ground(Rule.CHANNEL, rules.item.basic.forms, Phrase("{channel}: cannot read a {document}", **words))
    return None


def _valid_id(rules: Rules, case: Case) -> Ground | None:
    expires = case.person.id_expires
    if Paper.ID_CARD not in case.papers or expires is None or rules.today <= expires:
        return None
    return _not_genuine(rules, Phrase("the identity document has expired"))


def _readable_card(rules: Rules, case: Case) -> Ground | None:
    handed_over = case.handling is not case.channel  # the channel that operates the card reads it
    if Paper.SOCIAL_SECURITY_CARD not in case.papers or case.card is not None or handed_over:
        return None
    return _not_genuine(rules, Phrase("the social security card cannot be read"))


def _valid_card(rules: Rules, case: Case) -> Ground | None:
    if case.card is None:
        return None
    standing = rules.policy.standing_of(case.card.identity.card_number)
    if standing is not Standing.IN_USE:
        return _not_genuine(rules, Phrase("the social security card is {standing}", standing=standing.words))
    if case.card.expires and case.card.expires < f"{rules.today:%Y%m%d}":
        return _not_genuine(rules, Phrase("the social security card has expired"))
    return None


def _same_person(rules: Rules, case: Case) -> Ground | None:
    if case.card is None or Paper.ID_CARD not in case.papers:
        return None
    if equal(case.card.holder_digest.encode(), case.person.id_digest.encode()):
        return None
    return Ground(
        Rule.SAME_PERSON,
        rules.item.paper_criterion,
        Phrase("identity document and social security card are not of the same person"),
    )


def _not_genuine(rules: Rules, found: Phrase) -> Ground:
    return Ground(Rule.GENUINE_PAPERS, rules.item.paper_criterion, found)


CARD_CHECKS: Final[tuple[Check, ...]] = (_card, _readable_card, _valid_card, _same_person)
CHECKS: Final[tuple[Check, ...]] = (
    _channel,
    _person,
    _presence,
    _age,
    _card,
    _reason,
    _genuine_id,
    _valid_id,
    _readable_card,
    _valid_card,
    _same_person,
)


def grounds_against(rules: Rules, case: Case, checks: tuple[Check, ...] = CHECKS) -> tuple[Ground, ...]:
    """Every ground of refusal in what was submitted so far; a missing paper is not a ground."""
    found = (check(rules, case) for check in checks)
    return tuple(ground for ground in found if ground is not None)


def missing_papers(item: Item, case: Case) -> tuple[Paper, ...]:
    """The missing papers, in the order of the item."""
    return tuple(paper for paper in item.papers if paper not in case.papers)
