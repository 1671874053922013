"""Intake, acceptance and supplement: who is accepted, who is refused on which ground, what is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from kit.citizens import OPENING, Citizen, Ticking
from sscard.service import (
    Acceptance,
    ApplicantKind,
    Application,
    Channel,
    Item,
    Paper,
    PinService,
    Reason,
    Refusal,
    Rule,
    Stage,
    SupplementNotice,
    WrongStage,
    load_item,
    load_policy,
)
from sscard.service.workdays import Due

OTHER_PERSON = "410403199001010023"
NO_PERSON = "410402198503150008"
PERSON = "一、在我省居住的中国公民，以及在我省就业或参保的港澳台居民、华侨和外国人。"
CARD = "二、已办理过我省社会保障卡；"
REASON = "三、因密码外泄需要修改，或因密码遗忘、社保卡锁定等需要重置。"
GENUINE = "材料真实有效"
BOTH = (Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD)

Change = Callable[[Application], Application]


def applicant(**changes: object) -> Change:
    return lambda asked: replace(asked, applicant=asked.applicant.model_copy(update=changes))


def card(**changes: object) -> Change:
    return lambda asked: replace(asked, card=replace(asked.card, **changes))


def application(**changes: object) -> Change:
    return lambda asked: replace(asked, **changes)


def foreign(kind: ApplicantKind, *, works: bool, lives: bool = True) -> Change:
    return applicant(kind=kind, works_or_insured_in_province=works, lives_in_province=lives)


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("channel", Channel)
def test_a_complete_application_is_accepted_at_once(citizen: Citizen, reason: Reason, channel: Channel) -> None:
    service = PinService(Ticking(), policy=load_policy().model_copy(update={"unblock": "accept"}))
    case = service.intake(citizen.application(reason, channel))
    assert case.stage is Stage.INTAKE
    assert service.accept(case) == Acceptance(1, Due(date(2026, 3, 3)))
    pre_review = [Stage.PRE_REVIEW] if channel is Channel.ONLINE else []
    assert [event.stage for event in case.events] == [Stage.INTAKE, *pre_review, Stage.ACCEPTED]


@pytest.mark.parametrize("kind", [kind for kind in ApplicantKind if kind is not ApplicantKind.CITIZEN])
@pytest.mark.parametrize("lives", [True, False])
def test_others_than_citizens_are_accepted_where_they_work_or_are_insured_here(
    service: PinService, citizen: Citizen, kind: ApplicantKind, lives: bool
) -> None:
    asked = foreign(kind, works=True, lives=lives)(citizen.application(Reason.FORGOTTEN))
    assert isinstance(service.accept(service.intake(asked)), Acceptance)


def test_the_check_character_of_an_id_number_may_be_small(
    service: PinService, citizen_with: Callable[..., Citizen]
) -> None:
    citizen = citizen_with(id_number="11010519491231002X")
    asked = applicant(id_number="11010519491231002x")(citizen.application(Reason.FORGOTTEN))
    assert isinstance(service.accept(service.intake(asked)), Acceptance)


REFUSED = {
    "citizen living elsewhere": (applicant(lives_in_province=False), Rule.PERSON, PERSON),
    "citizen only working here": (
        applicant(lives_in_province=False, works_or_insured_in_province=True),
        Rule.PERSON,
        PERSON,
    ),
    "from Hong Kong, Macao or Taiwan, not working here": (
        foreign(ApplicantKind.HONG_KONG_MACAO_TAIWAN, works=False),
        Rule.PERSON,
        PERSON,
    ),
    "overseas Chinese, not working here": (foreign(ApplicantKind.OVERSEAS_CHINESE, works=False), Rule.PERSON, PERSON),
    "foreigner, not working here": (foreign(ApplicantKind.FOREIGNER, works=False), Rule.PERSON, PERSON),
    "no reason": (application(reason=None), Rule.REASON, REASON),
    "card unreadable": (application(card=None), Rule.GENUINE_PAPERS, GENUINE),
    "card of another person": (card(social_security_number=OTHER_PERSON), Rule.SAME_PERSON, GENUINE),
    "ID of another person": (applicant(id_number=OTHER_PERSON), Rule.SAME_PERSON, GENUINE),
}


@pytest.mark.parametrize(("change", "rule", "words"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_items_ground(
    service: PinService, citizen: Citizen, change: Change, rule: Rule, words: str
) -> None:
    case = service.intake(change(citizen.application(Reason.FORGOTTEN)))
    answer = service.accept(case)
    assert isinstance(answer, Refusal)
    assert [(ground.rule, ground.words) for ground in answer.grounds] == [(rule, words)]
    assert case.stage is Stage.REFUSED
    assert words.rstrip("。；") in case.events[-1].text


def test_a_false_id_number_is_no_genuine_paper(service: PinService, citizen: Citizen) -> None:
    asked = applicant(id_number=NO_PERSON)(citizen.application(Reason.FORGOTTEN))
    answer = service.accept(service.intake(asked))
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.GENUINE_PAPERS, Rule.SAME_PERSON]


@pytest.mark.parametrize("city", ["410100", "411700", "419001"])
def test_a_card_of_any_city_of_the_province_will_do(
    service: PinService, citizen_with: Callable[..., Citizen], city: str
) -> None:
    asked = citizen_with(city=city).application(Reason.FORGOTTEN)
    assert isinstance(service.accept(service.intake(asked)), Acceptance)


@pytest.mark.parametrize("city", ["510100", "110000", "140100"])
def test_a_card_of_another_province_is_refused(
    service: PinService, citizen_with: Callable[..., Citizen], city: str
) -> None:
    answer = service.accept(service.intake(citizen_with(city=city).application(Reason.FORGOTTEN)))
    assert isinstance(answer, Refusal)
    assert [(ground.rule, ground.words) for ground in answer.grounds] == [(Rule.CARD, CARD)]


def test_a_channel_the_item_does_not_offer_is_refused(citizen: Citizen) -> None:
    service = PinService(lambda: OPENING, window_only(load_item()))
    answer = service.accept(service.intake(citizen.application(Reason.LEAKED, Channel.ONLINE)))
    assert isinstance(answer, Refusal)
    assert [(ground.rule, ground.words) for ground in answer.grounds] == [(Rule.CHANNEL, "窗口办理")]


def window_only(item: Item) -> Item:
    return item.model_copy(update={"basic": item.basic.model_copy(update={"forms": "窗口办理"})})


def test_a_refusal_names_every_ground_at_once(service: PinService, citizen_with: Callable[..., Citizen]) -> None:
    asked = citizen_with(city="510100").application(None)
    asked = applicant(lives_in_province=False, id_number=OTHER_PERSON)(asked)
    answer = service.accept(service.intake(asked))
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.PERSON, Rule.CARD, Rule.REASON, Rule.SAME_PERSON]


@pytest.mark.parametrize(
    ("brought", "missing"),
    [
        ((), BOTH),
        ((Paper.ID_CARD,), (Paper.SOCIAL_SECURITY_CARD,)),
        ((Paper.SOCIAL_SECURITY_CARD,), (Paper.ID_CARD,)),
    ],
    ids=["nothing", "only the ID", "only the card"],
)
def test_one_notice_names_every_missing_paper(
    service: PinService, citizen: Citizen, brought: tuple[Paper, ...], missing: tuple[Paper, ...]
) -> None:
    case = service.intake(asking(citizen, *brought))
    notice = service.accept(case)
    assert isinstance(notice, SupplementNotice)
    assert notice.papers == missing
    assert all(f"{paper.english} (the original)" in notice.text for paper in missing)
    assert "应当一次性告知申请人需要补正的全部内容" in notice.criterion
    assert case.stage is Stage.SUPPLEMENT


def test_a_supplemented_case_goes_on_to_acceptance(service: PinService, citizen: Citizen) -> None:
    case = service.intake(asking(citizen))
    service.accept(case)
    assert isinstance(service.supplement(case, BOTH, citizen.basic), Acceptance)
    assert [event.stage for event in case.events] == [
        Stage.INTAKE,
        Stage.SUPPLEMENT,
        Stage.SUPPLEMENT,
        Stage.ACCEPTED,
    ]


def test_papers_may_come_one_by_one_and_no_second_notice_is_given(service: PinService, citizen: Citizen) -> None:
    case = service.intake(asking(citizen))
    notice = service.accept(case)
    assert service.supplement(case, [Paper.ID_CARD]) == notice
    assert case.stage is Stage.SUPPLEMENT
    assert case.events[-1].text == "Still missing: social security card (the original)"
    assert isinstance(service.supplement(case, [Paper.SOCIAL_SECURITY_CARD], citizen.basic), Acceptance)


def test_a_supplement_can_bring_the_ground_of_refusal(
    service: PinService, citizen: Citizen, citizen_with: Callable[..., Citizen]
) -> None:
    case = service.intake(asking(citizen, Paper.ID_CARD))
    service.accept(case)
    answer = service.supplement(case, [Paper.SOCIAL_SECURITY_CARD], citizen_with(id_number=OTHER_PERSON).basic)
    assert isinstance(answer, Refusal)
    assert answer.grounds[0].rule is Rule.SAME_PERSON
    assert case.stage is Stage.REFUSED


def test_a_person_the_item_does_not_serve_is_refused_and_not_sent_for_papers(
    service: PinService, citizen: Citizen
) -> None:
    asked = applicant(lives_in_province=False)(asking(citizen))
    assert isinstance(service.accept(service.intake(asked)), Refusal)


def asking(citizen: Citizen, *papers: Paper) -> Application:
    """Some papers only, and what was read from the card where it is among them."""
    read = citizen.basic if Paper.SOCIAL_SECURITY_CARD in papers else None
    return replace(citizen.application(Reason.FORGOTTEN), papers=frozenset(papers), card=read)


def test_only_a_case_that_waits_for_papers_is_supplemented(service: PinService, citizen: Citizen) -> None:
    case = service.intake(citizen.application(Reason.LEAKED))
    with pytest.raises(WrongStage, match="'intake'"):
        service.supplement(case, BOTH)


def test_a_case_is_accepted_once(service: PinService, citizen: Citizen) -> None:
    case = service.intake(citizen.application(Reason.LEAKED))
    service.accept(case)
    with pytest.raises(WrongStage, match="'accepted'"):
        service.accept(case)


def test_cases_have_numbers_of_their_own(service: PinService, citizen: Citizen) -> None:
    asked = citizen.application(Reason.LEAKED)
    assert [service.intake(asked).number for _ in range(3)] == ["20260302000001", "20260302000002", "20260302000003"]
