"""A group of HSM steps: the calling program answers instead of a PSAM (driver-api.md §4).

A request of the flow becomes the pOutInfo of a step, and the pKey of the next
step becomes the answer.
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
"""Requests that need the HSM."""


class Steps:
    """An operation that is suspended when it needs the HSM; ``waits`` is true until its end."""

    def __init__(self, terminal: Terminal, flow: Flow[str]) -> None:
        self._terminal = terminal
        self._flow = flow
        self._asked: Any = None
        self._parameters: tuple[str, ...] = ()
        self.waits = True

    def resume(self, *parameters: str) -> str:
        """Resume with the parameters of a step (the first step has none); return its pOutInfo."""
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
        """Abort the operation."""
        self._flow.close()

    def _text(self, asked: Any) -> str:
        """The pOutInfo for a request to the calling program."""
        card: OpenedCard = asked.card
        algorithm = f"{card.algorithm:02X}"
        match asked:  # by class alone: each pattern with attributes leaks a little memory in CPython 3.11
            case CheckCard():
                identity = card.identity
                inputs = map(upper_hex, asked[1:])
                historical = upper_hex(card.historical)
                serial = self._terminal.options.device_serial
                last = () if serial is None else (serial,)
                return join(identity.city_code, historical, algorithm, identity.identification_code, *inputs, *last)
            case PurchaseMac():
                address = self._terminal.address(DPK, asked.key_index - 1)
                inputs = map(upper_hex, (asked.random, asked.purchase_count, asked.amounts[4:], asked.kind))
                return join(algorithm, address, *inputs, asked.terminal, asked.time.hex())
            case Seal():
                inputs = map(upper_hex, (asked.factor, asked.header, asked.pin or b""))
                return join(algorithm, self._terminal.address(asked.key), *inputs)
        return join(algorithm, self._terminal.address(asked.key), upper_hex(asked.factor), upper_hex(asked.original))

    def _read(self, asked: object, key: str) -> object:
        """The answer from a step's pKey."""
        match asked:
            case CheckCard():
                if not asked.factor:  # nothing to prove: that driver takes any pKey
                    return b"", b""
                least = fields.PROOFS_LENGTH if asked.key_factor else fields.PROOF_DIGITS
                return fields.proofs(fields.at_least(key, least))
            case Seal():
                return fields.message(key, asked.header, may_lack_header=asked.pin is not None)
            case PurchaseMac():
                return fields.purchase_key(fields.at_least(key, fields.PURCHASE_KEY_LENGTH))
        return fields.proof(fields.at_least(key, fields.PROOF_DIGITS))

    def _answer(self, asked: object) -> object:
        """The answer to a request that does not need the HSM."""
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
                _, *given = self._parameters or ("",)
                return self._terminal.pins.given(given[0]) if given else self._terminal.ask(asked)
        raise NotImplementedError(type(asked).__name__)
