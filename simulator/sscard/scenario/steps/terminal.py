"""The verbs of a terminal around an operation: pre-processing before it, recovery after a tear."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

from pydantic import AfterValidator, Field, model_validator

from sscard.document import Model
from sscard.errors import InvalidValue
from sscard.fields import of_form
from sscard.i18n.phrase import Phrase
from sscard.scenario.context import Bench
from sscard.scenario.step import Count, Outcome, PinOrNone, Step, Texts
from sscard.scenario.steps.card import NO_PIN_NEEDED, AskedTries
from sscard.scenario.steps.power import PowerStep
from sscard.standard.apdu import SW
from sscard.terminal import (
    Blacklist,
    Finding,
    Identity,
    Recovery,
    Standing,
    TerminalRules,
    pre_process,
    recover_change,
    recover_purchase,
    recover_reset,
    recover_unblock,
)
from sscard.terminal.card import OpenedCard
from sscard.terminal.flow import Flow

TODAY: Final = date(2026, 1, 5)
FindingName = Literal[
    "not genuine", "blacklisted", "unsupported body", "unsupported category", "unsupported version", "expired"
]
StandingName = Literal["other card", "done", "not done", "pin blocked", "undecided"]


def _name(word: Finding | Standing) -> str:
    return word.name.lower().replace("_", " ")


NumberRange = Annotated[
    str,
    AfterValidator(
        of_form(
            "[0-9A-Z]{9}-[0-9A-Z]{9}",
            Phrase("not a range of card numbers"),
            Phrase("write the first and the last number: {example}", example="A00000000-A00000099"),
        )
    ),
]
"""A range of card numbers, both ends included."""


class Rules(Model):
    """Which cards the terminal serves (default: all) and the expected findings (default: no findings).

    ``blacklisted`` are ranges of card numbers, such as A00000000-A00000099.
    ``bodies``, ``categories`` and ``versions`` are those that the
    terminal accepts, as in EF05. ``today`` is the day at the terminal,
    ``tries_left`` the tries that it must read.
    """

    blacklisted: tuple[NumberRange, ...] = ()
    bodies: Texts | None = None
    categories: Texts | None = None
    versions: Texts | None = None
    today: date = TODAY
    findings: tuple[FindingName, ...] = ()
    tries_left: AskedTries | None = None

    def terminal_rules(self) -> TerminalRules:
        """The rules in the terminal's form."""
        first_and_last = [pair.split("-") for pair in self.blacklisted]
        rules = TerminalRules(
            Blacklist(ranges=tuple((first, last) for first, last in first_and_last)),
            self.bodies,
            None if self.categories is None else frozenset(self.categories),
        )
        return rules if self.versions is None else replace(rules, versions=frozenset(self.versions))


class PreProcess(Step):
    """Pre-processing at the terminal: internal authentication, EF05 against the rules, tries left."""

    verb: ClassVar[str] = "pre_process"
    pre_process: Rules

    def run(self, bench: Bench) -> Outcome:
        asked, session = self.pre_process, bench.terminal
        found = session.run(pre_process(session.card, asked.terminal_rules(), asked.today))
        tries = NO_PIN_NEEDED if found.tries_left is None else str(found.tries_left)
        return Outcome(reported={"findings": _show(tuple(map(_name, found.findings))), "tries_left": tries})

    def answers(self) -> dict[str, str]:
        asked = self.pre_process
        if self.sw != SW.OK:
            return {}
        answers = {"findings": _show(asked.findings)}
        return answers if asked.tries_left is None else answers | {"tries_left": asked.tries_left}


class Torn(Model):
    """The operation without an answer, and the expected result of recovery.

    ``old`` and ``new`` are the PINs of a change, ``new`` that of a reset,
    ``count`` is the count of a purchase. ``standing``: the operation is
    ``done`` or ``not done``, the PIN is blocked, another card was inserted, or
    the card cannot show which (``undecided``).
    """

    operation: Literal["change", "reset", "unblock", "purchase"]
    old: PinOrNone = Field(default="", repr=False)
    new: PinOrNone = Field(default="", repr=False)
    count: Count = 0
    standing: StandingName

    @model_validator(mode="after")
    def _complete(self) -> Torn:
        if self.operation == "reset" and not self.new:
            raise InvalidValue(Phrase("a reset has a new PIN"), Phrase("write new: and the PIN of the reset"))
        return self

    def recovery(self, card: OpenedCard, expected: Identity) -> Flow[Recovery]:
        """The recovery flow for the re-inserted card."""
        match self.operation:
            case "change":
                return recover_change(card, expected, self.old, self.new)
            case "reset":
                return recover_reset(card, expected, self.new)
            case "unblock":
                return recover_unblock(card, expected)
        return recover_purchase(card, expected, self.count)


class Recover(PowerStep):
    """Insert the card again after a tear; the terminal finds out whether the operation was done."""

    verb: ClassVar[str] = "recover"
    recover: Torn

    def run(self, bench: Bench) -> Outcome:
        expected = bench.terminal.identity
        bench.insert()
        found = bench.terminal.run(self.recover.recovery(bench.terminal.card, expected))
        return Outcome(reported={"standing": _name(found.standing)})

    def answers(self) -> dict[str, str]:
        return {"standing": self.recover.standing} if self.sw == SW.OK else {}


def _show(findings: tuple[str, ...]) -> str:
    return ", ".join(findings) or "none"
