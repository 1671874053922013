"""Applications at the service in tens of thousands, drawn from the dimensions of ``decision_table``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from itertools import combinations, count, islice, product
from random import Random
from typing import Any, Final

from kit.citizens import make_citizen
from kit.decision_table import (
    AGENTS,
    CARDS,
    COMERS,
    IDS,
    ITEMS,
    OWN,
    POLICIES,
    PROOFS,
    Asked,
    true_rows,
)
from sscard.errors import HolderBaseUnavailable
from sscard.service import (
    Acceptance,
    Act,
    Agent,
    Applicant,
    ApplicantKind,
    Application,
    Case,
    Channel,
    Paper,
    PinService,
    Policy,
    Presence,
    ProofResult,
    Reason,
    Refusal,
    Stage,
    Standing,
    SupplementNotice,
    Waiting,
    WhichPin,
    load_item,
    load_policy,
)
from sscard.service.policy import preset_policy
from sscard.terminal import BasicData, Identity

MONDAY: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
PER_COMBINATION: Final = 3
PER_CHANNEL: Final = 3_000
"""Applications with one ground of refusal at most."""
IN_ORDER: Final = 0.85
"""Share of the drawn values that are in order, so that many applications have only one or two faults."""

Outcome = tuple[str, tuple[str, ...]]
Values = tuple[int, ...]
"""Of each dimension, the position of the value."""


def subsets(*papers: Paper) -> tuple[frozenset[Paper], ...]:
    """From all to none."""
    return tuple(frozenset(some) for count in range(len(papers), -1, -1) for some in combinations(papers, count))


ACTING: Final = (*AGENTS[Presence.GUARDIAN], *AGENTS[Presence.PROXY])
COMBINED: Final[dict[str, tuple[Any, ...]]] = {
    "channel": tuple(Channel),
    "kind": tuple(ApplicantKind),
    "comer": tuple(COMERS.values()),
    "id": tuple(IDS.values()),
    "policy": tuple(POLICIES),
}
"""The dimensions of which every combination is made."""
DRAWN: Final[dict[str, tuple[Any, ...]]] = {
    "region": tuple(product((True, False), repeat=2)),
    "handling": (None, *Channel),
    "own": subsets(*OWN),
    "others": subsets(*ACTING),
    "card": tuple(CARDS.values()),
    "readable": (True, False),
    "standing": tuple(Standing),
    "base": ("up", "down"),
    "reason": (*Reason, None),
    "which": tuple(WhichPin),
    "name": ("张三", "", "张\u3000三", "李四"),
    "item": tuple(ITEMS),
    "proofs": tuple(PROOFS),
    "proof": (*ProofResult, None),
}
"""The dimensions of which values are drawn for each combination."""
EVENLY: Final = frozenset({"channel", "kind", "id", "policy", "others", "proofs", "proof"})
"""Dimensions of which each value is drawn as often as another, because most are in order for somebody."""
DIMENSIONS: Final = {**COMBINED, **DRAWN}


def drawn(random: Random, name: str) -> int:
    size = len(DIMENSIONS[name])
    return 0 if name not in EVENLY and random.random() < IN_ORDER else random.randrange(size)


@cache
def combined(channel: int) -> tuple[Values, ...]:
    """Applications at one channel, the same in each run: every combination, and for each some of the drawn values."""
    random = Random(channel)
    sizes = (len(each) for each in islice(COMBINED.values(), 1, None))
    every = product((channel,), *map(range, sizes), range(PER_COMBINATION))
    return tuple((*chosen[:-1], *(drawn(random, name) for name in DRAWN)) for chosen in every)


@cache
def nearly_in_order(channel: int) -> tuple[Asked, ...]:
    """Applications at one channel, the same in each run, that one row of the table refuses, or none."""
    random = Random(channel)
    every = (asked_of((channel, *(drawn(random, name) for name in islice(DIMENSIONS, 1, None)))) for _ in count())
    return tuple(islice((asked for asked in every if len(true_rows(asked)) < 2), PER_CHANNEL))


def asked_of(chosen: Values) -> Asked:
    pairs = zip(DIMENSIONS.items(), chosen, strict=True)
    return Asked(**{name: each[position] for (name, each), position in pairs})


def combined_under(channel: int, policy: str) -> Iterator[Asked]:
    place, wanted = list(DIMENSIONS).index("policy"), list(POLICIES).index(policy)
    return (asked_of(chosen) for chosen in combined(channel) if chosen[place] == wanted)


class Base:
    """A holder base that can be out of reach; the number of a card says its standing."""

    def __init__(self) -> None:
        self.up = True

    def standing(self, card_number: str) -> Standing:
        if not self.up:
            raise HolderBaseUnavailable("no line")
        return tuple(Standing)[int(card_number[1:8])]


BASE: Final = Base()
BASIC: Final = make_citizen().basic


@cache
def service(policy: str, proofs: str, item: str) -> PinService:
    """The service of an item under a policy: those that come with sscard, or changed as the table says."""
    fields_ = ITEMS[item].fields
    page = load_item()
    sections = {name: getattr(page, name) for name in ("basic", "extended")}
    changed = {
        name: section.model_copy(update={field: text for field, text in fields_.items() if hasattr(section, field)})
        for name, section in sections.items()
    }
    proved = policy_of(policy).model_copy(update={"identity_proof": PROOFS[proofs]})
    return PinService(lambda: MONDAY, page.model_copy(update=changed), policy=proved, holder_base=BASE)


def policy_of(name: str) -> Policy:
    if name in ("page", "henan"):
        return load_policy() if name == "page" else preset_policy(name)
    rules = POLICIES[name]
    return Policy.model_validate(
        {
            "proxy": "accept" if rules.proxy else "refuse",
            "unblock": "accept" if rules.unblock else "refuse",
            **{field: getattr(rules, field) for field in ("minors", "adult_age", "register_age", "card_as_id")},
            "documents": {kind: tuple(accepted) for kind, accepted in rules.documents.items()},
        }
    )


def office_of(asked: Asked) -> PinService:
    return service(asked.policy, asked.proofs, asked.item)


def application(asked: Asked) -> Application:
    agent = Agent(name="王五", id_number=asked.comer.number) if asked.comer.number else None
    applicant = Applicant(
        name=asked.name,
        id_number=asked.id.number,
        document=asked.id.stated,
        id_expires=asked.id.expires,
        kind=asked.kind,
        lives_in_province=asked.region[0],
        works_or_insured_in_province=asked.region[1],
        presence=asked.presence,
        agent=agent,
    )
    card = basic(asked) if asked.card_read else None
    proof = asked.proof if asked.proof_required else None
    return Application(applicant, asked.channel, asked.reason, asked.papers, card, asked.handling, asked.which, proof)


def basic(asked: Asked) -> BasicData:
    city = f"{asked.card.city}{BASIC.identity.identification_code[6:]}"
    number = f"A{tuple(Standing).index(asked.standing):07}0"
    holder = asked.id.number if asked.card.holder == "the applicant" else "410403199001010023"
    expires = asked.card.expires
    return replace(BASIC, identity=Identity(city, number), social_security_number=holder, expires=expires)


def outcome(case: Case, answer: object) -> Outcome:
    """The decision in the form of the table; the journal agrees with it."""
    last = case.events[-1]
    match answer:
        case Refusal():
            grounds = [ground.rule.value for ground in answer.grounds]
            assert last.facts["grounds"] == grounds
            assert (case.stage, last.act) == (Stage.REFUSED, Act.REFUSED)
            return "refused", tuple(sorted(grounds))
        case SupplementNotice():
            assert case.stage is Stage.SUPPLEMENT
            return "supplement", answer.papers
        case Waiting():
            assert last.act is Act.WAITED
            assert last.said == answer.said
            return "waiting", ()
        case Acceptance():
            assert (case.stage, last.act) == (Stage.ACCEPTED, Act.ACCEPTED)
            return "accepted", ()
    raise AssertionError(answer)


def found(asked: Asked) -> tuple[Outcome, Case]:
    """The decision; the holder base, if it is down, comes back after the case waited for it."""
    office = office_of(asked)
    case = office.intake(application(asked))
    BASE.up = asked.base == "up"
    answer = office.accept(case)
    BASE.up = True
    if asked.base_is_down:
        assert outcome(case, answer) == ("waiting", ())
        assert case.stage is (Stage.PRE_REVIEW if asked.pre_reviewed else Stage.INTAKE)
        answer = office.accept(case)
    return outcome(case, answer), case
