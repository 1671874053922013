"""The interface of every connection to a card, and the exchange of a command over it."""

from __future__ import annotations

from typing import Final, Protocol, runtime_checkable

from sscard.errors import TransportError
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import GET_RESPONSE_INS, SW, Answer, NoStatusWord, command, split

OK, WRONG_LE, MORE_DATA = int(SW.OK), int(SW.WRONG_LE), int(SW.MORE_DATA)
"""Compared with every answer; plain numbers are faster than an enum."""

GET_DATA: Final = b"\xff\xca"
"""CLA INS of the command that a contactless reader answers itself; the card never gets it."""


def reader_answers(command: bytes, *, contact: bool) -> bool:
    """Whether the reader answers a command itself, on this interface of the card."""
    return not contact and command.startswith(GET_DATA)


class ShortAnswer(TransportError):
    """The card answered less than a status word, so whether it executed the command is unknown."""

    def __init__(self, length: int) -> None:
        super().__init__(
            Phrase.plural(
                "the card answered {count} byte, at least 2 expected",
                "the card answered {count} bytes, at least 2 expected",
                count=length,
            )
        )
        self.args = (length,)


@runtime_checkable
class Connection(Protocol):
    """One card under a reader: power, and bytes in, bytes out.

    ``Chip`` implements this protocol, so in process a chip is its own connection.
    """

    def power_on(self) -> bytes:
        """Power the card on; return its ATR."""

    def power_off(self) -> None:
        """Power the card off; the session state is lost."""

    def reset(self) -> bytes:
        """Warm reset; return the ATR."""

    def transmit(self, command: bytes, /) -> bytes:
        """Send one command APDU; return data ‖ SW, 2–258 bytes."""


@runtime_checkable
class Removable(Protocol):
    """A connection that can take the power from its card at a moment of its own, as a removal does.

    The power is gone until ``power_on``. A connection without these methods can only let a command end, and then take
    the power off.
    """

    def unplug(self) -> None:
        """Take the power from the card, which has ended its last command."""

    def cut(self, command: bytes, attempt: int, /) -> bool:
        """Send a command and take the power before its answer is read.

        Returns whether the next attempt, which are numbered from 0, comes at another moment.
        """


def answer_to(connection: Connection, sent: bytes) -> Answer:
    """The answer to one command, as the card gives it; ``ShortAnswer`` if it has no status word."""
    answer = connection.transmit(sent)
    try:
        return split(answer)
    except NoStatusWord:
        raise ShortAnswer(len(answer)) from None


def exchange(connection: Connection, sent: bytes) -> Answer:
    """Send a command and complete the exchange: repeat it on ``6Cxx``, fetch the data after ``61xx``.

    ISO 7816-3 T=0; answers of a contactless card are returned unchanged. ``ShortAnswer`` if one has no status word.
    """
    answer = answer_to(connection, sent)
    if answer.sw == OK:
        return answer
    if answer.sw & 0xFF00 == WRONG_LE and len(sent) <= 5:
        answer = answer_to(connection, sent[:4] + bytes((answer.sw & 0xFF,)))
    if answer.sw & 0xFF00 != MORE_DATA:
        return answer
    data, sw = answer
    while sw & 0xFF00 == MORE_DATA:
        more, sw = answer_to(connection, command(0x00, GET_RESPONSE_INS, 0, 0, le=sw & 0xFF))
        data += more
    return Answer(data, sw)
