"""解锁: the PIN of a locked card whose holder remembers it, as an operation of the service."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from kit.citizens import OPENING, Citizen, Ticking, make_citizen
from kit.counter import foreign_keys
from sscard.chip.memory import Moment
from sscard.hsm import SoftHsm
from sscard.i18n.language import CHINESE, speaking
from sscard.issuer import Place, builtin_keys, preset
from sscard.service import (
    Act,
    Case,
    Channel,
    NotDone,
    Operated,
    Operation,
    PinService,
    Reason,
    Refusal,
    ResultNotice,
    Rule,
    Stage,
    load_policy,
)
from sscard.service.aftercare import abandoned, try_at_pharmacy
from sscard.terminal import CardSession
from sscard.transport.faults import FaultyConnection, Removal

UNBLOCKS = load_policy().model_copy(update={"unblock": "accept"})
UNBLOCK = Operation.UNBLOCK
DONE = Operated(UNBLOCK)


class Counter:
    """A citizen with a locked card in a reader that can fail, and an accepted case."""

    def __init__(self, channel: Channel = Channel.WINDOW, limit: int = 0) -> None:
        self.citizen: Citizen = make_citizen(replace(preset("v3-sm4"), unlock_limit=limit))
        self.citizen.lock_pin()
        self.reader = FaultyConnection(self.citizen.chip)
        self.service = PinService(Ticking(), policy=UNBLOCKS)
        self.open(channel)

    def open(self, channel: Channel = Channel.WINDOW) -> None:
        self.case: Case = self.service.intake(self.citizen.application(Reason.LOCKED_KNOWN, channel))
        self.service.accept(self.case)
        self.insert()

    def insert(self, hsm: SoftHsm | None = None) -> None:
        self.reader.insert()
        self.session = CardSession.start(self.reader, hsm or SoftHsm(builtin_keys()))

    def operate(self) -> Operated | NotDone:
        return self.service.operate(self.case, self.session)

    @property
    def puk_tries(self) -> int:
        return self.citizen.chip.snapshot().key_tries["PUK"][0]

    @property
    def acts(self) -> list[Act]:
        return [event.act for event in self.case.events]


@pytest.mark.parametrize("channel", Channel)
def test_the_pin_is_kept_and_proved_at_completion(channel: Channel) -> None:
    at = Counter(channel)
    assert at.operate() == DONE
    assert at.session.tries_left() == 6
    wrong = at.service.complete(at.case, at.session, "999999")
    assert isinstance(wrong, NotDone)
    assert wrong.tries_left == 5
    notice = at.service.complete(at.case, at.session, at.citizen.pin)
    assert isinstance(notice, ResultNotice)
    assert (notice.operation, at.case.stage) == (Operation.UNBLOCK, Stage.COMPLETED)
    assert "its PIN is the same as before" in notice.text


ON_THE_CARD = (
    (),
    (Removal(Moment.BEFORE), 2),
    (Removal(Moment.DURING), 6),
)
"""What happens at the reader while the card is unblocked: no fault, and one before and one in doubt."""


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("fault", ON_THE_CARD)
def test_no_sentence_of_an_unblock_speaks_of_a_new_pin(
    channel: Channel, fault: tuple[Removal, int] | tuple[()]
) -> None:
    at = Counter(channel)
    if fault:
        at.reader.arm(fault[0], nth=fault[1])
    told = [at.operate().text]
    at.insert()
    if at.case.stage is Stage.ACCEPTED:
        told.append(at.operate().text)
    at.reader.arm(Removal(Moment.BEFORE), ins=0x20)
    untried = at.service.complete(at.case, at.session, at.citizen.pin)
    at.insert()
    told += [untried.text, abandoned(at.case).text]
    told.append(at.service.complete(at.case, at.session, at.citizen.pin).text)
    place = Place(name="", initial_pin="")
    told.append(try_at_pharmacy(at.session, SoftHsm(builtin_keys()), place, at.citizen.pin, OPENING, UNBLOCK).text)
    texts = [*told, *(event.text for event in at.case.events)]
    assert at.case.stage is Stage.COMPLETED
    assert "try the PIN" in untried.text
    assert not [text for text in texts if re.search("new PIN|change or reset|not tried it", text)]
    with speaking(CHINESE):
        assert not [event.text for event in at.case.events if re.search("新密码|修改或重置", event.text)]


@pytest.mark.parametrize("channel", Channel)
def test_a_service_that_does_not_unblock_refers_to_a_reset(channel: Channel) -> None:
    citizen = make_citizen()
    service = PinService(Ticking())
    case = service.intake(citizen.application(Reason.LOCKED_KNOWN, channel))
    refusal = service.accept(case)
    assert isinstance(refusal, Refusal)
    assert [ground.rule for ground in refusal.grounds] == [Rule.REASON]
    assert "apply for a reset" in refusal.text


@pytest.mark.parametrize("pin", ["739104", ""])
def test_a_pin_that_is_not_blocked_is_not_unblocked(pin: str) -> None:
    citizen = make_citizen(pin=pin)
    service = PinService(Ticking(), policy=UNBLOCKS)
    case = service.intake(citizen.application(Reason.LOCKED_KNOWN))
    service.accept(case)
    sent = citizen.chip.memory.writes
    answer = service.operate(case, citizen.session)
    assert isinstance(answer, NotDone)
    assert answer.tries_left == (6 if pin else None)
    assert (case.stage, case.in_doubt, citizen.chip.memory.writes) == (Stage.ACCEPTED, False, sent)


@pytest.mark.parametrize(("nth", "moment"), [*product(range(1, 7), (Moment.BEFORE, Moment.DURING, Moment.AFTER))])
def test_whatever_happens_at_the_reader_one_unblock_is_done(nth: int, moment: Moment) -> None:
    """The tries, two challenges, the proof, a challenge, the unblock; the card permits only one."""
    at = Counter(limit=1)
    at.reader.arm(Removal(moment), nth=nth)
    at.operate()
    assert at.case.in_doubt or at.case.stage is Stage.OPERATED or Act.BEGUN not in at.acts
    at.insert()
    if at.case.stage is Stage.ACCEPTED:
        assert at.operate() == DONE
    assert (at.session.tries_left(), at.puk_tries) == (6, 0)
    assert isinstance(at.service.complete(at.case, at.session, at.citizen.pin), ResultNotice)
    assert at.acts.count(Act.DONE) == 1


def test_at_the_limit_the_case_fails_and_the_citizen_needs_a_new_card() -> None:
    at = Counter(limit=1)
    assert at.operate() == DONE
    at.citizen.session = at.session
    at.citizen.lock_pin()
    at.open()
    answer = at.operate()
    assert isinstance(answer, NotDone)
    assert (answer.sw, at.case.stage) == (0x6983, Stage.FAILED)
    assert "void: please apply for a new card" in answer.text


def test_a_wrong_key_of_the_issuer_ends_the_case_with_the_pin_as_it_was() -> None:
    at = Counter()
    at.insert(SoftHsm(foreign_keys("PUK")))
    assert isinstance(at.operate(), NotDone)
    assert (at.case.stage, at.session.tries_left()) == (Stage.FAILED, 0)


def test_an_abandoned_unblock_in_doubt_says_that_the_result_is_unknown() -> None:
    at = Counter()
    at.reader.arm(Removal(Moment.DURING), ins=0x24)
    at.operate()
    assert "not known whether it was unblocked" in at.service.abandon(at.case).text
