"""A step of the service: what it expects of the case, and how the service's answers are compared."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import Field, model_validator

from sscard.hsm import HsmError
from sscard.i18n.language import CHINESE, speaking
from sscard.i18n.phrase import Phrase
from sscard.scenario.context import Bench
from sscard.scenario.execution import answered
from sscard.scenario.step import Mismatch, Outcome, Step, Texts, View
from sscard.service import (
    Acceptance,
    Act,
    Channel,
    JournalUnavailable,
    KeyTaken,
    NotDone,
    Operated,
    Overtaken,
    Paper,
    Refusal,
    ResultNotice,
    Rule,
    Stage,
    SupplementNotice,
    Waiting,
    WrongStage,
)
from sscard.service.notices import Consultation
from sscard.service.workdays import day_in_china
from sscard.standard.apdu import SW
from sscard.terminal import CardSession
from sscard.terminal.errors import ApduError

Answer = Acceptance | SupplementNotice | Refusal | Waiting | Operated | NotDone | ResultNotice | Consultation
ServiceError = Literal["none", "wrong-stage", "key-taken", "overtaken", "journal", "hsm"]
ERRORS: Final[dict[type[Exception], ServiceError]] = {
    WrongStage: "wrong-stage",
    KeyTaken: "key-taken",
    Overtaken: "overtaken",
    JournalUnavailable: "journal",
    HsmError: "hsm",
}


class ServiceStep(Step):
    """Steps of the service expect of the case, besides its stage, what they state; nothing else is compared.

    ``says`` are texts that the notice for the citizen must contain. ``acts``
    are the events that the step writes into the journal, in order. ``due`` is
    the day of the deadline, ``certain`` if the calendar of its year is known,
    ``overdue`` if it has passed, ``past_legal`` if the legal limit of the item
    has passed too. ``handlers`` are who took the case in and who examined it.
    ``visits`` counts the days on which the citizen was on site, ``feedback``
    are the channels that give the result. ``handling`` is the channel that
    operates the card; ``in_doubt``: the result of an operation is not known;
    ``waits``: the case cannot be continued now, and says why. ``error`` is why
    the service did nothing: ``wrong-stage``, ``key-taken`` by another
    application, ``overtaken`` by another process, ``journal`` or ``hsm`` not
    available. ``cases`` counts the cases so far.
    """

    inserts: ClassVar[bool] = False
    says: Texts = ()
    error: ServiceError = "none"
    in_doubt: bool | None = None
    waits: bool | None = None
    due: date | None = None
    certain: bool | None = None
    overdue: bool | None = None
    past_legal: bool | None = None
    handlers: tuple[str, ...] | None = None
    visits: Annotated[int, Field(ge=0)] | None = None
    feedback: tuple[Channel, ...] | None = None
    handling: Channel | None = None
    acts: tuple[Act, ...] | None = None
    cases: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_result(cls, content: Any) -> Any:
        """After an error or another answer than 9000, the stage is expected to be as before."""
        failed = isinstance(content, dict) and (
            content.get("error", "none") != "none" or str(content.get("sw", "9000")) != "9000"
        )
        return {"stage": None} | content if failed else content

    @property
    def failed(self) -> bool:
        """Whether an error of the service is expected."""
        return self.error != "none"

    def run(self, bench: Bench) -> Outcome:
        """Execute the step; a kill of the process is followed by a new one, which loads the case again."""
        lengths = {number: case.length for number, case in bench.host.journal.cases.items()}
        error, faults = "none", bench.hsm.happened
        try:
            outcome = answered(self.serve, bench)
        except tuple(ERRORS) as problem:
            if isinstance(problem, HsmError) and self.error != "hsm" and bench.hsm.happened == faults:
                raise
            error = next(word for kind, word in ERRORS.items() if isinstance(problem, kind))
            outcome = Outcome()
        seen = lengths.get(bench.case.number, 0) if bench.case else 0
        return replace(outcome, reported=facts_of(bench, seen) | {"error": error} | outcome.reported)

    def serve(self, bench: Bench) -> Outcome:
        """What the step asks of the service."""
        raise NotImplementedError

    def answers(self) -> dict[str, str]:
        stated: dict[str, str | None] = {
            "error": self.error if self.failed else None,
            "in_doubt": _yes(self.in_doubt),
            "waits": _yes(self.waits),
            "due": self.due.isoformat() if self.due else None,
            "certain": _yes(self.certain),
            "overdue": _yes(self.overdue),
            "past_legal": _yes(self.past_legal),
            "handlers": None if self.handlers is None else " ".join(self.handlers),
            "visits": None if self.visits is None else str(self.visits),
            "feedback": None if self.feedback is None else " ".join(self.feedback),
            "handling": self.handling,
            "acts": None if self.acts is None else " ".join(self.acts),
            "cases": None if self.cases is None else str(self.cases),
        }
        return {what: value for what, value in stated.items() if value is not None}

    def refused(self, outcome: Outcome) -> list[Mismatch]:
        error = outcome.reported.get("error", "none")
        unexpected = [] if self.failed or error == "none" else [Mismatch("error", "none", error, write=error)]
        return super().refused(outcome) + unexpected

    def check(self, before: View, after: View, outcome: Outcome) -> list[Mismatch]:
        found = super().check(before, after, outcome)
        unsaid = [words for words in self.says if words not in outcome.notice]
        return found + [
            Mismatch("says", words, outcome.notice or Phrase("no notice")) for words in unsaid if not outcome.failure
        ]


def facts_of(bench: Bench, seen: int) -> dict[str, str]:
    """What can be said about the case and the journal; ``seen`` events were there before the step."""
    facts = {"cases": str(len(bench.host.journal.cases))}
    case = bench.case
    if case is None:
        return facts | {"acts": ""}
    today = day_in_china(bench.host.now)
    return facts | {
        "number": case.number,
        "in_doubt": "yes" if case.in_doubt else "no",
        "waits": "yes" if case.waits else "no",
        "due": case.due.day.isoformat() if case.due else "",
        "certain": _yes(case.due.certain if case.due else None) or "",
        "overdue": "yes" if case.is_overdue(today) else "no",
        "past_legal": "yes" if case.is_past_legal(today) else "no",
        "handlers": " ".join(handler.chinese for handler in case.handlers.values()),
        "visits": str(len(case.days_on_site)),
        "feedback": " ".join(case.result.feedback if case.result else ()),
        "handling": case.handling,
        "acts": " ".join(event.act for event in case.events[seen:]),
    }


def _yes(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


class CardStep(ServiceStep):
    """``retry_key``: the service may read the card again although it refused the key of the HSM before."""

    retry_key: bool = False


class Examined(ServiceStep):
    """Ends in acceptance, a notice of ``missing`` papers, or a refusal for ``grounds``."""

    stage: Stage | None = Stage.ACCEPTED
    grounds: tuple[Rule, ...] = ()
    missing: tuple[Paper, ...] = ()

    def answers(self) -> dict[str, str]:
        examined = {"grounds": show(self.grounds), "missing": show(self.missing)}
        return super().answers() | ({} if self.failed or self.sw != SW.OK else examined)


@contextmanager
def in_terminal(bench: Bench, papers: Collection[Paper] = tuple(Paper)) -> Iterator[CardSession | None]:
    """The terminal's session with the card, which is removed again at the end.

    ``None`` if the card is not one of the papers or the terminal cannot speak to it.
    """
    if Paper.SOCIAL_SECURITY_CARD not in papers:
        yield None
        return
    try:
        session = None
        with suppress(ApduError):
            bench.insert()
            session = bench.session
        yield session
    finally:
        bench.remove()


def examined(answer: Acceptance | SupplementNotice | Refusal | Waiting | NotDone) -> Outcome:
    """What the examination of an application found."""
    grounds = tuple(ground.rule for ground in answer.grounds) if isinstance(answer, Refusal) else ()
    missing = answer.papers if isinstance(answer, SupplementNotice) else ()
    return Outcome(reported={"grounds": show(grounds), "missing": show(missing)}, notice=notice(answer))


def nothing_found() -> dict[str, str]:
    """What is reported if there is no ground and no paper is missing."""
    return {"grounds": show(()), "missing": show(())}


def notice(answer: Answer) -> str:
    """The text for the citizen, always in Chinese: scenarios compare it."""
    with speaking(CHINESE):
        return answer.text


def status_word(answer: object) -> int:
    """The status word of the card's refusal, 9000 if the card refused nothing."""
    return answer.sw or SW.OK if isinstance(answer, NotDone) else SW.OK


def show(words: tuple[Rule, ...] | tuple[Paper, ...]) -> str:
    """The words in a fixed order."""
    return " ".join(sorted(words)) or "none"
