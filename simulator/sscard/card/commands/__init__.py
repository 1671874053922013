"""Every command of the card; adding one means adding its module and its name here."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.authenticate import EXTERNAL_AUTHENTICATION, INTERNAL_AUTHENTICATION
from sscard.card.commands.block import APPLICATION_BLOCK, CARD_BLOCK
from sscard.card.commands.challenge import GET_CHALLENGE
from sscard.card.commands.declaration import Command
from sscard.card.commands.medical_inquiry import (
    GET_BALANCE,
    GET_STARTING_DAY,
    GET_TRANSACTION_PROOF,
    UPDATE_STARTING_DAY,
)
from sscard.card.commands.medical_load import CREDIT_FOR_LOAD, INITIALIZE_FOR_LOAD
from sscard.card.commands.medical_purchase import DEBIT_FOR_PURCHASE, INITIALIZE_FOR_PURCHASE
from sscard.card.commands.pin import CHANGE_PIN, PIN_CHANGE_UNBLOCK, VERIFY
from sscard.card.commands.read import READ_BINARY, READ_RECORD
from sscard.card.commands.response import GET_RESPONSE
from sscard.card.commands.select import SELECT
from sscard.card.commands.update import (
    UPDATE_BINARY,
    UPDATE_BINARY_WITH_MAC,
    UPDATE_RECORD,
    UPDATE_RECORD_WITH_MAC,
)

COMMANDS: Final[tuple[Command, ...]] = (
    SELECT,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    UPDATE_BINARY_WITH_MAC,
    UPDATE_RECORD,
    UPDATE_RECORD_WITH_MAC,
    GET_CHALLENGE,
    INTERNAL_AUTHENTICATION,
    EXTERNAL_AUTHENTICATION,
    VERIFY,
    CHANGE_PIN,
    PIN_CHANGE_UNBLOCK,
    APPLICATION_BLOCK,
    CARD_BLOCK,
    GET_RESPONSE,
    INITIALIZE_FOR_LOAD,
    CREDIT_FOR_LOAD,
    INITIALIZE_FOR_PURCHASE,
    DEBIT_FOR_PURCHASE,
    GET_BALANCE,
    GET_TRANSACTION_PROOF,
    UPDATE_STARTING_DAY,
    GET_STARTING_DAY,
)


def _by_code(commands: tuple[Command, ...]) -> dict[int, Command]:
    table: dict[int, Command] = {}
    for command in commands:
        for cla in command.clas:
            command.sibling = table.get(cla << 8 | command.ins)
            table[cla << 8 | command.ins] = command
    return table


BY_CODE: Final = _by_code(COMMANDS)
"""Commands by CLA·256+INS; those that P1 P2 tell apart are chained by ``sibling``."""
KNOWN_CLAS: Final = frozenset(code >> 8 for code in BY_CODE)
KNOWN_INS: Final = frozenset(code & 0xFF for code in BY_CODE)
