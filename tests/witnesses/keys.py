"""Observations that change with the defects of ``sscard.scenario.defects.keys``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kit.cards import PIN
from kit.desk import Desk, verify
from sscard.issuer import preset
from sscard.standard.certificates import cryptogram
from sscard.standard.encoding import encode_pin
from witnesses.pins import answers
from witnesses.witness import Witness

SELECT_DF03, SELECT_DF01, DF03_KEY = "00A4000002DF03", "00A4000002DF01", "RK1DF03"


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
    desk = Desk(replace(preset("v3-sm4"), certificate_application="stub"))
    answers("00A404000C504B492EC9E7BBE1B1A3D5CF", "00A404000C53532E434552542E41444631", desk=desk)
    answers("0084000010", "0020018110" + "00" * 16, desk=desk)
    return desk.chip.snapshot().certificate_tries


def _limit_after_right_proof() -> int:
    desk = Desk(replace(preset("v3-sm4"), key_tries=10))
    desk.authenticate()
    return desk.key_tries()


def _limit_after_right_certificate_pin() -> tuple[int, ...]:
    desk = Desk(replace(preset("v3-sm4"), certificate_application="stub", certificate_user_tries=15))
    answers("00A404000C504B492EC9E7BBE1B1A3D5CF", "00A404000C53532E434552542E41444631", desk=desk)
    right = cryptogram(encode_pin("123456"), desk.challenge(16))
    answers(bytes.fromhex("0020018110") + right, desk=desk)
    return desk.chip.snapshot().certificate_tries


def _proof_while_the_pin_is_blocked() -> list[str]:
    desk = Desk()
    desk.block_pin()
    desk.challenge()
    return answers(desk.proof("BK"), desk=desk)


WITNESSES: Mapping[str, Witness] = {
    "external-authentication-compares-7-of-8-bytes": lambda: _proof_with_wrong_byte(7),
    "challenge-survives-a-change-of-df": _proof_over_old_challenge,
    "challenge-is-good-for-many-uses": _replayed_proof,
    "key-version-of-external-authentication-is-ignored": lambda: _proof_of_version(2),
    "all-key-versions-use-the-counter-of-version-1": _tries_by_version,
    "a-right-proof-makes-a-wrong-one-right": _wrong_after_right,
    "a-blocked-key-can-be-proven": _proof_of_blocked_key,
    "wrong-proof-is-not-counted": _wrong_proof_tries,
    "keys-stay-proven-in-another-df": _proof_of_key_below_another_df,
    "internal-authentication-answers-zeros": _internal,
    "internal-authentication-uses-version-1-only": lambda: _internal(b"\x02"),
    "application-block-without-its-lock-key": lambda: _application_lock(proven=False),
    "card-block-takes-a-wrong-mac": lambda: _card_lock(right=False),
    "application-block-takes-a-wrong-mac": lambda: _application_lock(right=False),
    "a-locked-card-works-after-a-power-cycle": _locked_card,
    "a-locked-application-still-works": _read_in_locked_application,
    "certificate-pins-share-a-retry-counter": _certificate_tries,
    "right-proof-restores-three-tries-whatever-the-limit": _limit_after_right_proof,
    "right-certificate-pin-restores-six-tries": _limit_after_right_certificate_pin,
    "a-blocked-pin-blocks-keys-without-a-counter": _proof_while_the_pin_is_blocked,
}
