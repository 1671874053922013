"""Defects of the card: challenges, keys and what they prove, locks."""

from __future__ import annotations

from typing import Any

from sscard.card.chip import Chip
from sscard.card.commands import authenticate, block, certificates
from sscard.card.session import Session
from sscard.chip.answers import APPLICATION_BLOCKED, METHOD_BLOCKED, OK
from sscard.chip.engine import Engine
from sscard.scenario.defect_parts import Part
from sscard.scenario.defects.catalogue import Catalogue, Patch
from sscard.standard.cipher import equal
from sscard.standard.tree import PIN_TRIES, CertificatePin

catalogue = Catalogue(Part.CARD)
PUK_NUMBER = 0x06
VERSION = slice(16, 17)


@catalogue.defect(
    "card-commands.md §1.8: authentication data have 8 bytes, and all of them are compared",
    "every-byte or external-bytes",
)
def external_authentication_compares_7_of_8_bytes(patch: Patch) -> None:
    """EXTERNAL AUTHENTICATION compares only 7 of the 8 bytes."""
    patch.attribute(authenticate, "equal", lambda one, other: equal(one[:7], other[:7]))


@catalogue.defect("card-commands.md §1.6: a challenge is valid within the current DF", "03-firewall and challenge")
def challenge_survives_a_change_of_df(patch: Patch) -> None:
    """A challenge is still valid after another DF is selected."""

    def enter(session: Session, df: Any) -> None:
        challenge = session.challenge
        original(session, df)
        session.challenge = challenge

    original = patch.attribute(Session, "enter", enter)


@catalogue.defect("card-commands.md §1.6: a challenge is good for one use", "challenge-once or replay")
def challenge_is_good_for_many_uses(patch: Patch) -> None:
    """A challenge can be used more than once."""

    def look_after(chip: Engine[Session], session: Session, *given: Any) -> None:
        challenge = session.challenge
        original(chip, session, *given)
        session.challenge = challenge

    original = patch.attribute(Engine, "look_after", look_after)


@catalogue.defect(
    "card-commands.md §1.8, OC-23: the last byte of the data is the version of the key",
    "versions.yaml",
)
def key_version_of_external_authentication_is_ignored(patch: Patch) -> None:
    """EXTERNAL AUTHENTICATION ignores the version of the key and uses version 1."""

    def run(session: Session) -> bytes:
        session.data = session.data[: VERSION.start]
        return original(session)

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.defect(
    "card-security.md §2: each version of a key has its own retry counter", "versions.yaml or own-counters"
)
def all_key_versions_use_the_counter_of_version_1(patch: Patch) -> None:
    """All versions of a key share the retry counter of version 1."""

    def run(session: Session) -> bytes:
        layout, named = session.layout, session.data[VERSION]
        index = layout.key(session.df.fid if session.p2 & authenticate.LOCAL else layout.ssse.fid, session.p2)
        if index is None or not named or not 1 < named[0] <= layout.keys[index].versions:
            return original(session)
        first, own = layout.counter(index, 0), layout.counter(index, named[0] - 1)
        _swap(session, first, own)
        answered = original(session)
        _swap(session, first, own)
        return answered

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


def _swap(session: Session, one: int, other: int) -> None:
    numbers = session.memory.numbers
    session.memory.commit([(one, numbers[other]), (other, numbers[one])], [])


@catalogue.defect(
    "PivApplet#67: a proof that was right once opens the door to a wrong one", "external-clears or puk-blocked"
)
def a_right_proof_makes_a_wrong_one_right(patch: Patch) -> None:
    """After a right proof of a key, a wrong one is accepted too."""

    def run(session: Session) -> bytes:
        before = session.status
        answered = original(session)
        gained = before & ~session.status
        session.status |= gained
        return OK if gained else answered

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.defect("card-commands.md §1.8: a blocked key cannot be proven (6983)", "blocked-puk or external-limits")
def a_blocked_key_can_be_proven(patch: Patch) -> None:
    """A blocked key answers EXTERNAL AUTHENTICATION with 9000."""
    patch.attribute(authenticate, "METHOD_BLOCKED", OK)


@catalogue.defect("status-keycard#37: a wrong proof does not cost a try of its key", "external-counts or every-byte")
def wrong_proof_is_not_counted(patch: Patch) -> None:
    """A wrong proof of a key does not cost a try."""

    def run(session: Session) -> bytes:
        before = session.memory.numbers[:]
        answered = original(session)
        if answered != OK:
            changed = [cell for cell, value in enumerate(session.memory.numbers) if value != before[cell]]
            session.memory.commit([(cell, before[cell]) for cell in changed], [])
        return answered

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.defect(
    "card-security.md §9, OC-9: the keys of an application are proven until another DF is selected",
    "keys-end-with-application",
)
def keys_stay_proven_in_another_df(patch: Patch) -> None:
    """Keys of an application stay proven in another DF."""

    def enter(session: Session, df: Any) -> None:
        status = session.status
        original(session, df)
        session.status |= status

    original = patch.attribute(Session, "enter", enter)


