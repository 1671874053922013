"""What the service answers: values, never exceptions; ``text`` is what the citizen is told, in the language.

``said`` is the same in any language. What the item's page says is quoted as it
stands. None of them holds a PIN or an ID number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.service.words import Operation, Paper, Word
from sscard.service.workdays import Due

NO_FEE: Final = "无"
SENTENCES: Final = "{first}. {rest}"
ADVICE: Final = (
    "After the change or reset of the PIN, you can try it at a hospital or pharmacy nearby, and change an initial PIN "
    "to avoid losses"
)
"""The item's advice in English; in Chinese it stands in the item."""


class Rule(Word):
    """A rule an application must keep, named after the field of the item that makes it."""

    CHANNEL = "channel", "办理形式"
    PERSON = "person", "申请条件"
    PRESENCE = "presence", "服务对象"
    AGE = "age", "服务对象"
    CARD = "card", "申请条件"
    REASON = "reason", "申请条件"
    GENUINE_PAPERS = "genuine-papers", "受理标准"
    SAME_PERSON = "same-person", "受理标准（人卡一致）"


@dataclass(frozen=True, slots=True)
class Ground:
    """Why an application is refused: the rule, the item's words for it, what was found."""

    rule: Rule
    words: str
    found: Phrase

    @property
    def said(self) -> Phrase:
        words = self.words.rstrip("。；")
        return Phrase("{found}; by {rule}: {words}", found=self.found, rule=self.rule.chinese, words=words)

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The application is not accepted (不予受理), with every ground that holds."""

    grounds: tuple[Ground, ...]

    @property
    def said(self) -> Phrase:
        grounds = Phrase.joined(SENTENCES, [ground.said for ground in self.grounds])
        return Phrase("Not accepted: {grounds}", grounds=grounds)

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class SupplementNotice:
    """The one supplement notice (一次性告知补正) of a case: everything that is missing, and the item's criterion."""

    papers: tuple[Paper, ...]
    criterion: str

    @property
    def said(self) -> Phrase:
        return Phrase("Please bring all of this at once: {papers}", papers=name_papers(self.papers))

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The application is accepted (受理); the item promises completion within these working days, until ``due``."""

    promised_working_days: int
    due: Due

    @property
    def said(self) -> Phrase:
        day = self.due.day
        told = Phrase(
            "Accepted; done within {count} working day(s), by {day}",
            count=self.promised_working_days,
            day=Words(day.isoformat(), f"{day.year}年{day.month}月{day.day}日"),
        )
        if self.due.certain:
            return told
        return Phrase("{told} (holidays are not announced yet, only weekends are counted)", told=told)

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Operated:
    """The card did it: the PIN is changed or reset, and waits for its trial."""

    operation: Operation

    @property
    def said(self) -> Phrase:
        return Phrase("The PIN was changed") if self.operation is Operation.CHANGE else Phrase("The PIN was reset")

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class NotDone:
    """A step on the card did not happen: why, with the card's status word and the tries left where it told them.

    The tries are the PIN's, or the issuer's key's where the card refused that.
    """

    said: Phrase
    sw: int | None = None
    tries_left: int | None = None

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class ResultNotice:
    """What the citizen takes home: the result, the item's advice, whether the PIN is still the initial one.

    ``advice`` and ``fee`` are the item's own words. ``limits`` says what an
    initial PIN may not do in this place, ``None`` where it may all.
    """

    case_number: str
    operation: Operation
    advice: str
    fee: str
    initial_pin: bool
    limits: Phrase | None = None

    @property
    def said(self) -> tuple[Phrase, ...]:
        """One sentence each."""
        changed = self.operation is Operation.CHANGE
        number = self.case_number
        told = [
            Phrase("Case {number}: the PIN of the social security card was changed", number=number)
            if changed
            else Phrase("Case {number}: the PIN of the social security card was reset", number=number),
            Phrase("{text}", text=Words(ADVICE, self.advice)),
            Phrase("Fee: {fee}", fee=Words("none", self.fee) if self.fee == NO_FEE else self.fee),
        ]
        if self.initial_pin:
            told.append(Phrase("Your PIN is still the initial one: please change it soon"))
            told += [self.limits] if self.limits else []
        return tuple(told)

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(map(say, self.said))

    @property
    def text(self) -> str:
        return say(Phrase.joined(SENTENCES, self.said))


def name_papers(papers: Sequence[Paper]) -> Sayable:
    """The papers as the item names them, each as original."""
    originals = [Phrase("{paper} (the original)", paper=paper.words) for paper in papers]
    return Phrase.joined("{first}, {rest}", originals)
