"""The operation on a real card in process, and completion."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kit.citizens import ID_NUMBER, Citizen
from sscard.card import Personality
from sscard.chip.memory import Moment, PowerLost
from sscard.hsm import SoftHsm
from sscard.issuer import KeyHierarchy
from sscard.issuer.hierarchy import KeyFile, RootKey
from sscard.service import (
    Case,
    Channel,
    NotDone,
    Operated,
    Operation,
    PinService,
    Reason,
    ResultNotice,
    Stage,
    WrongStage,
)
from sscard.service.pipeline import OTHER_CARD
from sscard.standard.apdu import SW
from sscard.standard.tree import CARD_BLOCKED
from sscard.terminal import WrongPin

NEW = "80264153"
WRONG = "999999"
ADVICE = "申请人可以到就近的医院或药店测试密码，并修改初始密码，避免受到损失"
DONE = [Stage.INTAKE, Stage.ACCEPTED, Stage.ACCEPTED, Stage.OPERATED, Stage.COMPLETED]

AcceptedFor = Callable[[Reason], Case]


@pytest.mark.parametrize("reason", [Reason.LEAKED, Reason.FORGOTTEN, Reason.LOCKED])
@pytest.mark.parametrize("channel", Channel)
def test_each_reason_from_intake_to_completion(
    service: PinService,
    citizen_with: Callable[..., Citizen],
    personality: Personality,
    reason: Reason,
    channel: Channel,
) -> None:
    citizen = citizen_with(personality=personality)
    if reason is Reason.LOCKED:
        citizen.lock_pin()
    old = citizen.pin if reason is Reason.LEAKED else ""
    case = service.intake(citizen.application(reason, channel))
    service.accept(case)
    operated = service.operate(case, citizen.session, NEW, old)
    notice = service.complete(case, citizen.session, NEW)
    assert isinstance(operated, Operated)
    assert isinstance(notice, ResultNotice)
    pre_review = [Stage.PRE_REVIEW] if channel is Channel.ONLINE else []
    assert [event.stage for event in case.events] == [DONE[0], *pre_review, *DONE[1:]]
    citizen.session.verify_pin(NEW)
    with pytest.raises(WrongPin):
        citizen.session.verify_pin(citizen.pin)


@pytest.mark.parametrize(
    ("reason", "operation", "sent", "not_sent"),
    [
        (Reason.LEAKED, Operation.CHANGE, "805E", "8424"),
        (Reason.FORGOTTEN, Operation.RESET, "8424", "805E"),
        (Reason.LOCKED, Operation.RESET, "8424", "805E"),
    ],
)
def test_a_leaked_pin_is_changed_and_any_other_reset(
    service: PinService,
    citizen: Citizen,
    accepted: AcceptedFor,
    reason: Reason,
    operation: Operation,
    sent: str,
    not_sent: str,
) -> None:
    case = accepted(reason)
    assert service.operate(case, citizen.session, NEW, citizen.pin) == Operated(operation)
    wire = "\n".join(str(event) for event in citizen.wire.events)
    assert f"> {sent}" in wire
    assert f"> {not_sent}" not in wire


def test_a_wrong_old_pin_leaves_the_case_accepted_with_the_tries_told(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.LEAKED)
    answer = service.operate(case, citizen.session, NEW, WRONG)
    assert isinstance(answer, NotDone)
    assert (answer.sw, answer.tries_left) == (0x63C5, 5)
    assert "5 more tries" in answer.text
    assert case.stage is Stage.ACCEPTED
    assert isinstance(service.operate(case, citizen.session, NEW, citizen.pin), Operated)


def test_the_last_wrong_pin_ends_the_case_and_points_to_the_reset(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.LEAKED)
    answers = [service.operate(case, citizen.session, NEW, WRONG) for _ in range(6)]
    assert [answer.tries_left for answer in answers if isinstance(answer, NotDone)] == [5, 4, 3, 2, 1, 0]
    assert case.stage is Stage.FAILED
    assert "apply for a reset, card locked" in case.events[-1].text
    with pytest.raises(WrongStage):
        service.operate(case, citizen.session, NEW, citizen.pin)


def test_a_locked_pin_cannot_be_changed_but_reset_in_a_new_case(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    citizen.lock_pin()
    leaked = accepted(Reason.LEAKED)
    answer = service.operate(leaked, citizen.session, NEW, citizen.pin)
    assert isinstance(answer, NotDone)
    assert answer.tries_left == 0
    assert leaked.stage is Stage.FAILED
    locked = accepted(Reason.LOCKED)
    assert isinstance(service.operate(locked, citizen.session, NEW), Operated)
    assert citizen.session.tries_left() == 6


def test_another_card_in_the_reader_is_left_alone(
    service: PinService, citizen_with: Callable[..., Citizen], accepted: AcceptedFor
) -> None:
    other = citizen_with(id_number="410403199001010023")
    case = accepted(Reason.FORGOTTEN)
    before = len(other.wire.events)
    answer = service.operate(case, other.session, NEW)
    assert answer == NotDone(OTHER_CARD)
    assert len(other.wire.events) == before
    assert case.stage is Stage.ACCEPTED


def test_the_trial_is_on_the_cases_own_card(
    service: PinService, citizen: Citizen, citizen_with: Callable[..., Citizen], accepted: AcceptedFor
) -> None:
    case = accepted(Reason.FORGOTTEN)
    service.operate(case, citizen.session, NEW)
    other = citizen_with(id_number="410403199001010023", pin=NEW)
    assert isinstance(service.complete(case, other.session, NEW), NotDone)
    assert case.stage is Stage.OPERATED


def test_a_card_that_refuses_the_issuers_key_ends_the_case_unchanged(
    service: PinService, citizen: Citizen, accepted: AcceptedFor, keys: KeyHierarchy
) -> None:
    case = accepted(Reason.FORGOTTEN)
    answer = service.operate(case, citizen.at_hsm(SoftHsm(stranger())), NEW)
    assert isinstance(answer, NotDone)
    assert (answer.sw, answer.tries_left) == (0x63C2, 2)
    assert case.stage is Stage.FAILED
    citizen.at_hsm(SoftHsm(keys)).verify_pin(citizen.pin)


def test_a_blocked_issuers_key_ends_the_case(service: PinService, citizen: Citizen, accepted: AcceptedFor) -> None:
    for _ in range(3):
        service.operate(accepted(Reason.FORGOTTEN), citizen.at_hsm(SoftHsm(stranger())), NEW)
    case = accepted(Reason.FORGOTTEN)
    answer = service.operate(case, citizen.session, NEW)
    assert isinstance(answer, NotDone)
    assert answer.sw == SW.METHOD_BLOCKED
    assert case.stage is Stage.FAILED


def stranger() -> KeyHierarchy:
    """Another issuer's keys: every root all ones, at addresses of their own."""
    names = ("IRK", "STK", "UKSSSE", "BK", "PUK", "RKSSSE")
    roots = [
        RootKey(
            name=name,
            use="mac and encipher" if name == "STK" else "authenticate",
            addresses=[f"200{place}"],
            by_suite={"sm4": [b"\x11" * 16], "des": [b"\x11" * 16]},
        )
        for place, name in enumerate(names)
    ]
    return KeyHierarchy(KeyFile(name="stranger", keys=roots))


