"""What the service answers: values, never exceptions; ``text`` is what the citizen is told.

None of them holds a PIN or an ID number.
"""

from __future__ import annotations

from dataclasses import dataclass

from sscard.service.words import Operation, Paper, Word
from sscard.service.workdays import Due


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
    found: str

    @property
    def text(self) -> str:
        return f"{self.found}；依据{self.rule.chinese}：{self.words.rstrip('。；')}"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The application is not accepted (不予受理), with every ground that holds."""

    grounds: tuple[Ground, ...]

    @property
    def text(self) -> str:
        return "不予受理：" + "。".join(ground.text for ground in self.grounds)


@dataclass(frozen=True, slots=True)
class SupplementNotice:
    """The one supplement notice (一次性告知补正) of a case: everything that is missing, and the item's criterion."""

    papers: tuple[Paper, ...]
    criterion: str

    @property
    def text(self) -> str:
        return f"请一次补齐：{name_papers(self.papers)}"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The application is accepted (受理); the item promises completion within these working days, until ``due``."""

    promised_working_days: int
    due: Due

    @property
    def text(self) -> str:
        day = self.due.day
        told = f"已受理，{self.promised_working_days}个工作日内办结，不晚于{day.year}年{day.month}月{day.day}日"
        return told if self.due.certain else f"{told}（节假日安排尚未公布，仅按周末推算）"


@dataclass(frozen=True, slots=True)
class Operated:
    """The card did it: the PIN is changed or reset, and waits for its trial."""

    operation: Operation

    @property
    def text(self) -> str:
        return f"密码{self.operation.chinese}成功"


@dataclass(frozen=True, slots=True)
class NotDone:
    """A step on the card did not happen: why, with the card's status word and the tries left where it told them.

    The tries are the PIN's, or the issuer's key's where the card refused that.
    """

    text: str
    sw: int | None = None
    tries_left: int | None = None


@dataclass(frozen=True, slots=True)
class ResultNotice:
    """What the citizen takes home: the result, the item's advice, whether the PIN is still the initial one.

    ``limits`` says what an initial PIN may not do in this place, empty where it may all.
    """

    case_number: str
    operation: Operation
    advice: str
    fee: str
    initial_pin: bool
    limits: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        told = (
            f"办件{self.case_number}：社会保障卡密码{self.operation.chinese}已办结",
            self.advice,
            f"收费：{self.fee}",
        )
        if not self.initial_pin:
            return told
        reminder = "您的密码仍是初始密码，请尽快修改"
        return (*told, reminder, self.limits) if self.limits else (*told, reminder)

    @property
    def text(self) -> str:
        return "。".join(self.lines)


def name_papers(papers: tuple[Paper, ...]) -> str:
    """The papers as the item names them, each as original."""
    return "、".join(f"{paper.chinese}（原件）" for paper in papers)
