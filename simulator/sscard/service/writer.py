"""What the service writes into the journal of a case: refusals, notices, waits and failures."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sscard.hsm import HsmError
from sscard.i18n.phrase import Phrase
from sscard.service.cardrefusals import ends_case, not_done
from sscard.service.case import Act, Attempt, Case, Event, Facts, Stage
from sscard.service.item import Item
from sscard.service.journal.memory import Journal
from sscard.service.notices import (
    KEY_BLOCKED,
    KEY_FITS,
    KEY_REFUSED,
    OPEN,
    UNCHANGED,
    UNREAD,
    Ground,
    NotDone,
    Refusal,
    SupplementNotice,
    Waiting,
    name_papers,
)
from sscard.service.words import Paper
from sscard.service.workdays import day_in_china
from sscard.terminal import AuthenticationFailed, BasicData, CardSession
from sscard.terminal.errors import ApduError
from sscard.transport.faults import TransportError

Clock = Callable[[], datetime]


class CaseWriter:
    """The part of ``PinService`` that writes into the journal.

    A method that returns an answer to the citizen has written it into the
    journal; only ``_refusal`` writes nothing.
    """

    def __init__(self, clock: Clock, item: Item, journal: Journal) -> None:
        self.item = item
        self.journal = journal
        self._clock = clock

    @property
    def _today(self) -> date:
        return day_in_china(self._clock())

    def _refusal(self, grounds: tuple[Ground, ...]) -> Refusal:
        """The refusal for these grounds; nothing is written."""
        return Refusal(grounds, self.item.extended.complaints)

    def _end(self, case: Case, grounds: tuple[Ground, ...]) -> Refusal:
        """End an accepted case, and say what is known of the PIN."""
        refusal, pin = self._refusal(grounds), OPEN if case.in_doubt else UNCHANGED
        self._fail(case, NotDone(Phrase("{found}; {pin}", found=refusal.said, pin=pin)), refusal.to_facts())
        return refusal

    def _ask_for(self, case: Case, missing: tuple[Paper, ...]) -> SupplementNotice:
        """Write the supplement notice, or what is still missing; return the notice, of which a case has only one."""
        if case.notice is not None:
            named = name_papers(missing, case.person.document)
            self._write(case, Stage.SUPPLEMENT, Phrase("Still missing: {papers}", papers=named))
            return case.notice
        notice = SupplementNotice(missing, self.item.acceptance.criteria, case.person.document)
        facts = {"missing": [paper.value for paper in missing], "criterion": notice.criterion}
        self._write(case, Stage.SUPPLEMENT, notice.said, Act.ASKED_FOR, facts)
        return notice

    def _not_done(self, case: Case, answer: NotDone, attempt: Attempt) -> NotDone:
        """Write that an attempt changed nothing; the case keeps its stage and is no longer in doubt."""
        self._write(case, case.stage, answer.said, Act.NOT_DONE, attempt.outcome(answer))
        return answer

    def _fail(self, case: Case, answer: NotDone, facts: Facts | None = None) -> NotDone:
        """End the case, with the outcome of the attempt if it is in doubt."""
        outcome = case.attempt.outcome(answer) if case.attempt else {}
        self._write(case, Stage.FAILED, answer.said, Act.FAILED, (facts or {}) | outcome)
        return answer

    def _refused(
        self, case: Case, error: ApduError, attempt: Attempt | None = None, pin: Phrase = UNCHANGED
    ) -> NotDone:
        """Handle a refusal of the card: end the case if a retry cannot succeed, otherwise keep its stage."""
        answer = not_done(error, pin)
        if ends_case(error):
            return self._fail(case, answer)
        return self._note(case, answer) if attempt is None else self._not_done(case, answer, attempt)

    def _note(self, case: Case, answer: NotDone) -> NotDone:
        """Write why a step was not done; the case keeps its stage, and stays in doubt if it is."""
        self._write(case, case.stage, answer.said)
        return answer

    def _wait(self, case: Case, said: Phrase) -> Waiting:
        """Write why the case cannot be continued now; it keeps its stage."""
        self._write(case, case.stage, said, Act.WAITED)
        return Waiting(said)

    def refused_key(self, case: Case, session: CardSession, *, retry_key: bool) -> BasicData | NotDone | None:
        """What becomes of a case whose card refused the HSM's key before; ``None`` if it refused none.

        Without ``retry_key`` the card is not read, and the answer is why the
        case waits. With it the card is read: its data if it accepts the key
        now, otherwise why it cannot be read.
        """
        if case.key_tries is None:
            return None
        if not retry_key:
            return self.wait_for_key(case, case.key_tries)
        try:
            card = session.read_basic()
        except AuthenticationFailed as error:
            return self.wait_for_key(case, error.tries_left)
        except (ApduError, HsmError, TransportError) as error:
            return self.unread(case, error)
        self.note_key(case)
        return card

    def note_key(self, case: Case) -> None:
        """Write that the card accepts the HSM's key that it refused before."""
        self._write(case, case.stage, KEY_FITS, facts={"key_tries": None})

    def wait_for_key(self, case: Case, tries: int, found: Phrase | None = None) -> NotDone:
        """Write that the card refused the HSM's key, which has so many tries left; ``found`` has a place for ``why``.

        The case keeps its stage.
        """
        why = KEY_REFUSED.filled(count=tries) if tries else KEY_BLOCKED
        said = found.filled(why=why) if found else why
        self._write(case, case.stage, said, Act.WAITED, {"key_tries": tries})
        return NotDone(said, tries_left=tries)

    def unread(self, case: Case, error: ApduError | HsmError | TransportError) -> NotDone:
        """Write why the card in the terminal cannot be read; the case keeps its stage."""
        return self._note(case, NotDone(UNREAD.filled(error=error.said)))

    def _write(self, case: Case, stage: Stage, said: Phrase, act: Act = Act.NOTED, facts: Facts | None = None) -> None:
        self.journal.append(case, Event(self._clock(), stage, said, act, facts or {}))
