"""Client of an HSM service: ``sscard hsm serve``, or another service with the protocol of ``sscard.hsm.operations``."""

from __future__ import annotations

import io
import json
import logging
import os
import re
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import socket
from time import monotonic
from types import TracebackType
from typing import Any, Final, NamedTuple, Self, TypeVar
from urllib.parse import SplitResult, urlsplit
from weakref import finalize

from sscard.errors import InputError
from sscard.hsm.protocol import HEADER_LENGTH, Access, HsmError, HsmUnavailable, UnusableAnswer
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference
from sscard.standard.cipher import AUTHENTICATION_LENGTH, MAC_LENGTH
from sscard.transport.limits import TIMEOUT, DeadlinePassed, DeadlineReader, wait_at_most

logger = logging.getLogger("sscard.hsm")

T = TypeVar("T")

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8440
MOST_IDLE: Final = 8
"""Connections that a client keeps open between requests."""
LEAST_WAIT: Final = 0.001
"""Seconds; a socket takes 0 for "do not wait"."""
OPERATIONS_PATH: Final = "/v1/"
"""The path of an operation is this and its name."""
LONGEST_MESSAGE: Final = 4096
"""Bytes of a request or an answer."""
SERVE: Final = "sscard hsm serve"
NEW_TOKEN: Final = Phrase("remove the file, and a new token is made")
RIGHT_TOKEN: Final = Phrase(
    "give the token file that the service prints when it starts: --hsm-token FILE, in Python token_file=FILE"
)
_DIGITS: Final = re.compile("([0-9A-Fa-f]{2})+")
SCHEMES: Final = {"http": HTTPConnection, "https": HTTPSConnection}
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7F?#]")
_HEADER: Final = r"(?:(?!connection:|content-length:|transfer-encoding:)[!-9;-~]+:[^\r\n]*\r\n)*"
_PLAIN_HEAD: Final = re.compile(
    rf"HTTP/1\.1\ (?P<status>200|[45]\d\d)\ [^\r\n]*\r\n {_HEADER} "
    rf"content-length:\ ?(?P<length>\d{{1,4}})\r\n {_HEADER} \r\n".encode(),
    re.IGNORECASE | re.VERBOSE,
)
"""The head of an answer with a length, and without what changes its meaning."""


class _Answer(NamedTuple):
    """Status and content of an answer, and whether the connection takes another request."""

    status: int
    content: bytes
    keep: bool


class _Response(HTTPResponse):
    """An answer that the standard library reads."""

    def __init__(self, sock: socket, reader: io.BufferedReader) -> None:
        super().__init__(sock, method="POST")
        self.fp.close()
        self.fp = reader


def _read_answer(sock: socket, deadline: float) -> _Answer:
    """The answer of a service, whole or its first ``LONGEST_MESSAGE`` bytes, before the deadline.

    The standard library needs longer for a head than the service for its
    answer, so a head that has arrived whole and looks like ours is read here.
    """
    reader: io.BufferedReader = io.BufferedReader(DeadlineReader(sock, deadline=deadline))
    with reader:  # left open, it would keep the socket
        head = _PLAIN_HEAD.match(reader.peek())
        if head is None:
            answer = _Response(sock, reader)
            answer.begin()
            content = answer.read(LONGEST_MESSAGE)
            return _Answer(answer.status, content, answer.isclosed() and not answer.will_close)
        length = int(head["length"])
        reader.read(head.end())
        content = reader.read(min(length, LONGEST_MESSAGE))
        return _Answer(int(head["status"]), content, len(content) == length)


class _Form(NamedTuple):
    """What the bytes of a result must be, so that nothing else is sent to a card: their number, and both ends."""

    length: int
    begin: bytes = b""
    end: bytes = b""

    def read(self, text: Any) -> bytes:
        """The bytes; ``ValueError`` or ``TypeError`` for anything else."""
        data = bytes.fromhex(text) if _DIGITS.fullmatch(text) else b""
        if len(data) != self.length or not (data.startswith(self.begin) and data.endswith(self.end)):
            raise ValueError(self.length)
        return data


_ADDRESS: Final = _Form(2)
_MAC: Final = _Form(MAC_LENGTH)


class _NotUnderstood(HsmError):
    """The service does not understand the request."""


