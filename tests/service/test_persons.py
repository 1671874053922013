"""Who comes, with which papers, for which PIN, and how the identity is proved."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from kit.citizens import Citizen, Ticking
from sscard.service import (
    Acceptance,
    Act,
    Agent,
    Applicant,
    ApplicantKind,
    Application,
    Case,
    Channel,
    Document,
    Event,
    Paper,
    PinService,
    Policy,
    Presence,
    ProofResult,
    Reason,
    Refusal,
    Rule,
    Stage,
    SupplementNotice,
    Waiting,
    WhichPin,
    WrongStage,
    load_policy,
)
from sscard.service.channels import CHANNEL_RULES
from sscard.service.policy import preset_policy
from sscard.service.words import Proof

CHILD = "410402201503150003"
YOUTH = "410402201403150006"
AGENT = "11010519491231002X"
OWN = (Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD)
GUARDIANS = (Paper.GUARDIAN_ID, Paper.GUARDIANSHIP)
PROXYS = (Paper.PROXY_ID, Paper.LETTER_OF_AUTHORITY)
RESULTS = (None, *ProofResult)


def with_policy(**changes: Any) -> PinService:
    return PinService(Ticking(), policy=load_policy().model_copy(update=changes))


def answer_to(service: PinService, application: Application) -> object:
    return service.accept(service.intake(application))


def named(presence: Presence) -> dict[str, object]:
    """The fields of an applicant for whom somebody acts, who is stated."""
    agent = None if presence is Presence.IN_PERSON else Agent(name="王五", id_number=AGENT)
    return {"presence": presence, "agent": agent}


@pytest.mark.parametrize(
    ("presence", "brought", "missing"),
    [
        (Presence.IN_PERSON, (), OWN),
        (Presence.IN_PERSON, OWN, ()),
        (Presence.GUARDIAN, (), OWN + GUARDIANS),
        (Presence.GUARDIAN, OWN + PROXYS, GUARDIANS),
        (Presence.GUARDIAN, (Paper.ID_CARD, Paper.GUARDIANSHIP), (Paper.SOCIAL_SECURITY_CARD, Paper.GUARDIAN_ID)),
        (Presence.GUARDIAN, OWN + GUARDIANS, ()),
        (Presence.PROXY, OWN, PROXYS),
        (Presence.PROXY, OWN + GUARDIANS, PROXYS),
        (Presence.PROXY, tuple(Paper), ()),
    ],
)
def test_papers_of_a_guardian_or_proxy_are_asked_for_with_the_others(
    citizen_with: Callable[..., Citizen], presence: Presence, brought: tuple[Paper, ...], missing: tuple[Paper, ...]
) -> None:
    citizen = citizen_with(id_number=CHILD) if presence is Presence.GUARDIAN else citizen_with()
    asked = citizen.application(Reason.FORGOTTEN)
    asked = replace(
        asked,
        applicant=asked.applicant.model_copy(update=named(presence)),
        papers=frozenset(brought),
        card=asked.card if Paper.SOCIAL_SECURITY_CARD in brought else None,
    )
    service = with_policy(minors="with guardian", proxy="accept")
    case = service.intake(asked)
    answer = service.accept(case)
    if not missing:
        assert isinstance(answer, Acceptance)
        return
    assert isinstance(answer, SupplementNotice)
    assert answer.papers == missing
    own = {Paper.ID_CARD: "household register"} if presence is Presence.GUARDIAN else {}
    assert all(f"{own.get(paper, paper.words.english)} (the original)" in answer.text for paper in missing)
    rest = missing[1:]
    if rest:
        card = citizen.basic if missing[0] is Paper.SOCIAL_SECURITY_CARD else None
        assert service.supplement(case, missing[:1], card) == answer
    last = service.supplement(case, missing, citizen.basic)
    assert isinstance(last, Acceptance)
    assert sum(event.act is Act.ASKED_FOR for event in case.events) == 1


@pytest.mark.parametrize("presence", [Presence.GUARDIAN, Presence.PROXY])
@pytest.mark.parametrize("papers", [frozenset[Paper](), frozenset(Paper)])
def test_who_acts_is_named(citizen_with: Callable[..., Citizen], presence: Presence, papers: frozenset[Paper]) -> None:
    """Also by a program that submits an application, and before the papers are complete."""
    asked = citizen_with(id_number=CHILD).application(Reason.FORGOTTEN)
    card = asked.card if Paper.SOCIAL_SECURITY_CARD in papers else None
    asked = replace(
        asked, applicant=asked.applicant.model_copy(update={"presence": presence}), papers=papers, card=card
    )
    answer = answer_to(with_policy(minors="accept", proxy="accept"), asked)
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.PRESENCE]
    assert f"name and ID number of the {presence.words.english} are not stated" in answer.text


@pytest.mark.parametrize("presence", [Presence.GUARDIAN, Presence.PROXY])
@pytest.mark.parametrize(
    ("number", "adult_age", "found"),
    [
        (AGENT, 18, ""),
        (YOUTH, 18, "is a minor"),
        (YOUTH, 10, ""),
        (CHILD, 18, "is the applicant"),
    ],
)
def test_who_acts_is_another_person_of_full_age(
    citizen_with: Callable[..., Citizen], presence: Presence, number: str, adult_age: int, found: str
) -> None:
    asked = citizen_with(id_number=CHILD).application(Reason.FORGOTTEN)
    agent = {"presence": presence, "agent": Agent(name="王五", id_number=number)}
    asked = replace(asked, applicant=asked.applicant.model_copy(update=agent), papers=frozenset(Paper))
    service = with_policy(minors="accept", proxy="accept", adult_age=adult_age)
    case = service.intake(asked)
    answer = service.accept(Case(case.number, case.events))
    if not found:
        assert isinstance(answer, Acceptance)
        return
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.PRESENCE]
    assert f"{presence.words.english} {found}" in answer.text


def test_who_acts_is_in_the_journal_without_the_number(citizen: Citizen) -> None:
    asked = citizen.application(Reason.FORGOTTEN)
    agent = Agent(name="王五", id_number=AGENT)
    changes = {"presence": Presence.PROXY, "agent": agent}
    service = with_policy(proxy="accept", identity_proof={Channel.WINDOW: Proof.ID_READER})
    case = service.intake(
        replace(asked, applicant=asked.applicant.model_copy(update=changes), proof=ProofResult.PASSED)
    )
    assert isinstance(service.accept(case), Acceptance)
    facts = json.dumps([event.facts for event in case.events], ensure_ascii=False)
    assert AGENT not in facts + repr(asked) + repr(agent)
    again = Case(case.number, case.events)
    assert again.person == case.person
    assert again.person.agent is not None
    assert (again.person.agent.name, again.person.agent.id_shown) == ("王五", "1101************2X")
    assert len(again.person.agent.id_digest) == 32
    assert case.events[0].facts["proof"] == {"by": "id-reader", "result": "passed"}


def test_a_journal_without_the_new_facts_is_read(service: PinService, citizen: Citizen) -> None:
    asked = citizen.application(Reason.FORGOTTEN)
    other = replace(asked, applicant=asked.applicant.model_copy(update={"name": "另一个"}))
    first = service.intake(other).events[0]
    facts = json.loads(json.dumps(first.facts))
    del facts["which_pin"], facts["proof"]
    del facts["person"]["name_digest"], facts["person"]["child"], facts["person"]["agent"]
    del facts["card"]["name_digest"]
    case = service.journal.open_case(Event(first.time, first.stage, first.said, first.act, facts))
    assert (case.which_pin, case.proof, case.person.agent) == (WhichPin.CARD, None, None)
    assert isinstance(service.accept(case), Acceptance)


@pytest.mark.parametrize(
    ("name", "text"),
    [("张 三", ""), ("", ""), ("李四", "different names")],
)
def test_the_name_of_document_and_card_is_one(service: PinService, citizen: Citizen, name: str, text: str) -> None:
    assert citizen.holder.name == "张三"
    asked = citizen.application(Reason.FORGOTTEN)
    answer = answer_to(service, replace(asked, applicant=asked.applicant.model_copy(update={"name": name})))
    if not text:
        assert isinstance(answer, Acceptance)
        return
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.SAME_PERSON]
    assert text in answer.text


def test_a_card_presented_later_has_the_name_too(service: PinService, citizen: Citizen) -> None:
    asked = replace(citizen.application(Reason.FORGOTTEN, Channel.ONLINE), card=None, handling=Channel.WINDOW)
    case = service.intake(replace(asked, applicant=asked.applicant.model_copy(update={"name": "李四"})))
    service.accept(case)
    refusal = service.present(case, citizen.basic)
    assert refusal is not None
    assert [ground.rule for ground in refusal.grounds] == [Rule.SAME_PERSON]
    assert case.stage is Stage.FAILED


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize(
    ("which", "where"), [(WhichPin.BANK, "counter"), (WhichPin.ELECTRONIC, "app"), (WhichPin.QUERY, "12333")]
)
def test_another_pin_is_referred_to_its_own_place(
    service: PinService, citizen: Citizen, channel: Channel, which: WhichPin, where: str
) -> None:
    answer = answer_to(service, replace(citizen.application(Reason.FORGOTTEN, channel), which_pin=which))
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.WHICH_PIN]
    assert where in answer.text


@pytest.mark.parametrize(("channel", "proof", "result"), list(product(Channel, Proof, RESULTS)))
def test_a_proof_of_identity_passes_fails_or_is_waited_for(
    citizen: Citizen, channel: Channel, proof: Proof, result: ProofResult | None
) -> None:
    if proof not in CHANNEL_RULES[channel].proofs:
        with pytest.raises(ValueError, match=f"no proof by {proof.words.english} there"):
            Policy.model_validate(load_policy().model_dump() | {"identity_proof": {channel: proof}})
        return
    service = with_policy(identity_proof={channel: proof})
    case = service.intake(replace(citizen.application(Reason.FORGOTTEN, channel), proof=result))
    answer = service.accept(case)
    if proof is Proof.NONE or result is ProofResult.PASSED:
        assert isinstance(answer, Acceptance)
    elif result is ProofResult.FAILED:
        assert isinstance(answer, Refusal)
        assert [ground.rule for ground in answer.grounds] == [Rule.IDENTITY]
    else:
        assert isinstance(answer, Waiting)
        assert case.waits
        assert case.stage in (Stage.INTAKE, Stage.PRE_REVIEW)
    assert case.events[0].facts["proof"] == (
        None if proof is Proof.NONE or result is None else {"by": proof.value, "result": result.value}
    )


@pytest.mark.parametrize("channel", Channel)
def test_a_waiting_case_is_continued_by_a_proof_also_after_a_restart(citizen: Citizen, channel: Channel) -> None:
    proof = max(CHANNEL_RULES[channel].proofs - {Proof.NONE})
    service = with_policy(identity_proof={channel: proof})
    case = service.intake(citizen.application(Reason.FORGOTTEN, channel))
    assert isinstance(service.accept(case), Waiting)
    again = Case(case.number, case.events)
    assert again.waits
    service.prove(case, ProofResult.UNAVAILABLE)
    assert isinstance(service.accept(case), Waiting)
    service.prove(case, ProofResult.PASSED)
    assert Case(case.number, case.events).proof is ProofResult.PASSED
    assert isinstance(service.accept(case), Acceptance)
    with pytest.raises(WrongStage):
        service.prove(case, ProofResult.PASSED)


def test_papers_are_asked_for_before_a_proof_is_waited_for(citizen: Citizen) -> None:
    service = with_policy(identity_proof={Channel.WINDOW: Proof.ID_READER})
    case = service.intake(replace(citizen.application(Reason.FORGOTTEN), papers=frozenset(), card=None))
    assert isinstance(service.accept(case), SupplementNotice)
    assert isinstance(service.supplement(case, OWN, citizen.basic), Waiting)
    service.prove(case, ProofResult.PASSED)
    assert isinstance(service.supplement(case, ()), Acceptance)


def test_in_the_province_the_card_is_enough_for_everybody_but_a_child(citizen_with: Callable[..., Citizen]) -> None:
    service = PinService(Ticking(), policy=preset_policy("henan"))
    card_alone = frozenset({Paper.SOCIAL_SECURITY_CARD})
    adult = replace(citizen_with().application(Reason.FORGOTTEN), papers=card_alone)
    assert isinstance(answer_to(service, adult), Acceptance)
    without = answer_to(service, replace(adult, papers=frozenset({Paper.ID_CARD}), card=None))
    assert isinstance(without, SupplementNotice)
    assert without.papers == (Paper.SOCIAL_SECURITY_CARD,)
    child = replace(citizen_with(id_number=CHILD).application(Reason.FORGOTTEN), papers=card_alone | {*GUARDIANS})
    child = replace(child, applicant=child.applicant.model_copy(update=named(Presence.GUARDIAN)))
    answer = answer_to(service, child)
    assert isinstance(answer, SupplementNotice)
    assert answer.papers == (Paper.ID_CARD,)
    assert answer.text == "Please bring all of the following: household register (the original)"
    case = service.intake(child)
    service.accept(case)
    assert Case(case.number, case.events).notice == answer
    service.supplement(case, [])
    assert case.events[-1].text == "Still missing: household register (the original)"
    service.supplement(case, [Paper.ID_CARD])
    assert "Brought: household register (the original)" in [event.text for event in case.events]


@pytest.mark.parametrize("changes", [{"name": "李四"}, {"id_number": AGENT}])
def test_the_card_alone_identifies_its_holder_and_nobody_else(citizen: Citizen, changes: dict[str, str]) -> None:
    service = PinService(Ticking(), policy=preset_policy("henan"))
    asked = replace(citizen.application(Reason.FORGOTTEN), papers=frozenset({Paper.SOCIAL_SECURITY_CARD}))
    answer = answer_to(service, replace(asked, applicant=asked.applicant.model_copy(update=changes)))
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.SAME_PERSON]


@pytest.mark.parametrize(
    ("number", "kind", "stated", "recorded"),
    [
        ("410402201503150003", ApplicantKind.CITIZEN, None, Document.HOUSEHOLD_REGISTER),
        ("410402201503150003", ApplicantKind.CITIZEN, Document.RESIDENT_ID, Document.RESIDENT_ID),
        ("410402199001010015", ApplicantKind.CITIZEN, None, Document.RESIDENT_ID),
        ("410402201503150003", ApplicantKind.HONG_KONG_MACAO_TAIWAN, None, Document.RESIDENT_ID),
        ("810000201503150003", ApplicantKind.HONG_KONG_MACAO_TAIWAN, None, Document.RESIDENCE_PERMIT),
    ],
)
def test_a_child_that_states_no_document_shows_the_register_if_it_is_for_its_kind(
    service: PinService, number: str, kind: ApplicantKind, stated: Document | None, recorded: Document
) -> None:
    applicant = Applicant(name="李小明", id_number=number, kind=kind, document=stated)
    case = service.intake(Application(applicant, Channel.WINDOW, Reason.FORGOTTEN))
    assert case.person.document is recorded


def test_a_proof_on_another_day_is_a_visit_and_asking_again_is_none(citizen: Citizen) -> None:
    clock = Ticking()
    policy = load_policy().model_copy(update={"identity_proof": {Channel.WINDOW: Proof.ID_READER}})
    service = PinService(clock, policy=policy)
    asked = replace(citizen.application(Reason.FORGOTTEN), papers=frozenset({Paper.ID_CARD}), card=None)
    case = service.intake(asked)
    service.accept(case)
    visits = [len(case.days_on_site)]
    for papers, proof in (((), None), (OWN, None), ((), ProofResult.PASSED)):
        clock.now += timedelta(days=1)
        if proof:
            service.prove(case, proof)
        service.supplement(case, papers, citizen.basic if papers else None)
        visits.append(len(case.days_on_site))
    assert (case.stage, visits) == (Stage.ACCEPTED, [1, 1, 2, 3])
