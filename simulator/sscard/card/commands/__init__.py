"""Every command of the card; adding one means adding its module and its name here."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.authenticate import EXTERNAL_AUTHENTICATION
from sscard.card.commands.challenge import GET_CHALLENGE
from sscard.card.commands.declaration import Command
from sscard.card.commands.pin import CHANGE_PIN, PIN_CHANGE_UNBLOCK, VERIFY
from sscard.card.commands.read import READ_RECORD
from sscard.card.commands.response import GET_RESPONSE
from sscard.card.commands.select import SELECT

COMMANDS: Final[tuple[Command, ...]] = (
    SELECT,
    READ_RECORD,
    GET_CHALLENGE,
    EXTERNAL_AUTHENTICATION,
    VERIFY,
    CHANGE_PIN,
    PIN_CHANGE_UNBLOCK,
    GET_RESPONSE,
)
BY_CODE: Final = {cla << 8 | command.ins: command for command in COMMANDS for cla in command.clas}
"""Commands by CLA·256+INS."""
KNOWN_CLAS: Final = frozenset(code >> 8 for code in BY_CODE)
KNOWN_INS: Final = frozenset(code & 0xFF for code in BY_CODE)
