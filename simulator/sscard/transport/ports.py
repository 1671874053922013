"""The TCP ports (IPv4) on which programs of this machine listen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

LISTENING: Final = "0A"
ALL_INTERFACES: Final = "00000000"


def listening_ports() -> set[int]:
    """The TCP ports (IPv4) in use by listeners."""
    return {port for _, port in _listeners()}


def open_ports() -> set[int]:
    """The TCP ports on which a process listens on all interfaces."""
    return {port for address, port in _listeners() if address == ALL_INTERFACES}


def _listeners() -> Iterator[tuple[str, int]]:
    table = Path("/proc/net/tcp")
    for row in table.read_text().splitlines()[1:] if table.exists() else ():
        _, local, _, state, *_ = row.split()
        if state == LISTENING:
            address, _, port = local.partition(":")
            yield address, int(port, 16)
