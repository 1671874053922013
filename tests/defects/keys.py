"""Defects of the card: challenges, keys and what they prove, locks."""

from __future__ import annotations

from typing import Any

from defects.catalogue import Catalogue, Patch
from defects.pins import answers
from kit.cards import PIN
from kit.desk import Desk, verify
from sscard.card.chip import Chip
from sscard.card.commands import authenticate, block, certificates
from sscard.card.session import Session
from sscard.chip.answers import APPLICATION_BLOCKED, OK
from sscard.chip.engine import Engine
from sscard.standard.cipher import equal
from sscard.standard.tree import CertificatePin

catalogue = Catalogue("card")
SELECT_DF03, SELECT_DF01, DF03_KEY = "00A4000002DF03", "00A4000002DF01", "RK1DF03"
VERSION = slice(16, 17)


def _proof_with_wrong_byte(place: int) -> list[str]:
    desk = Desk()
    desk.challenge()
    proof = bytearray(desk.proof())
    proof[5 + place] ^= 1
    return answers(bytes(proof), desk=desk)


def _proof_over_old_challenge() -> list[str]:
    desk = Desk()
    desk.challenge()
    return answers(SELECT_DF03, desk.proof(DF03_KEY), desk=desk)


def _proof_of_version(version: int) -> list[str]:
    desk = Desk()
    desk.challenge()
    return answers(desk.proof("UKSSSE", version=version), desk=desk)


def _tries_by_version() -> tuple[int, ...]:
    desk = Desk()
    desk.challenge()
    answers(desk.proof("UKSSSE", right=False, version=2), desk=desk)
    return desk.chip.snapshot().key_tries["UKSSSE"]


def _wrong_after_right() -> list[str]:
    desk = Desk()
    desk.authenticate()
    desk.challenge()
    return answers(desk.proof(right=False), desk=desk)


def _proof_of_blocked_key() -> list[str]:
    desk = Desk()
    desk.block_key()
    desk.challenge()
    return answers(desk.proof(), desk=desk)


def _wrong_proof_tries() -> int:
    desk = Desk()
    desk.challenge()
    answers(desk.proof(right=False), desk=desk)
    return desk.key_tries()


def _replayed_proof() -> list[str]:
    desk = Desk()
    desk.challenge()
    return answers(desk.proof(), desk.proof(), desk=desk)


def _proof_of_key_below_another_df() -> tuple[str, ...]:
    """The keys that are proven after the selection of another DF."""
    desk = Desk()
    answers(SELECT_DF03, desk=desk)
    desk.authenticate(DF03_KEY)
    answers(SELECT_DF01, desk=desk)
    return desk.chip.snapshot().authenticated


def _application_lock(*, proven: bool = True, right: bool = True) -> list[str]:
    desk = Desk()
    answers(SELECT_DF03, desk=desk)
    if proven:
        desk.authenticate("LKDF03")
    desk.challenge()
    return answers(desk.sealed("841E0001", stk="STKDF03", right=right), "0084000008", desk=desk)


def _card_lock(*, right: bool) -> list[str]:
    desk = Desk()
    desk.authenticate("BK")
    desk.challenge()
    return answers(desk.sealed("84160000", right=right), desk=desk)


def _locked_card() -> list[str]:
    desk = Desk()
    desk.block_card()
    return answers(verify(PIN), desk=desk)


def _read_in_locked_application() -> list[str]:
    desk = Desk()
    desk.block_application("DF03")
    return answers(SELECT_DF03, "0084000008", desk=desk)


def _internal(version: bytes = b"") -> list[str]:
    data = bytes(range(16)) + version
    return answers(bytes((0x00, 0x88, 0x00, 0x00, len(data))) + data)


def _certificate_tries() -> tuple[int, ...]:
    from dataclasses import replace

    from sscard.issuer import preset

    desk = Desk(replace(preset("v3-sm4"), certificate_application="stub"))
    answers("00A404000C504B492EC9E7BBE1B1A3D5CF", "00A404000C53532E434552542E41444631", desk=desk)
    answers("0084000010", "0020018110" + "00" * 16, desk=desk)
    return desk.chip.snapshot().certificate_tries


@catalogue.add(
    "card-commands.md §1.8: authentication data have 8 bytes, and all of them are compared",
    lambda: _proof_with_wrong_byte(7),
    "authentication",
)
def external_authentication_compares_7_of_8_bytes(patch: Patch) -> None:
    patch.attribute(authenticate, "equal", lambda one, other: equal(one[:7], other[:7]))


@catalogue.add(
    "card-commands.md §1.6: a challenge is valid within the current DF", _proof_over_old_challenge, "challenge"
)
def challenge_survives_a_change_of_df(patch: Patch) -> None:
    def enter(session: Session, df: Any) -> None:
        challenge = session.challenge
        original(session, df)
        session.challenge = challenge

    original = patch.attribute(Session, "enter", enter)


@catalogue.add("card-commands.md §1.6: a challenge is good for one use", _replayed_proof, "replay or challenge")
def challenge_is_good_for_many_uses(patch: Patch) -> None:
    def look_after(chip: Engine[Session], session: Session, *given: Any) -> None:
        challenge = session.challenge
        original(chip, session, *given)
        session.challenge = challenge

    original = patch.attribute(Engine, "look_after", look_after)


