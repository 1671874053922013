"""The signals that end a program, kept from its worker processes, and why such a process died."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sscard.i18n.phrase import Phrase, Sayable

SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT") if hasattr(signal, name)
)
"""What ends a program. They reach a worker of the same process group too, but the program decides."""

LOOK: Final = 0.1
"""Seconds that the main thread waits at a time.

Python handles signals in the main thread only. One that comes just before this thread waits, or that the system gives
to another thread, does not wake it.
"""


def cause_of(code: int) -> Sayable:
    """Why a process died, by the exit code of ``multiprocessing``, which is negative for a signal."""
    if code == -getattr(signal, "SIGKILL", 0):
        return Phrase("SIGKILL, as the system sends if memory is exhausted")
    if code >= 0:
        return Phrase("exit code {code}", code=code)
    try:
        return signal.Signals(-code).name
    except ValueError:  # a real-time signal without a name
        return Phrase("signal {number}", number=-code)


@contextmanager
def signals_blocked() -> Iterator[None]:
    """Let a process that is started ignore the signals also before its first line."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
