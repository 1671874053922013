"""Parts that the declarations of several commands share: status words, fields, examples."""

from __future__ import annotations

from typing import Final

from sscard.chip.command import EVERY_COMMAND, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import MAC_LENGTH

LOCKABLE: Final[dict[int, Phrase]] = {
    **EVERY_COMMAND,
    SW.APPLICATION_BLOCKED: Phrase("the current application is locked"),
}
"""What any command of the card may answer."""
WRITE_FAILED: Final = Phrase("memory failure; nothing is written")
NO_CHALLENGE: Final = Phrase("no challenge for the MAC")
WRONG_MAC: Final = Phrase("MAC wrong")

NO_PARAMETERS: Final = (Parameter(0x00, 0x00),)

MAC: Final = Field(Words("MAC", "报文鉴别代码"), (MAC_LENGTH,))
AUTHENTICATION_DATA: Final = Field(Words("authentication data", "鉴别数据"), (8,))
ORIGINAL_DATA: Final = Field(Words("original data", "原始数据"), (8,))
KEY_VERSION: Final = Field(Words("key version, may be absent", "密钥版本，可缺省"), (0, 1))

SELECT_SSSE: Final = Sent(
    "00A404000F 7378312E73682EC9E7BBE1B1A3D5CF", "6F1C840F7378312E73682EC9E7BBE1B1A3D5CFA50988011E9F0C038601XX9000"
)
CHALLENGE: Final = Sent("0084000008", "XXXXXXXXXXXXXXXX9000")
SET_PIN: Final = Sent("0020000003 123456")
"""VERIFY of the PIN that a card is issued with."""


def proof(key: str, number: int) -> tuple[Sent, Sent]:
    """Challenge and EXTERNAL AUTHENTICATION with a key of the current DF or SSSE."""
    return CHALLENGE, Sent(f"008200{number:02X}10 {{proof {key}}}")
