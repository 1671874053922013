"""The command engine of a chip: power, dispatch, order of checks, GET RESPONSE (card-commands.md §0, §1.14).

Card and PSAM share it; they differ by their commands, their session and the
methods of ``Engine`` that they override.
"""

from __future__ import annotations

from typing import Final, Generic, NoReturn, TypeVar

from sscard.chip.answers import (
    MEMORY_FAILURE,
    MORE_DATA,
    NO_DATA_PENDING,
    NOT_SUPPORTED,
    OK,
    UNKNOWN_CLA,
    WRONG_LENGTH,
    WRONG_P1P2,
    answer,
    wrong_le,
)
from sscard.chip.command import EVERY_COMMAND, HEADER_LENGTH, Command, CommandTable, Field, Header, Parameter, Sent
from sscard.chip.memory import Memory, MemoryFailure, PowerLost
from sscard.chip.session import ChipSession, Random
from sscard.i18n.phrase import Phrase, Words
from sscard.pickling import PortableError
from sscard.standard.apdu import GET_RESPONSE_INS, SW

SW_LENGTH: Final = 2
MALFORMED: Final = (WRONG_P1P2, WRONG_LENGTH)
"""Answers of a SELECT without effect, which therefore cannot leave a locked application."""

S = TypeVar("S", bound=ChipSession)


class PowerError(PortableError):
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
    return waiting[:le] + (MORE_DATA[len(session.pending)] if session.pending else OK)


def get_response_command(select: Sent, further: dict[int, Phrase]) -> Command[ChipSession]:
    """Declare GET RESPONSE for a chip whose engine answers further status words; ``select`` gives its example data."""
    waiting = len(select.answer) // 2 - SW_LENGTH
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
            Sent(select.command, f"61{waiting:02X}"),
            Sent("00C0000000", f"6C{waiting:02X}"),
            Sent(f"00C00000{waiting:02X}", select.answer),
        ),
    )


class Engine(Generic[S]):
    """A chip with its memory.

    ``name`` is the name of the chip in error texts, ``atr`` its answer at
    power-on, ``unknown_ins`` the answer to an unknown INS, ``random`` the source
    of its challenges. The chip does no I/O; its only state besides the memory
    is the session, which ends at power-off.
    """

    __slots__ = ("_atr", "_commands", "_contact", "_headers", "_name", "_random", "_session", "_unknown_ins", "memory")

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
        self._headers = commands.headers
        self._unknown_ins = answer(unknown_ins)
        self.memory = memory
        self._random = random
        self._contact = contact
        self._session: S | None = None

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"the {self._name} has a session, which stays in its process: pickle the card")

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
        session.attentive = lasts == "command" and bool(session.challenge)

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
        try:
            header = self._headers[command[:5]]
        except KeyError:
            header = self._commands.header(command[:5])
        if session.pending and not header.fetches:
            session.pending = b""
        barred = session.barred
        run = header.run
        length = len(command)
        if run is None or (barred and not header.leaves_lock):
            answered = self._refusal(header, barred, command)
        elif length != header.length and length != header.longest:
            answered = WRONG_LENGTH
        else:
            session.p1 = header.p1
            session.p2 = header.p2
            session.data = command[5 : header.end]
            session.le = header.le
            try:
                answered = run(session)
            except MemoryFailure:
                answered = MEMORY_FAILURE
            except PowerLost:
                self._session = None
                raise
            if header.answers_data and session.contact and len(answered) > SW_LENGTH:
                session.pending = answered[:-SW_LENGTH]
                answered = MORE_DATA[len(session.pending)]
        # A SELECT may leave a lock: then the status word is that of the selected DF, if that is locked too.
        if barred and (answered in MALFORMED or session.barred == NOT_SUPPORTED):
            answered = session.barred
        if session.attentive or header.spends_challenge:
            self.look_after(session, header.command, answered)
        return answered

    def _refusal(self, header: Header[S], barred: bytes, command: bytes) -> bytes:
        """The answer to an unknown command, to wrong P1 P2 or P3, or to any command while the card is locked.

        A locked card answers every command but SELECT with its status word, a
        locked application only the known ones.
        """
        if header.command is not None:
            return barred if barred and not header.leaves_lock else header.refusal
        if barred == NOT_SUPPORTED:
            return barred
        if len(command) < HEADER_LENGTH:
            return barred or WRONG_LENGTH
        if command[0] not in self._commands.clas or command[1] in self._commands.instructions:
            return UNKNOWN_CLA
        return self._unknown_ins
