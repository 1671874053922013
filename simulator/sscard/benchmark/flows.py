"""The operations that are measured, each from power-on to its end, as a terminal or the service does them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sscard.driver import Result, SSCardDriver
from sscard.driver.hoststrings import CardHolderBase
from sscard.errors import HsmError, InputError, PhrasedError, TransportError, suggestion
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase, Sayable
from sscard.service import Acceptance, Applicant, Application, Channel, Operated, PinService, Reason, ResultNotice
from sscard.service.journal.memory import JournalUnavailable
from sscard.terminal import CardSession
from sscard.terminal.errors import ApduError

CASE: Final = "case:"
"""Begin of the name of a flow that is a case."""
DRIVER: Final = "driver-"
"""Begin of the name of a flow that is done by the driver of LD/T 33."""
CONTACT: Final = 1
"""The ``iType`` of a card in the contact reader."""


class NotCompleted(PhrasedError):
    """The service did not complete a case, the driver a function, or a scenario did not pass.

    ``answer`` is the kind of what came instead, ``reason`` what it says.
    """

    def __init__(self, answer: str, reason: Sayable = "") -> None:
        super().__init__(Phrase("the operation was not completed: {answer}", answer=reason or answer))
        self.args = (answer, reason)
        self.answer = answer


class Desk(Protocol):
    """What an operation works with; each call of ``session`` powers the card and opens it.

    The card is in the contact reader of ``driver``.
    """

    pin: str
    new_pin: str
    service: PinService
    hsm: Hsm

    def session(self) -> CardSession: ...

    def driver(self) -> SSCardDriver: ...


@dataclass(frozen=True, slots=True)
class Measured:
    """An operation that can be measured.

    ``blocked``: the PIN of the card has no try left before. ``changes``: the card has the new PIN afterwards.
    ``writes``: it changes the card. ``is_case``: it is a case of the service, which is written to a journal.
    """

    name: str
    title: Sayable
    operate: Callable[[Desk], object]
    blocked: bool = False
    changes: bool = False
    writes: bool = True
    is_case: bool = False


def _case(reason: Reason) -> Callable[[Desk], None]:
    def operate(desk: Desk) -> None:
        session = desk.session()
        read = session.read_basic()
        applicant = Applicant(name=read.name, id_number=read.social_security_number)
        case = desk.service.intake(Application(applicant, Channel.WINDOW, reason, card=read))
        _demand(desk.service.accept(case), Acceptance)
        knows = reason in (Reason.LEAKED, Reason.LOCKED_KNOWN)
        new = "" if reason.operation.keeps_pin else desk.new_pin
        _demand(desk.service.operate(case, session, new, desk.pin if knows else ""), Operated)
        _demand(desk.service.complete(case, session, new or desk.pin), ResultNotice)

    return operate


def _demand(answer: object, kind: type) -> None:
    if not isinstance(answer, kind):
        raise NotCompleted(type(answer).__name__, getattr(answer, "said", ""))


def _driver_change(desk: Desk) -> None:
    _done(desk.driver().iChangePIN(CONTACT, desk.pin, desk.new_pin))


def _driver_reset(desk: Desk) -> None:
    """As a window program: it reads who the card is, and each step of the driver has an answer of the HSM."""
    driver, host = desk.driver(), CardHolderBase(desk.hsm)
    basic = _done(driver.iReadCardBas_HSM_Step2(host.check_card(_done(driver.iReadCardBas_HSM_Step1(CONTACT)))))
    _code, _kind, card_number, social_security_number, *_rest = basic.split("|")
    asked = _done(driver.iReloadPIN_HSM_Step1(CONTACT, f"{social_security_number}|{card_number}|"))
    asked = _done(driver.iReloadPIN_HSM_Step2(host.authenticate(basic, asked), desk.new_pin))
    _done(driver.iReloadPIN_HSM_Step3(host.safe_message(basic, asked)))


def _done(result: Result) -> str:
    code, out = result
    if code:
        raise NotCompleted(str(code), out)
    return out


FLOWS: Final[Mapping[str, Measured]] = {
    flow.name: flow
    for flow in (
        Measured(
            "change", Phrase("change PIN"), lambda desk: desk.session().change_pin(desk.pin, desk.new_pin), changes=True
        ),
        Measured("reset", Phrase("reset PIN"), lambda desk: desk.session().reset_pin(desk.new_pin), changes=True),
        Measured("unblock", Phrase("unblock PIN"), lambda desk: desk.session().unblock_pin(), blocked=True),
        Measured("verify", Phrase("verify PIN"), lambda desk: desk.session().verify_pin(desk.pin), writes=False),
        Measured("read", Phrase("read the basic data"), lambda desk: desk.session().read_basic(), writes=False),
        Measured(f"{DRIVER}change", Phrase("change PIN by the driver"), _driver_change, changes=True),
        Measured(f"{DRIVER}reset", Phrase("reset PIN by the driver"), _driver_reset, changes=True),
        *(
            Measured(
                f"{CASE}{reason.value}",
                Phrase("case: {reason}", reason=reason.words),
                _case(reason),
                blocked=reason in (Reason.LOCKED, Reason.LOCKED_KNOWN),
                changes=not reason.operation.keeps_pin,
                is_case=True,
            )
            for reason in Reason
        ),
    )
}
"""The operations by name."""


def find_flows(name: str) -> list[Measured]:
    """The operation of a name, or those of every reason for ``case``. Errors: ``InputError``."""
    if name == CASE.rstrip(":"):
        return [flow for flow in FLOWS.values() if flow.is_case]
    if name in FLOWS:
        return [FLOWS[name]]
    raise InputError(
        Phrase("no flow {name!r}", name=name),
        remedy=suggestion(name, FLOWS, Phrase("expected one of: {words}, or a scenario file", words=", ".join(FLOWS))),
    )


def kind_of(error: Exception) -> str:
    """What kind of failure an error of an operation is, without a secret; empty if no operation raises it."""
    if isinstance(error, ApduError):
        return f"{type(error).__name__} {error.sw:04X}"
    if isinstance(error, NotCompleted):
        return error.answer
    return type(error).__name__ if isinstance(error, HsmError | TransportError | JournalUnavailable) else ""
