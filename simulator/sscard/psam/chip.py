"""The PSAM's chip: the same face as the user's card, power, ``transmit`` and ``snapshot``."""

from __future__ import annotations

from typing import Final

from sscard.chip.answers import MEMORY_FAILURE, NOT_SUPPORTED, UNKNOWN_CLA, WRONG_LENGTH, WRONG_P1P2, answer
from sscard.chip.engine import PowerError
from sscard.chip.memory import Memory, MemoryFailure, PowerLost
from sscard.psam.authenticate import EXTERNAL_AUTHENTICATION, GET_CHALLENGE, INITIALIZE_ENVIRONMENT
from sscard.psam.declaration import PsamCommand
from sscard.psam.files import GET_RESPONSE, READ_BINARY, READ_RECORD, SELECT, UPDATE_BINARY
from sscard.psam.keyfiles import CREATE_OR_CHANGE_KEY
from sscard.psam.layout import BLOCKED
from sscard.psam.purchase import CREDIT_SAM_FOR_PURCHASE, INIT_SAM_FOR_PURCHASE
from sscard.psam.session import PsamProfile, PsamSession, Random
from sscard.psam.sessionkey import CIPHER_DATA, DELIVERY_SESSION_KEY
from sscard.psam.snapshot import PsamSnapshot, take_snapshot
from sscard.standard.apdu import SW

PSAM_COMMANDS: Final = (
    SELECT,
    READ_BINARY,
    READ_RECORD,
    UPDATE_BINARY,
    GET_RESPONSE,
    GET_CHALLENGE,
    INITIALIZE_ENVIRONMENT,
    EXTERNAL_AUTHENTICATION,
    CREATE_OR_CHANGE_KEY,
    DELIVERY_SESSION_KEY,
    CIPHER_DATA,
    INIT_SAM_FOR_PURCHASE,
    CREDIT_SAM_FOR_PURCHASE,
)
BY_CODE: Final = {(command.cla, command.ins): command for command in PSAM_COMMANDS}
KNOWN_CLAS: Final = frozenset(command.cla for command in PSAM_COMMANDS)
KNOWN_INS: Final = frozenset(command.ins for command in PSAM_COMMANDS)
UNKNOWN_INS: Final = answer(SW.UNKNOWN_INS)
HEADER_LENGTH: Final = 4
SW_LENGTH: Final = 2


class PsamChip:
    """A PSAM's chip over its memory.

    ``random`` is the source of its challenges; ``contact`` says that data of
    a command with data waits for GET RESPONSE, as T=0 has it.
    """

    __slots__ = ("_contact", "_random", "_session", "memory", "profile")

    def __init__(self, profile: PsamProfile, memory: Memory, random: Random, *, contact: bool = True) -> None:
        self.profile = profile
        self.memory = memory
        self._random = random
        self._contact = contact
        self._session: PsamSession | None = None

    def power_on(self) -> bytes:
        """Recover the memory, start a session, answer the ATR (17 bytes)."""
        self._session = None
        self.memory.recover()
        self._session = PsamSession(self.profile, self.memory, self._random)
        return self.profile.atr()

    def power_off(self) -> None:
        """Drop the session; the memory stays."""
        self._session = None

    def reset(self) -> bytes:
        """Warm reset: as power off and on."""
        return self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Answer one command APDU: data of 0–256 bytes ‖ SW.

        Raises ``PowerError`` without power, and ``PowerLost`` where the power
        goes at a write point: then no answer left the PSAM.
        """
        session = self._session
        if session is None:
            raise PowerError("the PSAM has no power: call power_on() first")
        try:
            return self._run(session, command)
        except PowerLost:
            self._session = None
            raise

    def snapshot(self) -> PsamSnapshot:
        """A read-only look at counters and states, without any secret."""
        return take_snapshot(self.profile, self.memory, self._session)

    def _run(self, session: PsamSession, command: bytes) -> bytes:
        declared = BY_CODE.get((command[0], command[1])) if len(command) >= HEADER_LENGTH else None
        if declared is not GET_RESPONSE:
            session.pending = b""
        if self.memory.numbers[BLOCKED]:
            return NOT_SUPPORTED
        if declared is None:
            return _unknown(command)
        try:
            answered = self._check(session, declared, command)
        except MemoryFailure:
            answered = MEMORY_FAILURE
        if declared.spends_challenge:
            session.challenge = b""
        return answered

    def _check(self, session: PsamSession, declared: PsamCommand, command: bytes) -> bytes:
        """The order of checks of the command sheet §0: P1 P2, length, then the command's own."""
        p1, p2 = command[2], command[3]
        if declared.p1p2 and (p1 << 8 | p2) not in declared.p1p2:
            return WRONG_P1P2
        p3 = command[HEADER_LENGTH] if len(command) > HEADER_LENGTH else 0
        if not declared.lengths:
            return declared.run(session, p1, p2, b"", p3) if len(command) <= HEADER_LENGTH + 1 else WRONG_LENGTH
        if p3 not in declared.lengths or not _fits(declared, len(command), p3):
            return WRONG_LENGTH
        answered = declared.run(session, p1, p2, command[5 : 5 + p3], 0)
        if self._contact and declared.answers_data and len(answered) > SW_LENGTH:
            session.pending = answered[:-SW_LENGTH]
            return answer(SW.MORE_DATA | len(session.pending))
        return answered


def _fits(declared: PsamCommand, length: int, p3: int) -> bool:
    """Whether Lc agrees with the command's length; only a case 4 command may carry an Le."""
    return length == HEADER_LENGTH + 1 + p3 or (declared.answers_data and length == HEADER_LENGTH + 2 + p3)


def _unknown(command: bytes) -> bytes:
    if len(command) < HEADER_LENGTH:
        return WRONG_LENGTH
    return UNKNOWN_CLA if command[0] not in KNOWN_CLAS or command[1] in KNOWN_INS else UNKNOWN_INS
