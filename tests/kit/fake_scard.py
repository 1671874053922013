"""A stand-in for pyscard's ``scard`` module: one reader, and answers that a test chooses."""
# ruff: noqa: N802 - the functions carry the names of the PC/SC library

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from types import SimpleNamespace

import pytest

READER = "Stand-in 00 00"
ATR_STRING, VENDOR_TAG = 0x00090303, 0x0303
EMPTY, PRESENT = 0x10, 0x20
UNSUPPORTED, NOT_TRANSACTED, TIMEOUT = 0x8010001F, 0x80100016, 0x8010000A
REMOVED_CARD, RESET_CARD = 0x80100069, 0x80100068

State = tuple[int, bytes]
"""State bits of the reader and the ATR."""


class FakeScard:
    """One reader with a card.

    ``states`` are the answers to SCardGetStatusChange, ``None`` for a timeout;
    the last is repeated. ``attributes`` maps a tag to what makes its value, or
    to an error code; other tags are not supported. ``started`` and ``stopped``
    run when the card gets and loses its power.
    """

    SCARD_S_SUCCESS = 0
    SCARD_E_UNSUPPORTED_FEATURE = UNSUPPORTED
    SCARD_E_NOT_TRANSACTED = NOT_TRANSACTED
    SCARD_E_TIMEOUT = TIMEOUT
    SCARD_E_NO_SERVICE = 0x8010001D
    SCARD_E_SERVICE_STOPPED = 0x8010001E
    SCARD_E_NO_READERS_AVAILABLE = 0x8010002E
    SCARD_E_UNKNOWN_READER = 0x80100009
    SCARD_E_NO_SMARTCARD = 0x8010000C
    SCARD_W_REMOVED_CARD = REMOVED_CARD
    SCARD_W_RESET_CARD = RESET_CARD
    SCARD_W_UNRESPONSIVE_CARD = 0x80100066
    SCARD_W_UNPOWERED_CARD = 0x80100067
    SCARD_ATTR_ATR_STRING = ATR_STRING
    SCARD_STATE_UNAWARE = 0
    SCARD_STATE_EMPTY = EMPTY
    SCARD_STATE_PRESENT = PRESENT
    SCARD_STATE_MUTE = 0x200
    SCARD_SCOPE_USER = 0
    SCARD_SHARE_EXCLUSIVE, SCARD_SHARE_SHARED = 1, 2
    SCARD_PROTOCOL_T0, SCARD_PROTOCOL_T1 = 1, 2
    SCARD_PCI_T0, SCARD_PCI_T1 = 1, 2
    SCARD_RESET_CARD, SCARD_UNPOWER_CARD = 1, 2

    def __init__(
        self,
        states: Iterable[State | None],
        attributes: Mapping[int, Callable[[], bytes] | int] | None = None,
        *,
        status: State = (0, b""),
        started: Callable[[int], object] = lambda _disposition: None,
        stopped: Callable[[], object] = lambda: None,
    ) -> None:
        self.waits: list[int] = []
        """Milliseconds of each SCardGetStatusChange."""
        self.asked: list[int | str] = []
        """The tags that were asked for, and ``status`` for SCardStatus."""
        self._states = iter(states)
        self._state: State | None = None
        self._attributes = attributes or {}
        self._status = status
        self._started = started
        self._stopped = stopped

    def install(self, monkeypatch: pytest.MonkeyPatch) -> FakeScard:
        monkeypatch.setitem(sys.modules, "smartcard", SimpleNamespace(scard=self))
        return self

    def SCardEstablishContext(self, *_asked: object) -> tuple[int, int]:
        return 0, 1

    def SCardReleaseContext(self, *_asked: object) -> int:
        return 0

    def SCardListReaders(self, *_asked: object) -> tuple[int, list[str]]:
        return 0, [READER]

    def SCardGetStatusChange(
        self, _context: int, wait: int, _known: object
    ) -> tuple[int, list[tuple[str, int, list[int]]]]:
        self.waits.append(wait)
        self._state = next(self._states, self._state)
        if self._state is None:
            return TIMEOUT, []
        state, atr = self._state
        return 0, [(READER, state, list(atr))]

    def SCardConnect(self, *_asked: object) -> tuple[int, int, int]:
        return 0, 2, self.SCARD_PROTOCOL_T1

    def SCardReconnect(self, _card: int, _share: int, _protocols: int, disposition: int) -> tuple[int, int]:
        self._started(disposition)
        return 0, self.SCARD_PROTOCOL_T1

    def SCardDisconnect(self, *_asked: object) -> int:
        self._stopped()
        return 0

    def SCardGetAttrib(self, _card: int, tag: int) -> tuple[int, list[int]]:
        self.asked.append(tag)
        answer = self._attributes.get(tag, UNSUPPORTED)
        return (answer, []) if isinstance(answer, int) else (0, list(answer()))

    def SCardStatus(self, *_asked: object) -> tuple[int, str, int, int, list[int]]:
        self.asked.append("status")
        result, atr = self._status
        return result, READER, PRESENT, self.SCARD_PROTOCOL_T1, list(atr)

    def SCardGetErrorMessage(self, result: int) -> str:
        return f"error {result:08X}"
