"""The figures of a campaign: one pass over its rows, in memory that does not grow with the number of cards.

Only the visits at the windows are kept one by one, because a queue needs them in order of time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

from sscard.campaign.population import Arrivals
from sscard.campaign.queueing import Collected
from sscard.campaign.results import Plan, Results
from sscard.campaign.rows import NEVER, Failure, Outcome, Row
from sscard.campaign.time_at_window import TimesAtWindow
from sscard.campaign.units import SECOND_MS
from sscard.campaign.waiting import Waiting, Windows, hours_of, waiting
from sscard.errors import InputError
from sscard.i18n.phrase import Phrase, Sayable

SLOTS: Final = 250
"""A count over time has fewer slots."""
WIDTHS: Final = (60, 300, 900, 3600, 14400, 43200, 86400, 604800, 2419200, 31449600)
"""Seconds of a slot: a minute up to 52 weeks; each is a multiple of the one before."""
FAILURES: Final = 100
"""Failures that are kept."""
OUTCOMES: Final[Mapping[Outcome, Phrase]] = {
    Outcome.UNTOUCHED: Phrase("PIN kept"),
    Outcome.CHANGED: Phrase("PIN changed"),
    Outcome.RESET: Phrase("PIN reset"),
    Outcome.UNBLOCKED: Phrase("PIN unblocked"),
    Outcome.LOCKED: Phrase("PIN blocked"),
    Outcome.REFUSED: Phrase("refused"),
    Outcome.UNFINISHED: Phrase("unfinished"),
}


class By(IntEnum):
    """What cards are counted by: the place in the keys of ``Figures.ends``."""

    PRODUCT = 0
    PLACE = 1
    BEHAVIOUR = 2
    OUTCOME = 3
    TRIES_LIMIT = 4
    TRIES_LEFT = 5


class OverTime:
    """A count over virtual time: the longest time decides how many seconds a slot has."""

    def __init__(self) -> None:
        self.width = WIDTHS[0]
        self.slots: Counter[int] = Counter()

    def add(self, at: int, count: int = 1) -> None:
        """Count at this second."""
        slot = at // self.width
        if slot >= SLOTS:
            self.widen(next(width for width in WIDTHS if at // width < SLOTS))
            slot = at // self.width
        self.slots[slot] += count

    def widen(self, width: int) -> None:
        """Count in slots of this width, a multiple of the one before."""
        slots = self.slots
        self.slots = Counter()
        for slot, count in slots.items():
            self.slots[slot * self.width // width] += count
        self.width = width

    def take(self, other: OverTime) -> None:
        """Count what another has counted."""
        self.widen(max(self.width, other.width))
        for slot, count in other.slots.items():
            self.slots[slot * other.width // self.width] += count

    @property
    def peak(self) -> int:
        """The count of the busiest slot."""
        return max(self.slots.values(), default=0)


class Figures:
    """Counts over the rows of a campaign; ``digest`` is empty if it is not complete.

    ``ends`` counts cards by all of ``By``. ``locked`` counts by the limit of tries when cards were blocked first,
    ``hsm`` the operations of the HSM when the citizen stood at the window last, or used the card first without a visit.
    ``layers`` and ``modelled`` are seconds by layer. ``failed`` counts the invariants broken, ``failures`` has the
    first of them. ``waiting`` is set when all rows are counted, or ``too_few`` says why no number of windows is enough.
    """

    def __init__(self, plan: Plan, digest: str = "") -> None:
        self.plan = plan
        self.digest = digest
        self.layers: defaultdict[str, float] = defaultdict(float)
        self.modelled: defaultdict[str, float] = defaultdict(float)
        self.failures: list[Failure] = []
        self.failed = 0
        self.cards = 0
        self.ends: Counter[tuple[int, ...]] = Counter()
        self.wrong_tries = self.lockouts = self.commands = self.hsm_operations = 0
        self.arrivals = OverTime()
        self.locked: defaultdict[int, OverTime] = defaultdict(OverTime)
        self.hsm = OverTime()
        self.visits = Collected()
        self.at_window = TimesAtWindow()
        self.waiting: Waiting | None = None
        self.too_few: Sayable = ""

    def add(self, row: Row) -> None:
        """Count a card."""
        self.cards += 1
        self.ends[row[1:7]] += 1
        self.wrong_tries += row.wrong_tries
        self.lockouts += row.lockouts
        self.commands += row.commands
        self.arrivals.add(row.arrival)
        if row.locked_at != NEVER:
            self.locked[row.tries_limit].add(row.locked_at)
        self.visits.add(row)
        self.at_window.add(row)
        if row.hsm_operations:
            self.hsm_operations += row.hsm_operations
            last = next(at for at in (row.return_at, row.visit_at, row.arrival) if at != NEVER)
            self.hsm.add(last, row.hsm_operations)

    def counted(self, row: By, column: By) -> dict[int, Counter[int]]:
        """Cards by two of their properties, the rows in order."""
        found: defaultdict[int, Counter[int]] = defaultdict(Counter)
        for key, cards in self.ends.items():
            found[key[row]][key[column]] += cards
        return dict(sorted(found.items()))

    def by_place(self) -> list[tuple[str, Counter[int]]]:
        """The cards by outcome of each place, in the order of the population."""
        counted = self.counted(By.PLACE, By.OUTCOME)
        return [(name, counted.get(place, Counter())) for place, name in enumerate(self.plan.places)]

    def by_outcome(self) -> Counter[int]:
        """All cards by outcome."""
        return sum((counts for _place, counts in self.by_place()), Counter())

    def blocked(self, limit: int) -> int:
        """Cards with this limit of tries that were blocked at least once."""
        return self.locked[limit].slots.total() if limit in self.locked else 0


def figures_of(results: Results) -> Figures:
    """The figures of a results file; errors as of ``Results``."""
    with results.one_state():
        figures = Figures(results.plan, results.digest)
        for row in results.rows():
            figures.add(row)
        for shard in results.shards():
            for layer, seconds in shard.layers.items():
                figures.layers[layer] += seconds
            for layer, milliseconds in shard.modelled.items():
                figures.modelled[layer] += milliseconds / SECOND_MS
        for failure in results.failures():
            figures.failed += 1
            if figures.failed <= FAILURES:
                figures.failures.append(failure)
    with results.errors():
        arrivals = Arrivals.model_validate(results.population["arrivals"])
        hours = hours_of(arrivals.window, arrivals.open_days)
        windows = Windows.model_validate(results.population.get("windows", {}))
    try:
        figures.waiting = waiting(figures.visits, hours, windows)
    except InputError as error:
        figures.too_few = error.problem
    return figures
