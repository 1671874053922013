"""Answers of the service: values, never exceptions; ``text`` is the text for the citizen in the current language.

``said`` is the text as a phrase, independent of the language. The item's page
is quoted verbatim. Answers never contain a PIN or an ID number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable, Words
from sscard.i18n.word import Word
from sscard.service.channels import Channel
from sscard.service.page import Contact, Question
from sscard.service.words import Document, Operation, Paper, PinPhrase
from sscard.service.workdays import Due

NO_STANDING: Final = Phrase("the holder base gives no answer, so the case waits: continue it later ({error})")
OTHER_CARD: Final = Phrase("this is not the social security card of the case")
UNCHANGED: Final = Phrase("the PIN is unchanged")
NOT_PROVED: Final = Phrase("the proof of identity by {proof} cannot be made now: please try it again later")
OPEN: Final = Phrase("the result of the previous operation is not known")
NO_ANSWER: Final = Phrase("the card gave no answer and the result is not known: put the same card back and continue")
NOT_TRIED: Final = PinPhrase(
    Phrase("the card gave no answer: put the same card back and try the new PIN"),
    Phrase("the card gave no answer: put the same card back and try the PIN"),
)
UNREPORTED: Final = PinPhrase(Phrase("The new PIN was right"), Phrase("The PIN was right"))
"""The closing of a case whose result is not sent to the citizen."""
NOT_CONTINUED: Final = PinPhrase(
    Phrase("{done}; the applicant has not tried it"), Phrase("{done}; the applicant has not tried the PIN")
)
NOT_READ: Final = Phrase(
    "the PIN was right, but it is not known whether it is the initial one, because the card cannot be read: "
    "try the PIN again later ({error})"
)
NOT_KNOWN_WHETHER_INITIAL: Final = Phrase("the PIN was right, but it is not known whether it is the initial one: {why}")
KEY_REFUSED: Final = Phrase.plural(
    "the key of the HSM does not fit the card, which takes it {count} more time before it blocks; "
    "the case waits until the HSM is checked",
    "the key of the HSM does not fit the card, which takes it {count} more times before it blocks; "
    "the case waits until the HSM is checked",
    count=0,
)
NO_CASE_OPENED: Final = Phrase.plural(
    "the key of the HSM does not fit the card, which takes it {count} more time before it blocks; "
    "no case was opened: check --hsm and --keys first",
    "the key of the HSM does not fit the card, which takes it {count} more times before it blocks; "
    "no case was opened: check --hsm and --keys first",
    count=0,
)
KEY_BLOCKED: Final = Phrase(
    "the key of the HSM does not fit the card, which has blocked it permanently: "
    "the holder's data can no longer be read"
)
KEY_FITS: Final = Phrase("The key of the HSM fits the card now")
UNREAD: Final = Phrase("the social security card cannot be read: {error}", error="")
NOT_BLOCKED: Final = Phrase("the PIN is not blocked, so there is nothing to unblock: try it, or do not continue")
BEGINS: Final = {
    Operation.CHANGE: Phrase("Begins to change the PIN on the card"),
    Operation.RESET: Phrase("Begins to reset the PIN on the card"),
    Operation.UNBLOCK: Phrase("Begins to unblock the PIN on the card"),
}
RESUMES: Final = {
    Operation.CHANGE: Phrase("Resumes the change of the PIN"),
    Operation.RESET: Phrase("Resumes the reset of the PIN"),
    Operation.UNBLOCK: Phrase("Resumes unblocking the PIN"),
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
CONTACTS: Final = "{first}; {rest}"
ADVICE: Final = (
    "After the change or reset of the PIN, you can try it at a hospital or pharmacy nearby, and change an initial PIN "
    "to avoid losses"
)
"""The item's advice in English; the Chinese text is in the item."""
UNBLOCK_ADVICE: Final = Words(
    "After unblocking, you can try the PIN at a hospital or pharmacy nearby, and change an initial PIN to avoid losses",
    "办理过社会保障卡解锁后，申请人可以到就近的医院或药店测试密码，并修改初始密码，避免受到损失",
)
"""The same for an unblock, of which the item's advice says nothing."""
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
NO_FEEDBACK: Final = Phrase("The result is not sent online: please ask for it at a window")


