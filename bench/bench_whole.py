"""A whole case with its parts: in memory or on disk, card in this process or behind PC/SC, and the time of each layer.

    python bench/bench_whole.py [--samples 300] [--personality v3-sm4]

Four settings take turns, so that a disturbance of the machine meets all: the journal in memory or in an SQLite file
(WAL, synchronous FULL), and the card in this process or, in a process of its own, in a reader of a private pcscd. Each
case is read, taken in, accepted, operated, tried and completed; a reset (PIN forgotten) and a change (PIN leaked) take
turns too. The layers are timed at their borders: card (what the terminal waits for, transport included), HSM, journal;
the service is the rest, terminal included. Times are wall-clock times.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

from rich.console import Console
from rich.table import Table

from sscard.errors import MissingPart
from sscard.hsm import SoftHsm
from sscard.issuer import builtin_keys, issue_card, presets
from sscard.service import Applicant, Application, Channel, Journal, MemoryJournal, PinService, Reason, Stage
from sscard.service.journal.database import SqlJournal
from sscard.terminal import CardSession
from sscard.transport import Connection
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import VirtualReaderSlot

PIN, OTHER_PIN = "123456", "654321"
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
KEY = bytes(range(32))
PATIENCE = 60.0
"""Seconds to wait for a card: its process starts meanwhile, on a busy machine."""
WARM_UP = 10
CARD, HSM, JOURNAL, SERVICE, CASE = "card", "HSM", "journal", "service", "case"
OPERATIONS = {Reason.FORGOTTEN: "reset", Reason.LEAKED: "change"}


class Timed:
    """Something whose methods' time counts for a layer."""

    def __init__(self, wrapped: object, layer: str, spent: dict[str, float]) -> None:
        self._wrapped = wrapped
        self._layer = layer
        self._spent = spent

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._wrapped, name)
        if not callable(found):
            return found

        def call(*arguments: object, **named: object) -> object:
            began = time.perf_counter()
            try:
                return found(*arguments, **named)
            finally:
                self._spent[self._layer] += time.perf_counter() - began

        setattr(self, name, call)
        return call


@dataclass
class Setting:
    """A journal and a card, and what the layers of each operation took, in seconds."""

    name: str
    journal: Journal
    connection: Connection
    times: dict[tuple[Reason, str], list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._spent = dict.fromkeys((CARD, HSM, JOURNAL), 0.0)
        self._card: Any = Timed(self.connection, CARD, self._spent)
        self._hsm: Any = Timed(SoftHsm(builtin_keys()), HSM, self._spent)
        journal: Any = Timed(self.journal, JOURNAL, self._spent)
        self._service = PinService(lambda: NOW, journal=journal)
        self._pins = cycle((PIN, OTHER_PIN))
        self._old = next(self._pins)

    def run(self, reason: Reason) -> None:
        """A whole case."""
        self._spent.update(dict.fromkeys(self._spent, 0.0))
        began = time.perf_counter()
        new = next(self._pins)
        session = CardSession.start(self._card, self._hsm)
        read = session.read_basic()
        applicant = Applicant(name=read.name, id_number=read.social_security_number)
        case = self._service.intake(Application(applicant, Channel.WINDOW, reason, card=read))
        self._service.accept(case)
        self._service.operate(case, session, new, self._old if reason is Reason.LEAKED else "")
        self._service.complete(case, session, new)
        whole = time.perf_counter() - began
        assert case.stage is Stage.COMPLETED
        self._old = new
        rest = whole - sum(self._spent.values())
        for layer, seconds in (*self._spent.items(), (SERVICE, rest), (CASE, whole)):
            self.times.setdefault((reason, layer), []).append(seconds)


def serve(personality: str, port: int) -> None:
    """Be a card in a reader until standard input ends."""
    with VirtualReaderSlot(port, issue_card(personality=personality, seed=1, pin=PIN).chip(Random(1))):
        sys.stdin.read()


@contextmanager
def behind_pcsc(daemon: PrivatePcscd, reader: int, personality: str) -> Iterator[PcscConnection]:
    command = [sys.executable, __file__, "--serve", personality, str(daemon.port(reader))]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            if not wait_for_card(daemon.reader_name(reader), timeout=PATIENCE):
                raise SystemExit("the card did not appear in its reader")
            with PcscConnection(daemon.reader_name(reader), patience=PATIENCE) as connection:
                yield connection
        finally:
            assert process.stdin is not None
            process.stdin.close()


def measure(samples: int, personality: str) -> list[Setting]:
    with PrivatePcscd(2) as daemon, ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def on_disk(name: str) -> SqlJournal:
            journal = SqlJournal(str(folder / name), KEY)
            stack.callback(journal.close)
            return journal

        def in_process() -> Connection:
            return issue_card(personality=personality, seed=1, pin=PIN).chip(Random(1))

        def in_reader(reader: int) -> Connection:
            return stack.enter_context(behind_pcsc(daemon, reader, personality))

        settings = [
            Setting("memory, in-process", MemoryJournal(), in_process()),
            Setting("SQLite, in-process", on_disk("in-process.db"), in_process()),
            Setting("memory, PC/SC", MemoryJournal(), in_reader(0)),
            Setting("SQLite, PC/SC", on_disk("pcsc.db"), in_reader(1)),
        ]
        for turn in range(WARM_UP + samples):
            if turn == WARM_UP:
                for setting in settings:
                    setting.times.clear()
            for reason in OPERATIONS:
                for setting in settings:
                    setting.run(reason)
        return settings


def table_of(settings: list[Setting]) -> Table:
    """Median and 99th percentile of each layer, in µs."""
    layers = (CARD, HSM, JOURNAL, SERVICE, CASE)
    table = Table("journal, card", "", *layers, title="median / p99, µs")
    for setting in settings:
        for reason, operation in OPERATIONS.items():
            cells = []
            for layer in layers:
                times = setting.times[reason, layer]
                cells.append(f"{median(times) * 1e6:.0f} / {quantiles(times, n=100)[98] * 1e6:.0f}")
            table.add_row(setting.name, operation, *cells)
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=300, help="cases of each setting and operation (default 300)")
    parser.add_argument("--personality", choices=presets(), default="v3-sm4", help="of the cards (default v3-sm4)")
    parser.add_argument("--serve", nargs=2, metavar=("PERSONALITY", "PORT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        return serve(given.serve[0], int(given.serve[1]))
    if given.samples < 2:
        parser.error("at least 2 samples")
    console = Console()
    try:
        console.print(table_of(measure(given.samples, given.personality)))
    except MissingPart as missing:
        console.print(str(missing))
        raise SystemExit(3) from None
    console.print(f"{given.personality}, Python {platform.python_version()}, {os.cpu_count()} CPUs")
    return None


if __name__ == "__main__":
    main()
