"""A card whose memory nobody can see, and a chip of sscard that gets the same commands and so predicts its state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from random import SystemRandom
from typing import Final

from sscard.card import Chip, Snapshot
from sscard.card.commands import CardCommand
from sscard.card.commands.pin import VERIFY
from sscard.chip.command import HEADER_LENGTH
from sscard.chip.engine import SW_LENGTH, PowerError
from sscard.chip.memory import Memory
from sscard.errors import TransportError
from sscard.i18n.phrase import Phrase
from sscard.scenario.context import Unlike
from sscard.scenario.coverage.facts import addressed
from sscard.scenario.testbed.wire import Event, Played, Wire
from sscard.standard.addressing import BY_NUMBER
from sscard.standard.apdu import GET_RESPONSE_INS, SW, command, tries_stated
from sscard.standard.tree import PIN, PIN_TRIES, DfSpec, FileSpec, Structure
from sscard.transport.connection import Connection, reader_answers

ASK_TRIES: Final = command(0x00, VERIFY.ins, 0x00, 0x00, le=0)
MORE_DATA: Final = SW.MORE_DATA >> 8
MEDICAL_CLA: Final = 0xB0
INS: Final = 1
REFUSED: Final = SW.SECURITY_NOT_SATISFIED.to_bytes(2, "big")
DONE: Final = SW.OK.to_bytes(2, "big")
BY_PIN: Final = (1,)
"""``read`` of a file that needs the PIN alone."""
LOST: Final = bytes.fromhex("6F00")
"""Takes the place of an answer that was lost; nobody reads it."""
FEWEST: Final = 2
"""Tries that stay for every PIN and key unless a testbed permits fewer."""


def copy_of(memory: Memory) -> Memory:
    """A memory with the same cells, and no store and no fault."""
    return Memory(list(memory.numbers), list(memory.strings))


class NotPermitted(TransportError):
    """A command would cost tries, or lock the card, and the testbed does not permit this; it was not sent."""


class Primed(SystemRandom):
    """A source of random bytes that first returns those of another card."""

    def __init__(self) -> None:
        super().__init__()
        self.next: deque[bytes] = deque(maxlen=1)

    def randbytes(self, n: int) -> bytes:
        if self.next and len(self.next[0]) >= n:
            return self.next.popleft()[:n]
        return super().randbytes(n)


class Followed:
    """The connection to a card; ``chip`` is sscard's chip that gets the same commands, with ``random`` as its source.

    ``permits`` gets the state of the chip before and after a command that the
    card has not got yet: if it returns a reason, the chip is set back and
    ``NotPermitted`` is raised. Only commands whose answer has a random number
    reach the card first.

    ``for_chip`` makes the chip's command of the card's.

    ``removals`` counts the removals that the card survived, ``before_cut`` is the chip's memory before the command of
    the last one whose answer was lost, and ``another`` states whether it can come at another moment.

    ``differences`` are the commands (CLA INS P1 P2) whose answers differ from those of the chip, with both status
    words; ``predicted`` is the number of times that the tries left could not be asked.
    """

    def __init__(
        self,
        card: Connection,
        chip: Chip,
        random: Primed,
        permits: Callable[[Snapshot, Snapshot], Phrase | None],
        for_chip: Callable[[bytes], bytes] = bytes,
        *,
        contact: bool,
    ) -> None:
        self.card = Wire(card)
        self.chip = chip
        self.differences: list[tuple[str, str]] = []
        self.predicted = self.removals = 0
        self.before_cut = chip.memory
        self.another = False
        self._random = random
        self._permits = permits
        self._for_chip = for_chip
        self._contact = contact
        self._powered = False
        self._attempt: int | None = None
        self._opening = b""
        self._medical = self._quiet = False

    def power_on(self) -> bytes:
        self._forget()
        atr = self.card.power_on()
        self.chip.power_on()
        self._powered = True
        return atr

    def power_off(self) -> None:
        self._forget()
        self._powered = False
        self.chip.power_off()
        self.card.power_off()

    def reset(self) -> bytes:
        if not self._powered:
            return self.power_on()
        self._forget()
        atr = self.card.reset()
        self.chip.reset()
        return atr

    def _forget(self) -> None:
        self._opening, self._medical, self._quiet = b"", False, False

    def transmit(self, command: bytes) -> bytes:
        """The answer of the card. Errors: those of its connection, ``NotPermitted``."""
        if not self._powered:
            raise PowerError("the card has no power: call power_on() first")
        if reader_answers(command, contact=self._contact):
            return self.card.transmit(command)
        if self._attempt is not None:
            return self._cut(command, self._attempt)
        declared = self.declared(command)
        part = declared.random_answer if declared else None
        fetches = command[INS : INS + 1] == bytes((GET_RESPONSE_INS,))
        if fetches and self._opening:
            answer = self._after_opening(command)
        elif part is not None:
            answer = self.card.transmit(command)
            self._random.next.append(answer[:-2][part])
            expected = self.chip.transmit(self._for_chip(command))
            self._random.next.clear()
            self._opening = command if answer[-2] == MORE_DATA else b""
            self._note(command, expected[-2:], answer[-2:])
        else:
            cells = copy_of(self.chip.memory)
            expected = self._predicted(command, cells)
            answer = self.card.transmit(command)
            if expected[-2:] == DONE != answer[-2:]:
                self._set_back(cells)
            self._opening = b""
            bound = declared is not None and declared.bound_to_random
            self._note(command, expected[-2:] if bound else expected, answer[-2:] if bound else answer)
        # An empty VERIFY would end what these commands have begun.
        self._medical = command[:1] == bytes((MEDICAL_CLA,)) or (fetches and self._medical)
        self._quiet = self._medical or fetches or answer[-2] == MORE_DATA
        return answer

    def cut_next(self, attempt: int) -> None:
        """Take the power from the card at the next command, before its answer is used."""
        self._attempt = attempt

    def unplug(self) -> None:
        """Take the power from the card, which has answered its last command."""
        self._forget()
        self._powered = False
        self.chip.power_off()
        self.card.unplug()

    def _cut(self, command: bytes, attempt: int) -> bytes:
        """Send a command without its answer; the chip executes it."""
        self._attempt = None
        self.before_cut = copy_of(self.chip.memory)
        self._predicted(command, self.before_cut)
        self.another = self.card.cut(command, attempt)
        return LOST

    def replayed(self, memory: Memory, events: Sequence[Event]) -> bool:
        """Give the chip a memory, and what the card got since; whether its answers are those of the card.

        The card, which gets nothing, has no power before and after.
        """
        self._set_back(memory)
        card, permits, known = self.card, self._permits, len(self.differences)
        self.card, self._permits = Wire(Played(events)), lambda _before, _after: None
        powers = {"on": self.power_on, "off": self.power_off, "reset": self.reset}
        try:
            for event in events:
                if event.action == "send":
                    with suppress(TransportError):
                        self.transmit(event.sent)
                else:
                    powers[event.action]()
            self.power_off()
        finally:
            self.card, self._permits = card, permits
        alike = len(self.differences) == known
        del self.differences[known:]
        return alike

    def _after_opening(self, command: bytes) -> bytes:
        """The answer to GET RESPONSE after a command that made a random number, which is repeated on the chip."""
        declared = self.declared(self._opening)
        part = declared.random_answer if declared else None
        answer = self.card.transmit(command)
        if part is not None and len(answer) > SW_LENGTH:
            self._random.next.append(answer[:-2][part])
            self.chip.transmit(self._for_chip(self._opening))
            self._random.next.clear()
            self._opening = b""
        self.chip.transmit(command)
        return answer

    def _predicted(self, command: bytes, cells: Memory) -> bytes:
        """The answer of the chip, if what it does is permitted; ``cells`` are those before it."""
        before = self.chip.snapshot()
        expected = self.chip.transmit(self._for_chip(command))
        refused = self._permits(before, self.chip.snapshot())
        if refused:
            self._set_back(cells)
            raise NotPermitted(refused)
        return expected

    def _set_back(self, cells: Memory) -> None:
        self.chip.memory.commit(list(enumerate(cells.numbers)), list(enumerate(cells.strings)))

    def declared(self, command: bytes) -> CardCommand | None:
        """The command that a header addresses in the current DF."""
        if len(command) < HEADER_LENGTH:
            return None
        found = addressed(command[:HEADER_LENGTH], self.chip.snapshot().current_df in self._certificates)
        return found.commands[0] if found.commands else None

    @property
    def _certificates(self) -> tuple[str, ...]:
        return tuple(df.name for df in self.chip.profile.layout.dfs if df.certificates)

    def _note(self, command: bytes, expected: bytes, answer: bytes) -> None:
        if expected != answer:
            header = command[:HEADER_LENGTH].hex(" ").upper()
            self.differences.append((header, f"{expected[-2:].hex().upper()} {answer[-2:].hex().upper()}"))

    def seen(self, predicted: Snapshot) -> Snapshot:
        """The state of the card: the PIN's tries left as it says them if it can be asked, the rest as predicted."""
        tries = self._tries_left(predicted)
        self.card.looked(self.chip.memory.strings[PIN])
        self.predicted += tries is None
        if tries is None or tries == predicted.pin_tries:
            return predicted
        self.chip.memory.put_number(PIN_TRIES, tries)
        return replace(predicted, pin_tries=tries)

    def _tries_left(self, snapshot: Snapshot) -> int | None:
        """The PIN's tries left, asked with an empty VERIFY; ``None`` if the question has effects, or no answer."""
        ends = snapshot.challenge_waiting and self.chip.profile.personality.challenge_lasts == "command"
        df = self._current(snapshot)
        if not self._powered or self._quiet or ends or df is None:
            return None
        answer = self.card.transmit(ASK_TRIES)
        self.chip.transmit(ASK_TRIES)
        return tries_stated(int.from_bytes(answer[-2:], "big"))

    def _current(self, snapshot: Snapshot) -> DfSpec | None:
        """The current DF, if it is one with the PIN and the files of SSSE, and the card answered the last command."""
        if self.card.unanswered:
            return None
        found = next((df for df in self.chip.profile.layout.dfs if df.name == snapshot.current_df), None)
        return None if found is None or found.outside or found.certificates else found

    def rights(self) -> list[Unlike]:
        """Read each protected file of the current DF, then a file that the PIN protects in another one.

        Returns which reads the card allows, or refuses, unlike the chip.
        """
        df = self._current(self.chip.snapshot()) if self._powered else None
        if df is None:
            return []
        layout = self.chip.profile.layout
        own = [file for file in layout.files if file.df == df.fid and file.read != (0,)]
        found = [unlike for file in own if (unlike := self._read(df, file))]
        by_pin = next((file for file in layout.files if file.read == BY_PIN), None)
        if by_pin and not any(file.read == BY_PIN for file in own):
            other = next(each for each in layout.dfs if each.fid == by_pin.df)
            select = command(0x00, 0xA4, 0x04, 0x00, other.aid)
            answers = [card.transmit(select)[-2:] for card in (self.chip, self.card)]
            if all(answer == DONE or answer[0] == MORE_DATA for answer in answers):
                found += [unlike] if (unlike := self._read(other, by_pin)) else []
        return found

    def _read(self, df: DfSpec, file: FileSpec) -> Unlike | None:
        """Read the beginning of a file of the current DF on chip and card; how the right to it differs."""
        read = command(0x00, 0xB0, 0x80 | file.sfi, 0, le=1)
        if file.structure != Structure.TRANSPARENT:
            read = command(0x00, 0xB2, 1, file.sfi << 3 | BY_NUMBER, le=0)
        answers = [card.transmit(read)[-2:] for card in (self.chip, self.card)]
        expected, actual = (answer == REFUSED for answer in answers)
        if expected == actual:
            return None
        name = f"{df.name}/EF{file.sfi:02X}"
        return Unlike(*(Phrase("{file}: {status}", file=name, status=answer.hex().upper()) for answer in answers))
