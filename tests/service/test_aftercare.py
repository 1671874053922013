"""After the case: the trial at the pharmacy, and what a place lets an initial PIN do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from kit.citizens import OPENING, Citizen, Ticking, make_citizen
from kit.counter import foreign_keys
from sscard.card import Personality
from sscard.hsm import SoftHsm
from sscard.i18n.language import say
from sscard.issuer import Place, builtin_keys
from sscard.issuer.places import INITIAL_PIN_RULES, place_of
from sscard.service import PinService, Reason, ResultNotice, load_policy
from sscard.service.aftercare import is_initial, try_at_pharmacy
from sscard.standard.tree import CARD_BLOCKED
from sscard.terminal import CardSession, CardUnusable, PinBlocked, WrongPin

NEW = "80264153"
USES = ["free", "query only", "must change", "off"]
PSAM = SoftHsm(builtin_keys())


def at_pharmacy(citizen: Citizen) -> CardSession:
    return CardSession.start(citizen.wire, SoftHsm(builtin_keys()))


def place(use: str, initial: str = "123456") -> Place:
    return place_of({"name": "somewhere", "initial_pin": initial, "initial_pin_use": use})


def test_the_new_pin_pays_at_a_pharmacy(
    personality: Personality, citizen_with: Callable[..., Citizen], service: PinService
) -> None:
    citizen = citizen_with(personality=personality)
    case = service.intake(citizen.application(Reason.FORGOTTEN))
    service.accept(case)
    service.operate(case, citizen.session, NEW)
    service.complete(case, citizen.session, NEW)
    trial = try_at_pharmacy(at_pharmacy(citizen), PSAM, place("free"), NEW, OPENING)
    assert trial.passed
    assert trial.receipt is not None
    assert (trial.receipt.self_paid, trial.receipt.account, trial.receipt.count) == (1, 0, 0)


def test_every_purchase_counts(citizen: Citizen) -> None:
    session = at_pharmacy(citizen)
    counts = [session.pay(citizen.pin, 250, PSAM, OPENING).count for _ in range(3)]
    assert counts == [0, 1, 2]


def test_a_card_takes_no_purchase_under_other_keys(citizen: Citizen) -> None:
    session = at_pharmacy(citizen)
    wrong = SoftHsm(foreign_keys("DPK"))
    with pytest.raises(Exception, match="9302"):
        session.pay(citizen.pin, 100, wrong, OPENING)


def test_the_old_pin_does_not_pay(citizen: Citizen) -> None:
    with pytest.raises(WrongPin) as refused:
        try_at_pharmacy(at_pharmacy(citizen), PSAM, place("free"), "000000", OPENING)
    assert refused.value.tries_left == 5


def test_a_blocked_pin_does_not_pay(citizen: Citizen) -> None:
    citizen.lock_pin()
    with pytest.raises(PinBlocked):
        try_at_pharmacy(at_pharmacy(citizen), PSAM, place("free"), citizen.pin, OPENING)


def test_a_blocked_card_does_not_pay(citizen: Citizen) -> None:
    session = at_pharmacy(citizen)
    citizen.chip.memory.put_number(CARD_BLOCKED, 1)
    citizen.chip.reset()
    with pytest.raises(CardUnusable):
        try_at_pharmacy(session, PSAM, place("free"), citizen.pin, OPENING)


@pytest.mark.parametrize(
    ("use", "passes", "pays"),
    [("free", True, True), ("query only", False, False), ("must change", False, False), ("off", True, False)],
)
@pytest.mark.parametrize(
    ("initial", "pin"), [("123456", "123456"), ("last 6 of ID", "150009"), ("birth date", "850315")]
)
def test_what_an_initial_pin_may_do_is_the_places(use: str, passes: bool, pays: bool, initial: str, pin: str) -> None:
    citizen = make_citizen(pin=pin)
    trial = try_at_pharmacy(at_pharmacy(citizen), PSAM, place(use, initial), pin, OPENING)
    assert (trial.passed, trial.receipt is not None) == (passes, pays)
    assert use == "free" or trial.said == INITIAL_PIN_RULES[use].notice


@pytest.mark.parametrize("use", USES)
def test_a_pin_of_ones_own_pays_in_every_place(use: str, citizen: Citizen) -> None:
    assert try_at_pharmacy(at_pharmacy(citizen), PSAM, place(use), citizen.pin, OPENING).receipt


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("pin", "initial"), [("150009", True), (NEW, False)])
def test_the_result_notice_reminds_of_an_initial_pin_and_its_limits(use: str, pin: str, initial: bool) -> None:
    """A PIN that was set before is kept by an unblock; a new one may not be the initial one everywhere."""
    citizen = make_citizen(pin=pin)
    citizen.lock_pin()
    policy = load_policy().model_copy(update={"unblock": "accept"})
    service = PinService(Ticking(), place=place(use, "last 6 of ID"), policy=policy)
    case = service.intake(citizen.application(Reason.LOCKED_KNOWN))
    service.accept(case)
    service.operate(case, citizen.session)
    notice = service.complete(case, citizen.session, pin)
    assert isinstance(notice, ResultNotice)
    assert notice.initial_pin is initial
    assert ("please change it soon" in notice.text) is initial
    told = say(INITIAL_PIN_RULES[use].notice or "")
    assert (bool(told) and told in notice.text) is (initial and use != "free")


@pytest.mark.parametrize("initial", ["last 6 of ID", "birth date"])
def test_a_card_with_a_false_id_number_has_no_initial_pin_that_depends_on_it(
    initial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    citizen = make_citizen()
    session = at_pharmacy(citizen)
    read = session.read_basic()
    monkeypatch.setattr(session, "read_basic", lambda: replace(read, social_security_number="410402198503150000"))
    assert not is_initial(place("must change", initial), session, "150000")


def test_every_use_a_place_can_choose_is_known() -> None:
    assert set(INITIAL_PIN_RULES) == set(USES)
