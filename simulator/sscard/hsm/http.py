"""Client of an HSM service: ``sscard hsm serve``, or another service with the protocol of ``sscard.hsm.server``."""

from __future__ import annotations

import io
import json
import logging
import re
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from socket import socket
from time import monotonic
from typing import Any, Final
from urllib.parse import urlsplit

from sscard.errors import InputError
from sscard.hsm.protocol import Access, HsmError, HsmUnavailable
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.issuer.hierarchy import CardReference
from sscard.standard.cipher import AUTHENTICATION_LENGTH, MAC_LENGTH
from sscard.transport.limits import TIMEOUT, DeadlinePassed, DeadlineReader

logger = logging.getLogger("sscard.hsm")

LOOPBACK: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8440
LONGEST_MESSAGE: Final = 4096
"""Bytes of a request or an answer."""
SERVE: Final = "sscard hsm serve"
OPTION: Final = "--hsm-token FILE"
_ADDRESS, _WORDS, _BYTE = "[0-9A-Fa-f]{4}", "(?s:.+)", "[0-9A-Fa-f]{2}"
"""The form of an answer."""
_MAC: Final = f"({_BYTE}){{{MAC_LENGTH}}}"
SCHEMES: Final = {"http": HTTPConnection, "https": HTTPSConnection}
_NOT_IN_URL: Final = re.compile(r"[\x00-\x20\x7F]")


class _Response(HTTPResponse):
    """An answer that is read with one deadline."""

    def __init__(self, deadline: float, sock: socket, **settings: Any) -> None:
        super().__init__(sock, **settings)
        self.fp.close()
        self.fp = io.BufferedReader(DeadlineReader(sock, deadline=deadline))


class HttpHsm:
    """The HSM of the service at ``url``. Each request uses a new connection; thread-safe.

    ``timeout`` in seconds from the request to the end of the answer. A refusal of the
    HSM is an ``HsmError``; a service that does not answer, answers something
    else or does not take the token is ``HsmUnavailable``.
    """

    def __init__(self, url: str, token: str, *, timeout: float = TIMEOUT) -> None:
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
        self._url = url
        self._connect = SCHEMES[parts.scheme]
        self._place = place
        self._path = parts.path.rstrip("/")
        self._token = token
        self._timeout = timeout

    def __repr__(self) -> str:
        return f"<HttpHsm {self._url}>"

    def address_of(self, key: str, version: int = 0) -> str:
        """See ``Hsm``."""
        return self._ask("address-of", {"key": key, "version": version}, _ADDRESS)

    def authentication_data(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, original: bytes
    ) -> bytes:
        """See ``Hsm``."""
        form = f"({_BYTE}){{{AUTHENTICATION_LENGTH}}}(?i:{original.hex()})"
        return self._compute("authentication-data", form, algorithm, address, card, factor=factor, original=original)

    def safe_message(
        self, algorithm: int, address: str, card: CardReference, factor: bytes, header: bytes, pin: bytes | None
    ) -> bytes:
        """See ``Hsm``."""
        form = f"(?i:{header.hex()})({_BYTE}){{{int.from_bytes(header[-1:])}}}"
        return self._compute("safe-message", form, algorithm, address, card, factor=factor, header=header, pin=pin)

    def purchase_mac(self, algorithm: int, address: str, card: CardReference, factor: bytes, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._compute("purchase-mac", _MAC, algorithm, address, card, factor=factor, message=message)

    def transaction_proof(self, algorithm: int, address: str, card: CardReference, message: bytes) -> bytes:
        """See ``Hsm``."""
        return self._compute("transaction-proof", _MAC, algorithm, address, card, message=message)

    def _compute(
        self, operation: str, form: str, algorithm: int, address: str, card: CardReference, **data: bytes | None
    ) -> bytes:
        fields = {
            "algorithm": algorithm,
            "address": address,
            "city_code": card.city_code,
            "serial": card.serial.hex(),
            **{name: None if value is None else value.hex() for name, value in data.items()},
        }
        return bytes.fromhex(self._ask(operation, fields, form))

    def _ask(self, operation: str, fields: dict[str, Any], form: str) -> str:
        """The result of an operation, checked against its form, so that nothing else is sent to a card."""
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        deadline = monotonic() + self._timeout
        connection = self._connect(*self._place, timeout=self._timeout)
        connection.response_class = partial(_Response, deadline)
        begun, status = monotonic(), 0
        try:
            connection.request("POST", f"{self._path}/v1/{operation}", json.dumps(fields), headers)
            answer = connection.getresponse()
            status = answer.status
            body = json.loads(answer.read(LONGEST_MESSAGE))
            if answer.status == HTTPStatus.UNAUTHORIZED:
                raise HsmUnavailable(Phrase("the service's token is missing or wrong"), OPTION)
            if answer.status == HTTPStatus.OK and re.fullmatch(form, body["result"]):
                return str(body["result"])
            if answer.status != HTTPStatus.OK and re.fullmatch(_WORDS, body["error"]):
                gone = answer.status == HTTPStatus.SERVICE_UNAVAILABLE
                raise HsmUnavailable(body["error"], SERVE) if gone else HsmError(body["error"])
        except (TimeoutError, DeadlinePassed):
            raise HsmUnavailable(
                Phrase("the HSM at {url} did not answer within {timeout:g} s", url=self._url, timeout=self._timeout),
                SERVE,
            ) from None
        except (HTTPException, ValueError, KeyError, TypeError, RecursionError):
            pass
        except OSError as error:
            raise HsmUnavailable(
                Phrase("the HSM at {url} cannot be reached: {reason}", url=self._url, reason=reason_of(error)), SERVE
            ) from None
        finally:
            connection.close()
            took = round(1000 * (monotonic() - begun), 1)
            logger.info("HSM request", extra={"path": f"/v1/{operation}", "status": status, "duration_ms": took})
        raise HsmUnavailable(Phrase("{url} does not answer like an HSM service", url=self._url), SERVE)


def open_url(url: str, *, access: Access) -> HttpHsm:
    """The HSM service at ``http://HOST:PORT`` or ``https://HOST:PORT``."""
    if access.token_file is None:
        raise HsmUnavailable(Phrase("an HSM service needs its token, and this user has none"), SERVE)
    return HttpHsm(url, read_token(access.token_file))


def read_token(file: Path) -> str:
    """The token in a file."""
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
            remedy=Phrase("remove the file, and a new token is made"),
        )
    return token
