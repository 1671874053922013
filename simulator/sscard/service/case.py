"""The case (办件): who applies for what, and its way from intake to completion as append-only events."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sscard.service.notices import SupplementNotice
from sscard.service.words import ApplicantKind, Channel, Paper, Reason, Word
from sscard.terminal import BasicData


class Stage(Word):
    """Where a case stands."""

    INTAKE = "intake", "收件"
    SUPPLEMENT = "supplement", "补正"
    ACCEPTED = "accepted", "受理"
    OPERATED = "operated", "已操作"
    COMPLETED = "completed", "办结"
    REFUSED = "refused", "不予受理"
    FAILED = "failed", "未办成"


NEXT: Final[dict[Stage, frozenset[Stage]]] = {
    Stage.INTAKE: frozenset({Stage.SUPPLEMENT, Stage.ACCEPTED, Stage.REFUSED}),
    Stage.SUPPLEMENT: frozenset({Stage.SUPPLEMENT, Stage.ACCEPTED, Stage.REFUSED}),
    Stage.ACCEPTED: frozenset({Stage.ACCEPTED, Stage.OPERATED, Stage.FAILED}),
    Stage.OPERATED: frozenset({Stage.OPERATED, Stage.COMPLETED, Stage.FAILED}),
    Stage.COMPLETED: frozenset(),
    Stage.REFUSED: frozenset(),
    Stage.FAILED: frozenset(),
}
"""The allowed transitions. A stage that leads to itself takes events that change nothing else."""


class WrongStage(Exception):
    """A verb came at a stage where the case does not take it."""

    def __init__(self, case_number: str, stage: Stage, wanted: str) -> None:
        super().__init__(f"case {case_number} is at stage {stage.value!r}: {wanted}")
        self.stage = stage


@dataclass(frozen=True, slots=True)
class Applicant:
    """A natural person who applies in person. ``id_number`` is that of the identity document, never shown."""

    name: str
    id_number: str = field(repr=False)
    kind: ApplicantKind = ApplicantKind.CITIZEN
    lives_in_province: bool = True
    works_or_insured_in_province: bool = False


@dataclass(frozen=True, slots=True)
class Application:
    """What a citizen hands in.

    ``card`` is what the terminal read from the social security card that came
    with the papers (``CardSession.read_basic``), ``None`` where none came or
    it could not be read. ``reason`` is ``None`` where it is none of the item's.
    """

    applicant: Applicant
    channel: Channel
    reason: Reason | None
    papers: frozenset[Paper] = frozenset(Paper)
    card: BasicData | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a case; the text never holds a PIN or an ID number."""

    time: datetime
    stage: Stage
    text: str


class Case:
    """A case: what was handed in so far, and its events, the last of which tells its stage."""

    __slots__ = ("_events", "application", "card", "notice", "number", "papers")

    def __init__(self, number: str, application: Application, received: datetime, text: str) -> None:
        self.number = number
        self.application = application
        self.papers = application.papers
        self.card = application.card
        self.notice: SupplementNotice | None = None
        self._events = [Event(received, Stage.INTAKE, text)]

    def __repr__(self) -> str:
        return f"<Case {self.number} {self.stage.value}>"

    @property
    def stage(self) -> Stage:
        return self._events[-1].stage

    @property
    def events(self) -> tuple[Event, ...]:
        """What happened, oldest first."""
        return tuple(self._events)

    @property
    def reason(self) -> Reason:
        """The reason of a case that was accepted, and so has one."""
        if self.application.reason is None:
            raise WrongStage(self.number, self.stage, "it has no reason")
        return self.application.reason

    def require(self, stage: Stage) -> None:
        """Refuse a verb that belongs to another stage with ``WrongStage``."""
        if self.stage is not stage:
            raise WrongStage(self.number, self.stage, f"this is for stage {stage.value!r}")

    def enter(self, stage: Stage, time: datetime, text: str) -> None:
        """Append an event; ``WrongStage`` where the stage may not follow."""
        if stage not in NEXT[self.stage]:
            raise WrongStage(self.number, self.stage, f"{stage.value!r} may not follow")
        self._events.append(Event(time, stage, text))
