"""The operation over a card and a case that can each fail: in doubt, cleared up, done once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import product

import pytest

from kit.citizens import Citizen, Ticking, make_citizen
from kit.counter import foreign_keys
from sscard.chip.memory import Moment
from sscard.hsm import HsmError, SoftHsm
from sscard.issuer import builtin_keys, find_place
from sscard.service import Act, Case, NotDone, Operated, PinService, Reason, ResultNotice, Stage
from sscard.standard.encoding import encode_pin
from sscard.standard.tree import PIN
from sscard.terminal import CardSession
from sscard.transport.faults import Corrupted, FaultyConnection, Removal, Truncated

NEW, WRONG = "80264153", "999999"
OPERATIONS = (Reason.LEAKED, Reason.FORGOTTEN, Reason.LOCKED)
COMMANDS = {Reason.LEAKED: 2, Reason.FORGOTTEN: 5, Reason.LOCKED: 5}
"""A change asks the tries and changes; a reset takes two challenges, proves the PUK, takes a challenge, resets."""


class Counter:
    """A citizen whose card is in a reader that can fail, and the service."""

    def __init__(self, reason: Reason, tries_used: int = 0) -> None:
        self.citizen: Citizen = make_citizen()
        for _ in range(tries_used):
            self.use_a_try()
        if reason is Reason.LOCKED:
            self.citizen.lock_pin()
        self.reader = FaultyConnection(self.citizen.chip)
        self.service = PinService(Ticking())
        self.case: Case = self.service.intake(self.citizen.application(reason))
        self.service.accept(self.case)
        self.insert()

    def use_a_try(self) -> None:
        with pytest.raises(Exception, match=r"tr(y|ies) left"):
            self.citizen.session.verify_pin("00000000")

    def insert(self) -> None:
        self.reader.insert()
        self.session = CardSession.start(self.reader, SoftHsm(builtin_keys()))

    def operate(self, new: str = NEW, old: str | None = None, key: str = "") -> Operated | NotDone:
        return self.service.operate(self.case, self.session, new, self.citizen.pin if old is None else old, key=key)

    @property
    def tries(self) -> int:
        return self.citizen.chip.snapshot().pin_tries

    @property
    def changed(self) -> bool:
        return self.citizen.chip.memory.strings[PIN] == encode_pin(NEW)

    @property
    def acts(self) -> list[Act]:
        return [event.act for event in self.case.events]


FAULTS: dict[str, Callable[[], object]] = {
    "before": partial(Removal, Moment.BEFORE),
    "answer lost": partial(Removal, Moment.DURING),
    "after": partial(Removal, Moment.AFTER),
    "truncated": partial(Truncated, 1),
    "corrupted": partial(Corrupted, -2, 0x0F),
}
PULLED = [
    (reason, nth, fault)
    for reason in OPERATIONS
    for nth, fault in product(range(1, COMMANDS[reason] + 1), FAULTS)
    if not (fault == "after" and nth == COMMANDS[reason])  # then nothing fails any more
]


@pytest.mark.parametrize(("reason", "nth", "fault"), PULLED)
def test_whatever_happens_at_the_reader_the_case_tells_the_truth_and_goes_on(
    reason: Reason, nth: int, fault: str
) -> None:
    at = Counter(reason)
    at.reader.arm(FAULTS[fault](), nth=nth)  # type: ignore[arg-type]
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert at.case.stage is Stage.ACCEPTED
    assert Act.BEGUN in at.acts or not at.changed
    assert at.case.in_doubt or not at.changed
    at.insert()
    assert at.operate() == Operated(reason.operation)
    assert at.changed
    assert at.tries == 6
    assert isinstance(at.service.complete(at.case, at.session, NEW), ResultNotice)
    assert at.acts.count(Act.DONE) == 1


@pytest.mark.parametrize("reason", OPERATIONS)
@pytest.mark.parametrize("points", [0, 1, 2, 3])
def test_a_memory_that_fails_leaves_the_case_in_doubt_until_the_card_is_read(reason: Reason, points: int) -> None:
    """6581: the old and the new PIN are both possible."""
    at = Counter(reason)
    at.citizen.chip.memory.fail(points)
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert answer.sw == 0x6581
    assert (at.case.in_doubt, at.case.stage, at.acts[-1]) == (True, Stage.ACCEPTED, Act.NOTED)
    at.citizen.chip.memory.mend()
    at.insert()
    assert at.operate() == Operated(reason.operation)
    assert (at.changed, at.tries, at.case.in_doubt) == (True, 6, False)
    assert at.acts.count(Act.RESUMED) == 1


@pytest.mark.parametrize(("position", "sw"), [(0, 0x6F00), (1, 0x90FF)])
def test_an_answer_that_says_nothing_about_the_pin_leaves_the_case_in_doubt(position: int, sw: int) -> None:
    """6F00 is a general error besides the answer to GET RESPONSE; the change was done here."""
    at = Counter(Reason.LEAKED)
    at.reader.arm(Corrupted(position), ins=0x5E)
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert (answer.sw, at.changed) == (sw, True)
    assert (at.case.in_doubt, at.acts[-1]) == (True, Act.NOTED)
    assert at.operate() == Operated(Reason.LEAKED.operation)


@pytest.mark.parametrize("used", range(6))
@pytest.mark.parametrize("happened", [True, False])
def test_a_change_in_doubt_never_costs_the_last_try(used: int, happened: bool) -> None:
    at = Counter(Reason.LEAKED, tries_used=used)
    at.reader.arm(Removal(Moment.DURING if happened else Moment.BEFORE), ins=0x5E)
    at.operate()
    assert at.case.in_doubt
    assert at.changed is happened
    at.insert()
    assert isinstance(at.operate(), Operated)
    assert at.changed
    assert at.tries == 6


@pytest.mark.parametrize("point", range(12))
@pytest.mark.parametrize("moment", Moment)
def test_a_change_the_power_cut_at_any_write_is_cleared_up(point: int, moment: Moment) -> None:
    at = Counter(Reason.LEAKED, tries_used=4)
    cut = partial(at.citizen.chip.memory.cut_power, point, moment)
    at.reader.arm(Removal(Moment.DURING, cut), ins=0x5E)
    at.operate()
    at.citizen.chip.memory.mend()
    at.insert()
    assert isinstance(at.operate(), Operated)
    assert (at.changed, at.tries) == (True, 6)


def test_a_change_in_doubt_stays_so_with_pins_that_do_not_fit() -> None:
    at = Counter(Reason.LEAKED)
    at.reader.arm(Removal(Moment.DURING), ins=0x5E)
    at.operate()
    at.insert()
    answer = at.operate("88888888", WRONG)
    assert isinstance(answer, NotDone)
    assert (answer.tries_left, at.case.in_doubt, at.case.stage) == (4, True, Stage.ACCEPTED)
    assert isinstance(at.operate(), Operated)


def test_a_change_in_doubt_whose_pin_is_blocked_ends() -> None:
    at = Counter(Reason.LEAKED)
    at.reader.arm(Removal(Moment.BEFORE), ins=0x5E)
    at.operate()
    at.insert()
    while at.case.stage is Stage.ACCEPTED:
        at.operate("88888888", WRONG)
    assert at.case.stage is Stage.FAILED
    assert "apply for a reset, card locked" in at.case.events[-1].text


def test_a_first_pin_in_doubt_is_set() -> None:
    at = Counter(Reason.LEAKED)
    at.citizen = make_citizen(pin="")
    at.reader = FaultyConnection(at.citizen.chip)
    at.insert()
    at.reader.arm(Removal(Moment.BEFORE), ins=0x5E)
    at.operate(old="")
    at.insert()
    assert isinstance(at.operate(old=""), Operated)
    assert at.changed


def test_another_card_does_not_clear_up_the_case() -> None:
    at = Counter(Reason.FORGOTTEN)
    at.reader.arm(Removal(Moment.DURING), ins=0x24)
    at.operate()
    at.reader.insert(make_citizen(id_number="410403199001010023").chip)
    at.session = CardSession.start(at.reader, SoftHsm(builtin_keys()))
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert "not the social security card of the case" in answer.text
    assert at.case.in_doubt


class BrokenHsm(SoftHsm):
    """An HSM that fails from one of its answers on."""

    def __init__(self, good: int) -> None:
        super().__init__(builtin_keys())
        self.left = good

    def address_of(self, key: str, version: int = 0) -> str:
        if self.left == 0:
            raise HsmError("no connection")
        self.left -= 1
        return super().address_of(key, version)


@pytest.mark.parametrize("good", [0, 1])
def test_an_hsm_that_is_down_leaves_the_pin_and_the_case_goes_on_later(good: int) -> None:
    at = Counter(Reason.FORGOTTEN)
    up = at.session
    at.session = CardSession.start(at.reader, BrokenHsm(good))
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert "the PIN is unchanged" in answer.text
    assert (at.changed, at.case.in_doubt, at.case.stage) == (False, False, Stage.ACCEPTED)
    at.session = up
    assert isinstance(at.operate(), Operated)


def test_an_hsm_that_is_down_at_the_resumption_claims_nothing() -> None:
    at = Counter(Reason.FORGOTTEN)
    at.reader.arm(Removal(Moment.DURING), ins=0x24)
    at.operate()
    at.reader.insert()
    at.session = CardSession.start(at.reader, BrokenHsm(0))
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert "the result of the previous operation is not known" in answer.text
    assert at.case.in_doubt


@pytest.mark.parametrize("reason", OPERATIONS)
def test_the_button_pressed_twice_does_it_once(reason: Reason) -> None:
    at = Counter(reason)
    first = at.operate(key="press")
    sent = len(at.citizen.wire.events)
    assert at.operate(key="press") == first == Operated(reason.operation)
    at.service.complete(at.case, at.session, NEW)
    assert at.operate(key="press") == first
    assert len(at.citizen.wire.events) == sent
    assert at.acts.count(Act.BEGUN) == 1


def test_a_wrong_pin_pressed_twice_costs_one_try() -> None:
    at = Counter(Reason.LEAKED)
    first = at.operate(old=WRONG, key="press 1")
    assert at.operate(old=WRONG, key="press 1") == first
    assert at.tries == 5
    assert isinstance(at.operate(key="press 2"), Operated)


def test_a_refusal_that_ended_the_case_is_told_again() -> None:
    at = Counter(Reason.LEAKED, tries_used=5)
    first = at.operate(old=WRONG, key="press")
    assert at.case.stage is Stage.FAILED
    assert at.operate(old=WRONG, key="press") == first


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (None, "the applicant does not continue; the PIN is unchanged"),
        (
            Removal(Moment.DURING),
            "aborted, and the card was not presented again: it is not known whether the PIN was changed",
        ),
    ],
)
def test_a_case_nobody_goes_on_with_ends_with_the_truth(fault: Removal | None, told: str) -> None:
    at = Counter(Reason.FORGOTTEN)
    if fault:
        at.reader.arm(fault, ins=0x24)
        at.operate()
    assert at.service.abandon(at.case).text == told
    assert (at.case.stage, at.case.in_doubt) == (Stage.FAILED, False)


def test_a_trial_without_an_answer_is_made_again() -> None:
    at = Counter(Reason.FORGOTTEN)
    at.operate()
    at.reader.arm(Removal(Moment.DURING), ins=0x20)
    answer = at.service.complete(at.case, at.session, NEW)
    assert isinstance(answer, NotDone)
    assert at.case.stage is Stage.OPERATED
    at.insert()
    assert isinstance(at.service.complete(at.case, at.session, NEW), ResultNotice)


@pytest.mark.parametrize("keys", [0, 1])
def test_a_pin_that_was_right_is_not_reported_as_unchanged_if_the_card_cannot_be_read(keys: int) -> None:
    at = Counter(Reason.FORGOTTEN)
    at.service = PinService(Ticking(), journal=at.service.journal, place=find_place("tries-8"))
    at.operate()
    up = at.session
    at.session = CardSession.start(at.reader, BrokenHsm(0) if keys == 0 else SoftHsm(foreign_keys("RKSSSE")))
    answer = at.service.complete(at.case, at.session, NEW)
    assert isinstance(answer, NotDone)
    assert "the PIN was right, but it is not known whether it is the initial one" in answer.text
    assert at.case.stage is Stage.OPERATED
    at.session = up
    retry = bool(keys)  # the key was refused, so it is not tried again without the option
    assert isinstance(at.service.complete(at.case, at.session, NEW, retry_key=retry), ResultNotice)
