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

Status 200; 400 no such request; 401 wrong token; 404 no such operation; 409
the HSM refused, with its words; 413 too much. No answer holds a key.
"""

from __future__ import annotations

import json
import secrets
import sys
from collections.abc import Callable
from datetime import datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, ValidationError

from sscard.document import Model
from sscard.errors import InputError
from sscard.hsm.protocol import Hsm, HsmError
from sscard.i18n.language import _, reason_of
from sscard.issuer.hierarchy import CardReference
from sscard.standard.cipher import equal

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8440
LONGEST_REQUEST: Final = 4096
TIMEOUT: Final = 10.0
"""Seconds that a client waits for the service, and the service for a request to come in whole."""
TOKEN_BYTES: Final = 32

Log = Callable[[str], None]


def _bytes_of(text: object) -> object:
    return bytes.fromhex(text) if isinstance(text, str) else text


Hex = Annotated[bytes, BeforeValidator(_bytes_of)]
CityCode = Annotated[str, Field(pattern="^[0-9]{6}$")]
KeyAddress = Annotated[str, Field(pattern="^[0-9A-F]{4}$")]


class _AddressOf(Model):
    key: Annotated[str, Field(max_length=32)]
    version: Annotated[int, Field(ge=0)] = 0

    def ask(self, hsm: Hsm) -> str:
        return hsm.address_of(self.key, self.version)

    @property
    def words(self) -> str:
        return "-"


class _OfCard(Model):
    algorithm: int
    address: KeyAddress
    city_code: CityCode
    serial: Annotated[Hex, Field(min_length=8, max_length=8)]

    @property
    def card(self) -> CardReference:
        return CardReference(self.city_code, self.serial)

    @property
    def words(self) -> str:
        """What the log may say: the key's address and the card's district."""
        return f"{self.address} {self.city_code}"


class _AuthenticationData(_OfCard):
    factor: Hex
    original: Hex

    def ask(self, hsm: Hsm) -> str:
        return hsm.authentication_data(self.algorithm, self.address, self.card, self.factor, self.original).hex()


class _SafeMessage(_OfCard):
    factor: Hex
    header: Hex
    pin: Hex | None

    def ask(self, hsm: Hsm) -> str:
        return hsm.safe_message(self.algorithm, self.address, self.card, self.factor, self.header, self.pin).hex()


class _PurchaseMac(_OfCard):
    factor: Hex
    message: Hex

    def ask(self, hsm: Hsm) -> str:
        return hsm.purchase_mac(self.algorithm, self.address, self.card, self.factor, self.message).hex()


class _TransactionProof(_OfCard):
    message: Hex

    def ask(self, hsm: Hsm) -> str:
        return hsm.transaction_proof(self.algorithm, self.address, self.card, self.message).hex()


OPERATIONS: Final[
    dict[str, type[_AddressOf | _AuthenticationData | _SafeMessage | _PurchaseMac | _TransactionProof]]
] = {
    "address-of": _AddressOf,
    "authentication-data": _AuthenticationData,
    "safe-message": _SafeMessage,
    "purchase-mac": _PurchaseMac,
    "transaction-proof": _TransactionProof,
}


class Reply(NamedTuple):
    """Status, body, and what the log says of the request: operation, then address and district."""

    status: int
    body: dict[str, str]
    words: str


class HsmServer(ThreadingHTTPServer):
    """The service over an HSM; ``serve_forever`` until ``shutdown``, a context manager.

    ``port`` 0 takes a free one, see ``url``. ``log`` gets a line per request:
    time, operation, key address, card district, status; from several threads.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, hsm: Hsm, token: str, *, port: int = DEFAULT_PORT, log: Log | None = None) -> None:
        if not token:
            raise ValueError("the token is empty")
        self.hsm = hsm
        self._log = log
        self._token = token
        try:
            super().__init__((LOOPBACK, port), _Handler)
        except OSError as error:
            raise InputError(
                _("cannot listen on port {port}: {reason}", port=port, reason=reason_of(error)),
                remedy=_("choose another one with --port"),
            ) from None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.server_address[1]}"

    def admits(self, authorization: str) -> bool:
        """Whether a request's Authorization is ours, in constant time."""
        return equal(authorization.encode(), f"Bearer {self._token}".encode())

    def reply(self, operation: str, body: bytes) -> Reply:
        """Do one admitted request."""
        if operation not in OPERATIONS:
            return Reply(404, {"error": f"no such operation; there are {', '.join(OPERATIONS)}"}, "- -")
        try:
            request = OPERATIONS[operation].model_validate_json(body)
        except ValidationError as error:
            return Reply(400, {"error": _what_is_wrong(error)}, f"{operation} -")
        words = f"{operation} {request.words}"
        try:
            return Reply(200, {"result": request.ask(self.hsm).upper()}, words)
        except (HsmError, InputError) as error:
            return Reply(409, {"error": str(error)}, words)

    def log(self, words: str) -> None:
        """A line into the log, if there is one."""
        if self._log is not None:
            self._log(f"{datetime.now().astimezone().isoformat(timespec='seconds')} {words}")

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the names of the base class
        """A client that hangs up in mid-request is its own affair; anything else goes into the log by name."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.log(f"- - {type(error).__name__}")


class _Handler(BaseHTTPRequestHandler):
    """One request; nothing of it is logged but what ``Reply`` says."""

    server: HsmServer
    timeout = TIMEOUT
    server_version = "sscard"
    sys_version = ""

    def do_POST(self) -> None:
        self._answer(self._reply())

    def _reply(self) -> Reply:
        if not self.server.admits(self.headers.get("Authorization", "")):
            return Reply(401, {"error": "the service's token is missing or wrong"}, "- -")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return Reply(400, {"error": "Content-Length expected"}, "- -")
        if len(length) > len(str(LONGEST_REQUEST)) or int(length) > LONGEST_REQUEST:
            return Reply(413, {"error": f"at most {LONGEST_REQUEST} bytes"}, "- -")
        return self.server.reply(self.path.removeprefix("/v1/"), self.rfile.read(int(length)))

    def _answer(self, reply: Reply) -> None:
        self.server.log(f"{reply.words} {reply.status}")
        body = json.dumps(reply.body, ensure_ascii=False).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Not the path a client gave: it might hold anything."""


