"""Operations of a terminal on any file and key of a card, as flows: what a survey and a start state need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sscard.standard.apdu import SW, command
from sscard.standard.encoding import records
from sscard.standard.tree import DfSpec, FileSpec, KeySpec, Structure
from sscard.terminal import flows
from sscard.terminal.card import OpenedCard
from sscard.terminal.errors import ApduError
from sscard.terminal.flow import Flow, Prove, checked

NO_TERMINAL: Final = bytes(6)
"""The number of a terminal that begins a transaction and does not end it."""


def select(df: DfSpec) -> Flow[None]:
    """SELECT a DF by its name, also the current one."""
    checked((yield command(0x00, 0xA4, 0x04, 0x00, df.aid)), f"SELECT {df.name}")


def prove(card: OpenedCard, key: KeySpec, version: int = 0, *, right: bool = True) -> Flow[None]:
    """Prove a version of a key of SSSE or of the current DF, or make a wrong proof, which costs a try."""
    original, factor = yield from flows.two_challenges()
    proof: bytes = yield Prove(card, key.name, factor, original, version)
    proof = proof if right else bytes((proof[0] ^ 1,)) + proof[1:]
    number = bytes((version + 1,)) if key.versions > 1 else b""
    yield from flows.external_authentication(key.name, key.number, proof + number)


def content(file: FileSpec) -> Flow[bytes]:
    """The content of an EF of the current DF, as the memory of a card has it."""
    yield from flows.select_ef(file.fid)
    if file.structure == Structure.TRANSPARENT:
        return (yield from flows.read_binary(file.size))
    if file.structure == Structure.CYCLIC:
        return b"".join((yield from flows.read_cycle()))
    held = b""
    number = 1
    try:
        while True:
            held += yield from flows.read_record(number, flows.NUMBER)
            number += 1
    except ApduError as error:
        if error.sw != SW.RECORD_NOT_FOUND:
            raise
    return held


def written(file: FileSpec, old: bytes, new: bytes) -> Flow[None]:
    """Make the content ``old`` of an EF of the current DF ``new``; its write right must be held."""
    yield from flows.select_ef(file.fid)
    yield from flows.update([*_updates(file, old, new)])


def _updates(file: FileSpec, old: bytes, new: bytes) -> Iterator[bytes]:
    if file.structure == Structure.TRANSPARENT:
        for start in range(0, len(new), flows.BINARY_PIECE):
            piece = new[start : start + flows.BINARY_PIECE]
            if piece != old[start : start + flows.BINARY_PIECE]:
                yield command(0x00, 0xD6, start >> 8, start & 0xFF, piece)
        return
    if file.structure == Structure.CYCLIC:
        length = file.record_length
        held = [new[start : start + length] for start in range(0, len(new), length)]
        for record in reversed(held):
            yield command(0x00, 0xDC, 0x00, flows.PREVIOUS, record)
        return
    before = [*records(old)]
    for number, record in enumerate(records(new), 1):
        if number > len(before) or before[number - 1] != record:
            yield command(0x00, 0xDC, number, flows.NUMBER, record)


def can_write(file: FileSpec, old: bytes, new: bytes) -> bool:
    """Whether UPDATE commands can make the content ``old`` of a file ``new``: they remove no record."""
    if file.structure == Structure.TRANSPARENT:
        return len(new) == len(old)
    if file.structure == Structure.CYCLIC:
        return len(new) == file.size or not old or new.endswith(old)
    return len([*records(new)]) >= len([*records(old)])


def account() -> Flow[tuple[bytes, bytes, bytes]]:
    """The medical account: its starting day as cn(2), and what INITIALIZE FOR LOAD and FOR PURCHASE answer.

    Balance(4) ‖ count(2) ‖ …; balance(4) ‖ self-paid(4) ‖ pool(4) ‖ year(2) ‖ count(2) ‖ …. Both are for nothing and
    no transaction follows.
    """
    day = checked((yield command(0xB0, 0x56, 0x01, 0x00, le=2)), "GET STARTING DAY")
    load = command(0xB0, 0x28, 0x00, 0x01, b"\x01" + bytes(4) + NO_TERMINAL)
    purchase = command(0xB0, 0x28, 0x01, 0x01, b"\x01" + bytes(12) + NO_TERMINAL)
    opened = checked((yield load), "INITIALIZE FOR LOAD")
    return day, opened, checked((yield purchase), "INITIALIZE FOR PURCHASE")
