"""``sscard driver serve --listen ws:PORT``: the driver for pages in a browser (driver-api.md §10).

One text frame per call, one per answer, both JSON objects. Only this machine
can connect, and of the pages in its browsers only those whose origin is
allowed. Needs the package ``websockets``.
"""

from __future__ import annotations

import json
import logging
import re
import socket
from collections.abc import Iterable
from http import HTTPStatus
from socketserver import BaseRequestHandler
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from sscard.driver.api import FUNCTIONS, SSCardDriver
from sscard.driver.calls import LAST
from sscard.driver.errors import Code, DriverError
from sscard.driver.server import LOOPBACK, Log, TcpServer, Turns, listening
from sscard.errors import InputError, MissingPart
from sscard.i18n.language import say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.transport.limits import MOST_CONNECTIONS, TIMEOUT, DeadlinePassed, DeadlineReader

ABSENT: Final = Phrase("{package} is not installed", package="websockets")
EXTRA: Final = "pip install 'sscard[server]'"

try:
    from websockets.frames import Frame, Opcode
    from websockets.http11 import Request, Response
    from websockets.protocol import State
    from websockets.server import ServerProtocol
except ModuleNotFoundError:
    raise MissingPart(ABSENT, EXTRA) from None

logger = logging.getLogger("sscard.driver")

