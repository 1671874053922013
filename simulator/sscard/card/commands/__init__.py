"""Every command of the card; adding one means adding its module and its name here."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.authenticate import EXTERNAL_AUTHENTICATION, INTERNAL_AUTHENTICATION
from sscard.card.commands.block import APPLICATION_BLOCK, CARD_BLOCK
from sscard.card.commands.certificates import VERIFY_CERTIFICATE_PIN
from sscard.card.commands.challenge import GET_CHALLENGE
from sscard.card.commands.declared import SELECT_SSSE
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
from sscard.card.commands.select import SELECT
from sscard.card.commands.update import (
    UPDATE_BINARY,
    UPDATE_BINARY_WITH_MAC,
    UPDATE_RECORD,
    UPDATE_RECORD_WITH_MAC,
)
from sscard.card.session import Session
from sscard.chip.command import Command, CommandTable
from sscard.chip.engine import get_response_command
from sscard.i18n.phrase import Phrase
from sscard.standard.apdu import SW

CardCommand = Command[Session]
GET_RESPONSE: Final = get_response_command(
    SELECT_SSSE, {SW.APPLICATION_BLOCKED: Phrase("the current application is locked")}
)
COMMANDS: Final[tuple[CardCommand, ...]] = (
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

TABLE: Final = CommandTable(COMMANDS)
CERTIFICATE_COMMANDS: Final[tuple[CardCommand, ...]] = (
    SELECT,
    READ_BINARY,
    GET_CHALLENGE,
    VERIFY_CERTIFICATE_PIN,
    GET_RESPONSE,
)
CERTIFICATE_TABLE: Final = CommandTable(CERTIFICATE_COMMANDS, clas=TABLE.clas)
"""The commands while the certificate environment or its ADF is current; others of the same CLA are unknown there."""
DECLARED: Final[tuple[CardCommand, ...]] = (*COMMANDS, VERIFY_CERTIFICATE_PIN)
"""Every command that the card has anywhere."""
