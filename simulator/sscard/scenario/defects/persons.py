"""Defects of the service: documents and papers of the persons who come, the PIN they mean, proofs of identity."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.acceptance import _replace_check, _with_channel
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.service import Case, Channel, Paper, PinService, conditions, identity, ids
from sscard.service.conditions import Rules
from sscard.service.identity import Applicant, Person
from sscard.service.notices import Ground
from sscard.service.words import Document, ProofResult

catalogue = Catalogue(Part.SERVICE)


@catalogue.defect(
    "open-choices.md §3.2: the household register is for children below the age of the policy", "household"
)
def household_register_is_accepted_at_any_age(patch: Patch) -> None:
    """A household register is accepted from applicants of any age."""
    old = conditions._genuine_id

    def check(rules: Rules, case: Case) -> Ground | None:
        found = old(rules, case)
        return None if found and case.person.document is Document.HOUSEHOLD_REGISTER else found

    _replace_check(patch, old, check)


@catalogue.defect("open-choices.md §3.2: the age limit of the register is not the age of majority", "household")
def register_age_is_the_age_of_majority(patch: Patch) -> None:
    """The age limit for the household register is the age of majority."""
    original = identity.person_of

    def person_of(*given: Any) -> Person:
        person: Person = original(*given)
        return replace(person, child=person.minor)

    patch.function(original, person_of)


@catalogue.defect(
    "open-choices.md §3.2: a permit of Hong Kong and Macao has H or M and 8 or 10 digits", "travel-permits"
)
def travel_permit_is_taken_for_a_passport(patch: Patch) -> None:
    """A travel permit of Hong Kong and Macao is checked by the rules for passports."""
    patch.row(ids._WITHOUT_BIRTH_DATE, Document.MAINLAND_TRAVEL_PERMIT, ids.PASSPORT)


@catalogue.defect(
    "open-choices.md §3.2: the kind of applicant decides between documents of one form", "stated-document"
)
def kind_of_applicant_does_not_decide_between_documents(patch: Patch) -> None:
    """The kind of applicant does not decide between documents whose numbers have one form."""
    original = identity.person_of

    def person_of(applicant: Applicant, key: bytes, today: date, policy: Any) -> Person:
        number = ids.read_id_number(applicant.id_number, today)
        stated = applicant.document or number.documents[0]
        return original(applicant.model_copy(update={"document": stated}), key, today, policy)

    patch.function(original, person_of)


@catalogue.defect(
    "open-choices.md §3.2: a guardian shows identity document and proof of guardianship", "guardian-papers"
)
def papers_of_a_guardian_are_not_asked_for(patch: Patch) -> None:
    """A guardian is not asked for identity document and proof of guardianship."""
    _without(patch, Paper.GUARDIAN_ID, Paper.GUARDIANSHIP)


@catalogue.defect("open-choices.md §3.2: a proxy shows an identity document and a letter of authority", "proxy-papers")
def papers_of_a_proxy_are_not_asked_for(patch: Patch) -> None:
    """A citizen's agent is not asked for identity document and letter of authority."""
    _without(patch, Paper.PROXY_ID, Paper.LETTER_OF_AUTHORITY)


def _without(patch: Patch, *papers: Paper) -> None:
    original = conditions.missing_papers

    def missing_papers(rules: Rules, case: Case) -> tuple[Paper, ...]:
        return tuple(paper for paper in original(rules, case) if paper not in papers)

    patch.function(original, missing_papers)


@catalogue.defect("item.yaml, acceptance: identity document and card have one name", "other-name")
def another_name_is_accepted(patch: Patch) -> None:
    """A card with another name than the identity document is accepted."""
    old = conditions._same_person

    def check(rules: Rules, case: Case) -> Ground | None:
        name, case.person = case.person, replace(case.person, name_digest="")
        try:
            return old(rules, case)
        finally:
            case.person = name

    _replace_check(patch, old, check)


@catalogue.defect("open-choices.md §3.2: where the policy says so, the card is enough", "province")
def card_is_never_the_identity_document(patch: Patch) -> None:
    """The card is not accepted as identity document where the policy permits it."""
    original = conditions.missing_papers

    def missing_papers(rules: Rules, case: Case) -> tuple[Paper, ...]:
        return original(replace(rules, policy=rules.policy.model_copy(update={"card_as_id": False})), case)

    patch.function(original, missing_papers)


@catalogue.defect(
    "open-choices.md §3.2: where the card is the identity document, the applicant is its holder", "province"
)
def card_as_identity_document_is_anybodys(patch: Patch) -> None:
    """A card that is used as identity document can be that of another person."""
    old = conditions._same_person
    _replace_check(patch, old, lambda rules, case: old(rules, case) if Paper.ID_CARD in case.papers else None)


@catalogue.defect("open-choices.md §3.2: a child's card is not the identity document", "province-child")
def card_of_a_child_is_the_identity_document(patch: Patch) -> None:
    """The card of a child is accepted as identity document."""
    original = identity.person_of
    patch.function(original, lambda *given: replace(original(*given), child=False))


@catalogue.defect("open-choices.md §3.6: the case waits for a proof that is unavailable", "proof-unavailable")
def unavailable_proof_of_identity_is_taken_for_passed(patch: Patch) -> None:
    """A proof of identity that is unavailable counts as passed."""

    def examine(service: PinService, case: Case) -> Any:
        if case.proof is not ProofResult.FAILED:
            case.proof = ProofResult.PASSED
        return original(service, case)

    original = patch.attribute(PinService, "_examine", examine)


@catalogue.defect("open-choices.md §3.6: a later proof replaces the one that was unavailable", "proof-unavailable")
def later_proof_of_identity_is_ignored(patch: Patch) -> None:
    """A later proof of identity is ignored."""
    patch.attribute(PinService, "prove", lambda _service, _case, _result: None)


@catalogue.defect(
    "open-choices.md §3.2: a self-service terminal has no clerk who reads a household register", "household"
)
def household_register_is_read_at_the_self_service_terminal(patch: Patch) -> None:
    """The self-service terminal accepts a household register."""
    _with_channel(patch, Channel.SELF_SERVICE, reads=frozenset(Document) - {Document.PASSPORT})


@catalogue.defect(
    "open-choices.md §3.6: the channel that operates the card asks for its own proof", "proof-at-the-window"
)
def proof_of_identity_is_not_asked_for_after_a_hand_over(patch: Patch) -> None:
    """After a hand-over the channel that operates the card asks for no proof of identity."""
    patch.attribute(PinService, "_unidentified", lambda _service, _case: None)


@catalogue.defect("open-choices.md §3.2: who acts for the applicant is named", "agent-of-full-age")
def nobody_has_to_be_named_as_agent(patch: Patch) -> None:
    """A guardian or proxy need not be named."""
    old = conditions._agent
    _replace_check(patch, old, lambda rules, case: old(rules, case) if case.person.agent else None)


DEFECTS = tuple(catalogue.defects)
