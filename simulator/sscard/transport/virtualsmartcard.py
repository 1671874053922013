"""An sscard card in the virtualsmartcard package, as the ``SmartcardOS`` of its ``VirtualICC``.

That package is GPL-3+ and not on PyPI. Debian's ``vsmartcard-vpicc`` installs
it outside Python's search path, and it needs ``Crypto`` (``pip install
'sscard[virtualsmartcard]'``). It is imported only to build a ``VirtualICC``.
"""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any, Final

from sscard.errors import MissingPart
from sscard.i18n.phrase import Phrase
from sscard.transport.connection import Connection
from sscard.transport.vpcd import DEFAULT_PORT, HOST

FOLDER: Final = "/usr/lib/python3/site-packages/virtualsmartcard"
INSTALL: Final = "sudo apt-get install vsmartcard-vpicc && pip install 'sscard[virtualsmartcard]'"
REPLACED: Final = "iso7816"
"""The type of card that ``VirtualICC`` creates before it is replaced by the sscard card."""


class ConnectionOS:
    """Any connection with the interface of the package's ``SmartcardOS``.

    Errors of the connection are raised: they end ``VirtualICC.run``, which
    removes the card from the reader.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._atr = b""

    def getATR(self) -> bytes:  # noqa: N802 - the package's own name
        """The ATR; a card without power is powered on and off to read it."""
        if not self._atr:
            self._atr = self._connection.power_on()
            self._connection.power_off()
        return self._atr

    def powerUp(self) -> None:  # noqa: N802
        self._atr = self._connection.power_on()

    def powerDown(self) -> None:  # noqa: N802
        self._connection.power_off()

    def reset(self) -> None:
        """Warm reset."""
        self._atr = self._connection.reset()

    def execute(self, msg: bytes) -> bytes:
        """One command APDU; data ‖ SW."""
        return self._connection.transmit(bytes(msg))


def virtual_icc(connection: Connection, host: str = HOST, port: int = DEFAULT_PORT) -> Any:
    """The package's ``VirtualICC`` with this card in it, connected to the reader's driver; ``run()`` serves.

    Raises ``MissingPart`` if the package or its dependency is not installed. Its
    socket handling costs about 44 ms per command.
    """
    try:
        package = import_module("virtualsmartcard.VirtualSmartcard")
    except ImportError as error:
        part = Phrase(
            "the virtualsmartcard package cannot be used: no module {name!r}", name=error.name or "virtualsmartcard"
        )
        raise MissingPart(part, f"{INSTALL} && export PYTHONPATH={FOLDER}") from None
    icc = package.VirtualICC(None, REPLACED, host, port, logginglevel=logging.WARNING)
    icc.os = ConnectionOS(connection)
    return icc
