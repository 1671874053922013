"""PC/SC: a card in any reader of this machine as a ``Connection``, through pyscard.

pyscard is imported at the first use, never with this module. It finds its
daemon by ``PCSCLITE_CSOCK_NAME``, which its C library reads once per process,
at that first use.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, NoReturn

from sscard.errors import MissingPart, ReaderMissing
from sscard.i18n.phrase import Phrase
from sscard.transport.faults import CardMute, CardRemoved, TransportError

logger = logging.getLogger("sscard.transport")

PATIENCE: Final = 3.0
"""Seconds to wait for a card: pcscd polls every 0.4 s, and needs longer after a restart."""

NOTICE: Final = 1.6
"""Seconds until pcscd must have noticed a removed card: it polls every 0.4 s, less often under load."""

SLICE: Final = 0.25
"""Seconds after which a wait asks for the state again, so that a missed event costs no more than this."""

VENDOR_ATR_TAG: Final = 0x0303
"""The ATR attribute without its attribute class, the only form that the vpcd driver supports."""

VERSION_LENGTH: Final = 4
"""Bytes of the version of a driver: build(2), minor, major, as a little-endian number."""

ERROR_NOT_SUPPORTED: Final = 0x32
"""The error code of Windows for an attribute that the reader does not support."""

_handles_change = threading.Lock()
"""Held while libpcsclite opens or closes contexts and disconnects cards.

SCardDisconnect searches the handles of all contexts without a lock; if another
thread releases a context meanwhile, the process crashes.
"""


class ReaderError(TransportError):
    """PC/SC returned an error, or the reader is lost."""


class CardReset(ReaderError):
    """Another program reset the card; ``power_on`` starts a new session."""


class _UnknownReader(ReaderError):
    """The daemon has no reader of this name."""


def readers() -> list[str]:
    """The names of the readers of this machine, in the daemon's order.

    Raises ``MissingPart`` if pyscard or the daemon is missing.
    """
    scard = _scard()
    with _context(scard) as context:
        result, names = scard.SCardListReaders(context, [])
    if result == scard.SCARD_E_NO_READERS_AVAILABLE:
        return []
    _demand(scard, result)
    return list(names)


def cards() -> dict[str, bytes]:
    """The readers of this machine in the daemon's order, each with the ATR of its card, empty if there is no card.

    For display and selection only. With libpcsclite before 2.0.1 an entry can
    be out of date if other threads of this process use PC/SC (see ``_watch``).
    Rely on the ATR that ``power_on`` returns.
    """
    scard = _scard()
    names = readers()
    if not names:
        return {}
    with _context(scard) as context:
        unaware = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
        result, states = scard.SCardGetStatusChange(context, 0, unaware)
    _demand(scard, result)
    return {name: bytes(atr) if _is_seen(scard, state, atr) else b"" for name, state, atr in states}


def find_card(atr: bytes, *, besides: Collection[str] = (), timeout: float = PATIENCE) -> str:
    """Wait for a card with this ATR in a reader not in ``besides``; return the reader's name, empty on timeout."""
    scard = _scard()
    names = [name for name in readers() if name not in besides]

    def found(state: int, seen: list[int]) -> bool:
        return _is_seen(scard, state, seen) and bytes(seen) == atr

    with _context(scard) as context:
        return _watch(scard, context, names, found, timeout)


def wait_for_card(reader_name: str, *, present: bool = True, timeout: float = PATIENCE) -> bool:
    """Wait until the reader has a card with an ATR, or no card if not ``present``; return False on timeout."""
    scard = _scard()
    with _context(scard) as context:
        return _wait(scard, context, reader_name, present, timeout)


