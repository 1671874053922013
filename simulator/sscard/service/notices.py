"""Answers of the service: values, never exceptions; ``text`` is the text for the citizen in the current language.

``said`` is the text as a phrase, independent of the language. The item's page
is quoted verbatim. Answers never contain a PIN or an ID number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.i18n.word import Word
from sscard.service.words import Operation, Paper
from sscard.service.workdays import Due

NO_STANDING: Final = Phrase("the holder base gives no answer, so the case waits: continue it later ({error})")
OTHER_CARD: Final = Phrase("this is not the social security card of the case")
UNCHANGED: Final = Phrase("the PIN is unchanged")
NOT_PROVED: Final = Phrase("the proof of identity by {proof} cannot be made now: please try it again later")
OPEN: Final = Phrase("the result of the previous operation is not known")
NO_ANSWER: Final = Phrase("the card gave no answer and the result is not known: put the same card back and continue")
NOT_BLOCKED: Final = Phrase("the PIN is not blocked, so there is nothing to unblock: try it, or do not continue")
BEGINS: Final = {
    Operation.CHANGE: Phrase("Begins to change the PIN on the card"),
    Operation.RESET: Phrase("Begins to reset the PIN on the card"),
    Operation.UNBLOCK: Phrase("Begins to unblock the PIN on the card"),
}
RESUMES: Final = {
    Operation.CHANGE: Phrase("Resumes the change of the PIN"),
    Operation.RESET: Phrase("Resumes the reset of the PIN"),
    Operation.UNBLOCK: Phrase("Resumes the unblock of the PIN"),
}
_DOUBT: Final = Phrase("aborted, and the card was not presented again: it is not known whether the PIN was changed")
IN_DOUBT: Final = {
    Operation.CHANGE: _DOUBT,
    Operation.RESET: _DOUBT,
    Operation.UNBLOCK: Phrase(
        "aborted, and the card was not presented again: it is not known whether it was unblocked"
    ),
}
NO_FEE: Final = "无"
SENTENCES: Final = "{first}. {rest}"
ADVICE: Final = (
    "After the change or reset of the PIN, you can try it at a hospital or pharmacy nearby, and change an initial PIN "
    "to avoid losses"
)
"""The item's advice in English; the Chinese text is in the item."""
DONE: Final = {
    Operation.CHANGE: Phrase("The PIN was changed"),
    Operation.RESET: Phrase("The PIN was reset"),
    Operation.UNBLOCK: Phrase("The PIN was unblocked"),
}
RESULTS: Final = {
    Operation.CHANGE: Phrase("Case {number}: the PIN of the social security card was changed", number=""),
    Operation.RESET: Phrase("Case {number}: the PIN of the social security card was reset", number=""),
    Operation.UNBLOCK: Phrase(
        "Case {number}: the social security card was unblocked, and its PIN is the same as before", number=""
    ),
}


class Rule(Word):
    """A rule for applications, named after the field of the item that states it."""

    CHANNEL = "channel", "办理形式"
    PERSON = "person", "申请条件"
    PRESENCE = "presence", "服务对象"
    AGE = "age", "服务对象"
    CARD = "card", "申请条件"
    REASON = "reason", "申请条件"
    GENUINE_PAPERS = "genuine-papers", "受理标准"
    SAME_PERSON = "same-person", "受理标准（人卡一致）"
    WHICH_PIN = "which-pin", "行使内容"
    IDENTITY = "identity", "受理标准（身份核验）"


@dataclass(frozen=True, slots=True)
class Ground:
    """Why an application is refused: the rule, its text in the item, and what was found."""

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

    def to_facts(self) -> dict[str, list[str]]:
        """The rules of the grounds, as facts of an event."""
        return {"grounds": [ground.rule.value for ground in self.grounds]}

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class SupplementNotice:
    """The only supplement notice (一次性告知补正) of a case: all missing papers, and the item's criterion."""

    papers: tuple[Paper, ...]
    criterion: str

    @property
    def said(self) -> Phrase:
        return Phrase("Please bring all of the following: {papers}", papers=name_papers(self.papers))

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The application cannot be examined now: why. The case keeps its stage, and the same call continues it."""

    said: Phrase

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The application is accepted (受理); the item promises completion within these working days, by ``due``."""

    promised_working_days: int
    due: Due

    @property
    def said(self) -> Phrase:
        day = self.due.day
        accepted = Phrase(
            "Accepted; done within {count} working day(s), by {day}",
            count=self.promised_working_days,
            day=Words(day.isoformat(), f"{day.year}年{day.month}月{day.day}日"),
        )
        if self.due.certain:
            return accepted
        return Phrase("{accepted} (holidays are not announced yet, only weekends are counted)", accepted=accepted)

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class Operated:
    """The PIN is changed, reset or unblocked on the card; the citizen has not tried it yet."""

    operation: Operation

    @property
    def said(self) -> Phrase:
        return DONE[self.operation]

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class NotDone:
    """An operation was not performed by the card: why, with status word and tries left if the card reported them.

    The tries are those of the PIN, or of the issuer's key if the card refused the key.
    """

    said: Phrase
    sw: int | None = None
    tries_left: int | None = None

    @property
    def text(self) -> str:
        return say(self.said)


@dataclass(frozen=True, slots=True)
class ResultNotice:
    """The result notice: the result, the item's advice, whether the PIN is still the initial one.

    ``advice`` and ``fee`` are quoted from the item. ``limits`` states what an
    initial PIN may not do in this place, ``None`` without limits.
    """

    case_number: str
    operation: Operation
    advice: str
    fee: str
    initial_pin: bool
    limits: Phrase | None = None

    @property
    def said(self) -> tuple[Phrase, ...]:
        """The notice, one sentence per item."""
        sentences = [
            RESULTS[self.operation].filled(number=self.case_number),
            Phrase("{text}", text=Words(ADVICE, self.advice)),
            Phrase("Fee: {fee}", fee=Words("none", self.fee) if self.fee == NO_FEE else self.fee),
        ]
        if self.initial_pin:
            sentences.append(Phrase("Your PIN is still the initial one: please change it soon"))
            sentences += [self.limits] if self.limits else []
        return tuple(sentences)

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(map(say, self.said))

    @property
    def text(self) -> str:
        return say(Phrase.joined(SENTENCES, self.said))


def name_papers(papers: Sequence[Paper]) -> Sayable:
    """The papers as named in the item, each as original."""
    originals = [Phrase("{paper} (the original)", paper=paper.words) for paper in papers]
    return Phrase.joined("{first}, {rest}", originals)
