"""The reader's end of the vpcd wire, and a card that echoes commands and logs its events."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable

from kit.waiting import PATIENCE
from sscard.transport.vpcd_wire import FrameReader, frame

ATR = bytes.fromhex("3B6D00001234A1B2C38649410418072E8C")
POWER_OFF, POWER_ON, RESET, GET_ATR = (frame(bytes((control,))) for control in (0, 1, 2, 4))


class FakeDriver:
    """A driver on a loopback port of its own that speaks bytes, as cut up as a test wants them."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(PATIENCE)
        self.port = self._listening.getsockname()[1]
        self._card: socket.socket | None = None
        self._frames = FrameReader()

    def accept(self) -> None:
        """Wait for a card to connect."""
        self.hang_up()
        self._card, _ = self._listening.accept()
        self._card.settimeout(PATIENCE)
        self._card.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = FrameReader()

    def hang_up(self) -> None:
        if self._card is not None:
            self._card.close()
        self._card = None

    def stop_listening(self) -> None:
        self._listening.close()

    def listen(self) -> None:
        """Listen again, on the same port."""
        self._listening = socket.create_server(("127.0.0.1", self.port))
        self._listening.settimeout(PATIENCE)

    def close(self) -> None:
        self.hang_up()
        self.stop_listening()

    @property
    def card(self) -> socket.socket:
        assert self._card is not None
        return self._card

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.card.sendall(piece)

    def receive(self) -> list[bytes]:
        """The messages of the next read that completes any; none once the card hung up."""
        while received := self._read():
            if messages := list(self._frames.feed(received)):
                return messages
        self._frames.finish()
        return []

    def ask(self, *pieces: bytes) -> bytes:
        """Send, and expect exactly one message."""
        self.send(*pieces)
        (answer,) = self.receive()
        return answer

    def hears_nothing(self) -> bool:
        """Whether no byte of the card has arrived."""
        return not select.select([self.card], [], [], 0)[0]

    def _read(self) -> bytes:
        try:
            return self.card.recv(4096)
        except ConnectionResetError:
            return b""


class EchoCard:
    """Answers a command with itself and 9000, and keeps what happened."""

    def __init__(self, answer: Callable[[bytes], bytes] = lambda command: command + b"\x90\x00") -> None:
        self.answer = answer
        self.events: list[str] = []
        self.powered = threading.Event()

    def power_on(self) -> bytes:
        self.events.append("on")
        self.powered.set()
        return ATR

    def power_off(self) -> None:
        self.events.append("off")
        self.powered.clear()

    def reset(self) -> bytes:
        self.events.append("reset")
        return ATR

    def transmit(self, command: bytes) -> bytes:
        self.events.append(command.hex().upper())
        return self.answer(command)
