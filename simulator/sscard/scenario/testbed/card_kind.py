"""A look at a card that may be no social security card: what it answers to commands that change no card."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sscard.i18n.phrase import ROW, Phrase, Sayable
from sscard.standard.apdu import SW, command, named_status
from sscard.standard.generations import GENERATIONS, SSSE_DF, build_layout
from sscard.standard.tree import MF
from sscard.transport import CardMute, CardRemoved
from sscard.transport.connection import Connection, ShortAnswer, exchange

ASKED: Final = {
    "SELECT MF": command(0x00, 0xA4, 0x00, 0x0C, b"\x3f\x00"),
    "READ BINARY": command(0x00, 0xB0, 0x00, 0x00, le=1),
    "READ RECORD": command(0x00, 0xB2, 0x01, 0x04, le=0),
    "GET CHALLENGE": command(0x00, 0x84, 0x00, 0x00, le=8),
    "GET RESPONSE": command(0x00, 0xC0, 0x00, 0x00, le=8),
    "GET DATA": command(0x00, 0xCA, 0x9F, 0x7F, le=0),
}
"""None of them costs a try or changes a card; an empty VERIFY would on some."""
NO_SUCH_FILE: Final = (SW.FILE_NOT_FOUND, SW.UNKNOWN_INS, SW.UNKNOWN_CLA)
"""Answers to SELECT by name of a card that never had the application."""


@dataclass(slots=True)
class Look:
    """A card from outside: its ATR, and the status word of each command, ``None`` without an answer.

    ``applications`` are those of a social security card by name, SSSE first; ``commands`` those of ``ASKED``.
    """

    atr: bytes
    applications: dict[str, int | None] = field(default_factory=dict)
    commands: dict[str, int | None] = field(default_factory=dict)

    @property
    def kind(self) -> Sayable:
        """Whether it is a social security card, as far as SELECT SSSE says."""
        answer = self.applications[SSSE_DF.name]
        if answer == SW.OK:
            return Phrase("a card with the application SSSE")
        status = _shown(answer)
        if answer in NO_SUCH_FILE:
            return Phrase("no social security card: SELECT SSSE: {status}", status=status)
        return Phrase("not known: SELECT SSSE: {status}", status=status)

    @property
    def lacks(self) -> str:
        """The applications that it does not have."""
        return ", ".join(name for name, answer in self.applications.items() if answer in NO_SUCH_FILE)

    @property
    def answers(self) -> Sayable:
        """The commands that it was asked, each with its answer."""
        said = [Phrase("{name}: {status}", name=name, status=_shown(answer)) for name, answer in self.commands.items()]
        return Phrase.joined(ROW, said)


def _shown(answer: int | None) -> Sayable:
    return Phrase("no answer") if answer is None else named_status(answer)


def look_at(connection: Connection) -> Look:
    """Look at a card, which has no power before and after. Errors: those of the connection when it powers the card."""
    look = Look(connection.power_on())
    try:
        # Those of all generations, each before those that lie below it.
        layouts = [build_layout(name, MF, optional_applications=True, certificates=True) for name in GENERATIONS]
        below = {df.name: df.aid for layout in layouts for df in layout.dfs if not df.outside}
        for name, aid in ({SSSE_DF.name: SSSE_DF.aid} | below).items():
            look.applications[name] = _status(connection, command(0x00, 0xA4, 0x04, 0x00, aid))
        for name, asked in ASKED.items():
            look.commands[name] = _status(connection, asked)
    finally:
        connection.power_off()
    return look


def _status(connection: Connection, asked: bytes) -> int | None:
    """The status word of an answer; a card that does not answer is powered again."""
    try:
        return exchange(connection, asked).sw
    except (CardMute, CardRemoved, ShortAnswer):
        connection.power_on()
        return None
