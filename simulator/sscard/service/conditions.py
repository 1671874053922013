"""The item's conditions (申请条件, 受理标准) as checks: each finds one ground of refusal, or none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stdnum.cn import ric

from sscard.service.case import Case
from sscard.service.item import Item
from sscard.service.notices import Ground, Rule
from sscard.service.words import ApplicantKind, Paper

Check = Callable[[Item, Case], Ground | None]


def _channel(item: Item, case: Case) -> Ground | None:
    if case.application.channel in item.channels:
        return None
    return Ground(Rule.CHANNEL, item.basic.forms, f"不提供{case.application.channel.chinese}")


def _person(item: Item, case: Case) -> Ground | None:
    applicant = case.application.applicant
    if applicant.kind is ApplicantKind.CITIZEN:
        return None if applicant.lives_in_province else Ground(Rule.PERSON, item.conditions[0], "申请人不在我省居住")
    if applicant.works_or_insured_in_province:
        return None
    return Ground(Rule.PERSON, item.conditions[0], f"申请人（{applicant.kind.chinese}）未在我省就业或参保")


def _card(item: Item, case: Case) -> Ground | None:
    if case.card is None or case.card.identity.city_code.startswith(item.province):
        return None
    return Ground(Rule.CARD, item.conditions[1], "所持社会保障卡不是我省发放")


def _reason(item: Item, case: Case) -> Ground | None:
    if case.application.reason is not None:
        return None
    return Ground(Rule.REASON, item.conditions[2], "没有修改或重置密码的事由")


def _genuine_id(item: Item, case: Case) -> Ground | None:
    applicant = case.application.applicant
    if Paper.ID_CARD not in case.papers or applicant.kind is not ApplicantKind.CITIZEN:
        return None
    if ric.is_valid(applicant.id_number):
        return None
    return Ground(Rule.GENUINE_PAPERS, item.paper_criterion, "居民身份证号码无效")


def _readable_card(item: Item, case: Case) -> Ground | None:
    if Paper.SOCIAL_SECURITY_CARD not in case.papers or case.card is not None:
        return None
    return Ground(Rule.GENUINE_PAPERS, item.paper_criterion, "社会保障卡读不出")


def _same_person(item: Item, case: Case) -> Ground | None:
    if case.card is None or Paper.ID_CARD not in case.papers:
        return None
    if case.card.social_security_number.upper() == case.application.applicant.id_number.upper():
        return None
    return Ground(Rule.SAME_PERSON, item.paper_criterion, "身份证与社会保障卡不是同一人的")


CHECKS: Final[tuple[Check, ...]] = (_channel, _person, _card, _reason, _genuine_id, _readable_card, _same_person)


def grounds_against(item: Item, case: Case) -> tuple[Ground, ...]:
    """Every ground that what was handed in so far gives to refuse; a missing paper is none."""
    found = (check(item, case) for check in CHECKS)
    return tuple(ground for ground in found if ground is not None)


def missing_papers(item: Item, case: Case) -> tuple[Paper, ...]:
    """The papers of the item that are not there, in its order."""
    return tuple(paper for paper in item.papers if paper not in case.papers)
