"""A PSAM in a PC/SC reader: a whole PIN reset through it, with the same result as in process."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import kit
from sscard.issuer import builtin_keys
from sscard.issuer.psam import issue_psam
from sscard.standard.encoding import encode_pin
from sscard.terminal.psam import Psam
from sscard.transport.connection import Connection
from sscard.transport.pcsc import PcscConnection
from sscard.transport.vpcd import VirtualReaderSlot


def test_a_whole_pin_reset_by_a_psam_in_a_reader(
    insert: Callable[[Connection], VirtualReaderSlot], connection: PcscConnection
) -> None:
    insert(issue_psam(builtin_keys(), level="city").chip(Random(1)))
    psam = Psam(connection)
    assert psam.terminal_number() == "510100000001"
    desk = kit.Desk("v3-sm4")
    desk.block_pin()
    original, factor = desk.challenge(), desk.challenge()
    proof = psam.authentication_data(3, "PUK", desk.reference, factor, original)
    assert desk.sw(bytes.fromhex("0082000610") + proof) == 0x9000
    header = bytes.fromhex("8424000114")
    assert desk.sw(psam.safe_message(3, desk.reference, desk.challenge(), header, encode_pin("654321"))) == 0x9000
    assert desk.verify("654321") == 0x9000
    psam.close()
