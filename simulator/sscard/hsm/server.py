"""The HSM as a service: JSON over HTTP on the loopback interface, for programs in other processes and hosts.

A host elsewhere reaches it through a tunnel (``ssh -L``): it never listens on
another interface. Every request carries the service's token as
``Authorization: Bearer …``. A request is ``POST /v1/<operation>`` with a JSON
object, an answer ``{"result": "<hex>"}`` or ``{"error": "<text>"}``:

====================  ==========================================================================
operation             fields (hex digits where bytes are meant)
====================  ==========================================================================
address-of            key, version (from 0)
authentication-data   algorithm, address, city_code, serial (8), factor (4, 8, 16), original (8)
safe-message          algorithm, address, city_code, serial, factor, header (5), pin (0–8) or null
purchase-mac          algorithm, address, city_code, serial, factor, message
transaction-proof     algorithm, address, city_code, serial, message
====================  ==========================================================================

The server takes further operations beside these. The body is UTF-8, or in the
charset that Content-Type names.

Status 200; 400 no such request; 401 wrong token; 404 no such operation; 408
the request was not complete in time; 409 the HSM refused, with its words; 413
too much; 503 the HSM behind the service is not available, or the service has
too many connections; 500 the HSM failed in another way; another one for what
is no ``POST``. No answer holds a key.
"""

from __future__ import annotations

import io
import json
import logging
import secrets
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, Final, NamedTuple

from pydantic import BeforeValidator, Field, ValidationError

from sscard.document import Model, problem_in
from sscard.errors import InputError, InvalidValue
from sscard.files import create_private, mode_of, unwritable
from sscard.hsm.http import DEFAULT_PORT, LONGEST_MESSAGE, LOOPBACK, read_token
from sscard.hsm.protocol import Hsm, HsmError, HsmUnavailable
from sscard.i18n.language import reason_of, say
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference
from sscard.standard.cipher import equal
from sscard.transport.limits import MOST_CONNECTIONS, TIMEOUT, BoundedServer, DeadlinePassed, DeadlineReader

logger = logging.getLogger("sscard.hsm")

TOKEN_BYTES: Final = 32
LONGEST_HEAD: Final = 65536
"""Bytes of a request without its body."""

Log = Callable[[str], None]


def _bytes_of(text: object) -> object:
    try:
        return bytes.fromhex(text) if isinstance(text, str) else text
    except ValueError:
        raise InvalidValue(Phrase("hex digits expected, two for each byte")) from None


Hex = Annotated[bytes, BeforeValidator(_bytes_of)]
CityCode = Annotated[str, Field(pattern="^[0-9]{6}$")]
KeyAddress = Annotated[str, Field(pattern="^[0-9A-F]{4}$")]


class Request(Model):
    """The fields of a request; ``words`` are those that may be logged."""

    @property
    def words(self) -> str:
        return "- -"


class Operation(NamedTuple):
    """An operation for clients: the fields of its request, and the function that returns the result."""

    request: type[Request]
    answer: Callable[[Any], str]


class _AddressOf(Request):
    key: Annotated[str, Field(max_length=32)]
    version: Annotated[int, Field(ge=0)] = 0

    @property
    def words(self) -> str:
        return "-"


class _OfCard(Request):
    algorithm: int
    address: KeyAddress
    city_code: CityCode
    serial: Annotated[Hex, Field(min_length=8, max_length=8)]

    @property
    def card(self) -> CardReference:
        return CardReference(self.city_code, self.serial)

    @property
    def words(self) -> str:
        """The key's address and the card's district."""
        return f"{self.address} {self.city_code}"


class _AuthenticationData(_OfCard):
    factor: Hex
    original: Hex


class _SafeMessage(_OfCard):
    factor: Hex
    header: Hex
    pin: Hex | None


class _PurchaseMac(_OfCard):
    factor: Hex
    message: Hex


class _TransactionProof(_OfCard):
    message: Hex


def hsm_operations(hsm: Hsm) -> dict[str, Operation]:
    """The operations of the protocol ``Hsm``."""

    def authentication_data(asked: _AuthenticationData) -> str:
        return _digits(
            hsm.authentication_data(asked.algorithm, asked.address, asked.card, asked.factor, asked.original)
        )

    def safe_message(asked: _SafeMessage) -> str:
        return _digits(
            hsm.safe_message(asked.algorithm, asked.address, asked.card, asked.factor, asked.header, asked.pin)
        )

    def purchase_mac(asked: _PurchaseMac) -> str:
        return _digits(hsm.purchase_mac(asked.algorithm, asked.address, asked.card, asked.factor, asked.message))

    def transaction_proof(asked: _TransactionProof) -> str:
        return _digits(hsm.transaction_proof(asked.algorithm, asked.address, asked.card, asked.message))

    return {
        "address-of": Operation(_AddressOf, lambda asked: hsm.address_of(asked.key, asked.version)),
        "authentication-data": Operation(_AuthenticationData, authentication_data),
        "safe-message": Operation(_SafeMessage, safe_message),
        "purchase-mac": Operation(_PurchaseMac, purchase_mac),
        "transaction-proof": Operation(_TransactionProof, transaction_proof),
    }


def _digits(data: bytes) -> str:
    return data.hex().upper()


class Reply(NamedTuple):
    """Status, body, and the log entry of the request: operation, address and district."""

    status: int
    body: dict[str, str]
    words: str