@catalogue.defect(
    "card-commands.md §1.7: the card proves IRK over the terminal's data", "internal-versions or pre-process"
)
def internal_authentication_answers_zeros(patch: Patch) -> None:
    """INTERNAL AUTHENTICATION returns zeros."""

    def run(session: Session) -> bytes:
        answered = original(session)
        return bytes(8) + OK if answered.endswith(OK) else answered

    original = authenticate.INTERNAL_AUTHENTICATION.run
    patch.command(authenticate.INTERNAL_AUTHENTICATION, run)


@catalogue.defect("card-commands.md §1.7, OC-23: the last byte of the data is the version of IRK", "internal-versions")
def internal_authentication_uses_version_1_only(patch: Patch) -> None:
    """INTERNAL AUTHENTICATION always uses version 1 of the key."""

    def run(session: Session) -> bytes:
        session.data = session.data[: VERSION.start]
        return original(session)

    original = authenticate.INTERNAL_AUTHENTICATION.run
    patch.command(authenticate.INTERNAL_AUTHENTICATION, run)


@catalogue.defect(
    "card-commands.md §1.12: APPLICATION BLOCK needs the lock key of the application",
    "application-refused or (block and application.yaml)",
)
def application_block_without_its_lock_key(patch: Patch) -> None:
    """APPLICATION BLOCK does not need the lock key of the application."""

    def refusal(session: Session, lock: int | None, stk: int | None, header: bytes) -> bytes:
        before = session.status
        if lock is not None and header[1] == block.APPLICATION_BLOCK.ins:
            session.status |= 2 << lock
        refused: bytes = original(session, lock, stk, header)
        session.status = before
        return refused

    original = patch.attribute(block, "_refusal", refusal)


@catalogue.defect("card-commands.md §1.13: CARD BLOCK needs the right MAC", "card-refused")
def card_block_takes_a_wrong_mac(patch: Patch) -> None:
    """CARD BLOCK accepts a wrong MAC."""

    def mac_is_right(session: Session, key: Any, header: bytes) -> bool:
        return header[1] == block.CARD_BLOCK.ins or bool(original(session, key, header))

    original = patch.attribute(block, "mac_is_right", mac_is_right)


@catalogue.defect("card-commands.md §1.12: APPLICATION BLOCK needs the right MAC", "application-refused")
def application_block_takes_a_wrong_mac(patch: Patch) -> None:
    """APPLICATION BLOCK accepts a wrong MAC."""

    def mac_is_right(session: Session, key: Any, header: bytes) -> bool:
        return header[1] == block.APPLICATION_BLOCK.ins or bool(original(session, key, header))

    original = patch.attribute(block, "mac_is_right", mac_is_right)


@catalogue.defect(
    "card-commands.md §1.13: a locked card answers 6A81 to every command", "card-for-ever or card-blocked"
)
def a_locked_card_works_after_a_power_cycle(patch: Patch) -> None:
    """A locked card works again after a power cycle."""

    def new_session(chip: Chip) -> Session:
        session: Session = original(chip)
        session.barred = b""
        return session

    original = patch.attribute(Chip, "new_session", new_session)


@catalogue.defect(
    "card-commands.md §1.12: a locked application answers 9303 and gives no data", "block and application.yaml"
)
def a_locked_application_still_works(patch: Patch) -> None:
    """A locked application can still be used."""

    def enter(session: Session, df: Any) -> None:
        original(session, df)
        if session.barred == APPLICATION_BLOCKED:
            session.barred = b""

    original = patch.attribute(Session, "enter", enter)


@catalogue.defect(
    "certificate-application.md §3: the PINs of the certificate application have their own retry counters",
    "own-pins",
)
def certificate_pins_share_a_retry_counter(patch: Patch) -> None:
    """The PINs of the certificate application share one retry counter."""

    def run(session: Session) -> bytes:
        answered = original(session)
        first = session.layout.certificate_tries
        cells = range(first, first + len(CertificatePin))
        least = min(session.memory.numbers[cell] for cell in cells)
        session.memory.commit([(cell, least) for cell in cells], [])
        return answered

    original = certificates.VERIFY_CERTIFICATE_PIN.run
    patch.command(certificates.VERIFY_CERTIFICATE_PIN, run)


@catalogue.defect("card-security.md §2, OC-2: a right proof restores the limit of the product", "external-limits")
def right_proof_restores_three_tries_whatever_the_limit(patch: Patch) -> None:
    """A right proof of the PUK restores three tries, whatever the limit of the product is."""

    def run(session: Session) -> bytes:
        answered = original(session)
        if answered == OK and session.p2 == PUK_NUMBER:
            session.memory.put_number(session.layout.counter(session.layout.puk, 0), 3)
        return answered

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.defect("certificate-application.md §3: a right PIN restores the limit of its own", "limits or certificate")
def right_certificate_pin_restores_six_tries(patch: Patch) -> None:
    """A right PIN of the certificate application restores six tries, whatever its limit is."""
    patch.attribute(certificates, "certificate_limit", lambda *_: 6)


@catalogue.defect("card-security.md §2: BK and the lock keys have no retry counter, nor that of the PIN", "pin-blocked")
def a_blocked_pin_blocks_keys_without_a_counter(patch: Patch) -> None:
    """If the PIN is blocked, EXTERNAL AUTHENTICATION answers 6983 for every key."""

    def run(session: Session) -> bytes:
        return original(session) if session.memory.numbers[PIN_TRIES] else METHOD_BLOCKED

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


DEFECTS = tuple(catalogue.defects)
