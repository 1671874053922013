"""Clients: a card at a terminal, brought into its start state before each operation, outside the measured time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from random import Random

from sscard.benchmark.clock import Clock
from sscard.benchmark.flows import Measured, kind_of
from sscard.benchmark.layers import Watch
from sscard.chip.memory import restored
from sscard.driver import Readers, SSCardDriver
from sscard.hsm import Hsm
from sscard.issuer import Card
from sscard.scenario.cards import Connect, in_process
from sscard.service import Journal, MemoryJournal, PinService, load_policy
from sscard.service.workdays import CHINA
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession
from sscard.terminal.pinpad import ScriptedPad
from sscard.transport import Connection

PIN, NEW_PIN = "123456", "654321"

Journals = Callable[[], AbstractContextManager[Journal]]
"""Opens a journal for one client."""


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands behind the terminals: the HSM, and the journal of the service."""

    hsm: Hsm
    journals: Journals | None = None


class AtDesk:
    """A client with a terminal, the HSM and the service, each measured; ``close`` closes its journal.

    A subclass gives it the card: ``connection``, on which it begins its next operation.
    """

    connection: Connection

    def __init__(self, flow: Measured, behind: Behind, clock: Clock) -> None:
        self.pin, self.new_pin = PIN, NEW_PIN
        self.watch = watch = Watch(clock)
        self.flow = flow
        self._open = ExitStack()
        opened = flow.is_case and behind.journals
        journal = self._open.enter_context(opened()) if opened else MemoryJournal()
        policy = load_policy().model_copy(update={"unblock": "accept"})
        service = PinService(partial(datetime.now, CHINA), journal=watch.measured("journal", journal), policy=policy)
        self.service = watch.measured("service", service)
        self.hsm = watch.measured("hsm", behind.hsm)
        self._start = watch.timed("terminal", watch.measured_class("terminal", CardSession).start)

    def session(self) -> CardSession:
        """Power the card on and open it."""
        session: CardSession = self._start(self.connection, self.hsm)
        return session

    def driver(self) -> SSCardDriver:
        """A driver with the card in its contact reader, without a PIN pad."""
        return self.watch.measured("driver", SSCardDriver(Readers(contact=lambda: self.connection), ScriptedPad()))

    def operate(self) -> None:
        """See ``load.Client``."""
        self.flow.operate(self)

    def kind_of(self, error: Exception) -> str:
        """See ``load.Client``."""
        return kind_of(error)

    def close(self) -> None:
        """Close what belongs to this client."""
        self._open.close()


class FreshCopies(AtDesk):
    """A client that gets a new copy of one card for each operation, so that all of them find the same state."""

    def __init__(
        self,
        flow: Measured,
        card: Card,
        behind: Behind,
        clock: Clock,
        connect: Connect = in_process,
        random: Random | None = None,
    ) -> None:
        super().__init__(flow, behind, clock)
        self._card = card
        self._connect = connect
        self._random = random
        self._held = ExitStack()
        self._open.callback(self._held.close)

    def prepare(self) -> None:
        """See ``load.Client``."""
        kept = self._card.memory
        memory = restored(kept.numbers, kept.strings, kept.log)
        if self.flow.blocked:
            memory.put_number(PIN_TRIES, 0)
        chip = Card(self._card.profile, memory).chip(self._random)
        connection = self._held.enter_context(self._connect(self.watch.measured("card", chip)))
        self.connection = self.watch.measured("transport", connection)

    def finish(self, _error: Exception | None, /) -> None:
        """See ``load.Client``."""
        self._held.close()
