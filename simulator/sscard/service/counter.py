"""The counter: advances a case as far as possible with the papers, the card in the terminal and the PINs entered.

The same call opens, continues and resumes a case, because the case holds its
own stage.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pydantic import Field

from sscard.document import Model
from sscard.service.case import Application, Case, Stage
from sscard.service.channels import Channel
from sscard.service.conditions import unproved
from sscard.service.identity import Applicant
from sscard.service.notices import NotDone, Operated, Refusal, ResultNotice, SupplementNotice, Waiting, refused_text
from sscard.service.pipeline import PinService
from sscard.service.words import Operation, Paper, ProofResult, Reason, WhichPin
from sscard.terminal import AuthenticationFailed, BasicData, CardSession
from sscard.terminal.errors import ApduError
from sscard.transport.faults import CardRemoved, TransportError

Told = str
"""The text for the citizen."""


@dataclass(frozen=True, slots=True)
class Keypad:
    """Asks the citizen for a PIN (4–16 digits; an empty old PIN if the card has no PIN), only if one is needed.

    ``kept_pin`` is that of a card that is unblocked.
    """

    new_pin: Callable[[], str]
    old_pin: Callable[[], str]
    kept_pin: Callable[[], str]

    def pin_after(self, operation: Operation) -> str:
        """The PIN of the card after an operation."""
        return self.kept_pin() if operation.keeps_pin else self.new_pin()


class ApplicationFile(Model):
    """An application as a file. Without ``reason``, the item does not accept the stated reason.

    ``which_pin`` is the PIN that the citizen means, ``proof`` the result of the
    proof of identity if the policy requires one.
    """

    channel: Channel = Channel.WINDOW
    handling: Channel | None = None
    reason: Reason | None = None
    which_pin: WhichPin = WhichPin.CARD
    proof: ProofResult | None = None
    papers: tuple[Paper, ...] = tuple(Paper)
    applicant: Applicant = Applicant()
    key: str = Field(default="", max_length=200)

    def application(self, card: BasicData | None) -> Application:
        """The application with the data read from the card, which are used if the card is one of the papers."""
        applicant = self.applicant.completed(card.name, card.social_security_number) if card else self.applicant
        shown = card if Paper.SOCIAL_SECURITY_CARD in self.papers else None
        return Application(
            applicant,
            self.channel,
            self.reason,
            frozenset(self.papers),
            shown,
            self.handling,
            self.which_pin,
            self.proof,
        )


def read_card(session: CardSession | None) -> BasicData | None:
    """The data of the card in the terminal, ``None`` without a card or if it cannot be read.

    ``AuthenticationFailed`` if the card refuses the HSM's key, ``CardRemoved`` if it is removed meanwhile: these say
    nothing of the card.
    """
    try:
        return session.read_basic() if session else None
    except (AuthenticationFailed, CardRemoved):
        raise
    except (ApduError, TransportError):
        return None


@dataclass(frozen=True, slots=True)
class PaperCard:
    """The card that is handed in: its data, ``None`` without them, or the tries left of the HSM's key it refused."""

    data: BasicData | None
    tries_left: int | None = None

    @property
    def refused(self) -> bool:
        """Whether the card refused the HSM's key: it is not taken, and the case waits."""
        return self.tries_left is not None


def read_paper(case: Case, session: CardSession | None, *, retry_key: bool = False) -> PaperCard:
    """Read the card that is handed in; nothing is written.

    It is not read again after a refusal without ``retry_key``. Errors: ``CardRemoved``.
    """
    if session is not None and case.key_tries is not None and not retry_key:
        return PaperCard(None, case.key_tries)
    try:
        return PaperCard(read_card(session))
    except AuthenticationFailed as error:
        return PaperCard(None, error.tries_left)


def take_paper(service: PinService, case: Case, card: PaperCard) -> NotDone | None:
    """Write what a card that is handed in says of the HSM's key; why no paper is taken, ``None`` if they are."""
    if card.tries_left is not None:
        return service.wait_for_key(case, card.tries_left)
    if card.data is not None and case.key_tries is not None:
        service.note_key(case)
    return None


def advance(
    service: PinService,
    case: Case,
    session: CardSession | None,
    keypad: Keypad,
    *,
    key: str = "",
    at: Channel | None = None,
    retry_key: bool = False,
) -> Told:
    """Continue the case from its stage; return the text of the last step for the citizen.

    ``key`` is the idempotency key of the operation. ``at`` is the channel that the case is handed over to once it is
    accepted, if its own channel may do so. ``retry_key`` reads the card again although it refused the HSM's key.
    """
    if case.stage in (Stage.INTAKE, Stage.PRE_REVIEW):
        answer = service.accept(case)
        if isinstance(answer, SupplementNotice | Refusal | Waiting):
            return answer.text
    if at and at is not case.handling and case.stage is Stage.ACCEPTED:
        service.hand_over(case, at)
    if case.stage in (Stage.ACCEPTED, Stage.OPERATED):
        return _at_the_card(service, case, session, keypad, key, retry_key=retry_key)
    return told_of(service, case)


def needs_pin(service: PinService, case: Case) -> bool:
    """Whether the next step is the operation or the trial of its PIN, and not a proof of identity."""
    accepted = case.stage is Stage.ACCEPTED and unproved(service.policy, case) is None
    return accepted or case.stage is Stage.OPERATED


def told_of(service: PinService, case: Case) -> Told:
    """The text for the citizen at the current stage."""
    if case.stage is Stage.COMPLETED:
        return service.result(case).text
    if case.stage is Stage.SUPPLEMENT and case.notice is not None and not case.waits:
        return case.notice.text
    if not case.open:
        return refused_text(case.events[-1].said, case.complaints)
    return case.events[-1].text


def present(
    service: PinService, case: Case, session: CardSession, *, retry_key: bool = False
) -> NotDone | Refusal | Waiting | None:
    """Present the card in the terminal; why it is not presented, ``None`` if it is.

    A card that refused the HSM's key is not read again without ``retry_key``.
    """
    known = service.refused_key(case, session, retry_key=retry_key)
    if isinstance(known, NotDone):
        return known
    try:
        card = known or session.read_basic()
    except AuthenticationFailed as error:
        return service.wait_for_key(case, error.tries_left)
    except (ApduError, TransportError) as error:
        return service.unread(case, error)
    return service.present(case, card)


def _at_the_card(
    service: PinService, case: Case, session: CardSession | None, keypad: Keypad, key: str, *, retry_key: bool
) -> Told:
    if session is None:
        return case.events[-1].text
    if case.card is None:
        stopped = present(service, case, session, retry_key=retry_key)
        if stopped is not None:
            return stopped.text
    if case.stage is Stage.ACCEPTED:
        identified = needs_pin(service, case)
        new = keypad.new_pin() if identified and not case.operation.keeps_pin else ""
        old = keypad.old_pin() if identified and case.operation is Operation.CHANGE else ""
        operated: Operated | NotDone = service.operate(case, session, new, old, key=key, retry_key=retry_key)
        if isinstance(operated, NotDone):
            return operated.text
    pin = keypad.pin_after(case.operation)
    completed: ResultNotice | NotDone = service.complete(case, session, pin, retry_key=retry_key)
    return completed.text
