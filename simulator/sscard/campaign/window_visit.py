"""The window at which a citizen's PIN is changed, reset or unblocked: the whole service, or terminal and HSM alone."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Final, Protocol

from sscard.campaign.population import Population
from sscard.errors import HsmError, TransportError
from sscard.service import (
    Acceptance,
    Applicant,
    Application,
    Case,
    Channel,
    MemoryJournal,
    Operated,
    PinService,
    Reason,
    Refusal,
    ResultNotice,
    Stage,
)
from sscard.service.words import Operation
from sscard.service.workdays import CHINA
from sscard.terminal import CardSession, finish_change
from sscard.terminal.errors import ApduError
from sscard.terminal.recovery import finish_reset, finish_unblock

BEGIN: Final = datetime(2026, 3, 2, tzinfo=CHINA)
"""The virtual second 0, a Monday."""

Insert = Callable[[], CardSession]
"""Insert the card and open it."""
Fault = AbstractContextManager[object]


class VisitResult(Enum):
    """How a visit ends. After ``TORN`` the card can be inserted again; ``WAITS``: the citizen has to come back."""

    DONE = auto()
    TORN = auto()
    WAITS = auto()
    REFUSED = auto()


class Visit(Protocol):
    """What one citizen wants at the window; ``attend`` is called again to continue, with the card inserted again."""

    def attend(self, insert: Insert, now: int, fault: Fault, /) -> VisitResult:
        """Serve the citizen at a time; ``fault`` is entered for the operation on the card."""

    @property
    def pins(self) -> tuple[str, ...]:
        """The PINs that the card may have now: the old or the new one, both if the operation is in doubt."""


class CardVisit:
    """Without the service: the flows of the terminal on card and HSM."""

    def __init__(self, operation: Operation, old_pin: str, new_pin: str) -> None:
        self._operation = operation
        self._old, self._new = old_pin, old_pin if operation.keeps_pin else new_pin
        self._tries: int | None = None
        self._in_doubt = self._done = False

    def attend(self, insert: Insert, _now: int, fault: Fault) -> VisitResult:
        """See ``Visit``."""
        try:
            session = insert()
            if not self._in_doubt:
                self._tries = session.tries_left() if self._operation is Operation.CHANGE else None
            with fault:
                (self._resume if self._in_doubt else self._operate)(session)
            self._done, self._in_doubt = True, False
            session.verify_pin(self._new)
        except TransportError:
            self._in_doubt = True
            return VisitResult.TORN
        except (HsmError, ApduError):
            return VisitResult.WAITS
        return VisitResult.DONE

    @property
    def pins(self) -> tuple[str, ...]:
        """See ``Visit``."""
        if self._in_doubt:
            return self._old, self._new
        return (self._new,) if self._done else (self._old,)

    def _operate(self, session: CardSession) -> None:
        if self._operation is Operation.CHANGE:
            session.change_pin(self._old, self._new)
        elif self._operation is Operation.RESET:
            session.reset_pin(self._new)
        else:
            session.unblock_pin()

    def _resume(self, session: CardSession) -> None:
        if self._operation is Operation.CHANGE:
            session.run(finish_change(self._old, self._new, self._tries))
        elif self._operation is Operation.RESET:
            session.run(finish_reset(session.card, self._new))
        else:
            session.run(finish_unblock(session.card))


class ServiceVisit:
    """Through the whole service: a case from intake over acceptance and the card to its completion."""

    def __init__(self, desk: ServiceDesk, place: int, reason: Reason, old_pin: str, new_pin: str) -> None:
        self._desk = desk
        self._service = desk.service_of(place)
        self._reason = reason
        self._old, self._new = old_pin, old_pin if reason.operation.keeps_pin else new_pin
        self.case: Case | None = None

    def attend(self, insert: Insert, now: int, fault: Fault) -> VisitResult:
        """See ``Visit``."""
        self._desk.now = now
        try:
            session = insert()
            if self.case is None and not isinstance(answer := self._apply(session), Acceptance):
                return VisitResult.REFUSED if isinstance(answer, Refusal) else VisitResult.WAITS
        except (HsmError, ApduError):  # the card cannot be read, so there is no case
            return VisitResult.WAITS
        case, service = self.case, self._service
        assert case is not None
        if case.stage is Stage.ACCEPTED:
            knows = self._reason in (Reason.LEAKED, Reason.LOCKED_KNOWN)
            new = "" if self._reason.operation.keeps_pin else self._new
            with fault:
                operated = service.operate(case, session, new, self._old if knows else "")
            if not isinstance(operated, Operated):
                return VisitResult.TORN if case.in_doubt else VisitResult.WAITS if case.open else VisitResult.REFUSED
        notice = service.complete(case, session, self._new)
        return VisitResult.DONE if isinstance(notice, ResultNotice) else VisitResult.WAITS

    @property
    def pins(self) -> tuple[str, ...]:
        """See ``Visit``; as the journal says."""
        case = self.case
        if case is None or (case.stage is not Stage.FAILED and not case.outcomes and not case.in_doubt):
            return (self._old,)
        if case.in_doubt or case.stage is Stage.FAILED:
            return self._old, self._new
        return (self._new,) if case.stage in (Stage.OPERATED, Stage.COMPLETED) else (self._old,)

    def _apply(self, session: CardSession) -> object:
        read = session.read_basic()
        applicant = Applicant(name=read.name, id_number=read.social_security_number)
        self.case = self._service.intake(Application(applicant, Channel.WINDOW, self._reason, card=read))
        return self._service.accept(self.case)


class ServiceDesk:
    """The services of the places of a population, at a virtual time, each with a new journal for each card."""

    def __init__(self, population: Population) -> None:
        self.now = 0
        self._services = [
            PinService(self._clock, policy=population.policy, place=each.place) for each in population.places
        ]

    def service_of(self, place: int) -> PinService:
        """The service of a place, with an empty journal."""
        service = self._services[place]
        service.journal = MemoryJournal()
        return service

    def _clock(self) -> datetime:
        return BEGIN + timedelta(seconds=self.now)
