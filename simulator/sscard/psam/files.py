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
from sscard.chip.command import Command
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
    """The EF a read or update means (SFI 0: the current one), or why there is none."""
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


_COMMON: Final = (SW.OK, SW.WRONG_LENGTH, SW.NOT_SUPPORTED, SW.FILE_NOT_FOUND, SW.WRONG_P1P2)
_FILE: Final = (
    *_COMMON,
    SW.WRONG_FILE_STRUCTURE,
    SW.SECURITY_NOT_SATISFIED,
    SW.NO_CURRENT_EF,
    SW.UNKNOWN_CLA,
    SW.UNKNOWN_INS,
)
SELECT: Final = Command(
    "SELECT",
    "选择文件",
    "8",
    (0x00,),
    0xA4,
    select,
    (*_COMMON, SW.CONDITIONS_NOT_SATISFIED),
    p1p2=(0x0000, 0x0200, 0x0400),
    lengths=(2, *range(5, 17)),
    answers_data=True,
)
READ_BINARY: Final = Command(
    "READ BINARY", "读取二进制数据", "8", (0x00,), 0xB0, read_binary, (*_FILE, SW.OFFSET_OUTSIDE, SW.WRONG_LE)
)
READ_RECORD: Final = Command(
    "READ RECORD", "读取记录", "8", (0x00,), 0xB2, read_record, (*_FILE, SW.RECORD_NOT_FOUND, SW.WRONG_LE)
)
UPDATE_BINARY: Final = Command(
    "UPDATE BINARY",
    "更新二进制数据",
    "8",
    (0x00,),
    0xD6,
    update_binary,
    (*_FILE, SW.MEMORY_FAILURE, SW.OFFSET_OUTSIDE),
    lengths=range(1, 256),
)
