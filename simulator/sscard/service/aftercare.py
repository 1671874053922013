"""Aftercare: the result notice, or the statement of a case not continued; the trial of the new PIN; initial PINs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sscard.hsm import Hsm
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Words
from sscard.issuer import Place
from sscard.service.case import Case, Stage
from sscard.service.channels import Channel
from sscard.service.item import Item, load_item
from sscard.service.notices import (
    ADVICE,
    IN_DOUBT,
    NOT_CONTINUED,
    UNBLOCK_ADVICE,
    NotDone,
    Operated,
    ResultNotice,
)
from sscard.service.words import OnlineStep, Operation, PinPhrase
from sscard.standard.apdu import SW
from sscard.standard.cipher import equal
from sscard.terminal import CardSession, Receipt
from sscard.terminal.errors import ApduError

TRIAL_COST: Final = 1
"""One fen, paid by the holder and not from the account."""
CAN_PAY: Final = PinPhrase(Phrase("You can pay with the new PIN"), Phrase("You can pay with the PIN"))
CANNOT_PAY: Final = PinPhrase(
    Phrase("The new PIN is right; this card cannot pay at a pharmacy"),
    Phrase("The PIN is right; this card cannot pay at a pharmacy"),
)
NO_ACCOUNT: Final = frozenset({SW.FILE_NOT_FOUND, SW.UNKNOWN_INS, SW.UNKNOWN_CLA, SW.CONDITIONS_NOT_SATISFIED})


@dataclass(frozen=True, slots=True)
class Trial:
    """Result of a trial: whether the PIN was accepted, the text for the citizen, the receipt if it paid."""

    passed: bool
    said: Phrase
    receipt: Receipt | None = None

    @property
    def text(self) -> str:
        return say(self.said)


def abandoned(case: Case) -> NotDone:
    """What is stated of a case that the applicant does not continue."""
    if case.in_doubt:
        return NotDone(IN_DOUBT[case.operation])
    if case.stage is Stage.OPERATED:
        return NotDone(NOT_CONTINUED.after(case.operation).filled(done=Operated(case.operation).said))
    return NotDone(Phrase("the applicant does not continue; the PIN is unchanged"))


def is_initial(place: Place, session: CardSession, pin: str) -> bool:
    """Whether a PIN is the initial PIN of the place; the card is read only if the PIN depends on the holder.

    ``ApduError``, ``HsmError`` or ``TransportError`` if it cannot be read.
    """
    number = session.read_basic().social_security_number if place.initial_depends_on_id else ""
    initial = place.initial_pin_by(number)
    return bool(initial) and equal(pin.encode(), initial.encode())


def result_notice(case: Case, item: Item, place: Place, initial: bool, day: date) -> ResultNotice:
    """The notice of a case that is completed on a day, whose PIN is the ``initial`` one or not.

    It is given where the card was operated, and online to a citizen who applied
    there, as far as the item offers that.
    """
    on_site = case.handling is not Channel.ONLINE
    quoted = Words(ADVICE if item.advice == load_item().advice else item.advice, item.advice)
    feedback = [case.handling] if on_site else []
    if case.channel is Channel.ONLINE and OnlineStep.RESULT in item.online_steps:
        feedback.append(Channel.ONLINE)
    return ResultNotice(
        case.number,
        case.operation,
        UNBLOCK_ADVICE if case.operation.keeps_pin else quoted,
        item.fees.standard,
        initial,
        place.initial_rule.notice if initial else None,
        place.name,
        len(case.days_on_site | ({day} if on_site else set())),
        item.most_visits,
        tuple(feedback),
    )


def try_at_pharmacy(
    session: CardSession, hsm: Hsm, place: Place, pin: str, now: datetime, operation: Operation = Operation.RESET
) -> Trial:
    """Pay one fen with the PIN, as the item advises (到药店测试密码); only VERIFY without a medical account.

    ``operation`` is that of the case before. Raises ``ApduError`` if the card refuses the PIN.
    """
    rule = place.initial_rule
    if rule.notice is not None and is_initial(place, session, pin):
        return Trial("transact" not in rule.forbids, rule.notice)
    try:
        receipt = session.pay(pin, TRIAL_COST, hsm, now)
    except ApduError as error:
        if error.sw not in NO_ACCOUNT:
            raise
        session.verify_pin(pin)
        return Trial(True, CANNOT_PAY.after(operation))
    return Trial(True, CAN_PAY.after(operation), receipt)
