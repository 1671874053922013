"""A clock that only moves when something takes time, and parts that take it: benchmarks without the machine's speed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sscard.benchmark.layers import Watch
from sscard.benchmark.measure import card_for
from sscard.issuer import builtin_keys

CARD = card_for("v3-sm4", builtin_keys(), 1)


class VirtualClock:
    """A clock for one client."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    def wait_until(self, moment: float) -> None:
        self.time = max(self.time, moment)

    def take(self, seconds: float) -> None:
        self.time += seconds


class Slow:
    """A part, one of whose methods takes time before it answers."""

    def __init__(self, part: Any, method: str, take: Callable[[], None]) -> None:
        self._part = part
        self._method = method
        self._take = take

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if name != self._method:
            return found

        def slow(*arguments: Any) -> Any:
            self._take()
            return found(*arguments)

        return slow


class FakeClient:
    """A client whose operation is a function, without a card."""

    def __init__(self, clock: VirtualClock, work: Callable[[int], None]) -> None:
        self.watch = Watch(clock)
        self.done = 0
        self.prepared = 0
        self.preparing = 0.0
        self._clock = clock
        self._work = work

    def prepare(self) -> None:
        self.prepared += 1
        self._clock.take(self.preparing)

    def operate(self) -> None:
        self.done += 1
        self._work(self.done)

    def finish(self, error: Exception | None, /) -> None:
        pass

    def kind_of(self, error: Exception) -> str:
        return type(error).__name__ if isinstance(error, ValueError) else ""