class PcscConnection:
    """The card in a PC/SC reader; the reader's name as ``readers()`` gives it.

    ``power_on`` waits up to ``patience`` seconds for a card, and makes a cold
    reset even if another program uses it. Errors: ``MissingPart`` (no pyscard,
    no daemon), ``ReaderMissing``, ``CardRemoved``, ``CardMute``,
    ``CardReset``, ``ReaderError``. The reader is shared unless ``exclusive``.
    One thread at a time may use a connection.
    """

    def __init__(self, reader_name: str, *, patience: float = PATIENCE, exclusive: bool = False) -> None:
        self.reader_name = reader_name
        self._patience = patience
        self._scard = scard = _scard()
        self._share = scard.SCARD_SHARE_EXCLUSIVE if exclusive else scard.SCARD_SHARE_SHARED
        self._protocols = scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1
        self._context: int | None = None
        self._card: int | None = None
        self._protocol = scard.SCARD_PCI_T0

    def __enter__(self) -> PcscConnection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.power_off()

    def power_on(self) -> bytes:
        self.power_off()
        self._context = _establish(self._scard)
        try:
            self._connect(self._context)
            return self._restart(self._scard.SCARD_UNPOWER_CARD)
        except BaseException:
            self.power_off()
            raise

    def power_off(self) -> None:
        """Unpower the card and disconnect; no effect if it is off."""
        card, context = self._card, self._context
        self._card = self._context = None
        with _handles_change:
            if card is not None:
                self._scard.SCardDisconnect(card, self._scard.SCARD_UNPOWER_CARD)
            if context is not None:
                self._scard.SCardReleaseContext(context)

    def reset(self) -> bytes:
        self._powered()
        return self._restart(self._scard.SCARD_RESET_CARD)

    def transmit(self, command: bytes) -> bytes:
        result, answer = self._scard.SCardTransmit(self._powered(), self._protocol, list(command))
        if result == 0 and answer:
            return bytes(answer)
        if result in (0, self._scard.SCARD_E_NOT_TRANSACTED):
            self._explain_silence()
        self._check(result)
        raise ReaderError(Phrase("reader {name!r} gave no answer", name=self.reader_name))

    def driver(self) -> str:
        """Vendor, type and version of the driver, as far as the reader states them; the card must have power."""
        scard, card = self._scard, self._powered()
        words: list[str] = []
        for tag in (scard.SCARD_ATTR_VENDOR_NAME, scard.SCARD_ATTR_VENDOR_IFD_TYPE):
            result, text = scard.SCardGetAttrib(card, tag)
            if result == scard.SCARD_S_SUCCESS and text:
                words.append(bytes(text).rstrip(b"\0").decode("ascii", "replace"))
        result, version = scard.SCardGetAttrib(card, scard.SCARD_ATTR_VENDOR_IFD_VERSION)
        if result == scard.SCARD_S_SUCCESS and len(version) == VERSION_LENGTH:
            words.append(f"{version[3]}.{version[2]}")
        return " ".join(words)

    def _connect(self, context: int) -> None:
        if not _wait(self._scard, context, self.reader_name, True, self._patience):
            raise CardRemoved(Phrase("no card in reader {name!r}", name=self.reader_name))
        result, card, __ = self._scard.SCardConnect(context, self.reader_name, self._share, self._protocols)
        self._check(result)
        self._card = card
        logger.debug("card connected", extra={"reader": self.reader_name})

    def _powered(self) -> int:
        if self._card is None:
            raise CardRemoved(Phrase("the card has no power: call power_on() first"))
        return self._card

    def _restart(self, disposition: int) -> bytes:
        """Cold or warm reset; return the ATR."""
        scard, card = self._scard, self._card
        result, protocol = scard.SCardReconnect(card, self._share, self._protocols, disposition)
        self._check(result)
        self._protocol = scard.SCARD_PCI_T1 if protocol == scard.SCARD_PROTOCOL_T1 else scard.SCARD_PCI_T0
        return self._atr()

    def _atr(self) -> bytes:
        """Get the ATR over the connection.

        Use SCardStatus only if the reader supports neither form of the
        attribute: libpcsclite before 2.0.1 reads it from an array that all
        threads of a process share without a lock, so with several threads it
        can return the ATR of the card that was in this reader before.
        """
        scard, card = self._scard, self._card
        failure = scard.SCARD_S_SUCCESS
        for tag in (scard.SCARD_ATTR_ATR_STRING, VENDOR_ATR_TAG):
            result, atr = scard.SCardGetAttrib(card, tag)
            if result == scard.SCARD_S_SUCCESS and atr:
                return bytes(atr)
            if result not in (scard.SCARD_E_UNSUPPORTED_FEATURE, ERROR_NOT_SUPPORTED):
                failure = result
        if failure == scard.SCARD_E_NOT_TRANSACTED:
            self._explain_silence()
        self._check(failure)
        result, _, _, _, atr = scard.SCardStatus(card)
        self._check(result)
        return bytes(atr)

    def _explain_silence(self) -> NoReturn:
        """The error for an empty answer: the card was removed (pcscd notices it soon), or it is mute."""
        assert self._context is not None
        if _wait(self._scard, self._context, self.reader_name, False, NOTICE):
            raise CardRemoved(Phrase("the card was removed from reader {name!r}", name=self.reader_name))
        raise CardMute(Phrase("the card in reader {name!r} does not answer", name=self.reader_name))

    def _check(self, result: int) -> None:
        scard = self._scard
        if result in (scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD):
            raise CardRemoved(Phrase("no card in reader {name!r}", name=self.reader_name))
        if result in (scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_W_UNPOWERED_CARD):
            raise CardMute(Phrase("the card in reader {name!r} does not answer", name=self.reader_name))
        if result == scard.SCARD_W_RESET_CARD:
            raise CardReset(Phrase("another program reset the card in reader {name!r}", name=self.reader_name))
        _demand(scard, result)


