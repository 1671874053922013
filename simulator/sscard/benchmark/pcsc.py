"""Terminals over PC/SC: readers of a private daemon, one for each client, and one with an echo card as the baseline."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

from sscard.benchmark.clock import Clock
from sscard.benchmark.histogram import Latencies
from sscard.scenario.cards import Connect
from sscard.transport import Connection
from sscard.transport.pcscd import MAX_READERS, PrivatePcscd, find_pcscd
from sscard.transport.readerpool import ReaderPool

ECHOED: Final = 100
"""Operations of the echo card before a load, and after it."""
OWN_CLIENTS: Final = MAX_READERS - 1
"""Most clients behind one private pcscd: the last of its readers is for the echo card."""


@dataclass(slots=True)
class Tape:
    """A connection that keeps the ATR, the commands and the answers of an operation."""

    connection: Connection
    atr: bytes = b""
    commands: list[bytes] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    def power_on(self) -> bytes:
        """See ``Connection``."""
        self.atr = self.connection.power_on()
        return self.atr

    def power_off(self) -> None:
        """See ``Connection``."""
        self.connection.power_off()

    def reset(self) -> bytes:
        """See ``Connection``."""
        return self.connection.reset()

    def transmit(self, command: bytes) -> bytes:
        """See ``Connection``."""
        answer = self.connection.transmit(command)
        self.commands.append(command)
        self.answers.append(answer)
        return answer


class EchoCard:
    """A card that does nothing but answer what another card answered to the same commands."""

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._next = 0

    def power_on(self) -> bytes:
        """See ``Connection``."""
        self._next = 0
        return self._tape.atr

    def power_off(self) -> None:
        """See ``Connection``."""

    def reset(self) -> bytes:
        """See ``Connection``."""
        return self.power_on()

    def transmit(self, _command: bytes) -> bytes:
        """See ``Connection``."""
        answer = self._tape.answers[self._next]
        self._next += 1
        return answer


@dataclass(frozen=True, slots=True)
class Terminals:
    """What connects the terminal of each client, in this process by default, and that of the echo card."""

    connects: Sequence[Connect] = ()
    echo: Connect | None = None


@contextmanager
def over_pcsc(clients: int) -> Iterator[Terminals]:
    """Terminals over a private pcscd with a reader for each client; ``MissingPart`` if it cannot run here."""
    with PrivatePcscd(clients + 1) as daemon, ExitStack() as pools:
        opened = [pools.enter_context(ReaderPool(daemon, [reader])) for reader in range(clients + 1)]
        *connects, echo = (pool.connect for pool in opened)
        yield Terminals(connects, echo)


def measure_baseline(echo: Connect, tape: Tape, clock: Clock, latencies: Latencies) -> None:
    """Add the latencies of the commands of a tape with an echo card: the time of the way there and back."""
    with echo(EchoCard(tape)) as connection:
        for turn in range(ECHOED + 1):
            begun = clock.now()
            connection.power_on()
            for command in tape.commands:
                connection.transmit(command)
            if turn:  # the first one inserts the card
                latencies.add(clock.now() - begun)
            connection.power_off()


def pcsc_versions() -> dict[str, str]:
    """The versions of pcscd and pyscard. Errors: ``MissingPart`` without them."""
    said = subprocess.run([str(find_pcscd()), "--version"], capture_output=True, text=True, check=False)  # noqa: S603
    return {"pcscd": said.stdout.partition("\n")[0].rstrip("."), "pyscard": version("pyscard")}
