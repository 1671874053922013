"""The context of a scenario's steps: one card, the connection to it, the terminal's HSM and the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from sscard.card import Chip, Snapshot
from sscard.card.snapshot import take_snapshot
from sscard.conversation import Recorder
from sscard.errors import PhrasedError
from sscard.hsm import Hsm
from sscard.i18n.phrase import Phrase
from sscard.issuer import CardReference, Holder
from sscard.service import Case, PinService
from sscard.standard.cipher import Suite
from sscard.terminal import CardSession
from sscard.transport.faults import Armed, FaultyConnection

CHALLENGE_LENGTH = 8


class NotPossible(PhrasedError):
    """A step cannot be executed in the current state; the text contains the reason and the remedy."""


@dataclass(kw_only=True)
class Bench:
    """One scenario's card at its terminal.

    Steps use the card only through ``connection``; ``chip`` is for snapshots
    and memory failures. ``reader`` is below ``connection`` and injects faults;
    ``armed`` holds the faults with their steps. ``challenge`` is the last
    challenge of a step, ``case`` the case opened last.
    """

    connection: Recorder
    reader: FaultyConnection
    chip: Chip
    hsm: Hsm
    reference: CardReference
    holder: Holder
    service: PinService
    random: Random
    contact: bool
    session: CardSession | None = None
    case: Case | None = None
    challenge: bytes = field(default=bytes(CHALLENGE_LENGTH), repr=False)
    armed: list[tuple[object, Armed]] = field(default_factory=list)

    @property
    def suite(self) -> Suite:
        return self.chip.profile.suite

    @property
    def terminal(self) -> CardSession:
        """The terminal's session with the inserted card."""
        if self.session is None:
            raise NotPossible(Phrase("the card is not in the terminal: add a step `insert:` before this one"))
        return self.session

    def insert(self) -> None:
        """Insert the card into the terminal, also after a removal: power on, SELECT SSSE, read its identity."""
        self.reader.insert()
        self.session = CardSession.start(self.connection, self.hsm)

    def remove(self) -> None:
        """Remove the card from the terminal."""
        self.connection.power_off()
        self.session = None

    def look(self) -> Snapshot:
        """The current state of the card; without power, the state after the recovery of its memory."""
        seen = self.chip.snapshot()
        if seen.powered or self.chip.memory.log is None:
            return seen
        return take_snapshot(self.chip.profile, self.chip.memory.recovered(), None)