class Rule(Word):
    """A rule for applications, named after the field of the item that states it."""

    CHANNEL = "channel", "办理形式"
    ONLINE_STEP = "online-step", "网上办理深度"
    PERSON = "person", "申请条件（申请人）"
    PRESENCE = "presence", "服务对象（本人到场）"
    AGE = "age", "服务对象（年龄）"
    CARD = "card", "申请条件（卡）"
    REASON = "reason", "申请条件（原因）"
    GENUINE_PAPERS = "genuine-papers", "受理标准（材料真实）"
    SAME_PERSON = "same-person", "受理标准（人卡一致）"
    WHICH_PIN = "which-pin", "行使内容", "which PIN"
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
    """The application is not accepted (不予受理), with every ground that holds, and the item's complaint contacts."""

    grounds: tuple[Ground, ...]
    complaints: tuple[Contact, ...] = ()

    @property
    def said(self) -> Phrase:
        grounds = Phrase.joined(SENTENCES, [ground.said for ground in self.grounds])
        return Phrase("Not accepted: {grounds}", grounds=grounds)

    def to_facts(self) -> dict[str, list[Any]]:
        """The rules of the grounds and the contacts, as facts of an event."""
        return {
            "grounds": [ground.rule.value for ground in self.grounds],
            "complaints": [contact.model_dump(by_alias=True) for contact in self.complaints],
        }

    @property
    def text(self) -> str:
        return refused_text(self.said, self.complaints)


