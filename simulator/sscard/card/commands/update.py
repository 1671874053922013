"""UPDATE BINARY (更新二进制数据) and UPDATE RECORD (更新记录), LD/T 32.5, card-commands.md §1.4–1.5."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.addressing import (
    BINARY_PARAMETERS,
    HAS_RECORDS,
    NO_CURRENT,
    NO_SUCH_EF,
    OUTSIDE,
    RECORD_PARAMETERS,
    binary_words,
    file_records,
    record_words,
    writable,
)
from sscard.card.commands.declared import (
    CHALLENGE,
    LOCKABLE,
    MAC,
    NO_CHALLENGE,
    SELECT_SSSE,
    WRITE_FAILED,
    WRONG_MAC,
    proof,
)
from sscard.card.commands.secure import mac_is_right, session_key
from sscard.card.session import Session
from sscard.chip.answers import (
    FILE_FULL,
    KEY_NOT_FOUND,
    LC_NOT_TLV,
    MAC_MISSING,
    OFFSET_OUTSIDE,
    OK,
    RECORD_NOT_FOUND,
    UNKNOWN_CLA,
    WRONG_FILE_STRUCTURE,
    WRONG_LENGTH,
    WRONG_P1P2,
    WRONG_SECURE_MESSAGE,
    answer,
)
from sscard.chip.command import Command, Field, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.addressing import BY_NUMBER, FIRST, PREVIOUS, RESERVED_SFI, binary_address, find_record
from sscard.standard.apdu import SW
from sscard.standard.cipher import MAC_LENGTH
from sscard.standard.tree import FileSpec, Structure

WITHOUT_MAC: Final = 0x00
WITH_MAC: Final = 0x04
BINARY_INS: Final = 0xD6
RECORD_INS: Final = 0xDC
DF_STK_NUMBER: Final = 0x82


def _update_binary(session: Session, cla: int) -> bytes:
    sfi, offset = binary_address(session.p1, session.p2)
    if sfi < 0:
        return WRONG_P1P2
    ef = writable(session, sfi, transparent=True)
    if isinstance(ef, bytes):
        return ef
    refused = _message_refusal(session, cla, BINARY_INS)
    if refused:
        return refused
    data = _content(session, cla)
    content = session.memory.strings[ef.cell]
    if offset >= len(content):
        return OFFSET_OUTSIDE
    end = offset + len(data)
    if end > len(content):
        return WRONG_LENGTH
    session.memory.put_string(ef.cell, content[:offset] + data + content[end:])
    session.open(ef, 0)
    return OK


def _update_record(session: Session, cla: int) -> bytes:
    sfi, mode = session.p2 >> 3, session.p2 & 0b111
    if sfi == RESERVED_SFI or mode > BY_NUMBER:
        return WRONG_P1P2
    ef = writable(session, sfi, transparent=False)
    if isinstance(ef, bytes):
        return ef
    refused = _message_refusal(session, cla, RECORD_INS)
    if refused:
        return refused
    record = _content(session, cla)
    if ef.structure == Structure.CYCLIC:  # the newest record becomes number 1, the oldest drops out
        if mode != PREVIOUS:
            return WRONG_FILE_STRUCTURE
        if len(record) != ef.record_length:
            return WRONG_LENGTH
        session.memory.put_string(ef.cell, cycle(ef, session.memory.strings[ef.cell], record))
        session.open(ef, 1)
        return OK
    if ef.structure == Structure.FIXED and len(record) != ef.record_length:
        return WRONG_LENGTH
    if len(record) < 2 or record[1] != len(record) - 2:
        return LC_NOT_TLV
    return _write_record(session, ef, mode, record)


def cycle(ef: FileSpec, content: bytes, record: bytes) -> bytes:
    """The contents of a cyclic file after one more record."""
    return (record + content)[: ef.size]


def _write_record(session: Session, ef: FileSpec, mode: int, record: bytes) -> bytes:
    """Replace the record selected by P1 and the mode; the next number, or a new identifier, appends a record."""
    p1 = session.p1
    held = file_records(ef, session.memory.strings[ef.cell])
    current = session.record_in(ef)
    if mode == BY_NUMBER:
        number = p1 or current
        if not 1 <= number <= len(held) + 1:
            return RECORD_NOT_FOUND
    else:
        if p1 and record[0] != p1:
            return LC_NOT_TLV
        number = find_record(held, current, p1, mode)
        if not number and find_record(held, 0, p1, FIRST):
            return RECORD_NOT_FOUND
        number = number or len(held) + 1
    held[number - 1 : number] = [record]
    content = b"".join(held)
    if len(content) > ef.size:
        return FILE_FULL
    session.memory.put_string(ef.cell, content)
    session.open(ef, current if mode == BY_NUMBER else number)
    return OK


def _content(session: Session, cla: int) -> bytes:
    return session.data[:-MAC_LENGTH] if cla == WITH_MAC else session.data


def _message_refusal(session: Session, cla: int, ins: int) -> bytes:
    """The status word if the MAC is missing, has no challenge or is wrong, else empty [OC-33]."""
    if cla != WITH_MAC:
        return MAC_MISSING if session.personality.updates_need_mac else b""
    layout = session.layout
    stk = layout.stk if session.df is layout.ssse else layout.key(session.df.fid, DF_STK_NUMBER)
    if stk is None:
        return KEY_NOT_FOUND
    if not session.challenge:
        return answer(session.personality.no_challenge)
    header = bytes((WITH_MAC, ins, session.p1, session.p2))
    return b"" if mac_is_right(session, session_key(session, stk), header) else WRONG_SECURE_MESSAGE


def update_binary(session: Session) -> bytes:
    """Write data into a transparent EF at an offset, whole or not at all."""
    return _update_binary(session, WITHOUT_MAC)


def update_record(session: Session) -> bytes:
    """Write one whole record (TLV in a variable-length file), replacing or appending."""
    return _update_record(session, WITHOUT_MAC)


def update_binary_with_mac(session: Session) -> bytes:
    """UPDATE BINARY with data ‖ MAC(4)."""
    return _class_refusal(session) or _update_binary(session, WITH_MAC)


def update_record_with_mac(session: Session) -> bytes:
    """UPDATE RECORD with data ‖ MAC(4)."""
    return _class_refusal(session) or _update_record(session, WITH_MAC)


def _class_refusal(session: Session) -> bytes:
    """CLA 04 is known only if the files require a MAC; the standard's files do not [OC-33]."""
    if not session.personality.updates_need_mac:
        return UNKNOWN_CLA
    return b"" if len(session.data) > MAC_LENGTH else WRONG_LENGTH


