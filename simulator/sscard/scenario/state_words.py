"""The words of a card's state as reports print them: as a scenario states them, and in Chinese."""

from __future__ import annotations

from typing import Final

from sscard.i18n.phrase import Phrase, Sayable, Words

READY: Final = "ready"
"""The state of a card without any other state word."""
LOCKED: Final = "-blocked"
"""The end of the word of a locked application, as in ``DF03-blocked``."""
STATE_NAMES: Final = {
    names.english: names
    for names in (
        Words(READY, "就绪"),
        Words("off", "未上电"),
        Words("no-pin", "未设密码"),
        Words("blocked", "密码已锁定"),
        Words("card-blocked", "卡片已锁定"),
        Words("verified", "密码已校验通过"),
        Words("certificate-user", "证书用户PIN已校验通过"),
        Words("certificate-administrator", "证书管理员PIN已校验通过"),
        Words("challenge", "随机数待使用"),
    )
}
"""The words in both languages; that of an authenticated key is its name."""


def state_name(words: str) -> Sayable:
    """State words with spaces between them, in the language of the reader."""
    return Phrase.joined("{first} {rest}", [_name(word) for word in words.split()])


def _name(word: str) -> Sayable:
    if word in STATE_NAMES:
        return STATE_NAMES[word]
    return Words(word, f"{word.removesuffix(LOCKED)}应用已锁定") if word.endswith(LOCKED) else word
