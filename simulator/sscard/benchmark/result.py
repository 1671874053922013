"""The result of a benchmark: the figures of each flow, and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from sscard.benchmark.histogram import PERCENTILES, Latencies
from sscard.benchmark.layers import LAYERS, TITLES
from sscard.benchmark.load import Load, Recorded
from sscard.i18n.language import say
from sscard.i18n.phrase import Sayable
from sscard.version import __version__

FIGURES: Final = (*PERCENTILES, "max")
"""The figures of latencies by name."""
DIGITS: Final = 9
"""Decimal places of seconds."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a layer takes: seconds per operation on average, its share of the latency, percentiles of its time."""

    name: str
    title: Sayable
    mean: float
    share: float
    p50: float
    p99: float


@dataclass(frozen=True)
class FlowResult:
    """What was measured of a flow.

    ``layers`` are those that were measured; the time of the others is in the remainder, or in the layer above them.
    ``baseline`` are the latencies of the same commands and answers with an echo card, ``None`` without PC/SC.
    """

    name: str
    title: Sayable
    recorded: Recorded
    layers: frozenset[str]
    baseline: Latencies | None = None

    @cached_property
    def latencies(self) -> Latencies:
        return self.recorded.latencies

    @property
    def throughput(self) -> float:
        """Operations per second that succeeded."""
        return self.recorded.done / self.recorded.seconds if self.recorded.seconds > 0 else 0.0

    @property
    def failed(self) -> int:
        return sum(self.recorded.errors.values())

    @property
    def error_rate(self) -> float:
        """The share of the operations that failed, 0 to 1."""
        total = self.recorded.done + self.failed
        return self.failed / total if total else 0.0

    @cached_property
    def budget(self) -> list[Part]:
        """What each measured layer takes, and the remainder; their means add up to that of the latency."""
        done = self.recorded.done
        total = sum(each.seconds for each in self.recorded.layers.values())
        parts = []
        for name, title in TITLES.items():
            spent = self.recorded.layers.get(name)
            if spent is None and (name not in LAYERS or name not in self.layers):
                continue
            spent = spent or Latencies(1)
            p50, p99 = spent.at(50, 99)
            mean = spent.seconds / done if done else 0.0
            parts.append(Part(name, title, mean, spent.seconds / total if total else 0.0, p50, p99))
        return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """A benchmark: its flows, its load, and what it ran on. ``started`` is in UTC."""

    flows: Sequence[FlowResult]
    load: Load
    environment: Mapping[str, Sayable]
    seed: int
    command: Sequence[str] = ()
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    seconds: float = 0.0

    @property
    def interrupted(self) -> bool:
        return any(flow.recorded.interrupted for flow in self.flows)


def as_json(found: Benchmark) -> dict[str, Any]:
    """The members of ``sscard.bench/1``; all times are in seconds."""
    load = found.load
    return {
        "version": __version__,
        "started": found.started.isoformat(timespec="seconds"),
        "seconds": _rounded(found.seconds),
        "interrupted": found.interrupted,
        "command": [*found.command],
        "seed": found.seed,
        "environment": {name: say(value) for name, value in found.environment.items()},
        "load": {
            "kind": "open" if load.rate else "closed",
            "clients": load.clients,
            "think": load.think,
            "rate": load.rate or None,
            "warm_up": load.warm_up,
            "duration": None if load.count else load.duration,
            "count": load.count or None,
            "rounds": load.rounds,
        },
        "flows": [_flow(flow) for flow in found.flows],
    }


def _flow(flow: FlowResult) -> dict[str, Any]:
    recorded, latencies = flow.recorded, flow.latencies
    return {
        "flow": flow.name,
        "operations": recorded.done,
        "failed": flow.failed,
        "errors": dict(recorded.errors.most_common()),
        "seconds": _rounded(recorded.seconds),
        "throughput": round(flow.throughput, 3),
        **_figures(latencies),
        "min": _rounded(latencies.shortest),
        "mean": _rounded(latencies.mean),
        "stddev": _rounded(latencies.deviation),
        "layers": [
            {
                "layer": part.name,
                "mean": _rounded(part.mean),
                "share": round(part.share, 4),
                "p50": _rounded(part.p50),
                "p99": _rounded(part.p99),
            }
            for part in flow.budget
        ],
        "baseline": None if flow.baseline is None else {"operations": flow.baseline.count, **_figures(flow.baseline)},
        "rounds": [
            {
                "operations": each.latencies.count,
                "failed": each.failed,
                "throughput": round(each.throughput, 3),
                **_figures(each.latencies),
            }
            for each in recorded.rounds
        ],
        "over_time": [
            {
                "at": _rounded(number * recorded.over_time.width),
                "seconds": _rounded(recorded.over_time.width),
                "operations": each.latencies.count,
                "failed": each.failed,
                **_figures(each.latencies),
            }
            for number, each in sorted(recorded.over_time.slices.items())
        ],
        "histogram": [
            {"from": _rounded(low), "to": _rounded(high), "operations": count} for low, high, count in latencies.bars()
        ],
    }


def _figures(latencies: Latencies) -> dict[str, float]:
    return {name: _rounded(value) for name, value in latencies.figures().items()}


def _rounded(seconds: float) -> float:
    return round(seconds, DIGITS)