_STATUSES: Final = {
    **LOCKABLE,
    SW.OK: Phrase("written; the EF is the current one now"),
    SW.MEMORY_FAILURE: WRITE_FAILED,
    SW.SECURITY_NOT_SATISFIED: Phrase("the right to write the EF is missing"),
    SW.NO_CURRENT_EF: NO_CURRENT,
    SW.FILE_NOT_FOUND: NO_SUCH_EF,
}
_BINARY: Final = {
    **_STATUSES,
    SW.WRONG_LENGTH: Phrase("no data, or the data reach beyond the end of the EF"),
    SW.WRONG_FILE_STRUCTURE: HAS_RECORDS,
    SW.OFFSET_OUTSIDE: OUTSIDE,
}
_RECORD: Final = {
    **_STATUSES,
    SW.WRONG_LENGTH: Phrase("no data, or not the record length of the EF"),
    SW.WRONG_FILE_STRUCTURE: Phrase("the EF has no records, or is cyclic and P2 is not sssss011"),
    SW.RECORD_NOT_FOUND: Phrase("no such record, nor the next number"),
    SW.FILE_FULL: Phrase("not enough space for the record in the EF"),
    SW.LC_NOT_TLV: Phrase("tag or length of the record do not fit P1 or Lc"),
}
_PLAIN: Final[dict[int, Phrase]] = {SW.MAC_MISSING: Phrase("the EF demands a MAC")}
_SEALED: Final[dict[int, Phrase]] = {SW.NO_CHALLENGE: NO_CHALLENGE, SW.WRONG_SECURE_MESSAGE: WRONG_MAC}

_WRITER: Final = (SELECT_SSSE, *proof("UKSSSE", 0x04))
_BYTES: Final = Words("data to write", "要写入的数据")
_WHOLE_RECORD: Final = Words("whole record, TLV in a file of variable records", "完整记录，变长记录文件中为TLV")
_MAC_CHOICES: Final = ("updates_need_mac", "no_challenge", "challenge_lasts")
WITH_MAC_LENGTHS: Final = range(256)
"""Check the class before the length."""

UPDATE_BINARY: Final = Command(
    "UPDATE BINARY",
    "更新二进制数据",
    "card-commands.md §1.4",
    (WITHOUT_MAC,),
    BINARY_INS,
    update_binary,
    {**_BINARY, **_PLAIN},
    parameters=BINARY_PARAMETERS,
    data=(Field(_BYTES, range(1, 256)),),
    choices=("updates_need_mac",),
    example=(*_WRITER, Sent("00D6870002 AABB")),
    words=binary_words,
)
UPDATE_BINARY_WITH_MAC: Final = Command(
    "UPDATE BINARY",
    "更新二进制数据",
    "card-commands.md §1.4",
    (WITH_MAC,),
    BINARY_INS,
    update_binary_with_mac,
    {**_BINARY, **_SEALED},
    parameters=BINARY_PARAMETERS,
    data=(Field(_BYTES, range(1, 252)), MAC),
    lengths=WITH_MAC_LENGTHS,
    choices=_MAC_CHOICES,
    example=(*_WRITER, CHALLENGE, Sent("04D6870006 AABB {mac STK}", "6E00")),
    words=binary_words,
    spends_challenge=True,
)
UPDATE_RECORD: Final = Command(
    "UPDATE RECORD",
    "更新记录",
    "card-commands.md §1.5",
    (WITHOUT_MAC,),
    RECORD_INS,
    update_record,
    {**_RECORD, **_PLAIN},
    parameters=RECORD_PARAMETERS,
    data=(Field(_WHOLE_RECORD, range(1, 256)),),
    choices=("updates_need_mac",),
    example=(*_WRITER, Sent("00DC022C03 020134")),
    words=record_words,
)
UPDATE_RECORD_WITH_MAC: Final = Command(
    "UPDATE RECORD",
    "更新记录",
    "card-commands.md §1.5",
    (WITH_MAC,),
    RECORD_INS,
    update_record_with_mac,
    {**_RECORD, **_SEALED},
    parameters=RECORD_PARAMETERS,
    data=(Field(_WHOLE_RECORD, range(1, 252)), MAC),
    lengths=WITH_MAC_LENGTHS,
    choices=_MAC_CHOICES,
    example=(*_WRITER, CHALLENGE, Sent("04DC022C07 020134 {mac STK}", "6E00")),
    words=record_words,
    spends_challenge=True,
)
