"""Figures over the cases of a journal: time per stage, outcomes, grounds of refusal, and what is open.

Cases are added one by one and not kept; the memory does not depend on their number.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from math import ceil
from typing import Final, NamedTuple

from sscard.service.case import Case, Stage
from sscard.service.channels import Channel
from sscard.service.notices import Rule
from sscard.service.words import Operation

DIGITS: Final = 8
"""Binary digits of a stored time: it is up to 1/128 too short, exact below 256 s."""
MEDIAN: Final = 0.5
NINE_TENTHS: Final = 0.9


class Durations:
    """A distribution of times in seconds: at most 128 classes for each power of two; the maximum is exact."""

    __slots__ = ("_classes", "count", "longest")

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0
        self._classes: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count a time; a negative one, of a clock that went back, counts as 0."""
        whole = max(0, int(seconds))
        shift = max(0, whole.bit_length() - DIGITS)
        self._classes[whole >> shift << shift] += 1
        self.count += 1
        self.longest = max(self.longest, whole)

    def quantile(self, share: float) -> int:
        """The time in seconds that this share of the times does not exceed (nearest rank); 0 without any."""
        left = max(1, ceil(share * self.count))
        for seconds, times in sorted(self._classes.items()):
            left -= times
            if left <= 0:
                return seconds
        return 0


class Outcome(NamedTuple):
    """A kind of case; ``operation`` is ``None`` without a reason that the item accepts."""

    operation: Operation | None
    channel: Channel


@dataclass
class Statistics:
    """Figures over cases, on a day, ``today``.

    ``stages`` has the time that cases stayed in a stage that they left, ``whole`` that of closed cases from first to
    last event. ``refusals`` count each ground of a case by channel; a ground that this version does not know counts
    under its stored text. ``outcomes`` count the stages at which cases ended, or are now.
    """

    today: date
    cases: int = 0
    waiting: int = 0
    in_doubt: int = 0
    overdue: int = 0
    whole: Durations = field(default_factory=Durations)
    stages: dict[Stage, Durations] = field(default_factory=dict)
    refusals: Counter[tuple[str, Channel]] = field(default_factory=Counter)
    outcomes: dict[Outcome, Counter[Stage]] = field(default_factory=dict)

    @property
    def open(self) -> int:
        """Number of cases that are not closed."""
        return self.cases - self.whole.count

    def add(self, case: Case) -> None:
        """Count a case."""
        self.cases += 1
        self.waiting += case.open and (case.waits or case.stage is Stage.SUPPLEMENT)
        self.in_doubt += case.in_doubt
        self.overdue += case.is_overdue(self.today)
        reason = case.reason_given
        kind = Outcome(reason.operation if reason else None, case.channel)
        self.outcomes.setdefault(kind, Counter())[case.stage] += 1
        entered, stage = case.events[0].time, case.events[0].stage
        for event in case.events:
            for ground in event.facts.get("grounds", ()):
                self.refusals[str(ground), case.channel] += 1
            if event.stage is not stage:
                self.stages.setdefault(stage, Durations()).add((event.time - entered).total_seconds())
                entered, stage = event.time, event.stage
        if not case.open:
            self.whole.add((entered - case.events[0].time).total_seconds())


def grounds_in_order(found: Statistics) -> list[str]:
    """The grounds of refusals in the order of the rules, unknown ones last."""
    known = [rule.value for rule in Rule]
    return sorted({ground for ground, _ in found.refusals}, key=lambda ground: (ground not in known, ground))
