"""Closed sets of words of the service and the issuer, each in English and Chinese."""

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
