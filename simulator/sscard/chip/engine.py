"""The command engine of a chip: power, dispatch, order of checks, GET RESPONSE (card-commands.md §0, §1.14).

Card and PSAM share it; they differ by their commands, their session and the
methods of ``Engine`` that they override.
"""

from __future__ import annotations

from typing import Final, Generic, TypeVar

from sscard.chip.answers import (
    MEMORY_FAILURE,
    NO_DATA_PENDING,
    NOT_SUPPORTED,
    OK,
    UNKNOWN_CLA,
    WRONG_LENGTH,
    WRONG_P1P2,
    answer,
    wrong_le,
)
from sscard.chip.command import EVERY_COMMAND, Command, CommandTable, Field, Parameter, Sent
from sscard.chip.memory import Memory, MemoryFailure, PowerLost
from sscard.chip.session import ChipSession, Random
from sscard.i18n.phrase import Phrase, Words
from sscard.standard.apdu import GET_RESPONSE_INS, SW

HEADER_LENGTH: Final = 4
SW_LENGTH: Final = 2
MALFORMED: Final = (WRONG_P1P2, WRONG_LENGTH)
"""Answers of a SELECT without effect, which therefore cannot leave a locked application."""

S = TypeVar("S", bound=ChipSession)


class PowerError(Exception):
    """A command was sent to a chip without power."""


def get_response(session: ChipSession) -> bytes:
    """Answer up to Le bytes of the pending data of the last command."""
    le = session.le
    waiting = session.pending
    if not waiting:
        return NO_DATA_PENDING
    if le == 0 or le > len(waiting):
        return wrong_le(len(waiting))
    session.pending = waiting[le:]
    return waiting[:le] + (answer(SW.MORE_DATA | len(session.pending)) if session.pending else OK)


def get_response_command(further: dict[int, Phrase]) -> Command[ChipSession]:
    """Declare GET RESPONSE for a chip whose engine answers further status words."""
    return Command(
        "GET RESPONSE",
        "获取响应",
        "card-commands.md §1.14",
        (0x00,),
        GET_RESPONSE_INS,
        get_response,
        {
            **EVERY_COMMAND,
            SW.OK: Phrase("the last of the waiting data"),
            SW.MORE_DATA: Phrase("data read; xx bytes are still waiting"),
            SW.WRONG_LE: Phrase("Le is 00 or too large; xx bytes are waiting"),
            SW.NO_DATA_PENDING: Phrase("no data are waiting"),
            **further,
        },
        parameters=(Parameter(0x00, 0x00),),
        answer=(Field(Words("data of the previous command", "上一条命令留下的数据"), range(1, 257)),),
        example=(
            Sent("00A404000F 7378312E73682EC9E7BBE1B1A3D5CF", "611B"),
            Sent("00C0000000", "6C1B"),
            Sent("00C000001B", "6F19840F7378312E73682EC9E7BBE1B1A3D5CFA5069F0C038601XX9000"),
        ),
    )


