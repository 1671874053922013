"""Signals that end a command: a server ends with 0, any other command like Ctrl-C, with 130.

They are Ctrl-C, SIGTERM, SIGHUP (the terminal was closed) and SIGQUIT. SIGHUP
and SIGQUIT do not count if the program was started with them ignored, as by
nohup or as a background job of a script.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

import click

from sscard.errors import PhrasedError
from sscard.signals import LOOK

ALWAYS: Final = (signal.SIGINT, signal.SIGTERM)
HANG_UPS: Final = tuple(getattr(signal, name) for name in ("SIGHUP", "SIGQUIT") if hasattr(signal, name))
"""Windows has neither."""
LOCKING: Final = ("threading", "concurrent.futures._base")
"""Modules whose context managers take several steps to acquire or release a lock.

An exception between them leaves the lock acquired, and threads that need it never end.
"""
LATER: Final = 0.01
"""Seconds after which a signal comes again that came between such steps."""


def ends() -> tuple[signal.Signals, ...]:
    """The signals that end this program."""
    return (*ALWAYS, *(number for number in HANG_UPS if signal.getsignal(number) is not signal.SIG_IGN))


@contextmanager
def interruptible() -> Iterator[None]:
    """Let each of the signals end the program as Ctrl-C does: daemons are stopped, reports written.

    The first one counts: who closes a terminal sends several, and the others
    must not interrupt the clean-up; a second Ctrl-C does. No lock stays
    acquired that a ``with`` statement was about to hold. For the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if frame and frame.f_globals.get("__name__") in LOCKING and frame.f_code.co_name in ("__enter__", "__exit__"):
            threading.Timer(LATER, signal.raise_signal, [number]).start()
            return
        came.append(number)
        for other in caught.keys() - {signal.SIGINT}:
            signal.signal(other, signal.SIG_IGN)
        raise KeyboardInterrupt

    caught = {number: signal.getsignal(number) for number in ends()}
    if caught[signal.SIGINT] is signal.SIG_IGN:
        del caught[signal.SIGINT]
    for number in caught:
        signal.signal(number, interrupt)
    try:
        yield
    except PhrasedError:
        raise
    except Exception:
        if came:  # a library put the KeyboardInterrupt into an error of its own: pydantic, while it builds a model
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, before in caught.items():
            signal.signal(number, before)


def serve_until_signal(serve: Callable[[], object], stop: Callable[[], None], announcement: str) -> None:
    """Print an announcement and serve from a thread until a signal; ``stop`` ends ``serve``."""
    caught: list[int] = []
    numbers = ends()
    for number in numbers:
        signal.signal(number, lambda number, _: caught.append(number))
    if announcement:
        click.echo(announcement)  # who reads it may send a signal from now on
    thread = threading.Thread(target=serve, daemon=True)
    if hasattr(signal, "pthread_sigmask"):
        # The thread and those it starts inherit the mask: a signal does not interrupt an exchange with the card.
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        thread.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    else:
        thread.start()
    while thread.is_alive() and not caught:
        thread.join(LOOK)
    stop()
    thread.join()
