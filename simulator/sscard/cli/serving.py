"""A server on the command line: until Ctrl-C or SIGTERM, or until the server ends."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from socketserver import BaseServer

ENDS: Final = (signal.SIGINT, signal.SIGTERM)
LOOK: Final = 0.1
"""Seconds between two checks for a signal."""


def serve_until_signal(server: BaseServer, announcement: str = "") -> None:
    """Print an announcement and serve from a thread; the caller closes the server."""
    caught: list[int] = []
    for number in ENDS:
        signal.signal(number, lambda number, _: caught.append(number))
    if announcement:
        click.echo(announcement)  # who reads it may send a signal from now on
    thread = threading.Thread(target=server.serve_forever, args=(LOOK,), daemon=True)
    if hasattr(signal, "pthread_sigmask"):
        # The thread and those it starts inherit the mask: a signal does not interrupt an exchange with the card.
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
        thread.start()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    else:
        thread.start()
    while thread.is_alive() and not caught:
        thread.join(LOOK)
    server.shutdown()
    thread.join()
