"""Latencies in histograms of fixed size, so that a benchmark needs the same memory for any number of operations."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Final

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase

try:
    from hdrh.histogram import HdrHistogram
except ModuleNotFoundError:
    raise MissingPart(Phrase("hdrhistogram is not installed"), "pip install 'sscard[bench]'") from None

LONGEST: Final = 3600
"""Seconds; a longer time counts as this one."""
UNIT: Final = 1e9
"""Units per second: a histogram counts nanoseconds."""
PERCENTILES: Final = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p99.9": 99.9}
"""The percentiles of every figure, by name."""
EXACT, COARSE = 3, 2
"""Significant digits of a histogram: 264 kB and 37 kB."""
SLICES: Final = 60
"""Most slices of time of a benchmark."""
FIRST_SLICE: Final = 0.1
"""Seconds of a slice at the beginning; when there are too many, two become one."""


class Latencies:
    """Counts times in seconds; percentiles have ``digits`` significant digits, the other figures are exact."""

    def __init__(self, digits: int = EXACT) -> None:
        self.seconds = 0.0
        self.longest = 0.0
        self.shortest = 0.0
        self._squares = 0.0
        self._counts = HdrHistogram(1, int(LONGEST * UNIT), digits)

    def add(self, seconds: float) -> None:
        """Count a time."""
        if not self.count or seconds < self.shortest:
            self.shortest = seconds
        self.longest = max(self.longest, seconds)
        self.seconds += seconds
        self._squares += seconds * seconds
        self._counts.record_value(round(min(seconds, LONGEST) * UNIT))

    def clear(self) -> None:
        """Forget all times."""
        self.seconds = self.longest = self.shortest = self._squares = 0.0
        self._counts.reset()

    def merge(self, other: Latencies) -> None:
        """Count the times of another histogram too."""
        if not other.count:
            return
        self.shortest = min(self.shortest, other.shortest) if self.count else other.shortest
        self.longest = max(self.longest, other.longest)
        self.seconds += other.seconds
        self._squares += other._squares
        self._counts.add(other._counts)

    @property
    def count(self) -> int:
        return int(self._counts.get_total_count())

    @property
    def mean(self) -> float:
        return self.seconds / self.count if self.count else 0.0

    @property
    def deviation(self) -> float:
        """The standard deviation in seconds."""
        return sqrt(max(self._squares / self.count - self.mean**2, 0.0)) if self.count else 0.0

    def at(self, *percents: float) -> list[float]:
        """The times below which so many percent of all times are, in ascending order; 0 if there is none."""
        found = self._counts.get_percentile_to_value_dict([*percents]) if self.count else {}
        return [min(found.get(percent, 0) / UNIT, self.longest) for percent in percents]

    def figures(self) -> dict[str, float]:
        """The percentiles by name, and ``max``, in seconds."""
        found = dict(zip(PERCENTILES, self.at(*PERCENTILES.values()), strict=True))
        return {**found, "max": self.longest}

    def bars(self, per_double: int = 4) -> Iterator[tuple[float, float, int]]:
        """The histogram on a logarithmic scale: from and to in seconds, and how many times; only bars that have some.

        ``per_double`` bars are as long as the time doubles.
        """
        counts = self._counts
        step = 2 ** (1 / per_double)
        low, high, held = 0.0, 1e-6, 0
        for index in range(counts.counts_len):
            if not (count := counts.get_count_at_index(index)):
                continue
            value = counts.get_value_from_index(index) / UNIT
            while value > high:
                if held:
                    yield low, high, held
                low, high, held = high, high * step, 0
            held += count
        if held:
            yield low, high, held


class Slice:
    """The latencies of a slice of time."""

    def __init__(self) -> None:
        self.latencies = Latencies(COARSE)
        self.failed = 0

    def clear(self) -> None:
        """Begin again. A histogram that is dropped instead stays until Python collects its cycles."""
        self.latencies.clear()
        self.failed = 0


class Timeline:
    """Latencies over time, in at most ``SLICES`` slices of equal length."""

    def __init__(self) -> None:
        self.width = FIRST_SLICE
        self.slices: dict[int, Slice] = {}
        self._free: list[Slice] = []

    def at(self, moment: float) -> Slice:
        """The slice of a moment, in seconds from the beginning of the measurement."""
        while moment >= self.width * SLICES:
            self._double()
        number = int(moment / self.width)
        if number not in self.slices:
            self.slices[number] = self._free.pop() if self._free else Slice()
        return self.slices[number]

    def _double(self) -> None:
        """Make two slices one."""
        self.width *= 2
        old, self.slices = self.slices, {}
        for number, each in old.items():
            kept = self.slices.setdefault(number // 2, each)
            if kept is not each:
                kept.latencies.merge(each.latencies)
                kept.failed += each.failed
                each.clear()
                self._free.append(each)
