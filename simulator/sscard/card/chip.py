"""The chip: bytes in, bytes out. Its whole face to the world is power, ``transmit`` and ``snapshot``."""

from __future__ import annotations

from typing import Final

from sscard.card.commands import BY_CODE, KNOWN_CLAS, KNOWN_INS
from sscard.card.commands.challenge import GET_CHALLENGE
from sscard.card.commands.declaration import Command
from sscard.card.commands.response import GET_RESPONSE
from sscard.card.commands.select import SELECT
from sscard.card.profile import Profile
from sscard.card.session import Random, Session
from sscard.card.snapshot import Snapshot, take_snapshot
from sscard.chip.answers import (
    MEMORY_FAILURE,
    NOT_SUPPORTED,
    OK,
    UNKNOWN_CLA,
    WRONG_LENGTH,
    WRONG_P1P2,
    answer,
)
from sscard.chip.engine import PowerError
from sscard.chip.memory import Memory, MemoryFailure, PowerLost
from sscard.standard.apdu import SW

HEADER_LENGTH: Final = 4
SW_LENGTH: Final = 2
MEDICAL_CLAS: Final = (0xB0,)
NO_FAILURE: Final = (0x90, 0x61, 0x6C)
"""SW1 of success, and of the transport's request to ask with another Le."""
MALFORMED: Final = (WRONG_P1P2, WRONG_LENGTH)
"""A SELECT that selects nothing, so that it is no way out of a blocked application."""


class Chip:
    """A card's chip over its memory (LD/T 32.5).

    ``random`` is the source of its challenges. The chip does no I/O and holds
    no state of its own but the session, which dies with the power.
    """

    __slots__ = ("_contact", "_random", "_session", "memory", "profile")

    def __init__(self, profile: Profile, memory: Memory, random: Random, *, contact: bool = True) -> None:
        self.profile = profile
        self.memory = memory
        self._random = random
        self._contact = contact
        self._session: Session | None = None

    def power_on(self) -> bytes:
        """Recover the memory, start a session, answer the ATR (17 bytes contact, 18 contactless)."""
        self._session = None
        self.memory.recover()
        self._session = Session(self.profile, self.memory, self._random, self._contact)
        return self.profile.atr(self._contact)

    def power_off(self) -> None:
        """Drop the session; the memory stays."""
        self._session = None

    def reset(self) -> bytes:
        """Warm reset: as power off and on."""
        return self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Answer one command APDU: data of 0–256 bytes ‖ SW.

        Raises ``PowerError`` without power, and ``PowerLost`` where the power
        goes at a write point: then no answer left the card.
        """
        session = self._session
        if session is None:
            raise PowerError("the card has no power: call power_on() first")
        try:
            return self._run(session, command)
        except PowerLost:
            self._session = None
            raise

    def snapshot(self) -> Snapshot:
        """A read-only look at counters and states, without any secret."""
        return take_snapshot(self.profile, self.memory, self._session)

    def _run(self, session: Session, command: bytes) -> bytes:
        if len(command) < HEADER_LENGTH:
            return session.barred or WRONG_LENGTH
        declared = BY_CODE.get(command[0] << 8 | command[1])
        if session.pending and declared is not GET_RESPONSE:
            session.pending = b""
        if declared is None or session.barred:
            answered = self._exceptional(session, declared, command)
        else:
            try:
                answered = self._check(session, declared, command)
            except MemoryFailure:
                answered = MEMORY_FAILURE
        if session.attentive:
            self._look_after(session, declared, answered)
        return answered

    def _look_after(self, session: Session, declared: Command | None, answered: bytes) -> None:
        """End what this command ends: the challenge [OC-12], the medical transaction (command sheet §3.1)."""
        if declared is not GET_CHALLENGE and self._ends_challenge(declared, answered):
            session.challenge = b""
        medical = declared is not None and declared.clas == MEDICAL_CLAS
        if declared is not GET_RESPONSE and not (medical and answered[-SW_LENGTH] in NO_FAILURE):
            session.transaction = None
        session.attentive = bool(session.challenge) or session.transaction is not None

    def _ends_challenge(self, declared: Command | None, answered: bytes) -> bool:
        lasts = self.profile.personality.challenge_lasts
        if lasts == "command":
            return True
        return declared is not None and declared.spends_challenge and (lasts == "use" or answered == OK)

    def _check(self, session: Session, declared: Command, command: bytes) -> bytes:
        """The order of checks of the command sheet §0: P1 P2, length, then the command's own."""
        p1 = command[2]
        p2 = command[3]
        if declared.p1p2 and (p1 << 8 | p2) not in declared.p1p2:
            sibling = declared.sibling
            return self._check(session, sibling, command) if sibling else WRONG_P1P2
        length = len(command)
        p3 = command[4] if length > HEADER_LENGTH else 0
        if not declared.lengths:
            return declared.run(session, p1, p2, b"", p3) if length <= HEADER_LENGTH + 1 else WRONG_LENGTH
        if p3 not in declared.lengths or not _fits(declared, length, p3):
            return WRONG_LENGTH
        answered = declared.run(session, p1, p2, command[5 : 5 + p3], 0)
        if declared.answers_data and session.contact and len(answered) > SW_LENGTH:
            session.pending = answered[:-SW_LENGTH]
            return answer(SW.MORE_DATA | len(session.pending))
        return answered

    def _exceptional(self, session: Session, declared: Command | None, command: bytes) -> bytes:
        """An unknown command, or any command while the card or the application is blocked."""
        if session.barred == NOT_SUPPORTED:
            answered = self._check(session, declared, command) if declared is SELECT else NOT_SUPPORTED
            return session.barred or answered
        if declared is None:
            return self._unknown(command)
        answered = self._check(session, declared, command) if declared is SELECT else session.barred
        return session.barred if answered in MALFORMED else answered

    def _unknown(self, command: bytes) -> bytes:
        if command[0] not in KNOWN_CLAS or command[1] in KNOWN_INS:
            return UNKNOWN_CLA
        return answer(self.profile.personality.unknown_ins)


def _fits(declared: Command, length: int, p3: int) -> bool:
    """Whether Lc agrees with the command's length; only a case 4 command may carry an Le."""
    if length == HEADER_LENGTH + 1 + p3 or length == HEADER_LENGTH:
        return True
    return declared.answers_data and length == HEADER_LENGTH + 2 + p3
