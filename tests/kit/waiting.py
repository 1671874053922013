"""Waiting for a condition, never for a time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 60
"""Seconds after which what must happen did not: far more than it takes, so that a busy machine fails no test."""


def until(condition: Callable[[], bool]) -> bool:
    """Poll the condition until it holds; False if it does not within ``PATIENCE``."""
    pause = threading.Event()
    return any(condition() or pause.wait(0.01) for _ in range(PATIENCE * 100))


@contextmanager
def in_thread(work: Callable[[], None], stop: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Work done in a thread meanwhile; stopped and waited for at the end."""
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join()
