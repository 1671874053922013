"""New PINs that the service refuses before the card is changed: the rules of the place, and the leaked PIN itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from kit.citizens import Citizen, Ticking, make_citizen
from sscard.chip.memory import Moment
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys, find_place
from sscard.issuer.places import place_of
from sscard.scenario.service_faults import FaultyHsm, Waiting
from sscard.service import Act, Case, NotDone, Operated, PinService, Reason, Stage
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN
from sscard.terminal import CardSession
from sscard.transport.faults import FaultyConnection, Removal

NEW = "80264153"
LAST_6 = "150009"


def at(place: str, citizen: Citizen, reason: Reason) -> tuple[PinService, Case]:
    service = PinService(Ticking(), place=find_place(place))
    case = service.intake(citizen.application(reason))
    service.accept(case)
    return service, case


@pytest.mark.parametrize("reason", [Reason.LEAKED, Reason.FORGOTTEN, Reason.LOCKED])
@pytest.mark.parametrize(
    ("place", "pin"),
    [("tries-3", "123456"), ("tries-8", LAST_6), *(("forbidden-pins", pin) for pin in ("000000", LAST_6, "850315"))],
)
def test_a_pin_that_the_place_does_not_permit_is_refused_and_another_is_set(
    place: str, pin: str, reason: Reason
) -> None:
    citizen = make_citizen()
    service, case = at(place, citizen, reason)
    answer = service.operate(case, citizen.session, pin, citizen.pin, key="k")
    assert isinstance(answer, NotDone)
    assert (answer.sw, case.stage, case.in_doubt) == (None, Stage.ACCEPTED, False)
    assert case.events[-1].act is Act.NOTED
    assert citizen.chip.memory.strings[PIN] == encode_pin(citizen.pin)
    assert service.operate(case, citizen.session, NEW, citizen.pin, key="k") == Operated(case.operation)
    assert not any(pin in f"{event.text} {event.facts}" for event in case.events)


def test_the_leaked_pin_is_not_set_again() -> None:
    citizen = make_citizen()
    service, case = at("tries-6", citizen, Reason.LEAKED)
    answer = service.operate(case, citizen.session, citizen.pin, citizen.pin)
    assert isinstance(answer, NotDone)
    assert "the one that leaked" in answer.text
    assert case.stage is Stage.ACCEPTED


def test_a_forgotten_pin_may_be_set_to_the_same_digits() -> None:
    citizen = make_citizen()
    service, case = at("tries-6", citizen, Reason.FORGOTTEN)
    assert isinstance(service.operate(case, citizen.session, citizen.pin), Operated)


@pytest.mark.parametrize("pin", ["123456", None])
def test_an_operation_in_doubt_is_not_completed_with_such_a_pin(pin: str | None) -> None:
    citizen = make_citizen()
    service, case = at("tries-3", citizen, Reason.LEAKED)
    reader = FaultyConnection(citizen.chip)
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    reader.arm(Removal(Moment.BEFORE), ins=0x5E)
    service.operate(case, session, NEW, citizen.pin)
    reader.insert()
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    assert isinstance(service.operate(case, session, pin or citizen.pin, citizen.pin), NotDone)
    assert (case.in_doubt, session.tries_left()) == (True, 6)
    assert isinstance(service.operate(case, session, NEW, citizen.pin), Operated)


def test_an_id_number_that_cannot_be_read_permits_no_pin() -> None:
    citizen = make_citizen()
    service, case = at("forbidden-pins", citizen, Reason.FORGOTTEN)
    hsm = FaultyHsm(SoftHsm(builtin_keys()))
    hsm.arm(Waiting("hsm_down", 1))
    answer = service.operate(case, citizen.at_hsm(hsm), NEW)
    assert isinstance(answer, NotDone)
    assert "the holder's ID number, which cannot be read" in answer.text
    assert (case.stage, case.in_doubt) == (Stage.ACCEPTED, False)


def test_an_id_number_that_is_not_valid_permits_no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    citizen = make_citizen()
    service, case = at("forbidden-pins", citizen, Reason.FORGOTTEN)
    read = replace(citizen.basic, social_security_number="410402198503150000")
    monkeypatch.setattr(citizen.session, "read_basic", lambda: read)
    answer = service.operate(case, citizen.session, NEW)
    assert isinstance(answer, NotDone)
    assert "that of the card is not valid" in answer.text


def test_a_card_that_is_taken_out_while_the_number_is_read_leaves_the_case_accepted() -> None:
    citizen = make_citizen()
    service, case = at("forbidden-pins", citizen, Reason.FORGOTTEN)
    reader = FaultyConnection(citizen.chip)
    session = CardSession.start(reader, SoftHsm(builtin_keys()))
    reader.arm(Removal(Moment.BEFORE), ins=0xB2)
    answer = service.operate(case, session, NEW)
    assert isinstance(answer, NotDone)
    assert "the card gave no answer" in answer.text
    assert (case.stage, case.in_doubt) == (Stage.ACCEPTED, False)


def test_the_card_is_read_only_if_the_rules_need_its_number() -> None:
    citizen = make_citizen()
    service = PinService(Ticking(), place=place_of({"name": "here", "forbidden_pins": ["123456"]}))
    case = service.intake(citizen.application(Reason.LEAKED))
    service.accept(case)
    sent = len(citizen.wire.events)
    service.operate(case, citizen.session, "123456", citizen.pin)
    assert len(citizen.wire.events) == sent
