"""Parts that the declarations of several PSAM commands share: status words, fields, examples."""

from __future__ import annotations

from typing import Final

from sscard.chip.command import EVERY_COMMAND, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.cipher import MAC_LENGTH

SHEET: Final = "driver-api.md §8"
WRITE_FAILED: Final = Phrase("memory failure; nothing is written")
NOT_IN_APPLICATION: Final = Phrase("the application DF01 is not the current DF")
IN_APPLICATION: Final[dict[int, Phrase]] = {**EVERY_COMMAND, SW.CONDITIONS_NOT_SATISFIED: NOT_IN_APPLICATION}
"""Status words of all commands that work in DF01 only."""
NO_CHALLENGE: Final = Phrase("no challenge")

NO_PARAMETERS: Final = (Parameter(0x00, 0x00),)
MAC: Final = Field(Words("MAC", "报文鉴别代码"), (MAC_LENGTH,))
FACTORS: Final = Field(Words("diversification factors: card, city, province", "分散因子：卡、地市、省"), (0, 8, 16, 24))

SELECT_SM4: Final = Sent(
    "00A404000F 7378332E73682EC9E7BBE1B1A3D5CF", "6F19840F7378332E73682EC9E7BBE1B1A3D5CFA5069F0C038601039000"
)
SELECT_APPLICATION: Final = Sent("00A4040006 D15600000590", "6F088406D156000005909000")
OPEN: Final = (SELECT_SM4, SELECT_APPLICATION)
"""The application in the environment of SM4."""
CHALLENGE: Final = Sent("0084000008", "XXXXXXXXXXXXXXXX9000")
PROVE_NATIONAL: Final = (CHALLENGE, Sent("0082000110 {proof KID-01}"))
DELIVER: Final = Sent("BFDE670828 8649510100000001 3531303130307378 3531303030307368 11223344556677880000000000000000")