@catalogue.add(
    "card-commands.md §1.8, OC-23: the last byte of the data is the version of the key",
    lambda: _proof_of_version(2),
    "version",
)
def key_version_of_external_authentication_is_ignored(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        session.data = session.data[: VERSION.start]
        return original(session)

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.add("card-security.md §2: each version of a key has its own retry counter", _tries_by_version, "version")
def all_key_versions_use_the_counter_of_version_1(patch: Patch) -> None:
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


@catalogue.add(
    "PivApplet#67: a proof that was right once opens the door to a wrong one",
    _wrong_after_right,
    "puk or authentication",
)
def a_right_proof_makes_a_wrong_one_right(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        before = session.status
        answered = original(session)
        gained = before & ~session.status
        session.status |= gained
        return OK if gained else answered

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.add(
    "card-commands.md §1.8: a blocked key cannot be proven (6983)", _proof_of_blocked_key, "puk or authentication"
)
def a_blocked_key_can_be_proven(patch: Patch) -> None:
    patch.attribute(authenticate, "METHOD_BLOCKED", OK)


@catalogue.add(
    "status-keycard#37: a wrong proof does not cost a try of its key", _wrong_proof_tries, "puk or authentication"
)
def wrong_proof_is_not_counted(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        before = session.memory.numbers[:]
        answered = original(session)
        if answered != OK:
            changed = [cell for cell, value in enumerate(session.memory.numbers) if value != before[cell]]
            session.memory.commit([(cell, before[cell]) for cell in changed], [])
        return answered

    original = authenticate.EXTERNAL_AUTHENTICATION.run
    patch.command(authenticate.EXTERNAL_AUTHENTICATION, run)


@catalogue.add(
    "card-security.md §9, OC-9: the keys of an application are proven until another DF is selected",
    _proof_of_key_below_another_df,
    "firewall or select",
)
def keys_stay_proven_in_another_df(patch: Patch) -> None:
    def enter(session: Session, df: Any) -> None:
        status = session.status
        original(session, df)
        session.status |= status

    original = patch.attribute(Session, "enter", enter)


@catalogue.add(
    "card-commands.md §1.7: the card proves IRK over the terminal's data", _internal, "pre-process or internal"
)
def internal_authentication_answers_zeros(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        answered = original(session)
        return bytes(8) + OK if answered.endswith(OK) else answered

    original = authenticate.INTERNAL_AUTHENTICATION.run
    patch.command(authenticate.INTERNAL_AUTHENTICATION, run)


@catalogue.add(
    "card-commands.md §1.7, OC-23: the last byte of the data is the version of IRK",
    lambda: _internal(b"\x02"),
    "internal",
)
def internal_authentication_uses_version_1_only(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        session.data = session.data[: VERSION.start]
        return original(session)

    original = authenticate.INTERNAL_AUTHENTICATION.run
    patch.command(authenticate.INTERNAL_AUTHENTICATION, run)


@catalogue.add(
    "card-commands.md §1.12: APPLICATION BLOCK needs the lock key of the application",
    lambda: _application_lock(proven=False),
    "lock or block",
)
def application_block_without_its_lock_key(patch: Patch) -> None:
    def refusal(session: Session, lock: int | None, stk: int | None, header: bytes) -> bytes:
        before = session.status
        if lock is not None and header[1] == block.APPLICATION_BLOCK.ins:
            session.status |= 2 << lock
        refused: bytes = original(session, lock, stk, header)
        session.status = before
        return refused

    original = patch.attribute(block, "_refusal", refusal)


@catalogue.add(
    "card-commands.md §1.13: CARD BLOCK needs the right MAC", lambda: _card_lock(right=False), "lock or block"
)
def card_block_takes_a_wrong_mac(patch: Patch) -> None:
    def mac_is_right(session: Session, key: Any, header: bytes) -> bool:
        return header[1] == block.CARD_BLOCK.ins or bool(original(session, key, header))

    original = patch.attribute(block, "mac_is_right", mac_is_right)


@catalogue.add(
    "card-commands.md §1.12: APPLICATION BLOCK needs the right MAC",
    lambda: _application_lock(right=False),
    "lock or block",
)
def application_block_takes_a_wrong_mac(patch: Patch) -> None:
    def mac_is_right(session: Session, key: Any, header: bytes) -> bool:
        return header[1] == block.APPLICATION_BLOCK.ins or bool(original(session, key, header))

    original = patch.attribute(block, "mac_is_right", mac_is_right)


@catalogue.add("card-commands.md §1.13: a locked card answers 6A81 to every command", _locked_card, "lock or block")
def a_locked_card_works_after_a_power_cycle(patch: Patch) -> None:
    def new_session(chip: Chip) -> Session:
        session: Session = original(chip)
        session.barred = b""
        return session

    original = patch.attribute(Chip, "new_session", new_session)


@catalogue.add(
    "card-commands.md §1.12: a locked application answers 9303 and gives no data",
    _read_in_locked_application,
    "lock or block",
)
def a_locked_application_still_works(patch: Patch) -> None:
    def enter(session: Session, df: Any) -> None:
        original(session, df)
        if session.barred == APPLICATION_BLOCKED:
            session.barred = b""

    original = patch.attribute(Session, "enter", enter)


@catalogue.add(
    "certificate-application.md §3: the PINs of the certificate application have their own retry counters",
    _certificate_tries,
    "certificate",
)
def certificate_pins_share_a_retry_counter(patch: Patch) -> None:
    def run(session: Session) -> bytes:
        answered = original(session)
        first = session.layout.certificate_tries
        cells = range(first, first + len(CertificatePin))
        least = min(session.memory.numbers[cell] for cell in cells)
        session.memory.commit([(cell, least) for cell in cells], [])
        return answered

    original = certificates.VERIFY_CERTIFICATE_PIN.run
    patch.command(certificates.VERIFY_CERTIFICATE_PIN, run)


DEFECTS = tuple(catalogue.defects)
