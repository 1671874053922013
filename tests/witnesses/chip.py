"""Observations that change with the defects of ``sscard.scenario.defects.chip``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kit.cards import NAME
from kit.desk import Desk
from sscard.issuer import preset
from sscard.standard.certificates import cryptogram
from sscard.standard.encoding import encode_pin
from witnesses.pins import answers
from witnesses.witness import Witness

SELECT_SSSE, GET_RESPONSE = f"00A404000F{NAME}", "00C000001E"


def _application_lock() -> list[str]:
    desk = Desk()
    answers("00A4000002DF03", desk=desk)
    desk.authenticate("LKDF03")
    desk.challenge()
    return answers(desk.sealed("841E0001", stk="STKDF03"), "00A4000002DF04", desk=desk)


def _record_twice() -> list[str]:
    desk = Desk()
    desk.authenticate("UKSSSE")
    return answers("00DC022803020135", "00B2022803", "00B2072800", desk=desk)


def _half_cryptogram() -> list[str]:
    desk = Desk(replace(preset("v3-sm4"), certificate_application="stub"))
    answers("00A404000C504B492EC9E7BBE1B1A3D5CF", "00A404000C53532E434552542E41444631", desk=desk)
    right = cryptogram(encode_pin("123456"), desk.challenge(16))
    return answers(bytes.fromhex("0020018110") + right[:8] + bytes(8), desk=desk)


WITNESSES: Mapping[str, Witness] = {
    "get-response-gives-the-data-twice": lambda: answers(
        SELECT_SSSE, GET_RESPONSE, GET_RESPONSE, desk=Desk(contact=True)
    ),
    "every-challenge-is-the-same": lambda: answers("0084000008", "0084000008"),
    "wrong-le-names-one-byte-too-few": lambda: answers("00B2072C0C"),
    "contactless-card-answers-61xx": lambda: answers(SELECT_SSSE),
    "unknown-ins-is-taken-for-an-unknown-class": lambda: answers("00FF000000"),
    "application-block-locks-the-card": _application_lock,
    "update-record-appends-what-it-should-replace": _record_twice,
    "select-next-begins-again": lambda: answers("00A4040005D156000005", "00A4040205D156000005"),
    "half-of-a-certificate-cryptogram-is-compared": _half_cryptogram,
    "select-without-data-is-refused": lambda: answers("00A4000000"),
}
