"""Errors: unusable input, a missing part of the environment, a card that does not answer.

``sscard.cli.main`` maps these classes, and classes derived from them, to exit
codes. They contain phrases: ``str(error)`` is in the language that is current
when the error is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, TypeVar

from sscard.i18n.language import reason_of, say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.pickling import PortableError

if TYPE_CHECKING:
    from pathlib import Path

LONGEST_PATH: Final = 240
"""Characters of a path that an error repeats; of a longer one it repeats both ends."""


class PhrasedError(PortableError):
    """An error with a message in any language; ``said`` is the message as a phrase."""

    def __init__(self, said: Sayable) -> None:
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return say(self.said)


class InputError(PhrasedError):
    """Unusable input: what is wrong, where, and what is expected. Exit code 2.

    ``line`` and ``column`` count from 1, 0 if there is none. The text never
    repeats a PIN or key that was given.
    """

    def __init__(
        self, problem: Sayable, *, file: str = "", line: int = 0, column: int = 0, remedy: Sayable = ""
    ) -> None:
        half = LONGEST_PATH // 2
        shown = file if len(file) <= LONGEST_PATH else f"{file[:half]}…{file[-half:]}"
        place = ":".join(str(part) for part in (shown, line, column) if part)
        super().__init__(Phrase("{place}: {problem}", place=place, problem=problem) if place else problem)
        self.args = (problem,)
        self.problem = problem
        self.file = file
        self.line = line
        self.column = column
        self.remedy = remedy

    def __str__(self) -> str:
        return _with_remedy(self.said, self.remedy)


Wrong = TypeVar("Wrong", bound=InputError)


class ReaderMissing(InputError):
    """No reader has the name that was given. Exit code 3: the reader may be unplugged."""


class InvalidValue(PhrasedError, ValueError):
    """A validator of a document refuses a value: reason and remedy."""

    def __init__(self, problem: Sayable, remedy: Sayable = "") -> None:
        super().__init__(problem)
        self.remedy = remedy

    def __str__(self) -> str:
        return _with_remedy(self.said, self.remedy)


class MissingPart(PhrasedError):
    """A part of the environment is missing; ``remedy`` is the command or step that helps. Exit code 3."""

    def __init__(self, part: Sayable, remedy: Sayable) -> None:
        super().__init__(part)
        self.args = (part, remedy)
        self.part = part
        self.remedy = remedy

    def __str__(self) -> str:
        return _with_remedy(self.part, self.remedy)


class TransportError(PhrasedError):
    """The card did not answer; a status word, in contrast, is an answer of the card. Exit code 1."""

    def __init__(self, said: Sayable = "") -> None:
        super().__init__(said)


class CardRemoved(TransportError):
    """The reader has no card, or the card was removed during this command and may have executed it. Exit code 3."""


class HsmError(PhrasedError):
    """The HSM refused. The text is the reason and never contains a key or PIN."""


class HsmUnavailable(HsmError):
    """The HSM cannot be used: not reachable, no such token, wrong token or PIN. Exit code 3.

    ``remedy`` is the command or the setting that helps.
    """

    def __init__(self, problem: Sayable, remedy: Sayable) -> None:
        super().__init__(problem)
        self.args = (problem, remedy)
        self.remedy = remedy

    def __str__(self) -> str:
        return _with_remedy(self.said, self.remedy)


class HolderBaseUnavailable(PhrasedError):
    """The holder base gives no answer; the text is the reason. Exit code 3."""

    def __str__(self) -> str:
        return _with_remedy(self.said, Phrase("start its service, or wait until no other process holds its file"))


def said_by(error: BaseException) -> Sayable:
    """The message of an error, as a phrase if it has one, otherwise its text."""
    said: Sayable = getattr(error, "said", "") or str(error)
    return said


def first_of(errors: Iterable[Wrong], report: Callable[[Wrong], object] | None) -> Wrong:
    """The first of one or more errors of a file, to be raised; ``report`` gets the others."""
    first, *others = errors
    if report is not None:
        for other in others:
            report(other)
    return first


def suggestion(word: str, allowed: Iterable[str], otherwise: Sayable = "", *, cutoff: float = 0.6) -> Sayable:
    """The nearest allowed word, or what to say otherwise, or all of them; ``cutoff`` is how like it is, 0 to 1."""
    from difflib import get_close_matches

    known = sorted(allowed)
    near = get_close_matches(word, known, n=1, cutoff=cutoff)
    if near:
        return Phrase("did you mean {word!r}?", word=near[0])
    return otherwise or Phrase("expected one of: {words}", words=", ".join(known))


def not_loaded(library: Path) -> Sayable:
    """Why a shared library cannot be loaded: the system's loader gives no error number, only a sentence."""
    try:
        with library.open("rb"):
            return Phrase("not a shared library for this system, or a library that it needs is missing")
    except OSError as error:
        return reason_of(error)


def _with_remedy(said: Sayable, remedy: Sayable) -> str:
    """The message, with the remedy on a separate line."""
    return f"{say(said)}\n  {say(remedy)}" if remedy else say(said)
