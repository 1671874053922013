"""How P1 P2 of the read and update commands point at a file, an offset or a record."""

from __future__ import annotations

from typing import Final

from sscard.card.session import Session
from sscard.chip.answers import FILE_NOT_FOUND, NO_CURRENT_EF, SECURITY_NOT_SATISFIED, WRONG_FILE_STRUCTURE
from sscard.chip.command import Parameter
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.addressing import BY_NUMBER, FROM_NUMBER, binary_address
from sscard.standard.encoding import records
from sscard.standard.tree import FileSpec, Layout, Structure

_TRANSPARENT: Final = Structure.TRANSPARENT
_ORDER: Final = (
    Words("first", "第一条"),
    Words("last", "最后一条"),
    Words("next", "下一条"),
    Words("previous", "上一条"),
)

BINARY_PARAMETERS: Final = (
    Parameter("100sssss", "00–FF", Phrase("EF with SFI sssss of the current DF, from offset P2")),
    Parameter("0xxxxxxx", "00–FF", Phrase("current EF, from offset P1·256+P2")),
)
RECORD_PARAMETERS: Final = (
    Parameter(
        "00–FE", "sssss100", Phrase("record number P1 (00: current record) of the EF with SFI sssss (0: current EF)")
    ),
    Parameter("00–FF", "sssss000", Phrase("first record with identifier P1 (00: any identifier)")),
    Parameter("00–FF", "sssss001", Phrase("last record with identifier P1")),
    Parameter("00–FF", "sssss010", Phrase("next record with identifier P1 after the current one")),
    Parameter("00–FF", "sssss011", Phrase("previous record with identifier P1")),
)
NO_CURRENT: Final = Phrase("no current EF")
NO_SUCH_EF: Final = Phrase("no EF with this SFI in the current DF")
HAS_RECORDS: Final = Phrase("the EF is not transparent")
IS_TRANSPARENT: Final = Phrase("the EF has no records")
OUTSIDE: Final = Phrase("offset outside the EF")


def readable(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
    """The EF to read (SFI 0: the current EF), or the error; the EF becomes current only if the command succeeds."""
    found = _located(session, sfi, transparent)
    if isinstance(found, bytes) or session.allows(found.read):
        return found
    return SECURITY_NOT_SATISFIED


def writable(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
    """The EF to write (SFI 0: the current EF), or the error; the EF becomes current only if the command succeeds."""
    found = _located(session, sfi, transparent)
    if isinstance(found, bytes) or session.allows(found.write):
        return found
    return SECURITY_NOT_SATISFIED


def _located(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
    """The EF with this SFI in the current DF, if it has the structure that the command is for."""
    ef = session.layout.file(session.df.fid, sfi) if sfi else session.ef
    if ef is None:
        return FILE_NOT_FOUND if sfi else NO_CURRENT_EF
    return ef if (ef.structure is _TRANSPARENT) is transparent else WRONG_FILE_STRUCTURE


def file_records(ef: FileSpec, content: bytes) -> list[bytes]:
    """The records of a file in order: TLV records, or parts with the record length."""
    if ef.structure == Structure.VARIABLE:
        return list(records(content))
    length = ef.record_length
    return [content[start : start + length] for start in range(0, len(content), length)]


def record_after(ef: FileSpec, content: bytes, skipped: int, identifier: int) -> tuple[int, bytes]:
    """Number and bytes of the first record behind ``skipped`` records with an identifier (0: any); 0 if it is absent.

    It does not split the rest of the file, which ``file_records`` does.
    """
    length = ef.record_length
    end = len(content) if length else len(content) - 1
    number = start = 0
    while start < end:
        stop = start + (length or content[start + 1] + 2)
        number += 1
        if number > skipped and (not identifier or content[start] == identifier):
            return number, content[start:stop]
        start = stop
    return 0, b""


def binary_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    """Description of the data addressed by a binary command."""
    sfi, offset = binary_address(p1, p2)
    length = len(data) if data else le
    if not length:
        return Phrase("{file} from offset {offset}, all bytes", file=_file_words(sfi), offset=offset)
    return Phrase.plural(
        "{file} from offset {offset}, {count} byte",
        "{file} from offset {offset}, {count} bytes",
        count=length,
        file=_file_words(sfi),
        offset=offset,
    )


def record_words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    """Description of the records addressed by a record command."""
    where = _file_words(p2 >> 3)
    mode = p2 & 0b111
    if mode < BY_NUMBER:
        order = _ORDER[mode]
        if not p1:
            return Phrase("{file}, {order} record of any identifier", file=where, order=order)
        return Phrase("{file}, {order} record with identifier {identifier:02X}", file=where, order=order, identifier=p1)
    number = p1 or Words("current", "当前")
    if mode == BY_NUMBER:
        return Phrase("{file}, record {number}", file=where, number=number)
    if mode == FROM_NUMBER:
        return Phrase("{file}, records {number} to last", file=where, number=number)
    return Phrase("{file}, records last to {number}", file=where, number=number)


def _file_words(sfi: int) -> str | Words:
    return f"EF{sfi:02X}" if sfi > 0 else Words("current EF", "当前EF")
