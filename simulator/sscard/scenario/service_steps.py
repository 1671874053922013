"""The verbs of the service: a case from application to completion."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from sscard.document import Model
from sscard.i18n.language import CHINESE, speaking
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.step import Mismatch, Outcome, Pin, PinOrNone, Step, Texts, View
from sscard.service import (
    Acceptance,
    Applicant,
    Application,
    Case,
    Channel,
    NotDone,
    Operated,
    Paper,
    Reason,
    Refusal,
    ResultNotice,
    Rule,
    Stage,
    SupplementNotice,
)
from sscard.standard.apdu import SW
from sscard.terminal import BasicData
from sscard.terminal.errors import ApduError

Answer = Acceptance | SupplementNotice | Refusal | Operated | NotDone | ResultNotice


class ServiceStep(Step):
    """A step of the service; ``says`` are texts that the notice for the citizen must contain."""

    inserts: ClassVar[bool] = False
    says: Texts = ()

    def check(self, before: View, after: View, outcome: Outcome) -> list[Mismatch]:
        found = super().check(before, after, outcome)
        unsaid = [words for words in self.says if words not in outcome.notice]
        return found + [
            Mismatch("says", words, outcome.notice or Phrase("nothing")) for words in unsaid if not outcome.failure
        ]


class Examined(ServiceStep):
    """A step that ends in acceptance (受理), a supplement notice (一次性告知补正) or a refusal (不予受理)."""

    stage: Stage | None = Stage.ACCEPTED
    grounds: tuple[Rule, ...] = ()
    missing: tuple[Paper, ...] = ()

    def answers(self) -> dict[str, str]:
        return {"grounds": _show(self.grounds), "missing": _show(self.missing)}


class ApplicationData(Model):
    """The application; without ``reason``, the item does not accept the stated reason."""

    channel: Channel = Channel.WINDOW
    reason: Reason | None = None
    papers: tuple[Paper, ...] = tuple(Paper)
    applicant: Applicant = Applicant()


class Apply(Examined):
    """收件 and 受理: the card, if it is one of the papers, is read and removed again."""

    verb: ClassVar[str] = "apply"
    apply: ApplicationData

    def run(self, bench: Bench) -> Outcome:
        handed_in = self.apply
        applicant = handed_in.applicant.completed(bench.holder.name, bench.holder.id_number)
        papers = handed_in.papers
        card = _read(bench, papers)
        application = Application(applicant, handed_in.channel, handed_in.reason, frozenset(papers), card)
        bench.case = bench.service.intake(application)
        return _examined(bench.service.accept(bench.case))

    def title(self) -> Sayable:
        if self.apply.reason is None:
            return Phrase("apply {channel} no reason", channel=self.apply.channel)
        return f"apply {self.apply.channel} {self.apply.reason}"


class Supplemented(Model):
    """The papers submitted in this step."""

    papers: tuple[Paper, ...]


class Supplement(Examined):
    """补正: submit missing papers."""

    verb: ClassVar[str] = "supplement"
    supplement: Supplemented

    def run(self, bench: Bench) -> Outcome:
        papers = self.supplement.papers
        return _examined(bench.service.supplement(_case(bench), papers, _read(bench, papers)))

    def title(self) -> Sayable:
        return f"supplement {_show(self.supplement.papers)}"


class NewPin(Model):
    """The new PIN, and for a change the old one."""

    new: Pin = Field(repr=False)
    old: PinOrNone = Field(default="", repr=False)


class Operate(ServiceStep):
    """Change or reset the PIN on the card, which is inserted into the terminal if necessary."""

    verb: ClassVar[str] = "operate"
    operate: NewPin
    stage: Stage | None = Stage.OPERATED

    def run(self, bench: Bench) -> Outcome:
        case = _case(bench)
        _put_in(bench)
        answer = bench.service.operate(case, bench.terminal, self.operate.new, self.operate.old)
        return Outcome(_status_word(answer), notice=_notice(answer))


class Complete(ServiceStep):
    """办结: the citizen tries the new PIN and gets the result notice."""

    verb: ClassVar[str] = "complete"
    complete: Annotated[Pin, Field(repr=False)]
    stage: Stage | None = Stage.COMPLETED

    def run(self, bench: Bench) -> Outcome:
        case = _case(bench)
        _put_in(bench)
        answer = bench.service.complete(case, bench.terminal, self.complete)
        return Outcome(_status_word(answer), notice=_notice(answer))


def _read(bench: Bench, papers: tuple[Paper, ...]) -> BasicData | None:
    """The basic data of the card, ``None`` if it is not one of the papers or cannot be read."""
    if Paper.SOCIAL_SECURITY_CARD not in papers:
        return None
    try:
        bench.insert()
        return bench.terminal.read_basic()
    except ApduError:
        return None
    finally:
        bench.remove()


def _put_in(bench: Bench) -> None:
    if bench.session is None or not bench.chip.snapshot().powered:
        bench.insert()


def _case(bench: Bench) -> Case:
    if bench.case is None:
        raise NotPossible(Phrase("there is no case: add a step `apply:` before this one"))
    return bench.case


def _examined(answer: Acceptance | SupplementNotice | Refusal) -> Outcome:
    grounds = tuple(ground.rule for ground in answer.grounds) if isinstance(answer, Refusal) else ()
    missing = answer.papers if isinstance(answer, SupplementNotice) else ()
    return Outcome(reported={"grounds": _show(grounds), "missing": _show(missing)}, notice=_notice(answer))


def _notice(answer: Answer) -> str:
    """The text for the citizen, always in Chinese: scenarios compare it."""
    with speaking(CHINESE):
        return answer.text


def _status_word(answer: object) -> int:
    return answer.sw or SW.OK if isinstance(answer, NotDone) else SW.OK


def _show(words: tuple[Rule, ...] | tuple[Paper, ...]) -> str:
    return " ".join(sorted(words)) or "none"
