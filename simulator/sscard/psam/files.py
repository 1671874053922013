"""SELECT and the reading and writing of a PSAM's files (driver-api.md §8).

The sheet's table stops at SELECT; READ and UPDATE are those of the user's card.
"""

from __future__ import annotations

from typing import Final

from sscard.chip.answers import (
    CONDITIONS_NOT_SATISFIED,
    FILE_NOT_FOUND,
    NO_CURRENT_EF,
    NOT_SUPPORTED,
    OFFSET_OUTSIDE,
    OK,
    RECORD_NOT_FOUND,
    SECURITY_NOT_SATISFIED,
    WRONG_FILE_STRUCTURE,
    WRONG_LENGTH,
    WRONG_P1P2,
    wrong_le,
)
from sscard.chip.command import EVERY_COMMAND, Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.psam.declared import OPEN, PROVE_NATIONAL, SELECT_SM4, SHEET, WRITE_FAILED
from sscard.psam.layout import (
    APPLICATION_AID,
    APPLICATION_FID,
    FILES_BY_SFI,
    SSF33_FID,
    SSF33_NAME,
    Kind,
    PsamFile,
)
from sscard.psam.session import PsamSession
from sscard.standard.addressing import BY_NUMBER, binary_address
from sscard.standard.apdu import SW
from sscard.standard.encoding import tlv

BY_FID, EF_BY_FID, BY_NAME = 0x00, 0x02, 0x04


def select(session: PsamSession) -> bytes:
    """Make an environment, the application or an EF current; the first two answer their FCI."""
    p1 = session.p1
    data = session.data
    if (len(data) >= 5) != (p1 == BY_NAME):
        return WRONG_LENGTH
    if p1 == EF_BY_FID:
        ef = _file(session, data[1]) if data[0] == 0 else None
        if ef is None:
            return FILE_NOT_FOUND
        if ef.kind == Kind.KEYS:
            return CONDITIONS_NOT_SATISFIED
        session.ef = ef
        return OK
    if data in (APPLICATION_AID, APPLICATION_FID.to_bytes(2, "big")):
        session.enter(session.environment, application=True)
        return tlv(0x6F, tlv(0x84, APPLICATION_AID)) + OK
    for place, held in enumerate(session.profile.environments):
        if data in (held.name, held.fid.to_bytes(2, "big")):
            session.enter(place, application=False)
            algorithm = tlv(0x9F0C, tlv(0x86, bytes((held.suite.algorithm_id,))))
            return tlv(0x6F, tlv(0x84, held.name) + tlv(0xA5, algorithm)) + OK
    return NOT_SUPPORTED if data in (SSF33_NAME, SSF33_FID.to_bytes(2, "big")) else FILE_NOT_FOUND


def _file(session: PsamSession, sfi: int) -> PsamFile | None:
    """The EF with this low byte of its FID in the current DF."""
    found = FILES_BY_SFI.get(sfi)
    return found if found and found.in_application == session.in_application else None


def _locate(session: PsamSession, sfi: int, kind: Kind) -> PsamFile | bytes:
    """The EF of a read or update (SFI 0: the current EF), or the error."""
    ef = _file(session, sfi) if sfi else session.ef
    if ef is None:
        return FILE_NOT_FOUND if sfi else NO_CURRENT_EF
    if ef.kind == Kind.KEYS:
        return SECURITY_NOT_SATISFIED
    return ef if ef.kind == kind else WRONG_FILE_STRUCTURE


def read_binary(session: PsamSession) -> bytes:
    """Answer Le bytes of a transparent EF from an offset; Le=00 to the end."""
    le = session.le
    sfi, offset = binary_address(session.p1, session.p2)
    ef = _locate(session, sfi, Kind.TRANSPARENT) if sfi >= 0 else WRONG_P1P2
    if isinstance(ef, bytes):
        return ef
    content = session.content(ef.sfi)
    left = len(content) - offset
    if left <= 0:
        return OFFSET_OUTSIDE
    if le > left:
        return wrong_le(left)
    session.ef = ef
    return content[offset : offset + (le or left)] + OK


def read_record(session: PsamSession) -> bytes:
    """Answer the one record of the directory, by number."""
    p2 = session.p2
    ef = _locate(session, p2 >> 3, Kind.RECORDS) if p2 & 0b111 == BY_NUMBER else WRONG_P1P2
    if isinstance(ef, bytes):
        return ef
    content = session.content(ef.sfi)
    if session.p1 != 1:
        return RECORD_NOT_FOUND
    if session.le != len(content):
        return wrong_le(len(content))
    session.ef = ef
    return content + OK


