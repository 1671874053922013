"""Why a run ends early: unusable input, a missing part of the environment, a card that does not answer.

``sscard.cli.main`` maps these classes, and classes derived from them, to exit codes.
"""

from __future__ import annotations

from typing import Final

LONGEST_PATH: Final = 240
"""Characters of a path that an error repeats; of a longer one it repeats both ends."""


class InputError(Exception):
    """Unusable input: what was wrong, where, what was expected. The command line exits with 2.

    ``line`` and ``column`` count from 1, 0 where there is none. The text never
    repeats a PIN or key that was given.
    """

    def __init__(self, problem: str, *, file: str = "", line: int = 0, column: int = 0, remedy: str = "") -> None:
        self.problem = problem
        self.file = file
        self.line = line
        self.column = column
        self.remedy = remedy
        super().__init__(str(self))

    def __str__(self) -> str:
        half = LONGEST_PATH // 2
        file = self.file if len(self.file) <= LONGEST_PATH else f"{self.file[:half]}…{self.file[-half:]}"
        place = ":".join(str(part) for part in (file, self.line, self.column) if part)
        text = f"{place}: {self.problem}" if place else self.problem
        return f"{text}\n  {self.remedy}" if self.remedy else text


class ReaderMissing(InputError):
    """No reader has the name that was given. Exit code 3: the reader may be unplugged."""


class MissingPart(Exception):
    """A part of the environment is missing; ``remedy`` is the command or step that helps. Exit code 3."""

    def __init__(self, part: str, remedy: str) -> None:
        super().__init__(f"{part}\n  {remedy}")
        self.part = part
        self.remedy = remedy


class TransportError(Exception):
    """No answer of the card came: unlike a status word, nothing the card decided. Exit code 1."""


class CardRemoved(TransportError):
    """The reader holds no card, or the card left with this command and may have run it. Exit code 3."""
