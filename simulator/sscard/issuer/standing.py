"""The words for the standing of a card (open-choices.md §3.5)."""

from __future__ import annotations

from sscard.i18n.word import Word


class Standing(Word):
    """The standing of a card (卡状态)."""

    IN_USE = "in-use", "正常"
    NOT_ENABLED = "not-enabled", "未启用"
    TEMPORARILY_LOST = "temporarily-lost", "已临时挂失", "temporarily reported as lost"
    LOST = "lost", "已挂失"
    BLACKLISTED = "blacklisted", "已列入黑名单"
    CANCELLED = "cancelled", "已注销"
    EXPIRED = "expired", "已过有效期"
