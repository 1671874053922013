"""The HSM as a service: JSON over HTTP/1.1 on the loopback interface, for programs in other processes and hosts.

A host elsewhere reaches it through a tunnel (``ssh -L``): it never listens on
another interface. ``sscard.hsm.operations`` describes the requests. Each
carries the service's token as ``Authorization: Bearer …``, except for
``GET /health``, ``{"status": "ok"}`` while the service runs, and
``GET /openapi.json``, the OpenAPI document.

Status 401 wrong token; 404 unknown path; 405 wrong method; 408 the request was
not complete in time; 413 the body is too long; 414 or 431 the head is too
long; 505 another version of HTTP; 400 not an HTTP request; 503 too many
connections; 500 the HSM failed in another way. Errors are JSON as well. A
connection is closed after ``IDLE_TIMEOUT`` without a request.

The server is uvicorn with h11, the application one of starlette: the extra
``server``.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from email.message import Message
from functools import lru_cache, partial
from http import HTTPStatus
from pathlib import Path
from sys import exception
from time import monotonic, time
from types import TracebackType
from typing import Any, Final, Self

import h11
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from sscard.errors import InputError
from sscard.files import create_private, make_folder, mode_of, unwritable
from sscard.hsm.holderbase import standing_operation
from sscard.hsm.http import DEFAULT_PORT, LONGEST_MESSAGE, LOOPBACK, OPERATIONS_PATH, read_token
from sscard.hsm.operations import HEALTH, NO_WORDS, HsmOperations, Operation, Reply
from sscard.hsm.protocol import Hsm
from sscard.hsm.soft import SoftHsm
from sscard.i18n.language import reason_of, say
from sscard.i18n.phrase import Phrase
from sscard.issuer.holderbase import HolderBase
from sscard.transport.limits import MOST_CONNECTIONS, TIMEOUT

logger = logging.getLogger("sscard.hsm")

TOKEN_BYTES: Final = 32
LONGEST_HEAD: Final = 65536
"""Bytes of a request without its body."""
MOST_HEADERS: Final = 100
HTTP_VERSIONS: Final = ("1.0", "1.1")
BACKLOG: Final = 64
IDLE_TIMEOUT: Final = 60
"""Seconds; an idle connection is closed earlier if a new one needs its place."""
JSON: Final = "application/json; charset=utf-8"
CLOSE: Final = {"Connection": "close"}
END_TIMEOUT: Final = 1
"""Seconds that requests have to end when the service ends, and a client to disconnect after a refusal."""
_SILENT: Final = logging.Logger("uvicorn", logging.CRITICAL + 1)
"""For uvicorn, which would log tracebacks and what clients send."""

_ENCODE: Final = json.JSONEncoder(ensure_ascii=False).encode

Log = Callable[[str], None]


class HsmServer:
    """The service of an HSM; a context manager that serves from ``serve_forever`` to ``shutdown``.

    ``further`` operations and the ``holder_base`` are offered beside those of the HSM. ``port`` 0
    takes a free one, see ``url``. ``log`` gets a line per request: time,
    operation, key address, card district, status; those for health and the
    OpenAPI document are not logged. A request has to be complete within
    ``timeout`` seconds. ``connections`` are served at a time, as many more are
    answered with 503, others are closed.
    """

    def __init__(
        self,
        hsm: Hsm,
        token: str,
        *,
        further: Mapping[str, Operation] | None = None,
        holder_base: HolderBase | None = None,
        port: int = DEFAULT_PORT,
        log: Log | None = None,
        timeout: float = TIMEOUT,
        connections: int = MOST_CONNECTIONS,
    ) -> None:
        based = standing_operation(holder_base) if holder_base else {}
        self._operations = HsmOperations(hsm, token, {**(further or {}), **based})
        # A token, a file or another service may wait: not on the thread of the other requests. A thread costs SoftHsm
        # more than it computes.
        self._waits = not isinstance(hsm, SoftHsm) or holder_base is not None
        self._log = log
        self.message_timeout = timeout
        self.most_connections = connections
        application = Starlette(
            routes=[
                Route(f"{OPERATIONS_PATH}{{operation:path}}", self._post, methods=["POST"]),
                Route(HEALTH, self._health),
                Route("/openapi.json", self._openapi),
            ],
            exception_handlers={HTTPException: self._no_route},
        )
        application.router.redirect_slashes = False
        self._application = application
        self._server = uvicorn.Server(_Config(self, self._serve))
        # The protocol is given because asyncio switches Nagle's algorithm off only for sockets that name it: head and
        # body of an answer are two writes, and with it each answer takes 40 ms.
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            if os.name == "posix":
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind((LOOPBACK, port))
            self.socket.listen(BACKLOG)
        except OSError as error:
            self.socket.close()
            raise InputError(
                Phrase("cannot listen on port {port}: {reason}", port=port, reason=reason_of(error)),
                remedy=Phrase("choose another one with --port"),
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.socket.getsockname()[1]}"

    @property
    def connections(self) -> tuple[Any, ...]:
        """The open connections."""
        return tuple(self._server.server_state.connections)

    def serve_forever(self) -> None:
        """Serve until ``shutdown``."""
        self._server.run(sockets=[self.socket])

    def shutdown(self) -> None:
        """End ``serve_forever``, from another thread."""
        self._server.should_exit = True

    def answer(self, reply: Reply, begun: float) -> bytes:
        """The body of an answer, which is logged."""
        if self._log is not None:
            self._log(f"{_time_of(int(time()))} {reply.words} {reply.status}")
        took = round(1000 * (monotonic() - begun), 1)
        logger.info("HSM request served", extra={"request": reply.words, "status": reply.status, "duration_ms": took})
        return _ENCODE(reply.body).encode()

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; its head is checked against the limits first."""
        status = _head_problem(scope)
        application: ASGIApp = self._application
        if status:
            body = self.answer(Reply(status, {"error": status.phrase}, NO_WORDS), monotonic())
            application = Response(body, status, CLOSE, JSON)
        elif scope["method"] == "POST" and scope["path"].startswith(OPERATIONS_PATH):
            # Without starlette's router and its middleware, which take longer than most operations.
            application = await self._post(Request(scope, receive))
        await application(scope, receive, send)

    async def _post(self, request: Request) -> Response:
        begun = monotonic()
        try:
            reply = await self._reply(request)
        except ClientDisconnect:
            return Response()  # nobody reads it
        except Exception:  # of the HSM behind the service; its text may contain a secret
            reply = Reply(500, {"error": "the service failed"}, NO_WORDS)
        return Response(self.answer(reply, begun), reply.status, CLOSE if request.scope["state"] else None, JSON)

    async def _reply(self, request: Request) -> Reply:
        refusal = self._operations.refusal(request.headers.get("Authorization", ""))
        if refusal:
            return refusal
        body, more = b"", True
        fits = int(request.headers.get("Content-Length", 0)) <= LONGEST_MESSAGE
        while more and fits:
            part = await request.receive()
            if part["type"] == "http.disconnect":
                raise ClientDisconnect
            body += part["body"]
            more, fits = part["more_body"], len(body) <= LONGEST_MESSAGE
        if not fits:
            return Reply(413, {"error": f"at most {LONGEST_MESSAGE} bytes"}, NO_WORDS)
        if request.scope["state"]:
            return Reply(503, {"error": say(Phrase("too many connections, try again later"))}, NO_WORDS)
        charset = _charset_in(request.headers.get("Content-Type", ""))
        work = partial(self._operations.reply, request.scope["path"].removeprefix(OPERATIONS_PATH), body, charset)
        return await run_in_threadpool(work) if self._waits else work()

    async def _no_route(self, _request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        reply = Reply(status, {"error": HTTPStatus(status).phrase}, NO_WORDS)
        return Response(self.answer(reply, monotonic()), status, getattr(error, "headers", None), JSON)

    async def _health(self, _request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _openapi(self, _request: Request) -> Response:
        return JSONResponse(self._operations.openapi())


def _head_problem(scope: Scope) -> HTTPStatus | None:
    """Why the head of a request is refused: h11 limits only one that arrives in parts."""
    if scope["http_version"] not in HTTP_VERSIONS:
        return HTTPStatus.HTTP_VERSION_NOT_SUPPORTED
    line = len(scope["raw_path"]) + len(scope["query_string"])
    if line > LONGEST_HEAD:
        return HTTPStatus.REQUEST_URI_TOO_LONG
    headers = scope["headers"]
    if len(headers) > MOST_HEADERS or line + sum(len(name) + len(value) for name, value in headers) > LONGEST_HEAD:
        return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    return None


@lru_cache(maxsize=1)
def _time_of(second: int) -> str:
    return datetime.fromtimestamp(second).astimezone().isoformat()


def _charset_in(content_type: str) -> str:
    if "charset" not in content_type:
        return "utf-8"
    header = Message()
    header["Content-Type"] = content_type
    return header.get_content_charset("utf-8")


class _Config(uvicorn.Config):
    """The settings of uvicorn, and the service, which knows its limits."""

    def __init__(self, service: HsmServer, application: ASGIApp) -> None:
        super().__init__(
            application,
            loop="asyncio",
            http=_Connection,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=IDLE_TIMEOUT,
            timeout_graceful_shutdown=END_TIMEOUT,
            h11_max_incomplete_event_size=LONGEST_HEAD,
        )
        self.service = service


class _Connection(H11Protocol):
    """A connection with a deadline for each request, in a bounded number of them."""

    config: _Config

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.logger = _SILENT
        self.access_log = False
        self.refused = False
        self.used = monotonic()
        """When the last request began to arrive or was answered."""
        self._deadline: asyncio.TimerHandle | None = None
        self._ended = False

    @property
    def idle(self) -> bool:
        """Whether it waits for another request, of which nothing has arrived."""
        return self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]

    def connection_made(self, transport: Any) -> None:
        """Begin. Beyond the limit of connections the longest idle one is closed, else the new one is refused."""
        others = [other for other in self.connections if isinstance(other, _Connection)]
        served = [other for other in others if not other.refused and not other.transport.is_closing()]
        super().connection_made(transport)
        self._expect_request()
        most = self.config.service.most_connections
        if len(served) < most:
            return
        idle = [other for other in served if other.idle]
        if idle:
            min(idle, key=lambda other: other.used).transport.close()
        elif len(others) - len(served) < most:
            self.refused = True
            self.app_state = {"refused": True}
        else:
            transport.close()

    def data_received(self, data: bytes) -> None:
        """Take a part of a request. The deadline of a further request begins with its first byte."""
        if self._ended:
            return
        super().data_received(data)
        self._await_rest()

    def on_response_complete(self) -> None:
        """Wait for the next request, a part of which may have arrived."""
        super().on_response_complete()
        self.used = monotonic()
        self._await_rest()

    def _await_rest(self) -> None:
        incomplete = self.conn.their_state in (h11.IDLE, h11.SEND_BODY)
        if not incomplete:
            self._expect_nothing()
        elif self._deadline is None and (self.conn.their_state is h11.SEND_BODY or self.conn.trailing_data[0]):
            self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def send_400_response(self, _msg: str) -> None:
        """Answer bytes that are not an HTTP request, in JSON; the answer repeats nothing of them."""
        wrong = exception()
        status = wrong.error_status_hint if isinstance(wrong, h11.RemoteProtocolError) else 400
        if status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE and b"\n" not in self.conn.trailing_data[0]:
            status = HTTPStatus.REQUEST_URI_TOO_LONG
        self._refuse(status, HTTPStatus(status).phrase)

    def _expect_request(self) -> None:
        self.used = monotonic()
        self._deadline = self.loop.call_later(self.config.service.message_timeout, self._give_up)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        late = Phrase("the request was not complete within {limit:g} s", limit=self.config.service.message_timeout)
        self._refuse(408, say(late))

    def _refuse(self, status: int, error: str) -> None:
        """Answer, unless the request was answered already, and close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE) and not self.transport.is_closing():
            body = self.config.service.answer(Reply(status, {"error": error}, NO_WORDS), self.used)
            headers = [("Content-Type", JSON), ("Content-Length", str(len(body))), ("Connection", "close")]
            events = h11.Response(status_code=status, headers=headers), h11.Data(data=body), h11.EndOfMessage()
            self.transport.write(b"".join(self.conn.send(event) or b"" for event in events))
            # What the client still sends is read: closing before that is a reset, and the answer may be lost.
            self._ended = True
            self._expect_nothing()
            self.transport.write_eof()
            self.loop.call_later(END_TIMEOUT, self.transport.close)
            return
        self.transport.close()


def service_token(file: Path) -> str:
    """The token in a file. If the file does not exist, it is created with a new token and mode 0600, in its folder."""
    if mode_of(file):
        return read_token(file)
    make_folder(file.parent)
    try:
        create_private(file, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode())
    except OSError as error:
        raise unwritable(file, error) from None
    return read_token(file)
