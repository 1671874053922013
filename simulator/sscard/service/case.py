"""The case (办件): append-only events from intake to completion, from which its state is rebuilt."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final

from sscard.errors import PhrasedError
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.i18n.word import Word
from sscard.service.channels import Channel
from sscard.service.identity import Applicant, Person, SeenCard
from sscard.service.notices import NotDone, Operated, ResultNotice, SupplementNotice
from sscard.service.page import Contact
from sscard.service.settings import Settings
from sscard.service.words import Operation, Paper, Proof, ProofResult, Reason, WhichPin
from sscard.service.workdays import Due, day_in_china
from sscard.terminal import BasicData, Identity

Facts = dict[str, Any]
"""Data of an event besides its text, as JSON types."""


class Stage(Word):
    """Stage of a case."""

    INTAKE = "intake", "收件"
    PRE_REVIEW = "pre-review", "预审", "pre-review"
    SUPPLEMENT = "supplement", "补正"
    ACCEPTED = "accepted", "受理"
    OPERATED = "operated", "已操作"
    COMPLETED = "completed", "办结"
    REFUSED = "refused", "不予受理"
    FAILED = "failed", "未办成"


NEXT: Final[dict[Stage, frozenset[Stage]]] = {
    Stage.INTAKE: frozenset(
        {Stage.INTAKE, Stage.PRE_REVIEW, Stage.SUPPLEMENT, Stage.ACCEPTED, Stage.REFUSED, Stage.FAILED}
    ),
    Stage.PRE_REVIEW: frozenset({Stage.PRE_REVIEW, Stage.SUPPLEMENT, Stage.ACCEPTED, Stage.REFUSED, Stage.FAILED}),
    Stage.SUPPLEMENT: frozenset({Stage.SUPPLEMENT, Stage.ACCEPTED, Stage.REFUSED, Stage.FAILED}),
    Stage.ACCEPTED: frozenset({Stage.ACCEPTED, Stage.OPERATED, Stage.FAILED}),
    Stage.OPERATED: frozenset({Stage.OPERATED, Stage.COMPLETED, Stage.FAILED}),
    Stage.COMPLETED: frozenset(),
    Stage.REFUSED: frozenset(),
    Stage.FAILED: frozenset(),
}
"""The allowed transitions. A stage that leads to itself accepts events that do not change the stage."""


class Act(Word):
    """Kind of an event."""

    RECEIVED = "received", "收件"
    PRE_REVIEWED = "pre-reviewed", "预审", "pre-reviewed"
    ASKED_FOR = "asked-for", "一次性告知"
    SUPPLEMENTED = "supplemented", "补正"
    ACCEPTED = "accepted", "受理"
    REFUSED = "refused", "不予受理"
    HANDED_OVER = "handed-over", "转办"
    PRESENTED = "presented", "出示卡片"
    BEGUN = "begun", "开始操作"
    RESUMED = "resumed", "恢复操作"
    DONE = "done", "操作成功"
    NOT_DONE = "not-done", "操作未成"
    COMPLETED = "completed", "办结"
    FAILED = "failed", "未办成"
    PROVED = "proved", "身份核验"
    WAITED = "waited", "等待"
    NOTED = "noted", "记录"


_AT_THE_CHANNEL: Final = frozenset({Act.RECEIVED, Act.SUPPLEMENTED, Act.PROVED})
_AT_THE_CARD: Final = frozenset({Act.PRESENTED, Act.BEGUN, Act.RESUMED, Act.COMPLETED})
"""Events for which the citizen is where the application is handed in, or where the card is operated."""


class WrongStage(PhrasedError):
    """The operation is not allowed at the stage of the case."""

    def __init__(self, case_number: str, stage: Stage, wanted: Sayable) -> None:
        super().__init__(
            Phrase(
                "case {number} is at stage {stage!r}: {wanted}",
                number=case_number,
                stage=stage.words,
                wanted=wanted,
            )
        )
        self.args = (case_number, stage, wanted)
        self.stage = stage


class KeyTaken(PhrasedError):
    """The idempotency key is of another application; no case was opened. The text says nothing of the case with it."""

    def __init__(self, key: str) -> None:
        super().__init__(Phrase("key {key!r} belongs to another application; give this one its own", key=key))
        self.args = (key,)


@dataclass(frozen=True, slots=True)
class Application:
    """What a citizen submits.

    ``card`` is what the terminal read from the social security card that came
    with the papers (``CardSession.read_basic``), ``None`` without a card or if
    it could not be read. ``reason`` is ``None`` if the service item does not
    accept the stated reason. ``handling`` is the channel that operates the
    card, ``None`` for the same channel. ``which_pin`` is the PIN that the
    citizen means. ``proof`` is the result of the proof of identity, ``None`` if
    none was made.
    """

    applicant: Applicant
    channel: Channel
    reason: Reason | None
    papers: frozenset[Paper] = frozenset(Paper)
    card: BasicData | None = field(default=None, repr=False)
    handling: Channel | None = None
    which_pin: WhichPin = WhichPin.CARD
    proof: ProofResult | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a case; neither the text nor the facts contain a PIN or an ID number."""

    time: datetime
    stage: Stage
    said: Phrase
    act: Act = Act.NOTED
    facts: Facts = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The text in the current language."""
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An operation with unknown result: its idempotency key, and the retry counter of the PIN before it."""

    key: str
    tries: int | None = None

    def outcome(self, answer: NotDone) -> Facts:
        """The facts of an event that says why the operation was not done."""
        return {"key": self.key, "told": answer.said.to_facts(), "sw": answer.sw, "tries": answer.tries_left}


