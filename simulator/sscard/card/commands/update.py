"""UPDATE BINARY (更新二进制数据) and UPDATE RECORD (更新记录), LD/T 32.5, command sheet §1.4–1.5."""

from __future__ import annotations

from typing import Final

from sscard.apdu import SW
from sscard.card.answers import (
    FILE_FULL,
    KEY_NOT_FOUND,
    LC_NOT_TLV,
    MAC_MISSING,
    OFFSET_OUTSIDE,
    OK,
    RECORD_NOT_FOUND,
    SECURITY_NOT_SATISFIED,
    UNKNOWN_CLA,
    WRONG_FILE_STRUCTURE,
    WRONG_LENGTH,
    WRONG_P1P2,
    WRONG_SECURE_MESSAGE,
    answer,
)
from sscard.card.commands.addressing import (
    BY_NUMBER,
    PREVIOUS,
    RESERVED_SFI,
    absent,
    binary_address,
    binary_words,
    file_records,
    find_record,
    locate,
    record_words,
)
from sscard.card.commands.declaration import Command, Handler
from sscard.card.commands.secure import mac_is_right, session_key
from sscard.card.layout import FileSpec, Structure
from sscard.card.session import Session
from sscard.cipher import MAC_LENGTH

WITH_MAC: Final = 0x04
BINARY_INS: Final = 0xD6
RECORD_INS: Final = 0xDC
DF_STK_NUMBER: Final = 0x82


def _update_binary(session: Session, p1: int, p2: int, data: bytes) -> bytes:
    sfi, offset = binary_address(p1, p2)
    if sfi < 0:
        return WRONG_P1P2
    ef = locate(session, sfi)
    if ef is None:
        return absent(sfi)
    if ef.structure != Structure.TRANSPARENT:
        return WRONG_FILE_STRUCTURE
    if not session.allows(ef.write):
        return SECURITY_NOT_SATISFIED
    content = session.memory.strings[ef.cell]
    if offset >= len(content):
        return OFFSET_OUTSIDE
    end = offset + len(data)
    if end > len(content):
        return WRONG_LENGTH
    session.memory.put_string(ef.cell, content[:offset] + data + content[end:])
    session.open(ef, 0)
    return OK


def _update_record(session: Session, p1: int, p2: int, data: bytes) -> bytes:
    sfi, mode = p2 >> 3, p2 & 0b111
    if sfi == RESERVED_SFI or mode > BY_NUMBER:
        return WRONG_P1P2
    ef = locate(session, sfi)
    if ef is None:
        return absent(sfi)
    if ef.structure == Structure.TRANSPARENT:
        return WRONG_FILE_STRUCTURE
    if not session.allows(ef.write):
        return SECURITY_NOT_SATISFIED
    if ef.structure == Structure.CYCLIC:
        return _add_to_cycle(session, ef, mode, data)
    malformed = _malformed(ef, data)
    return malformed or _write_record(session, ef, p1, mode, data)


def _malformed(ef: FileSpec, record: bytes) -> bytes:
    """The answer to a record of the wrong shape, empty for a good one."""
    if ef.structure == Structure.FIXED and len(record) != ef.record_length:
        return WRONG_LENGTH
    return b"" if len(record) >= 2 and record[1] == len(record) - 2 else LC_NOT_TLV


def _add_to_cycle(session: Session, ef: FileSpec, mode: int, record: bytes) -> bytes:
    """The newest record becomes number 1, the oldest drops out."""
    if mode != PREVIOUS:
        return WRONG_FILE_STRUCTURE
    if len(record) != ef.record_length:
        return WRONG_LENGTH
    session.memory.put_string(ef.cell, cycle(ef, session.memory.strings[ef.cell], record))
    session.open(ef, 1)
    return OK


def cycle(ef: FileSpec, content: bytes, record: bytes) -> bytes:
    """The contents of a cyclic file after one more record."""
    return (record + content)[: ef.size]