def _check_url(url: str) -> tuple[SplitResult, tuple[str, int | None]]:
    """The parts of a URL, and host and port; ``InputError`` if it is not that of a service."""
    try:
        parts = urlsplit(url)
        place = (parts.hostname, parts.port) if parts.hostname and "@" not in parts.netloc else None
        (parts.hostname or "").encode("idna")  # as the look-up of the host does
    except ValueError:
        place = None
    if place is None or parts.scheme not in SCHEMES or _NOT_IN_URL.search(url) or not parts.path.isascii():
        raise InputError(
            Phrase("not the URL of an HSM service"),
            remedy=Phrase("for example http://{host}:{port}", host=LOOPBACK, port=DEFAULT_PORT),
        )
    return parts, place


class HttpHsm:
    """The HSM of the service at ``url``. It keeps its connections; thread-safe, and usable after a fork.

    ``timeout`` in seconds from the request to the end of the answer. A refusal of the
    HSM is an ``HsmError``; a service that does not answer, answers something
    else or does not take the token is ``HsmUnavailable``. Connections are closed
    at the end of a ``with`` statement, or with the object.
    """

    def __init__(self, url: str, token: str, *, timeout: float = TIMEOUT) -> None:
        parts, place = _check_url(url)
        self._url = url
        self._unlike = Phrase("{url} does not answer like an HSM service", url=url)
        self._connect = SCHEMES[parts.scheme]
        self._place = place
        self._path = parts.path.rstrip("/")
        host = place[0].encode("idna").decode("ascii")
        self._host = (f"[{host}]" if ":" in host else host) + ("" if parts.port is None else f":{parts.port}")
        self._token = token
        self._timeout = timeout
        self._takes_names = True  # until the service refuses a request with a name and does the one with an address
        self._idle: deque[HTTPConnection] = deque()
        self._process = os.getpid()
        finalize(self, _close_all, self._idle)

    def __reduce__(self) -> tuple[Any, ...]:
        """Its connections stay in this process."""
        return partial(HttpHsm, timeout=self._timeout), (self._url, self._token)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that no request uses; the next request opens a new one."""
        _close_all(self._idle)

    def __repr__(self) -> str:
        return f"<HttpHsm {self._url}>"

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        return self.ask("address-of", {"key": key, "version": version}, _ADDRESS.read).hex().upper()

    def reference_to(self, key: str, version: int = 0) -> str:
        """See ``NamesKeys``."""
        return f"{key}:{version}"

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        form = _Form(AUTHENTICATION_LENGTH + len(original), end=original)
        return self._compute("authentication-data", form, algorithm, address, card, factor=factor, original=original)

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        form = _Form(HEADER_LENGTH + int.from_bytes(header[HEADER_LENGTH - 1 : HEADER_LENGTH]), begin=header)
        return self._compute("safe-message", form, algorithm, address, card, factor=factor, header=header, pin=pin)

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._compute("purchase-mac", _MAC, algorithm, address, card, factor=factor, message=message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._compute("transaction-proof", _MAC, algorithm, address, card, message=message)

    def _compute(
        self, operation: str, form: _Form, algorithm: int, address: str, card: CardReference, **data: bytes | None
    ) -> bytes:
        fields = {
            "algorithm": algorithm,
            "city_code": card.city_code,
            "serial": card.serial.hex(),
            **{name: None if value is None else value.hex() for name, value in data.items()},
        }
        key, by_name, version = address.rpartition(":")
        if by_name and self._takes_names:
            with suppress(_NotUnderstood):
                named = {**fields, "key": key, "version": int(version)}
                return self.ask(operation, named, form.read)
        if by_name:
            address = self.address_of(key, int(version))
        result = self.ask(operation, {**fields, "address": address}, form.read)
        self._takes_names = self._takes_names and not by_name
        return result

    def ask(self, operation: str, fields: dict[str, Any], read: Callable[[Any], T]) -> T:
        """The result of an operation, as ``read`` makes it of JSON; its ``ValueError`` is a result of another form."""
        deadline = monotonic() + self._timeout
        begun, status = monotonic(), 0
        try:
            answer = self._exchange(self._request(operation, fields), deadline)
            status = answer.status
            body = json.loads(answer.content)
            if status == HTTPStatus.UNAUTHORIZED:
                raise HsmUnavailable(
                    Phrase("the service at {url} does not accept the token", url=self._url), RIGHT_TOKEN
                )
            if status == HTTPStatus.OK:
                result = body["result"]
                try:
                    return read(result)
                except (ValueError, TypeError):
                    digits = isinstance(result, str) and _DIGITS.fullmatch(result)
                    raise UnusableAnswer(self._unlike, SERVE, bytes.fromhex(result) if digits else b"") from None
            if isinstance(body["error"], str) and body["error"]:
                gone = status == HTTPStatus.SERVICE_UNAVAILABLE
                if gone:
                    raise HsmUnavailable(body["error"], SERVE)
                raise (_NotUnderstood if status == HTTPStatus.BAD_REQUEST else HsmError)(body["error"])
        except (TimeoutError, DeadlinePassed):
            raise HsmUnavailable(
                Phrase(
                    "the service at {url} did not answer within {timeout:g} s", url=self._url, timeout=self._timeout
                ),
                SERVE,
            ) from None
        except (HTTPException, ValueError, KeyError, TypeError, RecursionError):
            pass
        except OSError as error:
            raise HsmUnavailable(
                Phrase("the service at {url} cannot be reached: {reason}", url=self._url, reason=reason_of(error)),
                SERVE,
            ) from None
        finally:
            took = round(1000 * (monotonic() - begun), 1)
            logger.info(
                "HSM request", extra={"path": f"{OPERATIONS_PATH}{operation}", "status": status, "duration_ms": took}
            )
        raise HsmUnavailable(self._unlike, SERVE)

    def _request(self, operation: str, fields: dict[str, Any]) -> bytes:
        """Head and body in one piece: two would be two packets, and two turns of the service."""
        body = json.dumps(fields)
        return (
            f"POST {self._path}{OPERATIONS_PATH}{operation} HTTP/1.1\r\n"
            f"Host: {self._host}\r\n"
            f"Authorization: Bearer {self._token}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n"
            "\r\n"
            f"{body}"
        ).encode("ascii")

    def _exchange(self, request: bytes, deadline: float) -> _Answer:
        """A request and its answer, on an idle connection if there is one.

        The service may have closed an idle connection, or may be another one
        by now: if no answer begins, the request is repeated once on a new
        connection. That is safe even if the service has executed it, because
        every operation is a pure computation.
        """
        if self._process != os.getpid():  # after a fork the connections are those of the other process
            self._process = os.getpid()
            self.close()
        with suppress(IndexError):
            kept = self._idle.pop()
            with suppress(ConnectionError):
                return self._send(kept, request, deadline)
        return self._send(self._connect(*self._place), request, deadline)

    def _send(self, connection: HTTPConnection, request: bytes, deadline: float) -> _Answer:
        left = max(deadline - monotonic(), LEAST_WAIT)
        try:
            if connection.sock is None:
                connection.timeout = left
                connection.connect()
            wait_at_most(connection.sock, left)
            connection.sock.sendall(request)
            answer = _read_answer(connection.sock, deadline)
        except BaseException:
            connection.close()
            raise
        if answer.keep and len(self._idle) < MOST_IDLE:
            self._idle.append(connection)
        else:
            connection.close()
        return answer


def _close_all(connections: deque[HTTPConnection]) -> None:
    with suppress(IndexError):
        while True:
            connections.pop().close()


def open_url(url: str, *, access: Access) -> HttpHsm:
    """The HSM service at ``http://HOST:PORT`` or ``https://HOST:PORT``."""
    _check_url(url)  # before the token: a wrong URL needs none
    if access.token_file is None:
        raise HsmUnavailable(
            Phrase("the service at {url} needs a token, and no token file is given", url=url), RIGHT_TOKEN
        )
    return HttpHsm(url, read_token(access.token_file, RIGHT_TOKEN))


def read_token(file: Path, remedy: Phrase = NEW_TOKEN) -> str:
    """The token in a file; ``remedy`` if it holds none."""
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise InputError(
            Phrase("cannot be read as a token"), file=str(file), remedy=f"sscard hsm serve --token-file {file}"
        ) from None
    if not re.fullmatch("[!-~]+", token):
        raise InputError(
            Phrase("holds no token: one line without spaces is expected"),
            file=str(file),
            remedy=remedy,
        )
    return token
