"""Cards in virtual readers: ``sscard insert`` and pcscd killed during an APDU, and 16 clients of 16 cards."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from random import Random
from typing import Final

from sscard.errors import TransportError
from sscard.i18n.phrase import Phrase
from sscard.issuer import Card
from sscard.issuer.cardfile import open_card
from sscard.model.invariants import OWN_ANSWERS
from sscard.proof.sessions import PROGRAM, VERIFY, Broken, CardUnderTest, Session, new_card, verify
from sscard.standard.apdu import SW, command, split
from sscard.standard.tree import SSSE_NAME
from sscard.transport import Connection, exchange
from sscard.transport.pcsc import PcscConnection, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import Seat, VirtualReaderSlot

PATIENCE: Final = 60.0
"""Seconds after which what must happen did not, also on a busy machine."""
COMMAND_SECONDS: Final = 0.003
"""About as long as a reader takes for a command and its answer."""
SELECT: Final = command(0x00, 0xA4, 0x04, 0x00, SSSE_NAME)
SELECT_EF05: Final = command(0x00, 0xA4, 0x02, 0x00, b"\xef\x05")
CARD_NUMBER: Final = command(0x00, 0xB2, 0x07, 0x00, le=0)
ASK_TRIES: Final = command(0x00, 0x20, 0x00, 0x00, le=0)
CLIENTS: Final = 16


def killed_inserts(pcscd: PrivatePcscd, card: CardUnderTest, random: Random) -> Iterator[Session]:
    """Sessions over ``sscard insert``, which is killed around one of its answers; in one reader after another."""
    for reader in cycle(range(pcscd.readers)):
        session = card.begin()
        name = pcscd.reader_name(reader)
        wait_for_card(name, present=False, timeout=PATIENCE)
        with subprocess.Popen(  # noqa: S603
            [*PROGRAM, "insert", str(card.path), "--port", str(pcscd.port(reader))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            timer = threading.Timer(random.random() * COMMAND_SECONDS, process.kill)
            try:
                wait_for_card(name, timeout=PATIENCE)
                with PcscConnection(name, patience=PATIENCE) as connection, suppress(TransportError):
                    _converse(connection, session, timer.start, random.randrange(len(session.pins) + 1))
            finally:
                process.kill()
                if timer.ident is not None:
                    timer.join()
        yield session


def _converse(connection: Connection, session: Session, act: Callable[[], None], at: int) -> None:
    """Send the commands of a session; act before the command of this number, or after the last one."""
    connection.power_on()
    exchange(connection, SELECT)
    for number, right in enumerate(session.pins):
        if number == at:
            act()
        session.answers.append(connection.transmit(VERIFY[right]).hex().upper())
    if at == len(session.pins):
        act()


@dataclass
class Interrupting:
    """A connection that acts during one command, before or after the card executes it."""

    card: Connection
    act: Callable[[], None]
    at: int
    late: bool

    def power_on(self) -> bytes:
        return self.card.power_on()

    def power_off(self) -> None:
        self.card.power_off()

    def reset(self) -> bytes:
        return self.card.reset()

    def transmit(self, command: bytes, /) -> bytes:
        if command not in VERIFY.values():
            return self.card.transmit(command)
        self.at -= 1
        if self.at == -1 and not self.late:
            self.act()
        answer = self.card.transmit(command)
        if self.at == -1 and self.late:
            self.act()
        return answer


def restarts_of_pcscd(pcscd: PrivatePcscd, card: CardUnderTest, random: Random) -> Iterator[Session]:
    """Sessions with pcscd killed during an APDU and started again: the card reconnects, its tries are asked there."""
    for reader in cycle(range(pcscd.readers)):
        session = card.begin()
        name = pcscd.reader_name(reader)
        wait_for_card(name, present=False, timeout=PATIENCE)
        with open_card(card.path) as opened:
            killed = threading.Event()

            def kill(done: threading.Event = killed) -> None:
                pcscd.kill()
                done.set()

            chip = Interrupting(opened, kill, random.randrange(len(session.pins)), random.random() < 0.5)
            with VirtualReaderSlot(pcscd.port(reader), chip) as slot:
                try:
                    wait_for_card(name, timeout=PATIENCE)
                    with PcscConnection(name, patience=PATIENCE) as connection, suppress(TransportError):
                        _converse(connection, session, chip.act, -1)
                finally:
                    # The client has its error as soon as the daemon is gone, which the thread of the card ends.
                    if not killed.wait(PATIENCE):
                        pcscd.kill()
                    pcscd.start()
                slot.wait_for(Seat.SEATED, timeout=PATIENCE)
                with PcscConnection(name, patience=PATIENCE) as connection:
                    connection.power_on()
                    exchange(connection, SELECT)
                    session.after = exchange(connection, ASK_TRIES).sw & 0xF
        yield session


def clients(pcscd: PrivatePcscd, count: int, random: Random) -> list[Broken]:
    """16 threads, each at its own card in its own reader, with at least ``count`` commands in all; what is broken.

    A thread verifies the PIN of its card and reads the card's number: the
    answer of any other card differs.
    """
    cards = [new_card(random, _pin_of(reader)) for reader in range(CLIENTS)]
    begin = threading.Barrier(CLIENTS)
    with ExitStack() as slots, ThreadPoolExecutor(CLIENTS) as threads:
        for reader, card in enumerate(cards):
            wait_for_card(pcscd.reader_name(reader), present=False, timeout=PATIENCE)
            slots.enter_context(VirtualReaderSlot(pcscd.port(reader), card.chip(Random(reader))))
        work = partial(_client, pcscd, begin, -(-count // CLIENTS))
        return [found for each in threads.map(work, range(CLIENTS), cards) for found in each]


def _client(pcscd: PrivatePcscd, begin: threading.Barrier, count: int, reader: int, card: Card) -> list[Broken]:
    """A client of one reader: what it got that its card did not answer, at most the first three."""
    chip = card.chip(Random(1))
    chip.power_on()
    number = _read_number(chip)
    found: list[Broken] = []
    with PcscConnection(pcscd.reader_name(reader), patience=PATIENCE) as connection:
        connection.power_on()
        _read_number(connection)
        begin.wait(PATIENCE)
        for _ in range(0, count, 3):
            answer = connection.transmit(verify(_pin_of(reader)))
            if split(answer).sw != SW.OK:
                said = Phrase("reader {reader}: {answer} to the PIN of its card", reader=reader, answer=answer.hex())
                found.append((OWN_ANSWERS, said))
            if exchange(connection, CARD_NUMBER).data != number:
                found.append((OWN_ANSWERS, Phrase("reader {reader}: the number of another card", reader=reader)))
    return found[:3]


def _read_number(connection: Connection) -> bytes:
    for sent in (SELECT, SELECT_EF05):
        exchange(connection, sent)
    return exchange(connection, CARD_NUMBER).data


def _pin_of(reader: int) -> str:
    return f"{reader:02d}{reader * 7919:06d}"
