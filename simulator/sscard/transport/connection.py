"""How a command travels: the connection every card answers on, and the exchange over it."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from sscard.standard.apdu import SW, Answer, command, split

GET_RESPONSE_INS: Final = 0xC0
WRONG_LE, MORE_DATA = int(SW.WRONG_LE), int(SW.MORE_DATA)
"""Every answer is compared with them: quicker as plain numbers."""


@runtime_checkable
class Connection(Protocol):
    """One card under a reader: power, and bytes in, bytes out.

    ``Chip`` has this face already, so in-process a chip is its own connection.
    """

    def power_on(self) -> bytes:
        """Power the card; its ATR."""

    def power_off(self) -> None:
        """Take the power away; what the session held is gone."""

    def reset(self) -> bytes:
        """Warm reset; the ATR."""

    def transmit(self, command: bytes, /) -> bytes:
        """One command APDU; data ‖ SW of 2–258 bytes."""


def exchange(connection: Connection, sent: bytes) -> Answer:
    """Send a command and see it to its end: ask again at ``6Cxx``, fetch what ``61xx`` announces.

    ISO 7816-3 T=0; a contactless card answers at once and passes unchanged.
    """
    answer = split(connection.transmit(sent))
    if answer.sw & 0xFF00 == WRONG_LE and len(sent) <= 5:
        answer = split(connection.transmit(sent[:4] + bytes((answer.sw & 0xFF,))))
    if answer.sw & 0xFF00 != MORE_DATA:
        return answer
    data, sw = answer
    while sw & 0xFF00 == MORE_DATA:
        more, sw = split(connection.transmit(command(0x00, GET_RESPONSE_INS, 0, 0, le=sw & 0xFF)))
        data += more
    return Answer(data, sw)
