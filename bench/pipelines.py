"""The commands and pipelines that several benchmarks measure.

``SEVEN`` is what the terminal's flows send to change a PIN at a window, without
cryptography: select SSSE, read identification code and card number from EF05,
ask the tries left, change the PIN, verify the new one. Le is the length that
the standard gives, and the new PIN is the old one, so that the commands can be
repeated. ``seven_with_keys`` is a forgotten PIN: select SSSE, prove PUK over two
challenges, reset the PIN over a third, verify it.
"""

from __future__ import annotations

from sscard.standard.encoding import encode_given_pin
from sscard.terminal import CardSession, flows
from sscard.terminal.card import OpenedCard
from sscard.terminal.flow import Flow

PIN, OTHER_PIN = "123456", "654321"
SELECT_SSSE = bytes.fromhex("00A404000F7378312E73682EC9E7BBE1B1A3D5CF")
SELECT_EF05 = bytes.fromhex("00A4020002EF05")
READ_CODE = bytes.fromhex("00B2010012")
READ_NUMBER = bytes.fromhex("00B207000B")
QUERY = bytes.fromhex("0020000000")
CHANGE = bytes.fromhex("805E010007123456FF123456")
VERIFY = bytes.fromhex("0020000003123456")
WRONG = bytes.fromhex("0020000003111111")
GET_CHALLENGE = bytes.fromhex("0084000008")
SEVEN = (SELECT_SSSE, SELECT_EF05, READ_CODE, READ_NUMBER, QUERY, CHANGE, VERIFY)


def seven_with_keys(card: OpenedCard) -> Flow[None]:
    """Seven commands on a contactless card; over contact T=0 adds GET RESPONSE after the SELECT."""
    yield from flows.select_ssse()
    yield from flows.reset_pin(card, encode_given_pin(PIN))
    yield from flows.verify_pin(PIN)


class PinOperations:
    """Changes and resets in one session; each new PIN is another than the one before."""

    def __init__(self, session: CardSession) -> None:
        self.pin = PIN
        self._session = session

    def change(self) -> None:
        new = self._next()
        self._session.change_pin(self.pin, new)
        self.pin = new

    def reset(self) -> None:
        new = self._next()
        self._session.reset_pin(new)
        self.pin = new

    def _next(self) -> str:
        return OTHER_PIN if self.pin == PIN else PIN
