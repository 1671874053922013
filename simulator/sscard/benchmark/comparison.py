"""Compares a benchmark with an earlier one, with the noise that the rounds of both show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Annotated, Final

from pydantic import BaseModel, Field, ValidationError

from sscard.benchmark.result import Benchmark, FlowResult
from sscard.errors import InputError
from sscard.files import read_text
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase

SCHEMA: Final = "sscard.bench/1"
LARGEST: Final = 64 << 20
LEAST_NOISE: Final = 0.05
"""A change that is smaller than this share is none, also if the rounds are more alike."""
OUTLIERS: Final = 5
"""One round in so many may be an outlier."""
DEPENDS_ON: Final = (
    *("personality", "transport", "hsm", "journal", "card"),
    *("chip", "python", "pcscd", "pyscard", "processor", "processors", "system"),
)
"""Facts of the environment whose difference a comparison states."""
COMPARED: Final = ("p50", "p90", "p99")
"""The figures that are compared; rarer ones have too few operations in a round."""


_Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Round(BaseModel):
    p50: _Seconds
    p90: _Seconds
    p99: _Seconds


class _Layer(BaseModel):
    layer: str
    mean: Annotated[float, Field(allow_inf_nan=False)]


class _Flow(BaseModel):
    flow: str
    layers: list[_Layer] = []
    rounds: list[_Round] = Field(min_length=1)


class _Load(BaseModel):
    kind: str
    clients: int
    think: float
    rate: float | None


class _Earlier(BaseModel):
    schema_: str = Field(alias="schema", pattern=rf"^{re.escape(SCHEMA)}$")
    environment: dict[str, str | int]
    load: _Load
    flows: list[_Flow] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Change:
    """A figure of a flow before and now, medians over the rounds in seconds.

    ``change`` is the relative change, ``noise`` the spread of the usual rounds of both: a smaller change is none.
    """

    flow: str
    figure: str
    before: float
    now: float
    noise: float

    @property
    def change(self) -> float:
        return self.now / self.before - 1 if self.before else 0.0

    @property
    def verdict(self) -> str:
        """``slower``, ``faster`` or ``no change``."""
        if abs(self.change) <= self.noise:
            return "no change"
        return "slower" if self.change > 0 else "faster"


@dataclass(frozen=True, slots=True)
class Growth:
    """A layer of a flow by its name in the JSON, with its mean time per operation before and now, in seconds."""

    flow: str
    layer: str
    before: float
    now: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes since an earlier benchmark, and what else is different: pairs of the fact's name and both values.

    ``missing`` are the flows that the earlier one does not have. ``grown`` is, of each flow with a figure that is
    slower, the layer whose mean grew most.
    """

    file: str
    changes: Sequence[Change]
    differences: Sequence[tuple[str, str, str]]
    fail_above: float
    missing: Sequence[str] = ()
    grown: Sequence[Growth] = ()

    @property
    def slower(self) -> list[Change]:
        """The changes that are too large: more than noise, and more than ``fail_above``."""
        return [each for each in self.changes if each.verdict == "slower" and each.change > self.fail_above]


class Earlier:
    """An earlier benchmark, read from its JSON."""

    def __init__(self, path: Path) -> None:
        """Errors: ``InputError`` for a file that is not such JSON."""
        try:
            self._found = _Earlier.model_validate_json(read_text(path, largest=LARGEST))
        except ValidationError:
            raise InputError(
                Phrase("is not the JSON of a benchmark"),
                file=str(path),
                remedy=Phrase("write one with {command}", command="sscard bench FLOW --json > FILE"),
            ) from None
        self._file = str(path)

    def check(self, flows: Sequence[str]) -> None:
        """``InputError`` if it has none of these flows."""
        known = [flow.flow for flow in self._found.flows]
        if not {*known} & {*flows}:
            raise InputError(
                Phrase("has none of the flows that are measured"),
                file=self._file,
                remedy=Phrase("it has: {words}", words=", ".join(known)),
            )

    def compared(self, now: Benchmark, fail_above: float) -> Comparison:
        """The comparison with a benchmark of now; ``fail_above`` is a share, 0.2 for 20 %."""
        before = {flow.flow: flow.rounds for flow in self._found.flows}
        changes = []
        for flow in now.flows:
            rounds = [each.latencies.figures() for each in flow.recorded.rounds if each.latencies.count]
            for figure in COMPARED if flow.name in before and rounds else ():
                old = [value for each in before[flow.name] if (value := getattr(each, figure))]
                new = [each[figure] for each in rounds]
                if old:
                    changes.append(changed(flow.name, figure, old, new))
        missing = [flow.name for flow in now.flows if flow.name not in before]
        slower = {each.flow for each in changes if each.verdict == "slower"}
        grown = [found for flow in now.flows if flow.name in slower and (found := self._grown(flow))]
        return Comparison(self._file, changes, self._differences(now), fail_above, missing, grown)

    def _grown(self, now: FlowResult) -> Growth | None:
        """The layer of a flow whose mean grew most; ``None`` if no layer's did."""
        before = {
            layer.layer: layer.mean for flow in self._found.flows if flow.flow == now.name for layer in flow.layers
        }
        layers = [Growth(now.name, part.name, before.get(part.name, 0.0), part.mean) for part in now.budget if before]
        most = max(layers, key=lambda each: each.now - each.before, default=None)
        return most if most and most.now > most.before else None

    def _differences(self, now: Benchmark) -> list[tuple[str, str, str]]:
        load, then = now.load, self._found.load
        kinds = {
            name: (str(self._found.environment.get(name, "")), say(now.environment.get(name, "")))
            for name in DEPENDS_ON
        }
        kinds["clients"] = str(then.clients), str(load.clients)
        kinds["think"] = f"{then.think:g}", f"{load.think:g}"
        kinds["rate"] = f"{then.rate or 0:g}", f"{load.rate:g}"
        return [(name, before, after) for name, (before, after) in kinds.items() if before != after]


def changed(flow: str, figure: str, before: Sequence[float], now: Sequence[float]) -> Change:
    """The change of a figure, from its value in each round, in seconds."""
    noise = max(LEAST_NOISE, _spread(before) + _spread(now))
    return Change(flow, figure, median(before), median(now), noise)


def _spread(values: Sequence[float]) -> float:
    """The relative difference of the largest and the smallest of the usual values.

    One value in ``OUTLIERS``, that furthest from the median, is left out: one disturbed round in five neither widens
    the noise nor moves the median. Of fewer values none is.
    """
    middle = median(values)
    usual = sorted(values, key=lambda value: abs(value - middle))[: len(values) - len(values) // OUTLIERS]
    return (max(usual) - min(usual)) / middle
