"""Defects of the card: answers, challenges and classes that every command shares, selection by name, locks."""

from __future__ import annotations

from typing import Any

from sscard.card.chip import Chip
from sscard.card.commands import GET_RESPONSE, block, certificates, select, update
from sscard.card.session import Session
from sscard.chip import answers
from sscard.chip.answers import OK, UNKNOWN_CLA, WRONG_LENGTH
from sscard.chip.engine import Engine
from sscard.chip.session import ChipSession
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard.cipher import equal
from sscard.standard.tree import CARD_BLOCKED

catalogue = Catalogue(Part.CARD)


@catalogue.defect("card-commands.md §1.14: GET RESPONSE gives the waiting data once", "get-response")
def get_response_gives_the_data_twice(patch: Patch) -> None:
    """The card gives the data of GET RESPONSE a second time."""

    def run(session: Session) -> bytes:
        waiting = session.pending
        answered = original(session)
        if answered.endswith(OK):
            session.pending = waiting
        return answered

    original = GET_RESPONSE.run
    patch.command(GET_RESPONSE, run)


@catalogue.defect("card-commands.md §1.6: a challenge is random", "challenge-new")
def every_challenge_is_the_same(patch: Patch) -> None:
    """GET CHALLENGE always returns the same bytes."""

    def give_challenge(session: ChipSession, length: int) -> bytes:
        original(session, length)
        session.challenge = bytes(range(length))
        return session.challenge

    original = patch.attribute(ChipSession, "give_challenge", give_challenge)


@catalogue.defect("card-commands.md §0.1: 6Cxx names the right Le", "record-length or answer-lengths")
def wrong_le_names_one_byte_too_few(patch: Patch) -> None:
    """The status word 6Cxx names a length that is one byte too short."""
    original = answers.wrong_le
    patch.function(original, lambda right: original(right - 1))


@catalogue.defect("card-commands.md §0: over contactless data come at once, without 61xx", "contactless")
def contactless_card_answers_61xx(patch: Patch) -> None:
    """Over the contactless interface the card answers 61xx and waits for GET RESPONSE."""

    def new_session(chip: Chip) -> Session:
        session: Session = original(chip)
        session.contact = True
        return session

    original = patch.attribute(Chip, "new_session", new_session)


@catalogue.defect(
    "card-commands.md §0.1: an unknown INS is answered with the word of the product, not 6E00", "unknown-instructions"
)
def unknown_ins_is_taken_for_an_unknown_class(patch: Patch) -> None:
    """An unknown INS is answered with 6E00, as if the class were unknown."""

    def refusal(chip: Engine[Session], *given: Any) -> bytes:
        answered: bytes = original(chip, *given)
        return UNKNOWN_CLA if answered == chip._unknown_ins else answered

    original = patch.attribute(Engine, "_refusal", refusal)


@catalogue.defect(
    "card-commands.md §1.12: APPLICATION BLOCK locks the current application only",
    "application-for-ever or application",
)
def application_block_locks_the_card(patch: Patch) -> None:
    """APPLICATION BLOCK locks the whole card."""

    def run(session: Session) -> bytes:
        answered = original(session)
        if answered == OK:
            session.memory.put_number(CARD_BLOCKED, 1)
        return answered

    original = block.APPLICATION_BLOCK.run
    patch.command(block.APPLICATION_BLOCK, run)


@catalogue.defect("card-commands.md §1.5: UPDATE RECORD by identifier replaces the record that has it", "update-record")
def update_record_appends_what_it_should_replace(patch: Patch) -> None:
    """UPDATE RECORD by identifier appends a record and leaves the old one."""
    patch.attribute(update, "find_record", lambda *_: 0)


@catalogue.defect("card-commands.md §1.1: P2=02 selects the next DF with the same beginning of its name", "select-next")
def select_next_begins_again(patch: Patch) -> None:
    """SELECT of the next DF with a partial name finds the first one again."""

    def run(session: Session) -> bytes:
        session.partial = (b"", 0)
        return original(session)

    original = select.SELECT.run
    patch.command(select.SELECT, run)


@catalogue.defect("certificate-application.md §3: the whole cryptogram of a PIN is compared", "10-certificate")
def half_of_a_certificate_cryptogram_is_compared(patch: Patch) -> None:
    """A PIN of the certificate application is checked by half of its cryptogram."""
    patch.attribute(certificates, "equal", lambda one, other: equal(one[:8], other[:8]))


@catalogue.defect("card-commands.md §1.1: SELECT without data selects the MF", "select-without-data")
def select_without_data_is_refused(patch: Patch) -> None:
    """SELECT without data is refused with 6700."""

    def run(session: Session) -> bytes:
        return original(session) if session.data else WRONG_LENGTH

    original = select.SELECT.run
    patch.command(select.SELECT, run)


DEFECTS = tuple(catalogue.defects)
