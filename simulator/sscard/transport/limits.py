"""Limits of a server and a client: one deadline for a whole message, and a number of connections."""

from __future__ import annotations

import io
import socket
from socketserver import BaseServer, ThreadingMixIn
from time import monotonic
from typing import Any, Final

from sscard.pickling import PortableError

TIMEOUT: Final = 10.0
"""Seconds within which a whole message has to arrive."""
MOST_CONNECTIONS: Final = 64
"""Connections that a server serves at a time."""


class DeadlinePassed(PortableError):
    """The message was not complete at the deadline."""


def wait_at_most(connection: socket.socket, seconds: float | None) -> None:
    """Set the timeout of a socket, unless it is within 1 % of it already: setting it is a system call."""
    now = connection.gettimeout()
    if seconds is None or now is None or abs(now - seconds) > seconds / 100:
        connection.settimeout(seconds)


class DeadlineReader(io.RawIOBase):
    """Reads from a socket until ``deadline``, a time of ``monotonic``, then raises ``DeadlinePassed``.

    A byte per second does not extend it. Without a deadline it waits for ever. After ``most`` bytes it is at its end.
    """

    def __init__(self, connection: socket.socket, *, deadline: float | None = None, most: int | None = None) -> None:
        self._connection = connection
        self._raw = connection.makefile("rb", buffering=0)
        self._left = most
        self.deadline = deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read at least one byte, 0 at the end."""
        if self._left is not None:
            buffer = memoryview(buffer)[: self._left]
        remaining = None if self.deadline is None else self.deadline - monotonic()
        if remaining is not None and remaining <= 0:
            raise DeadlinePassed
        wait_at_most(self._connection, remaining)
        try:
            count = self._raw.readinto(buffer) or 0
        except TimeoutError:
            raise DeadlinePassed from None
        if self._left is not None:
            self._left -= count
        return count

    def close(self) -> None:
        """Release the socket."""
        self._raw.close()
        super().close()


class BoundedServer(ThreadingMixIn, BaseServer):
    """A thread per connection: ``connections`` are served, as many more are refused in words, others are closed."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def bound(self, timeout: float, connections: int) -> None:
        """Set the limits, before ``serve_forever``; ``timeout`` in seconds for each message."""
        self.message_timeout = timeout
        self._most = connections
        self._served: set[Any] = set()
        self._refused: set[Any] = set()

    def serves(self, request: Any) -> bool:
        """Whether a connection is to be served, and not refused."""
        return request in self._served

    @property
    def connections(self) -> tuple[Any, ...]:
        """The open connections."""
        return (*self._served, *self._refused)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begin a thread for a connection, unless there are too many."""
        group = self._served if len(self._served) < self._most else self._refused
        if len(group) >= self._most:
            self.shutdown_request(request)
            return
        group.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection; the next one takes its place."""
        super().shutdown_request(request)
        self._served.discard(request)
        self._refused.discard(request)
