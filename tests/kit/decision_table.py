"""What the item says of each application: one readable table, written from its page, the policies and the law.

It is the oracle of ``service/test_decisions.py`` and calls nothing of the service.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from sscard.service import ApplicantKind, Channel, Document, Paper, Presence, ProofResult, Reason, Standing, WhichPin
from sscard.service.words import Proof

TODAY = date(2026, 3, 2)
YESTERDAY = date(2026, 3, 1)


class Id(NamedTuple):
    """An identity document: its number, the documents of that form, which one is stated, its last day, the age."""

    number: str
    forms: tuple[Document, ...]
    age: int | None = None
    stated: Document | None = None
    expires: date | None = None
    genuine: bool = True


ID, REGISTER, PASSPORT = Document.RESIDENT_ID, Document.HOUSEHOLD_REGISTER, Document.PASSPORT
PERMIT, MAINLAND, TAIWAN = Document.RESIDENCE_PERMIT, Document.MAINLAND_TRAVEL_PERMIT, Document.TAIWAN_TRAVEL_PERMIT
FOREIGN = Document.PERMANENT_RESIDENCE_ID
ADULT, CHILD, FORGED = "410402198503150009", "410402201503150003", "410402198503150008"
EIGHTEEN_TODAY, EIGHTEEN_TOMORROW = "410402200803020003", "410402200803030017"
SIXTEEN_TODAY, SIXTEEN_TOMORROW = "41040220100302000X", "410402201003030013"
IDS = {
    "resident": Id(ADULT, (ID, REGISTER), 40),
    "resident, last day today": Id(ADULT, (ID, REGISTER), 40, ID, TODAY),
    "resident, expired": Id(ADULT, (ID, REGISTER), 40, ID, YESTERDAY),
    "resident, forged": Id(FORGED, (ID, REGISTER), None, ID, genuine=False),
    "resident, forged and expired": Id(FORGED, (ID, REGISTER), None, None, YESTERDAY, genuine=False),
    "resident, 18 today": Id(EIGHTEEN_TODAY, (ID, REGISTER), 18, ID),
    "resident, 18 tomorrow": Id(EIGHTEEN_TOMORROW, (ID, REGISTER), 17, ID),
    "resident, 16 today": Id(SIXTEEN_TODAY, (ID, REGISTER), 16, ID),
    "resident, 16 tomorrow": Id(SIXTEEN_TOMORROW, (ID, REGISTER), 15, ID),
    "resident, a child": Id(CHILD, (ID, REGISTER), 10),
    "register": Id(ADULT, (ID, REGISTER), 40, REGISTER),
    "register, 18 today": Id(EIGHTEEN_TODAY, (ID, REGISTER), 18, REGISTER),
    "register, 18 tomorrow": Id(EIGHTEEN_TOMORROW, (ID, REGISTER), 17, REGISTER),
    "register, 16 today": Id(SIXTEEN_TODAY, (ID, REGISTER), 16, REGISTER),
    "register, 16 tomorrow": Id(SIXTEEN_TOMORROW, (ID, REGISTER), 15, REGISTER),
    "register, a child": Id(CHILD, (ID, REGISTER), 10, REGISTER),
    "residence permit": Id("810000199001010000", (PERMIT,), 36),
    "residence permit, a child": Id("810000201503150003", (PERMIT,), 10),
    "permit of Hong Kong or Macao": Id("H12345678", (MAINLAND, PASSPORT)),
    "permit of Hong Kong or Macao, issue 01": Id("M1234567801", (MAINLAND,)),
    "permit of Taiwan, expired": Id("12345678", (TAIWAN, PASSPORT), None, TAIWAN, YESTERDAY),
    "permit of Taiwan": Id("12345678", (TAIWAN, PASSPORT)),
    "permanent residence": Id("911124198108030024", (FOREIGN,), 44),
    "permanent residence of before 2023": Id("KAZ110090123105", (FOREIGN,), 35),
    "passport": Id("E12345678", (PASSPORT,)),
    "passport of the form of a permit": Id("H12345678", (MAINLAND, PASSPORT), None, PASSPORT),
    "passport, said to be a resident ID card": Id("E12345678", (PASSPORT,), None, ID, genuine=False),
}


class Rules(NamedTuple):
    """What the item leaves open and a policy decides."""

    proxy: bool
    unblock: bool
    minors: str
    adult_age: int
    register_age: int
    card_as_id: bool
    documents: dict[ApplicantKind, frozenset[Document]]


def _allowed(citizen: str, hong_kong: str, overseas: str, foreigner: str) -> dict[ApplicantKind, frozenset[Document]]:
    names = (citizen, hong_kong, overseas, foreigner)
    return {kind: frozenset(map(Document, text.split())) for kind, text in zip(ApplicantKind, names, strict=True)}


PERMITS = "residence-permit mainland-travel-permit taiwan-travel-permit"
# The page names the resident ID card for everybody; whoever has none shows another document.
PAGE = _allowed(
    "resident-id household-register",
    f"resident-id {PERMITS}",
    "resident-id passport",
    "resident-id permanent-residence-id passport",
)
KAIFENG = _allowed("resident-id household-register", PERMITS, "passport", "passport permanent-residence-id")
POLICIES = {
    "page": Rules(False, False, "refuse", 18, 16, False, PAGE),
    "henan": Rules(False, False, "with guardian", 16, 16, True, KAIFENG),
    "generous": Rules(True, True, "accept", 18, 18, False, PAGE),
    "families": Rules(True, False, "with guardian", 18, 16, False, PAGE),
    "young adults": Rules(True, True, "with guardian", 16, 18, True, PAGE),
}


class Offered(NamedTuple):
    """What an item offers: channels, steps online; and the fields by which it differs from the page."""

    channels: frozenset[Channel]
    steps: frozenset[str]
    fields: dict[str, str]


EVERYWHERE = frozenset(Channel)
ALL_STEPS = frozenset({"intake", "pre-review", "acceptance", "operation"})
"""Steps online without which something is refused or left out; consultation and result are others."""
ITEMS = {
    "page": Offered(EVERYWHERE, ALL_STEPS, {}),
    "no terminals": Offered(EVERYWHERE - {Channel.SELF_SERVICE}, ALL_STEPS, {"self_service": "否"}),
    "windows alone": Offered(frozenset({Channel.WINDOW}), ALL_STEPS, {"self_service": "否", "forms": "窗口办理"}),
    "terminals alone": Offered(frozenset({Channel.SELF_SERVICE}), ALL_STEPS, {"forms": ""}),
    "inquiries online": Offered(EVERYWHERE, frozenset(), {"online_depth": "互联网咨询"}),
    "applications online": Offered(
        EVERYWHERE, ALL_STEPS - {"operation"}, {"online_depth": "互联网咨询、互联网收件、互联网预审、互联网受理"}
    ),
    "accepted elsewhere": Offered(
        EVERYWHERE,
        ALL_STEPS - {"pre-review", "acceptance"},
        {"online_depth": "互联网收件、互联网办理、互联网办理结果信息反馈"},
    ),
}
PROOFS = {
    "none": dict.fromkeys(Channel, Proof.NONE),
    "readers": {Channel.WINDOW: Proof.ID_READER, Channel.SELF_SERVICE: Proof.ID_READER, Channel.ONLINE: Proof.FACE},
    "faces": {Channel.WINDOW: Proof.NONE, Channel.SELF_SERVICE: Proof.FACE, Channel.ONLINE: Proof.SMS},
}


class Comer(NamedTuple):
    """Who comes, and the number of the one who acts for the applicant, if there is one and it is stated."""

    presence: Presence
    number: str = ""
    genuine: bool = True


AGENT, NO_AGENT = "11010519491231002X", "110105194912310021"
COMERS = {
    "the applicant": Comer(Presence.IN_PERSON),
    "a guardian": Comer(Presence.GUARDIAN, AGENT),
    "a guardian, not named": Comer(Presence.GUARDIAN),
    "a guardian, forged": Comer(Presence.GUARDIAN, NO_AGENT, genuine=False),
    "a proxy": Comer(Presence.PROXY, AGENT),
    "a proxy, not named": Comer(Presence.PROXY),
    "a proxy, forged": Comer(Presence.PROXY, NO_AGENT, genuine=False),
}


class Card(NamedTuple):
    """A social security card: the city that issued it, whose it is, its last day."""

    city: str = "410400"
    holder: str = "the applicant"
    expires: str = "20350106"


CARDS = {
    "in order": Card(),
    "of another city": Card(city="410100"),
    "of another province": Card(city="510100"),
    "of another person": Card(holder="another"),
    "last day today": Card(expires="20260302"),
    "expired": Card(expires="20260301"),
    "without a last day": Card(expires=""),
}
OWN = (Paper.ID_CARD, Paper.SOCIAL_SECURITY_CARD)
AGENTS = {
    Presence.IN_PERSON: (),
    Presence.GUARDIAN: (Paper.GUARDIAN_ID, Paper.GUARDIANSHIP),
    Presence.PROXY: (Paper.PROXY_ID, Paper.LETTER_OF_AUTHORITY),
}
"""The papers of a person who acts, in the order of the notice: the own document first."""
HANDS_OVER = {
    Channel.WINDOW: (),
    Channel.SELF_SERVICE: (Channel.WINDOW,),
    Channel.ONLINE: (Channel.WINDOW, Channel.SELF_SERVICE),
}


@dataclass(frozen=True)
class Asked:
    """One application, in the words of the table below; each field is a dimension, its first value is in order."""

    channel: Channel
    kind: ApplicantKind
    comer: Comer
    id: Id
    policy: str
    region: tuple[bool, bool]
    """Lives in the province; works or is insured there."""
    handling: Channel | None
    own: frozenset[Paper]
    others: frozenset[Paper]
    """Papers of a person who acts, of the one who does and of another."""
    card: Card
    readable: bool
    standing: Standing
    base: str
    reason: Reason | None
    which: WhichPin
    name: str
    item: str
    proofs: str
    proof: ProofResult | None

    @property
    def rules(self) -> Rules:
        return POLICIES[self.policy]

    @property
    def papers(self) -> frozenset[Paper]:
        return self.own | self.others

    @property
    def presence(self) -> Presence:
        return self.comer.presence

    @property
    def document(self) -> Document:
        """The one stated; else of those with a number of this form, the one for the kind of applicant and the age."""
        accepted = [form for form in self.id.forms if form in self.rules.documents[self.kind]]
        if self.child and REGISTER in accepted:
            return self.id.stated or REGISTER
        return self.id.stated or [*accepted, *self.id.forms][0]

    @property
    def accepted(self) -> bool:
        """Whether the document is one for the kind of applicant, and for the age."""
        below = self.document is not REGISTER or self.child
        return self.document in self.rules.documents[self.kind] and below

    @property
    def minor(self) -> bool:
        return self.id.age is not None and self.id.age < self.rules.adult_age

    @property
    def child(self) -> bool:
        """Whether a household register is for this kind of applicant at this age."""
        young = self.id.age is not None and self.id.age < self.rules.register_age
        return young and REGISTER in self.rules.documents[self.kind]

    @property
    def shows_id(self) -> bool:
        return Paper.ID_CARD in self.own

    @property
    def shows_card(self) -> bool:
        return Paper.SOCIAL_SECURITY_CARD in self.own

    @property
    def card_is_id(self) -> bool:
        """Whether the card is the identity document too, because no other is shown."""
        return self.rules.card_as_id and self.shows_card and not self.shows_id and not self.child

    @property
    def identified(self) -> bool:
        return self.shows_id or self.card_is_id

    @property
    def card_read(self) -> bool:
        return self.shows_card and self.readable

    @property
    def offered(self) -> bool:
        return self.channel in ITEMS[self.item].channels

    @property
    def steps(self) -> frozenset[str]:
        """The steps that the item offers online."""
        return ITEMS[self.item].steps

    @property
    def hands_over(self) -> bool:
        return self.handling in HANDS_OVER[self.channel] and self.handling in ITEMS[self.item].channels

    @property
    def elsewhere(self) -> bool:
        """Whether another channel operates the card."""
        return self.handling not in (None, self.channel)

    @property
    def acts_for_minor(self) -> bool:
        return self.presence == "guardian" and self.minor

    @property
    def proof_required(self) -> bool:
        return PROOFS[self.proofs][self.channel] != "none"

    @property
    def proof_at_window(self) -> bool:
        """Whether the window requires a proof of identity after a hand-over, of a kind that was not made before."""
        proofs = PROOFS[self.proofs]
        return proofs[Channel.WINDOW] not in ("none", proofs[self.channel])

    @property
    def pre_reviewed(self) -> bool:
        return self.channel == "online" and "pre-review" in self.steps

    @property
    def base_is_down(self) -> bool:
        return self.base == "down" and self.card_read


# The item's text on the left (or, where it is silent, policy.yaml), what it refuses on the right.
# An application is refused with the ground of every row that is true for it. Where none is, it is asked for the papers
# that are missing, all at once; where none is missing, it waits for the proof of identity, and is accepted.
# fmt: off
TABLE: tuple[tuple[str, str, Callable[[Asked], bool]], ...] = (
    # 办理形式
    ("办理形式", "channel", lambda a: not a.offered),
    ("可转的办理渠道", "channel", lambda a: a.offered and a.elsewhere and not a.hands_over),
    # 网上办理深度
    ("互联网收件", "online-step", lambda a: a.channel == "online" and "intake" not in a.steps),
    ("互联网受理、互联网办理", "online-step", lambda a: a.channel == "online" and "intake" in a.steps
     and not a.elsewhere and not {"acceptance", "operation"} <= a.steps),
    # 申请条件 一
    ("在我省居住的中国公民", "person", lambda a: a.kind == "citizen" and not a.region[0]),
    ("在我省就业或参保的港澳台居民、华侨和外国人", "person", lambda a: a.kind != "citizen" and not a.region[1]),
    # 服务对象：自然人
    ("代办人", "presence", lambda a: a.channel == "window" and a.presence == "proxy" and not a.rules.proxy),
    ("成年人的监护人", "presence", lambda a: a.channel == "window" and a.presence == "guardian" and not a.minor
     and not a.rules.proxy),
    ("代办人、监护人到窗口", "presence", lambda a: a.channel != "window" and a.presence != "in-person"),
    ("代办人、监护人未写明", "presence", lambda a: a.channel == "window" and a.presence != "in-person"
     and not a.comer.number and (a.rules.proxy or a.acts_for_minor)),
    ("未成年人", "age", lambda a: a.minor and a.rules.minors == "refuse"),
    ("未成年人由监护人陪同", "age", lambda a: a.minor and a.rules.minors == "with guardian"
     and a.presence != "guardian"),
    # 申请条件 二
    ("已办理过我省社会保障卡", "card", lambda a: a.card_read and not a.card.city.startswith("41")),
    # 申请条件 三
    ("因密码外泄、密码遗忘、社保卡锁定", "reason", lambda a: a.reason is None),
    ("社保卡锁定，记得密码", "reason", lambda a: a.reason == "locked-known" and not a.rules.unblock),
    # 行使内容
    ("银行密码", "which-pin", lambda a: a.which == "bank"),
    ("电子社保卡密码", "which-pin", lambda a: a.which == "electronic"),
    ("查询密码", "which-pin", lambda a: a.which == "query"),
    # 受理标准：材料真实有效
    ("身份证真实", "genuine-papers", lambda a: a.shows_id and not a.id.genuine),
    ("身份证件适用", "genuine-papers", lambda a: a.shows_id and a.id.genuine
     and a.document not in a.rules.documents[a.kind]),
    ("户口簿限未满年龄", "genuine-papers", lambda a: a.shows_id and a.id.genuine and a.document == "household-register"
     and a.document in a.rules.documents[a.kind] and not a.child),
    ("身份证有效", "genuine-papers", lambda a: a.shows_id and a.id.expires == YESTERDAY),
    ("社保卡可读", "genuine-papers", lambda a: a.shows_card and not a.readable and not a.elsewhere),
    *((f"社保卡{state.chinese}", "genuine-papers", lambda a, state=state: a.card_read and a.standing == state)
      for state in Standing if state != "in-use"),
    ("社保卡有效", "genuine-papers", lambda a: a.card_read and a.card.expires == "20260301"
     and a.standing != "expired"),
    ("人卡一致", "same-person", lambda a: a.card_read and a.identified and a.card.holder == "another"),
    ("姓名一致", "same-person", lambda a: a.card_read and a.identified and a.card.holder != "another"
     and a.name == "李四"),
    ("监护人身份证真实", "genuine-papers", lambda a: a.presence == "guardian" and not a.comer.genuine
     and Paper.GUARDIAN_ID in a.others),
    ("代办人身份证真实", "genuine-papers", lambda a: a.presence == "proxy" and not a.comer.genuine
     and Paper.PROXY_ID in a.others),
    ("身份核验", "identity", lambda a: a.proof_required and a.proof == "failed"),
    # 是否支持自助终端办理：是, with an ID reader and no clerk
    ("终端读不出护照", "channel", lambda a: a.channel == "self-service" and a.shows_id and a.id.genuine and a.accepted
     and a.document == "passport"),
    ("终端读不出户口簿", "channel", lambda a: a.channel == "self-service" and a.shows_id and a.id.genuine and a.accepted
     and a.document == "household-register"),
)
# fmt: on


def true_rows(asked: Asked) -> list[tuple[str, str]]:
    """Text and ground of the rows that are true."""
    return [(words, rule) for words, rule, holds in TABLE if holds(asked)]


def missing(asked: Asked) -> tuple[Paper, ...]:
    """The papers of the supplement notice, in its order."""
    required = (*OWN, *AGENTS[asked.presence])
    instead = {Paper.ID_CARD} if asked.card_is_id else set()
    return tuple(paper for paper in required if paper not in asked.papers | instead)


def expected(asked: Asked) -> tuple[str, tuple[str, ...]]:
    """The decision, and its grounds in alphabetical order or missing papers in theirs."""
    grounds = tuple(sorted(rule for _, rule in true_rows(asked)))
    if grounds:
        return "refused", grounds
    if papers := missing(asked):
        return "supplement", papers
    return ("waiting" if asked.proof_required and asked.proof != "passed" else "accepted"), ()