def _scard() -> Any:
    try:
        from smartcard import scard  # noqa: PLC0415 - an extra, and slow to load
    except ImportError:
        raise MissingPart(Phrase("pyscard is not installed"), "pip install 'sscard[pcsc]'") from None
    return scard


def _establish(scard: Any) -> int:
    with _handles_change:
        result, context = scard.SCardEstablishContext(scard.SCARD_SCOPE_USER)
    if result in (scard.SCARD_E_NO_SERVICE, scard.SCARD_E_SERVICE_STOPPED):
        raise MissingPart(
            Phrase("no PC/SC daemon answers"), "sudo apt-get install pcscd && sudo systemctl start pcscd.socket"
        )
    _demand(scard, result)
    return int(context)


@contextmanager
def _context(scard: Any) -> Iterator[int]:
    context = _establish(scard)
    try:
        yield context
    finally:
        with _handles_change:
            scard.SCardReleaseContext(context)


def _wait(scard: Any, context: int, reader_name: str, present: bool, timeout: float) -> bool:
    def reached(state: int, atr: list[int]) -> bool:
        return _is_seen(scard, state, atr) if present else bool(state & scard.SCARD_STATE_EMPTY)

    try:
        return bool(_watch(scard, context, [reader_name], reached, timeout))
    except _UnknownReader:
        remedy = _readers_here(scard, context)
        raise ReaderMissing(Phrase("no reader called {name!r}", name=reader_name), remedy=remedy) from None


def _watch(scard: Any, context: int, names: list[str], wanted: Callable[[int, list[int]], bool], timeout: float) -> str:
    """Wait until the state and ATR of a reader are ``wanted`` and return its name, empty after ``timeout`` seconds.

    libpcsclite before 2.0.1 keeps one array of reader states for all threads
    of a process, without a lock. An answer can therefore be out of date, and
    an event can be missed. So an answer counts only if an immediate second
    query confirms it, and the wait queries again after each ``SLICE``.
    """
    deadline = time.monotonic() + timeout
    unaware = [(name, scard.SCARD_STATE_UNAWARE) for name in names]
    known, candidate = unaware, ""
    while names:
        left = max(0.0, deadline - time.monotonic())
        result, states = scard.SCardGetStatusChange(context, round(min(left, SLICE) * 1000), known)
        found = ""
        if result != scard.SCARD_E_TIMEOUT:
            _demand(scard, result)
            known = [(name, state) for name, state, _ in states]
            found = next((name for name, state, atr in states if wanted(state, atr)), "")
        if found and found == candidate:
            return found
        if found:
            known = unaware
        elif left == 0:
            break
        candidate = found
    return ""


def _is_seen(scard: Any, state: int, atr: list[int]) -> bool:
    mute = state & scard.SCARD_STATE_MUTE
    return bool(state & scard.SCARD_STATE_PRESENT) and not mute and bool(atr)


def _readers_here(scard: Any, context: int) -> Phrase:
    __, names = scard.SCardListReaders(context, [])
    return Phrase("readers here: {names}", names=", ".join(names)) if names else Phrase("this machine has no reader")


def _demand(scard: Any, result: int) -> None:
    if result != scard.SCARD_S_SUCCESS:
        kind = _UnknownReader if result == scard.SCARD_E_UNKNOWN_READER else ReaderError
        number = result & 0xFFFFFFFF
        reason = REASONS.get(number) or str(scard.SCardGetErrorMessage(result))
        raise kind(Phrase("PC/SC: {reason} ({number:08X})", reason=reason, number=number))


REASONS: Final = {
    0x80100003: Phrase("the handle is not valid"),
    0x80100004: Phrase("a parameter is not valid"),
    0x80100009: Phrase("the reader is unknown"),
    0x8010000A: Phrase("timeout"),
    0x8010000B: Phrase("another program uses the card"),
    0x8010000C: Phrase("no card in the reader"),
    0x8010000F: Phrase("the card does not support the protocol"),
    0x80100013: Phrase("no communication with the card"),
    0x80100016: Phrase("the transaction with the card failed"),
    0x80100017: Phrase("the reader is not available"),
    0x8010001D: Phrase("no PC/SC daemon answers"),
    0x8010001E: Phrase("the PC/SC daemon was stopped"),
    0x8010001F: Phrase("the reader driver does not support this"),
    0x80100022: Phrase("the reader driver does not support this"),
    0x8010002E: Phrase("this machine has no reader"),
    0x80100066: Phrase("the card does not answer"),
    0x80100067: Phrase("the card has no power"),
    0x80100068: Phrase("another program reset the card"),
    0x80100069: Phrase("the card was removed"),
}
"""The message for a PC/SC result; pcsc-lite's own text for rare ones."""