def update_binary(session: PsamSession) -> bytes:
    """Write data into a transparent EF at an offset; its own key must be authenticated."""
    data = session.data
    sfi, offset = binary_address(session.p1, session.p2)
    ef = _locate(session, sfi, Kind.TRANSPARENT) if sfi >= 0 else WRONG_P1P2
    if isinstance(ef, bytes):
        return ef
    if ef.writer not in session.authenticated:
        return SECURITY_NOT_SATISFIED
    content = session.content(ef.sfi)
    if offset >= len(content):
        return OFFSET_OUTSIDE
    end = offset + len(data)
    if end > len(content):
        return WRONG_LENGTH
    session.memory.put_string(session.file_cell(ef.sfi), content[:offset] + data + content[end:])
    session.ef = ef
    return OK


_FILE: Final = {
    **EVERY_COMMAND,
    SW.SECURITY_NOT_SATISFIED: Phrase("an EF of keys, which is never read"),
    SW.NO_CURRENT_EF: Phrase("no current EF"),
    SW.FILE_NOT_FOUND: Phrase("no EF with this SFI in the current DF"),
}
_BINARY: Final = {
    **_FILE,
    SW.WRONG_FILE_STRUCTURE: Phrase("the EF is not transparent"),
    SW.OFFSET_OUTSIDE: Phrase("offset outside the EF"),
}
_READ: Final = Phrase("data read; the EF is the current one now")
_BINARY_PARAMETERS: Final = (
    Parameter("100sssss", "00–FF", Phrase("EF with SFI sssss of the current DF, from offset P2")),
    Parameter("0xxxxxxx", "00–FF", Phrase("current EF, from offset P1·256+P2")),
)
SELECT: Final = Command(
    "SELECT",
    "选择文件",
    SHEET,
    (0x00,),
    0xA4,
    select,
    {
        **EVERY_COMMAND,
        SW.OK: Phrase("selected; a DF answers its FCI, an EF no data"),
        SW.WRONG_LENGTH: Phrase("Lc does not fit P1"),
        SW.CONDITIONS_NOT_SATISFIED: Phrase("an EF of keys cannot be selected"),
        SW.NOT_SUPPORTED: Phrase("the PSAM is locked, or the environment is that of SSF33"),
        SW.FILE_NOT_FOUND: Phrase("no such DF or EF; the selection is unchanged"),
    },
    parameters=(
        Parameter(0x00, 0x00, Phrase("environment or application by FID (Lc 02)")),
        Parameter(0x02, 0x00, Phrase("EF of the current DF by FID (Lc 02)")),
        Parameter(0x04, 0x00, Phrase("environment or application by name (Lc 05–10)")),
    ),
    data=(Field(Words("FID or name", "文件标识符或名称"), (2, *range(5, 17))),),
    answer=(Field(Words("FCI of a DF", "DF的文件控制信息"), form="TLV"),),
    example=(*OPEN, Sent("00A4020002 0019")),
)
READ_BINARY: Final = Command(
    "READ BINARY",
    "读取二进制数据",
    SHEET,
    (0x00,),
    0xB0,
    read_binary,
    {**_BINARY, SW.OK: _READ, SW.WRONG_LE: Phrase("Le reaches beyond the end; xx bytes are left")},
    parameters=_BINARY_PARAMETERS,
    answer=(
        Field(
            Words("contents from the offset, Le=00: to the end", "从偏移量起的内容，Le=00：到文件末尾"), range(1, 16)
        ),
    ),
    example=(*OPEN, Sent("00B0990004", "000000019000")),
)
READ_RECORD: Final = Command(
    "READ RECORD",
    "读取记录",
    SHEET,
    (0x00,),
    0xB2,
    read_record,
    {
        **_FILE,
        SW.OK: _READ,
        SW.WRONG_FILE_STRUCTURE: Phrase("the EF has no records"),
        SW.RECORD_NOT_FOUND: Phrase("no such record"),
        SW.WRONG_LE: Phrase("Le is not the length of the record, which is xx"),
    },
    parameters=(
        Parameter("01", "sssss100", Phrase("record 1, the only one, of the EF with SFI sssss (0: current EF)")),
    ),
    answer=(Field(Words("record", "记录"), (10,), "TLV"),),
    example=(SELECT_SM4, Sent("00B2010C0A", "61084F06D156000005909000")),
)
UPDATE_BINARY: Final = Command(
    "UPDATE BINARY",
    "更新二进制数据",
    SHEET,
    (0x00,),
    0xD6,
    update_binary,
    {
        **_BINARY,
        SW.OK: Phrase("written; the EF is the current one now"),
        SW.MEMORY_FAILURE: WRITE_FAILED,
        SW.WRONG_LENGTH: Phrase("no data, or the data reach beyond the end of the EF"),
        SW.SECURITY_NOT_SATISFIED: Phrase("the key that writes the EF is not proven"),
    },
    parameters=_BINARY_PARAMETERS,
    data=(Field(Words("data to write", "要写入的数据"), range(1, 256)),),
    example=(*OPEN, *PROVE_NATIONAL, Sent("00D69A0002 0101")),
)
