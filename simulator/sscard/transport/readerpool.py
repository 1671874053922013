"""A pool of virtual readers: connects a card in process to a terminal through PC/SC.

The path between the two is the real PC/SC library, pcscd and the reader's driver.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from queue import LifoQueue
from types import TracebackType
from typing import Final, NoReturn

from sscard.chip.engine import PowerError
from sscard.chip.memory import PowerLost
from sscard.i18n.phrase import Phrase
from sscard.transport.connection import Connection
from sscard.transport.faults import TransportError
from sscard.transport.pcsc import PcscConnection, ReaderError, wait_for_card
from sscard.transport.pcscd import PrivatePcscd
from sscard.transport.vpcd import Seat, VirtualReaderSlot

SHORTEST_COMMAND: Final = 2
PATIENCE: Final = 5.0
"""Seconds to wait for the daemon under load; normally it needs 0.4 s."""


class ReaderPool:
    """The readers of a private daemon; each is used by one thread at a time.

    ``with pool.connect(card) as connection`` gives a connection that behaves
    like the card in process: ``PowerLost`` if the card loses power,
    ``PowerError`` if it has no power. A card that loses power is removed from
    the reader; the next ``power_on`` inserts it again. ``ReaderError`` if PC/SC
    reports another ATR than the card sent.

    The next card in a reader appears as a cold reset with another ATR, without
    an empty reader in between, which would cost 0.8 s per card.
    """

    def __init__(self, daemon: PrivatePcscd, readers: Iterable[int] | None = None) -> None:
        """``readers`` are the numbers of those to use, by default all."""
        self._daemon = daemon
        self._readers = range(daemon.readers) if readers is None else readers
        self._open = ExitStack()
        self._free: LifoQueue[_Place] = LifoQueue()

    def __enter__(self) -> ReaderPool:
        with ExitStack() as opening:
            for reader in self._readers:
                slot = opening.enter_context(VirtualReaderSlot(self._daemon.port(reader), hold_off=0.0))
                self._free.put(_Place(slot, self._daemon.reader_name(reader)))
            self._open = opening.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @contextmanager
    def connect(self, card: Connection) -> Iterator[Connection]:
        """The terminal's connection to this card, without power yet; waits for a free reader."""
        place = self._free.get()
        try:
            with place.holding(card):
                yield place
        finally:
            self._free.put(place)


class _Lent:
    """The current card in a slot. Used by the slot's thread, monitored by the terminal's thread."""

    def __init__(self) -> None:
        self.card: Connection | None = None
        self.atr = b""
        self.powered = False
        self.lost = False
        self.failed = False
        self._changed = threading.Condition()

    def lend(self, card: Connection) -> None:
        """Assign the reader to the next card, without power."""
        with self._changed:
            self.card = card
            self.atr = b""
            self.powered = self.lost = False

    def put_back(self) -> None:
        """Prepare for the next insertion."""
        with self._changed:
            self.lost = False

    def wait_for(self, holds: Callable[[], bool]) -> bool:
        with self._changed:
            return self._changed.wait_for(holds, PATIENCE)

    def power_on(self) -> bytes:
        self.atr = self._watched(self._held.power_on)
        self._turn(powered=True)
        return self.atr

    def power_off(self) -> None:
        self._held.power_off()
        self._turn(powered=False)

    def reset(self) -> bytes:
        self.atr = self._watched(self._held.reset)
        self._turn(powered=True)
        return self.atr

    def transmit(self, command: bytes) -> bytes:
        return self._watched(lambda: self._held.transmit(command))

    @property
    def _held(self) -> Connection:
        assert self.card is not None
        return self.card

    def _watched(self, answer: Callable[[], bytes]) -> bytes:
        try:
            return answer()
        except PowerLost:
            self._turn(powered=False, lost=True)
            raise
        except TransportError:
            raise
        except Exception:
            self._turn(powered=False, failed=True)
            raise

    def _turn(self, *, powered: bool, lost: bool = False, failed: bool = False) -> None:
        with self._changed:
            self.powered = powered
            self.lost |= lost
            self.failed |= failed
            self._changed.notify_all()


class _Place:
    """A reader of the pool with its slot: the terminal's connection to the current card."""

    def __init__(self, slot: VirtualReaderSlot, reader_name: str) -> None:
        self._slot = slot
        self._reader_name = reader_name
        self._lent = _Lent()
        self._terminal = PcscConnection(reader_name)
        self._inserted = False
        self._powered = False

    @contextmanager
    def holding(self, card: Connection) -> Iterator[None]:
        self._lent.lend(card)
        try:
            yield
        finally:
            self.power_off()

    def power_on(self) -> bytes:
        self._insert()
        return self._start(self._terminal.power_on)

    def power_off(self) -> None:
        """Unpower the card and wait until it has no power; the daemon does not wait for that."""
        self._powered = False
        self._terminal.power_off()
        if not self._lent.wait_for(lambda: not self._lent.powered):
            raise ReaderError(Phrase("the card in reader {name!r} kept its power", name=self._reader_name))

    def reset(self) -> bytes:
        return self._start(self._terminal.reset) if self._powered else self.power_on()

    def transmit(self, command: bytes) -> bytes:
        if not self._powered:
            raise PowerError("the card has no power: call power_on() first")
        if len(command) < SHORTEST_COMMAND:
            raise ReaderError(Phrase("the driver of virtual readers takes a command of one byte for a control byte"))
        return self._checked(lambda: self._terminal.transmit(command))

    def _start(self, start: Callable[[], bytes]) -> bytes:
        """Power on or reset the card and return its ATR.

        If PC/SC reports another ATR than the card sent, unpower the card and
        raise ``ReaderError``. The serial number in the ATR diversifies keys:
        the ATR of another card leads to a wrong proof, which costs this card
        one of its PUK tries.
        """
        atr, sent = self._checked(start), self._lent.atr
        if atr != sent:
            self.power_off()
            raise ReaderError(
                Phrase(
                    "reader {name!r} reports the ATR {reported}, but its card sent {sent}",
                    name=self._reader_name,
                    reported=atr.hex().upper(),
                    sent=sent.hex().upper(),
                )
            )
        self._powered = True
        return atr

    def _insert(self) -> None:
        """Insert the card if necessary and wait until the daemon has requested its ATR."""
        if self._inserted:
            return
        if not wait_for_card(self._reader_name, present=False, timeout=PATIENCE):
            raise ReaderError(
                Phrase("reader {name!r} contains a card that is not from the pool", name=self._reader_name)
            )
        self._lent.put_back()
        self._slot.insert(self._lent)
        self._inserted = True
        self._lent.wait_for(lambda: self._lent.powered or self._lent.lost or self._lent.failed)
        if self._lent.failed:
            self._slot.wait_for(timeout=PATIENCE)  # re-raises the error of the card
        if self._lent.lost:
            self._lose()

    def _checked(self, answer: Callable[[], bytes]) -> bytes:
        """The answer, or the error that the card raised, if known."""
        try:
            return answer()
        except TransportError:
            self._slot.wait_for(Seat.EMPTY, timeout=0)  # re-raises the error that ended the slot
            if not self._lent.lost:
                raise
            self._lose()

    def _lose(self) -> NoReturn:
        """Handle a card that lost power and was therefore removed: raise ``PowerLost``."""
        self._inserted = False
        self.power_off()
        raise PowerLost from None
