"""Cards in readers of a private PC/SC daemon, and programs that use them with the HSM service."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

from kit.waiting import PATIENCE
from sscard.transport.connection import Connection
from sscard.transport.pcsc import wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot


@dataclass
class Bench:
    """A card in a reader of a private daemon, and the environment of a program that uses it with the HSM."""

    daemon: PrivatePcscd
    environment: dict[str, str]
    turns: Iterator[int] = field(default_factory=count)

    @contextmanager
    def inserted(self, card: Connection) -> Iterator[str]:
        """The card in the next reader; its name."""
        number = next(self.turns) % self.daemon.readers
        reader = self.daemon.reader_name(number)
        assert wait_for_card(reader, present=False, timeout=PATIENCE)
        with VirtualReaderSlot(self.daemon.port(number), card):
            assert wait_for_card(reader, timeout=PATIENCE)
            yield reader

    def run(self, program: list[str], reader: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603
            [*program, reader, *words],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
