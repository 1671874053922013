"""A server on the command line: until Ctrl-C or SIGTERM, or until it ends by itself."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from socketserver import BaseServer

ENDS: Final = (signal.SIGINT, signal.SIGTERM)
LOOK: Final = 0.1
"""Seconds after which a server sees that it shall end."""


def serve_until_signal(server: BaseServer) -> None:
    """Serve from a thread of its own; the caller closes the server."""
    # Before any thread begins, so that none of them is interrupted.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
    thread = threading.Thread(target=_serve, args=(server,), daemon=True)
    thread.start()
    signal.sigwait(ENDS)
    server.shutdown()
    thread.join()


def _serve(server: BaseServer) -> None:
    try:
        server.serve_forever(LOOK)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)  # it ended by itself: wake the caller
