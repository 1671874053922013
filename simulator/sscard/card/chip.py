"""The card's chip. Its interface is power, ``transmit`` and ``snapshot``."""

from __future__ import annotations

from typing import Final

from sscard.card.commands import CERTIFICATE_TABLE, GET_RESPONSE, TABLE, CardCommand
from sscard.card.profile import Profile
from sscard.card.session import Session
from sscard.card.snapshot import Snapshot, take_snapshot
from sscard.chip.command import CommandTable
from sscard.chip.engine import SW_LENGTH, Engine
from sscard.chip.memory import Memory
from sscard.chip.session import Random

MEDICAL_CLAS: Final = (0xB0,)
NO_FAILURE: Final = (0x90, 0x61, 0x6C)
"""SW1 of success, and of the transport's request to ask with another Le."""


class Chip(Engine[Session]):
    """A card's chip (LD/T 32.5)."""

    __slots__ = ("profile",)

    def __init__(self, profile: Profile, memory: Memory, random: Random, *, contact: bool = True) -> None:
        unknown_ins = profile.personality.unknown_ins
        super().__init__("card", profile.atr(contact), TABLE, unknown_ins, memory, random, contact)
        self.profile = profile

    def new_session(self) -> Session:
        """The session of a card that was just powered on."""
        self._take(TABLE)
        return Session(self.profile, self.memory, self._random, self._contact)

    def look_after(self, session: Session, declared: CardCommand | None, answered: bytes) -> None:
        """End what this command ends: the challenge [OC-12], the medical transaction (card-commands.md §3.1).

        After a SELECT into the certificate environment, or out of it, take the commands of the current DF.
        """
        super().look_after(session, declared, answered)
        medical = declared is not None and declared.clas == MEDICAL_CLAS
        if declared is not GET_RESPONSE and not (medical and answered[-SW_LENGTH] in NO_FAILURE):
            session.transaction = None
        certificates = session.df.certificates
        session.attentive = session.attentive or session.transaction is not None or certificates
        if certificates != (self._commands is CERTIFICATE_TABLE):
            self._take(CERTIFICATE_TABLE if certificates else TABLE)

    def _take(self, table: CommandTable[Session]) -> None:
        """Answer the commands of this table."""
        self._commands = table
        self._headers = table.headers

    def snapshot(self) -> Snapshot:
        """A read-only snapshot of counters and states; no secrets."""
        return take_snapshot(self.profile, self.memory, self._session)
