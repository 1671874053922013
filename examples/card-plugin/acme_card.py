"""acme://HOST:PORT, the card simulator of Acme: a line of hex digits for each command, and one with its answer."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager


class AcmeCard:
    """The simulator at the other end of a connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._lines = connection.makefile("rw")

    def _ask(self, line: str) -> bytes:
        print(line, file=self._lines, flush=True)
        return bytes.fromhex(self._lines.readline())

    def transmit(self, command: bytes) -> bytes:
        return self._ask(command.hex())

    def power_on(self) -> bytes:
        return self._ask("reset")[:-2]

    reset = power_on

    def power_off(self) -> None:
        """The simulator knows no power."""


@contextmanager
def open_card(url: str, **_options: object) -> Iterator[AcmeCard]:
    """Connect to the simulator of ``acme://HOST:PORT``."""
    with socket.create_connection(tuple(url.removeprefix("acme://").split(":"))) as connection:
        yield AcmeCard(connection)
