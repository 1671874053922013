"""Observations that change with the defects of ``sscard.scenario.defects.operation``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from kit.citizens import OPENING, Citizen, Ticking, make_citizen
from kit.counter import foreign_keys
from sscard.chip.memory import Moment
from sscard.hsm import HsmError, SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import Place, builtin_keys, find_place, preset
from sscard.issuer.holderbase import ListedCards, MemoryHolderBase
from sscard.issuer.standing import Standing
from sscard.service import (
    Act,
    Case,
    Channel,
    PinService,
    Reason,
    counter,
    load_policy,
    pipeline,
)
from sscard.service.aftercare import try_at_pharmacy
from sscard.terminal import CardSession
from sscard.terminal.errors import ApduError
from sscard.transport.faults import FaultyConnection, Removal
from witnesses.witness import Witness

NEW, WRONG = "80264153", "999999"


class _Counter:
    """A citizen with an accepted case, the card in a reader that can fail."""

    def __init__(self, reason: Reason = Reason.LEAKED, place: Place | None = None) -> None:
        self.citizen: Citizen = make_citizen()
        self.reader = FaultyConnection(self.citizen.chip)
        self.base = MemoryHolderBase()
        policy = load_policy().model_copy(update={"unblock": "accept"})
        self.service = PinService(Ticking(), place=place, policy=policy, holder_base=self.base)
        self.case: Case = self.service.intake(self.citizen.application(reason))
        self.service.accept(self.case)
        self.insert()

    def insert(self, hsm: SoftHsm | None = None) -> None:
        self.reader.insert()
        self.session = CardSession.start(self.reader, hsm or SoftHsm(builtin_keys()))

    def operate(self, **how: Any) -> str:
        return type(self.service.operate(self.case, self.session, NEW, self.citizen.pin, **how)).__name__

    def lose(self) -> None:
        number = self.session.identity.card_number
        self.base.put(ListedCards(first=number, standing=Standing.LOST))

    @property
    def acts(self) -> list[Act]:
        return [event.act for event in self.case.events]


class _BrokenHsm(SoftHsm):
    def safe_message(self, *_given: Any, **_named: Any) -> bytes:
        raise HsmError(Phrase("down"))


class _UnreadingHsm(SoftHsm):
    """An HSM that cannot be asked for the key that reads the card."""

    def authentication_data(self, algorithm: int, address: str, *given: Any) -> bytes:
        if address == self.address_of("RKSSSE"):
            raise HsmError(Phrase("down"))
        return super().authentication_data(algorithm, address, *given)


def _lost_after_acceptance() -> str:
    at = _Counter()
    at.lose()
    return at.operate()


def _lost_in_doubt() -> str:
    at = _torn_change(Moment.DURING)
    at.lose()
    return at.operate()


def _another_card() -> str:
    at = _Counter()
    other = make_citizen(id_number="410403199001010023")
    at.session = other.session
    return at.operate()


def _hsm_down() -> list[object]:
    at = _Counter(Reason.FORGOTTEN)
    at.insert(_BrokenHsm(builtin_keys()))
    return [at.operate(), at.case.stage]


def _torn_change(moment: Moment) -> _Counter:
    at = _Counter()
    at.reader.arm(Removal(moment), nth=2)
    at.operate()
    at.insert()
    return at


def _tries_after_resume() -> object:
    """The commands that a resumed change sends: the new PIN is tried first."""
    at = _torn_change(Moment.DURING)
    before = at.citizen.chip.memory.writes
    at.operate()
    return at.citizen.chip.memory.writes - before


def _resumed() -> list[Act]:
    at = _torn_change(Moment.DURING)
    at.operate()
    return at.acts


def _acts_when_the_card_is_changed() -> list[Act]:
    at = _Counter()
    seen: list[Act] = []
    watched = SimpleNamespace(
        identity=at.session.identity,
        tries_left=at.session.tries_left,
        change_pin=lambda *_: seen.extend(at.acts),
        unblock_pin=None,
    )
    at.service.operate(at.case, watched, NEW, at.citizen.pin)  # type: ignore[arg-type]
    return seen


def _same_key_twice() -> list[str]:
    at = _Counter()
    first = at.operate(key="k")
    try:
        return [first, at.operate(key="k")]
    except Exception as error:
        return [first, type(error).__name__]


def _after_memory_failure() -> object:
    at = _Counter()
    at.citizen.chip.memory.fail(0)
    at.operate()
    return at.case.in_doubt


def _completion(pin: str) -> list[object]:
    at = _Counter()
    at.operate()
    answer = at.service.complete(at.case, at.session, pin)
    return [at.case.stage, answer.text]


def _completion_with_initial() -> str:
    at = _Counter(Reason.FORGOTTEN)
    at.service.operate(at.case, at.session, "123456")
    return at.service.complete(at.case, at.session, "123456").text


def _abandoned() -> str:
    at = _torn_change(Moment.DURING)
    return at.service.abandon(at.case).text


def _without_remedy() -> object:
    at = _Counter()
    at.citizen.lock_pin()
    at.operate()
    return at.case.stage


def _initial_pin_pays() -> bool:
    citizen = make_citizen(pin="123456")
    place = Place(name="", initial_pin="123456", initial_pin_use="query only")
    return try_at_pharmacy(citizen.session, SoftHsm(builtin_keys()), place, "123456", OPENING).receipt is not None


def _new_pin(place: str, new: str, reason: Reason = Reason.FORGOTTEN, hsm: SoftHsm | None = None) -> str:
    at = _Counter(reason, place=find_place(place))
    at.insert(hsm)
    return type(at.service.operate(at.case, at.session, new, at.citizen.pin)).__name__


def _tries_of_a_refused_key() -> int:
    at = _Counter(Reason.FORGOTTEN, place=find_place("forbidden-pins"))
    at.insert(SoftHsm(foreign_keys("RKSSSE")))
    at.operate()
    at.operate()
    return at.citizen.chip.snapshot().key_tries["RKSSSE"][0]


def _events_of_a_key_that_fits() -> int:
    at = _Counter()
    at.service.note_key(at.case)
    return len(at.acts)


def _events_of_an_unread_card() -> int:
    at = _Counter()
    at.service.unread(at.case, HsmError(Phrase("down")))
    return len(at.acts)


def _read_with_another_key() -> str:
    at = _Counter()
    at.insert(SoftHsm(foreign_keys("RKSSSE")))
    try:
        return str(counter.read_card(at.session))
    except ApduError as error:
        return type(error).__name__


def _unblock_of(*, locked: bool) -> _Counter:
    at = _Counter(Reason.LOCKED_KNOWN)
    if locked:
        at.citizen.lock_pin()
        at.insert()
    return at


def _tries_of_a_single_unblock() -> object:
    at = _unblock_of(locked=True)
    at.reader.arm(Removal(Moment.DURING), ins=0x24)
    at.service.operate(at.case, at.session)
    at.insert()
    before = at.citizen.chip.memory.writes
    at.service.operate(at.case, at.session)
    return at.citizen.chip.memory.writes - before


def _last_reset_in_doubt() -> object:
    """The only reset that the card permits was done; it is repeated, because its answer was lost."""
    session = make_citizen(replace(preset("v3-sm4"), unlock_limit=1)).session
    session.reset_pin(NEW)
    try:
        session.run(pipeline.finish_reset(session.card, NEW))
    except ApduError as error:
        return error.sw
    return "done"


def _presented() -> object:
    """A card of another person, presented in a case that was accepted without one."""
    citizen, other = make_citizen(), make_citizen(id_number="410403199001010023")
    service = PinService(Ticking())
    application = replace(citizen.application(Reason.LEAKED, Channel.ONLINE), card=None, handling=Channel.WINDOW)
    case = service.intake(application)
    service.accept(case)
    return type(service.present(case, other.basic)).__name__


def _without_answer() -> str:
    at = _Counter(Reason.FORGOTTEN, place=find_place("forbidden-pins"))
    at.reader.arm(Removal(Moment.BEFORE), ins=0x82)
    return f"{at.operate()} {at.case.events[-1].text}"


def _unblock_without_a_block() -> str:
    at = _unblock_of(locked=False)
    return type(at.service.operate(at.case, at.session)).__name__


WITNESSES: Mapping[str, Witness] = {
    "holder-base-is-not-asked-before-the-operation": _lost_after_acceptance,
    "holder-base-is-not-asked-before-a-resume": _lost_in_doubt,
    "another-card-is-operated": _another_card,
    "done-is-reported-while-the-hsm-is-down": _hsm_down,
    "in-doubt-the-new-pin-is-tried-last": _tries_after_resume,
    "intent-is-journalled-after-the-card": _acts_when_the_card_is_changed,
    "idempotency-key-of-an-operation-is-ignored": _same_key_twice,
    "resume-writes-no-event": _resumed,
    "memory-failure-is-taken-for-a-clear-refusal": _after_memory_failure,
    "a-case-is-completed-with-a-wrong-pin": lambda: _completion(WRONG),
    "result-notice-does-not-name-the-initial-pin": _completion_with_initial,
    "abandoned-case-in-doubt-says-unchanged": _abandoned,
    "case-without-remedy-stays-open": _without_remedy,
    "initial-pin-for-queries-pays": _initial_pin_pays,
    "service-sets-the-initial-pin-where-it-is-forbidden": lambda: _new_pin("tries-3", "123456"),
    "leaked-pin-is-set-again": lambda: _new_pin("tries-6", make_citizen().pin, Reason.LEAKED),
    "pins-on-the-list-of-a-place-are-permitted": lambda: _new_pin("forbidden-pins", "000000"),
    "pins-out-of-the-id-number-are-permitted": lambda: _new_pin("forbidden-pins", "150009"),
    "id-number-that-cannot-be-read-permits-every-pin": lambda: _new_pin(
        "forbidden-pins", NEW, hsm=_UnreadingHsm(builtin_keys())
    ),
    "refused-key-is-tried-again": _tries_of_a_refused_key,
    "key-that-fits-again-is-not-noted": _events_of_a_key_that_fits,
    "refused-key-makes-the-card-unreadable": _read_with_another_key,
    "unreadable-presented-card-is-not-noted": _events_of_an_unread_card,
    "last-reset-in-doubt-is-not-tried": _last_reset_in_doubt,
    "presented-card-is-not-checked": _presented,
    "card-without-an-answer-permits-every-pin": _without_answer,
    "unblock-in-doubt-is-repeated": _tries_of_a_single_unblock,
    "pin-that-is-not-blocked-is-unblocked": _unblock_without_a_block,
}
