"""``sscard driver serve``: the driver behind the line protocol of ``native/PROTOCOL.md``."""

from __future__ import annotations

import io
import logging
import os
import re
import select
import socket
import stat
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from typing import Any, Final, TypeVar, cast

from sscard.driver.api import FUNCTIONS, SSCardDriver
from sscard.driver.errors import Code, DriverError
from sscard.errors import InputError, MissingPart
from sscard.files import mode_of
from sscard.i18n.language import reason_of, say
from sscard.i18n.phrase import Phrase, Sayable
from sscard.transport.limits import MOST_CONNECTIONS, TIMEOUT, BoundedServer, DeadlinePassed, DeadlineReader
from sscard.version import __version__

logger = logging.getLogger("sscard.driver")

PLACE_VARIABLE: Final = "SSCARD_DRIVER"
TCP: Final = "tcp:"
LOOPBACK: Final = "127.0.0.1"
HELLO: Final = "sscard-driver"
VERSION: Final = "1"
CHARSETS: Final = {"GBK": "gbk", "UTF-8": "utf-8"}
LONGEST_LINE: Final = 65536
LONGEST_WAIT: Final = 5.0
"""Seconds to wait for a function of another connection."""
LAST_WAIT: Final = 1.0
"""Seconds to wait for a function at shutdown: enough for any function except a PIN entry."""

Log = Callable[[str], None]

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(rb"%(..)", re.DOTALL)
_SPECIAL = re.compile(rb"[\x00-\x1f%\x7f]")
_NUMBER = re.compile(r"-?[0-9]{1,10}")


class Turns:
    """One driver for many connections: one function at a time, the steps of a group uninterrupted by others."""

    def __init__(self, driver: SSCardDriver) -> None:
        self._driver, self._lock = driver, threading.Lock()
        self._holder: object | None = None
        self._last: object | None = None  # a card may stay powered for it without a group

    def call(self, caller: socket.socket, name: str, parameters: list[int | str]) -> tuple[int, str, Sayable]:
        """Code, pOutInfo, reason of a function; −11 if another one uses the terminal or the caller has disconnected."""
        if not self._lock.acquire(timeout=LONGEST_WAIT):
            raise DriverError(Code.READER)
        try:
            if self._holder not in (None, caller) or _has_gone(caller):
                raise DriverError(Code.READER)
            self._holder, self._last = None, caller
            code, out = getattr(self._driver, name)(*parameters)
            self._holder = caller if FUNCTIONS[name].has_next_step and code == Code.OK else None
            return code, out, self._driver.reason
        finally:
            self._lock.release()

    def end_group(self, caller: socket.socket) -> None:
        """End the group of a connection, if it has one; otherwise wait for nothing."""
        if self._holder is caller:
            self.leave(caller)

    def leave(self, caller: socket.socket) -> None:
        """Power the card off if a closed connection was the last that called; this ends its group."""
        with self._lock:
            if self._last is caller:
                self._holder = self._last = None
                self._driver.close()

    def close(self) -> None:
        """Power the card off after waiting for the running function."""
        if self._lock.acquire(timeout=LAST_WAIT):
            self._driver.close()
            self._lock.release()


class Conversation:
    """One connection: its encoding, and an answer to each line."""

    def __init__(self, turns: Turns, connection: socket.socket, log: Log) -> None:
        self._turns = turns
        self._connection = connection
        self._log = log
        self._charset = ""

    @property
    def opened(self) -> bool:
        """Whether the first line has come."""
        return bool(self._charset)

    def open(self, line: bytes) -> tuple[bytes, bool]:
        """The answer to the first line, and whether it is valid."""
        first = line.decode("ascii", errors="replace").rstrip("\n").split("\t")
        self._charset = CHARSETS.get(first[-1], CHARSETS["UTF-8"])
        if len(first) != 3 or first[:2] != [HELLO, VERSION] or first[2] not in CHARSETS:
            return self.refusal(Code.UNSUPPORTED), False
        return _line(Code.OK, f"sscard {__version__}".encode()), True

    def answer(self, line: bytes) -> bytes:
        """The answer to any other line."""
        name, *given = line.removesuffix(b"\n").split(b"\t")
        function = name.decode("ascii", errors="replace")
        if function not in FUNCTIONS:
            return self.refusal(Code.UNSUPPORTED)
        try:
            code, out, reason = self._turns.call(self._connection, function, self._parameters(function, given))
            text = self._encode(out, FUNCTIONS[function].size)
        except DriverError as error:
            code, text, reason = error.code, error.description.encode(self._charset), ""
        self._log(f"{function} {code:d} {say(reason)}".rstrip())
        logger.debug("driver function", extra={"function": function, "code": int(code)})
        return _line(code, text)

    def refusal(self, code: Code) -> bytes:
        """An error line for a request without a valid function."""
        self._log(f"- {code:d}")
        return _line(code, DriverError(code).description.encode(self._charset or CHARSETS["UTF-8"]))

    def _parameters(self, function: str, given: list[bytes]) -> list[int | str]:
        numbers = FUNCTIONS[function].numbers
        if len(given) not in FUNCTIONS[function].counts:
            raise DriverError(Code.PARAMETER)
        words = [self._decode(field) for field in given]
        if not all(_NUMBER.fullmatch(word) for word in words[:numbers]):
            raise DriverError(Code.PARAMETER)
        return [*map(int, words[:numbers]), *words[numbers:]]

    def _decode(self, field: bytes) -> str:
        if _BAD_ESCAPE.search(field):
            raise DriverError(Code.PARAMETER)
        try:
            return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), field).decode(self._charset)
        except UnicodeDecodeError:
            raise DriverError(Code.CHARACTERS) from None

    def _encode(self, text: str, size: int) -> bytes:
        encoded = text.encode(self._charset, errors="replace")
        if len(encoded) >= size:
            raise DriverError(Code.LENGTH)
        return encoded


