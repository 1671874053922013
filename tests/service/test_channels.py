"""The three channels: who acts, what each can do, how a case goes from one to another; what the policy lets in."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from kit.citizens import Citizen, Ticking, make_citizen
from sscard.errors import InputError
from sscard.service import (
    Acceptance,
    Act,
    Agent,
    Application,
    Channel,
    Operated,
    PinService,
    Presence,
    Reason,
    Refusal,
    ResultNotice,
    Rule,
    Stage,
    WrongStage,
    load_item,
    load_policy,
)
from sscard.service.channels import CHANNEL_RULES
from sscard.service.notices import Consultation

NEW = "80264153"
CHILD = "410402201503150003"


def test_every_channel_of_the_item_has_a_door() -> None:
    assert set(CHANNEL_RULES) == set(load_item().channels) == set(Channel)
    assert not CHANNEL_RULES[Channel.WINDOW].hands_over_to


def test_online_has_every_step_of_the_items_depth(service: PinService, citizen: Citizen) -> None:
    answer = service.consult(Channel.ONLINE)
    assert isinstance(answer, Consultation)
    assert answer.questions[0].question.endswith("？")
    case = service.intake(citizen.application(Reason.FORGOTTEN, Channel.ONLINE))
    service.accept(case)
    service.operate(case, citizen.session, NEW)
    service.complete(case, citizen.session, NEW)
    acts = [event.act for event in case.events]
    assert acts == [Act.RECEIVED, Act.PRE_REVIEWED, Act.ACCEPTED, Act.BEGUN, Act.DONE, Act.COMPLETED]
    assert case.events[-1].text.endswith("the result was sent online")


def test_a_pre_review_that_was_cut_short_goes_on(service: PinService, citizen: Citizen) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN, Channel.ONLINE))
    service._write(case, Stage.PRE_REVIEW, "", Act.PRE_REVIEWED)
    assert isinstance(service.accept(case), Acceptance)
    assert [event.act for event in case.events].count(Act.PRE_REVIEWED) == 1


def without_reader(citizen: Citizen, handling: Channel | None = Channel.WINDOW) -> Application:
    """Asked on line by a citizen who has no reader."""
    asked = citizen.application(Reason.FORGOTTEN, Channel.ONLINE)
    return replace(asked, card=None, handling=handling)


@pytest.mark.parametrize("handling", [Channel.WINDOW, Channel.SELF_SERVICE])
def test_an_online_case_without_a_reader_is_handled_elsewhere(
    service: PinService, citizen: Citizen, handling: Channel
) -> None:
    case = service.intake(without_reader(citizen, handling))
    assert isinstance(service.accept(case), Acceptance)
    assert service.present(case, citizen.basic) is None
    assert service.operate(case, citizen.session, NEW) == Operated(Reason.FORGOTTEN.operation)
    assert isinstance(service.complete(case, citizen.session, NEW), ResultNotice)
    assert case.events[-1].said == CHANNEL_RULES[handling].closing.new


def test_an_online_case_on_the_citizens_own_reader_needs_the_card_read(service: PinService, citizen: Citizen) -> None:
    answer = service.accept(service.intake(without_reader(citizen, None)))
    assert isinstance(answer, Refusal)
    assert "the social security card cannot be read" in answer.text


def test_no_card_is_operated_that_was_not_shown(service: PinService, citizen: Citizen) -> None:
    case = service.intake(without_reader(citizen))
    service.accept(case)
    assert not isinstance(service.operate(case, citizen.session, NEW), Operated)
    citizen.session.verify_pin(citizen.pin)


def test_a_card_shown_later_that_is_another_persons_ends_the_case(service: PinService, citizen: Citizen) -> None:
    case = service.intake(without_reader(citizen))
    service.accept(case)
    refusal = service.present(case, make_citizen(id_number="410403199001010023").basic)
    assert refusal is not None
    assert [ground.rule for ground in refusal.grounds] == [Rule.SAME_PERSON]
    assert case.stage is Stage.FAILED


HAND_OVERS = [
    (Channel.WINDOW, Channel.SELF_SERVICE, False),
    (Channel.WINDOW, Channel.ONLINE, False),
    (Channel.SELF_SERVICE, Channel.WINDOW, True),
    (Channel.SELF_SERVICE, Channel.ONLINE, False),
    (Channel.ONLINE, Channel.WINDOW, True),
    (Channel.ONLINE, Channel.SELF_SERVICE, True),
]


@pytest.mark.parametrize(("here", "there", "goes"), HAND_OVERS)
def test_a_case_is_handed_over_only_towards_the_counter(
    service: PinService, citizen: Citizen, here: Channel, there: Channel, goes: bool
) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN, here))
    service.accept(case)
    assert service.hand_over(case, there) is goes
    assert case.handling is (there if goes else here)


def test_an_application_for_a_hand_over_that_cannot_be_is_refused(service: PinService, citizen: Citizen) -> None:
    asked = replace(citizen.application(Reason.FORGOTTEN), handling=Channel.ONLINE)
    answer = service.accept(service.intake(asked))
    assert isinstance(answer, Refusal)
    assert [ground.rule for ground in answer.grounds] == [Rule.CHANNEL]


@pytest.mark.parametrize(
    ("policy", "number", "presence", "channel", "accepted"),
    [
        ({}, None, Presence.PROXY, Channel.WINDOW, False),
        ({"proxy": "accept"}, None, Presence.PROXY, Channel.WINDOW, True),
        ({"proxy": "accept"}, None, Presence.PROXY, Channel.SELF_SERVICE, False),
        ({"proxy": "accept"}, None, Presence.PROXY, Channel.ONLINE, False),
        ({}, CHILD, Presence.IN_PERSON, Channel.WINDOW, False),
        ({}, CHILD, Presence.GUARDIAN, Channel.WINDOW, False),
        ({"minors": "accept"}, CHILD, Presence.IN_PERSON, Channel.WINDOW, True),
        ({"minors": "accept"}, CHILD, Presence.IN_PERSON, Channel.SELF_SERVICE, False),  # reads no household register
        ({"minors": "with guardian"}, CHILD, Presence.IN_PERSON, Channel.WINDOW, False),
        ({"minors": "with guardian"}, CHILD, Presence.GUARDIAN, Channel.WINDOW, True),
        ({"minors": "with guardian"}, CHILD, Presence.GUARDIAN, Channel.ONLINE, False),
        ({"minors": "with guardian"}, CHILD, Presence.PROXY, Channel.WINDOW, False),
        ({"minors": "with guardian"}, None, Presence.GUARDIAN, Channel.WINDOW, False),
        ({"adult_age": 10}, CHILD, Presence.IN_PERSON, Channel.WINDOW, True),
    ],
)
def test_who_may_come_is_the_policys(
    policy: dict[str, object], number: str | None, presence: Presence, channel: Channel, accepted: bool
) -> None:
    service = PinService(Ticking(), policy=load_policy().model_copy(update=policy))
    citizen = make_citizen(id_number=number) if number else make_citizen()
    asked = citizen.application(Reason.FORGOTTEN, channel)
    agent = None if presence is Presence.IN_PERSON else Agent(name="王五", id_number="11010519491231002X")
    asked = replace(asked, applicant=asked.applicant.model_copy(update={"presence": presence, "agent": agent}))
    assert isinstance(service.accept(service.intake(asked)), Acceptance) is accepted


def test_an_id_card_is_valid_on_its_last_day(service: PinService, citizen: Citizen) -> None:
    asked = citizen.application(Reason.FORGOTTEN)
    for day, accepted in ((date(2026, 3, 2), True), (date(2026, 3, 1), False)):
        shown = replace(asked, applicant=asked.applicant.model_copy(update={"id_expires": day}))
        assert isinstance(service.accept(service.intake(shown)), Acceptance) is accepted


def test_a_policy_file_is_checked_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("documents:\n  citizen: [resident-id]\nproxi: accept\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"policy.yaml:3:1: unknown field 'proxi'\n  did you mean 'proxy'"):
        load_policy(file)


def test_a_policy_leaves_nobody_without_a_document(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("documents:\n  citizen: [resident-id]\n", encoding="utf-8")
    with pytest.raises(InputError, match="none for hong-kong-macao-taiwan, overseas-chinese, foreigner"):
        load_policy(file)


def test_a_case_is_handed_over_only_once_accepted(service: PinService, citizen: Citizen) -> None:
    case = service.intake(citizen.application(Reason.FORGOTTEN, Channel.ONLINE))
    with pytest.raises(WrongStage):
        service.hand_over(case, Channel.WINDOW)
