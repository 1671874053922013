"""Defects of the service: who and what is accepted, and what the citizen is asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from sscard.errors import HolderBaseUnavailable
from sscard.i18n.phrase import Phrase
from sscard.issuer.standing import Standing
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch, Plant
from sscard.service import (
    Application,
    Case,
    Channel,
    Item,
    Paper,
    PinService,
    Refusal,
    Stage,
    conditions,
)
from sscard.service.channels import CHANNEL_RULES
from sscard.service.conditions import Check, Rules
from sscard.service.identity import SeenCard
from sscard.service.notices import Ground
from sscard.service.words import ApplicantKind, Document, OnlineStep
from sscard.service.workdays import Due, due_after

catalogue = Catalogue(Part.SERVICE)


def _replace_check(patch: Patch, old: Check, new: Check) -> None:
    """Use another check in place of one of the conditions."""

    def grounds_against(rules: Rules, case: Case, checks: tuple[Check, ...] = conditions.CHECKS) -> tuple[Ground, ...]:
        return original(rules, case, tuple(new if check is old else check for check in checks))

    original = conditions.grounds_against
    patch.function(original, grounds_against)


def _no_ground(_rules: Rules, _case: Case) -> None:
    return None


def _with_channel(patch: Patch, channel: Channel, **changes: Any) -> None:
    patch.row(CHANNEL_RULES, channel, replace(CHANNEL_RULES[channel], **changes))


@catalogue.defect("open-choices.md §3.3: an unblock is offered only where the policy says so", "unblock-not-offered")
def unblock_is_offered_everywhere(patch: Patch) -> None:
    """The service unblocks a PIN although the policy does not offer it."""

    def reason(rules: Rules, case: Case) -> Ground | None:
        return None if case.reason_given else original(rules, case)

    original = conditions._reason
    _replace_check(patch, original, reason)


def _accepted_with(standing: Standing) -> Plant:
    def plant(patch: Patch) -> None:
        old = conditions._card_in_use
        _replace_check(patch, old, lambda rules, case: None if rules.standing is standing else old(rules, case))

    plant.__name__ = f"{standing.name.lower()}_in_the_holder_base_is_accepted"
    return plant


for _standing in conditions.OUT_OF_USE:
    catalogue.defect(
        f"open-choices.md §3.5: a card that is {_standing.english} is refused",
        "card-standing",
        Phrase("The service accepts a card that the holder base lists as: {standing}.", standing=_standing.words),
    )(_accepted_with(_standing))


@catalogue.defect(
    "open-choices.md §3.5: no case is accepted without an answer of the holder base", "base-down-acceptance"
)
def no_answer_of_the_holder_base_is_taken_for_in_use(patch: Patch) -> None:
    """If the holder base does not answer, the card counts as in use."""

    def rules_for(service: PinService, card: SeenCard | None) -> Rules:
        try:
            return original(service, card)  # type: ignore[no-any-return]
        except HolderBaseUnavailable:
            return original(service, None)  # type: ignore[no-any-return]

    original = patch.attribute(PinService, "_rules_for", rules_for)


@catalogue.defect(
    "item.yaml, acceptance: the social security card is valid on the day of the application", "expired-card"
)
def expired_card_is_accepted(patch: Patch) -> None:
    """The service accepts a card after its last day."""
    long_ago = date(1900, 1, 1)
    old = conditions._valid_card
    _replace_check(patch, old, lambda rules, case: old(replace(rules, today=long_ago), case))


@catalogue.defect(
    "open-choices.md §3.2: each kind of applicant has its identity documents", "wrong-document or local-documents"
)
def wrong_document_for_the_kind_of_applicant_is_accepted(patch: Patch) -> None:
    """Any identity document is accepted for any kind of applicant."""
    every = {kind: tuple(Document) for kind in ApplicantKind}
    old = conditions._genuine_id

    def check(rules: Rules, case: Case) -> Ground | None:
        return old(replace(rules, policy=rules.policy.model_copy(update={"documents": every})), case)

    _replace_check(patch, old, check)


@catalogue.defect(
    "open-choices.md §3.6: a self-service terminal reads chips only, and a passport has none that it reads",
    "passport",
)
def passport_is_accepted_at_the_self_service_terminal(patch: Patch) -> None:
    """The self-service terminal accepts a passport."""
    _with_channel(patch, Channel.SELF_SERVICE, reads=frozenset(Document))


@catalogue.defect("item.yaml, forms: an application online is pre-reviewed", "pre-review")
def no_pre_review_online(patch: Patch) -> None:
    """An online application is not pre-reviewed."""
    original = Item.online_steps.fget  # type: ignore[attr-defined]
    patch.attribute(Item, "online_steps", property(lambda item: original(item) - {OnlineStep.PRE_REVIEW}))


@catalogue.defect("item.yaml, forms: a case opened online is handed over to the window", "handed-over")
def hand_over_is_impossible(patch: Patch) -> None:
    """A case cannot be handed over to another channel."""
    for channel in Channel:
        _with_channel(patch, channel, hands_over_to=frozenset())


@catalogue.defect("item.yaml: a refusal states every ground", "all-grounds")
def refusal_states_the_first_ground_only(patch: Patch) -> None:
    """A refusal states only the first ground."""

    def begin(refusal: Refusal, grounds: tuple[Ground, ...], *contacts: Any) -> None:
        original(refusal, grounds[:1], *contacts)

    original = patch.attribute(Refusal, "__init__", begin)


@catalogue.defect("item.yaml: missing papers are named once, all of them (一次性告知)", "papers-missing")
def supplement_notice_names_the_first_paper_only(patch: Patch) -> None:
    """The supplement notice names only the first missing paper."""
    original = conditions.missing_papers
    patch.function(original, lambda rules, case: original(rules, case)[:1])


@catalogue.defect("item.yaml: a case has one supplement notice", "brought-nothing or papers-missing")
def second_supplement_notice(patch: Patch) -> None:
    """A case can get a second supplement notice."""

    def ask_for(service: PinService, case: Case, missing: tuple[Paper, ...]) -> Any:
        case.notice = None
        return original(service, case, missing)

    original = patch.attribute(PinService, "_ask_for", ask_for)


@catalogue.defect(
    "item.yaml, promised limit: working days after the day of acceptance, which is not counted", "due.yaml or due-from"
)
def due_date_is_one_day_late(patch: Patch) -> None:
    """The due date is one day late."""
    original = due_after

    def late(*given: Any) -> Due:
        due = original(*given)
        return replace(due, day=due.day + timedelta(days=1))

    patch.function(original, late)


@catalogue.defect("service/pipeline.py: an application with a known key opens no second case", "case-key")
def key_of_an_application_is_ignored(patch: Patch) -> None:
    """A repeated application with the same key opens a second case."""

    def intake(service: PinService, application: Application, *, key: str = "") -> Case:
        return original(service, application)  # type: ignore[no-any-return]

    original = patch.attribute(PinService, "intake", intake)


@catalogue.defect("the pipeline: a key belongs to one application, also if another person types it", "case-key")
def key_of_another_application_is_accepted(patch: Patch) -> None:
    """An application with the key of another one gets the other one's case."""
    patch.attribute(Case, "opened_by", lambda case, _event: case)


@catalogue.defect("item.yaml, forms: a case is handed over to a channel of the item", "handed-over-not-offered")
def case_is_handed_over_to_a_channel_that_the_item_lacks(patch: Patch) -> None:
    """A case can be handed over to a channel that the item does not offer."""

    def hand_over(service: PinService, case: Case, channel: Channel) -> bool:
        with Patch() as during:
            during.attribute(Item, "channels", frozenset(Channel))
            return original(service, case, channel)  # type: ignore[no-any-return]

    original = patch.attribute(PinService, "hand_over", hand_over)


@catalogue.defect("the case: the citizen may give up at any stage, also before acceptance", "abandoned-before")
def case_is_not_abandoned_before_acceptance(patch: Patch) -> None:
    """A case that is not accepted yet cannot be abandoned."""

    def abandon(service: PinService, case: Case) -> Any:
        if case.stage in (Stage.INTAKE, Stage.PRE_REVIEW, Stage.SUPPLEMENT):
            case.require(Stage.ACCEPTED)
        return original(service, case)

    original = patch.attribute(PinService, "abandon", abandon)


DEFECTS = tuple(catalogue.defects)
