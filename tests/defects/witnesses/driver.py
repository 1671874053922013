"""Observations that change with the defects of ``defects.driver``."""

from __future__ import annotations

from collections.abc import Mapping

from defects.witnesses.witness import Witness
from kit.cards import PIN, order_of
from kit.counter import CARD, PAY, Counter, psam_of
from sscard.issuer import CardReference, preset
from sscard.issuer.personalise import card_reference
from sscard.terminal.psam import PsamError


def _unblock_before_step_2() -> int:
    counter = Counter(psam=psam_of())
    asked = counter.driver.iUnblockPIN_HSM_Step1(counter.type, CARD)[1]
    return counter.driver.iUnblockPIN_HSM_Step3(counter.host.authenticate(counter.basic, asked))[0]


def _powered_after_verify() -> bool:
    counter = Counter(psam=psam_of())
    counter.pad.script(PIN)
    counter.driver.iVerifyPIN(counter.type)
    return counter.chip.snapshot().powered


def _code_of_a_wrong_proof() -> int:
    counter = Counter(psam=psam_of())
    counter.driver.iUnblockPIN_HSM_Step1(counter.type, CARD)
    return counter.driver.iUnblockPIN_HSM_Step2("0" * 32)[0]


def _purchases() -> str:
    counter = Counter(psam=psam_of("national"))
    for __ in range(2):
        counter.pad.script(PIN)
        counter.driver.iDoDebit(counter.type, CARD, PAY)
    counter.pad.script(PIN)
    return counter.driver.iReadDebitRecord(counter.type)[1]


def _wrong_mac2() -> int:
    psam = psam_of("national")
    opening = bytes.fromhex("0007 01 03 A1A2A3A4")
    psam.init_purchase(
        3, card_reference(order_of(preset("v3-sm4"))), opening, bytes(12), b"\x02", bytes.fromhex("20260105093000")
    )
    try:
        psam.credit_purchase(bytes(4))
    except PsamError as error:
        return error.code
    return 0


def _proof_by_a_psam_of_another_city() -> object:
    """What a PSAM with the keys of its city does for a card of another province."""
    psam = psam_of("city")
    try:
        return psam.authentication_data(3, "PUK", CardReference("440100", bytes(8)), bytes(8), bytes(8)).hex()
    except PsamError as error:
        return error.code


WITNESSES: Mapping[str, Witness] = {
    "driver-takes-steps-in-any-order": _unblock_before_step_2,
    "driver-leaves-the-card-powered": _powered_after_verify,
    "driver-reverses-the-tries-left": _code_of_a_wrong_proof,
    "driver-gives-the-oldest-purchase-first": _purchases,
    "psam-takes-a-wrong-mac2": _wrong_mac2,
    "psam-serves-cards-of-every-region": _proof_by_a_psam_of_another_city,
}
