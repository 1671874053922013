"""The parameter and result strings of driver functions (driver-api.md §2 and §4).

Fields end with ``|``, the last one too. A parameter too long for its buffer
or of a wrong length is −42, one with invalid characters −41, one of the wrong
form −14, one with an invalid value −23.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from sscard.driver.errors import Code, DriverError, ShortKey
from sscard.standard.cipher import AUTHENTICATION_LENGTH, FACTOR_LENGTH, MAC_LENGTH
from sscard.terminal.card import Identity
from sscard.terminal.flow import Mac1

CARD_INFO_LENGTH: Final = 128
FILE_ADDRESS_LENGTH: Final = 1024
WRITE_DATA_LENGTH: Final = 20480
PAY_INFO_LENGTH: Final = 512

PROOF_LENGTH: Final = AUTHENTICATION_LENGTH + FACTOR_LENGTH
PROOF_DIGITS: Final = 2 * PROOF_LENGTH
PROOFS_LENGTH: Final = 2 * PROOF_DIGITS
PURCHASE_KEY_LENGTH: Final = 8 + 14 + 8 + 3
"""Characters of a pKey: a proof, two proofs without bars, and that of a purchase with its three bars."""
CARD_NUMBER_LENGTH: Final = 9
HEADER_LENGTH: Final = 5
FILE_END: Final = "|$"
SSSE: Final = "SSSE"
SSSE_SPELLINGS: Final = ("3F00", "DDF1")
"""DF parts of pFileAddr that mean SSSE too: the FID of the MF (program practice) and of SSSE (inferred)."""
AMOUNT_LIMIT: Final = 0xFFFF_FFFF
"""42949672.95 yuan in fen: upper bound (exclusive) of an amount."""

SERIAL: Final = re.compile(r"[^|\x00-\x1f\x7f]{0,128}")
"""A device serial: up to 128 characters without bars and control characters."""

_IDENTIFICATION_CODE = re.compile(r"\d{6}D156000005[0-9A-F]{16}", re.ASCII)
_CARD_NUMBER = re.compile(r"[0-9A-Z]{9}", re.ASCII)
_FILE = re.compile(r"(SSSE|3F00|DDF1|DF[0-9A-F]{2})(EF[0-9A-F]{2})", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]*", re.ASCII)
_AMOUNT = re.compile(r"\d{1,8}\.\d\d", re.ASCII)


class FileFields(NamedTuple):
    """A file of pFileAddr or pWriteData: where it is, in the spelling of the program, and its items or values."""

    df: str
    ef: int
    fields: tuple[str, ...]

    @property
    def place(self) -> tuple[str, int]:
        """DF and EF, with one spelling of SSSE."""
        return (SSSE if self.df in SSSE_SPELLINGS else self.df), self.ef


@dataclass(frozen=True, slots=True)
class Payment:
    """The fields of pPayInfo: total, and account plus pool fund, in fen (below 2³²−1); time of 14 digits."""

    total: int
    account_and_pool: int
    time: str


def join(*fields: str) -> str:
    """Fields as the driver writes them, each ended by ``|``."""
    return "".join(f"{field}|" for field in fields)


def fit(text: str, size: int) -> str:
    """The text unchanged; −42 if it does not fit a buffer of ``size`` bytes in GBK."""
    if len(text.encode("gbk", errors="replace")) > size:
        raise DriverError(Code.LENGTH)
    return text


def split(text: str, count: int) -> list[str]:
    """Exactly ``count`` fields; −14 for any other form."""
    fields = text.split("|")
    if len(fields) != count + 1 or fields.pop():
        raise DriverError(Code.PARAMETER)
    return fields


def card_info(text: str) -> Identity:
    """The fields of pCardInfo: identification code (−20 if it is invalid) and card number."""
    code, number = split(fit(text, CARD_INFO_LENGTH), 2)
    if len(number) != CARD_NUMBER_LENGTH:
        raise DriverError(Code.LENGTH)
    if not _CARD_NUMBER.fullmatch(number):
        raise DriverError(Code.CHARACTERS)
    return Identity(identification_code(code), number)


def identification_code(text: str) -> str:
    """An identification code (卡的识别码), 32 characters; −20 for anything else."""
    if not _IDENTIFICATION_CODE.fullmatch(text):
        raise DriverError(Code.IDENTIFICATION_CODE)
    return text


def files(text: str, limit: int = FILE_ADDRESS_LENGTH) -> list[FileFields]:
    """The files of pFileAddr or pWriteData: one entry per file, at least one."""
    *parts, rest = fit(text, limit).split(FILE_END)
    if rest or not parts:
        raise DriverError(Code.PARAMETER)
    found = []
    for name, *fields in (part.split("|") for part in parts):
        address = _FILE.fullmatch(name)
        if address is None:
            raise DriverError(Code.PARAMETER)
        found.append(FileFields(address[1], int(address[2], 16), tuple(fields)))
    return found


def file_text(file: FileFields, values: list[str]) -> str:
    """A file with its values, in the form of pFileAddr; only the file if it has no value."""
    return join(f"{file.df}EF{file.ef & 0xFF:02X}", *values) + "$"


def pay_info(text: str) -> Payment:
    """The fields of pPayInfo."""
    total, account_and_pool, time = split(fit(text, PAY_INFO_LENGTH), 3)
    return Payment(_fen(total), _fen(account_and_pool), _time(time))


def _fen(text: str) -> int:
    if not _AMOUNT.fullmatch(text):
        raise DriverError(Code.CHARACTERS)
    amount = int(text.replace(".", ""))
    if amount >= AMOUNT_LIMIT:
        raise DriverError(Code.ILLEGAL_DATA)
    return amount


def _time(text: str) -> str:
    try:
        datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007 - local time, as printed
    except ValueError:
        raise DriverError(Code.ILLEGAL_DATA) from None
    if len(text) != 14:
        raise DriverError(Code.LENGTH)
    return text


def yuan(fen: int) -> str:
    """An amount with two decimals."""
    return f"{fen // 100}.{fen % 100:02d}"


def hexadecimal(text: str, length: int) -> bytes:
    """``length`` bytes from hex digits; −42 for another length, −41 for other characters."""
    if len(text) != 2 * length:
        raise DriverError(Code.LENGTH)
    return any_hexadecimal(text)


def any_hexadecimal(text: str) -> bytes:
    """Bytes from hex digits; −41 for other characters, −42 for an odd number of digits."""
    if not _HEX.fullmatch(text):
        raise DriverError(Code.CHARACTERS)
    if len(text) % 2:
        raise DriverError(Code.LENGTH)
    return bytes.fromhex(text)


def upper_hex(data: bytes) -> str:
    """Bytes as the driver writes them."""
    return data.hex().upper()


def proof(text: str) -> bytes:
    """The pKey of an external authentication: authentication data(8) ‖ original data(8), no ``|``."""
    return hexadecimal(text, PROOF_LENGTH)


def proofs(text: str) -> tuple[bytes, bytes]:
    """The pKey of iReadCardBas_HSM_Step2: internal and external, 16 bytes each; external is empty if not needed."""
    internal, external = split(fit(text, 4 * PROOF_LENGTH + 2), 2)
    return proof(internal), proof(external) if external else b""


def at_least(key: str, least: int) -> str:
    """A pKey of a second step unchanged; ``ShortKey`` if it has fewer than ``least`` characters."""
    if len(key) < least:
        raise ShortKey(Code.LENGTH)
    return key


def message(text: str, header: bytes, *, may_lack_header: bool) -> bytes:
    """The pKey with a complete command with MAC; its header (5 bytes) must be the one returned before, else −23.

    With ``may_lack_header`` a pKey of the command's data alone, 24 or 40
    digits for a reset, gets the header (driver-api.md §3.1).
    """
    if may_lack_header and len(text) == 2 * header[-1]:
        text = upper_hex(header) + text
    command = hexadecimal(text, HEADER_LENGTH + header[-1])
    if command[:HEADER_LENGTH] != header:
        raise DriverError(Code.ILLEGAL_DATA)
    return command


def purchase_key(text: str) -> Mac1:
    """The pKey of iDoDebit_HSM_Step2."""
    sequence, time, mac1 = split(fit(text, 128), 3)
    return Mac1(hexadecimal(sequence, 4), hexadecimal(_time(time), 7), hexadecimal(mac1, MAC_LENGTH))
