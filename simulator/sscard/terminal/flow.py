"""Operations without I/O: a flow yields commands and requests, and ``run`` sends it the answers.

A flow is a generator. It yields the bytes of a command for the card, which are
answered by an ``Answer``, or a request: for a proof or a message with MAC from
the HSM or PSAM, or for a PIN from the holder. It returns the result of the
operation.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from sscard.i18n.phrase import Phrase, Sayable
from sscard.standard.apdu import SW, Answer
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError, card_error

T = TypeVar("T")
OK: Final = int(SW.OK)
"""Compared with every answer; a plain number is faster than an enum."""


class Prove(NamedTuple):
    """A proof of a key's version (from 0) over process factor(8) and original data(8).

    Answer: authentication data(8) ‖ original data(8).
    """

    card: OpenedCard
    key: str
    factor: bytes
    original: bytes
    version: int = 0


@dataclass(frozen=True, slots=True)
class Seal:
    """A command with MAC over a process factor(8): header(5) with the data to show, if any, and a PIN (cn) to encipher.

    Without a PIN ``pin`` is ``None``. Answer: the command APDU.
    """

    card: OpenedCard
    key: str
    factor: bytes
    header: bytes
    pin: bytes | None = field(repr=False)


class AskPin(NamedTuple):
    """A PIN from the holder under one of the prompts of ``terminal.pinpad``. Answer: the digits."""

    prompt: Phrase


class PurchaseMac(NamedTuple):
    """MAC1 of a purchase. Answer: a ``Mac1``.

    ``opening`` ends the card's answer to INITIALIZE FOR PURCHASE: count(2) ‖
    key version(1) ‖ algorithm id(1) ‖ random(4). ``amounts`` are account,
    self-paid and pool amount (12 bytes), ``kind`` the transaction type (1),
    ``terminal`` the terminal number (12 digits), ``time`` YYYYMMDDhhmmss as cn (7).
    """

    card: OpenedCard
    key_index: int
    opening: bytes
    amounts: bytes
    kind: bytes
    terminal: str
    time: bytes

    @property
    def message(self) -> bytes:
        """The data of MAC1."""
        return self.amounts + self.kind + bytes.fromhex(self.terminal) + self.time

    @property
    def purchase_count(self) -> bytes:
        return self.opening[:2]

    @property
    def key_version(self) -> int:
        return self.opening[2]

    @property
    def random(self) -> bytes:
        return self.opening[4:]


class Mac1(NamedTuple):
    """What DEBIT FOR PURCHASE needs: terminal sequence(4), time(7, cn), MAC1(4)."""

    sequence: bytes
    time: bytes
    mac1: bytes


class CheckMac2(NamedTuple):
    """The card's MAC2(4) over a purchase. Answer: whether it was checked; a wrong MAC2 raises."""

    purchase: PurchaseMac
    made: Mac1
    mac2: bytes


Request = Prove | Seal | AskPin | PurchaseMac | CheckMac2
Flow = Generator[Any, Any, T]
"""An operation that yields commands and requests, is sent their answers and returns a ``T``.

The driver adds its own requests to ``Request``.
"""


def run(flow: Flow[T], send: Callable[[bytes], Answer], answer: Callable[[Any], object]) -> T:
    """Run a flow to its end: pass commands to ``send``, all other requests to ``answer``."""
    try:
        request = next(flow)
        while True:
            request = flow.send(send(request) if type(request) is bytes else answer(request))
    except StopIteration as end:
        result: T = end.value
        return result


def checked(answer: Answer, operation: Sayable, error: Callable[[Sayable, int], ApduError] = card_error) -> bytes:
    """The data of an answer; ``error`` is raised for any status word but 9000, with the operation's name."""
    if answer.sw != OK:
        raise error(operation, answer.sw)
    return answer.data