class _Handler(StreamRequestHandler):
    """The lines of one connection."""

    server: DriverServer
    disable_nagle_algorithm = False

    def setup(self) -> None:
        super().setup()
        self.rfile.close()
        self._reader = DeadlineReader(self.connection)
        self._lines = io.BufferedReader(self._reader)

    def finish(self) -> None:
        self._lines.close()
        super().finish()

    def handle(self) -> None:
        connection: socket.socket = self.connection
        conversation = Conversation(self.server.turns, connection, self.server.log)
        try:
            first = self._read(conversation)
            if first is None:
                return
            greeting, opened = conversation.open(first)
            if not self.server.serves(self.request):
                greeting, opened = conversation.refusal(Code.READER), False
            self._write(greeting)
            while opened and (line := self._read(conversation)) is not None:
                self._write(conversation.answer(line))
        finally:
            self.server.turns.leave(connection)

    def _read(self, conversation: Conversation) -> bytes | None:
        """The next complete line, ``None`` at the end.

        A line that is too long, or not complete in time, is refused and closes
        the connection. The time begins with its first byte, for the first line
        with the connection.
        """
        self._reader.deadline = None
        try:
            if conversation.opened:
                self._lines.peek(1)
            self._reader.deadline = time.monotonic() + self.server.message_timeout
            line = self._lines.readline(LONGEST_LINE + 1)
        except DeadlinePassed:
            self._write(conversation.refusal(Code.LENGTH))
            return None
        if line.endswith(b"\n"):
            return line
        if len(line) > LONGEST_LINE:
            self._write(conversation.refusal(Code.LENGTH))
        return None

    def _write(self, line: bytes) -> None:
        self.connection.settimeout(self.server.message_timeout)
        self.wfile.write(line)


