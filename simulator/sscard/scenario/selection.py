"""Which scenarios to run: ``-k`` and ``-m`` expressions of words, ``and``, ``or``, ``not`` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from sscard.errors import InputError, PhrasedError, suggestion
from sscard.i18n.language import CHINESE, say, speaking
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.reader import Scenario

_TOKEN = re.compile(r"[()]|[^\s()]+")
_SYNTAX = ("and", "or", "not", "(", ")")


def select(scenarios: list[Scenario], expression: str) -> list[Scenario]:
    """The scenarios that ``-k`` picks: a word is looked for in both names, personality, folder, file and tags."""

    def fits(scenario: Scenario) -> bool:
        with speaking(CHINESE):
            names = f"{scenario.title} {say(scenario.label)}"
        searched = " ".join((names, scenario.group, Path(scenario.source).name, *scenario.tags)).lower()
        return _fits(expression, "-k", "'blocked and not v2-3des'", lambda word: word in searched)

    return list(filter(fits, scenarios))


def select_tags(scenarios: list[Scenario], expression: str) -> list[Scenario]:
    """The scenarios that ``-m`` picks: a word is a whole tag. ``InputError`` for a tag that no scenario has."""

    def fits(scenario: Scenario) -> bool:
        return _fits(expression, "-m", "'verify and not slow'", tags_of(scenario).__contains__)

    def tags_of(scenario: Scenario) -> set[str]:
        return {tag.lower() for tag in scenario.tags}

    chosen = list(filter(fits, scenarios))
    known = set().union(*map(tags_of, scenarios))
    for word in _TOKEN.findall(expression.lower()):
        if word not in _SYNTAX and word not in known:
            remedy = suggestion(word, known) if known else Phrase("give the scenarios tags: in their files")
            raise InputError(Phrase("-m: no scenario has the tag {tag!r}", tag=word), remedy=remedy)
    return chosen


def select_title(scenarios: list[Scenario], title: str) -> list[Scenario]:
    """The scenarios with a title, as reports and ``--list`` show it. ``InputError`` if there is none."""
    chosen = [scenario for scenario in scenarios if scenario.title == title]
    if not chosen:
        remedy = suggestion(
            title, {each.title for each in scenarios}, Phrase("write NAME [PERSONALITY], as reports do")
        )
        raise InputError(Phrase("--only: no scenario is called {title!r}", title=title), remedy=remedy)
    return chosen


def _fits(expression: str, option: str, example: str, has: Callable[[str], bool]) -> bool:
    try:
        return _Reader(expression, has).read()
    except RecursionError:
        problem: Sayable = Phrase("is nested too deeply")
    except _Unreadable as error:
        problem = error.said
    raise InputError(
        Phrase("{option}: {problem}", option=option, problem=problem),
        remedy=Phrase("write words with and, or, not and parentheses: {example}", example=example),
    )


class _Unreadable(PhrasedError):
    pass


class _Reader:
    """Reads an expression by recursive descent; ``has`` says whether a word applies, and is asked for every word."""

    def __init__(self, expression: str, has: Callable[[str], bool]) -> None:
        self._tokens = _TOKEN.findall(expression.lower())
        self._has = has

    def read(self) -> bool:
        fits = self._either()
        if self._tokens:
            raise _Unreadable(Phrase("{word!r} is left over", word=self._tokens[0]))
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
                raise _Unreadable(Phrase("a parenthesis is not closed"))
            return fits
        if not self._tokens or self._tokens[0] in ("and", "or", ")"):
            raise _Unreadable(Phrase("a word is missing"))
        return self._has(self._tokens.pop(0))

    def _take(self, token: str) -> bool:
        if self._tokens[:1] != [token]:
            return False
        del self._tokens[0]
        return True
