"""What a scenario's steps act on: one card, the connection to it, the HSM and the service behind the terminal."""

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
    """A step cannot be done on the bench as it stands; the text says why and what helps."""


@dataclass(kw_only=True)
class Bench:
    """One scenario's card at its terminal.

    The steps reach the card through ``connection`` alone; ``chip`` serves to
    look at it and to fail its memory. ``reader`` stands below ``connection``
    and injects faults; ``armed`` holds them with the steps that did.
    ``challenge`` is the last one a step took, ``case`` the case that was
    opened last.
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
            raise NotPossible(Phrase("no terminal has the card: put a step `insert:` before this one"))
        return self.session

    def insert(self) -> None:
        """Put the card into the terminal, back into it if it was taken out: power, SELECT SSSE, who it is."""
        self.reader.insert()
        self.session = CardSession.start(self.connection, self.hsm)

    def remove(self) -> None:
        """Take the card out of the terminal."""
        self.connection.power_off()
        self.session = None

    def look(self) -> Snapshot:
        """The card as it stands; without power, as it will be once its memory has recovered."""
        seen = self.chip.snapshot()
        if seen.powered:
            return seen
        return take_snapshot(self.chip.profile, self.chip.memory.recovered(), None)
