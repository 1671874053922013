"""Defects of the service: statements of the item's page that are not applied."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

from sscard.i18n.phrase import Phrase, Words
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.service import (
    Act,
    Case,
    Channel,
    Event,
    Ground,
    Item,
    PinService,
    Refusal,
    ResultNotice,
    Rule,
    aftercare,
)
from sscard.service.item import load_item
from sscard.service.notices import Acceptance
from sscard.service.page import Contact
from sscard.service.words import OnlineStep

catalogue = Catalogue(Part.SERVICE)


def _item_property(patch: Patch, name: str, change: Callable[[Any], Any]) -> None:
    """Change what the service reads off the item."""
    original = vars(Item)[name].fget
    patch.attribute(Item, name, property(lambda item: change(original(item))))


def _offer_online(patch: Patch, step: OnlineStep) -> None:
    _item_property(patch, "online_steps", lambda steps: steps | {step})


@catalogue.defect("item.yaml, online steps: acceptance is online only if it is offered", "depth-to-the-window")
def acceptance_stays_online(patch: Patch) -> None:
    """The service accepts a case online although the item does not offer it."""
    _offer_online(patch, OnlineStep.ACCEPTANCE)


@catalogue.defect("item.yaml, online steps: the result is given online only if that is offered", "no-feedback")
def result_is_sent_online_anyway(patch: Patch) -> None:
    """The result is sent online although the item does not offer it."""
    _offer_online(patch, OnlineStep.RESULT)


@catalogue.defect("item.yaml, online steps: the result of an online application is given online too", "feedback")
def result_of_a_handed_over_case_is_not_sent_online(patch: Patch) -> None:
    """The result of a case that was handed over is not sent online."""
    original = aftercare.result_notice

    def result_notice(*given: Any) -> ResultNotice:
        notice = original(*given)
        return replace(notice, feedback=notice.feedback[:1])

    patch.function(original, result_notice)


@catalogue.defect("item.yaml, online steps: inquiries are answered online only if that is offered", "inquiry")
def inquiries_are_always_answered_online(patch: Patch) -> None:
    """Inquiries are answered online although the item does not offer it."""
    _offer_online(patch, OnlineStep.CONSULTATION)


@catalogue.defect("item.yaml, self-service: a terminal accepts only if the item supports it", "not-supported")
def terminals_are_always_supported(patch: Patch) -> None:
    """A self-service terminal accepts applications although the item does not support it."""
    _item_property(patch, "channels", lambda channels: channels | {Channel.SELF_SERVICE})


@catalogue.defect(
    "item.yaml, forms: online applications are accepted only if the item names the channel", "not-offered"
)
def online_is_always_offered(patch: Patch) -> None:
    """Online applications are accepted although the item does not offer the channel."""
    _item_property(patch, "channels", lambda channels: channels | {Channel.ONLINE})


@catalogue.defect("item.yaml, legal limit: the acceptance names it if it is longer", "legal-limit.yaml")
def legal_limit_is_not_named(patch: Patch) -> None:
    """The acceptance does not name the legal limit."""

    def begin(answer: Acceptance, days: int, due: Any, legal: date | None = None) -> None:
        original(answer, days, due)

    original = patch.attribute(Acceptance, "__init__", begin)


@catalogue.defect("item.yaml, legal limit: a case is marked from the day after it", "legal-limit.yaml")
def legal_limit_is_taken_for_the_promised_one(patch: Patch) -> None:
    """The promised limit is taken for the legal one."""

    def add(case: Case, event: Event) -> None:
        if event.act is Act.ACCEPTED:
            event = replace(event, facts=event.facts | {"legal_due": event.facts["due"]})
        original(case, event)

    original = patch.attribute(Case, "add", add)


@catalogue.defect("item.yaml, stages: the acceptance has its own handler", "handlers")
def acceptance_names_the_handler_of_the_intake(patch: Patch) -> None:
    """The acceptance names the handler of the intake."""
    _item_property(patch, "acceptance", lambda stage: stage.model_copy(update={"handler": load_item().title}))


@catalogue.defect("item.yaml, complaints: a refused citizen gets every contact", "complaints.yaml")
def refusal_gives_the_first_contact_only(patch: Patch) -> None:
    """A refusal gives only the first contact for complaints."""

    def begin(refusal: Refusal, grounds: Any, complaints: tuple[Contact, ...] = ()) -> None:
        original(refusal, grounds, complaints[:1])

    original = patch.attribute(Refusal, "__init__", begin)


@catalogue.defect("item.yaml, visits: a day on site is a visit, online none", "visits or feedback")
def every_case_takes_one_visit(patch: Patch) -> None:
    """Every case counts as one visit."""
    patch.attribute(Case, "days_on_site", property(lambda _case: frozenset({date(2026, 3, 2)})))


@catalogue.defect("item.yaml, fee: the result notice states the one of the item", "result-notice or result-elsewhere")
def result_notice_states_a_fee(patch: Patch) -> None:
    """The result notice states a fee."""
    original = aftercare.result_notice
    patch.function(original, lambda *given: replace(original(*given), fee="5.00"))


@catalogue.defect("item.yaml, questions: the result notice quotes the advice", "result-notice or result-elsewhere")
def result_notice_has_no_advice(patch: Patch) -> None:
    """The result notice has no advice."""
    original = aftercare.result_notice
    patch.function(original, lambda *given: replace(original(*given), advice=Words("none", "无")))


@catalogue.defect("item.yaml, limit of the number: none", "no-number-limit")
def third_application_of_a_day_is_refused(patch: Patch) -> None:
    """The third application of a day is refused."""

    def accept(service: PinService, case: Case) -> Any:
        if case.number.endswith("3"):
            return Refusal((Ground(Rule.REASON, "", Phrase("{text}", text="3")),))
        return original(service, case)

    original = patch.attribute(PinService, "accept", accept)


DEFECTS = tuple(catalogue.defects)
