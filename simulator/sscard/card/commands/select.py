"""SELECT (选择文件), LD/T 32.5, card-commands.md §1.1."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from sscard.card.commands.declared import SELECT_SSSE
from sscard.card.session import Session
from sscard.chip.answers import FILE_NOT_FOUND, NOT_SUPPORTED, OK, WRONG_LENGTH, WRONG_P1P2, answer
from sscard.chip.command import EVERY_COMMAND, Command, Field, Parameter, Sent
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import SW
from sscard.standard.certificates import fid_from
from sscard.standard.encoding import tlv
from sscard.standard.tree import MF, NAME_LENGTHS, SSSE_BELOW_MF, SSSE_NAME, DfSpec, Layout

BY_FID: Final = 0x00
CHILD_BY_FID: Final = 0x01
EF_BY_FID: Final = 0x02
BY_NAME: Final = 0x04
NEXT: Final = 0x02
EF_PREFIX: Final = 0xEF
ACCEPTED: Final = 0x9000


def select(session: Session) -> bytes:
    """Make a DF or an EF current; a DF answers its FCI, an EF no data."""
    p1 = session.p1
    data = session.data
    if p1 == BY_NAME:
        if len(data) not in NAME_LENGTHS:
            return WRONG_LENGTH
        matching = session.layout.named(data)
        prefix, place = session.partial
        if session.p2 != NEXT or prefix != data:
            place = 0
        if place >= len(matching):
            return FILE_NOT_FOUND
        answered = _enter(session, matching[place])
        session.partial = (data, place + 1)
        return answered
    children = session.personality.select_child if p1 == CHILD_BY_FID else "FID"
    if children == "6A86":
        return WRONG_P1P2
    if len(data) != 2 and (data or p1 == EF_BY_FID or children != "FID"):
        return WRONG_LENGTH
    if p1 == EF_BY_FID:
        return _ef(session, data)
    fid = int.from_bytes(data, "big") if data else MF
    df = session.layout.df(fid_from(session.df.certificates, fid, session.layout.ssse.fid))
    if children != "FID":
        current = session.df
        parents = (current.fid, current.parent) if children == "siblings" else (current.fid,)
        return _enter(session, df) if df is not None and df.parent in parents and df.fid != MF else FILE_NOT_FOUND
    if df is not None:
        return _enter(session, df)
    accepted = session.personality.select_ef_as_file
    refused = accepted != ACCEPTED and data[0] == EF_PREFIX and not session.df.certificates
    return answer(accepted) if refused else _ef(session, data)


def _enter(session: Session, df: DfSpec) -> bytes:
    """Make a DF current and answer its FCI."""
    blocked = session.block_of(df)
    if blocked == NOT_SUPPORTED:
        return NOT_SUPPORTED
    session.enter(df)
    if blocked:
        return blocked
    personality = session.personality
    return _fci(df, session.profile.suite.algorithm_id if personality.fci_algorithm else 0, personality.dir_sfi)


@lru_cache(maxsize=1024)
def _fci(df: DfSpec, algorithm_id: int, dir_sfi: int) -> bytes:
    """6F {84 name [A5 {[88 DIR] [9F0C {86 algorithm}]}]} ‖ 9000 [OC-21, OC-39]; the same for all cards of a product."""
    name = tlv(0x84, df.aid)
    if df.aid == SSSE_NAME:  # drivers search for the text 9F0C038601
        algorithm = tlv(0x9F0C, tlv(0x86, bytes((algorithm_id,)))) if algorithm_id else b""
        directory = tlv(0x88, bytes((dir_sfi,))) if dir_sfi else b""
        return tlv(0x6F, name + tlv(0xA5, directory + algorithm)) + OK
    return tlv(0x6F, name + tlv(0xA5, b"") if df.ddf else name) + OK


def _ef(session: Session, fid: bytes) -> bytes:
    if session.barred:
        return session.barred
    ef = session.layout.file(session.df.fid, fid[1])
    if ef is None or ef.prefix != fid[0]:
        return FILE_NOT_FOUND
    session.ef = ef
    session.record = 0
    return OK


def _words(layout: Layout, p1: int, p2: int, data: bytes, le: int) -> Phrase:
    if p1 == BY_NAME:
        found = next((df for df in layout.dfs if df.aid.startswith(data)), None)
        named = _names(found) if found else data.hex().upper()
        return Phrase("next by name {name}", name=named) if p2 == NEXT else Phrase("DF by name {name}", name=named)
    fid = data.hex().upper() or f"{MF:04X}"
    number = layout.ssse.fid if int(fid, 16) == SSSE_BELOW_MF else int(fid, 16)
    found = next((df for df in layout.dfs if p1 != EF_BY_FID and df.fid == number), None)
    return Phrase("{fid} {name}", fid=fid, name=_names(found)) if found else Phrase("EF {fid}", fid=fid)


def _names(df: DfSpec) -> Words:
    return Words(df.name, f"{df.name} {df.chinese}")


SELECT: Final = Command(
    "SELECT",
    "选择文件",
    "card-commands.md §1.1",
    (0x00,),
    0xA4,
    select,
    {
        **EVERY_COMMAND,
        SW.OK: Phrase("selected; a DF answers its FCI, an EF no data"),
        SW.WRONG_LENGTH: Phrase("Lc does not fit P1"),
        SW.FILE_NOT_FOUND: Phrase("no such DF or EF; the selection is unchanged"),
        SW.APPLICATION_BLOCKED: Phrase("the application is locked; it is the current one now"),
    },
    parameters=(
        Parameter(0x00, 0x00, Phrase("MF, DF or EF by FID (Lc 02); without data the MF")),
        Parameter(0x01, 0x00, Phrase("child DF of the current DF by FID (Lc 02)")),
        Parameter(0x02, 0x00, Phrase("EF of the current DF by FID (Lc 02)")),
        Parameter(0x04, 0x00, Phrase("DF by name, which may be cut short (Lc 05–10)")),
        Parameter(0x04, 0x02, Phrase("next DF with the same beginning of its name")),
    ),
    data=(Field(Words("FID or name", "文件标识符或名称"), (0, 2, *NAME_LENGTHS)),),
    answer=(Field(Words("FCI of a DF", "DF的文件控制信息"), form="TLV"),),
    lc=(0, 2, *NAME_LENGTHS),
    lengths=range(256),
    choices=("select_ef_as_file", "select_child", "select_keeps", "dir_sfi", "fci_algorithm"),
    example=(SELECT_SSSE, Sent("00A4020002 EF05")),
    leaves_lock=True,
    words=_words,
)
