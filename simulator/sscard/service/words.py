"""The service's vocabulary: each word has an English value, and ``chinese`` as used by the item or in practice."""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from sscard.i18n.phrase import Words


class Word(StrEnum):
    """A closed set of words, each declared as value, Chinese, and English if the value is not readable text."""

    _value_: str
    chinese: str
    english: str

    def __new__(cls, value: str, chinese: str = "", english: str = "") -> Self:
        word = str.__new__(cls, value)
        word._value_ = value
        word.chinese = chinese
        word.english = english or value.replace("-", " ")
        return word

    @property
    def words(self) -> Words:
        """The text for display."""
        return Words(self.english, self.chinese)


class Operation(Word):
    """The operation on the PIN of the card."""

    CHANGE = "change", "修改"
    RESET = "reset", "重置"


class Reason(Word):
    """The reason of an application (申请条件三)."""

    LEAKED = "leaked", "密码外泄", "PIN leaked"
    FORGOTTEN = "forgotten", "密码遗忘", "PIN forgotten"
    LOCKED = "locked", "社保卡锁定", "card locked"

    @property
    def operation(self) -> Operation:
        """A leaked PIN is known and changed; in all other cases the PIN is reset."""
        return Operation.CHANGE if self is Reason.LEAKED else Operation.RESET


class Paper(Word):
    """A paper that the item requires, always the original (原件), not a copy.

    ``ID_CARD`` is the applicant's own identity document; the item names only
    the resident ID card.
    """

    ID_CARD = "id-card", "中华人民共和国居民身份证", "resident ID card"
    SOCIAL_SECURITY_CARD = "social-security-card", "中华人民共和国社会保障卡"


class ApplicantKind(Word):
    """Who may apply (申请条件一)."""

    CITIZEN = "citizen", "中国公民"
    HONG_KONG_MACAO_TAIWAN = "hong-kong-macao-taiwan", "港澳台居民", "resident of Hong Kong, Macao or Taiwan"
    OVERSEAS_CHINESE = "overseas-chinese", "华侨"
    FOREIGNER = "foreigner", "外国人"


class Document(Word):
    """An identity document. The item names the resident ID card; ``policy.yaml`` lists the accepted ones."""

    RESIDENT_ID = "resident-id", "居民身份证", "resident ID card"
    RESIDENCE_PERMIT = "residence-permit", "港澳台居民居住证"
    PERMANENT_RESIDENCE_ID = "permanent-residence-id", "外国人永久居留身份证", "foreigner's permanent residence ID card"
    PASSPORT = "passport", "护照"


class Presence(Word):
    """Who is present: the applicant, a guardian or a proxy."""

    IN_PERSON = "in-person", "本人", "the applicant"
    PROXY = "proxy", "代办人"
    GUARDIAN = "guardian", "监护人"


class Standing(Word):
    """The standing of a card in the issuer's list."""

    IN_USE = "in-use", "正常"
    LOST = "lost", "已挂失"
    BLACKLISTED = "blacklisted", "已列入黑名单"
    CANCELLED = "cancelled", "已注销"
