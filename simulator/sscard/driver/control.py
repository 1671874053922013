"""Controls at ``ws://…``, ours or a vendor's, called as a page calls them (driver-api.md §10)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from websockets.exceptions import InvalidURI, WebSocketException
from websockets.sync.client import ClientConnection, connect

from sscard.driver.calls import FUNCTIONS, Result
from sscard.driver.errors import Code
from sscard.driver.websocket import DONE, SILENT
from sscard.errors import InputError, MissingPart, TransportError
from sscard.i18n.language import reason_of
from sscard.i18n.phrase import Phrase
from sscard.transport.limits import TIMEOUT

LONGEST_ANSWER: Final = 1 << 20
"""Bytes."""
LONGEST_CALL: Final = 180.0
"""Seconds: a holder enters three PINs meanwhile."""


class Control:
    """A connection to a control. ``TransportError`` if it does not answer, or answers something else."""

    def __init__(self, connection: ClientConnection, url: str) -> None:
        self._connection = connection
        self._url = url

    def call(self, function: str, parameters: Sequence[int | str]) -> Result:
        """See ``DriverLibrary``."""
        row = FUNCTIONS[function]
        names = [*row.parameters, *row.pins][: len(parameters)]
        given = dict(zip(names, parameters, strict=True))
        try:
            self._connection.send(json.dumps({"function": function, **given}, ensure_ascii=False))
            answer = json.loads(self._connection.recv(timeout=LONGEST_CALL))
            return _code(str(answer["success"])), str(answer["pOutInfo"])
        except (OSError, WebSocketException):  # TimeoutError is an OSError
            raise TransportError(Phrase("{url}: no answer to {function}", url=self._url, function=function)) from None
        except (LookupError, TypeError, ValueError, RecursionError):
            # Not its text, which may hold a PIN.
            problem = Phrase(
                "{url}: the answer to {function} is not one of a control", url=self._url, function=function
            )
            raise TransportError(problem) from None


def _code(success: str) -> int:
    """The return code of the C function; ``ValueError`` for a text that is neither success nor an error."""
    if success == DONE:
        return Code.OK
    code = int(success)
    if code >= 0:
        raise ValueError(code)
    return code


@contextmanager
def open_control(url: str) -> Iterator[Control]:
    """A connection to the control at a URL; ``InputError`` for no URL, ``MissingPart`` if nothing answers there."""
    try:
        # No proxy: a control is on this machine.
        connection = connect(url, proxy=None, open_timeout=TIMEOUT, max_size=LONGEST_ANSWER, logger=SILENT)
    except (InvalidURI, ValueError):  # ValueError: a port that is no number
        problem = Phrase("{url}: not the URL of a control", url=url)
        raise InputError(problem, remedy=Phrase("for example ws://127.0.0.1:12342")) from None
    except (OSError, WebSocketException) as error:
        reason = reason_of(error) if isinstance(error, OSError) else type(error).__name__
        problem = Phrase("no control at {url}: {reason}", url=url, reason=reason)
        raise MissingPart(problem, "sscard driver serve CARD --listen ws:12342") from None
    with connection:
        yield Control(connection, url)
