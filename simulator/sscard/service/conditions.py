"""The item's conditions (申请条件, 受理标准) as checks: each returns one ground of refusal or ``None``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Final

from sscard.i18n.phrase import ROW, Phrase
from sscard.issuer.standing import Standing
from sscard.service.case import Case
from sscard.service.channels import CHANNEL_RULES, Channel
from sscard.service.item import Item
from sscard.service.notices import Ground, Rule
from sscard.service.policy import Policy
from sscard.service.words import (
    AGENT_PAPERS,
    ApplicantKind,
    Document,
    OnlineStep,
    Operation,
    Paper,
    Presence,
    Proof,
    ProofResult,
    WhichPin,
)
from sscard.standard.cipher import equal


@dataclass(frozen=True, slots=True)
class Rules:
    """What an application is checked against on a day."""

    item: Item
    policy: Policy
    today: date
    standing: Standing = Standing.IN_USE
    """That of the card in the holder base."""


OUT_OF_USE: Final[dict[Standing, Phrase]] = {
    Standing.NOT_ENABLED: Phrase("the social security card is not enabled: enable it first"),
    Standing.TEMPORARILY_LOST: Phrase(
        "the social security card is temporarily reported as lost: "
        "undo the report first, with the card and the identity document"
    ),
    Standing.LOST: Phrase("the social security card is reported as lost: apply for a new card"),
    Standing.BLACKLISTED: Phrase("the social security card is blacklisted: ask the office that issued it"),
    Standing.CANCELLED: Phrase("the social security card is cancelled: apply for a new card"),
    Standing.EXPIRED: Phrase("the social security card has expired: apply for a new card"),
}
"""Why a card that is not in use is refused, and what the holder can do (open-choices.md §3.5)."""


REFERRALS: Final = {
    WhichPin.BANK: Phrase("the bank PIN belongs to the bank: please go to a counter of the bank of the card"),
    WhichPin.ELECTRONIC: Phrase("the PIN of the electronic card is set in its app: please change or reset it there"),
    WhichPin.QUERY: Phrase("the query PIN is that of the hotline and the portal: please call 12333 or use the portal"),
}
"""Where the citizen gets a PIN changed that is not on the chip of the card (open-choices.md §3.7)."""

Check = Callable[[Rules, Case], Ground | None]


def _channel(rules: Rules, case: Case) -> Ground | None:
    if case.channel not in rules.item.channels:
        return Ground(
            Rule.CHANNEL, rules.item.basic.forms, Phrase("{channel}: not offered", channel=case.channel.words)
        )
    if case.handling in {case.channel, *(CHANNEL_RULES[case.channel].hands_over_to & rules.item.channels)}:
        return None
    found = Phrase(
        "{channel}: cannot be handed over to {handling}", channel=case.channel.words, handling=case.handling.words
    )
    return Ground(Rule.CHANNEL, rules.item.basic.forms, found)


def _online_step(rules: Rules, case: Case) -> Ground | None:
    """An application online needs its steps offered online; another channel may accept and operate instead."""
    if case.channel is not Channel.ONLINE:
        return None
    needed = {OnlineStep.INTAKE}
    if case.handling is Channel.ONLINE:
        needed |= {OnlineStep.ACCEPTANCE, OnlineStep.OPERATION}
    lacking = [step for step in OnlineStep if step in needed - rules.item.online_steps]
    if not lacking:
        return None
    found = Phrase(
        "{channel}: not offered are {steps}",
        channel=case.channel.words,
        steps=Phrase.joined(ROW, [step.words for step in lacking]),
    )
    return Ground(Rule.ONLINE_STEP, rules.item.basic.online_depth, found)


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
    if person.presence is Presence.GUARDIAN:
        found = Phrase("the applicant is of full age: only the applicant in person can apply, not a guardian")
    if not admitted:
        found = Phrase("{channel}: not for a {presence}", channel=case.channel.words, presence=person.presence.words)
    return Ground(Rule.PRESENCE, rules.item.basic.serves, found)


def _agent(rules: Rules, case: Case) -> Ground | None:
    """Who acts for the applicant, if that is permitted, is named, another person, and of full age."""
    agent, words = case.person.agent, {"agent": case.person.presence.words}
    if agent is None:
        if case.person.presence is Presence.IN_PERSON or _presence(rules, case):
            return None
        found = Phrase("name and ID number of the {agent} are not stated: apply again with both", **words)
        return Ground(Rule.PRESENCE, rules.item.basic.serves, found)
    if equal(agent.id_digest.encode(), case.person.id_digest.encode()):
        return Ground(Rule.PRESENCE, rules.item.basic.serves, Phrase("the {agent} is the applicant", **words))
    if agent.minor:
        return Ground(Rule.PRESENCE, rules.item.basic.serves, Phrase("the {agent} is a minor", **words))
    return None


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
    if case.reason_given is None:
        found = Phrase("there is no reason for a change or reset of the PIN")
    elif case.operation is Operation.UNBLOCK and rules.policy.unblock == "refuse":
        found = Phrase("PINs are not unblocked here: please apply for a reset, card locked")
    else:
        return None
    return Ground(Rule.REASON, rules.item.conditions[2], found)


def _which_pin(rules: Rules, case: Case) -> Ground | None:
    if case.which_pin is WhichPin.CARD:
        return None
    return Ground(Rule.WHICH_PIN, rules.item.basic.content, REFERRALS[case.which_pin])


def _genuine_id(rules: Rules, case: Case) -> Ground | None:
    person = case.person
    if Paper.ID_CARD not in case.papers:
        return None
    if not person.id_shown and _readable_card(rules, case):
        return None  # the number would be that of the card
    if person.id_problem:
        return _not_genuine(rules, Phrase("the number of the {document} is not valid", document=person.document.words))
    if person.document not in rules.policy.documents[person.kind]:
        words = {"document": person.document.words, "kind": person.kind.words}
        return _not_genuine(rules, Phrase("{document}: not an identity document for a {kind}", **words))
    if person.document is Document.HOUSEHOLD_REGISTER and not person.child:
        age = rules.policy.register_age
        return _not_genuine(
            rules, Phrase("the household register is an identity document only below the age of {age}", age=age)
        )
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


def _card_in_use(rules: Rules, case: Case) -> Ground | None:
    if case.card is None or rules.standing is Standing.IN_USE:
        return None
    return _not_genuine(rules, OUT_OF_USE[rules.standing])


def _valid_card(rules: Rules, case: Case) -> Ground | None:
    if case.card is None or rules.standing is Standing.EXPIRED:  # which _card_in_use states
        return None
    if case.card.expires and case.card.expires < f"{rules.today:%Y%m%d}":
        return _not_genuine(rules, OUT_OF_USE[Standing.EXPIRED])
    return None


def _same_person(rules: Rules, case: Case) -> Ground | None:
    card, person = case.card, case.person
    if card is None or not (Paper.ID_CARD in case.papers or _card_is_id(rules, case)):
        return None
    if not equal(card.holder_digest.encode(), person.id_digest.encode()):
        found = Phrase("identity document and social security card are not of the same person")
        return Ground(Rule.SAME_PERSON, rules.item.paper_criterion, found)
    known = card.name_digest and person.name_digest  # a name may be left out, and a journal of 0.2.0 has no digests
    if known and not equal(card.name_digest.encode(), person.name_digest.encode()):
        found = Phrase("identity document and social security card have different names")
        return Ground(Rule.SAME_PERSON, rules.item.paper_criterion, found)
    return None


def _genuine_agent(rules: Rules, case: Case) -> Ground | None:
    agent, presence = case.person.agent, case.person.presence
    if agent is None or not agent.id_problem or AGENT_PAPERS[presence][0] not in case.papers:
        return None
    found = Phrase("the number of the identity document of the {agent} is not valid", agent=presence.words)
    return _not_genuine(rules, found)


def _identity(rules: Rules, case: Case) -> Ground | None:
    proof = rules.policy.proof_at(case.current_channel)
    if proof is Proof.NONE or case.proof is not ProofResult.FAILED:
        return None
    found = Phrase("the proof of identity by {proof} failed", proof=proof.words)
    return Ground(Rule.IDENTITY, rules.item.paper_criterion, found)


def _not_genuine(rules: Rules, found: Phrase) -> Ground:
    return Ground(Rule.GENUINE_PAPERS, rules.item.paper_criterion, found)


IDENTITY_CHECKS: Final[tuple[Check, ...]] = (_identity,)
STANDING_CHECKS: Final[tuple[Check, ...]] = (_card_in_use,)
CARD_CHECKS: Final[tuple[Check, ...]] = (_card, _readable_card, _card_in_use, _valid_card, _same_person)
CHECKS: Final[tuple[Check, ...]] = (
    _channel,
    _online_step,
    _person,
    _presence,
    _agent,
    _age,
    _card,
    _reason,
    _which_pin,
    _genuine_id,
    _valid_id,
    _readable_card,
    _card_in_use,
    _valid_card,
    _same_person,
    _genuine_agent,
    _identity,
)


def grounds_against(rules: Rules, case: Case, checks: tuple[Check, ...] = CHECKS) -> tuple[Ground, ...]:
    """Every ground of refusal in what was submitted so far; a missing paper is not a ground."""
    found = (check(rules, case) for check in checks)
    return tuple(ground for ground in found if ground is not None)


def unproved(policy: Policy, case: Case) -> Proof | None:
    """The proof of identity that the current channel requires, if it passed neither there nor at an earlier channel."""
    proof = policy.proof_at(case.current_channel)
    passed = case.proof is ProofResult.PASSED or proof in case.proved
    return None if proof is Proof.NONE or passed else proof


def missing_papers(rules: Rules, case: Case) -> tuple[Paper, ...]:
    """The missing papers: those of the item, in its order, then those of a person who acts for the applicant."""
    required = (*rules.item.papers, *AGENT_PAPERS.get(case.person.presence, ()))
    shown = case.papers
    if _card_is_id(rules, case):
        shown |= {Paper.ID_CARD}
    return tuple(paper for paper in required if paper not in shown)


def _card_is_id(rules: Rules, case: Case) -> bool:
    """Whether the social security card is the identity document, so that the applicant has to be its holder."""
    return rules.policy.card_as_id and not case.person.child and Paper.SOCIAL_SECURITY_CARD in case.papers