class HsmServer(BoundedServer, HTTPServer):
    """The service of an HSM; a context manager that serves from ``serve_forever`` to ``shutdown``.

    ``further`` operations are offered beside those of the HSM. ``port`` 0
    takes a free one, see ``url``. ``log`` gets a line per request: time,
    operation, key address, card district, status; from several threads. A
    request has to be complete within ``timeout`` seconds. ``connections`` are
    served at a time, as many more are answered with 503, others are closed.
    """

    def __init__(
        self,
        hsm: Hsm,
        token: str,
        *,
        further: Mapping[str, Operation] | None = None,
        port: int = DEFAULT_PORT,
        log: Log | None = None,
        timeout: float = TIMEOUT,
        connections: int = MOST_CONNECTIONS,
    ) -> None:
        if not token:
            raise ValueError("the token is empty")
        self._operations = {**hsm_operations(hsm), **(further or {})}
        self._log = log
        self._token = token
        self.bound(timeout, connections)
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise InputError(
                Phrase("cannot listen on port {port}: {reason}", port=port, reason=reason_of(error)),
                remedy=Phrase("choose another one with --port"),
            ) from None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def admits(self, authorization: str) -> bool:
        """Whether a request has the token of the service, compared in constant time."""
        return equal(authorization.encode(), f"Bearer {self._token}".encode())

    def reply(self, operation: str, body: bytes, charset: str = "utf-8") -> Reply:
        """Do one admitted request."""
        if operation not in self._operations:
            return Reply(404, {"error": f"no such operation; there are {', '.join(self._operations)}"}, "- -")
        wanted, answer = self._operations[operation]
        try:
            request = wanted.model_validate_json(body.decode(charset))
        except ValidationError as error:
            return Reply(400, {"error": _what_is_wrong(error)}, f"{operation} -")
        except (LookupError, ValueError):  # a charset with a null character
            return Reply(400, {"error": "the body is not text in its charset"}, f"{operation} -")
        words = f"{operation} {request.words}"
        try:
            return Reply(200, {"result": answer(request)}, words)
        except HsmUnavailable as error:
            return Reply(503, {"error": str(error)}, words)
        except InputError as error:
            return Reply(400, {"error": str(error)}, words)
        except HsmError as error:
            return Reply(409, {"error": str(error)}, words)

    def log(self, words: str) -> None:
        """Write a line to the log, if there is one."""
        if self._log is not None:
            self._log(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {words}")

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the names of the base class
        """Ignore a client that disconnects during a request; log any other error by its class name only."""
        if not isinstance(sys.exception(), OSError):
            self.log("- - 500")


class _Handler(BaseHTTPRequestHandler):
    """One request; only the log entry of its ``Reply`` is logged."""

    server: HsmServer
    server_version = "sscard"
    sys_version = ""
    default_request_version = request_version = "HTTP/1.0"  # of the answer to what is no request
    requestline = ""

    def setup(self) -> None:
        """Read the whole request with one deadline."""
        super().setup()
        self.rfile.close()
        self._begun = monotonic()
        deadline = self._begun + self.server.message_timeout
        reader = DeadlineReader(self.connection, deadline=deadline, most=LONGEST_HEAD + LONGEST_MESSAGE)
        self.rfile = io.BufferedReader(reader)

    def handle(self) -> None:
        """Answer one request, or say that it is not complete."""
        try:
            self.handle_one_request()
        except DeadlinePassed:
            late = Phrase("the request was not complete within {limit:g} s", limit=self.server.message_timeout)
            self._answer(Reply(408, {"error": say(late)}, "- -"))

    def do_POST(self) -> None:
        try:
            reply = self._reply()
        except (OSError, DeadlinePassed):
            raise
        except Exception:  # whatever the HSM behind the service does; its words may hold anything
            reply = Reply(500, {"error": "the service failed"}, "- -")
        self._answer(reply)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:  # noqa: ARG002
        """Answer what is no request, in JSON and without the words of the client."""
        self._answer(Reply(code, {"error": HTTPStatus(code).phrase}, "- -"))

    def _answer(self, reply: Reply) -> None:
        self.server.log(f"{reply.words} {reply.status}")
        took = round(1000 * (monotonic() - self._begun), 1)
        logger.info("HSM request served", extra={"request": reply.words, "status": reply.status, "duration_ms": took})
        body = json.dumps(reply.body, ensure_ascii=False).encode()
        self.connection.settimeout(self.server.message_timeout)
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reply(self) -> Reply:
        if not self.server.admits(self.headers.get("Authorization", "")):
            return Reply(401, {"error": "the service's token is missing or wrong"}, "- -")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return Reply(400, {"error": "Content-Length expected"}, "- -")
        if len(length) > len(str(LONGEST_MESSAGE)) or int(length) > LONGEST_MESSAGE:
            return Reply(413, {"error": f"at most {LONGEST_MESSAGE} bytes"}, "- -")
        body = self.rfile.read(int(length))
        if not self.server.serves(self.request):
            return Reply(503, {"error": say(Phrase("too many connections, try again later"))}, "- -")
        return self.server.reply(self.path.removeprefix("/v1/"), body, self.headers.get_content_charset("utf-8"))

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: the path in a request may contain anything."""


def service_token(file: Path) -> str:
    """The token in a file. If the file does not exist, it is created with a new token and mode 0600."""
    if mode_of(file):
        return read_token(file)
    try:
        create_private(file, f"{secrets.token_urlsafe(TOKEN_BYTES)}\n".encode())
    except OSError as error:
        raise unwritable(file, error) from None
    return read_token(file)


def _what_is_wrong(error: ValidationError) -> str:
    """The wrong fields and what is expected; never the given values."""
    wrong = (
        f"{'.'.join(map(str, detail['loc'])) or 'request'}: {say(problem_in(detail)[0])}" for detail in error.errors()
    )
    return "; ".join(wrong)