PORT: Final = 12342
"""Where the pages of the field look for the control."""
ANY_ORIGIN: Final = "*"
NAMELESS: Final = frozenset({ANY_ORIGIN, "null", "file://"})
"""Any origin, and those of a page opened as a file."""
DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}
"""Ports that a browser leaves out."""
HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts of the pages that may connect without being named."""
LONGEST_MESSAGE: Final = 65536
"""Bytes."""
PIECE: Final = 65536
DONE: Final = "1"
"""``success`` of a function that returned 0."""

STEP_2: Final = "ReadCard_HSM_Step2"
STEPS_2: Final = ("iReadCardBas_HSM_Step2", "iReadCard_HSM_Step2")
ALIASES: Final = {"pKey": ("pKey", "pkey")}
"""Names of parameters that callers use beside those of the C functions."""

SILENT: Final = logging.Logger("websockets", logging.CRITICAL + 1)
"""The package logs frames, and in a frame may be a PIN."""
_NUMBER: Final = re.compile(r"-?[0-9]{1,9}")
_ORIGIN: Final = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
"""In small letters; a name with other letters is sent as xn--."""
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Calls:
    """The calls of one connection: an answer to each message."""

    def __init__(self, turns: Turns, connection: socket.socket, log: Log) -> None:
        self._turns = turns
        self._connection = connection
        self._log = log
        self._next = LAST

    def answer(self, message: bytes) -> bytes:
        """The answer to a message, whatever it is."""
        name, known = "", ""
        reason: Sayable = ""
        try:
            given = _object(message)
            name = given["function"]
            known = self._function(name, given)
            code, out, reason = self._turns.call(self._connection, known, _parameters(known, given))
            # Only now: a message that never reached the driver leaves its group open.
            self._next = FUNCTIONS[known].next_step if code == Code.OK else LAST
        except DriverError as error:
            code, out = error.code, error.description
        # The name that the caller sent may be anything, so it is in the answer but in no log.
        self._log(f"{known or '-'} {code:d} {say(reason)}".rstrip())
        logger.debug("driver function", extra={"function": known, "code": int(code)})
        success = DONE if code == Code.OK else f"{code:d}"
        answered = {"functionName": known or name, "success": success, "pOutInfo": out}
        return json.dumps(answered, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="replace")

    def _function(self, name: str, given: dict[str, Any]) -> str:
        """The function of the table that is meant; −13 if there is none."""
        if name == STEP_2:
            return self._next if self._next in STEPS_2 else STEPS_2[0]
        if name == "iReadCard" and "iAuthType" not in given:
            return "iReadCard_HSM_Step1"
        if name not in FUNCTIONS:
            raise DriverError(Code.UNSUPPORTED)
        return name


def _object(message: bytes) -> dict[str, Any]:
    """The JSON object of a message with the text ``function``; −14 for anything else."""
    try:
        given = json.loads(message.decode("utf-8"))
    except (ValueError, RecursionError):
        raise DriverError(Code.PARAMETER) from None
    if not isinstance(given, dict) or not isinstance(given.get("function"), str):
        raise DriverError(Code.PARAMETER)
    return given


def _parameters(function: str, given: dict[str, Any]) -> list[int | str]:
    """The parameters in the order of C; −14 if one is missing or of another type. Others are ignored.

    PINs in place of the PIN pad follow if the caller gives one of them; then it must give all.
    """
    row = FUNCTIONS[function]
    pins = row.pins if given.keys() & set(row.pins) else ()
    found: list[int | str] = []
    for name, kind in (*row.parameters.items(), *((pin, str) for pin in pins)):
        value = next((given[written] for written in ALIASES.get(name, (name,)) if written in given), None)
        if kind is int and isinstance(value, str) and _NUMBER.fullmatch(value):
            value = int(value)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DriverError(Code.PARAMETER)
        if isinstance(value, str) and _SURROGATE.search(value):
            raise DriverError(Code.CHARACTERS)
        found.append(value)
    return found


class _Handler(BaseRequestHandler):
    """One connection: the handshake, then a call for each message."""

    server: WebSocketServer

    def setup(self) -> None:
        self._protocol = ServerProtocol(max_size=LONGEST_MESSAGE, logger=SILENT)
        self._calls = Calls(self.server.turns, self.request, self.server.log)
        self._reader = DeadlineReader(self.request)
        self._message: bytes | None = None

    def finish(self) -> None:
        self.server.turns.leave(self.request)
        self._reader.close()

    def handle(self) -> None:
        """Serve until either side closes, or a handshake or message is not complete in time."""
        self._reader.deadline = monotonic() + self.server.message_timeout
        while data := self._receive():
            # The last byte separately: if it completes nothing, the next message or frame has begun.
            completes = False
            for part in (data[:-1], data[-1:]):
                self._protocol.receive_data(part)
                completed = [self._take(event) for event in self._protocol.events_received()]
                rests = any(completed)
                completes |= rests
            if self._protocol.close_expected():
                self.server.turns.end_group(self.request)  # before the client sees that it is closed
            ended = self._send()
            if rests and not ended:
                self._reader.deadline = None
            elif completes or ended or self._reader.deadline is None:
                self._reader.deadline = monotonic() + self.server.message_timeout

    def _receive(self) -> bytes:
        """What the client has sent, empty at its end and at the deadline."""
        try:
            return self._reader.read(PIECE) or b""
        except DeadlinePassed:
            return b""

    def _take(self, event: Any) -> bool:
        """Take what has arrived; whether no message is incomplete now."""
        if isinstance(event, Request):
            self._open(event)
        elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._message = (self._message or b"") + event.data
            if not event.fin:
                return False
            message, self._message = self._message, None
            if self._protocol.state is State.OPEN:  # else the client has closed and waits for no answer
                self._protocol.send_text(self._calls.answer(message))
        return self._message is None

    def _open(self, request: Request) -> None:
        """Accept or reject a handshake."""
        origins = request.headers.get_all("Origin")
        if not self.server.serves(self.request):
            answer = self._reject(HTTPStatus.SERVICE_UNAVAILABLE, Phrase("too many connections, try again later"))
        elif len(origins) > 1:
            problem = Phrase("a handshake with {count} Origin headers is refused", count=len(origins))
            answer = self._refuse(HTTPStatus.BAD_REQUEST, problem)
        elif origins and not self.server.allows(origins[0]):
            problem = Phrase("a page of {origin} may not connect; to allow it: --origin", origin=origins[0])
            answer = self._refuse(HTTPStatus.FORBIDDEN, problem)
        else:
            answer = self._protocol.accept(request)
        self._protocol.send_response(answer)

    def _refuse(self, status: HTTPStatus, reason: Phrase) -> Response:
        """Reject a page, with a line in the log: the page itself does not get to see why."""
        self.server.log(f"- {say(reason)}")
        return self._reject(status, reason)

    def _reject(self, status: HTTPStatus, reason: Phrase) -> Response:
        return self._protocol.reject(status, f"{say(reason)}\n")

    def _send(self) -> bool:
        """Send what is due; whether nothing more will be sent."""
        self.request.settimeout(self.server.message_timeout)
        for data in self._protocol.data_to_send():
            if not data:
                self.request.shutdown(socket.SHUT_WR)
                return True
            self.request.sendall(data)
        return False


class WebSocketServer(TcpServer):
    """Serves one driver to pages; created by ``serve_websocket``."""

    def __init__(self, port: int, origins: Iterable[str]) -> None:
        self._origins = set(map(_origin, origins))
        super().__init__((LOOPBACK, port), _Handler, bind_and_activate=False)

    @property
    def place(self) -> str:
        return f"ws://{LOOPBACK}:{self.server_address[1]}"

    def allows(self, origin: str) -> bool:
        """Whether pages of an origin may connect: those of this machine, and those that were named."""
        if ANY_ORIGIN in self._origins or origin.lower() in self._origins:
            return True
        try:
            parts = urlsplit(origin)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and parts.hostname in HERE


def _origin(given: str) -> str:
    """An origin in the form that browsers send; ``InputError`` for a text that none sends."""
    if given in NAMELESS:
        return given
    origin = given.lower().removesuffix("/")
    found = _ORIGIN.fullmatch(origin)
    if not found:
        problem = Phrase("{origin}: not an origin", origin=given)
        raise InputError(problem, remedy=Phrase("expected SCHEME://HOST[:PORT] without a path, or *"))
    return origin.removesuffix(DEFAULT_PORTS.get(found["scheme"], ""))


def serve_websocket(
    driver: SSCardDriver,
    port: int = PORT,
    *,
    origins: Iterable[str] = (),
    idle: float | None = None,
    log: Log | None = None,
    timeout: float = TIMEOUT,
    connections: int = MOST_CONNECTIONS,
) -> WebSocketServer:
    """A server at ``ws://127.0.0.1:PORT`` (0: a free port).

    A page of this machine may connect, and one of ``origins``, as
    ``https://his.example``, ``null`` (a page without origin), ``*`` (any). A
    program that sends no origin may connect too: it could use the driver
    anyway. ``timeout`` counts for the handshake and for each message; a
    connection too many gets HTTP 503. ``InputError`` if it cannot listen, or
    for an origin of another form.
    """
    server = WebSocketServer(port, origins)
    return listening(server, driver, idle=idle, log=log, timeout=timeout, connections=connections)
