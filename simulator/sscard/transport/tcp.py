"""A card at the other end of a TCP connection that speaks the wire of vpcd; this is the reader's side.

``HOST:PORT`` connects to a card that listens. ``:PORT`` listens on the
loopback interface for a card that connects, as ``sscard insert`` and vicc do.
"""

from __future__ import annotations

import logging
import re
import socket
from contextlib import suppress
from types import TracebackType
from typing import Final

from sscard.errors import InputError, MissingPart, TransportError
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.transport.faults import CardMute, CardRemoved
from sscard.transport.vpcd_wire import Control, FrameReader, WireError, frame

logger = logging.getLogger("sscard.transport")

LOOPBACK: Final = "127.0.0.1"
PATIENCE: Final = 30.0
"""Seconds to wait for an answer."""
CONNECT: Final = 30.0
"""Seconds to wait for a card to accept the connection, or to connect."""
READ_SIZE: Final = 65536
SHORTEST_COMMAND: Final = 2
_ADDRESS: Final = re.compile(r"(?P<host>[^:\s\0]*|\[[^\]\s]+\]):(?P<port>[0-9]{1,5})")


class TcpConnection:
    """The card at ``HOST:PORT``, or the card that connects to ``:PORT``.

    ``with`` opens the connection and closes it; ``power_on`` opens a lost one
    again. Errors: ``InputError`` (no address), ``MissingPart`` (no card there),
    ``CardRemoved`` (the connection was closed), ``CardMute`` (no answer within
    ``patience`` seconds; the connection is closed, since a late answer would be
    taken for the next one), ``TransportError`` (not the wire of vpcd).
    """

    def __init__(self, address: str, *, patience: float = PATIENCE, connect: float = CONNECT) -> None:
        found = _ADDRESS.fullmatch(address)
        if found is None or int(found["port"]) > 0xFFFF or not _is_name(found["host"]):
            raise InputError(
                Phrase("tcp:{address}: not an address", address=address),
                remedy=Phrase("for example tcp:127.0.0.1:4001"),
            )
        self._host, self._port = found["host"].strip("[]"), int(found["port"])
        self._patience = patience
        self._connect = connect
        self._listening: socket.socket | None = None
        self._socket: socket.socket | None = None
        self._frames = FrameReader()
        self._powered = False
        self._late = False

    def __enter__(self) -> TcpConnection:
        try:
            if not self._host:
                self._listening = socket.create_server((LOOPBACK, self._port))
                self._port = self._listening.getsockname()[1]
                self._listening.settimeout(self._connect)
            self._open()
        except BaseException as error:
            self.__exit__(None, None, None)
            if not isinstance(error, OSError):
                raise
            raise self._nobody(error) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power_off()
        self._hang_up()
        if self._listening is not None:
            self._listening.close()

    def power_on(self) -> bytes:
        if self._socket is None:
            try:
                self._open()
            except OSError as error:
                raise CardRemoved(str(self._nobody(error))) from None
        self._powered = True
        self._send(bytes((Control.POWER_ON,)))
        if self._late:
            return self._atr_after_late_answer()
        return self._ask(bytes((Control.ATR,)))

    def power_off(self) -> None:
        """Take the power; nothing to do if the card has none."""
        if self._powered:
            self._powered = False
            with suppress(CardRemoved):  # a card that is gone has no power
                self._send(bytes((Control.POWER_OFF,)))

    def unplug(self) -> None:
        """See ``Removable``."""
        self.power_off()

    def cut(self, command: bytes, _attempt: int) -> bool:
        """See ``Removable``: the card gets the command and the loss of power without a pause between them."""
        self._demand_power()
        self._send(command)
        self._late = True
        self.power_off()
        return False

    def _atr_after_late_answer(self) -> bytes:
        """The ATR of a card that may have answered before it lost power: the first message that comes twice."""
        self._late = False
        ask = bytes((Control.ATR,))
        self._send(ask)
        self._send(ask)
        last = b""
        while True:
            for message in self._received():
                if message == last:
                    return message
                last = message

    def reset(self) -> bytes:
        self._demand_power()
        self._send(bytes((Control.RESET,)))
        return self._ask(bytes((Control.ATR,)))

    def transmit(self, command: bytes) -> bytes:
        self._demand_power()
        if len(command) < SHORTEST_COMMAND:
            raise TransportError(
                Phrase("a command of one byte cannot be sent: the vpcd wire takes it for a control byte")
            )
        answer = self._ask(command)
        if len(answer) < 2:
            raise TransportError(Phrase("the answer of the card has no status word"))
        return answer

    def _open(self) -> None:
        if self._listening is not None:
            self._socket, __ = self._listening.accept()
        else:
            self._socket = socket.create_connection((self._host, self._port), self._connect)
        self._socket.settimeout(self._patience)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._frames = FrameReader()
        logger.info("card connected", extra={"host": self._host, "port": self._port})

    def _nobody(self, error: OSError) -> MissingPart:
        if self._listening is None and self._host:
            return MissingPart(
                Phrase(
                    "no card listens at {host}:{port} ({reason})",
                    host=self._host,
                    port=self._port,
                    reason=reason_of(error),
                ),
                Phrase("start the card, or give its address as tcp:HOST:PORT"),
            )
        if isinstance(error, TimeoutError):
            return MissingPart(
                Phrase("no card connected to port {port}", port=self._port), f"sscard insert CARD --port {self._port}"
            )
        return MissingPart(
            Phrase("tcp::{port}: cannot listen there: {reason}", port=self._port, reason=reason_of(error)),
            Phrase("choose another port"),
        )

    def _demand_power(self) -> None:
        if not self._powered:
            raise CardRemoved(Phrase("the card has no power: call power_on() first"))

    def _send(self, message: bytes) -> None:
        if self._socket is None:
            raise CardRemoved(Phrase("the card has closed the connection"))
        try:
            self._socket.sendall(frame(message))
        except OSError:
            self._hang_up()
            raise CardRemoved(Phrase("the card has closed the connection")) from None

    def _ask(self, message: bytes) -> bytes:
        """The answer to a message; without one the connection is closed."""
        self._send(message)
        messages = self._received()
        if len(messages) > 1:
            self._hang_up()
            raise TransportError(Phrase("the card has sent more than one answer"))
        return messages[0]

    def _received(self) -> list[bytes]:
        """The next messages of the card; if none comes, the connection is closed."""
        assert self._socket is not None
        messages: list[bytes] = []
        try:
            while not messages and (received := self._socket.recv(READ_SIZE)):
                messages = list(self._frames.feed(received))
        except TimeoutError:
            raise CardMute(Phrase("the card does not answer")) from None
        except WireError:
            raise TransportError(Phrase("the answer does not have the form of the vpcd wire")) from None
        except OSError:
            pass  # the connection was reset
        finally:
            if not messages:
                self._hang_up()
        if not messages:
            raise CardRemoved(Phrase("the card has closed the connection"))
        return messages

    def _hang_up(self) -> None:
        self._powered = self._late = False
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _is_name(host: str) -> bool:
    """Whether the resolver takes a name: its parts are not empty and have at most 63 characters."""
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
