"""HTML pages: templates of this package, and values made visible."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from sscard.i18n.language import CHINESE, ENGLISH, _, is_chinese, say, visible, visible_lines
from sscard.i18n.phrase import Phrase, Words
from sscard.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def page_template(name: str) -> Template:
    """A template of this package. Every value in it is escaped and shown in the current language.

    It has ``_`` and ``plural`` for its own texts, ``language`` and ``version``.
    """
    return _environment().get_template(name, globals={"language": CHINESE if is_chinese() else ENGLISH})


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined  # only a run with such a report needs it

    made = Environment(
        loader=PackageLoader("sscard.scenario.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {"_": _, "plural": Phrase.plural, "version": __version__}
    return made


def _shown(value: object) -> object:
    """A value of the page; one that is neither text nor a phrase may have several lines."""
    if type(value) is str:
        return visible(value)
    if hasattr(value, "__html__"):  # what a macro has escaped
        return value
    return visible(say(value)) if isinstance(value, str | Phrase | Words) else visible_lines(str(value))


class Lines:
    """A text of several lines: a template shows its line ends."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)
