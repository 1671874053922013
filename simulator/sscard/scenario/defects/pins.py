"""Defects of the card: the PIN commands VERIFY, CHANGE PIN, PIN CHANGE/UNBLOCK."""

from __future__ import annotations

from typing import Any

from sscard.card.chip import Chip
from sscard.card.commands import pin
from sscard.card.session import Session
from sscard.chip.answers import OK, answer
from sscard.chip.engine import Engine
from sscard.chip.memory import Memory
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard.cipher import equal
from sscard.standard.tree import PIN, PIN_TRIES, PIN_VERIFIED

UNBLOCK, RESET = 0x00, 0x01

catalogue = Catalogue(Part.CARD)


@catalogue.defect(
    "card-commands.md §1.10: the old PIN is compared with the stored one at each change",
    "change-after-verify or state-verified-last-try",
)
def change_pin_takes_any_old_pin_after_verify(patch: Patch) -> None:
    """After a right VERIFY, CHANGE PIN accepts any old PIN."""

    def attempt(session: Session, tries: int, given: bytes) -> bool:
        known = pin.SEPARATOR in session.data and bool(session.status & PIN_VERIFIED)
        return known or bool(original(session, tries, given))

    original = patch.attribute(pin, "_attempt", attempt)


@catalogue.defect(
    "card-commands.md §1.11: PIN CHANGE/UNBLOCK needs a PUK that is proven and not blocked",
    "unlock-limit or puk-blocks-itself",
)
def blocked_puk_still_resets(patch: Patch) -> None:
    """A reset or unblock works although the PUK is blocked."""

    def run(session: Session) -> bytes:
        counter = session.layout.counter(session.layout.puk, 0)
        left = session.memory.numbers[counter]
        if left:
            return original(session)
        session.memory.put_number(counter, 1)
        answered = original(session)
        session.memory.put_number(counter, 0)
        return answered

    original = pin.PIN_CHANGE_UNBLOCK.run
    patch.command(pin.PIN_CHANGE_UNBLOCK, run)


@catalogue.defect("onomondo-uicc#150: CHANGE PIN does not restore the retry counter", "change-restores-counter")
def change_pin_does_not_restore_the_tries(patch: Patch) -> None:
    """CHANGE PIN does not restore the retry counter."""

    def put_both(memory: Memory, cell: int, value: int, place: int, content: bytes) -> None:
        original(memory, cell, memory.numbers[cell] + 1, place, content)

    original = patch.attribute(Memory, "put_both", put_both)


@catalogue.defect(
    "opcard-rs#158: after a reset to a shorter PIN the length of the old one is still in use",
    "stale-length or sixteen-digits",
)
def length_of_the_old_pin_stays_after_reset(patch: Patch) -> None:
    """After a reset to a shorter PIN, the last digits of the old PIN stay."""

    def new_pin(session: Session, *given: Any) -> bytes | None:
        new: bytes | None = original(session, *given)
        return new and new + session.memory.strings[PIN][len(new) :]

    original = patch.attribute(pin, "_new_pin", new_pin)


@catalogue.defect(
    "status-keycard#37: a wrong PIN of another length than the stored one is refused, but not counted", "other-lengths"
)
def pin_of_another_length_is_not_counted(patch: Patch) -> None:
    """A wrong PIN with another length than the stored one does not cost a try."""

    def attempt(session: Session, tries: int, given: bytes) -> bool:
        same = len(given) == len(session.memory.strings[PIN])
        return same and bool(original(session, tries, given))

    original = patch.attribute(pin, "_attempt", attempt)


@catalogue.defect(
    "specter-diy#229, card-security.md §10.3: the comparison precedes the decrement, so a power cut restores the try",
    "wrong-pin.yaml or right-pin.yaml",
)
def a_power_cut_restores_the_try(patch: Patch) -> None:
    """The card compares the PIN before it decrements the retry counter, so a power cut restores the try."""

    def attempt(session: Session, tries: int, given: bytes) -> bool:
        if equal(given, session.memory.strings[PIN]):
            return True
        session.memory.put_string(PIN, session.memory.strings[PIN])
        session.memory.put_number(PIN_TRIES, tries - 1)
        return False

    patch.attribute(pin, "_attempt", attempt)


@catalogue.defect("OpenSC#530: a wrong PIN is answered with 630x instead of 63Cx", "counts-down")
def wrong_pin_answers_630x(patch: Patch) -> None:
    """A wrong PIN is answered with 630x, not 63Cx."""
    patch.attribute(pin, "TRIES", [answer(0x6300 | tries) for tries in range(16)])


@catalogue.defect(
    "jcardsim#67: the PIN is still verified after a warm reset of the card",
    "verified-dies-with-power or state-verified-power",
)
def pin_stays_verified_over_a_warm_reset(patch: Patch) -> None:
    """The PIN is still verified after a warm reset."""

    def power_on(chip: Engine[Session]) -> bytes:
        before = chip._session
        atr: bytes = original(chip)
        if before is not None and chip._session is not None and hasattr(before, "status"):
            chip._session.status = before.status & PIN_VERIFIED
        return atr

    original = patch.attribute(Engine, "power_on", power_on)


