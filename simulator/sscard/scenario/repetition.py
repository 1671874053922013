"""What a card under test did when the commands of a failed scenario were sent once more, without the terminal code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from sscard.i18n.phrase import Phrase, Sayable

RepetitionOutcome = Literal["same", "different", "incomplete", "none"]
LOOK_AT_CARD: Final = Phrase(
    "{said}; sscard's own card answers otherwise at command {number}, {name}: look at the card"
)
LOOK_AT_TERMINAL: Final = Phrase(
    "{said}; sscard's own card answers so too: look at the terminal code, the commands or the scenario"
)
LOOK_AT_RANDOM: Final = Phrase("{said}; the card gave one random number twice: look at the card")


@dataclass(frozen=True, slots=True)
class Repetition:
    """The outcome of a repetition, without secrets.

    ``same``: the card answered the same to all ``commands``. ``different``: it answered otherwise at the last of them,
    which is ``name``, ``actual`` instead of ``expected`` in the scenario. ``incomplete``: the same answers to
    ``commands``, the next could not be sent because of ``reason``. ``none``: it was not repeated, because of
    ``reason``. ``unlike`` is the number of the first command that sscard's own card answers otherwise, from 1; 0 if
    there was none. If the outcome is ``same``, ``name`` is that command. ``random_twice`` is set if the card gave one
    random number for two commands: sscard's own card takes those of the card, so it answers the same.
    """

    outcome: RepetitionOutcome
    commands: int = 0
    reason: Sayable = ""
    name: Sayable = ""
    expected: Sayable = ""
    actual: Sayable = ""
    unlike: int = 0
    random_twice: bool = False

    @property
    def said(self) -> Sayable:
        """The outcome in words."""
        if self.outcome == "same":
            same = Phrase.plural(
                "repeated without the terminal code: the card answered the same ({count} command)",
                "repeated without the terminal code: the card answered the same ({count} commands)",
                count=self.commands,
            )
            hint = LOOK_AT_CARD if self.unlike else LOOK_AT_RANDOM if self.random_twice else LOOK_AT_TERMINAL
            return hint.filled(said=same, number=self.unlike, name=self.name)
        if self.outcome == "different":
            return Phrase(
                "repeated without the terminal code: the card answered otherwise at command {number}, {name}: "
                "expected {expected}, got {actual}; look at the terminal code, or the card is not deterministic",
                number=self.commands,
                name=self.name,
                expected=self.expected,
                actual=self.actual,
            )
        if self.outcome == "incomplete":
            return Phrase(
                "repeated without the terminal code up to command {number}, with the same answers: {reason}",
                number=self.commands,
                reason=self.reason,
            )
        return Phrase("could not be repeated without the terminal code: {reason}", reason=self.reason)


def not_repeated(reason: Sayable, commands: int = 0) -> Repetition:
    """A repetition that ended after so many ``commands`` with the same answers, or was not begun."""
    return Repetition("incomplete" if commands else "none", commands, reason)
