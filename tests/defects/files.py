"""Defects of the card: selection, access rights, reading, writing, answers, memory."""

from __future__ import annotations

import contextlib

from defects.catalogue import Catalogue, Patch
from defects.pins import answers
from kit.cards import PIN
from kit.desk import Desk, verify
from sscard.card.commands import addressing, read, select, update
from sscard.card.session import Session
from sscard.chip.answers import FILE_NOT_FOUND, OK, RECORD_NOT_FOUND, WRONG_LENGTH
from sscard.chip.memory import Log, Memory, Moment, PowerLost
from sscard.standard import tree
from sscard.standard.addressing import NEXT
from sscard.standard.tree import PIN_VERIFIED, FileSpec

catalogue = Catalogue("card")
FINGERPRINT, PHOTO = 0x07, 0x08
READ_FINGERPRINT, READ_ISSUER = "00B0870008", "00B201282C"
WRITE_PHOTO, READ_PHOTO = "00D6880002AABB", "00B0880004"
EMPLOYMENT_RECORD = bytes(range(0x55))


def _read_with(*proven: str, personality: str = "v3-sm4", df: str = "", pin: bool = False, commands: str) -> list[str]:
    """The answers to commands of a DF after the proof of these keys."""
    desk = Desk(personality)
    if df:
        answers(f"00A4000002{df}", desk=desk)
    if pin:
        desk.verify()
    for key in proven:
        desk.authenticate(key)
    return answers(*commands.split(), desk=desk)


def _cyclic() -> list[str]:
    """Two records written to the employment records, then the newest read."""
    desk = Desk()
    answers("00A4000002DF02", desk=desk)
    desk.authenticate("UK3DF02")
    appended = [bytes((0x00, 0xDC, 0x00, 0x3B, 0x55)) + bytes((first,)) + EMPLOYMENT_RECORD[1:] for first in (1, 2)]
    desk.verify()
    return answers(*appended, "00B2013C00", desk=desk)


def _torn_write() -> str:
    """The contents of EF08 after a power cut between the halves of a write."""
    desk = Desk()
    desk.authenticate("UKSSSE")
    desk.memory.cut_power(1, Moment.DURING)
    with contextlib.suppress(PowerLost):
        answers(WRITE_PHOTO, desk=desk)
    desk.repower()
    desk.authenticate("RKSSSE")
    return answers(READ_PHOTO, "00B00FF004", desk=desk)[1]


@catalogue.add(
    "card-files.md §6: the pension insurance of a 1.0 card is read with PIN and RK, one of them is not enough",
    lambda: _read_with(personality="v1-des", df="DF03", pin=True, commands="00B2013C00"),
    "right or v1",
)
def access_rule_and_is_treated_as_or(patch: Patch) -> None:
    def allows(session: Session, rule: tuple[int, ...]) -> bool:
        status = session.status if session.memory.strings[tree.PIN] else session.status | PIN_VERIFIED
        return any(way & status or not way for way in rule)

    patch.attribute(Session, "allows", allows)


