"""A group of HSM steps: the calling program answers what a PSAM would (driver-api.md §4).

What a flow asks becomes the pOutInfo of a step, and the pKey of the next step
becomes the answer.
"""

from __future__ import annotations

from typing import Any

from sscard.driver import fields
from sscard.driver.fields import join, upper_hex
from sscard.driver.requests import BeginPurchase, CheckCard, Require, WriteData
from sscard.driver.station import DPK, Terminal
from sscard.terminal.card import OpenedCard
from sscard.terminal.flow import AskPin, CheckMac2, Flow, Prove, PurchaseMac, Seal

ASKED = (CheckCard, Prove, Seal, PurchaseMac)
"""What needs the HSM."""


class Steps:
    """An operation that stops where it needs the HSM; ``waits`` for the next step until its end."""

    def __init__(self, terminal: Terminal, flow: Flow[str]) -> None:
        self._terminal = terminal
        self._flow = flow
        self._asked: Any = None
        self._parameters: tuple[str, ...] = ()
        self.waits = True

    def go_on(self, *parameters: str) -> str:
        """Take the parameters of a step, none for the first; the pOutInfo of it."""
        self._parameters = parameters
        answer: object = self._read(self._asked, parameters[0]) if parameters else None
        try:
            while True:
                asked = self._flow.send(answer)
                if type(asked) is bytes:
                    answer = self._terminal.send(asked)
                elif isinstance(asked, ASKED):
                    self._asked = asked
                    return self._text(asked)
                else:
                    answer = self._answer(asked)
        except StopIteration as end:
            self.waits = False
            out: str = end.value
            return out

    def close(self) -> None:
        """End the operation where it stands."""
        self._flow.close()

    def _text(self, asked: Any) -> str:
        """What the calling program is asked."""
        card: OpenedCard = asked.card
        algorithm = f"{card.algorithm:02X}"
        match asked:  # by class alone: each pattern with attributes leaks a little memory in CPython 3.11
            case CheckCard():
                identity = card.identity
                inputs = map(upper_hex, asked[1:])
                historical = upper_hex(card.historical)
                return join(identity.city_code, historical, algorithm, identity.identification_code, *inputs)
            case PurchaseMac():
                address = self._terminal.address(DPK, asked.key_index - 1)
                inputs = map(upper_hex, (asked.random, asked.purchase_count, asked.amounts[4:], asked.kind))
                return join(algorithm, address, *inputs, asked.terminal, asked.time.hex())
            case Seal():
                inputs = map(upper_hex, (asked.factor, asked.header, asked.pin or b""))
                return join(algorithm, self._terminal.address(asked.key), *inputs)
        return join(algorithm, self._terminal.address(asked.key), upper_hex(asked.factor), upper_hex(asked.original))

    def _read(self, asked: object, key: str) -> object:
        """The answer in a step's pKey."""
        match asked:
            case CheckCard():
                return fields.proofs(key)
            case Seal():
                return fields.message(key, asked.header)
            case PurchaseMac():
                return fields.purchase_key(key)
        return fields.proof(key)

    def _answer(self, asked: object) -> object:
        """The answer that needs no HSM."""
        match asked:
            case Require():
                for key in asked.keys:
                    self._terminal.address(key)
                return None
            case WriteData():
                return self._parameters[1]
            case BeginPurchase():
                self._terminal.address(DPK, asked.key_index - 1)
                return self._terminal.number()
            case CheckMac2():
                return False
            case AskPin():
                return self._terminal.ask(asked)
        raise NotImplementedError(type(asked).__name__)
