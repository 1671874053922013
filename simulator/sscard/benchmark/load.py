"""The load: when each operation starts, and what of it is recorded.

Closed load: each client begins its next operation when the last one has ended
and its think time is over. A slow system gets fewer operations then, so a stall
is one slow operation. Open load: operations are due at a fixed rate whatever
the system does, and their latency counts from the moment at which they are due.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import Final, NamedTuple, Protocol

from sscard.benchmark.clock import Clock
from sscard.benchmark.histogram import COARSE, Latencies, Timeline
from sscard.benchmark.layers import REMAINDER, WAITING, Watch

MOST_KINDS: Final = 50
"""Kinds of errors that are counted one by one."""
OTHERS: Final = "other"
NOT_STARTED: Final = "not started"
PATIENCE: Final = 60.0
"""Seconds that an open load waits at least for clients after its last start was due."""
INTERVAL: Final = 0.25
"""Seconds between two calls of ``notify``, and between two checks for a signal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a benchmark asks for.

    ``clients`` operate at the same time. ``think`` is the pause of a client after an operation in seconds, ``rate`` the
    operations per second of an open load (0: closed load). For ``warm_up`` seconds operations are not recorded, then
    for ``duration`` seconds, or until ``count`` operations were. These are divided into ``rounds``.
    """

    clients: int = 1
    think: float = 0.0
    rate: float = 0.0
    warm_up: float = 1.0
    duration: float = 10.0
    count: int = 0
    rounds: int = 5


class Client(Protocol):
    """One client: a card at a terminal, with what it needs."""

    watch: Watch

    def prepare(self) -> None:
        """Bring the card into the state that the operation starts with; this time does not count.

        It is called once before each operation; none follows only if the run is stopped meanwhile.
        """

    def operate(self) -> None:
        """The operation, which is measured."""

    def finish(self, error: Exception | None, /) -> None:
        """The operation has ended, by an error or not; this time does not count. An error of this ends the run."""

    def kind_of(self, error: Exception) -> str:
        """What kind of failure an error of ``operate`` is; empty if the error ends the run."""


class Start(NamedTuple):
    """A start of an operation: when it is due, in seconds of the clock, and its round; -1 in the warm-up."""

    due: float
    round: int


class Schedule:
    """The starts of a load, for all clients.

    An open load that is more than its clients can do ends a while after its last start was due: as long again as it
    was to take, ``PATIENCE`` at least. The starts that are left then are failures of the kind ``NOT_STARTED``.
    """

    def __init__(self, load: Load, clock: Clock) -> None:
        self._load = load
        self._clock = clock
        self._lock = threading.Lock()
        self._begin = clock.now()
        self.measured_from = self._begin + load.warm_up
        self._until = self.measured_from + (load.count / load.rate if load.rate and load.count else load.duration)
        self._end = self._until + max(self._until - self.measured_from, PATIENCE)
        self._taken = self._measured = 0
        self.left = 0
        """Starts of an open load that were due, and for which no client was free until long after its end."""

    def next(self) -> Start | None:
        """The next start, ``None`` after the last one."""
        load = self._load
        with self._lock:
            now = self._clock.now()
            due = self._begin + self._taken / load.rate if load.rate else now
            if due < self.measured_from:
                if now < self.measured_from:
                    self._taken += 1
                    return Start(due, -1)
                self._taken = ceil(load.warm_up * load.rate)  # warm-up that nobody had time for
                due = self._begin + self._taken / load.rate
            if load.rate and now >= self._end:
                self.left = self._due_in_all - self._measured
                return None
            if self._measured >= load.count if load.count else due >= self._until:
                return None
            part = self._measured / load.count if load.count else (due - self.measured_from) / load.duration
            self._taken += 1
            self._measured += 1
            return Start(due, min(int(part * load.rounds), load.rounds - 1))

    @property
    def _due_in_all(self) -> int:
        return self._load.count or ceil(self._load.duration * self._load.rate)


@dataclass(slots=True)
class Round:
    """The latencies of a round of the operations that succeeded, its first start and its last end in seconds."""

    latencies: Latencies = field(default_factory=Latencies)
    failed: int = 0
    first: float = 0.0
    last: float = 0.0

    @property
    def throughput(self) -> float:
        """Operations per second."""
        return self.latencies.count / (self.last - self.first) if self.last > self.first else 0.0


class Recorded:
    """What was measured of a load; its size does not depend on the number of operations."""

    def __init__(self, load: Load, measured_from: float) -> None:
        self.rounds = [Round() for _ in range(load.rounds)]
        self.layers: dict[str, Latencies] = {}
        self.errors: Counter[str] = Counter()
        self.over_time = Timeline()
        self.interrupted = False
        self.last = self._from = measured_from
        self._open = bool(load.rate)
        self._lock = threading.Lock()

    @property
    def done(self) -> int:
        """The operations that succeeded."""
        return sum(each.latencies.count for each in self.rounds)

    @property
    def seconds(self) -> float:
        """From the end of the warm-up to the end of the last operation."""
        return self.last - self._from

    @property
    def latencies(self) -> Latencies:
        """Those of all rounds together."""
        total = Latencies()
        for each in self.rounds:
            total.merge(each.latencies)
        return total

    def add(self, start: Start, begun: float, ended: float, layers: dict[str, float], error: str) -> None:
        """Record an operation; ``error`` is the kind of its failure."""
        with self._lock:
            found = self.rounds[start.round]
            found.first = min(found.first, start.due) if found.last else start.due
            found.last = max(found.last, ended)
            self.last = max(self.last, ended)
            moment = self.over_time.at(max(start.due - self._from, 0.0))
            if error:
                known = error in self.errors or len(self.errors) < MOST_KINDS
                self.errors[error if known else OTHERS] += 1
                found.failed += 1
                moment.failed += 1
                return
            found.latencies.add(ended - start.due)
            moment.latencies.add(ended - start.due)
            parts = {WAITING: begun - start.due, **layers} if self._open else layers
            rest = ended - start.due - sum(parts.values())
            for name, seconds in {**parts, REMAINDER: rest}.items():
                if name not in self.layers:
                    self.layers[name] = Latencies(COARSE)
                self.layers[name].add(max(seconds, 0.0))


Notify = Callable[[Recorded], None] | None
"""Called during a run with what was recorded until then."""


def run_load(load: Load, clients: Sequence[Client], clock: Clock, notify: Notify = None) -> Recorded:
    """Put a load on the clients, each in a thread of its own, and measure it.

    Each client operates once before the schedule starts, so that connections
    exist and a failure that nothing can succeed after is raised now. Ctrl-C ends
    the load after the operations that run, and what was recorded is ``interrupted``.
    """
    running = _Running(load, clock, len(clients))
    threads = [threading.Thread(target=running.work, args=(client,), daemon=True) for client in clients]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(INTERVAL)
                if notify:
                    notify(running.recorded)
    except KeyboardInterrupt:
        running.stop()
        for thread in threads:
            while thread.is_alive():
                thread.join(INTERVAL)
        running.recorded.interrupted = True
    if running.failure:
        raise running.failure
    running.count_left()
    return running.recorded


class _Running:
    """A load that is put on its clients."""

    def __init__(self, load: Load, clock: Clock, clients: int) -> None:
        self._load = load
        self._clock = clock
        self._ready = threading.Barrier(clients, action=self._begin)
        self._stopped = False
        self._schedule = Schedule(load, clock)
        self.recorded = Recorded(load, clock.now())
        self.failure: BaseException | None = None

    def _begin(self) -> None:
        self._schedule = Schedule(self._load, self._clock)
        self.recorded = Recorded(self._load, self._schedule.measured_from)

    def stop(self) -> None:
        """End after the operations that run now."""
        self._stopped = True
        self._ready.abort()

    def count_left(self) -> None:
        """Count the starts of an open load that no client was free for."""
        if left := self._schedule.left:
            self.recorded.errors[NOT_STARTED] += left
            self.recorded.rounds[-1].failed += left

    def work(self, client: Client) -> None:
        """What a client does from its first operation to its last."""
        try:
            client.prepare()
            self._operate(client)
            self._ready.wait()
            self._follow(client)
        except threading.BrokenBarrierError:
            pass  # another client failed, or the run was interrupted
        except BaseException as error:  # raised by run_load
            self.failure = self.failure or error
            self.stop()

    def _follow(self, client: Client) -> None:
        """Operate as the schedule says."""
        load, clock = self._load, self._clock
        while not self._stopped:
            start = self._schedule.next()
            if start is None:
                return
            client.prepare()
            if load.rate:
                self._wait(start.due)
            else:
                start = start._replace(due=clock.now())
            if self._stopped:
                return
            begun, ended, error = self._operate(client)
            if start.round >= 0:
                self.recorded.add(start, begun, ended, client.watch.seconds, error)
            if load.think:
                self._wait(clock.now() + load.think)

    def _wait(self, moment: float) -> None:
        """Wait until a moment, or until the load is stopped."""
        while not self._stopped and (now := self._clock.now()) < moment:
            self._clock.wait_until(min(moment, now + INTERVAL))

    def _operate(self, client: Client) -> tuple[float, float, str]:
        """One operation: its begin and end in seconds of the clock, and the kind of its failure."""
        clock = self._clock
        client.watch.begin()
        begun = clock.now()
        failed: Exception | None = None
        try:
            client.operate()
        except Exception as error:
            failed = error
        ended = clock.now()
        kind = ""
        if failed is not None:
            kind = client.kind_of(failed)
            if not kind:
                raise failed
        client.finish(failed)
        return begun, ended, kind
