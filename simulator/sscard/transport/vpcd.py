"""The card side of vpcd: a virtual reader's slot that serves any ``Connection`` to PC/SC programs.

The reader's driver (``libifdvpcd.so`` in pcscd) listens on a TCP port; a slot
connects to it on the loopback interface and answers its requests.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Final

from sscard.chip.engine import PowerError
from sscard.chip.memory import PowerLost
from sscard.i18n.phrase import Phrase
from sscard.pickling import PortableError
from sscard.transport.connection import Connection
from sscard.transport.faults import CardMute, CardRemoved
from sscard.transport.vpcd_wire import Control, FrameReader, WireError, frame

logger = logging.getLogger("sscard.transport")

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 35963
"""Port of the first slot in the driver package's configuration; the second slot has the next port."""

HOLD_OFF: Final = 0.6
"""Seconds a slot stays empty after a removal: pcscd polls every 0.4 s and must notice it."""

NOTICE: Final = 0.3
"""Seconds after its first poll within which a daemon that notices a card powers it; the next poll is at 0.4 s."""

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.25
CONNECT_TIMEOUT: Final = 1.0
READ_SIZE: Final = 65536
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


class Seat(Enum):
    """State of a slot."""

    EMPTY = Phrase("no card in the slot")
    SEEKING = Phrase("waiting for the reader's driver to listen")
    WAITING = Phrase("connected, not asked yet: pcscd looks every 0.4 s, or another card is in this slot")
    SEATED = Phrase("in the reader")


