"""Starts worker processes."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Any

from sscard.errors import MissingPart
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase, Sayable
from sscard.signals import SIGNALS, signals_blocked

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as Pipe
    from multiprocessing.process import BaseProcess


def start_worker(
    context: Any, work: Callable[..., object], *arguments: object, remedy: Sayable, others: Sequence[Pipe] = ()
) -> tuple[BaseProcess, Pipe]:
    """Start a process that calls ``work(pipe, *arguments)``, and return it with the other end of its pipe.

    ``context`` is one of ``multiprocessing``: *fork* or *spawn*. The process ignores the signals that end a program,
    and reads the end of its pipe when this process has ended; for that, a copy of this process needs ``others``, our
    ends of the pipes of earlier workers. Errors: ``MissingPart`` with ``remedy`` if the system has no process, memory
    or pipe left.
    """
    try:
        ours, theirs = context.Pipe()
        forked = context.get_start_method() == "fork"
        copied = [*others, ours] if forked else []
        process = context.Process(target=_begin, args=(copied, work, theirs, *arguments), daemon=True)
        if not forked and hasattr(signal, "pthread_sigmask"):
            resource_tracker.ensure_running()  # it is started with the first process, and unblocks signals then
        with signals_blocked():
            process.start()
    except OSError as error:
        raise MissingPart(
            Phrase("a worker process cannot be started: {reason}", reason=reason_of(error)), remedy
        ) from None
    theirs.close()
    return process, ours


def _begin(copied: Sequence[Pipe], work: Callable[..., object], pipe: Pipe, *arguments: object) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for other in copied:
        other.close()
    work(pipe, *arguments)
