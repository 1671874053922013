"""Defects of the service: the operation on the card, and the end of a case."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sscard.hsm import HsmError
from sscard.i18n.phrase import Phrase
from sscard.issuer import Place
from sscard.issuer.places import INITIAL_PIN_RULES, PIN_FORMS
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.service import (
    Act,
    Case,
    NotDone,
    Operation,
    PinService,
    Stage,
    cardrefusals,
    counter,
    pipeline,
)
from sscard.standard.apdu import SW
from sscard.standard.encoding import encode_given_pin
from sscard.terminal import BasicData, CardSession, flows, recovery
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import Flow

catalogue = Catalogue(Part.SERVICE)


@catalogue.defect("open-choices.md §3.5: a card that is lost after acceptance is not operated", "reported-lost")
def holder_base_is_not_asked_before_the_operation(patch: Patch) -> None:
    """The holder base is not asked again before the operation."""

    def stopped(service: PinService, case: Case) -> Any:
        return original(service, case) if case.in_doubt else None

    original = patch.attribute(PinService, "_stopped", stopped)


@catalogue.defect("open-choices.md §3.5: nor is it operated again when its case is resumed", "in-doubt-standing")
def holder_base_is_not_asked_before_a_resume(patch: Patch) -> None:
    """The holder base is not asked before a case is resumed."""

    def stopped(service: PinService, case: Case) -> Any:
        return None if case.in_doubt else original(service, case)

    original = patch.attribute(PinService, "_stopped", stopped)


@catalogue.defect("service/pipeline.py: only its own card is operated", "another-card or swapped")
def another_card_is_operated(patch: Patch) -> None:
    """The service operates on another card than that of the case."""
    patch.attribute(Case, "is_of", lambda case, _card: case.card is not None)


@catalogue.defect("service/pipeline.py: without the HSM nothing is done", "hsm-down")
def done_is_reported_while_the_hsm_is_down(patch: Patch) -> None:
    """The service reports success although the HSM is down."""

    def carry_out(service: PinService, case: Case, attempt: Any, work: Callable[[], None], **how: Any) -> Any:
        def quiet() -> None:
            with suppress(HsmError):
                work()

        return original(service, case, attempt, quiet, **how)

    original = patch.attribute(PinService, "_carry_out", carry_out)


@catalogue.defect(
    "terminal-flows.md §8: after a change without an answer the new PIN is tried first", "doubt-new-first"
)
def in_doubt_the_new_pin_is_tried_last(patch: Patch) -> None:
    """After a change without an answer the old PIN is tried first."""
    original = recovery.finish_change

    def finish_change(old: str, new: str, _tries_before: int | None) -> Flow[None]:
        return original(old, new, 99)

    patch.function(original, finish_change)


@catalogue.defect(
    "service/pipeline.py: the intent is in the journal before the card is changed", "killed-change-command"
)
def intent_is_journalled_after_the_card(patch: Patch) -> None:
    """The intent is written to the journal only after the card has changed."""
    held: list[tuple[Any, ...]] = []

    def write(service: PinService, case: Case, stage: Stage, said: Phrase, act: Act = Act.NOTED, *facts: Any) -> None:
        if act is Act.BEGUN:
            held[:] = [(service, case, stage, said, act, *facts)]
            return
        if held and held[0][1] is case:
            original(*held.pop())
        original(service, case, stage, said, act, *facts)

    original = patch.attribute(PinService, "_write", write)


@catalogue.defect(
    "service/pipeline.py: an operation with a known idempotency key is not repeated, its result is returned",
    "operation-key",
)
def idempotency_key_of_an_operation_is_ignored(patch: Patch) -> None:
    """A repeated operation with the same idempotency key is done again."""

    def operate(*given: Any, key: str = "", **others: Any) -> Any:
        return original(*given, **others)

    original = patch.attribute(PinService, "operate", operate)


@catalogue.defect("service/pipeline.py: resuming is an event of its own", "doubt or no-answer")
def resume_writes_no_event(patch: Patch) -> None:
    """A resumed case has no event of it in the journal."""

    def write(service: PinService, case: Case, stage: Stage, said: Phrase, act: Act = Act.NOTED, *facts: Any) -> None:
        if act is not Act.RESUMED:
            original(service, case, stage, said, act, *facts)

    original = patch.attribute(PinService, "_write", write)


@catalogue.defect(
    "card-commands.md §0.1: after 6581 it is not known whether the card did it",
    "memory-worn-change or memory-worn-reset",
)
def memory_failure_is_taken_for_a_clear_refusal(patch: Patch) -> None:
    """The status word 6581 is taken for a clear refusal."""

    def refused(service: PinService, case: Case, error: ApduError, attempt: Any = None, *pin: Any, **named: Any) -> Any:
        if error.sw == SW.MEMORY_FAILURE and case.attempt is not None:
            return original(service, case, error, case.attempt)
        return original(service, case, error, attempt, *pin, **named)

    original = patch.attribute(PinService, "_refused", refused)


@catalogue.defect("item.yaml: the citizen tries the new PIN before completion", "wrong-trial or trial-blocks")
def a_case_is_completed_with_a_wrong_pin(patch: Patch) -> None:
    """A case is completed although the trial of the new PIN fails."""

    def complete(service: PinService, case: Case, session: CardSession, pin: str, **given: Any) -> Any:
        return original(service, case, _Agreeable(session), pin, **given)

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


@catalogue.defect("item.yaml, result notice: a PIN that is still the initial one is named", "initial-pin")
def result_notice_does_not_name_the_initial_pin(patch: Patch) -> None:
    """The result notice does not say that the PIN is still the initial one."""
    patch.attribute(pipeline, "is_initial", lambda *_: False)


@catalogue.defect("service/pipeline.py: an abandoned case in doubt says that the result is unknown", "doubt-abandoned")
def abandoned_case_in_doubt_says_unchanged(patch: Patch) -> None:
    """A case that is abandoned in doubt says that the PIN is unchanged."""

    def abandon(service: PinService, case: Case) -> Any:
        case.attempt = None
        return original(service, case)

    original = patch.attribute(PinService, "abandon", abandon)


@catalogue.defect("service/pipeline.py: a refusal without remedy ends the case", "blocked-during-change or puk-blocked")
def case_without_remedy_stays_open(patch: Patch) -> None:
    """A case stays open after a refusal that cannot be remedied."""
    patch.attribute(PinService, "_fail", PinService._note)


@catalogue.defect(
    "open-choices.md §3.1: an initial PIN that is for queries only does not pay", "pharmacy or initial-pin-use"
)
def initial_pin_for_queries_pays(patch: Patch) -> None:
    """An initial PIN that is for queries only can be used to pay."""
    patch.row(INITIAL_PIN_RULES, "query only", INITIAL_PIN_RULES["free"])


@catalogue.defect(
    "open-choices.md §3.1: where the initial PIN must be changed, it is no new PIN in the service", "new-pin-refused"
)
def service_sets_the_initial_pin_where_it_is_forbidden(patch: Patch) -> None:
    """The service accepts new PINs that the place does not permit."""
    patch.attribute(cardrefusals, "refusal_of", lambda *_: None)


@catalogue.defect(
    "service/cardrefusals.py: a change to the leaked PIN itself is refused (OC-19 is the card's)", "new-pin-refused"
)
def leaked_pin_is_set_again(patch: Patch) -> None:
    """The service changes a leaked PIN to the same PIN."""
    patch.attribute(cardrefusals, "equal", lambda *_: False)


def _without(patch: Patch, dropped: Callable[[str], bool]) -> None:
    """Place policies without a part of their forbidden PINs."""

    def refusal(place: Place, new_pin: str, id_number: str = "") -> Phrase | None:
        kept = tuple(pin for pin in place.forbidden_pins if not dropped(pin))
        found: Phrase | None = original(replace(place, forbidden_pins=kept), new_pin, id_number)
        return found

    original = patch.attribute(Place, "refusal", refusal)


@catalogue.defect("open-choices.md §3.1: forbidden PINs of a place", "new-pin-forbidden")
def pins_on_the_list_of_a_place_are_permitted(patch: Patch) -> None:
    """PINs that the place lists as forbidden are accepted."""
    _without(patch, str.isdigit)


@catalogue.defect("open-choices.md §3.1: PINs out of the ID number, which other places use as initial PIN", "forbidden")
def pins_out_of_the_id_number_are_permitted(patch: Patch) -> None:
    """PINs made from the ID number are accepted where the place forbids them."""
    _without(patch, PIN_FORMS.__contains__)


@catalogue.defect("the saga of the case: the journal says that the card takes the key again", "hsm-key-refused")
def key_that_fits_again_is_not_noted(patch: Patch) -> None:
    """That the card takes a key of the HSM again, which it refused before, is not written into the case."""
    patch.attribute(PinService, "note_key", lambda *_: None)


@catalogue.defect("the saga of the case: the journal says why the card could not be read", "presented-silent")
def unreadable_presented_card_is_not_noted(patch: Patch) -> None:
    """The citizen learns that a presented card cannot be read, but the journal does not."""
    patch.attribute(PinService, "unread", lambda _service, _case, error: NotDone(error.said))


@catalogue.defect("the saga of the case: a key that the card refused is not tried again", "hsm-key-refused")
def refused_key_is_tried_again(patch: Patch) -> None:
    """A key of the HSM that the card refused is tried again at each resume, until it is blocked."""
    patch.attribute(PinService, "refused_key", lambda *_, **__: None)


@catalogue.defect("the counter: a key that the card refuses says nothing of the card", "hsm-key-refused-reading")
def refused_key_makes_the_card_unreadable(patch: Patch) -> None:
    """A card that refuses the key of the HSM is taken for one that cannot be read, and the application is refused."""

    def read_card(session: CardSession | None) -> BasicData | None:
        try:
            return original(session)
        except ApduError:
            return None

    original = counter.read_card
    patch.function(original, read_card)


@catalogue.defect("the PIN rules: without the ID number that they need, no PIN is permitted", "hsm-down-id-number")
def id_number_that_cannot_be_read_permits_every_pin(patch: Patch) -> None:
    """If the ID number cannot be read, every new PIN is accepted."""

    def refusal_of(place: Place, session: CardSession, new_pin: str) -> Phrase | None:
        found: Phrase | None = original(place, session, new_pin)
        return None if found and "cannot be read" in found.text else found

    original = patch.attribute(cardrefusals, "refusal_of", refusal_of)


@catalogue.defect("service/pipeline.py: an unblock that the card did is not repeated [OC-42]", "killed-unblock-command")
def unblock_in_doubt_is_repeated(patch: Patch) -> None:
    """An unblock without an answer is repeated although the card did it."""

    def finish_unblock(card: OpenedCard) -> Flow[None]:
        yield from flows.unblock_pin(card)

    patch.function(recovery.finish_unblock, finish_unblock)


@catalogue.defect(
    "service/pipeline.py: the last reset that a card permits is tried, not reported as refused", "killed-last"
)
def last_reset_in_doubt_is_not_tried(patch: Patch) -> None:
    """The last reset of a card is not tried again when its result is in doubt."""

    def finish_reset(card: OpenedCard, new: str) -> Flow[None]:
        yield from flows.reset_pin(card, encode_given_pin(new))

    patch.function(recovery.finish_reset, finish_reset)


@catalogue.defect("service/pipeline.py: a card that is presented later is checked as one that was read", "presented")
def presented_card_is_not_checked(patch: Patch) -> None:
    """A card that is presented later is not checked."""

    def present(*given: Any) -> Any:
        with Patch() as during:
            during.attribute(pipeline, "CARD_CHECKS", ())
            return original(*given)

    original = patch.attribute(PinService, "present", present)


@catalogue.defect(
    "the PIN rules: without an answer of the card, no PIN is permitted", "card-gone-query or card-gone-rules"
)
def card_without_an_answer_permits_every_pin(patch: Patch) -> None:
    """If the card does not answer, every new PIN is accepted."""
    patch.attribute(cardrefusals, "NO_ID_NUMBER", None)


class _Locked:
    """A session that takes its PIN for blocked."""

    def __init__(self, session: CardSession) -> None:
        self._session = session

    def tries_left(self) -> int:
        return 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


@catalogue.defect(
    "service/pipeline.py: a PIN that is not blocked is not unblocked, because each one counts [OC-42]",
    "unblock-not-blocked",
)
def pin_that_is_not_blocked_is_unblocked(patch: Patch) -> None:
    """A PIN that is not blocked is unblocked."""

    def begin(service: PinService, case: Case, session: CardSession, *given: Any) -> Any:
        return original(service, case, _Locked(session) if case.operation is Operation.UNBLOCK else session, *given)

    original = patch.attribute(PinService, "_begin", begin)


DEFECTS = tuple(catalogue.defects)
