"""Which scenarios to run: ``-k`` expressions of words, ``and``, ``or``, ``not`` and parentheses."""

from __future__ import annotations

import re
from pathlib import Path

from sscard.errors import InputError
from sscard.i18n.phrase import Phrase
from sscard.scenario.reader import Scenario

_TOKEN = re.compile(r"[()]|[^\s()]+")


def select(scenarios: list[Scenario], expression: str) -> list[Scenario]:
    """The scenarios an expression picks; a word is looked for in name, personality, folder, file and tags."""
    chosen = []
    for scenario in scenarios:
        searched = " ".join((scenario.title, scenario.group, Path(scenario.source).name, *scenario.tags))
        try:
            fits = _Reader(expression, searched.lower()).read()
        except RecursionError:
            raise _unreadable(Phrase("is nested too deeply")) from None
        if fits:
            chosen.append(scenario)
    return chosen


class _Reader:
    """Reads an expression by recursive descent and says whether a text fits it."""

    def __init__(self, expression: str, text: str) -> None:
        self._tokens = _TOKEN.findall(expression.lower())
        self._text = text

    def read(self) -> bool:
        fits = self._either()
        if self._tokens:
            raise _unreadable(Phrase("{word!r} is left over", word=self._tokens[0]))
        return fits

    def _either(self) -> bool:
        fits = self._both()
        while self._take("or"):
            fits |= self._both()
        return fits

    def _both(self) -> bool:
        fits = self._one()
        while self._take("and"):
            fits &= self._one()
        return fits

    def _one(self) -> bool:
        if self._take("not"):
            return not self._one()
        if self._take("("):
            fits = self._either()
            if not self._take(")"):
                raise _unreadable(Phrase("a parenthesis is not closed"))
            return fits
        if not self._tokens or self._tokens[0] in ("and", "or", ")"):
            raise _unreadable(Phrase("a word is missing"))
        return self._tokens.pop(0) in self._text

    def _take(self, token: str) -> bool:
        if self._tokens[:1] != [token]:
            return False
        del self._tokens[0]
        return True


def _unreadable(problem: Phrase) -> InputError:
    return InputError(
        Phrase("-k: {problem}", problem=problem),
        remedy=Phrase("write words with and, or, not and parentheses: 'blocked and not v2-3des'"),
    )