class Wire:
    """A connected socket with the options for round trips of 0.1 ms instead of 44 ms with vpcd.

    The driver sends length and payload separately and waits for the
    acknowledgement in between. So quick acknowledgement is enabled before every
    read (Linux resets this option), and an answer is sent in one piece.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> bytes:
        """The next bytes, at least one; empty if the peer closed the connection. ``WireError`` if it is lost."""
        try:
            if _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            return self._socket.recv(READ_SIZE)
        except OSError as error:
            raise WireError("the reader's driver is gone") from error

    def send(self, payload: bytes) -> None:
        """Send one message in one piece; ``WireError`` if the connection is lost."""
        message = frame(payload)
        try:
            self._socket.sendall(message)
        except OSError as error:
            raise WireError("the reader's driver is gone") from error


class _Insertion:
    """One insertion of a card, to distinguish a re-inserted card from the removed one."""

    __slots__ = ("atr", "card", "powered", "seen")

    def __init__(self, card: Connection) -> None:
        self.card = card
        self.atr = b""
        self.seen = 0.0
        self.powered = False


class _Unnoticed(PortableError):
    """The daemon polls the card without powering it, because it replaced another card between two polls."""


class VirtualReaderSlot:
    """A slot of a virtual reader on ``port``, empty or with ``card``, served by its own thread.

    ``after(command)`` runs on that thread after each command, before its answer
    is sent, and with ``b""`` after each power-on and reset, which may recover
    memory. Write the card to disk there. It also runs if no answer is sent
    because the card lost power during the command.

    - If pcscd ends, the card loses power; the slot reconnects whenever a
      process listens on the port.
    - ``CardRemoved``, or ``PowerLost`` at a write point, closes the connection
      during the command and leaves the slot empty until ``insert``. The program
      gets an empty answer, which ``PcscConnection`` reports as ``CardRemoved``.
    - pcscd does not notice when one card replaces another between two polls: the
      slot then removes the card once, until pcscd has noticed.
    - ``CardMute`` closes the connection too, because vpcd has no other way to
      end a command without answer, and reconnects immediately.
    - Any other error of the card or of ``after`` ends the thread without an
      answer; ``stop`` and ``wait_for`` raise it.

    All methods may be called from any thread, also in ``after``: the answer is
    sent before a ``remove`` or ``stop`` called there.
    """

    def __init__(
        self,
        port: int = DEFAULT_PORT,
        card: Connection | None = None,
        *,
        after: Callable[[bytes], object] | None = None,
        hold_off: float = HOLD_OFF,
    ) -> None:
        self.port = port
        self.served = 0
        self._after = after or _nothing
        self._hold_off = hold_off
        self._changed = threading.Condition()
        self._inserted = _Insertion(card) if card is not None else None
        self._last = card
        self._seat = Seat.EMPTY
        self._empty_until = 0.0
        self._connected: socket.socket | None = None
        self._stopping = self._ended = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"vpcd {port}", daemon=True)

    def __enter__(self) -> VirtualReaderSlot:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def seat(self) -> Seat:
        """The current state of the slot."""
        return self._seat

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Remove the card and end the thread; raise the error that ended it before, if any."""
        with self._changed:
            self._stopping = True
            self._hang_up()
            self._changed.notify_all()
        if self._thread.ident is not None and not self._on_own_thread():
            self._thread.join()
        self._raise_failure()

    def insert(self, card: Connection | None = None) -> None:
        """Insert a card (default: the last one). It connects ``hold_off`` after the last removal at the earliest."""
        with self._changed:
            if self._inserted is not None:
                raise ValueError("the slot holds a card: remove() it first")
            card = card if card is not None else self._last
            if card is None:
                raise ValueError("the slot never held a card: give insert() one")
            self._last = card
            self._inserted = _Insertion(card)
            self._changed.notify_all()

    def remove(self) -> None:
        """Remove the card, also during a command; it has no power when this returns. No effect on an empty slot."""
        with self._changed:
            self._inserted = None
            self._hang_up()
            self._changed.notify_all()
        if not self._on_own_thread():
            self.wait_for(Seat.EMPTY)

    def pause(self, seconds: float) -> None:
        """Wait as a slow card does, on the slot's own thread; less if the card is removed or the slot stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._inserted is None or self._stopping, seconds)

    def wait_for(self, *seats: Seat, timeout: float | None = None) -> bool:
        """Wait until the slot is in one of these states.

        Return False after ``timeout`` seconds, or if the slot was stopped in another state: it reaches none any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._seat in seats, timeout)
            done = self._seat in seats
        self._raise_failure()
        return done

    def _run(self) -> None:
        try:
            while (inserted := self._next()) is not None:
                self._serve(inserted)
        except Exception as error:
            self._failure = error  # raised by wait_for or stop
        self._ended = True
        self._sit(Seat.EMPTY)

    def _next(self) -> _Insertion | None:
        """Wait for a card, and until the slot has been empty long enough; ``None`` at the end."""
        with self._changed:
            while not self._stopping:
                pause = self._empty_until - time.monotonic()
                if self._inserted is not None and pause <= 0:
                    self._seat = Seat.SEEKING
                    self._changed.notify_all()
                    return self._inserted
                self._changed.wait(None if self._inserted is None else pause)
        return None

    def _serve(self, inserted: _Insertion) -> None:
        """Serve one connection to the driver until its end."""
        connected = self._connect(inserted)
        if connected is None:
            return self._leave(inserted)
        try:
            self._converse(Wire(connected), inserted)
        except CardMute:
            return None
        except _Unnoticed:
            self._empty_until = time.monotonic() + HOLD_OFF
        except (CardRemoved, PowerLost):
            with self._changed:  # the card was removed by its own error
                if self._inserted is inserted:
                    self._inserted = None
        except WireError:
            pass  # pcscd has ended, or the card was removed
        finally:
            with self._changed:
                self._connected = None
            connected.close()
        return self._leave(inserted)

    def _converse(self, wire: Wire, inserted: _Insertion) -> None:
        frames = FrameReader()
        while self._wanted(inserted) and (received := wire.receive()):
            for message in frames.feed(received):
                if self._seat is not Seat.SEATED:
                    self._sit(Seat.SEATED)
                answer = self._answer(inserted, message)
                if answer:
                    wire.send(answer)

    def _answer(self, inserted: _Insertion, message: bytes) -> bytes:
        """The answer to a message; ``None`` for control bytes except ``ATR``."""
        if len(message) == 1:
            return self._control(inserted, message[0])
        self.served += 1
        try:
            answer = inserted.card.transmit(message)
        except PowerError:
            raise CardMute(Phrase("the card has no power")) from None
        finally:
            self._after(message)
        if not answer:
            raise CardMute(Phrase("the card gave no answer"))
        return answer

    def _control(self, inserted: _Insertion, control: int) -> bytes:
        card = inserted.card
        match control:
            case Control.POWER_OFF:
                card.power_off()
            case Control.POWER_ON:
                inserted.powered = True
                self._power(inserted, card.power_on)
            case Control.RESET:
                inserted.powered = True
                self._power(inserted, card.reset)
            case Control.ATR:
                self._look(inserted)
                if not inserted.atr:  # requested before the first power-on: read it
                    self._power(inserted, card.power_on)
                    card.power_off()
                return inserted.atr
        return b""

    def _look(self, inserted: _Insertion) -> None:
        now = time.monotonic()
        inserted.seen = inserted.seen or now
        if not inserted.powered and now > inserted.seen + NOTICE:
            inserted.powered = True  # only once: some daemons never power a card without a client
            raise _Unnoticed

    def _power(self, inserted: _Insertion, power: Callable[[], bytes]) -> None:
        try:
            inserted.atr = power()
        finally:
            self._after(b"")

    def _connect(self, inserted: _Insertion) -> socket.socket | None:
        """Wait for a connection to the driver; ``None`` if the card is removed meanwhile."""
        pause = FIRST_PAUSE
        while self._wanted(inserted):
            connected = connect(self.port)
            if connected is not None:
                with (
                    self._changed
                ):  # from now on remove and stop can close the connection; _converse checks earlier requests
                    self._connected = connected
                self._sit(Seat.WAITING)
                logger.info("reader connected", extra={"port": self.port})
                return connected
            with self._changed:
                self._changed.wait_for(lambda: not self._wanted(inserted), pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return None

    def _wanted(self, inserted: _Insertion) -> bool:
        return self._inserted is inserted and not self._stopping

    def _leave(self, inserted: _Insertion) -> None:
        """Power the card off after its connection has ended."""
        logger.info("reader disconnected", extra={"port": self.port, "commands": self.served})
        inserted.card.power_off()
        inserted.atr = b""
        if not self._wanted(inserted):
            self._empty_until = time.monotonic() + self._hold_off
            self._sit(Seat.EMPTY)

    def _sit(self, seat: Seat) -> None:
        with self._changed:
            self._seat = seat
            self._changed.notify_all()

    def _hang_up(self) -> None:
        """Wake the thread from its read; calls on the thread itself end the conversation without this."""
        if self._connected is None or self._on_own_thread():
            return
        with suppress(OSError):  # the driver closed it first
            self._connected.shutdown(socket.SHUT_RDWR)

    def _on_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def _raise_failure(self) -> None:
        if self._failure is not None and not self._on_own_thread():
            raise self._failure


def connect(port: int) -> socket.socket | None:
    """A connection to ``port`` on the loopback interface, ``None`` if no process listens."""
    try:
        connected = socket.create_connection((HOST, port), CONNECT_TIMEOUT)
    except OSError:
        return None
    # On a port without listener, TCP may connect a socket to itself.
    if connected.getsockname() == connected.getpeername():
        connected.close()
        return None
    connected.settimeout(None)
    return connected


def _nothing(command: bytes) -> None:
    """No action after a command."""
