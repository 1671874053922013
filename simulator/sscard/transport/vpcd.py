"""The card side of vpcd: a virtual reader's slot that serves any ``Connection`` to PC/SC programs.

The reader's driver (``libifdvpcd.so`` in pcscd) listens on a TCP port; a slot
connects to it on the loopback interface and answers what it asks.
"""

from __future__ import annotations

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
from sscard.transport.connection import Connection
from sscard.transport.faults import CardMute, CardRemoved
from sscard.transport.vpcd_wire import Control, FrameReader, WireError, frame

HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 35963
"""The first slot of the reader that the packaged driver configures; its second is the next port."""

HOLD_OFF: Final = 0.6
"""Seconds a slot stays empty after a removal: pcscd looks every 0.4 s, and must not miss it."""

NOTICE: Final = 0.3
"""Seconds after its first look in which a daemon that notices a card has powered it; the next look is at 0.4."""

FIRST_PAUSE: Final = 0.02
LONGEST_PAUSE: Final = 0.25
CONNECT_TIMEOUT: Final = 1.0
READ_SIZE: Final = 65536
_QUICKACK: Final = getattr(socket, "TCP_QUICKACK", None)


class Seat(Enum):
    """How far a card has come into its reader."""

    EMPTY = Phrase("no card in the slot")
    SEEKING = Phrase("waiting for the reader's driver to listen")
    WAITING = Phrase("connected, not asked yet: pcscd looks every 0.4 s, or another card is in this slot")
    SEATED = Phrase("in the reader")


class Wire:
    """A connected socket, used as vpcd needs it to answer in 0.1 ms instead of 44.

    The driver sends length and payload apart and waits for the acknowledgement
    between: so acknowledge at once (an option that Linux takes back by itself,
    hence set before every read), and answer in one piece.
    """

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self) -> bytes:
        """The next bytes, at least one; none where the peer closed. ``WireError`` where it is gone."""
        try:
            if _QUICKACK is not None:
                self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
            return self._socket.recv(READ_SIZE)
        except OSError as error:
            raise WireError("the reader's driver is gone") from error

    def send(self, payload: bytes) -> None:
        """One message, in one piece; ``WireError`` where the peer is gone."""
        message = frame(payload)
        try:
            self._socket.sendall(message)
        except OSError as error:
            raise WireError("the reader's driver is gone") from error


class _Insertion:
    """One stay of a card in the slot, so that the same card put back in is told from the one taken out."""

    __slots__ = ("atr", "card", "powered", "seen")

    def __init__(self, card: Connection) -> None:
        self.card = card
        self.atr = b""
        self.seen = 0.0
        self.powered = False


class _Unnoticed(Exception):
    """The daemon looks at the card and does not power it: it took another's place between two looks."""


