"""A card at a terminal with an HSM: one method per operation (LD/T 32.7, terminal-flows.md §1, §5, §6, §7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from typing import Final, TypeVar

from sscard.errors import TransportError
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase
from sscard.standard.applications import DF04
from sscard.standard.atr import historical_bytes
from sscard.standard.encoding import encode_given_pin
from sscard.standard.tree import PURCHASE_TYPES
from sscard.terminal import flows
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.card import BasicData, Identity, OpenedCard
from sscard.terminal.flow import Flow, Request, run
from sscard.transport.connection import Connection, exchange

T = TypeVar("T")

Answers = Callable[[Request], object]
"""Answers the requests of a flow that are not commands for the card."""
KEY_INDEX: Final = 1
TERMINAL_NUMBER: Final = "410400000001"


@dataclass(frozen=True, slots=True)
class Receipt:
    """A purchase that was posted: amounts in fen, the card's purchase count, its proof (TAC, 8 hex digits)."""

    account: int
    self_paid: int
    count: int
    time: datetime
    tac: str = field(repr=False)


class CardSession:
    """A powered and identified card at a terminal, with an HSM.

    Create it with ``CardSession.start``. A PIN is a string of 4–16 digits, other
    values raise a ``ValueError`` that does not contain the digits. If the card refuses a
    command, the error is an ``ApduError`` with the status word: ``WrongPin`` and
    ``AuthenticationFailed`` with the tries left, ``PinBlocked``, ``KeyBlocked``,
    ``CardUnusable``. Other errors: ``HsmError`` of the HSM, ``TransportError`` of
    the connection. ``card`` is the data read from the card. One thread at a time
    may use a session.
    """

    def __init__(self, connection: Connection, answers: Answers, card: OpenedCard) -> None:
        self.card = card
        self._connection = connection
        self._send = partial(exchange, connection)
        self._answers = answers
        self._sequences = count(1)

    @classmethod
    def start(cls, connection: Connection, hsm: Hsm) -> CardSession:
        """Power the card, select SSSE, and read its algorithm and identity (terminal-flows.md §1).

        ``UnknownAlgorithm`` is raised by the first operation that needs a key.
        """
        return cls.open(connection, HsmAnswers(hsm))

    @classmethod
    def open(cls, connection: Connection, answers: Answers) -> CardSession:
        """Like ``start``, with another source of key operations than an HSM, such as ``Psam.answer``."""
        try:
            historical = historical_bytes(connection.power_on())
        except IndexError:
            raise TransportError(Phrase("the card sent no ATR, or one that is too short")) from None
        return cls(connection, answers, run(flows.open_card(historical), partial(exchange, connection), answers))

    @property
    def identity(self) -> Identity:
        return self.card.identity

    @property
    def historical(self) -> bytes:
        """The 13 historical bytes of the ATR: chip maker(2), COS(3), card serial(8)."""
        return self.card.historical

    def close(self) -> None:
        """Power the card off."""
        self._connection.power_off()

    def run(self, flow: Flow[T]) -> T:
        """Run any flow on the card, with the HSM for its keys."""
        return run(flow, self._send, self._answers)

    def read_basic(self) -> BasicData:
        """Read EF05 and EF06; a card of generation 3.0 needs the proof of RKSSSE first (terminal-flows.md §5)."""
        return self.run(flows.read_basic(self.card))

    def tries_left(self) -> int | None:
        """Tries left of the PIN, without using one; ``None`` if the card has no PIN or it is verified [OC-4]."""
        return self.run(flows.tries_left())

    def verify_pin(self, pin: str) -> None:
        """VERIFY (LD/T 32.5): ``WrongPin`` with the tries left, ``PinBlocked`` if there is no try left."""
        self.run(flows.verify_pin(pin))

    def change_pin(self, old: str, new: str) -> None:
        """CHANGE PIN (修改): the holder knows the old PIN. An empty one means no PIN."""
        self.run(flows.change_pin(old, new))

    def reset_pin(self, new: str) -> None:
        """PIN reset (重置): the issuer sets a new PIN and restores all tries.

        Two challenges, the proof of PUK, a challenge, PIN CHANGE/UNBLOCK under
        STK (terminal-flows.md §6.1). A wrong proof costs one of PUK's tries:
        ``AuthenticationFailed``, then ``KeyBlocked``.
        """
        self.run(flows.reset_pin(self.card, encode_given_pin(new)))

    def unblock_pin(self) -> None:
        """PIN unblock (解锁): the old PIN is valid again, with all its tries."""
        self.run(flows.unblock_pin(self.card))

    def challenge(self) -> bytes:
        """GET CHALLENGE: 8 random bytes of the card."""
        return self.run(flows.challenge())

    def pay(
        self, pin: str, cost: int, hsm: Hsm, now: datetime, *, account: int = 0, ascii_type: bool = False
    ) -> Receipt:
        """Pay a cost in fen at a pharmacy (terminal-flows.md §7), ``account`` of it from the account of the card.

        ``hsm`` replaces the pharmacy's PSAM. The transaction type is
        binary in MAC1, or ASCII with ``ascii_type`` [OC-18]. Errors as of
        ``verify_pin``, and ``ApduError`` for any other refusal.
        """
        self.run(flows.select_df(DF04))
        self.verify_pin(pin)
        self_paid = cost - account
        amounts = b"".join(amount.to_bytes(4, "big") for amount in (account, self_paid, 0))
        time = bytes.fromhex(f"{now:%Y%m%d%H%M%S}")
        buying = flows.purchase(self.card, KEY_INDEX, amounts, PURCHASE_TYPES[ascii_type], TERMINAL_NUMBER, time)
        bought = run(buying, self._send, HsmAnswers(hsm, self._sequences))
        return Receipt(
            account, self_paid, int.from_bytes(bought.asked.purchase_count, "big"), now, bought.tac.hex().upper()
        )
