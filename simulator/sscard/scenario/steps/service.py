"""The verbs of the service: a case from application to completion, and what happens around it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.i18n.language import CHINESE, say, speaking
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer.holderbase import ListedCards
from sscard.issuer.personalise import number_of
from sscard.issuer.standing import Standing
from sscard.scenario.context import Bench, NotPossible
from sscard.scenario.faults import other_card
from sscard.scenario.step import Nothing, Outcome, Pin, PinOrNone, without_power
from sscard.scenario.steps.service_step import (
    CardStep,
    Examined,
    ServiceStep,
    examined,
    facts_of,
    in_terminal,
    nothing_found,
    notice,
    show,
    status_word,
)
from sscard.service import (
    Applicant,
    Application,
    Case,
    Channel,
    Operation,
    Paper,
    ProofResult,
    Reason,
    Stage,
    WhichPin,
)
from sscard.service.aftercare import try_at_pharmacy
from sscard.service.counter import Keypad, advance, present, read_card, read_paper, take_paper, told_of
from sscard.service.notices import not_opened
from sscard.standard.apdu import SW
from sscard.terminal import AuthenticationFailed

NO_NEW_PIN: Final = Phrase("the step needs the PIN `new`")


class ApplicationData(Model):
    """The application. Without ``reason``, the applicant states one that the item does not accept.

    ``which_pin`` is the PIN that the applicant means, ``proof`` the result of the
    proof of identity if the policy requires one. ``handling`` is the channel
    that operates the card, by default ``channel``. ``key`` is the idempotency
    key. ``card`` says whether the card, if it is one of the papers, is read;
    ``unread`` as of a citizen who applies from home.
    """

    channel: Channel = Channel.WINDOW
    handling: Channel | None = None
    reason: Reason | None = None
    which_pin: WhichPin = WhichPin.CARD
    proof: ProofResult | None = None
    papers: tuple[Paper, ...] = tuple(Paper)
    applicant: Applicant = Applicant()
    key: Annotated[str, Field(max_length=200)] = ""
    card: Literal["read", "unread"] = "read"


class Apply(Examined):
    """Submit an application; the card, if it is one of the papers, is read and removed again.

    With the key of a case that was opened before, that case is continued. If
    the card refuses the key of the HSM, no case is opened; ``sw`` is its answer.
    """

    verb: ClassVar[str] = "apply"
    apply: ApplicationData

    def serve(self, bench: Bench) -> Outcome:
        handed_in = self.apply
        applicant = handed_in.applicant.completed(bench.holder.name, bench.holder.id_number)
        papers = handed_in.papers
        try:
            with in_terminal(bench, papers if handed_in.card == "read" else ()) as session:
                card = read_card(session)
        except AuthenticationFailed as error:
            with speaking(CHINESE):
                return Outcome(error.sw, notice=say(not_opened(error.tries_left)))
        application = Application(
            applicant,
            handed_in.channel,
            handed_in.reason,
            frozenset(papers),
            card,
            handed_in.handling,
            handed_in.which_pin,
            bench.host.prover.result(handed_in.proof),
        )
        bench.case = bench.service.intake(application, key=handed_in.key)
        if bench.case.stage in (Stage.INTAKE, Stage.PRE_REVIEW):
            return examined(bench.service.accept(bench.case))
        with speaking(CHINESE):  # what is known of a case that was opened before with the same key
            return Outcome(reported=nothing_found(), notice=told_of(bench.service, bench.case))

    def title(self) -> Sayable:
        if self.apply.reason is None:
            return Phrase("apply {channel} no reason", channel=self.apply.channel)
        return f"apply {self.apply.channel} {self.apply.reason}"


class Accept(Examined):
    """Examine a case that was received, as after an interruption between intake and acceptance."""

    verb: ClassVar[str] = "accept"
    accept: Nothing = ""

    def serve(self, bench: Bench) -> Outcome:
        return examined(bench.service.accept(_case(bench)))


class Supplemented(Model):
    """The papers submitted in this step."""

    papers: tuple[Paper, ...]


class Supplement(Examined, CardStep):
    """Submit missing papers. If the card refuses the key of the HSM, they are not taken and the case waits."""

    verb: ClassVar[str] = "supplement"
    supplement: Supplemented

    def serve(self, bench: Bench) -> Outcome:
        case, papers = _case(bench), self.supplement.papers
        with in_terminal(bench, papers) as session:
            card = read_paper(case, session, retry_key=self.retry_key)
        stopped = take_paper(bench.service, case, card)
        return examined(stopped or bench.service.supplement(case, papers, card.data))

    def title(self) -> Sayable:
        return f"supplement {show(self.supplement.papers)}"


class Prove(Examined):
    """Make the proof of identity, again or for the first time, and examine the case.

    After a hand-over it is the proof that the channel requires which operates the card.
    """

    verb: ClassVar[str] = "prove"
    prove: ProofResult

    def serve(self, bench: Bench) -> Outcome:
        case = _case(bench)
        operating = case.stage is Stage.ACCEPTED
        stopped = bench.service.prove(case, bench.host.prover.result(self.prove) or self.prove)
        if operating:
            return examined(stopped) if stopped else Outcome(reported=nothing_found())
        if case.stage is Stage.SUPPLEMENT:
            return examined(bench.service.supplement(case, ()))
        return examined(bench.service.accept(case))

    def title(self) -> Sayable:
        return f"prove {self.prove}"


class HandOver(ServiceStep):
    """Let another channel operate the card; ``possible: no`` if the case's channel may not hand over to it."""

    verb: ClassVar[str] = "hand_over"
    hand_over: Channel
    possible: bool = True

    def answers(self) -> dict[str, str]:
        done = {} if self.failed or self.sw is None else {"possible": "yes" if self.possible else "no"}
        return super().answers() | done

    def serve(self, bench: Bench) -> Outcome:
        done = bench.service.hand_over(_case(bench), self.hand_over)
        return Outcome(reported={"possible": "yes" if done else "no"})

    def title(self) -> Sayable:
        return f"hand_over {self.hand_over}"