class DriverServer(BoundedServer, TCPServer):
    """Serves one driver; created by ``serve_driver``. ``serve_forever`` runs until ``shutdown``.

    With ``idle`` it exits after that many seconds without a connection. ``log``
    gets a line per function, from several threads: time, function, return
    code, reason if the card or PSAM cannot be used; never a parameter.
    """

    def prepare(self, driver: SSCardDriver, idle: float | None, log: Log | None) -> None:
        """Set the driver to serve, before ``serve_forever``."""
        self.turns = Turns(driver)
        self._idle = idle
        self._log = log
        self._alone_since = time.monotonic()

    @property
    def place(self) -> str:
        """The address it listens on, in the form of ``SSCARD_DRIVER``."""
        raise NotImplementedError

    def log(self, words: str) -> None:
        """Write a line to the log, if there is one."""
        if self._log is not None:
            self._log(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {words}")

    def process_request(self, request: Any, client_address: Any) -> None:
        """Log a connection, and serve it."""
        logger.info("driver client connected", extra={"clients": len(self.connections) + 1})
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, after which the server may be alone."""
        super().shutdown_request(request)
        logger.info("driver client disconnected", extra={"clients": len(self.connections)})
        self._alone_since = time.monotonic()

    def service_actions(self) -> None:
        """Called between connections: shut down after the idle time."""
        alone = time.monotonic() - self._alone_since
        if self._idle is not None and not self.connections and alone >= self._idle:
            self._idle = None
            threading.Thread(target=self.shutdown).start()  # shutdown() waits for the loop that calls this method

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the names of the base class
        """Ignore clients that disconnect; log any other error by its class name: its text may repeat a PIN."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.log(f"- {type(error).__name__}")

    def server_close(self) -> None:
        """Close all connections after the running function has ended."""
        super().server_close()
        for connection in self.connections:
            with suppress(OSError):  # it has ended meanwhile
                connection.shutdown(socket.SHUT_RDWR)
        self.turns.close()


class _UnixServer(DriverServer):
    """Listens on a Unix socket that only its user may open."""

    def __init__(self, path: str) -> None:
        self.address_family = socket.AF_UNIX
        super().__init__(cast("Any", path), _Handler, bind_and_activate=False)

    @property
    def place(self) -> str:
        return str(self.server_address)

    def server_bind(self) -> None:
        super().server_bind()
        Path(str(self.server_address)).chmod(0o600)

    def server_close(self) -> None:
        super().server_close()
        Path(str(self.server_address)).unlink(missing_ok=True)


class TcpServer(DriverServer):
    """Listens on a port of the loopback interface."""

    allow_reuse_address = True

    @property
    def place(self) -> str:
        return f"{TCP}{self.server_address[1]}"

    def process_request(self, request: Any, client_address: Any) -> None:
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().process_request(request, client_address)


Server = TypeVar("Server", bound=DriverServer)


def serve_driver(
    driver: SSCardDriver,
    place: str = "",
    *,
    idle: float | None = None,
    log: Log | None = None,
    timeout: float = TIMEOUT,
    connections: int = MOST_CONNECTIONS,
) -> DriverServer:
    """A server on the path of a Unix socket, or on ``tcp:PORT`` (0: a free port).

    A line has to be complete within ``timeout`` seconds of its first byte; of
    more ``connections`` than are served at a time, each gets −11.
    ``InputError`` if it cannot listen, ``MissingPart`` if the system has no Unix sockets.
    """
    where = place or default_place()
    server: _UnixServer | TcpServer
    if where.startswith(TCP):
        port = where.removeprefix(TCP)
        if not re.fullmatch("[0-9]{1,5}", port) or int(port) > 0xFFFF:
            raise InputError(Phrase("{place}: not a port", place=where), remedy=Phrase("for example tcp:35980"))
        server = TcpServer((LOOPBACK, int(port)), _Handler, bind_and_activate=False)
    elif not hasattr(socket, "AF_UNIX"):
        raise MissingPart(Phrase("this system has no Unix sockets"), Phrase("listen on a port: --listen tcp:35980"))
    else:
        _clear(Path(where))
        server = _UnixServer(where)
    return listening(server, driver, idle=idle, log=log, timeout=timeout, connections=connections)


def listening(
    server: Server, driver: SSCardDriver, *, idle: float | None, log: Log | None, timeout: float, connections: int
) -> Server:
    """A server that listens now; the parameters are those of ``serve_driver``. ``InputError`` if it cannot listen."""
    server.prepare(driver, idle, log)
    server.bound(timeout, connections)
    try:
        server.server_bind()
        server.server_activate()
    except OSError as error:
        server.socket.close()
        raise InputError(
            Phrase("cannot listen at {where}: {reason}", where=server.place, reason=reason_of(error)),
            remedy=Phrase("choose another place with --listen"),
        ) from None
    logger.info("driver server listening", extra={"address": server.place})
    return server


def default_place() -> str:
    """The default address of the server."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    given = os.environ.get(PLACE_VARIABLE)
    return given or (f"{runtime}/sscard-driver" if runtime else str(Path.home() / ".sscard-driver"))


def _clear(path: Path) -> None:
    """Remove a stale socket."""
    if not stat.S_ISSOCK(mode_of(path)):
        return
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except FileNotFoundError:
            return
    raise InputError(
        Phrase("a driver is served at {path} already", path=str(path)),
        remedy=Phrase("end it, or choose another place with --listen"),
    )


def _has_gone(connection: socket.socket) -> bool:
    """Whether the client has disconnected."""
    with suppress(OSError, ValueError):  # ValueError: it is closed on our side too
        if hasattr(select, "poll"):
            look = select.poll()
            look.register(connection, 0)
            return bool(look.poll(0))
        return bool(select.select([connection], [], [], 0)[0]) and not connection.recv(1, socket.MSG_PEEK)
    return True


def _line(code: int, text: bytes) -> bytes:
    return f"{code:d}\t".encode() + _SPECIAL.sub(lambda found: b"%%%02X" % found[0][0], text) + b"\n"