def _write_record(session: Session, ef: FileSpec, p1: int, mode: int, record: bytes) -> bytes:
    """Replace the record that P1 and the mode mean; the next number, or a new identifier, appends."""
    held = file_records(ef, session.memory.strings[ef.cell])
    current = session.record_in(ef)
    if mode == BY_NUMBER:
        number = p1 or current
        if not 1 <= number <= len(held) + 1:
            return RECORD_NOT_FOUND
    else:
        if p1 and record[0] != p1:
            return LC_NOT_TLV
        number = find_record(held, current, p1, mode) or len(held) + 1
    held[number - 1 : number] = [record]
    content = b"".join(held)
    if len(content) > ef.size:
        return FILE_FULL
    session.memory.put_string(ef.cell, content)
    session.open(ef, current if mode == BY_NUMBER else number)
    return OK


def update_binary(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Write data into a transparent EF at an offset, whole or not at all."""
    return MAC_MISSING if session.personality.updates_need_mac else _update_binary(session, p1, p2, data)


def update_record(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """Write one whole record (TLV in a variable-length file), replacing or appending."""
    return MAC_MISSING if session.personality.updates_need_mac else _update_record(session, p1, p2, data)


def update_binary_with_mac(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """UPDATE BINARY with data ‖ MAC(4)."""
    refused = _mac_refusal(session, BINARY_INS, p1, p2, data)
    return refused or _update_binary(session, p1, p2, data[:-MAC_LENGTH])


def update_record_with_mac(session: Session, p1: int, p2: int, data: bytes, le: int) -> bytes:
    """UPDATE RECORD with data ‖ MAC(4)."""
    refused = _mac_refusal(session, RECORD_INS, p1, p2, data)
    return refused or _update_record(session, p1, p2, data[:-MAC_LENGTH])


def _mac_refusal(session: Session, ins: int, p1: int, p2: int, data: bytes) -> bytes:
    """Why an update with a MAC is refused, empty where it is not; the standard's own files know none [OC-33]."""
    if not session.personality.updates_need_mac:
        return UNKNOWN_CLA
    layout = session.layout
    stk = layout.stk if session.df is layout.ssse else layout.key(session.df.fid, DF_STK_NUMBER)
    if stk is None:
        return KEY_NOT_FOUND
    if not session.challenge:
        return answer(session.personality.no_challenge)
    header = bytes((WITH_MAC, ins, p1, p2))
    return b"" if mac_is_right(session, session_key(session, stk), header, data) else WRONG_SECURE_MESSAGE


_STATUSES: Final = (
    SW.OK,
    SW.MEMORY_FAILURE,
    SW.WRONG_LENGTH,
    SW.WRONG_FILE_STRUCTURE,
    SW.SECURITY_NOT_SATISFIED,
    SW.NO_CHALLENGE,
    SW.NO_CURRENT_EF,
    SW.WRONG_SECURE_MESSAGE,
    SW.NOT_SUPPORTED,
    SW.FILE_NOT_FOUND,
    SW.WRONG_P1P2,
    SW.UNKNOWN_CLA,
    SW.APPLICATION_BLOCKED,
)
_BINARY: Final = (*_STATUSES, SW.OFFSET_OUTSIDE)
_RECORD: Final = (*_STATUSES, SW.RECORD_NOT_FOUND, SW.FILE_FULL, SW.LC_NOT_TLV)


def _binary(cla: int, run: Handler, mac_length: int) -> Command:
    return Command(
        "UPDATE BINARY",
        "更新二进制数据",
        "1.4",
        (cla,),
        BINARY_INS,
        run,
        _BINARY,
        lengths=range(mac_length + 1, 256),
        words=binary_words,
        spends_challenge=mac_length > 0,
    )


def _record(cla: int, run: Handler, mac_length: int) -> Command:
    return Command(
        "UPDATE RECORD",
        "更新记录",
        "1.5",
        (cla,),
        RECORD_INS,
        run,
        _RECORD,
        lengths=range(mac_length + 1, 256),
        words=record_words,
        spends_challenge=mac_length > 0,
    )


UPDATE_BINARY: Final = _binary(0x00, update_binary, 0)
UPDATE_BINARY_WITH_MAC: Final = _binary(WITH_MAC, update_binary_with_mac, MAC_LENGTH)
UPDATE_RECORD: Final = _record(0x00, update_record, 0)
UPDATE_RECORD_WITH_MAC: Final = _record(WITH_MAC, update_record_with_mac, MAC_LENGTH)