@catalogue.add(
    "card-files.md §5: EF07 of SSSE is read with RKSSSE and written with UKSSSE",
    lambda: _read_with("RKSSSE", commands=READ_FINGERPRINT),
    "right or binary or file",
)
def read_and_write_right_of_the_fingerprint_are_swapped(patch: Patch) -> None:
    def swapped(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
        wanted = sfi == FINGERPRINT and session.df is session.layout.ssse
        return (writable if wanted else readable)(session, sfi, transparent)

    def swapped_back(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
        wanted = sfi == FINGERPRINT and session.df is session.layout.ssse
        return (readable if wanted else writable)(session, sfi, transparent)

    readable, writable = addressing.readable, addressing.writable
    patch.attribute(read, "readable", swapped)
    patch.attribute(update, "writable", swapped_back)


@catalogue.add(
    "card-commands.md §1.4: UPDATE BINARY and UPDATE RECORD need the right to write the file",
    lambda: _read_with(commands=WRITE_PHOTO),
    "update or right or file",
)
def update_without_the_right(patch: Patch) -> None:
    patch.attribute(update, "writable", addressing._located)


@catalogue.add(
    "card-files.md §5: the holder's photo is read with RKSSSE only",
    lambda: _read_with(commands=READ_PHOTO),
    "read or right or file",
)
def read_without_the_right(patch: Patch) -> None:
    patch.attribute(read, "readable", addressing._located)


@catalogue.add(
    "card-commands.md §1.2: P2 is the offset of READ BINARY",
    lambda: _read_with("UKSSSE", "RKSSSE", commands=f"{WRITE_PHOTO} 00B0880104"),
    "binary",
)
def read_binary_ignores_the_offset(patch: Patch) -> None:
    original = patch.attribute(read, "binary_address", lambda p1, p2: (original(p1, p2)[0], 0))


@catalogue.add(
    "card-commands.md §1.4: UPDATE BINARY beyond the end of the file is refused, and nothing is written",
    lambda: _read_with("UKSSSE", commands="00D688FF02AABB 00A40200 00B0000000 00D60FFF02AABB"),
    "binary",
)
def update_binary_writes_up_to_the_end(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        answered = original(session)
        if answered != WRONG_LENGTH or not session.data or session.p1 & 0x80 or session.ef is None:
            return answered
        left = len(session.memory.strings[session.ef.cell]) - (session.p1 << 8 | session.p2)
        session.data = session.data[:left]
        return original(session)

    original = update.UPDATE_BINARY.run
    patch.command(update.UPDATE_BINARY, run)


@catalogue.add("card-commands.md §1.5: the newest record of a cyclic file is number 1", _cyclic, "cyclic or record")
def cyclic_file_counts_from_the_oldest_record(patch: Patch) -> None:
    patch.attribute(update, "cycle", lambda ef, content, record: (content + record)[-ef.size :])


@catalogue.add(
    "card-commands.md §1.3: 6Cxx returns no data and does not move the record pointer",
    lambda: _read_with(commands="00A4020002EF05 00B2000201 00B2000200"),
    "record",
)
def wrong_le_moves_the_record_pointer(patch: Patch) -> None:
    def deliver(session: Session, found: bytes, le: int) -> bytes:
        answered: bytes = original(session, found, le)
        if answered[0] == 0x6C and session.p2 & 0b111 == NEXT and session.ef is not None:
            session.record += 1
        return answered

    original = patch.attribute(read, "_deliver", deliver)


@catalogue.add(
    "card-commands.md §1.3: READ RECORD with an unknown identifier answers 6A83",
    lambda: _read_with(commands="00A4020002EF05 00B2770000"),
    "record",
)
def unknown_record_answers_the_first(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        answered = original(session)
        if answered == RECORD_NOT_FOUND:
            session.p1 = 0
            return original(session)
        return answered

    original = read.READ_RECORD.run
    patch.command(read.READ_RECORD, run)


@catalogue.add(
    "public reports (anchors.md): SELECT of a child DF, P1=01, is refused",
    lambda: _read_with(commands="00A4010002DF01"),
    "child",
)
def select_of_a_child_df_is_refused(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        return FILE_NOT_FOUND if session.p1 == select.CHILD_BY_FID else original(session)

    original = select.SELECT.run
    patch.command(select.SELECT, run)


@catalogue.add(
    "card-files.md §3: the FCI of SSSE names the algorithm (9F0C 03 86 01)",
    lambda: answers("00A404000F7378312E73682EC9E7BBE1B1A3D5CF"),
    "fci or select",
)
def fci_names_no_algorithm(patch: Patch) -> None:
    original = patch.attribute(select, "_fci", lambda df, _algorithm, directory: original(df, 0, directory))


@catalogue.add(
    "card-commands.md §1.1: a SELECT that fails leaves the current DF as it was",
    lambda: _read_with(commands="00A4000002DF01 00A4000002DF99 00A4020002EF16"),
    "select",
)
def failed_select_returns_to_ssse(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        answered = original(session)
        if answered == FILE_NOT_FOUND:
            session.enter(session.layout.ssse)
        return answered

    original = select.SELECT.run
    patch.command(select.SELECT, run)


@catalogue.add(
    "card-security.md §10: after a power cut a file holds its old contents or the new ones", _torn_write, "tear or cut"
)
def a_power_cut_leaves_half_of_a_file(patch: Patch) -> None:
    def recover(memory: Memory) -> None:
        log: Log | None = memory.log
        if log is not None and log.strings:
            memory._clear_log()
        original(memory)

    original = patch.attribute(Memory, "recover", recover)


@catalogue.add(
    "card-security.md §9: the PIN is verified until power-off; a wrong PIN later ends that [OC-5]",
    lambda: (desk := Desk()) and (answers(verify(PIN), verify("999999"), desk=desk), desk.chip.snapshot().pin_verified),
    "verify",
)
def wrong_pin_leaves_the_pin_verified(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        before = session.status & PIN_VERIFIED
        answered = original(session)
        if answered != OK:
            session.status |= before
        return answered

    from sscard.card.commands import pin

    original = pin.VERIFY.run
    patch.command(pin.VERIFY, run)


DEFECTS = tuple(catalogue.defects)