class Present(Examined, CardStep):
    """Present the card of a case that was accepted without reading it; ``grounds`` against the card end the case."""

    verb: ClassVar[str] = "present"
    present: Nothing = ""
    stage: Stage | None = None

    def serve(self, bench: Bench) -> Outcome:
        case = _case(bench)
        with in_terminal(bench) as session:
            if session is None:
                raise NotPossible(Phrase("the card cannot be read, so it cannot be presented"))
            stopped = present(bench.service, case, session, retry_key=self.retry_key)
        return examined(stopped) if stopped else Outcome(reported=nothing_found())


class NewPin(Model):
    """The new PIN, for a change also the old one, and the idempotency key of the operation.

    Without a new PIN, the PIN is unblocked; ``resume`` completes the case with ``old``.
    """

    new: PinOrNone = Field(default="", repr=False)
    old: PinOrNone = Field(default="", repr=False)
    key: Annotated[str, Field(max_length=200)] = ""


class Operate(CardStep):
    """Change, reset or unblock the PIN on the card, which is inserted into the terminal if necessary.

    An operation whose result is not known is resolved first.
    """

    verb: ClassVar[str] = "operate"
    operate: NewPin
    stage: Stage | None = Stage.OPERATED

    @model_validator(mode="after")
    def _new_with_old(self) -> Self:
        if self.operate.old and not self.operate.new:
            raise InvalidValue(
                NO_NEW_PIN, Phrase("add `new`; to unblock, leave both out: operate: {example}", example="{}")
            )
        return self

    def serve(self, bench: Bench) -> Outcome:
        case = _operated(bench, self.operate)
        _put_in(bench)
        pins = self.operate
        answer = bench.service.operate(case, bench.terminal, pins.new, pins.old, key=pins.key, retry_key=self.retry_key)
        return Outcome(status_word(answer), notice=notice(answer))


class Resume(CardStep):
    """Continue the case in a new process from the stage it is at, as ``sscard case resume`` with card and PINs."""

    verb: ClassVar[str] = "resume"
    resume: NewPin
    stage: Stage | None = Stage.COMPLETED

    def serve(self, bench: Bench) -> Outcome:
        case = _operated(bench, self.resume)
        bench.restart_service()
        bench.case = bench.host.load(case.number) or case
        _put_in(bench)
        pins = self.resume
        keypad = Keypad(lambda: pins.new, lambda: pins.old, lambda: pins.old)
        with speaking(CHINESE):
            told = advance(bench.service, bench.case, bench.terminal, keypad, key=pins.key, retry_key=self.retry_key)
            return Outcome(notice=told)


