"""Observations that change with the defects of ``sscard.scenario.defects.persons``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kit.citizens import Ticking, make_citizen
from sscard.service import Application, Channel, Paper, PinService, Policy, ProofResult, Reason, load_policy
from sscard.service.identity import Agent, Applicant
from sscard.service.words import ApplicantKind, Document, Presence, Proof
from witnesses.acceptance import _answer
from witnesses.witness import Witness

CHILD, YOUTH, FALSE = "410402201503150003", "410402200903150016", "410402198503150008"
AGENT = Agent(name="王五", id_number="11010519491231002X")
BOTH = frozenset({Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD})


def _policy(**changes: Any) -> Policy:
    return load_policy().model_copy(update=changes)


POLICY = _policy(identity_proof={Channel.WINDOW: Proof.ID_READER}, minors="with guardian")


def _answers(proof: ProofResult | None, later: ProofResult | None = None, **of: Any) -> list[str]:
    """The texts of a case at a window that requires a proof of identity, or of another application."""
    service = PinService(Ticking(), policy=POLICY)
    application: Application = replace(make_citizen().application(Reason.LEAKED), proof=proof, **of)
    case = service.intake(application)
    service.accept(case)
    if later:
        service.prove(case, later)
        service.accept(case)
    return [event.text for event in case.events]


def _at_the_window() -> str:
    """A case from a terminal, operated at a window that requires another proof."""
    proofs = {Channel.SELF_SERVICE: Proof.FACE, Channel.WINDOW: Proof.ID_READER}
    service, citizen = PinService(Ticking(), policy=_policy(identity_proof=proofs)), make_citizen()
    application = replace(citizen.application(Reason.FORGOTTEN, Channel.SELF_SERVICE), proof=ProofResult.PASSED)
    case = service.intake(application)
    service.accept(case)
    service.hand_over(case, Channel.WINDOW)
    return service.operate(case, citizen.session, "80264153").text


WITNESSES: Mapping[str, Witness] = {
    "household-register-is-accepted-at-any-age": lambda: _answer(document=Document.HOUSEHOLD_REGISTER),
    "register-age-is-the-age-of-majority": lambda: _answer(
        document=Document.HOUSEHOLD_REGISTER, id_number=YOUTH, policy=_policy(minors="accept")
    ),
    "travel-permit-is-taken-for-a-passport": lambda: _answer(id_number="H1234567801"),
    "kind-of-applicant-does-not-decide-between-documents": lambda: _answer(
        id_number="12345678", kind=ApplicantKind.FOREIGNER, works_or_insured_in_province=True
    ),
    "papers-of-a-guardian-are-not-asked-for": lambda: _answers(
        ProofResult.PASSED,
        applicant=Applicant(name="李四", id_number=CHILD, presence=Presence.GUARDIAN, agent=AGENT),
        papers=frozenset({Paper.ID_CARD}),
        card=None,
    ),
    "papers-of-a-proxy-are-not-asked-for": lambda: _answer(
        presence=Presence.PROXY, agent=AGENT, papers=BOTH, policy=_policy(proxy="accept")
    ),
    "another-name-is-accepted": lambda: _answer(name="李四"),
    "card-is-never-the-identity-document": lambda: _answer(
        papers=frozenset({Paper.SOCIAL_SECURITY_CARD}), policy=_policy(card_as_id=True)
    ),
    "card-as-identity-document-is-anybodys": lambda: _answer(
        name="李四", papers=frozenset({Paper.SOCIAL_SECURITY_CARD}), policy=_policy(card_as_id=True)
    ),
    "card-of-a-child-is-the-identity-document": lambda: _answer(
        id_number=CHILD,
        papers=frozenset({Paper.SOCIAL_SECURITY_CARD}),
        policy=_policy(card_as_id=True, minors="accept"),
    ),
    "unavailable-proof-of-identity-is-taken-for-passed": lambda: _answers(None),
    "later-proof-of-identity-is-ignored": lambda: _answers(ProofResult.UNAVAILABLE, ProofResult.PASSED),
    "household-register-is-read-at-the-self-service-terminal": lambda: _answer(
        channel=Channel.SELF_SERVICE,
        id_number=CHILD,
        document=Document.HOUSEHOLD_REGISTER,
        policy=_policy(minors="accept"),
    ),
    "proof-of-identity-is-not-asked-for-after-a-hand-over": _at_the_window,
    "nobody-has-to-be-named-as-agent": lambda: _answer(presence=Presence.PROXY, policy=_policy(proxy="accept")),
}
