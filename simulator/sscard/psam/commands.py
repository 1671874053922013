"""Every command of the PSAM; adding one means adding its function and its name here."""

from __future__ import annotations

from typing import Final

from sscard.chip.command import Command, CommandTable
from sscard.chip.engine import get_response_command
from sscard.psam.authenticate import EXTERNAL_AUTHENTICATION, GET_CHALLENGE, INITIALIZE_ENVIRONMENT
from sscard.psam.declared import SELECT_SM4
from sscard.psam.files import READ_BINARY, READ_RECORD, SELECT, UPDATE_BINARY
from sscard.psam.keyfiles import CREATE_OR_CHANGE_KEY
from sscard.psam.purchase import CREDIT_SAM_FOR_PURCHASE, INIT_SAM_FOR_PURCHASE
from sscard.psam.session import PsamSession
from sscard.psam.sessionkey import CIPHER_DATA, DELIVERY_SESSION_KEY

PSAM_COMMANDS: Final[tuple[Command[PsamSession], ...]] = (
    SELECT,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    get_response_command(SELECT_SM4, {}),
    GET_CHALLENGE,
    INITIALIZE_ENVIRONMENT,
    EXTERNAL_AUTHENTICATION,
    CREATE_OR_CHANGE_KEY,
    DELIVERY_SESSION_KEY,
    CIPHER_DATA,
    INIT_SAM_FOR_PURCHASE,
    CREDIT_SAM_FOR_PURCHASE,
)
TABLE: Final = CommandTable(PSAM_COMMANDS)