class Case:
    """A case, built from its events; ``add`` is the only way to change it.

    ``settings`` are those that it was opened or last continued with; ``None`` if nobody stated them, as in a journal
    of 0.2.0. ``proof`` is the last proof of identity at the current channel, ``proved`` are those that passed at any.
    ``key_tries`` are the tries left of the HSM's key that reads the card, if the
    card refused it and was not read since; otherwise ``None``.
    """

    __slots__ = (
        "_events",
        "attempt",
        "card",
        "channel",
        "complaints",
        "due",
        "handlers",
        "handling",
        "key",
        "key_tries",
        "legal_due",
        "notice",
        "number",
        "outcomes",
        "papers",
        "person",
        "proof",
        "proved",
        "reason_given",
        "result",
        "settings",
        "which_pin",
    )

    def __init__(self, number: str, events: Iterable[Event]) -> None:
        self.number = number
        self.papers: frozenset[Paper] = frozenset()
        self.card: SeenCard | None = None
        self.notice: SupplementNotice | None = None
        self.due: Due | None = None
        self.legal_due: date | None = None
        self.handlers: dict[Act, Words] = {}
        self.complaints: tuple[Contact, ...] = ()
        self.result: ResultNotice | None = None
        self.attempt: Attempt | None = None
        self.settings: Settings | None = None
        self.key_tries: int | None = None
        self.proof: ProofResult | None = None
        self.proved: frozenset[Proof] = frozenset()
        self.outcomes: dict[str, Operated | NotDone] = {}
        self._events: list[Event] = []
        for event in events:
            self.add(event)

    def __repr__(self) -> str:
        return f"<Case {self.number} {self.stage.value}>"

    @property
    def stage(self) -> Stage:
        return self._events[-1].stage

    @property
    def events(self) -> tuple[Event, ...]:
        """All events, oldest first."""
        return tuple(self._events)

    @property
    def length(self) -> int:
        """Number of events."""
        return len(self._events)

    @property
    def reason(self) -> Reason:
        """The reason of an accepted case; ``WrongStage`` if the case has no reason."""
        if self.reason_given is None:
            raise WrongStage(self.number, self.stage, Phrase("it has no reason"))
        return self.reason_given

    @property
    def operation(self) -> Operation:
        return self.reason.operation

    @property
    def current_channel(self) -> Channel:
        """Where the citizen is: at the channel of the application, after acceptance at that which operates the card."""
        return self.handling if self.stage in (Stage.ACCEPTED, Stage.OPERATED, Stage.COMPLETED) else self.channel

    @property
    def in_doubt(self) -> bool:
        """Whether an operation began whose result is not known: the card must be checked."""
        return self.attempt is not None

    def is_of(self, card: Identity) -> bool:
        """Whether a card is that of the case."""
        return self.card is not None and self.card.identity == card

    @property
    def waits(self) -> bool:
        """Whether the last event says what the case waits for: the same step continues it."""
        return self._events[-1].act is Act.WAITED

    @property
    def open(self) -> bool:
        """Whether the case can still change."""
        return bool(NEXT[self.stage])

    def is_overdue(self, today: date) -> bool:
        """Whether it was accepted, is not closed, and its due date has passed."""
        return self.open and self.due is not None and today > self.due.day

    def is_past_legal(self, today: date) -> bool:
        """Whether it is overdue and the legal limit has passed too."""
        return self.is_overdue(today) and self.legal_due is not None and today > self.legal_due

    @property
    def days_on_site(self) -> frozenset[date]:
        """The days on which the citizen was at a window or a terminal (到现场): each is one visit."""
        days, handling = set(), self.channel
        for event in self._events:
            if event.act is Act.RECEIVED or event.act is Act.HANDED_OVER:
                handling = Channel(event.facts["handling"])
            if event.act is Act.SUPPLEMENTED and not event.facts["papers"]:
                continue  # asked again without the citizen
            before = event.act in _AT_THE_CHANNEL and event.stage is not Stage.ACCEPTED
            channel = self.channel if before else handling
            if channel is not Channel.ONLINE and event.act in _AT_THE_CHANNEL | _AT_THE_CARD:
                days.add(day_in_china(event.time))
        return frozenset(days)

    def require(self, stage: Stage) -> None:
        """Raise ``WrongStage`` unless the case is at this stage."""
        if self.stage is not stage:
            raise WrongStage(self.number, self.stage, Phrase("this is for stage {stage!r}", stage=stage.words))

    def opened_by(self, event: Event) -> Case:
        """This case, if the first event of an application is of the same one; else ``KeyTaken``.

        The same are person, card and reason. What was not known then or now, such as an unreadable card, is no other.
        """
        for known, now in zip(_subject(self._events[0].facts), _subject(event.facts), strict=True):
            if known != now and None not in (known, now):
                raise KeyTaken(self.key)
        return self

    def check(self, event: Event) -> None:
        """Raise ``WrongStage`` if the event's stage may not follow."""
        if self._events and event.stage not in NEXT[self.stage]:
            raise WrongStage(self.number, self.stage, Phrase("{stage!r} may not follow", stage=event.stage.words))

    def add(self, event: Event) -> None:
        """Append an event and apply its facts; ``WrongStage`` if its stage may not follow."""
        self.check(event)
        self._take_in(event.act, event.facts)
        if "settings" in event.facts:
            self.settings = Settings.from_facts(event.facts["settings"])
        self.key_tries = event.facts.get("key_tries", self.key_tries)
        if handler := event.facts.get("handler"):
            self.handlers[event.act] = Words(*handler)
        if not NEXT[event.stage]:
            self.attempt = None
        self._events.append(event)

    def _take_in(self, act: Act, facts: Facts) -> None:
        if "complaints" in facts:
            self.complaints = tuple(map(Contact.model_validate, facts["complaints"]))
        match act:
            case Act.RECEIVED:
                self.key: str = facts["key"]
                self.channel = Channel(facts["channel"])
                self.handling = Channel(facts["handling"])
                self.reason_given = Reason(facts["reason"]) if facts["reason"] else None
                self.which_pin = WhichPin(facts.get("which_pin", WhichPin.CARD))
                self.person = Person.from_facts(facts["person"])
                self._take_papers(facts)
                self._take_proof(facts.get("proof"))
            case Act.PROVED:
                self._take_proof(facts["proof"])
            case Act.SUPPLEMENTED | Act.PRESENTED:
                self._take_papers(facts)
            case Act.ASKED_FOR:
                papers = tuple(Paper(paper) for paper in facts["missing"])
                self.notice = self.notice or SupplementNotice(papers, facts["criterion"], self.person.document)
            case Act.ACCEPTED:
                self.proof = None
                self.due = Due(date.fromisoformat(facts["due"]), facts["certain"])
                self.legal_due = date.fromisoformat(facts.get("legal_due") or facts["due"])
            case Act.COMPLETED if "advice" in facts:
                self.result = ResultNotice.from_facts(self.number, facts)
            case Act.HANDED_OVER:
                self.proof = None
                self.handling = Channel(facts["handling"])
            case Act.BEGUN:
                self.attempt = Attempt(facts["key"], facts["tries"])
            case Act.DONE:
                self._settle(facts["key"], Operated(self.operation))
            case Act.NOT_DONE | Act.FAILED if "key" in facts:
                told = Phrase.from_facts(facts["told"])
                self._settle(facts["key"], NotDone(told, facts["sw"], facts["tries"], self.complaints))
            case _:
                pass

    def _take_papers(self, facts: Facts) -> None:
        self.papers |= frozenset(Paper(paper) for paper in facts["papers"])
        if facts["card"] is not None:
            self.card = SeenCard.from_facts(facts["card"])

    def _take_proof(self, proof: dict[str, str] | None) -> None:
        if proof:
            self.proof = ProofResult(proof["result"])
            self.proved -= {Proof(proof["by"])}
            if self.proof is ProofResult.PASSED:
                self.proved |= {Proof(proof["by"])}

    def _settle(self, key: str, outcome: Operated | NotDone) -> None:
        self.attempt = None
        self.outcomes[key] = outcome


def _subject(facts: Facts) -> tuple[str | None, ...]:
    """The person, the card and the reason of the first event of a case; ``None`` is not known."""
    person, card = facts["person"], facts["card"]
    return person["id_digest"] if person["id_shown"] else None, card and card["number"], facts["reason"] or ""
