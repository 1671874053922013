"""A card file on its way into a virtual reader, delayed, disturbed and recorded as the options of a command ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from sscard.cli.output import written_trace
from sscard.cli.target import challenges
from sscard.i18n.language import _
from sscard.transport.faults import FaultyConnection, Swap

if TYPE_CHECKING:
    from sscard.conversation import Event
    from sscard.issuer import Card
    from sscard.issuer.cardfile import FileCard
    from sscard.issuer.psam import PsamCard
    from sscard.issuer.psamfile import FilePsam
    from sscard.scenario.faults import FaultData
    from sscard.transport import Connection
    from sscard.transport.faults import Armed
    from sscard.transport.vpcd import VirtualReaderSlot


class Treatment(NamedTuple):
    """What happens to a card between its reader and its file."""

    seed: int | None = None
    delay: float | str | None = None
    faults: Sequence[FaultData] = ()


class ReaderCard:
    """A card with the treatment around it, for the slot of ``inserted``.

    Call ``after`` behind each command. A delay ends when the card is removed or the slot stopped.
    """

    def __init__(self, card: FileCard | FilePsam, treatment: Treatment) -> None:
        self._treatment = treatment
        self._contact = card.contact
        self._faulty = FaultyConnection(self._timed(card, card.card), wait=self._wait, contact=card.contact)
        self._connection: Connection = self._faulty
        self._awaited: list[tuple[FaultData, Armed]] = [
            (fault, self._faulty.arm(fault.fault(self._issue), nth=fault.nth)) for fault in treatment.faults
        ]
        self._swapped = False

    def keep(self, files: ExitStack, record: Path | None, trace: Path | None) -> None:
        """Write the conversation to these files as it happens."""
        if record is None and trace is None:
            return
        from sscard.conversation.recorder import POWER_OFF, PowerEvent, Recorder

        saves: list[Callable[[Event], object]] = []
        if record is not None:
            from sscard.conversation.recording import RecordingWriter
            from sscard.files import TextFile

            saves.append(RecordingWriter(files.enter_context(TextFile(record)).write))
        if trace is not None:
            saves.append(files.enter_context(written_trace(trace)))

        powered = False

        def hear(event: Event) -> None:
            nonlocal powered
            before, powered = powered, not (isinstance(event, PowerEvent) and event.name is POWER_OFF)
            if before or powered:  # the daemon powers off a card without power too, again and again
                for save in saves:
                    save(event)

        self._connection = Recorder(self._faulty, heard=hear)

    def inserted(self, port: int, after: Callable[[bytes], object]) -> VirtualReaderSlot:
        """The slot on a port with this card in it, not started yet."""
        from sscard.transport.vpcd import VirtualReaderSlot

        self._slot = VirtualReaderSlot(port, self._connection, after=after)
        return self._slot

    def after(self, _command: bytes) -> None:
        """Take the card out of its slot if a fault removed it behind this command."""
        if self._faulty.removed:
            self._slot.remove()

    def reached(self) -> Iterator[str]:
        """A line for each fault that has happened since the last call."""
        for fault, armed in self._awaited[:]:
            if armed.happened:
                self._awaited.remove((fault, armed))
                self._swapped |= isinstance(armed.fault, Swap)
                line = _("fault {fault}: reached at command {nth}", fault=fault.label, nth=fault.nth)
                if armed.obstacle:
                    line += _(", without effect: {obstacle}", obstacle=armed.obstacle)
                yield line

    def unreached(self) -> Iterator[str]:
        """A line for each fault that no command has reached."""
        for fault, _armed in self._awaited:
            yield _("fault {fault}: not reached, it waits for command {nth}", fault=fault.label, nth=fault.nth)

    def put_back(self) -> None:
        """Insert the card again that a fault has removed."""
        if self._faulty.removed:
            self._faulty.insert()

    def take_swapped(self) -> bool:
        """Whether a swap has put another card into the empty reader, once."""
        swapped, self._swapped = self._swapped, False
        return swapped

    def _wait(self, seconds: float) -> None:
        self._slot.pause(seconds)

    def _issue(self, personality: str) -> Connection:
        """A card in memory for a swap, with the same treatment."""
        from sscard.issuer import issue_card
        from sscard.transport.contactless import in_reader

        card = issue_card(personality=personality, seed=self._treatment.seed)
        chip = card.chip(challenges(self._treatment.seed), contact=self._contact)
        return self._timed(in_reader(chip, contact=self._contact), card)

    def _timed(self, connection: Connection, card: Card | PsamCard) -> Connection:
        delay, memory = self._treatment.delay, card.memory
        if delay is None:
            return connection
        from sscard.transport.timing import TimedConnection, contact_seconds, contactless_seconds

        if isinstance(delay, float):
            return TimedConnection(
                connection, lambda command, _answer, _writes: delay if command else 0.0, lambda: 0, self._wait
            )
        seconds = contact_seconds if self._contact else contactless_seconds
        return TimedConnection(connection, seconds, lambda: memory.writes, self._wait)