class Complete(CardStep):
    """Complete the case: the citizen tries the new PIN and gets the result notice."""

    verb: ClassVar[str] = "complete"
    complete: Annotated[Pin, Field(repr=False)]
    stage: Stage | None = Stage.COMPLETED

    def serve(self, bench: Bench) -> Outcome:
        case = _case(bench)
        _put_in(bench)
        answer = bench.service.complete(case, bench.terminal, self.complete, retry_key=self.retry_key)
        return Outcome(status_word(answer), notice=notice(answer))


class Abandon(ServiceStep):
    """Close a case that is not continued."""

    verb: ClassVar[str] = "abandon"
    abandon: Nothing = ""
    stage: Stage | None = Stage.FAILED

    def serve(self, bench: Bench) -> Outcome:
        return Outcome(notice=notice(bench.service.abandon(_case(bench))))


class Pharmacy(ServiceStep):
    """Try the PIN at a pharmacy: pay one fen with it; ``passed: no`` if an initial PIN may not pay."""

    verb: ClassVar[str] = "pharmacy"
    pharmacy: Annotated[Pin, Field(repr=False)]
    passed: bool = True

    def answers(self) -> dict[str, str]:
        tried = {} if self.failed or self.sw != SW.OK else {"passed": "yes" if self.passed else "no"}
        return super().answers() | tried

    def serve(self, bench: Bench) -> Outcome:
        bench.insert()
        host, case = bench.host, bench.case
        operation = case.operation if case and case.reason_given else Operation.RESET
        trial = try_at_pharmacy(bench.terminal, bench.hsm, host.place, self.pharmacy, host.now, operation)
        with speaking(CHINESE):
            return Outcome(reported={"passed": "yes" if trial.passed else "no"}, notice=trial.text)


class ReadCase(ServiceStep):
    """Read the case, and those that are closed, from the journal and its archives, and verify these.

    Each case is compared with the one in memory.
    """

    verb: ClassVar[str] = "case"
    case: Nothing = ""

    def serve(self, bench: Bench) -> Outcome:
        case = _case(bench)
        closed = (other for other in bench.host.journal.cases.values() if not other.open)
        stored = [_stored(bench, known) for known in (*closed, case)]
        findings = bench.host.findings()
        if findings:
            raise NotPossible(Phrase("the journal was tampered with: {finding}", finding=findings[0]))
        with speaking(CHINESE):
            return Outcome(notice=told_of(bench.service, stored[-1]), reported=facts_of(bench, 0))


class SetStanding(ServiceStep):
    """Set the standing of the scenario's card in the holder base, as when its holder reports it as lost."""

    verb: ClassVar[str] = "standing"
    standing: Standing

    def serve(self, bench: Bench) -> Outcome:
        bench.host.holder_base.inner.put(ListedCards(first=number_of(bench.chip), standing=self.standing))
        return Outcome()


class TakeCard(ServiceStep):
    """Take another holder's card, ``another``, or the scenario's own for the next steps; it has no power yet."""

    verb: ClassVar[str] = "take_card"
    take_card: Literal["own", "another"]

    def serve(self, bench: Bench) -> Outcome:
        bench.remove()
        personality = bench.chip.profile.personality
        own = self.take_card == "own"
        bench.reader.insert(bench.own_card if own else other_card(personality, bench))
        return Outcome()

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        return self.state if self.state is not None else without_power(super().expected_state(before, tries))

    def title(self) -> Sayable:
        return f"take_card {self.take_card}"


def _put_in(bench: Bench) -> None:
    if bench.session is None or not bench.chip.snapshot().powered:
        bench.insert()


def _case(bench: Bench) -> Case:
    if bench.case is None:
        raise NotPossible(Phrase("there is no case: add a step `apply:` before this one"))
    return bench.case


def _stored(bench: Bench, known: Case) -> Case:
    """A case as the journal or an archive has it."""
    stored = bench.host.load(known.number)
    if stored is None or stored.events != known.events:
        raise NotPossible(Phrase("the journal has other events of case {number}", number=known.number))
    return stored


def _operated(bench: Bench, pins: NewPin) -> Case:
    """The case, if the step gives the PINs that its operation needs."""
    case = _case(bench)
    if case.reason_given is not None and bool(pins.new) is case.operation.keeps_pin:
        raise NotPossible(Phrase("an unblock keeps the PIN: leave `new` out") if pins.new else NO_NEW_PIN)
    return case