class Engine(Generic[S]):
    """A chip with its memory.

    ``name`` is the name of the chip in error texts, ``atr`` its answer at
    power-on, ``unknown_ins`` the answer to an unknown INS, ``random`` the source
    of its challenges. The chip does no I/O; its only state besides the memory
    is the session, which ends at power-off.
    """

    __slots__ = ("_atr", "_by_code", "_commands", "_contact", "_name", "_random", "_session", "_unknown_ins", "memory")

    def __init__(
        self,
        name: str,
        atr: bytes,
        commands: CommandTable[S],
        unknown_ins: int,
        memory: Memory,
        random: Random,
        contact: bool,
    ) -> None:
        self._name = name
        self._atr = atr
        self._commands = commands
        self._by_code = commands.by_code
        self._unknown_ins = answer(unknown_ins)
        self.memory = memory
        self._random = random
        self._contact = contact
        self._session: S | None = None

    def new_session(self) -> S:
        """The session of a chip that was just powered on."""
        raise NotImplementedError

    def look_after(self, session: S, declared: Command[S] | None, answered: bytes) -> None:
        """End what this command ends: the challenge [OC-12]."""
        lasts = session.challenge_lasts
        if declared is None:
            ends = lasts == "command"
        elif declared.spends_challenge:
            ends = lasts != "success" or answered == OK
        else:
            ends = lasts == "command" and not declared.gives_challenge
        if ends:
            session.challenge = b""
        session.attentive = bool(session.challenge)

    def power_on(self) -> bytes:
        """Recover the memory, start a session, return the ATR (17 bytes contact, 18 contactless)."""
        self._session = None
        self.memory.recover()
        self._session = self.new_session()
        return self._atr

    def power_off(self) -> None:
        """End the session; the memory is kept."""
        self._session = None

    def reset(self) -> bytes:
        """Warm reset: like power off and on."""
        return self.power_on()

    def transmit(self, command: bytes) -> bytes:
        """Answer one command APDU: data of 0–256 bytes ‖ SW.

        Raises ``PowerError`` without power, and ``PowerLost`` if the power is
        cut at a write point: then there is no answer.
        """
        session = self._session
        if session is None:
            raise PowerError(f"the {self._name} has no power: call power_on() first")
        declared = self._by_code.get(command[0] << 8 | command[1]) if len(command) >= HEADER_LENGTH else None
        if session.pending and (declared is None or declared.ins != GET_RESPONSE_INS):
            session.pending = b""
        try:
            if declared is None or session.barred:
                answered = self._exceptional(session, declared, command)
            else:
                answered = self._check(session, declared, command)
        except MemoryFailure:
            answered = MEMORY_FAILURE
        except PowerLost:
            self._session = None
            raise
        if session.attentive:
            self.look_after(session, declared, answered)
        return answered

    def _check(self, session: S, declared: Command[S], command: bytes) -> bytes:
        """The order of checks of card-commands.md §0: P1 P2, length, then those of the command."""
        p1 = command[2]
        p2 = command[3]
        if declared.p1p2 and (p1 << 8 | p2) not in declared.p1p2:
            sibling = declared.sibling
            return self._check(session, sibling, command) if sibling else WRONG_P1P2
        length = len(command)
        p3 = command[4] if length > HEADER_LENGTH else 0
        session.p1 = p1
        session.p2 = p2
        if not declared.lengths:
            session.data = b""
            session.le = p3
            return declared.run(session) if length <= HEADER_LENGTH + 1 else WRONG_LENGTH
        if p3 not in declared.lengths:
            return WRONG_LENGTH
        # Only a case 4 command may carry an Le; only an Lc of 0 may be left out.
        if length not in (HEADER_LENGTH + 1 + p3, HEADER_LENGTH) and (
            length != HEADER_LENGTH + 2 + p3 or not declared.answers_data
        ):
            return WRONG_LENGTH
        session.data = command[5 : 5 + p3]
        session.le = 0
        answered = declared.run(session)
        if declared.answers_data and session.contact and len(answered) > SW_LENGTH:
            session.pending = answered[:-SW_LENGTH]
            return answer(SW.MORE_DATA | len(session.pending))
        return answered

    def _exceptional(self, session: S, declared: Command[S] | None, command: bytes) -> bytes:
        """An unknown command, or any command while the card or the application is locked.

        A locked card answers every command with its status word, a locked
        application only the known ones. SELECT may leave both; it is answered
        with the status word of the selected DF, if that is locked too.
        """
        barred = session.barred
        if declared is not None and declared.leaves_lock:
            answered = self._check(session, declared, command)
            return session.barred if answered in MALFORMED or session.barred == NOT_SUPPORTED else answered
        if barred == NOT_SUPPORTED or declared is not None:
            return barred
        if len(command) < HEADER_LENGTH:
            return barred or WRONG_LENGTH
        if command[0] not in self._commands.clas or command[1] in self._commands.instructions:
            return UNKNOWN_CLA
        return self._unknown_ins
