"""Observations that change with the defects of ``sscard.scenario.defects.item``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from kit.citizens import NEW_PIN, Ticking, make_citizen
from sscard.service import Case, Channel, Item, PinService, Reason, load_item
from witnesses.witness import Witness


def _item(section: str = "basic", **fields: Any) -> Item:
    item = load_item()
    return item.model_copy(update={section: getattr(item, section).model_copy(update=fields)})


def _case(item: Item, channel: Channel, handling: Channel | None = None, reason: Reason | None = Reason.LEAKED) -> Any:
    """The service, a case after its examination, and the answer."""
    service, citizen = PinService(Ticking(), item), make_citizen()
    case = service.intake(replace(citizen.application(reason, channel), handling=handling))
    return service, citizen, case, service.accept(case)


def _answer(item: Item, channel: Channel, handling: Channel | None = None) -> list[object]:
    *_, case, answer = _case(item, channel, handling)
    return [case.stage, dict(case.handlers), answer.text]


def _result(item: Item, channel: Channel, handling: Channel | None = None) -> str:
    service, citizen, case, _ = _case(item, channel, handling, Reason.FORGOTTEN)
    service.operate(case, citizen.session, NEW_PIN)
    notice = service.complete(case, citizen.session, NEW_PIN)
    return f"{notice.text} {notice.visits} {notice.feedback}"


def _past_legal() -> bool:
    *_, case, _ = _case(_item(legal_limit="5 个工作日"), Channel.WINDOW)
    return bool(Case(case.number, case.events).is_past_legal(date(2026, 3, 5)))


def _third_answer() -> str:
    service, citizen = PinService(Ticking()), make_citizen()
    cases = [service.intake(citizen.application(Reason.LEAKED)) for _ in range(3)]
    return type(service.accept(cases[-1])).__name__


NO_STEP = _item(online_depth="互联网收件")
LATE = _item(legal_limit="5 个工作日")

WITNESSES: Mapping[str, Witness] = {
    "acceptance-stays-online": lambda: _answer(NO_STEP, Channel.ONLINE, Channel.WINDOW),
    "result-is-sent-online-anyway": lambda: _result(NO_STEP, Channel.ONLINE, Channel.WINDOW),
    "result-of-a-handed-over-case-is-not-sent-online": lambda: _result(load_item(), Channel.ONLINE, Channel.WINDOW),
    "inquiries-are-always-answered-online": lambda: PinService(Ticking(), NO_STEP).consult(Channel.ONLINE).text,
    "terminals-are-always-supported": lambda: _answer(_item("extended", self_service="否"), Channel.SELF_SERVICE),
    "online-is-always-offered": lambda: _answer(_item(forms="窗口办理"), Channel.ONLINE),
    "legal-limit-is-not-named": lambda: _answer(LATE, Channel.WINDOW),
    "legal-limit-is-taken-for-the-promised-one": _past_legal,
    "acceptance-names-the-handler-of-the-intake": lambda: _answer(load_item(), Channel.WINDOW),
    "refusal-gives-the-first-contact-only": lambda: _case(load_item(), Channel.WINDOW, None, None)[-1].text,
    "every-case-takes-one-visit": lambda: _result(load_item(), Channel.ONLINE),
    "result-notice-states-a-fee": lambda: _result(load_item(), Channel.WINDOW),
    "result-notice-has-no-advice": lambda: _result(load_item(), Channel.WINDOW),
    "third-application-of-a-day-is-refused": _third_answer,
}
