"""A scenario as a sequence diagram: citizen, window or terminal, the parts behind it, and the card."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal

from sscard.conversation import Event, Exchange
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.messages import PARTIES, Message
from sscard.scenario.reports.console import missed_text
from sscard.scenario.runner import ScenarioResult, StepResult
from sscard.scenario.steps.service_step import ServiceStep

MOST_ARROWS: Final = 120
"""Arrows of one diagram; the steps of a longer one have the rest."""
MANY_READS: Final = 4
"""Commands in a row that only read, which are one arrow."""
READING: Final = (b"\xa4", b"\xb0", b"\xb2", b"\xc0")
"""INS of SELECT, READ BINARY, READ RECORD and GET RESPONSE."""
DONE: Final = ("90", "61", "6C")
FEW_ARROWS: Final = 60
TWO_LANES: Final = 2
LANES: Final[dict[str, Phrase]] = {
    "citizen": Phrase("citizen"),
    "window": Phrase("window"),
    **PARTIES,
    "card": Phrase("card"),
}
TERMINAL: Final = Phrase("terminal")
"""The lane in the place of the window if a scenario has no step of the service."""

Kind = Literal["call", "answer", "note", "unmet"]


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line of the diagram from a lane to another, or a note at one; ``step`` is the number of its step."""

    step: int
    kind: Kind
    source: str
    target: str
    text: Sayable

    def lanes(self, order: Sequence[str]) -> tuple[int, int]:
        """The places of both lanes, the left one first."""
        first, last = sorted((order.index(self.source), order.index(self.target)))
        return first, last

    def points_left(self, order: Sequence[str]) -> bool:
        """Whether it points to the left."""
        return order.index(self.target) < order.index(self.source)


@dataclass(frozen=True, slots=True)
class Diagram:
    """The diagram: the names of the lanes that are used in their order, its arrows, and how many were left out."""

    order: tuple[str, ...]
    names: tuple[Sayable, ...]
    arrows: tuple[Arrow, ...]
    left_out: int

    @property
    def is_short(self) -> bool:
        """Whether it says more than the steps, and fits a screen or two."""
        return len(self.order) > TWO_LANES and len(self.arrows) <= FEW_ARROWS


def sequence_of(result: ScenarioResult) -> Diagram:
    """The diagram of a result."""
    arrows = [arrow for step in result.steps for arrow in _of_step(result, step)]
    shown = arrows[:MOST_ARROWS]
    used = {"window", "card"}.union(*({arrow.source, arrow.target} for arrow in shown))
    order = tuple(lane for lane in LANES if lane in used)
    names = LANES if any(isinstance(step.step, ServiceStep) for step in result.steps) else LANES | {"window": TERMINAL}
    return Diagram(order, tuple(names[lane] for lane in order), tuple(shown), len(arrows) - len(shown))


def _of_step(result: ScenarioResult, step: StepResult) -> Iterator[Arrow]:
    title = Phrase("insert the card") if step.number == 0 else step.step.title()
    if isinstance(step.step, ServiceStep):
        yield Arrow(step.number, "call", "citizen", "window", title)
    else:
        yield Arrow(step.number, "note", "window", "window", title)
    for is_read, same in groupby(step.happened, _reads):
        members = list(same)
        if is_read and len(members) >= MANY_READS:
            said = Phrase.plural(
                "read the card: {count} command", "read the card: {count} commands", count=len(members)
            )
            yield Arrow(step.number, "call", "window", "card", said)
        else:
            for each in members:
                yield from _of(step.number, each)
    if step.notice:
        yield Arrow(step.number, "answer", "window", "citizen", step.notice.partition("\n")[0])
    for wrong in step.mismatches:
        yield Arrow(step.number, "unmet", "window", "window", missed_text(result.scenario, step, wrong))


def _reads(happened: Event | Message) -> bool:
    """Whether it is a command that reads, and has not been refused."""
    return isinstance(happened, Exchange) and happened.sent[1:2] in READING and happened.sw[:2] in DONE


def _of(number: int, happened: Event | Message) -> Iterator[Arrow]:
    if isinstance(happened, Message):
        yield Arrow(number, "call", "window", happened.to, happened.said)
        return
    yield Arrow(number, "call", "window", "card", happened.name)
    if isinstance(happened, Exchange):
        yield Arrow(number, "answer", "card", "window", f"{happened.sw} {say(happened.meaning)}".lstrip())