@catalogue.defect("canokey-core#116: a card returns to its first state at every start", "lasting-state")
def power_on_restores_the_tries(patch: Patch) -> None:
    """The retry counter of the PIN is restored at each power-on."""

    def new_session(chip: Any) -> Session:
        if chip.memory.numbers[PIN_TRIES]:
            chip.memory.put_number(PIN_TRIES, chip.profile.personality.pin_tries)
        session: Session = original(chip)
        return session

    original = patch.attribute(Chip, "new_session", new_session)


@catalogue.defect("vicc: a VERIFY without data costs a try", "empty-verify")
def empty_verify_costs_a_try(patch: Patch) -> None:
    """A VERIFY without data, which only asks for the tries left, costs a try."""

    def run(session: Session) -> bytes:
        tries = session.memory.numbers[PIN_TRIES]
        if not session.data and tries and session.memory.strings[PIN]:
            session.memory.put_number(PIN_TRIES, tries - 1)
        return original(session)

    original = pin.VERIFY.run
    patch.command(pin.VERIFY, run)


@catalogue.defect("SmartPGP#13: an empty PIN is refused, but not counted", "off-and-on or absent-old")
def empty_old_pin_is_not_counted(patch: Patch) -> None:
    """An empty PIN is refused, but does not cost a try."""

    def attempt(session: Session, tries: int, given: bytes) -> bool:
        return bool(given) and bool(original(session, tries, given))

    original = patch.attribute(pin, "_attempt", attempt)


@catalogue.defect("card-commands.md §1.9: a right PIN restores the retry counter", "right-pin-restores")
def right_pin_does_not_restore_the_tries(patch: Patch) -> None:
    """A right PIN does not restore the retry counter."""

    def run(session: Session) -> bytes:
        before = session.memory.numbers[PIN_TRIES]
        answered = original(session)
        if session.data and answered == OK:
            session.memory.put_number(PIN_TRIES, before)
        return answered

    original = pin.VERIFY.run
    patch.command(pin.VERIFY, run)


@catalogue.defect(
    "card-commands.md §1.11: a reset restores the retry counter of the PIN", "blocked-and-back or state-blocked"
)
def reset_does_not_restore_the_tries(patch: Patch) -> None:
    """A reset does not restore the retry counter of the PIN."""

    def run(session: Session) -> bytes:
        before = session.memory.numbers[PIN_TRIES]
        answered = original(session)
        if session.p2 == RESET and answered == OK:
            session.memory.put_number(PIN_TRIES, before)
        return answered

    original = pin.PIN_CHANGE_UNBLOCK.run
    patch.command(pin.PIN_CHANGE_UNBLOCK, run)


@catalogue.defect(
    "card-commands.md §1.11, card-security.md §6: PIN CHANGE/UNBLOCK is done only with the right MAC",
    "wrong-mac-counts or replay",
)
def reset_takes_a_wrong_mac(patch: Patch) -> None:
    """PIN CHANGE/UNBLOCK accepts a wrong MAC."""
    patch.attribute(pin, "mac_is_right", lambda *_: True)


@catalogue.defect(
    "card-commands.md §1.9: the PIN of a wrong VERIFY that leaves no try is blocked; the answer is 63C0, then 6983",
    "counts-down",
)
def the_last_try_is_never_used(patch: Patch) -> None:
    """The last try is never used up, so the PIN is never blocked."""

    def attempt(session: Session, tries: int, given: bytes) -> bool:
        right = bool(original(session, tries, given))
        if not right and not session.memory.numbers[PIN_TRIES]:
            session.memory.put_number(PIN_TRIES, 1)
        return right

    original = patch.attribute(pin, "_attempt", attempt)


@catalogue.defect("card-commands.md §1.9: a PIN is right only as a whole, card-security.md §10.3", "other-lengths")
def verify_compares_only_the_length_of_the_stored_pin(patch: Patch) -> None:
    """A PIN with further digits behind the right ones is accepted."""

    def attempt(session: Session, tries: int, given: bytes) -> bool:
        return bool(original(session, tries, given[: len(session.memory.strings[PIN])]))

    original = patch.attribute(pin, "_attempt", attempt)


@catalogue.defect("card-security.md §1, OC-1: a right PIN restores the limit of the product", "limit-of-fifteen")
def right_pin_restores_six_tries_whatever_the_limit(patch: Patch) -> None:
    """A right PIN restores six tries, whatever the limit of the product is."""

    def run(session: Session) -> bytes:
        answered = original(session)
        if session.data and answered == OK:
            session.memory.put_number(PIN_TRIES, 6)
        return answered

    original = pin.VERIFY.run
    patch.command(pin.VERIFY, run)


@catalogue.defect(
    "card-commands.md §1.10, OC-19: a product that refuses the same PIN takes every other one", "choices and ordinary"
)
def product_that_refuses_the_same_pin_refuses_every_pin(patch: Patch) -> None:
    """A product that refuses the old PIN as the new one refuses every new PIN."""

    def run(session: Session) -> bytes:
        old, __, new = session.data.partition(pin.SEPARATOR)
        if not session.personality.same_pin_allowed and new:
            session.data = old + pin.SEPARATOR + old
        return original(session)

    original = pin.CHANGE_PIN.run
    patch.command(pin.CHANGE_PIN, run)


DEFECTS = tuple(catalogue.defects)
