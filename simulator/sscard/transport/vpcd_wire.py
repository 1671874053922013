"""The wire of vpcd, the virtual reader's driver: frames of a 16-bit big-endian length and that many bytes."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from sscard.pickling import PortableError

LENGTH_BYTES: Final = 2
MAX_PAYLOAD: Final = 0xFFFF


class Control(IntEnum):
    """Requests in messages of one byte. Only ``ATR`` is answered."""

    POWER_OFF = 0x00
    POWER_ON = 0x01
    RESET = 0x02
    ATR = 0x04


class WireError(PortableError):
    """Bytes that are not a frame of vpcd; the connection is unusable."""


def frame(payload: bytes) -> bytes:
    """A message for the wire: 1–65,535 bytes behind their length.

    Raises ``ValueError`` for an empty one: the driver would wait for its bytes
    until the socket closes.
    """
    if not payload:
        raise ValueError("a frame without payload would block the reader's driver")
    if len(payload) > MAX_PAYLOAD:
        raise ValueError(f"a frame carries at most {MAX_PAYLOAD} bytes, got {len(payload)}")
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload


class FrameReader:
    """Splits a stream of bytes into messages, independent of the chunks received.

    ``longest`` is the longest message accepted, in bytes.
    """

    def __init__(self, longest: int = MAX_PAYLOAD) -> None:
        self._longest = longest
        self._received = bytearray()

    def feed(self, received: bytes) -> Iterator[bytes]:
        """Add received bytes; iterate over the messages that are complete now, in order.

        Raises ``WireError`` at a message of no byte, or of more than ``longest``, after those before it.
        """
        self._received += received
        return iter(self._next, None)

    def finish(self) -> None:
        """The peer closed the connection: ``WireError`` if a message is incomplete."""
        if self._received:
            raise WireError(f"closed in mid-frame, after {len(self._received)} of its bytes")

    def _next(self) -> bytes | None:
        received = self._received
        if len(received) < LENGTH_BYTES:
            return None
        length = received[0] << 8 | received[1]
        if not 0 < length <= self._longest:
            raise WireError(f"a frame of {length} bytes; 1 to {self._longest} are allowed")
        end = LENGTH_BYTES + length
        if len(received) < end:
            return None
        message = bytes(received[LENGTH_BYTES:end])
        del received[:end]
        return message