def test_an_hsm_that_cannot_leaves_card_and_case_as_they_were(
    service: PinService, citizen: Citizen, accepted: AcceptedFor, keys: KeyHierarchy
) -> None:
    case = accepted(Reason.LOCKED)
    answer = service.operate(case, citizen.at_hsm(SoftHsm(KeyHierarchy(KeyFile(name="empty", keys=[])))), NEW)
    assert isinstance(answer, NotDone)
    assert "the PIN is unchanged" in answer.text
    assert case.stage is Stage.ACCEPTED
    assert isinstance(service.operate(case, citizen.at_hsm(SoftHsm(keys)), NEW), Operated)


def test_a_blocked_card_ends_the_case(service: PinService, citizen: Citizen, accepted: AcceptedFor) -> None:
    case = accepted(Reason.FORGOTTEN)
    citizen.chip.memory.put_number(CARD_BLOCKED, 1)
    citizen.chip.reset()
    answer = service.operate(case, citizen.session, NEW)
    assert isinstance(answer, NotDone)
    assert answer.sw == SW.NOT_SUPPORTED
    assert case.stage is Stage.FAILED


def test_whatever_cuts_the_operation_short_the_case_tells_that_it_began(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.LEAKED)
    citizen.chip.memory.cut_power(0, Moment.BEFORE)
    with pytest.raises(PowerLost):
        service.operate(case, citizen.session, NEW, citizen.pin)
    assert case.stage is Stage.ACCEPTED
    assert case.events[-1].text == "Begins to change the PIN on the card"


