"""Defects of the card: selection, access rights, reading, writing, answers, memory."""

from __future__ import annotations

from typing import Any

from sscard.card.commands import addressing, pin, read, select, update
from sscard.card.session import Session
from sscard.chip.answers import FILE_NOT_FOUND, OK, RECORD_NOT_FOUND, WRONG_LENGTH
from sscard.chip.memory import Log, Memory
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard import tree
from sscard.standard.addressing import FROM_NUMBER, NEXT
from sscard.standard.tree import PIN_VERIFIED, FileSpec

catalogue = Catalogue(Part.CARD)
FINGERPRINT, PHOTO = 0x07, 0x08


@catalogue.defect(
    "card-files.md §6: the pension insurance of a 1.0 card is read with PIN and RK, one of them is not enough",
    "and-rule",
)
def access_rule_and_is_treated_as_or(patch: Patch) -> None:
    """An access rule that needs PIN and key is satisfied by one of them."""

    def allows(session: Session, rule: tuple[int, ...]) -> bool:
        status = session.status if session.memory.strings[tree.PIN] else session.status | PIN_VERIFIED
        return any(way & status or not way for way in rule)

    patch.attribute(Session, "allows", allows)


@catalogue.defect(
    "card-files.md §5: EF07 of SSSE is read with RKSSSE and written with UKSSSE", "rights.yaml and fingerprint"
)
def read_and_write_right_of_the_fingerprint_are_swapped(patch: Patch) -> None:
    """The rights to read and to write the fingerprint are swapped."""

    def swapped(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
        wanted = sfi == FINGERPRINT and session.df is session.layout.ssse
        return (writable if wanted else readable)(session, sfi, transparent)

    def swapped_back(session: Session, sfi: int, transparent: bool) -> FileSpec | bytes:
        wanted = sfi == FINGERPRINT and session.df is session.layout.ssse
        return (readable if wanted else writable)(session, sfi, transparent)

    readable, writable = addressing.readable, addressing.writable
    patch.attribute(read, "readable", swapped)
    patch.attribute(update, "writable", swapped_back)


@catalogue.defect(
    "card-commands.md §1.4: UPDATE BINARY and UPDATE RECORD need the right to write the file", "rights.yaml"
)
def update_without_the_right(patch: Patch) -> None:
    """UPDATE BINARY and UPDATE RECORD do not check the right to write."""
    patch.attribute(update, "writable", addressing._located)


@catalogue.defect("card-files.md §5: the holder's photo is read with RKSSSE only", "rights.yaml")
def read_without_the_right(patch: Patch) -> None:
    """READ BINARY and READ RECORD do not check the right to read."""
    patch.attribute(read, "readable", addressing._located)


@catalogue.defect("card-commands.md §1.2: P2 is the offset of READ BINARY", "rights.yaml or read-binary")
def read_binary_ignores_the_offset(patch: Patch) -> None:
    """READ BINARY always reads from the beginning of the file."""
    original: Any = patch.attribute(read, "binary_address", lambda p1, p2: (original(p1, p2)[0], 0))


@catalogue.defect(
    "card-commands.md §1.4: UPDATE BINARY beyond the end of the file is refused, and nothing is written",
    "beyond-the-end",
)
def update_binary_writes_up_to_the_end(patch: Patch) -> None:
    """UPDATE BINARY beyond the end of a file writes what fits."""

    def run(session: Session) -> bytes:
        answered = original(session)
        if answered != WRONG_LENGTH or not session.data or session.p1 & 0x80 or session.ef is None:
            return answered
        left = len(session.memory.strings[session.ef.cell]) - (session.p1 << 8 | session.p2)
        session.data = session.data[:left]
        return original(session)

    original = update.UPDATE_BINARY.run
    patch.command(update.UPDATE_BINARY, run)


@catalogue.defect("card-commands.md §1.5: the newest record of a cyclic file is number 1", "update-cyclic")
def cyclic_file_counts_from_the_oldest_record(patch: Patch) -> None:
    """Record 1 of a cyclic file is the oldest one."""
    patch.attribute(update, "cycle", lambda ef, content, record: (content + record)[-ef.size :])


@catalogue.defect("card-commands.md §1.3: 6Cxx returns no data and does not move the record pointer", "record-pointer")
def wrong_le_moves_the_record_pointer(patch: Patch) -> None:
    """The answer 6Cxx to READ RECORD moves the record pointer."""

    def deliver(session: Session, found: bytes, le: int) -> bytes:
        answered: bytes = original(session, found, le)
        if answered[0] == 0x6C and session.p2 & 0b111 == NEXT and session.ef is not None:
            session.record += 1
        return answered

    original = patch.attribute(read, "_deliver", deliver)


@catalogue.defect("card-commands.md §1.3: READ RECORD with an unknown identifier answers 6A83", "record-pointer")
def unknown_record_answers_the_first(patch: Patch) -> None:
    """READ RECORD with an unknown identifier returns the first record."""

    def run(session: Session) -> bytes:
        answered = original(session)
        if answered == RECORD_NOT_FOUND:
            session.p1 = 0
            return original(session)
        return answered

    original = read.READ_RECORD.run
    patch.command(read.READ_RECORD, run)


@catalogue.defect(
    "card-commands.md §1.1: SELECT of a child DF, P1=01; public reports know cards that refuse it", "child-df"
)
def select_of_a_child_df_is_refused(patch: Patch) -> None:
    """SELECT of a child DF (P1=01) is refused."""

    def run(session: Session) -> bytes:
        return FILE_NOT_FOUND if session.p1 == select.CHILD_BY_FID else original(session)

    original = select.SELECT.run
    patch.command(select.SELECT, run)


@catalogue.defect("card-files.md §3: the FCI of SSSE names the algorithm (9F0C 03 86 01)", "fci or child-df")
def fci_names_no_algorithm(patch: Patch) -> None:
    """The FCI of SSSE does not name the algorithm."""
    original: Any = patch.attribute(select, "_fci", lambda df, _algorithm, directory: original(df, 0, directory))


@catalogue.defect(
    "card-commands.md §1.1: a SELECT that fails leaves the current DF as it was", "select-failed or child-df"
)
def failed_select_returns_to_ssse(patch: Patch) -> None:
    """A SELECT that fails changes the current DF to SSSE."""

    def run(session: Session) -> bytes:
        answered = original(session)
        if answered == FILE_NOT_FOUND:
            session.enter(session.layout.ssse)
        return answered

    original = select.SELECT.run
    patch.command(select.SELECT, run)


@catalogue.defect(
    "card-security.md §10: after a power cut a file holds its old contents or the new ones", "04-tear and update-binary"
)
def a_power_cut_leaves_half_of_a_file(patch: Patch) -> None:
    """After a power cut a file can hold half of the new contents."""

    def recover(memory: Memory) -> None:
        log: Log | None = memory.log
        if log is not None and log.strings:
            memory._clear_log()
        original(memory)

    original = patch.attribute(Memory, "recover", recover)


@catalogue.defect(
    "card-security.md §9: the PIN is verified until power-off; a wrong PIN later ends that [OC-5]",
    "state-verified or long-and-odd",
)
def wrong_pin_leaves_the_pin_verified(patch: Patch) -> None:
    """A wrong PIN after a right one leaves the PIN verified."""

    def run(session: Session) -> bytes:
        before = session.status & PIN_VERIFIED
        answered = original(session)
        if answered != OK:
            session.status |= before
        return answered

    original = pin.VERIFY.run
    patch.command(pin.VERIFY, run)


@catalogue.defect("card-commands.md §1.3: number 00 of a run of records is the current one", "run-from-current")
def records_from_the_current_one_begin_at_the_first(patch: Patch) -> None:
    """Records read from the current one begin at the first record."""

    def run(session: Session) -> bytes:
        if session.p2 & 0b111 == FROM_NUMBER:
            session.p1 = session.p1 or 1
        return original(session)

    original = read.READ_RECORD.run
    patch.command(read.READ_RECORD, run)


DEFECTS = tuple(catalogue.defects)
