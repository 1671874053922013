"""The engine ``local``: processes of this machine, each of which runs one batch at a time."""

from __future__ import annotations

import multiprocessing
import os
import queue
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pickle import PickleError
from threading import Lock
from typing import TYPE_CHECKING, Final

from sscard.campaign.engines import Batch, Job
from sscard.campaign.rows import Shard
from sscard.errors import InputError
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.lazy import Logger
from sscard.signals import cause_of
from sscard.worker_process import start_worker

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe

PICKLING: Final = (PickleError, AttributeError, ImportError, LookupError, RecursionError, TypeError, ValueError)
"""What ``pickle`` raises for objects that it cannot write or read."""
logger = Logger("sscard.campaign")

ATTEMPTS: Final = 3
"""How many processes may die of a batch."""
FEWER: Final = Phrase("end other programs, or choose fewer --workers")


class Processes:
    """Worker processes, one for each thread of a pool; a process that dies is replaced, and its batch is repeated."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._threads = ThreadPoolExecutor(workers)
        self._idle: queue.SimpleQueue[_Worker | None] = queue.SimpleQueue()
        self._started: set[_Worker] = set()
        self._lock = Lock()
        self._ended = False
        for _number in range(workers):
            self._idle.put(None)

    def submit(self, job: Job, batch: tuple[Shard, ...]) -> Future[Batch]:
        """See ``Engine``."""
        return self._threads.submit(self._run, job, batch)

    def kill(self) -> None:
        """End all processes, also those that are at work."""
        with self._lock:
            self._ended = True
            for worker in self._started:
                worker.kill()
        self._threads.shutdown(cancel_futures=True)

    def _run(self, job: Job, batch: tuple[Shard, ...]) -> Batch:
        worker = self._idle.get()
        try:
            for _attempt in range(ATTEMPTS):
                worker = worker or self._start()
                try:
                    return worker.run(job, batch)
                except EOFError:
                    cause = worker.cause
                    logger.info("worker died", cause=say(cause), first=batch[0].first)
                    with self._lock:
                        self._started.discard(worker)
                    worker = None
            problem = Phrase("their process died {times} times: {cause}", times=ATTEMPTS, cause=cause)
            raise BrokenExecutor(problem)
        finally:
            self._idle.put(worker)

    def _start(self) -> _Worker:
        with self._lock:
            if self._ended:
                raise BrokenExecutor(Phrase("the campaign has ended"))
            worker = _Worker()
            self._started.add(worker)
            return worker


class _Worker:
    """A process; it ends when its pipe is closed, with this process at the latest. Errors: as of ``start_worker``."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._process, self._pipe = start_worker(context, _work, remedy=FEWER)

    def run(self, job: Job, batch: tuple[Shard, ...]) -> Batch:
        """The result of a batch.

        Errors: ``EOFError`` if the process died, ``InputError`` for work that cannot be pickled; those of the job.
        """
        try:
            self._pipe.send((job, batch))
            answer = self._pipe.recv()
        except OSError:
            raise EOFError from None
        except PICKLING as error:
            raise _not_sent(error) from None
        if isinstance(answer, Exception):
            raise answer
        found: Batch = answer
        return found

    @property
    def cause(self) -> Sayable:
        """Why the process died, which is waited for."""
        self._process.join()
        return cause_of(self._process.exitcode or 0)

    def kill(self) -> None:
        """End the process: the thread that waits for it gets ``EOFError``."""
        self._process.kill()
        self._process.join()


def _work(pipe: Pipe) -> None:
    """Run batches until the pipe is closed."""
    with suppress(EOFError, OSError):
        while True:
            answer: object
            try:
                job, batch = pipe.recv()
                try:
                    answer = job(batch)
                except Exception as error:  # of the job, for the campaign
                    answer = error
                pipe.send(answer)
            except PICKLING as error:
                pipe.send(_not_sent(error))


def _not_sent(error: Exception) -> InputError:
    """Why work or its result cannot go to another process."""
    return InputError(
        Phrase("work or result cannot be sent to another process: {error}", error=f"{type(error).__name__}: {error}"),
        remedy=Phrase("use functions and classes of a module that a new process can import"),
    )


@contextmanager
def open_url(url: str, workers: int = 0) -> Iterator[Processes]:
    """``local``: so many processes, by default one for each processor that this process may use."""
    if url.partition(":")[2]:
        problem = Phrase("{url}: the engine local has no address", url=url)
        raise InputError(problem, remedy=Phrase("write local, and the number of processes as --workers N"))
    processes = Processes(workers or processors())
    try:
        yield processes
    finally:
        processes.kill()


def processors() -> int:
    """The number of processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
