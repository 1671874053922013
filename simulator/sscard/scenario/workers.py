"""Worker processes: scenarios in parallel, in processes of their own. One that dies costs only its scenario."""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Final, Literal

from sscard.errors import PhrasedError
from sscard.i18n.phrase import Phrase
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, crashed
from sscard.signals import cause_of
from sscard.worker_process import start_worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

Run = Callable[[Scenario, int], ScenarioResult]
"""Runs a scenario under a seed."""
Opened = Callable[[], AbstractContextManager[Run]]
"""Opens what scenarios run with. Each process does; so it can be pickled, as a function of a module can."""

PATIENCE: Final = 5.0
"""Timeout in seconds for an idle worker to exit."""
FEWER: Final = Phrase("use fewer processes with -n")


class WorkerDied(PhrasedError):
    """The process of a scenario has ended before the scenario."""


class Workers:
    """Worker processes: one for each thread that calls ``run`` at a time.

    ``scenarios`` are those that will be run. Without ``events``, a result that
    passed comes without the exchanges of its steps. Leaving the context ends the
    processes, also those that are at work.

    If ``fork`` is set, and this process has no other thread, Linux starts
    ``count`` processes as copies of it, which have imported everything and know
    the scenarios. Otherwise, and in place of one that died, a new process is
    started when it is needed.
    """

    def __init__(
        self, count: int, scenarios: Sequence[Scenario], opened: Opened, *, events: bool, fork: bool = False
    ) -> None:
        self._count = count
        self._scenarios = scenarios
        self._opened = opened
        self._events = events
        self._fork = fork and sys.platform == "linux"
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._lock = threading.Lock()
        self._ended = False

    def __enter__(self) -> Workers:
        if self._fork and threading.active_count() == 1:
            for _number in range(self._count):
                pipes = [worker.pipe for worker in self._idle]
                worker = _Worker("fork", self._opened, self._scenarios, events=self._events, others=pipes)
                self._idle.append(worker)
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended = True
            for worker in self._busy:
                worker.kill()
            for worker in self._idle:
                worker.end()

    def run(self, scenario: Scenario, seed: int) -> ScenarioResult:
        """The result of a scenario; ``inconclusive`` if its process died, the next scenario then has another one.

        Errors: ``MissingPart`` if no process can be started.
        """
        with self._lock:
            if self._ended:
                raise WorkerDied(Phrase("the run has ended"))
            self._idle = [worker for worker in self._idle if worker.alive]
            worker = self._idle.pop() if self._idle else _Worker("spawn", self._opened, (), events=self._events)
            self._busy.add(worker)
        result = None
        try:
            result = worker.run(scenario, seed)
        except WorkerDied as died:
            return crashed(scenario, seed, died)
        finally:
            with self._lock:
                self._busy.discard(worker)
                if result is not None and not self._ended:
                    self._idle.append(worker)
        return result


class _Worker:
    """A process that runs one scenario at a time. It ends when its pipe is closed: with this process at the latest."""

    def __init__(
        self,
        start: Literal["fork", "spawn"],
        opened: Opened,
        scenarios: Sequence[Scenario],
        *,
        events: bool,
        others: Sequence[Pipe] = (),
    ) -> None:
        """``scenarios`` are those that the process knows, ``others`` as of ``start_worker``. Errors: as of that."""
        context = multiprocessing.get_context(start)
        self._known = {id(scenario): number for number, scenario in enumerate(scenarios)}
        self._process, self.pipe = start_worker(context, _work, opened, scenarios, events, remedy=FEWER, others=others)

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def run(self, scenario: Scenario, seed: int) -> ScenarioResult:
        """The result of a scenario. Errors: ``WorkerDied``."""
        try:
            self.pipe.send((self._known.get(id(scenario), scenario), seed))
            answer = unpickled(self.pipe.recv_bytes(), scenario)
        except (EOFError, OSError):
            self._process.join()
            cause = cause_of(self._process.exitcode or 0)
            raise WorkerDied(Phrase("its process died: {cause}", cause=cause)) from None
        return answer

    def end(self) -> None:
        """End the process, which has no work."""
        self.pipe.close()
        self._process.join(PATIENCE)
        self.kill()

    def kill(self) -> None:
        """End the process at its work: the thread that waits for it gets ``WorkerDied``."""
        self._process.kill()
        self._process.join()


def _work(pipe: Pipe, opened: Opened, scenarios: Sequence[Scenario], events: bool) -> None:
    """Run scenarios until the pipe is closed."""
    gc.freeze()  # what a copy of the run has, which is never unused
    with suppress(EOFError, OSError), opened() as run:
        while True:
            asked, seed = pipe.recv()
            scenario = scenarios[asked] if isinstance(asked, int) else asked
            result = run(scenario, seed)
            if result.passed and not result.failure and not events:
                result = result.without_events()
            try:
                answer = pickled(result)
            except Exception as error:  # of a value in it that cannot be pickled
                answer = pickled(crashed(scenario, seed, error))
            pipe.send_bytes(answer)


SCENARIO: Final = -1
"""What the pickle of a result has in place of its scenario; in place of a step it has the number of the step."""


def pickled(result: ScenarioResult) -> bytes:
    """A result without its scenario, which the process that asked for it has."""
    scenario = result.scenario
    known = {id(scenario): SCENARIO} | {id(step): number for number, step in enumerate(scenario.steps)}
    buffer = BytesIO()
    pickler = pickle.Pickler(buffer)
    pickler.persistent_id = lambda part: known.get(id(part))  # type: ignore[method-assign]
    pickler.dump(result)
    return buffer.getvalue()


def unpickled(content: bytes, scenario: Scenario) -> ScenarioResult:
    """A result of this scenario."""
    unpickler = pickle.Unpickler(BytesIO(content))  # noqa: S301 - of a process of our own
    unpickler.persistent_load = lambda place: scenario if place == SCENARIO else scenario.steps[place]  # type: ignore[method-assign]
    result: ScenarioResult = unpickler.load()
    return result
