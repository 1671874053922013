"""Defects of the service: the operation on the card, and the end of a case."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from defects.catalogue import Catalogue, Patch
from kit.citizens import Citizen, Ticking, make_citizen
from sscard.chip.memory import Moment
from sscard.hsm import HsmError, SoftHsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import builtin_keys
from sscard.service import (
    Act,
    Case,
    PinService,
    Reason,
    Stage,
    pipeline,
)
from sscard.standard.apdu import SW
from sscard.terminal import CardSession
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import Flow
from sscard.transport.faults import FaultyConnection, Removal

catalogue = Catalogue("service")
NEW, WRONG = "80264153", "999999"


class _Counter:
    """A citizen with an accepted case, the card in a reader that can fail."""

    def __init__(self, reason: Reason = Reason.LEAKED) -> None:
        self.citizen: Citizen = make_citizen()
        self.reader = FaultyConnection(self.citizen.chip)
        self.service = PinService(Ticking())
        self.case: Case = self.service.intake(self.citizen.application(reason))
        self.service.accept(self.case)
        self.insert()

    def insert(self, hsm: SoftHsm | None = None) -> None:
        self.reader.insert()
        self.session = CardSession.start(self.reader, hsm or SoftHsm(builtin_keys()))

    def operate(self, **how: Any) -> str:
        return type(self.service.operate(self.case, self.session, NEW, self.citizen.pin, **how)).__name__

    @property
    def acts(self) -> list[Act]:
        return [event.act for event in self.case.events]


class _BrokenHsm(SoftHsm):
    def safe_message(self, *_given: Any, **_named: Any) -> bytes:
        raise HsmError(Phrase("down"))


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
        identity=at.session.identity, tries_left=at.session.tries_left, change_pin=lambda *_: seen.extend(at.acts)
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


@catalogue.add("the case: only its own card is operated", _another_card, "another or other")
def another_card_is_operated(patch: Patch) -> None:
    patch.attribute(pipeline, "_is_card_of", lambda case, _session: case.card is not None)


@catalogue.add("the saga of the case: without the HSM nothing is done", _hsm_down, "hsm")
def done_is_reported_while_the_hsm_is_down(patch: Patch) -> None:
    def carry_out(service: PinService, case: Case, attempt: Any, work: Callable[[], None], **how: Any) -> Any:
        def quiet() -> None:
            with suppress(HsmError):
                work()

        return original(service, case, attempt, quiet, **how)

    original = patch.attribute(PinService, "_carry_out", carry_out)


@catalogue.add(
    "terminal-flows.md §8: after a change without an answer the new PIN is tried first",
    _tries_after_resume,
    "resume or doubt or cut",
)
def in_doubt_the_new_pin_is_tried_last(patch: Patch) -> None:
    original = pipeline.finish_change

    def finish_change(old: str, new: str, _tries_before: int | None) -> Flow[None]:
        return original(old, new, 99)

    patch.function(original, finish_change)


@catalogue.add(
    "the saga of the case: the intent is in the journal before the card is changed",
    _acts_when_the_card_is_changed,
    "kill or doubt",
)
def intent_is_journalled_after_the_card(patch: Patch) -> None:
    held: list[tuple[Any, ...]] = []

    def write(service: PinService, case: Case, stage: Stage, said: Phrase, act: Act = Act.NOTED, *facts: Any) -> None:
        if act is Act.BEGUN:
            held[:] = [(service, case, stage, said, act, *facts)]
            return
        if held and held[0][1] is case:
            original(*held.pop())
        original(service, case, stage, said, act, *facts)

    original = patch.attribute(PinService, "_write", write)


@catalogue.add(
    "the pipeline: an operation with a known idempotency key is not repeated, its result is returned",
    _same_key_twice,
    "key or idempot",
)
def idempotency_key_of_an_operation_is_ignored(patch: Patch) -> None:
    def operate(*given: Any, key: str = "") -> Any:
        return original(*given)

    original = patch.attribute(PinService, "operate", operate)


@catalogue.add("the saga of the case: resuming is an event of its own", _resumed, "resume or doubt or cut")
def resume_writes_no_event(patch: Patch) -> None:
    def write(service: PinService, case: Case, stage: Stage, said: Phrase, act: Act = Act.NOTED, *facts: Any) -> None:
        if act is not Act.RESUMED:
            original(service, case, stage, said, act, *facts)

    original = patch.attribute(PinService, "_write", write)


@catalogue.add(
    "card-commands.md §0.1: after 6581 it is not known whether the card did it", _after_memory_failure, "memory or 6581"
)
def memory_failure_is_taken_for_a_clear_refusal(patch: Patch) -> None:
    def refused(service: PinService, case: Case, error: ApduError, attempt: Any = None, *pin: Any, **named: Any) -> Any:
        if error.sw == SW.MEMORY_FAILURE and case.attempt is not None:
            return original(service, case, error, case.attempt)
        return original(service, case, error, attempt, *pin, **named)

    original = patch.attribute(PinService, "_refused", refused)


@catalogue.add(
    "item.yaml: the citizen tries the new PIN before completion", lambda: _completion(WRONG), "trial or complete"
)
def a_case_is_completed_with_a_wrong_pin(patch: Patch) -> None:
    def complete(service: PinService, case: Case, session: CardSession, pin: str) -> Any:
        return original(service, case, _Agreeable(session), pin)

    original = patch.attribute(PinService, "complete", complete)


class _Agreeable:
    """A session whose VERIFY never fails."""

    def __init__(self, session: CardSession) -> None:
        self._session = session

    def verify_pin(self, pin: str) -> None:
        with suppress(ApduError):
            self._session.verify_pin(pin)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@catalogue.add(
    "item.yaml, result notice: a PIN that is still the initial one is named",
    _completion_with_initial,
    "initial",
)
def result_notice_does_not_name_the_initial_pin(patch: Patch) -> None:
    patch.attribute(pipeline, "is_initial", lambda *_: False)


@catalogue.add(
    "the saga of the case: an abandoned case in doubt says that the result is unknown", _abandoned, "abandon"
)
def abandoned_case_in_doubt_says_unchanged(patch: Patch) -> None:
    def abandon(service: PinService, case: Case) -> Any:
        case.attempt = None
        return original(service, case)

    original = patch.attribute(PinService, "abandon", abandon)


DEFECTS = tuple(catalogue.defects)
