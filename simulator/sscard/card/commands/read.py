"""READ BINARY (读取二进制数据) and READ RECORD (读取记录), LD/T 32.5, card-commands.md §1.2–1.3."""

from __future__ import annotations

from typing import Final

from sscard.card.commands.addressing import (
    BINARY_PARAMETERS,
    HAS_RECORDS,
    IS_TRANSPARENT,
    NO_CURRENT,
    NO_SUCH_EF,
    OUTSIDE,
    RECORD_PARAMETERS,
    binary_words,
    file_records,
    readable,
    record_after,
    record_words,
)
from sscard.card.commands.declared import CHALLENGE, LOCKABLE, SELECT_SSSE
from sscard.card.session import Session
from sscard.chip.answers import (
    OFFSET_OUTSIDE,
    OK,
    RECORD_NOT_FOUND,
    WRONG_P1P2,
    wrong_le,
)
from sscard.chip.command import Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.addressing import (
    BY_NUMBER,
    FIRST,
    FROM_NUMBER,
    NEXT,
    RESERVED_MODE,
    RESERVED_SFI,
    binary_address,
    find_record,
)
from sscard.standard.apdu import SW

MAX_ANSWER: Final = 256
FORWARD: Final = (FIRST, NEXT)


def read_binary(session: Session) -> bytes:
    """Answer Le bytes of a transparent EF from an offset; Le=00 up to 256 or to the end."""
    le = session.le
    sfi, offset = binary_address(session.p1, session.p2)
    if sfi < 0:
        return WRONG_P1P2
    ef = readable(session, sfi, transparent=True)
    if isinstance(ef, bytes):
        return ef
    content = session.memory.strings[ef.cell]
    left = len(content) - offset
    if left <= 0:
        return OFFSET_OUTSIDE
    if le > left:
        return wrong_le(left)
    session.open(ef, 0)
    return content[offset : offset + (le or min(left, MAX_ANSWER))] + OK


def read_record(session: Session) -> bytes:
    """Answer one record or consecutive records, complete with tag and length."""
    p1 = session.p1
    p2 = session.p2
    sfi, mode = p2 >> 3, p2 & 0b111
    if sfi == RESERVED_SFI or mode == RESERVED_MODE:
        return WRONG_P1P2
    ef = readable(session, sfi, transparent=False)
    if isinstance(ef, bytes):
        return ef
    content = session.memory.strings[ef.cell]
    current = session.record_in(ef)
    found = b""
    if mode == BY_NUMBER:
        number = p1 or current
        if number:
            found = record_after(ef, content, number - 1, 0)[1]
    elif mode in FORWARD:
        current, found = record_after(ef, content, 0 if mode == FIRST else current, p1)
    else:
        held = file_records(ef, content)
        if mode < BY_NUMBER:
            current = find_record(held, current, p1, mode)
            found = held[current - 1] if current else b""
        elif p1 or current:
            run = held[(p1 or current) - 1 :]
            if mode != FROM_NUMBER:
                run.reverse()
            found = b"".join(run)
    if not found:
        return RECORD_NOT_FOUND
    answered = _deliver(session, found, session.le)
    if len(answered) > len(OK):  # 6Cxx returns no data and does not change the record pointer
        session.open(ef, current)
    return answered


def _deliver(session: Session, found: bytes, le: int) -> bytes:
    personality = session.personality
    whole = personality.whole_record_contact if session.contact else personality.whole_record_contactless
    if le == len(found) or (not le and (whole or len(found) >= MAX_ANSWER)):
        return found[:MAX_ANSWER] + OK
    if le and le < len(found) and personality.short_record_le == "truncate":
        return found[:le] + OK
    return wrong_le(min(len(found), MAX_ANSWER))


_STATUSES: Final = {
    **LOCKABLE,
    SW.OK: Phrase("data read; the EF is the current one now"),
    SW.SECURITY_NOT_SATISFIED: Phrase("the right to read the EF is missing"),
    SW.NO_CURRENT_EF: NO_CURRENT,
    SW.FILE_NOT_FOUND: NO_SUCH_EF,
}
READ_BINARY: Final = Command(
    "READ BINARY",
    "读取二进制数据",
    "card-commands.md §1.2",
    (0x00,),
    0xB0,
    read_binary,
    {
        **_STATUSES,
        SW.WRONG_FILE_STRUCTURE: HAS_RECORDS,
        SW.OFFSET_OUTSIDE: OUTSIDE,
        SW.WRONG_LE: Phrase("Le reaches beyond the end; xx bytes are left"),
    },
    parameters=BINARY_PARAMETERS,
    answer=(
        Field(
            Words("contents from the offset, Le=00: to the end", "从偏移量起的内容，Le=00：到文件末尾"), range(1, 257)
        ),
    ),
    example=(CHALLENGE, Sent("0082000A10 {proof RKSSSE}"), Sent("00B0870008", "XX" * 8 + "9000")),
    words=binary_words,
)
READ_RECORD: Final = Command(
    "READ RECORD",
    "读取记录",
    "card-commands.md §1.3",
    (0x00,),
    0xB2,
    read_record,
    {
        **_STATUSES,
        SW.WRONG_FILE_STRUCTURE: IS_TRANSPARENT,
        SW.RECORD_NOT_FOUND: Phrase("no such record"),
        SW.WRONG_LE: Phrase("Le is not the length of the record, which is xx"),
    },
    parameters=(
        *RECORD_PARAMETERS,
        Parameter("00–FE", "sssss101", Phrase("records from number P1 to the last")),
        Parameter("00–FE", "sssss110", Phrase("records from the last to number P1")),
    ),
    answer=(Field(Words("records whole, with tag and length", "完整记录，含标签和长度"), range(1, 257), "TLV"),),
    choices=("short_record_le", "whole_record_contact", "whole_record_contactless"),
    example=(SELECT_SSSE, Sent("00B2072C0B", "0709" + "XX" * 9 + "9000"), Sent("00B2072C0C", "6C0B")),
    words=record_words,
)
