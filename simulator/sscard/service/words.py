"""The service's vocabulary: each word has an English value, and ``chinese`` as used by the item or in practice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sscard.i18n.phrase import Phrase
from sscard.i18n.word import Word


class Operation(Word):
    """The operation on the PIN of the card."""

    CHANGE = "change", "修改"
    RESET = "reset", "重置"
    UNBLOCK = "unblock", "解锁"

    @property
    def keeps_pin(self) -> bool:
        """Whether the card has the same PIN afterwards."""
        return self is Operation.UNBLOCK


@dataclass(frozen=True, slots=True)
class PinPhrase:
    """A sentence about the PIN of the card after an operation: about a new PIN, or about one that was kept."""

    new: Phrase
    kept: Phrase

    def after(self, operation: Operation) -> Phrase:
        return self.kept if operation.keeps_pin else self.new


class Reason(Word):
    """The reason of an application (申请条件三)."""

    LEAKED = "leaked", "密码外泄", "PIN leaked"
    FORGOTTEN = "forgotten", "密码遗忘", "PIN forgotten"
    LOCKED = "locked", "社保卡锁定", "card locked"
    LOCKED_KNOWN = "locked-known", "社保卡锁定，记得密码", "card locked, PIN remembered"

    @property
    def operation(self) -> Operation:
        """A leaked PIN is known and changed; that of a locked card, if remembered, is unblocked; else it is reset."""
        others = {Reason.LEAKED: Operation.CHANGE, Reason.LOCKED_KNOWN: Operation.UNBLOCK}
        return others.get(self, Operation.RESET)


class Paper(Word):
    """A paper that an application requires, always the original (原件), not a copy.

    The item names the first two. ``ID_CARD`` is the applicant's own identity
    document; the item names only the resident ID card. The others are those of
    a person who acts for the applicant (open-choices.md §3.2).
    """

    ID_CARD = "id-card", "中华人民共和国居民身份证", "resident ID card"
    SOCIAL_SECURITY_CARD = "social-security-card", "中华人民共和国社会保障卡"
    GUARDIAN_ID = "guardian-id", "监护人身份证件", "identity document of the guardian"
    GUARDIANSHIP = "proof-of-guardianship", "监护关系证明"
    PROXY_ID = "proxy-id", "代办人身份证件", "identity document of the proxy"
    LETTER_OF_AUTHORITY = "letter-of-authority", "委托书"


class OnlineStep(Word):
    """A step that the item offers online (网上办理深度)."""

    CONSULTATION = "consultation", "互联网咨询"
    INTAKE = "intake", "互联网收件"
    PRE_REVIEW = "pre-review", "互联网预审", "pre-review"
    ACCEPTANCE = "acceptance", "互联网受理"
    OPERATION = "operation", "互联网办理"
    RESULT = "result", "互联网办理结果信息反馈"


class ApplicantKind(Word):
    """Who may apply (申请条件一)."""

    CITIZEN = "citizen", "中国公民"
    HONG_KONG_MACAO_TAIWAN = "hong-kong-macao-taiwan", "港澳台居民", "resident of Hong Kong, Macao or Taiwan"
    OVERSEAS_CHINESE = "overseas-chinese", "华侨"
    FOREIGNER = "foreigner", "外国人"


class Document(Word):
    """An identity document. The item names the resident ID card; ``policy.yaml`` lists the accepted ones."""

    RESIDENT_ID = "resident-id", "居民身份证", "resident ID card"
    HOUSEHOLD_REGISTER = "household-register", "居民户口簿"
    RESIDENCE_PERMIT = "residence-permit", "港澳台居民居住证"
    MAINLAND_TRAVEL_PERMIT = "mainland-travel-permit", "港澳居民来往内地通行证", "Mainland travel permit"
    TAIWAN_TRAVEL_PERMIT = "taiwan-travel-permit", "台湾居民来往大陆通行证", "Taiwan travel permit"
    PERMANENT_RESIDENCE_ID = "permanent-residence-id", "外国人永久居留身份证", "foreigner's permanent residence ID card"
    PASSPORT = "passport", "护照"


class Presence(Word):
    """Who is present: the applicant, a guardian or a proxy."""

    IN_PERSON = "in-person", "本人", "the applicant"
    PROXY = "proxy", "代办人"
    GUARDIAN = "guardian", "监护人"


AGENT_PAPERS: Final = {
    Presence.GUARDIAN: (Paper.GUARDIAN_ID, Paper.GUARDIANSHIP),
    Presence.PROXY: (Paper.PROXY_ID, Paper.LETTER_OF_AUTHORITY),
}
"""The papers of a person who acts for the applicant, the own identity document first (open-choices.md §3.2)."""


class WhichPin(Word):
    """The PIN that the citizen means; the service handles the PIN of the card's chip (open-choices.md §3.7)."""

    CARD = "card", "社会保障卡密码", "PIN of the social security card"
    BANK = "bank", "银行密码", "bank PIN"
    ELECTRONIC = "electronic", "电子社会保障卡密码", "PIN of the electronic card"
    QUERY = "query", "查询密码", "query PIN"


class Proof(Word):
    """How a channel checks that the applicant is the person of the document (open-choices.md §3.6)."""

    NONE = "none", "无"
    ID_READER = "id-reader", "身份证阅读器", "ID reader"
    FACE = "face", "人脸识别", "face recognition"
    SMS = "sms", "短信验证码", "SMS code"


class ProofResult(Word):
    """Result of a proof of identity."""

    PASSED = "passed", "通过"
    FAILED = "failed", "未通过"
    UNAVAILABLE = "unavailable", "无法进行"


OLDER: Final = (
    Phrase("Accepted; done within {count} working day(s), by {day}"),
    Phrase(
        "the key of the HSM does not fit the card, which has blocked it for ever: "
        "the holder's data cannot be read any more"
    ),
    Phrase("Resumes the unblock of the PIN"),
)
"""Sentences in journals of older versions, which are still translated."""
