"""The engine ``dask``: a cluster of this machine, or the workers of a scheduler that runs already."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from typing import Final

from sscard.campaign.engines import Batch, Job
from sscard.campaign.processes import ATTEMPTS, processors
from sscard.campaign.rows import Shard
from sscard.errors import InputError, MissingPart
from sscard.fields import MASK
from sscard.i18n.phrase import Phrase
from sscard.signals import signals_blocked

try:
    import dask
    from distributed import Client, KilledWorker, LocalCluster
except ModuleNotFoundError:
    raise MissingPart(Phrase("Dask is not installed"), "pip install 'sscard[dask]'") from None

LOOPBACK: Final = "127.0.0.1"
SCHEMES: Final = ("tcp", "tls")
CONNECT: Final = 5.0
"""Seconds to wait for the scheduler."""
APPEAR: Final = 30.0
"""Seconds to wait for its first worker."""
DEATH_TIMEOUT: Final = 60
"""Seconds after which a worker ends that has lost its scheduler."""
QUIET: Final = ("distributed", "distributed.client")
"""Loggers of Dask in this process: they print tracebacks of what the campaign reports as an error."""
LOOK: Final = 5.0
"""Seconds between two looks at how many workers there are."""


class Cluster:
    """The workers of a scheduler. It repeats a batch whose worker died, as often as its configuration says."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._executor = client.get_executor(pure=False)
        self._looked = self._workers = 0.0

    @property
    def workers(self) -> int:
        """The threads of all workers, which come and go."""
        if not self._looked or time.monotonic() - self._looked > LOOK:
            with suppress(OSError):  # the connection is lost, which the futures of the batches state
                self._workers = sum(self._client.nthreads().values())
            self._looked = time.monotonic()
        return int(self._workers)

    def submit(self, job: Job, batch: tuple[Shard, ...]) -> Future[Batch]:
        """See ``Engine``."""
        given: Future[Batch] = Future()
        self._executor.submit(job, batch).add_done_callback(partial(_pass_on, given))
        return given


def _pass_on(given: Future[Batch], done: Future[Batch]) -> None:
    """The outcome of a future of Dask as an engine states it."""
    if done.cancelled():
        given.set_exception(CancelledError())
    elif isinstance(error := done.exception(), KilledWorker):
        times = error.allowed_failures + 1
        given.set_exception(BrokenExecutor(Phrase("their worker died {times} times", times=times)))
    elif error:
        given.set_exception(error)
    else:
        given.set_result(done.result())


@contextmanager
def open_url(url: str, workers: int = 0) -> Iterator[Cluster]:
    """``dask``: a scheduler and workers of this machine; ``dask:tcp://HOST:PORT``: a scheduler that runs already."""
    address = url.partition(":")[2]
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    with ExitStack() as opened:
        if not address:
            yield Cluster(opened.enter_context(_own_cluster(workers or processors())))
            return
        if not re.fullmatch(rf"({'|'.join(SCHEMES)})://[^/@]+:[0-9]+", address):
            raise InputError(
                Phrase("{url}: no address of a scheduler", url=re.sub("//.*@", f"//{MASK}@", url)),
                remedy=Phrase("expected dask, dask:tcp://HOST:PORT, or dask:tls://HOST:PORT"),
            )
        if workers:
            raise InputError(
                Phrase("--workers: the workers of this scheduler run already"),
                remedy=Phrase("leave --workers out"),
            )
        try:
            client = opened.enter_context(Client(address, timeout=CONNECT, set_as_default=False))
        except (OSError, TypeError, ValueError) as error:  # of the configuration of TLS, too
            raise MissingPart(
                Phrase("no scheduler answers at {address}: {error}", address=address, error=str(error).split("\n")[0]),
                Phrase("start one: {command}", command="dask scheduler --host 127.0.0.1 --port 8786"),
            ) from None
        try:
            client.wait_for_workers(1, timeout=APPEAR)
        except TimeoutError:
            raise MissingPart(
                Phrase("the scheduler at {address} has no worker", address=address),
                Phrase("start one: {command}", command=f"dask worker {address} --death-timeout {DEATH_TIMEOUT}"),
            ) from None
        yield Cluster(client)


@contextmanager
def _own_cluster(workers: int) -> Iterator[Client]:
    """A scheduler and workers, which listen on loopback only; no signal reaches the workers."""
    resource_tracker.ensure_running()  # it is started with the first process, and unblocks signals then
    with ExitStack() as opened:
        with dask.config.set({"distributed.scheduler.allowed-failures": ATTEMPTS - 1}), signals_blocked():
            try:
                cluster = LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    host=LOOPBACK,
                    dashboard_address=None,
                    worker_dashboard_address=f"{LOOPBACK}:0",  # the oldest permitted listens everywhere otherwise
                    scheduler_kwargs={"dashboard_address": f"{LOOPBACK}:0"},  # its HTTP server has port 8787 otherwise
                    death_timeout=DEATH_TIMEOUT,
                    silence_logs=logging.CRITICAL,
                )
            except (OSError, RuntimeError, AssertionError) as error:  # the last one for a worker that is too late
                raise MissingPart(
                    Phrase("the workers of Dask did not start: {error}", error=str(error).split("\n")[0]),
                    Phrase("choose fewer --workers, or --engine local"),
                ) from None
            opened.enter_context(cluster)
        yield opened.enter_context(Client(cluster, set_as_default=False))