@pytest.mark.parametrize("pins", [("", "739104"), ("12a4", "739104"), ("123", "739104"), (NEW, "secret")])
def test_a_pin_that_is_none_changes_nothing(
    service: PinService, citizen: Citizen, accepted: AcceptedFor, pins: tuple[str, str]
) -> None:
    case = accepted(Reason.LEAKED)
    events = case.events
    with pytest.raises(ValueError, match="a PIN has"):
        service.operate(case, citizen.session, *pins)
    assert case.events == events
    assert citizen.session.tries_left() == 6


def test_the_result_notice_sends_the_citizen_to_try_the_pin_and_asks_no_fee(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.FORGOTTEN)
    service.operate(case, citizen.session, NEW)
    notice = service.complete(case, citizen.session, NEW)
    assert isinstance(notice, ResultNotice)
    assert notice.case_number == case.number
    assert notice.operation is Operation.RESET
    assert ADVICE in notice.advice.chinese
    assert "at a hospital or pharmacy nearby" in notice.text
    assert notice.fee == "无"
    assert not notice.initial_pin
    assert "still the initial one" not in notice.text


def test_whoever_keeps_the_initial_pin_is_told_to_change_it(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.FORGOTTEN)
    service.operate(case, citizen.session, "123456")
    notice = service.complete(case, citizen.session, "123456")
    assert isinstance(notice, ResultNotice)
    assert notice.initial_pin
    assert "Your PIN is still the initial one: please change it soon" in notice.lines


def test_a_failed_trial_completes_nothing_and_may_be_repeated(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.FORGOTTEN)
    service.operate(case, citizen.session, NEW)
    answer = service.complete(case, citizen.session, WRONG)
    assert isinstance(answer, NotDone)
    assert answer.tries_left == 5
    assert case.stage is Stage.OPERATED
    assert isinstance(service.complete(case, citizen.session, NEW), ResultNotice)


def test_a_trial_that_blocks_the_pin_ends_the_case(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.FORGOTTEN)
    service.operate(case, citizen.session, NEW)
    for _ in range(6):
        service.complete(case, citizen.session, WRONG)
    assert case.stage is Stage.FAILED
    assert "the PIN is blocked" in case.events[-1].text


def test_the_case_keeps_time_and_order(service: PinService, citizen: Citizen, accepted: AcceptedFor) -> None:
    case = accepted(Reason.FORGOTTEN)
    service.operate(case, citizen.session, NEW)
    service.complete(case, citizen.session, NEW)
    times = [event.time for event in case.events]
    assert times == sorted(set(times))


def test_no_pin_and_no_full_id_number_in_what_a_case_leaves_behind(
    service: PinService, citizen: Citizen, accepted: AcceptedFor
) -> None:
    case = accepted(Reason.LEAKED)
    left: list[object] = [
        service.operate(case, citizen.session, NEW, WRONG),
        service.operate(case, citizen.session, NEW, citizen.pin),
        service.complete(case, citizen.session, WRONG),
        service.complete(case, citizen.session, NEW),
        service.accept(service.intake(citizen.application(None))),
        service,
        case,
        case.person,
        case.card,
        *case.events,
    ]
    said = " ".join(f"{part!r} {getattr(part, 'text', '')}" for part in left)
    assert [secret for secret in (NEW, WRONG, citizen.pin, ID_NUMBER) if secret in said] == []