@dataclass(frozen=True, slots=True)
class SupplementNotice:
    """The only supplement notice (一次性告知补正) of a case: all missing papers, and the item's criterion.

    ``document`` is the applicant's own identity document.
    """

    papers: tuple[Paper, ...]
    criterion: str
    document: Document = Document.RESIDENT_ID

    @property
    def said(self) -> Phrase:
        return Phrase("Please bring all of the following: {papers}", papers=name_papers(self.papers, self.document))

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
    """The application is accepted (受理); the item promises completion within these working days, by ``due``.

    ``legal`` is the last day of the legal limit if it is longer.
    """

    promised_working_days: int
    due: Due
    legal: date | None = None

    def to_facts(self) -> dict[str, Any]:
        """The limits, as facts of the event of the acceptance."""
        legal = self.legal or self.due.day
        return {"due": self.due.day.isoformat(), "certain": self.due.certain, "legal_due": legal.isoformat()}

    @property
    def said(self) -> Phrase:
        day = self.due.day
        accepted = Phrase.plural(
            "Accepted; done within {count} working day, by {day}",
            "Accepted; done within {count} working days, by {day}",
            count=self.promised_working_days,
            day=_day(day),
        )
        if self.legal:
            legal = Phrase("the legal limit ends on {day}", day=_day(self.legal))
            accepted = Phrase("{accepted}; {legal}", accepted=accepted, legal=legal)
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

    The tries are those of the PIN, or of the issuer's key if the card refused the key. ``complaints`` are the item's
    contacts if the service refused the card.
    """

    said: Phrase
    sw: int | None = None
    tries_left: int | None = None
    complaints: tuple[Contact, ...] = ()

    @property
    def text(self) -> str:
        return refused_text(self.said, self.complaints)


@dataclass(frozen=True, slots=True)
class ResultNotice:
    """The result notice: the result, the item's advice, whether the PIN is still the initial one.

    It is what the event of the completion states, whatever place, policy and
    item the service has later. ``advice``, unless the PIN was unblocked, and
    ``fee`` are quoted from the item.
    ``limits`` states what an initial PIN may not do in this place, ``None``
    without limits. ``visits`` are the days on which the citizen was at a window
    or terminal; the item states ``most_visits``. ``feedback`` are the channels
    that give the notice to the citizen; without one it must be asked for.
    """

    case_number: str
    operation: Operation
    advice: Words
    fee: str
    initial_pin: bool
    limits: Phrase | None
    place: str
    visits: int
    most_visits: int
    feedback: tuple[Channel, ...]

    @property
    def said(self) -> tuple[Phrase, ...]:
        """The notice, one sentence per item."""
        if not self.feedback:
            return (NO_FEEDBACK,)
        sentences = [
            RESULTS[self.operation].filled(number=self.case_number),
            Phrase("{text}", text=self.advice),
            Phrase("Fee: {fee}", fee=Words("none", self.fee) if self.fee == NO_FEE else self.fee),
            Phrase("Visits on site: {visits}", visits=self.visits)
            if self.visits <= self.most_visits
            else Phrase(
                "Visits on site: {visits} (the page of the item states at most {most})",
                visits=self.visits,
                most=self.most_visits,
            ),
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

    def to_facts(self) -> dict[str, Any]:
        """The facts of the event of the completion."""
        return {
            "operation": self.operation.value,
            "advice": list(self.advice),
            "fee": self.fee,
            "initial": self.initial_pin,
            "limits": self.limits and self.limits.to_facts(),
            "place": self.place,
            "visits": self.visits,
            "most_visits": self.most_visits,
            "feedback": [channel.value for channel in self.feedback],
        }

    @classmethod
    def from_facts(cls, case_number: str, facts: dict[str, Any]) -> ResultNotice:
        """The notice that ``to_facts`` wrote."""
        return cls(
            case_number,
            Operation(facts["operation"]),
            Words(*facts["advice"]),
            facts["fee"],
            facts["initial"],
            facts["limits"] and Phrase.from_facts(facts["limits"]),
            facts["place"],
            facts["visits"],
            facts["most_visits"],
            tuple(Channel(channel) for channel in facts["feedback"]),
        )


@dataclass(frozen=True, slots=True)
class Consultation:
    """The answer to an inquiry (咨询): the item's questions with answers, and where to ask further."""

    questions: tuple[Question, ...]
    enquiries: tuple[Contact, ...]

    @property
    def lines(self) -> tuple[str, ...]:
        """One line per question, and the contacts."""
        asked = [f"{question.question} {question.answer}" for question in self.questions]
        return (*asked, say(Phrase("Inquiries: {contacts}", contacts=contacts_said(self.enquiries))))

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


def not_opened(tries: int) -> Phrase:
    """Why no case is opened with a card that refuses the HSM's key, which has so many tries left."""
    return NO_CASE_OPENED.filled(count=tries) if tries else KEY_BLOCKED


def refused_text(said: Sayable, complaints: tuple[Contact, ...]) -> str:
    """The text of a refusal, followed by where to complain."""
    if not complaints:
        return say(said)
    contacts = Phrase("Complaints: {contacts}", contacts=contacts_said(complaints))
    return say(Phrase.joined(SENTENCES, [said, contacts]))


def contacts_said(contacts: Sequence[Contact]) -> Sayable:
    """Contacts as the page states them: method, platform if any, and address."""
    shown = ["：".join(filter(None, (contact.way, contact.platform, contact.where))) for contact in contacts]
    return Phrase.joined(CONTACTS, shown)


def name_papers(papers: Sequence[Paper], document: Document) -> Sayable:
    """The papers, each as original: as named in the item, but an own identity document of another kind by its name."""
    own = {Paper.ID_CARD: Paper.ID_CARD.words if document is Document.RESIDENT_ID else document.words}
    originals = [Phrase("{paper} (the original)", paper=own.get(paper, paper.words)) for paper in papers]
    return Phrase.joined("{first}, {rest}", originals)


def _day(day: date) -> Words:
    return Words(day.isoformat(), f"{day.year}年{day.month}月{day.day}日")
