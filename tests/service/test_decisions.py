"""Every application that can be made, and what the item says of it: one table, thousands of cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import product
from typing import NamedTuple

import pytest

from kit.citizens import make_citizen
from sscard.service import (
    Acceptance,
    Applicant,
    ApplicantKind,
    Application,
    Channel,
    Document,
    Paper,
    PinService,
    Policy,
    Presence,
    Reason,
    Refusal,
    Stage,
    Standing,
    SupplementNotice,
    load_policy,
)
from sscard.terminal import BasicData, Identity

MONDAY = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
RESIDENT, CHILD = "410402198503150009", "410402201503150003"
PERMIT, FOREIGN = "810000199001010000", "911124198108030024"
PASSPORT, FORGED = "E12345678", "410402198503150008"


class Id(NamedTuple):
    """An identity document: its number, its last day, what it is."""

    number: str
    expires: date | None
    document: Document
    genuine: bool = True
    minor: bool = False


IDS = {
    "resident": Id(RESIDENT, None, Document.RESIDENT_ID),
    "resident, last day today": Id(RESIDENT, date(2026, 3, 2), Document.RESIDENT_ID),
    "resident, expired": Id(RESIDENT, date(2026, 3, 1), Document.RESIDENT_ID),
    "resident, forged": Id(FORGED, None, Document.RESIDENT_ID, genuine=False),
    "resident, a child": Id(CHILD, None, Document.RESIDENT_ID, minor=True),
    "residence permit": Id(PERMIT, None, Document.RESIDENCE_PERMIT),
    "permanent residence": Id(FOREIGN, None, Document.PERMANENT_RESIDENCE_ID),
    "passport": Id(PASSPORT, None, Document.PASSPORT),
}


class Card(NamedTuple):
    """A social security card as the terminal finds it."""

    read: bool = True
    ours: bool = True
    holder: str = "the applicant"
    standing: Standing = Standing.IN_USE
    expires: str = "20350106"


CARDS = {
    "in order": Card(),
    "unreadable": Card(read=False),
    "of another province": Card(ours=False),
    "of another person": Card(holder="another"),
    "lost": Card(standing=Standing.LOST),
    "blacklisted": Card(standing=Standing.BLACKLISTED),
    "cancelled": Card(standing=Standing.CANCELLED),
    "expired": Card(expires="20260301"),
}
NUMBERS = {"in-use": "A00000011", "lost": "L00000011", "blacklisted": "B00000055", "cancelled": "C00000011"}
LISTED = [
    {"first": "L00000011", "standing": "lost"},
    {"first": "B00000000", "last": "B00000099", "standing": "blacklisted"},
    {"first": "C00000011", "standing": "cancelled"},
]
BOTH = frozenset({Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD})
PLACES = ((True, False), (False, True), (False, False))
"""Lives in the province; works or is insured there."""
COMERS = [
    *((Presence.IN_PERSON, document) for document in IDS.values()),
    *product((Presence.PROXY, Presence.GUARDIAN), (IDS["resident"], IDS["resident, a child"])),
]
REASONS = (*Reason, None)
PAPERS = (BOTH, frozenset({Paper.ID_CARD}), frozenset({Paper.SOCIAL_SECURITY_CARD}), frozenset())


@dataclass(frozen=True)
class Asked:
    """One application, in the words of the table below."""

    channel: Channel
    kind: ApplicantKind
    lives: bool
    works: bool
    presence: Presence
    id: Id
    papers: frozenset[Paper]
    card: Card
    reason: Reason | None

    @property
    def shows_id(self) -> bool:
        return Paper.ID_CARD in self.papers

    @property
    def shows_card(self) -> bool:
        return Paper.SOCIAL_SECURITY_CARD in self.papers

    @property
    def card_read(self) -> bool:
        return self.shows_card and self.card.read


# The item's text on the left (or, where it is silent, policy.yaml), what it refuses on the right.
# An application is refused with the ground of every row that is true for it. Where none is, it is
# asked for the papers that are missing, all at once; where none is missing, it is accepted.
ALLOWED = {
    ApplicantKind.CITIZEN: {Document.RESIDENT_ID},
    ApplicantKind.HONG_KONG_MACAO_TAIWAN: {Document.RESIDENT_ID, Document.RESIDENCE_PERMIT},
    ApplicantKind.OVERSEAS_CHINESE: {Document.RESIDENT_ID, Document.PASSPORT},
    ApplicantKind.FOREIGNER: {Document.RESIDENT_ID, Document.PERMANENT_RESIDENCE_ID, Document.PASSPORT},
}
# fmt: off
TABLE: tuple[tuple[str, str, Callable[[Asked], bool]], ...] = (
    # 申请条件 一
    ("在我省居住的中国公民", "person", lambda a: a.kind == "citizen" and not a.lives),
    ("在我省就业或参保的港澳台居民、华侨和外国人", "person", lambda a: a.kind != "citizen" and not a.works),
    # 服务对象：自然人 (policy: no proxies, no minors)
    ("本人办理", "presence", lambda a: a.presence == "proxy" or (a.presence == "guardian" and not a.id.minor)),
    ("监护人到窗口", "presence", lambda a: a.presence == "guardian" and a.id.minor and a.channel != "window"),
    ("未成年人", "age", lambda a: a.id.minor),
    # 申请条件 二
    ("已办理过我省社会保障卡", "card", lambda a: a.card_read and not a.card.ours),
    # 申请条件 三
    # (policy: no unblock)
    ("因密码外泄、密码遗忘、社保卡锁定", "reason", lambda a: a.reason in (None, Reason.LOCKED_KNOWN)),
    # 受理标准：材料真实有效
    ("身份证真实", "genuine-papers", lambda a: a.shows_id and not a.id.genuine),
    ("身份证件适用", "genuine-papers", lambda a: a.shows_id and a.id.genuine and a.id.document not in ALLOWED[a.kind]),
    ("身份证有效", "genuine-papers", lambda a: a.shows_id and a.id.expires == date(2026, 3, 1)),
    ("社保卡可读", "genuine-papers", lambda a: a.shows_card and not a.card.read),
    ("社保卡正常", "genuine-papers", lambda a: a.card_read and a.card.standing != "in-use"),
    ("社保卡有效", "genuine-papers", lambda a: a.card_read and a.card.expires < "20260302"),
    ("人卡一致", "same-person", lambda a: a.card_read and a.shows_id and a.card.holder == "another"),
    # 是否支持自助终端办理：是, with an ID reader and no clerk
    ("终端读得出的证件", "channel", lambda a: a.channel == "self-service" and a.shows_id and a.id.document == "passport"
     and "passport" in ALLOWED[a.kind]),
)
# fmt: on


def expected(asked: Asked) -> tuple[str, tuple[str, ...]]:
    grounds = tuple(sorted(rule for _, rule, holds in TABLE if holds(asked)))
    if grounds:
        return "refused", grounds
    missing = tuple(sorted(BOTH - asked.papers))
    return ("supplement", missing) if missing else ("accepted", ())


def found(service: PinService, asked: Asked) -> tuple[str, tuple[str, ...]]:
    case = service.intake(application(asked))
    answer = service.accept(case)
    if isinstance(answer, Refusal):
        assert case.stage is Stage.REFUSED
        return "refused", tuple(sorted(ground.rule for ground in answer.grounds))
    if isinstance(answer, SupplementNotice):
        assert case.stage is Stage.SUPPLEMENT
        return "supplement", tuple(sorted(answer.papers))
    assert isinstance(answer, Acceptance)
    assert case.stage is Stage.ACCEPTED
    assert case.due is not None
    assert (case.due.day, case.due.certain) == (date(2026, 3, 3), True)
    return "accepted", ()


def application(asked: Asked) -> Application:
    applicant = Applicant(
        name="张三",
        id_number=asked.id.number,
        id_expires=asked.id.expires,
        kind=asked.kind,
        lives_in_province=asked.lives,
        works_or_insured_in_province=asked.works,
        presence=asked.presence,
    )
    card = basic(asked) if asked.card_read else None
    return Application(applicant, asked.channel, asked.reason, asked.papers, card)


def basic(asked: Asked) -> BasicData:
    city = "410400" if asked.card.ours else "510100"
    holder = asked.id.number if asked.card.holder == "the applicant" else "410403199001010023"
    identity = Identity(f"{city}{BASIC.identity.identification_code[6:]}", NUMBERS[asked.card.standing.value])
    return replace(BASIC, identity=identity, social_security_number=holder, expires=asked.card.expires)


BASIC = make_citizen().basic
LIST = Policy.model_validate({"documents": ALLOWED, "cards": LISTED}).cards
SERVICE = PinService(lambda: MONDAY, policy=load_policy().model_copy(update={"cards": LIST}))


def applications(channel: Channel, kind: ApplicantKind) -> Iterator[Asked]:
    """All of one channel and kind of applicant."""
    for place, (presence, document), papers, card, reason in product(PLACES, COMERS, PAPERS, CARDS.values(), REASONS):
        yield Asked(channel, kind, *place, presence, document, papers, card, reason)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ApplicantKind)
@pytest.mark.parametrize("channel", Channel)
def test_every_application_ends_as_the_item_says(channel: Channel, kind: ApplicantKind) -> None:
    wrong = []
    outcomes = Counter[str]()
    for asked in applications(channel, kind):
        wanted, got = expected(asked), found(SERVICE, asked)
        outcomes[wanted[0]] += 1
        if wanted != got:
            wrong.append((asked, wanted, got))
    assert wrong[:3] == []
    assert min(outcomes[outcome] for outcome in ("accepted", "supplement", "refused")) > 5
    assert outcomes.total() > 1000


def test_no_row_of_the_table_is_idle() -> None:
    every = [asked for channel in Channel for kind in ApplicantKind for asked in applications(channel, kind)]
    assert [words for words, _, holds in TABLE if not any(holds(asked) for asked in every)] == []