class VirtualReaderSlot:
    """A slot of a virtual reader on ``port``, with ``card`` in it or none, served by a thread of its own.

    ``after(command)`` runs on that thread after each command, before its
    answer leaves, and with ``b""`` after each power-on and reset, which may
    recover memory: the place to write the card to disk. It also runs where no
    answer will leave because the card lost its power over the command.

    - pcscd going away takes the card's power; the slot connects again when
      something listens on the port, as often as that happens.
    - ``CardRemoved``, or ``PowerLost`` at a write point, closes the connection
      in mid-command and leaves the slot empty until ``insert``. The program
      gets an answer of no bytes, which ``PcscConnection`` tells as ``CardRemoved``.
    - A card that takes the place of another between two looks of the daemon is
      not noticed by it: the slot takes it out once, for as long as it takes.
    - ``CardMute`` closes the connection too, the only way vpcd has to end a
      command without answer, and connects again at once: the card stays seen.
    - Any other error of the card or of ``after`` ends the thread without an
      answer; ``stop`` and ``wait_for`` raise it.

    All methods may be called from any thread, ``after`` included: a ``remove``
    or ``stop`` from there lets the answer leave first.
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
        self._stopping = False
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
        """Where the card is now."""
        return self._seat

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Take the card out and end the thread; raises what ended it before, if anything did."""
        with self._changed:
            self._stopping = True
            self._hang_up()
            self._changed.notify_all()
        if self._thread.ident is not None and not self._on_own_thread():
            self._thread.join()
        self._raise_failure()

    def insert(self, card: Connection | None = None) -> None:
        """Put a card in (without one: the last again). It connects once ``hold_off`` is over since the last left."""
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
        """Take the card out, in mid-command if need be; without power when this returns. None in: nothing happens."""
        with self._changed:
            self._inserted = None
            self._hang_up()
            self._changed.notify_all()
        if not self._on_own_thread():
            self.wait_for(Seat.EMPTY)

    def wait_for(self, *seats: Seat, timeout: float | None = None) -> bool:
        """Wait until the card has come to one of these seats; whether it has. ``timeout`` in seconds."""
        with self._changed:
            done = self._changed.wait_for(lambda: self._failure is not None or self._seat in seats, timeout)
        self._raise_failure()
        return done

    def _run(self) -> None:
        try:
            while (inserted := self._next()) is not None:
                self._serve(inserted)
        except Exception as error:
            self._failure = error  # for whoever waits or stops
        self._sit(Seat.EMPTY)

    def _next(self) -> _Insertion | None:
        """Wait for a card to serve, and for the slot to have been empty long enough; ``None`` at the end."""
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
        """One connection to the driver, from its beginning to its end."""
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
            with self._changed:  # the card left on its own
                if self._inserted is inserted:
                    self._inserted = None
        except WireError:
            pass  # pcscd is gone, or the card was taken out
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
        """The answer to a message; none to a control but ``ATR``."""
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
                if not inserted.atr:  # asked for before any power: find it out
                    self._power(inserted, card.power_on)
                    card.power_off()
                return inserted.atr
        return b""

    def _look(self, inserted: _Insertion) -> None:
        now = time.monotonic()
        inserted.seen = inserted.seen or now
        if not inserted.powered and now > inserted.seen + NOTICE:
            inserted.powered = True  # once is enough: there are daemons that power no card by themselves
            raise _Unnoticed

    def _power(self, inserted: _Insertion, power: Callable[[], bytes]) -> None:
        try:
            inserted.atr = power()
        finally:
            self._after(b"")

    def _connect(self, inserted: _Insertion) -> socket.socket | None:
        """A connection to the driver, waited for; ``None`` where the card is no longer wanted in the slot."""
        pause = FIRST_PAUSE
        while self._wanted(inserted):
            connected = connect(self.port)
            if connected is not None:
                with self._changed:  # from now on remove and stop can hang up; _converse sees what they asked before
                    self._connected = connected
                self._sit(Seat.WAITING)
                return connected
            with self._changed:
                self._changed.wait_for(lambda: not self._wanted(inserted), pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        return None

    def _wanted(self, inserted: _Insertion) -> bool:
        return self._inserted is inserted and not self._stopping

    def _leave(self, inserted: _Insertion) -> None:
        """The card has no connection any more, so no power either."""
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
        """Wake the thread out of its read; its own calls end the conversation by themselves."""
        if self._connected is None or self._on_own_thread():
            return
        with suppress(OSError):  # the driver was quicker
            self._connected.shutdown(socket.SHUT_RDWR)

    def _on_own_thread(self) -> bool:
        return threading.current_thread() is self._thread

    def _raise_failure(self) -> None:
        if self._failure is not None and not self._on_own_thread():
            raise self._failure


def connect(port: int) -> socket.socket | None:
    """A connection to ``port`` on the loopback interface, or ``None`` where nobody listens."""
    try:
        connected = socket.create_connection((HOST, port), CONNECT_TIMEOUT)
    except OSError:
        return None
    # On a port nobody listens on, TCP can meet itself: both ends are then this socket.
    if connected.getsockname() == connected.getpeername():
        connected.close()
        return None
    connected.settimeout(None)
    return connected


def _nothing(command: bytes) -> None:
    """Nothing to do after a command."""
