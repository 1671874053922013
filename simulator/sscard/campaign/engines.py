"""Engines: what runs the shards of a campaign, processes of this machine or the workers of a Dask cluster.

An engine is submitted batches of shards and gives futures. Results come in any order. How many shards are in flight is
bounded, so that neither their number nor the size of their results depends on the size of the campaign.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from traceback import extract_tb
from typing import Final, NamedTuple, Protocol, runtime_checkable

from sscard.campaign.rows import Done, Shard
from sscard.errors import MissingPart, PhrasedError
from sscard.i18n.phrase import Phrase
from sscard.lazy import Logger
from sscard.plugins import Registry
from sscard.signals import LOOK
from sscard.version import __version__

logger = Logger("sscard.campaign")

SHORTEST: Final = 0.05
"""Seconds that a batch takes at least, so that the cost of sending it does not count."""
MOST_SHARDS: Final = 64
"""Shards of a batch at most."""

Run = Callable[[Shard], Done]
"""Runs a shard; a function of a module, or a ``partial`` of one, which can be pickled."""


class Batch(NamedTuple):
    """Shards that are done, and the seconds that they took."""

    done: tuple[Done, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Job:
    """What a worker does with a batch of shards.

    Errors: ``MissingPart`` if the sscard of the worker is not that of the campaign, ``RuntimeError`` for a fault of
    ``run``; those with a message are raised as they are.
    """

    run: Run
    version: str = __version__

    def __call__(self, batch: tuple[Shard, ...]) -> Batch:
        if self.version != __version__:
            raise MissingPart(
                Phrase("a worker has sscard {found}, this is sscard {own}", found=__version__, own=self.version),
                f"pip install 'sscard=={self.version}'",
            )
        begun = time.perf_counter()
        done = []
        for shard in batch:
            try:
                done.append(self.run(shard))
            except PhrasedError:
                raise
            except Exception as error:  # without its text, which may repeat a PIN
                frame = extract_tb(error.__traceback__)[-1]
                place = f"{type(error).__name__} in {Path(frame.filename).name}:{frame.lineno}"
                raise RuntimeError(f"cards {shard.first} to {shard.first + shard.count - 1}: {place}") from None
        return Batch(tuple(done), time.perf_counter() - begun)


@runtime_checkable
class Engine(Protocol):
    """What runs batches of shards.

    ``workers`` is how many it runs at the same time, now. A future fails with ``BrokenExecutor`` if the process that
    ran its batch died, and dies with each retry; it is cancelled if the connection to the workers is lost; any other
    error is that of the job.
    """

    @property
    def workers(self) -> int: ...

    def submit(self, job: Job, batch: tuple[Shard, ...], /) -> Future[Batch]: ...


Opener = Callable[..., AbstractContextManager[Engine]]
"""``opener(url, workers=N)``: an engine until the end of the ``with`` statement; N is 0 if the user does not say."""

ENGINES: Final[Registry[Opener]] = Registry(
    "sscard.engines",
    Phrase("engine"),
    {"local": "sscard.campaign.processes:open_url", "dask": "sscard.campaign.cluster:open_url"},
    result=Engine,
)


def open_engine(url: str, workers: int = 0) -> AbstractContextManager[Engine]:
    """The engine of a URL: ``local``, ``dask``, ``dask:tcp://HOST:PORT``, or a scheme of an installed package.

    ``InputError`` for an unknown one, ``MissingPart`` if its package is missing or nobody answers.
    """
    return ENGINES.open(url, workers=workers)


def run_shards(engine: Engine, run: Run, asked: Iterable[Shard]) -> Iterator[Done]:
    """Run shards and give each as it is done.

    Each worker has a batch, and another one waits for it. ``MissingPart`` if the process of a batch died with each
    retry or cannot be started, if the connection to the workers is lost, or if they cannot import sscard.
    ``InputError`` if ``run`` or what it returns cannot be sent to a process. Other errors are those of ``Job``.
    """
    job = Job(run)
    left = iter(asked)
    flying: dict[Future[Batch], tuple[Shard, ...]] = {}
    size = 1
    while True:
        while len(flying) < 2 * max(engine.workers, 1) and (batch := tuple(islice(left, size))):
            flying[engine.submit(job, batch)] = batch
        if not flying:
            return
        for future in wait(flying, LOOK, FIRST_COMPLETED).done:
            batch = flying.pop(future)
            found = _result(future, batch)
            fitting = SHORTEST * len(batch) / max(found.seconds, 1e-6)
            size = max(1, min(round(fitting + 0.5), MOST_SHARDS))
            yield from found.done


def _result(future: Future[Batch], batch: tuple[Shard, ...]) -> Batch:
    """The result of a batch, or why there is none."""
    first, last = batch[0].first, batch[-1].first + batch[-1].count - 1
    try:
        return future.result()
    except BrokenExecutor as error:
        raise MissingPart(
            Phrase(
                "cards {first} to {last}: {error}",
                first=first,
                last=last,
                error=error.args[0] if error.args else str(error),
            ),
            Phrase("run one alone: --card {card}; if the memory was exhausted, choose fewer --workers", card=first),
        ) from None
    except CancelledError:
        raise MissingPart(
            Phrase("the connection to the scheduler is lost"),
            Phrase("start it again, then continue the campaign: --results FILE --resume"),
        ) from None
    except ImportError as error:
        raise MissingPart(
            Phrase("a worker cannot import {module}", module=error.name or "sscard"),
            Phrase("install it where the workers are: {command}", command=f"pip install 'sscard[dask]=={__version__}'"),
        ) from None
