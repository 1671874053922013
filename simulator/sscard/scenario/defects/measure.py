"""Which scenarios of a suite notice which defects, in this process or in several."""

from __future__ import annotations

import multiprocessing
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import wait
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from sscard.errors import InputError, MissingPart, suggestion
from sscard.i18n.phrase import Phrase
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects import DEFECTS
from sscard.scenario.defects.catalogue import Defect
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import INCONCLUSIVE, run_scenario
from sscard.scenario.selection import select
from sscard.scenario.workers import FEWER
from sscard.signals import LOOK
from sscard.worker_process import start_worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.process import BaseProcess

BY_NAME: Final = {defect.name: defect for defect in DEFECTS}


def find_defects(names: Sequence[str]) -> list[Defect]:
    """The defects of these names, each once. Errors: ``InputError`` with the nearest name."""
    for name in names:
        if name not in BY_NAME:
            raise InputError(
                Phrase("no defect {name!r}", name=name),
                remedy=suggestion(name, BY_NAME, Phrase("sscard defects list prints all")),
            )
    return [BY_NAME[name] for name in dict.fromkeys(names)]


def defects_of(part: Part, names: Sequence[str]) -> list[Defect]:
    """The defects of these names, which must be of one part. Errors: ``InputError``."""
    found = find_defects(names)
    for defect in found:
        if defect.part != part:
            raise InputError(
                Phrase(
                    "the defect {name} is one of the part {part}: it cannot be planted in a part {given}",
                    name=defect.name,
                    part=defect.part.words,
                    given=part.words,
                ),
                remedy=Phrase(
                    "measure a suite with it: {command}", command=f"sscard defects run PATH --defect {defect.name}"
                ),
            )
    return found


@contextmanager
def planted(defects: Sequence[Defect]) -> Iterator[None]:
    """Plant defects together for the ``with`` statement."""
    with ExitStack() as all_planted:
        for defect in defects:
            all_planted.enter_context(defect.planted())
        yield


@dataclass(frozen=True, slots=True)
class Measured:
    """What a suite makes of a defect.

    ``noticed_by`` are the scenarios, by their numbers in the suite, that pass
    without the defect and fail with it, ``inconclusive`` those that pass without
    it and cannot be judged with it, ``failing`` those that do not pass without it
    either. ``runs`` is the number of runs with the defect.
    """

    defect: Defect
    noticed_by: tuple[int, ...]
    failing: tuple[int, ...]
    runs: int
    seconds: float
    inconclusive: tuple[int, ...] = ()


class Measure:
    """Runs the scenarios of a suite with a defect planted, until ``most`` of them notice it (0: all of them).

    Scenarios that the defect's hint selects are run first. Without a defect a
    scenario is run only if it does not pass with one, and once.
    """

    def __init__(self, scenarios: Sequence[Scenario], most: int = 1) -> None:
        self.scenarios = scenarios
        self._most = most
        self._passes: dict[int, bool] = {}

    def of(self, defect: Defect) -> Measured:
        """What the suite makes of a defect."""
        begin = monotonic()
        waiting = iter(self.order(defect))
        noticed: list[int] = []
        inconclusive: list[int] = []
        failing: list[int] = []
        runs = 0
        while not self._most or len(noticed) < self._most:
            ended = None
            with defect.planted():
                for number in waiting:
                    runs += 1
                    result = run_scenario(self.scenarios[number])
                    if not result.passed:
                        ended = number, inconclusive if result.verdict == INCONCLUSIVE else noticed
                        break
            if ended is None:
                break
            number, found = ended
            if number not in self._passes:
                self._passes[number] = run_scenario(self.scenarios[number]).passed
            (found if self._passes[number] else failing).append(number)
        return Measured(
            defect, tuple(noticed), tuple(failing), runs, monotonic() - begin, inconclusive=tuple(inconclusive)
        )

    def order(self, defect: Defect) -> list[int]:
        """The numbers of the scenarios, those first that the defect's hint selects."""
        likely = {*map(id, select(list(self.scenarios), defect.hint))}
        return sorted(range(len(self.scenarios)), key=lambda number: id(self.scenarios[number]) not in likely)


def measured(measure: Measure, defects: Sequence[Defect], processes: int = 1) -> Generator[Measured]:
    """What a suite makes of each defect, as it becomes known, in ``processes`` that end with the generator.

    Errors: ``MissingPart`` if a process is killed or cannot be started.
    """
    if processes == 1:
        yield from map(measure.of, defects)
        return
    # A copy of this process has the suite; but a process with threads cannot be copied.
    copied = sys.platform == "linux" and threading.active_count() == 1
    context = multiprocessing.get_context("fork" if copied else "spawn")
    waiting = [*reversed(defects)]
    workers: list[BaseProcess] = []
    busy: dict[Any, Defect] = {}
    try:
        for _number in range(min(processes, len(defects))):
            worker, pipe = start_worker(context, _work, measure, remedy=FEWER, others=[*busy])
            workers.append(worker)
            busy[pipe] = waiting.pop()
            pipe.send(busy[pipe].name)
        while busy:
            ready: list[Any] = wait([*busy], LOOK)
            for pipe in ready:
                defect = busy.pop(pipe)
                try:
                    found = Measured(defect, *pipe.recv())
                except (EOFError, OSError):
                    raise MissingPart(
                        Phrase("the process that ran the suite with the defect {name} was killed", name=defect.name),
                        FEWER,
                    ) from None
                yield found
                if waiting:
                    busy[pipe] = waiting.pop()
                    pipe.send(busy[pipe].name)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()


def _work(pipe: Pipe, measure: Measure) -> None:
    """Measure the defects whose names come, until the pipe is closed."""
    with suppress(EOFError, OSError):
        while True:
            found = measure.of(BY_NAME[pipe.recv()])
            pipe.send((found.noticed_by, found.failing, found.runs, found.seconds, found.inconclusive))
