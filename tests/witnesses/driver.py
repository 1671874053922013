"""Observations that change with the defects of ``sscard.scenario.defects.driver``."""

from __future__ import annotations

from collections.abc import Mapping

from kit.cards import PIN
from kit.counter import CARD, PAY, Counter, psam_of
from witnesses.witness import Witness


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


WITNESSES: Mapping[str, Witness] = {
    "driver-takes-steps-in-any-order": _unblock_before_step_2,
    "driver-leaves-the-card-powered": _powered_after_verify,
    "driver-reverses-the-tries-left": _code_of_a_wrong_proof,
    "driver-gives-the-oldest-purchase-first": _purchases,
}
