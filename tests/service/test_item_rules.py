"""The item at work: online steps, limits, handlers, contacts, visits, and the result notice that the journal keeps."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from kit.citizens import NEW_PIN, Citizen, Ticking
from sscard.i18n.language import speaking
from sscard.issuer.places import place_of
from sscard.service import (
    Acceptance,
    Act,
    Case,
    Channel,
    Event,
    Item,
    Paper,
    PinService,
    Reason,
    Refusal,
    ResultNotice,
    Rule,
    load_item,
    load_policy,
)
from sscard.service.counter import told_of
from sscard.service.notices import Consultation
from sscard.service.words import OnlineStep

SWITCHED_OFF = place_of({"name": "somewhere", "initial_pin": NEW_PIN, "initial_pin_use": "off"})


def with_basic(**fields: str) -> Item:
    item = load_item()
    return item.model_copy(update={"basic": item.basic.model_copy(update=fields)})


def without(step: OnlineStep) -> Item:
    return with_basic(online_depth="、".join(each.chinese for each in OnlineStep if each is not step))


def completed(service: PinService, citizen: Citizen, channel: Channel, handling: Channel | None = None) -> Case:
    application = replace(citizen.application(Reason.FORGOTTEN, channel), handling=handling)
    case = service.intake(application)
    assert isinstance(service.accept(case), Acceptance)
    service.operate(case, citizen.session, NEW_PIN)
    service.complete(case, citizen.session, NEW_PIN)
    return case


def acts(case: Case) -> list[Act]:
    return [event.act for event in case.events]


def stored(case: Case) -> Case:
    """The case as another process reads it."""
    return Case(case.number, case.events)


@pytest.mark.parametrize("step", [OnlineStep.INTAKE, OnlineStep.ACCEPTANCE, OnlineStep.OPERATION])
def test_a_case_is_not_handled_online_without_the_step(citizen: Citizen, step: OnlineStep) -> None:
    service = PinService(Ticking(), without(step))
    answer = service.accept(service.intake(citizen.application(Reason.FORGOTTEN, Channel.ONLINE)))
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.ONLINE_STEP]
    assert step.english in answer.text


@pytest.mark.parametrize(
    ("step", "accepted"), [(OnlineStep.INTAKE, False), (OnlineStep.ACCEPTANCE, True), (OnlineStep.OPERATION, True)]
)
def test_the_window_does_what_is_not_done_online_after_intake(
    citizen: Citizen, step: OnlineStep, accepted: bool
) -> None:
    service = PinService(Ticking(), without(step))
    asked = replace(citizen.application(Reason.FORGOTTEN, Channel.ONLINE), handling=Channel.WINDOW)
    case = service.intake(asked)
    assert isinstance(service.accept(case), Acceptance) is accepted
    by = "大厅制卡窗口" if step is OnlineStep.ACCEPTANCE else "网上办理平台"
    assert case.handlers[Act.ACCEPTED if accepted else Act.REFUSED].chinese == by


@pytest.mark.parametrize("channel", list(Channel))
def test_there_is_a_pre_review_online_only_and_if_the_item_offers_it(citizen: Citizen, channel: Channel) -> None:
    for item, reviewed in ((load_item(), channel is Channel.ONLINE), (without(OnlineStep.PRE_REVIEW), False)):
        service = PinService(Ticking(), item)
        case = service.intake(citizen.application(Reason.FORGOTTEN, channel))
        assert isinstance(service.accept(case), Acceptance)
        assert (Act.PRE_REVIEWED in acts(case)) is reviewed


@pytest.mark.parametrize("channel", list(Channel))
def test_inquiries_are_answered_where_the_item_offers_it(channel: Channel) -> None:
    answer = PinService(Ticking()).consult(channel)
    assert isinstance(answer, Consultation)
    assert "提供材料" in answer.text
    assert "0375-6182813" in answer.text
    offered = PinService(Ticking(), without(OnlineStep.CONSULTATION)).consult(channel)
    assert isinstance(offered, Refusal) is (channel is Channel.ONLINE)


FEEDBACK = [
    (Channel.WINDOW, None, 1, (Channel.WINDOW,)),
    (Channel.SELF_SERVICE, None, 1, (Channel.SELF_SERVICE,)),
    (Channel.SELF_SERVICE, Channel.WINDOW, 1, (Channel.WINDOW,)),
    (Channel.ONLINE, None, 0, (Channel.ONLINE,)),
    (Channel.ONLINE, Channel.WINDOW, 1, (Channel.WINDOW, Channel.ONLINE)),
    (Channel.ONLINE, Channel.SELF_SERVICE, 1, (Channel.SELF_SERVICE, Channel.ONLINE)),
]


@pytest.mark.parametrize(("channel", "handling", "visits", "feedback"), FEEDBACK)
def test_visits_and_feedback_follow_from_the_channels(
    service: PinService,
    citizen: Citizen,
    channel: Channel,
    handling: Channel | None,
    visits: int,
    feedback: tuple[Channel, ...],
) -> None:
    case = completed(service, citizen, channel, handling)
    notice = service.result(case)
    assert (notice.visits, notice.feedback) == (visits, feedback)
    assert len(case.days_on_site) == visits
    assert ("the page of the item states at most 0" in notice.text) is (visits > 0)


def test_each_day_on_site_is_a_visit(citizen: Citizen) -> None:
    clock = Ticking()
    service = PinService(clock)
    asked = replace(citizen.application(Reason.FORGOTTEN), papers=frozenset({Paper.SOCIAL_SECURITY_CARD}))
    case = service.intake(asked)
    service.accept(case)
    for _ in range(2):
        clock.now += timedelta(days=1)
        service.supplement(case, [])
    service.supplement(case, [Paper.ID_CARD])
    service.operate(case, citizen.session, NEW_PIN)
    clock.now += timedelta(days=1)
    notice = service.complete(case, citizen.session, NEW_PIN)
    assert isinstance(notice, ResultNotice)
    assert notice.visits == len(case.days_on_site) == 3  # nobody brought anything on the second day


@pytest.mark.parametrize("handling", [None, Channel.WINDOW])
def test_without_feedback_online_the_window_gives_the_result(citizen: Citizen, handling: Channel | None) -> None:
    service = PinService(Ticking(), without(OnlineStep.RESULT))
    case = completed(service, citizen, Channel.ONLINE, handling)
    assert service.result(case).feedback == (() if handling is None else (handling,))
    assert ("ask for it at a window" in told_of(service, case)) is (handling is None)
    assert ("sent online" in case.events[-1].text) is False


def test_the_legal_limit_is_named_if_it_is_longer_and_marks_what_is_past_it(citizen: Citizen) -> None:
    service = PinService(Ticking(), with_basic(legal_limit="5 个工作日"))
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    answer = service.accept(case)
    assert isinstance(answer, Acceptance)
    assert answer.legal == case.legal_due == date(2026, 3, 9)
    assert "the legal limit ends on 2026-03-09" in answer.text
    days = [date(2026, 3, day) for day in (3, 4, 9, 10)]
    assert [case.is_overdue(day) for day in days] == [False, True, True, True]
    assert [case.is_past_legal(day) for day in days] == [False, False, False, True]


def test_equal_limits_are_named_once(service: PinService, citizen: Citizen) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    answer = service.accept(case)
    assert "legal" not in answer.text
    assert case.is_past_legal(date(2026, 3, 4))


@pytest.mark.parametrize(
    ("channel", "handler"),
    [(Channel.WINDOW, "大厅制卡窗口"), (Channel.SELF_SERVICE, "自助终端"), (Channel.ONLINE, "网上办理平台")],
)
def test_the_journal_has_who_took_in_and_who_accepted(
    service: PinService, citizen: Citizen, channel: Channel, handler: str
) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN, channel))
    service.accept(case)
    assert {act: by.chinese for act, by in stored(case).handlers.items()} == {
        Act.RECEIVED: handler,
        Act.ACCEPTED: handler,
    }


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_refused_citizen_is_given_every_complaint_contact(
    service: PinService, citizen: Citizen, language: str
) -> None:
    case = service.intake(citizen.application(None))
    with speaking(language):
        answer = service.accept(case)
        assert isinstance(answer, Refusal)
        contacts = service.item.extended.complaints
        assert stored(case).complaints == answer.complaints == contacts
        assert all(contact.where in answer.text and contact.platform in answer.text for contact in contacts)
        assert told_of(PinService(Ticking(), NO_CONTACTS), stored(case)) == answer.text


NO_CONTACTS = load_item().model_copy(update={"extended": load_item().extended.model_copy(update={"complaints": ()})})
"""An item without complaint contacts: a later item does not change an earlier refusal."""

OTHER = load_item().model_copy(
    update={
        "fees": load_item().fees.model_copy(update={"standard": "5元"}),
        "basic": load_item().basic.model_copy(update={"most_visits": "3 次", "online_depth": "无"}),
        "questions": load_item().questions[1:],
    }
)
SHOWN_WITH: dict[str, dict[str, Any]] = {
    "nothing": {},
    "another place": {"place": place_of({"name": "elsewhere", "initial_pin_use": "query only"})},
    "another initial PIN": {"initial_pin": "000000"},
    "another policy": {"policy": load_policy().model_copy(update={"proxy": "accept", "adult_age": 10})},
    "another item": {"item": OTHER},
}


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("options", SHOWN_WITH.values(), ids=SHOWN_WITH)
@pytest.mark.parametrize("channel", list(Channel))
def test_a_completed_case_has_its_own_notice_whatever_the_service_is_told_later(
    citizen: Citizen, channel: Channel, options: dict[str, Any], language: str
) -> None:
    service = PinService(Ticking(), place=SWITCHED_OFF)
    case = completed(service, citizen, channel)
    with speaking(language):
        then = service.result(case)
        text = told_of(service, case)
        assert then.initial_pin
        assert then.limits is not None
        assert then.place == "somewhere"
        later = PinService(Ticking(), **options)
        assert later.result(stored(case)) == then
        assert told_of(later, stored(case)) == text


def test_the_other_stages_too_are_told_as_they_were(service: PinService, citizen: Citizen) -> None:
    later = PinService(Ticking(), OTHER, policy=load_policy().model_copy(update={"proxy": "accept"}))
    refused = service.intake(citizen.application(None))
    asked = service.intake(replace(citizen.application(Reason.LEAKED), papers=frozenset(), card=None))
    accepted = service.intake(citizen.application(Reason.LEAKED))
    for case in (refused, asked, accepted):
        answer = service.accept(case)
        assert told_of(later, stored(case)) == answer.text


def older(event: Event) -> Event:
    """The event as an older sscard wrote it."""
    known = {"key", "channel", "handling", "reason", "person", "papers", "card", "due", "certain", "initial", "tries"}
    return replace(event, facts={name: value for name, value in event.facts.items() if name in known})


@pytest.mark.parametrize("channel", list(Channel))
def test_a_case_of_an_older_journal_has_a_notice(citizen: Citizen, channel: Channel, service: PinService) -> None:
    case = completed(service, citizen, channel)
    old = Case(case.number, map(older, case.events))
    assert old.result is None
    assert service.result(old) == service.result(case)
    assert old.handlers == {}
    assert not old.is_past_legal(date(2026, 3, 4))  # closed


def test_an_open_case_of_an_older_journal_has_the_legal_limit_of_its_promise(
    service: PinService, citizen: Citizen
) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(case)
    old = Case(case.number, map(older, case.events))
    assert old.legal_due == date(2026, 3, 3)