class HttpHsm:
    """An HSM behind the service at ``url``, asked over a connection of its own each time; any thread may use it.

    ``timeout`` in seconds for each exchange with the service. A service that
    does not answer, answers something else or refuses is an ``HsmError``.
    """

    def __init__(self, url: str, token: str, *, timeout: float = TIMEOUT) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                _("not the URL of an HSM service"),
                remedy=_("for example http://{host}:{port}", host=LOOPBACK, port=DEFAULT_PORT),
            )
        self._url = url
        self._connect = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._place = (parts.hostname, parts.port)
        self._path = parts.path.rstrip("/")
        self._token = token
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<HttpHsm {self._url}>"

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        return self._ask("address-of", {"key": key, "version": version})

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        fields = _card_fields(algorithm, address, card)
        return _result(self._ask("authentication-data", {**fields, "factor": factor.hex(), "original": original.hex()}))

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        fields = {**_card_fields(algorithm, address, card), "factor": factor.hex(), "header": header.hex()}
        return _result(self._ask("safe-message", {**fields, "pin": None if pin is None else pin.hex()}))

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        fields = _card_fields(algorithm, address, card)
        return _result(self._ask("purchase-mac", {**fields, "factor": factor.hex(), "message": message.hex()}))

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        fields = _card_fields(algorithm, address, card)
        return _result(self._ask("transaction-proof", {**fields, "message": message.hex()}))

    def _ask(self, operation: str, fields: dict[str, Any]) -> str:
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        connection = self._connect(*self._place, timeout=self._timeout)
        try:
            connection.request("POST", f"{self._path}/v1/{operation}", json.dumps(fields), headers)
            answer = connection.getresponse()
            body = json.loads(answer.read(LONGEST_REQUEST))
            if answer.status == 200:
                return str(body["result"])
            raise HsmError(str(body["error"]))
        except TimeoutError:
            raise HsmError(
                _("the HSM at {url} did not answer within {timeout:g} s", url=self._url, timeout=self._timeout)
            ) from None
        except (HTTPException, ValueError, KeyError, TypeError):
            raise HsmError(_("{url} does not answer like an HSM service", url=self._url)) from None
        except OSError as error:
            raise HsmError(
                _("the HSM at {url} cannot be reached: {reason}", url=self._url, reason=reason_of(error))
            ) from None
        finally:
            connection.close()


def read_token(file: Path) -> str:
    """The token in a file."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(
            _("cannot be read as a token"), file=str(file), remedy=f"sscard hsm serve --token-file {file}"
        ) from None
    if not token:
        raise InputError(_("holds no token"), file=str(file), remedy=_("remove the file, and a new token is made"))
    return token


def service_token(file: Path) -> str:
    """The token in a file; a new one where the file is not there, readable by its owner only."""
    return read_token(file) if file.exists() else _new_token(file)


def _new_token(file: Path) -> str:
    token = secrets.token_urlsafe(TOKEN_BYTES)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600, exist_ok=False)
        file.write_text(f"{token}\n", encoding="ascii")
    except OSError as error:
        raise InputError(_("cannot be written: {reason}", reason=reason_of(error)), file=str(file)) from None
    return token


def _card_fields(algorithm: int, address: str, card: CardReference) -> dict[str, Any]:
    return {
        "algorithm": algorithm,
        "address": address,
        "city_code": card.city_code,
        "serial": card.serial.hex(),
    }


def _result(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise HsmError(_("the HSM service answered no hex digits")) from None


def _what_is_wrong(error: ValidationError) -> str:
    """Fields and what is expected of them, never what was given."""
    wrong = (f"{'.'.join(map(str, detail['loc'])) or 'request'}: {detail['msg']}" for detail in error.errors())
    return "; ".join(wrong)
