"""The PIN service (密码修改与重置): a case from intake over acceptance and the card to completion.

The operation is a saga over two systems that can fail independently, the journal and the card. The intent is written
to the journal (``Act.BEGUN``), the card is changed, and the result is written. In between the case is *in doubt*. Any
process can resume it with the same card, whose state decides:

- a reset is repeated: it is idempotent and costs no try; if the card refuses the PIN that it has already, or the reset
  was the last one that it permits [OC-42], the PIN is tried;
- a change is completed as after a torn operation (``terminal.recovery``);
- an unblock is repeated only if the PIN is still blocked, because each one counts [OC-42].

A case is never completed before its card accepted the new PIN, and a card is
never changed before the intent is in the journal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from sscard.errors import HolderBaseUnavailable
from sscard.hsm import HsmError
from sscard.i18n.phrase import Phrase
from sscard.issuer import Place
from sscard.issuer.holderbase import HolderBase, MemoryHolderBase
from sscard.issuer.personalise import INITIAL_PIN
from sscard.service.aftercare import abandoned, is_initial, result_notice
from sscard.service.cardrefusals import is_unclear, refusal_of_new
from sscard.service.case import Act, Application, Attempt, Case, Stage
from sscard.service.channels import CHANNEL_RULES, Channel
from sscard.service.conditions import (
    CARD_CHECKS,
    IDENTITY_CHECKS,
    STANDING_CHECKS,
    Rules,
    grounds_against,
    missing_papers,
    unproved,
)
from sscard.service.identity import SeenCard, person_of, seen
from sscard.service.intake import paper_facts, proof_of, received
from sscard.service.item import Item, load_item
from sscard.service.journal.memory import Journal, MemoryJournal
from sscard.service.notices import (
    BEGINS,
    NO_ANSWER,
    NO_STANDING,
    NOT_BLOCKED,
    NOT_KNOWN_WHETHER_INITIAL,
    NOT_PROVED,
    NOT_READ,
    NOT_TRIED,
    OPEN,
    OTHER_CARD,
    RESUMES,
    UNCHANGED,
    UNREPORTED,
    Acceptance,
    Consultation,
    Ground,
    NotDone,
    Operated,
    Refusal,
    ResultNotice,
    Rule,
    SupplementNotice,
    Waiting,
    name_papers,
)
from sscard.service.policy import Policy, load_policy
from sscard.service.settings import Settings
from sscard.service.words import OnlineStep, Operation, Paper, Proof, ProofResult
from sscard.service.workdays import day_in_china, due_after
from sscard.service.writer import CaseWriter, Clock
from sscard.standard.encoding import encode_given_pin, encode_pin
from sscard.terminal import AuthenticationFailed, BasicData, CardSession
from sscard.terminal.errors import ApduError
from sscard.terminal.recovery import finish_change, finish_reset, finish_unblock
from sscard.transport.faults import TransportError

Answer = Acceptance | SupplementNotice | Refusal | Waiting


class PinService(CaseWriter):
    """The service of one item. Each method returns a value; ``WrongStage`` if it is called at another stage.

    Events are written to ``journal``, by default in memory. ``place`` defines
    the initial PIN; without a place it is ``initial_pin``. ``holder_base``, by
    default the policy's list, is asked before acceptance and before the operation.
    ``settings`` are the names of these, which a new case records; no method compares them.
    """

    def __init__(
        self,
        clock: Clock,
        item: Item | None = None,
        initial_pin: str = INITIAL_PIN,
        *,
        journal: Journal | None = None,
        policy: Policy | None = None,
        place: Place | None = None,
        holder_base: HolderBase | None = None,
        settings: Settings | None = None,
    ) -> None:
        super().__init__(clock, item or load_item(), journal or MemoryJournal())
        self.policy = policy or load_policy()
        self._holder_base = holder_base or MemoryHolderBase(self.policy.cards)
        self.settings = settings
        self._place = place or Place(name="", initial_pin=initial_pin)

    def consult(self, channel: Channel = Channel.WINDOW) -> Consultation | Refusal:
        """咨询: the item's questions and answers, without a case; refused online if the item does not offer it."""
        if channel is not Channel.ONLINE or OnlineStep.CONSULTATION in self.item.online_steps:
            return Consultation(self.item.questions, self.item.extended.enquiries)
        found = Phrase("{channel}: inquiries are not offered", channel=channel.words)
        return self._refusal((Ground(Rule.ONLINE_STEP, self.item.basic.online_depth, found),))

    def intake(self, application: Application, *, key: str = "") -> Case:
        """收件: open a case with any application, or return the one that it opened with this key; or ``KeyTaken``."""
        now = self._clock()
        person = person_of(application.applicant, self.journal.key, day_in_china(now), self.policy)
        card = seen(application.card, self.journal.key) if application.card else None
        handler = self.item.handler(self.item.intake, application.channel)
        proof = self.policy.proof_at(application.channel)
        event = received(application, person, card, now, key=key, proof=proof, handler=handler, settings=self.settings)
        return self.journal.open_case(event).opened_by(event)

    def accept(self, case: Case) -> Answer:
        """受理: accepted, refused with every ground, or the one supplement notice with every missing paper.

        A case that cannot be examined now waits at its stage; the same call examines it again.
        """
        if case.stage is not Stage.PRE_REVIEW:
            case.require(Stage.INTAKE)
            if case.channel is Channel.ONLINE and OnlineStep.PRE_REVIEW in self.item.online_steps:
                self._write(case, Stage.PRE_REVIEW, Phrase("Pre-reviewed"), Act.PRE_REVIEWED)
        return self._examine(case)

    def supplement(self, case: Case, papers: Iterable[Paper], card: BasicData | None = None) -> Answer:
        """补正: add papers (and the data of the card if it is one of them) and continue the case.

        If papers are still missing, the case keeps waiting; the answer is the
        first notice, not a second one.
        """
        case.require(Stage.SUPPLEMENT)
        brought = tuple(papers)
        facts = paper_facts(brought, seen(card, self.journal.key) if card else None)
        said = Phrase("Brought nothing")
        if brought:
            said = Phrase("Brought: {papers}", papers=name_papers(brought, case.person.document))
        self._write(case, Stage.SUPPLEMENT, said, Act.SUPPLEMENTED, facts)
        return self._examine(case)

    def prove(self, case: Case, result: ProofResult) -> Refusal | Waiting | None:
        """身份核验: record the proof of identity that the policy requires; accept or supplement examines it.

        After acceptance it is that of the channel that operates the card, if it still requires one: a failed proof
        ends the case, for one that is unavailable the case waits.
        """
        operating = case.stage is Stage.ACCEPTED and unproved(self.policy, case) is not None
        if not operating and case.stage not in (Stage.PRE_REVIEW, Stage.SUPPLEMENT):
            case.require(Stage.INTAKE)
        proof = self.policy.proof_at(case.current_channel)
        if proof is not Proof.NONE:
            said, facts = proof_of(proof, result)
            self._write(case, case.stage, said, Act.PROVED, facts)
        return self._unidentified(case) if operating else None

    def hand_over(self, case: Case, channel: Channel) -> bool:
        """转办: let another channel operate the card, if the item offers it and the case's may hand over to it."""
        case.require(Stage.ACCEPTED)
        if channel not in CHANNEL_RULES[case.channel].hands_over_to & self.item.channels:
            return False
        said = Phrase("Handed over to {channel}", channel=channel.words)
        self._write(case, Stage.ACCEPTED, said, Act.HANDED_OVER, {"handling": channel.value})
        return True

    def present(self, case: Case, card: BasicData) -> Refusal | Waiting | None:
        """Present the card of a case that was accepted without reading it; a ground against the card ends the case.

        If the holder base gives no answer, or the channel requires a proof of identity that was not made there, the
        card is not presented and the case waits.
        """
        case.require(Stage.ACCEPTED)
        if case.card is not None:
            return None
        if stopped := self._unidentified(case):
            return stopped
        presented = seen(card, self.journal.key)
        try:
            rules = self._rules_for(presented)
        except HolderBaseUnavailable as error:
            return self._wait(case, NO_STANDING.filled(error=error.said))
        facts = paper_facts((), presented)
        self._write(case, Stage.ACCEPTED, Phrase("The social security card was read"), Act.PRESENTED, facts)
        grounds = grounds_against(rules, case, CARD_CHECKS)
        if not grounds:
            return None
        refusal = self._refusal(grounds)
        self._write(case, Stage.FAILED, refusal.said, Act.FAILED, refusal.to_facts())
        return refusal

    def operate(
        self,
        case: Case,
        session: CardSession,
        new_pin: str = "",
        old_pin: str = "",
        *,
        key: str = "",
        retry_key: bool = False,
    ) -> Operated | NotDone:
        """Change (leaked), reset (forgotten, locked) or unblock (locked, known) the PIN on the case's own card.

        ``new_pin`` has 4–16 digits, and is not used to unblock, which keeps the
        PIN; ``old_pin`` is for a change, empty if the card has no PIN.
        ``ValueError`` for any other PIN, before any change. A new PIN that the
        place does not permit, or that is the leaked one, is refused, and the
        case stays accepted. With a known idempotency key, return the result of
        that operation. An operation in doubt is resolved first. A card not in
        use ends the case untouched; without an answer of its base, or without
        the proof of identity that the channel requires, the case waits. If the
        card refuses the HSM's key that reads it, which takes one of the key's
        tries, the case waits too: it is not read again without ``retry_key``.
        """
        if key in case.outcomes:
            return case.outcomes[key]
        case.require(Stage.ACCEPTED)
        if self._unidentified(case):
            return NotDone(case.events[-1].said, complaints=case.complaints)
        if not case.operation.keeps_pin:
            encode_given_pin(new_pin)
            encode_pin(old_pin)
        if not case.is_of(session.identity):
            return self._note(case, NotDone(OTHER_CARD))
        stopped = self._stopped(case) or self.refused_key(case, session, retry_key=retry_key)
        if isinstance(stopped, NotDone):
            return stopped
        try:
            refused = None if case.operation.keeps_pin else refusal_of_new(self._place, session, new_pin, old_pin)
        except AuthenticationFailed as error:
            return self.wait_for_key(case, error.tries_left)
        if refused is not None:
            return self._note(case, NotDone(refused))
        attempt = case.attempt
        if attempt is not None:
            return self._resume(case, attempt, session, new_pin, old_pin)
        return self._begin(case, session, new_pin, old_pin, key)

    def complete(
        self, case: Case, session: CardSession, pin: str, *, retry_key: bool = False
    ) -> ResultNotice | NotDone:
        """办结: the citizen tries the PIN on the card, the new or unblocked one, and gets the result notice. No fee.

        ``retry_key`` as in ``operate``.
        """
        case.require(Stage.OPERATED)
        encode_given_pin(pin)
        if not case.is_of(session.identity):
            return self._note(case, NotDone(OTHER_CARD))
        if isinstance(stopped := self.refused_key(case, session, retry_key=retry_key), NotDone):
            return stopped
        try:
            session.verify_pin(pin)
        except ApduError as error:
            return self._refused(case, error)
        except TransportError:
            return self._note(case, NotDone(NOT_TRIED.after(case.operation)))
        try:
            initial = is_initial(self._place, session, pin)
        except AuthenticationFailed as error:
            return self.wait_for_key(case, error.tries_left, NOT_KNOWN_WHETHER_INITIAL)
        except (ApduError, HsmError, TransportError) as error:
            return self._note(case, NotDone(NOT_READ.filled(error=error.said)))
        notice = result_notice(case, self.item, self._place, initial, self._today)
        closing = CHANNEL_RULES[case.handling].closing if notice.feedback else UNREPORTED
        self._write(case, Stage.COMPLETED, closing.after(case.operation), Act.COMPLETED, notice.to_facts())
        return notice

    def result(self, case: Case) -> ResultNotice:
        """The result notice (结果告知) of a completed case, as its completion stated it; can be called repeatedly.

        An older journal states only whether the PIN is the initial one: the
        place and the item of the service complete its notice.
        """
        case.require(Stage.COMPLETED)
        last, initial = case.events[-1], bool(case.events[-1].facts["initial"])
        return case.result or result_notice(case, self.item, self._place, initial, day_in_china(last.time))

    def abandon(self, case: Case) -> NotDone:
        """Close a case that is not continued, at any stage; a case in doubt is closed with unknown result."""
        if not case.open:
            case.require(Stage.ACCEPTED)
        return self._fail(case, abandoned(case))

    def _rules_for(self, card: SeenCard | None) -> Rules:
        """The rules now, with the standing of the card. Raises ``HolderBaseUnavailable``."""
        rules = Rules(self.item, self.policy, self._today)
        return replace(rules, standing=self._holder_base.standing(card.identity.card_number)) if card else rules

    def _examine(self, case: Case) -> Answer:
        by = {"handler": list(self.item.examiner(case.channel, case.handling))}
        try:
            rules = self._rules_for(case.card)
        except HolderBaseUnavailable as error:
            return self._wait(case, NO_STANDING.filled(error=error.said))
        grounds = grounds_against(rules, case)
        if grounds:
            refusal = self._refusal(grounds)
            self._write(case, Stage.REFUSED, refusal.said, Act.REFUSED, refusal.to_facts() | by)
            return refusal
        missing = missing_papers(rules, case)
        if missing:
            return self._ask_for(case, missing)
        if proof := unproved(self.policy, case):
            return self._wait(case, NOT_PROVED.filled(proof=proof.words))
        days, legal_days = self.item.promised_working_days, self.item.legal_working_days
        due, legal = (due_after(self._today, count, self.policy.calendar) for count in (days, legal_days))
        accepted = Acceptance(days, due, legal.day if days < legal_days else None)
        self._write(case, Stage.ACCEPTED, accepted.said, Act.ACCEPTED, accepted.to_facts() | by)
        return accepted

    def _unidentified(self, case: Case) -> Refusal | Waiting | None:
        """What stops an accepted case whose current channel requires a proof of identity that did not pass yet."""
        if grounds := grounds_against(Rules(self.item, self.policy, self._today), case, IDENTITY_CHECKS):
            return self._end(case, grounds)
        proof = unproved(self.policy, case)
        return self._wait(case, NOT_PROVED.filled(proof=proof.words)) if proof else None

    def _stopped(self, case: Case) -> NotDone | None:
        """Why the card may not be operated now, which is written; of a case in doubt, only the standing counts."""
        try:
            rules = self._rules_for(case.card)
        except HolderBaseUnavailable as error:
            return NotDone(self._wait(case, NO_STANDING.filled(error=error.said)).said)
        grounds = grounds_against(rules, case, STANDING_CHECKS if case.in_doubt else CARD_CHECKS)
        if not grounds:
            return None
        refusal = self._end(case, grounds)
        return NotDone(case.events[-1].said, complaints=refusal.complaints)

    def _begin(self, case: Case, session: CardSession, new_pin: str, old_pin: str, key: str) -> Operated | NotDone:
        """Write the intent, then operate the card, so that the case is in doubt if this is interrupted."""
        operation = case.operation
        try:
            tries = None if operation is Operation.RESET else session.tries_left()
        except ApduError as error:
            return self._refused(case, error)
        except TransportError:
            return self._note(case, NotDone(Phrase("the card gave no answer; the PIN is unchanged")))
        if operation is Operation.UNBLOCK and tries != 0:
            return self._note(case, NotDone(NOT_BLOCKED, None, tries))
        attempt = Attempt(key or f"{case.number}-{case.length}", tries)
        facts = {"key": attempt.key, "tries": tries}
        self._write(case, Stage.ACCEPTED, BEGINS[operation], Act.BEGUN, facts)
        work: dict[Operation, Callable[[], None]] = {
            Operation.CHANGE: lambda: session.change_pin(old_pin, new_pin),
            Operation.RESET: lambda: session.reset_pin(new_pin),
            Operation.UNBLOCK: session.unblock_pin,
        }
        return self._carry_out(case, attempt, work[operation])

    def _resume(
        self, case: Case, attempt: Attempt, session: CardSession, new_pin: str, old_pin: str
    ) -> Operated | NotDone:
        """Determine the result of an operation in doubt and complete the operation.

        The first event is a claim: of two processes that resume, one gets ``Overtaken``.
        """
        self._write(case, Stage.ACCEPTED, RESUMES[case.operation], Act.RESUMED, {"key": attempt.key})
        finishing = {
            Operation.CHANGE: lambda: finish_change(old_pin, new_pin, attempt.tries),
            Operation.RESET: lambda: finish_reset(session.card, new_pin),
            Operation.UNBLOCK: lambda: finish_unblock(session.card),
        }
        return self._carry_out(case, attempt, lambda: session.run(finishing[case.operation]()), resumed=True)

    def _carry_out(
        self, case: Case, attempt: Attempt, work: Callable[[], None], *, resumed: bool = False
    ) -> Operated | NotDone:
        """Operate the card and write the result.

        Without a clear answer the case stays in doubt; so does a resumed case
        until the card has done the operation or can no longer do it.
        """
        pin = OPEN if resumed else UNCHANGED
        try:
            work()
        except ApduError as error:
            if resumed or is_unclear(error):
                return self._refused(case, error, pin=OPEN)
            return self._refused(case, error, attempt)
        except HsmError as error:
            answer = NotDone(Phrase("the HSM could not do it; {pin} ({error})", pin=pin, error=error.said))
            return self._note(case, answer) if resumed else self._not_done(case, answer, attempt)
        except TransportError:
            return self._note(case, NotDone(NO_ANSWER))
        done = Operated(case.operation)
        self._write(case, Stage.OPERATED, done.said, Act.DONE, {"key": attempt.key})
        return done
