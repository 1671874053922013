"""The PIN service (密码修改与重置): a case from intake over acceptance and the card to completion."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import count

from sscard.apdu import ApduError, status_text
from sscard.cipher import equal
from sscard.encoding import encode_pin
from sscard.issuer import HsmError
from sscard.issuer.personalise import INITIAL_PIN
from sscard.service.case import Application, Case, Stage
from sscard.service.conditions import grounds_against, missing_papers
from sscard.service.item import Item, load_item
from sscard.service.notices import (
    Acceptance,
    NotDone,
    Operated,
    Refusal,
    ResultNotice,
    SupplementNotice,
    name_papers,
)
from sscard.service.words import Operation, Paper
from sscard.terminal import AuthenticationFailed, BasicData, CardSession, CardUnusable, KeyBlocked, PinBlocked, WrongPin

Clock = Callable[[], datetime]
Answer = Acceptance | SupplementNotice | Refusal

BLOCKED = "密码已锁定，请以社保卡锁定为由申请重置"
_FOUND: tuple[tuple[type[ApduError], str], ...] = (
    (WrongPin, "密码不正确，还可再试{tries}次"),
    (PinBlocked, BLOCKED),
    (AuthenticationFailed, "卡片不接受发卡机构的密钥，密钥还剩{tries}次，密码未变"),
    (KeyBlocked, "卡片上发卡机构的密钥已锁定，密码未变"),
    (CardUnusable, "卡片或应用已锁定"),
)
_WITHOUT_REMEDY = (PinBlocked, AuthenticationFailed, KeyBlocked, CardUnusable)
"""Refusals of the card that end a case; so does the wrong PIN that leaves no try."""


class PinService:
    """The service of one item. Each verb answers with a value; ``WrongStage`` only where a verb comes out of turn."""

    def __init__(self, clock: Clock, item: Item | None = None, initial_pin: str = INITIAL_PIN) -> None:
        self.item = item or load_item()
        self._clock = clock
        self._initial_pin = initial_pin.encode()
        self._numbers = count(1)

    def intake(self, application: Application) -> Case:
        """收件: take what is handed in, whatever it is."""
        now = self._clock()
        number = f"{now:%Y%m%d}{next(self._numbers):06d}"
        reason = application.reason.chinese if application.reason else "无事由"
        return Case(number, application, now, f"{application.channel.chinese}，{reason}")

    def accept(self, case: Case) -> Answer:
        """受理: accepted, refused with every ground, or the one supplement notice with every missing paper."""
        case.require(Stage.INTAKE)
        return self._examine(case)

    def supplement(self, case: Case, papers: Iterable[Paper], card: BasicData | None = None) -> Answer:
        """补正: add papers (and what was read from the card among them), and go on where the case was.

        Where papers are still missing the case waits on; the answer is the
        notice it was given, no second one.
        """
        case.require(Stage.SUPPLEMENT)
        case.papers |= frozenset(papers)
        case.card = card or case.card
        return self._examine(case)

    def operate(self, case: Case, session: CardSession, new_pin: str, old_pin: str = "") -> Operated | NotDone:
        """Change (leaked) or reset (forgotten, locked) the PIN on the case's own card.

        ``new_pin`` has 4–16 digits; ``old_pin`` is for a change, empty where
        the card has none. ``ValueError`` for anything else, before anything happened.
        """
        case.require(Stage.ACCEPTED)
        _check_pin(new_pin)
        encode_pin(old_pin)
        operation = case.reason.operation
        if not _is_card_of(case, session):
            return self._note(case, NotDone("不是本办件的社会保障卡"))
        # Before the card is touched: whatever cuts this short, the case tells what may have happened.
        case.enter(Stage.ACCEPTED, self._clock(), f"开始在卡上{operation.chinese}密码")
        try:
            _perform(operation, session, new_pin, old_pin)
        except ApduError as error:
            return self._refused(case, error)
        except HsmError as error:
            return self._note(case, NotDone(f"加密机未能办理，密码未变（{error}）"))
        done = Operated(operation)
        case.enter(Stage.OPERATED, self._clock(), done.text)
        return done

    def complete(self, case: Case, session: CardSession, pin: str) -> ResultNotice | NotDone:
        """办结: the citizen tries the new PIN on the card and is told what to do next. Nothing is charged."""
        case.require(Stage.OPERATED)
        _check_pin(pin)
        if not _is_card_of(case, session):
            return self._note(case, NotDone("不是本办件的社会保障卡"))
        try:
            session.verify_pin(pin)
        except ApduError as error:
            return self._refused(case, error)
        case.enter(Stage.COMPLETED, self._clock(), "新密码校验通过，已告知结果")
        initial = equal(pin.encode(), self._initial_pin)
        return ResultNotice(case.number, case.reason.operation, self.item.advice, self.item.fees.standard, initial)

    def _examine(self, case: Case) -> Answer:
        grounds = grounds_against(self.item, case)
        if grounds:
            return self._refuse(case, Refusal(grounds))
        missing = missing_papers(self.item, case)
        if missing:
            return self._ask_for(case, missing)
        accepted = Acceptance(self.item.promised_working_days)
        case.enter(Stage.ACCEPTED, self._clock(), accepted.text)
        return accepted

    def _refuse(self, case: Case, refusal: Refusal) -> Refusal:
        case.enter(Stage.REFUSED, self._clock(), refusal.text)
        return refusal

    def _ask_for(self, case: Case, missing: tuple[Paper, ...]) -> SupplementNotice:
        if case.notice is not None:
            case.enter(Stage.SUPPLEMENT, self._clock(), f"仍缺：{name_papers(missing)}")
            return case.notice
        case.notice = SupplementNotice(missing, self.item.acceptance.criteria)
        case.enter(Stage.SUPPLEMENT, self._clock(), case.notice.text)
        return case.notice

    def _refused(self, case: Case, error: ApduError) -> NotDone:
        """What the card's refusal does to a case: it ends where no other try can help, else waits where it was."""
        tries: int | None = getattr(error, "tries_left", None)
        answer = NotDone(_found(error, tries), error.sw, tries)
        if tries == 0 or isinstance(error, _WITHOUT_REMEDY):
            case.enter(Stage.FAILED, self._clock(), answer.text)
            return answer
        return self._note(case, answer)

    def _note(self, case: Case, answer: NotDone) -> NotDone:
        case.enter(case.stage, self._clock(), answer.text)
        return answer


def _perform(operation: Operation, session: CardSession, new_pin: str, old_pin: str) -> None:
    if operation is Operation.CHANGE:
        session.change_pin(old_pin, new_pin)
        return
    session.reset_pin(new_pin)


def _is_card_of(case: Case, session: CardSession) -> bool:
    return case.card is not None and session.identity == case.card.identity


def _check_pin(pin: str) -> None:
    """Refuse a PIN that is none, without repeating it."""
    if not encode_pin(pin):
        raise ValueError("a PIN has 4 to 16 digits, got none")


def _found(error: ApduError, tries: int | None) -> str:
    """What the card's refusal means, in words."""
    if isinstance(error, WrongPin) and tries == 0:
        return f"密码不正确，{BLOCKED}"
    known = (words.format(tries=tries) for kind, words in _FOUND if isinstance(error, kind))
    return next(known, status_text(error.sw, chinese=True))
