"""The context of a scenario's steps: one card, the connection to it, the terminal's HSM and the service."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from random import Random
from typing import NamedTuple, Protocol

from sscard.card import Chip, Snapshot
from sscard.card.snapshot import take_snapshot
from sscard.conversation import Recorder
from sscard.driver.api import DriverOptions
from sscard.errors import PhrasedError
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import CardReference, Holder, KeyHierarchy
from sscard.issuer.personalise import EF_ISSUER, IDENTIFICATION_CODE, item_on, number_of
from sscard.scenario.coverage.facts import Fact
from sscard.scenario.messages import Message, Party
from sscard.scenario.service_faults import FaultyHsm, Waits
from sscard.scenario.service_host import ServiceHost
from sscard.scenario.station import Station
from sscard.service import Case, PinService
from sscard.standard.cipher import Suite
from sscard.standard.tree import PURCHASE_TYPES
from sscard.terminal import CardSession, Identity
from sscard.transport.connection import Connection
from sscard.transport.faults import FaultyConnection

CHALLENGE_LENGTH = 8


class Observer(Protocol):
    """Looks at a card from outside, whose memory nobody can see."""

    def seen(self, predicted: Snapshot) -> Snapshot:
        """The state of the card: what can be observed without an effect, and else what is predicted."""

    def rights(self) -> list[Unlike]:
        """The rights that the card does not give as predicted; finding out ends what the last command has begun."""


class Unlike(NamedTuple):
    """What is expected of a card, and what it does."""

    expected: Sayable
    actual: Sayable


class Awaited(Protocol):
    """A fault that must be reached: ``happened`` if it was, ``obstacle`` why it had no effect."""

    @property
    def happened(self) -> bool: ...

    @property
    def obstacle(self) -> Sayable: ...


class NotPossible(PhrasedError):
    """A step cannot be executed in the current state; the text contains the reason and the remedy."""


@dataclass
class Transaction:
    """A transaction of the medical account as its terminal sees it.

    ``opening`` ends the card's answer to an INITIALIZE: count(2) ‖ key version(1)
    ‖ algorithm id(1) ‖ random(4). ``entry`` is amounts ‖ type ‖ terminal number,
    as the MACs cover it. ``proof`` is MAC(4) ‖ TAC(4) of the transaction that was
    posted last.
    """

    opening: bytes = field(default=bytes(8), repr=False)
    amounts: bytes = bytes(12)
    entry: bytes = bytes(19)
    balance: int = 0
    proof: bytes = field(default=bytes(8), repr=False)


@dataclass(kw_only=True)
class Bench:
    """One scenario's card at its terminal.

    Steps use the card only through ``connection``; ``chip`` is for snapshots
    and memory failures. ``reader`` is below ``connection`` and injects faults;
    ``own_card`` is the connection of the scenario's card, which another may
    replace in the reader. ``armed`` holds the faults with their steps.
    ``challenge`` is the last challenge of a step, ``case`` the case opened last, ``facts``
    what the scenario covers so far. ``keys`` are the root keys of the issuer, for a
    further card or PSAM. ``messages`` is what HSM, holder base, identity check
    and journal were asked so far. ``observer`` is set if the card is another one
    than ``chip``, which gets the same commands.
    """

    connection: Recorder
    own_card: Connection
    reader: FaultyConnection
    chip: Chip
    keys: KeyHierarchy
    hsm: FaultyHsm
    reference: CardReference
    holder: Holder
    host: ServiceHost
    random: Random
    contact: bool
    session: CardSession | None = None
    case: Case | None = None
    challenge: bytes = field(default=bytes(CHALLENGE_LENGTH), repr=False)
    armed: list[tuple[object, Awaited]] = field(default_factory=list)
    facts: set[Fact] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)
    observer: Observer | None = None

    def __post_init__(self) -> None:
        parts: dict[Party, Waits] = {
            "hsm": self.hsm,
            "holder base": self.host.holder_base,
            "identity check": self.host.prover,
            "journal": self.host.journal,
        }
        for name, part in parts.items():
            part.heard = partial(self._hear, name)

    def _hear(self, part: Party, said: Sayable) -> None:
        self.messages.append(Message(part, said, self.connection.now))

    @property
    def suite(self) -> Suite:
        return self.chip.profile.suite

    @property
    def service(self) -> PinService:
        """The PIN service, until its process is killed."""
        return self.host.service

    @property
    def terminal(self) -> CardSession:
        """The terminal's session with the inserted card."""
        if self.session is None:
            raise NotPossible(Phrase("the card is not in the terminal: add a step `insert:` before this one"))
        return self.session

    @cached_property
    def station(self) -> Station:
        """The terminal of the driver, with a PSAM of the city of the card."""
        kind = PURCHASE_TYPES[self.chip.profile.personality.transaction_type_ascii][0]
        return Station(
            self.connection,
            self.reference,
            self.contact,
            self.keys,
            lambda: self.hsm,
            self.random,
            DriverOptions(purchase_type=kind),
        )

    @cached_property
    def transaction(self) -> Transaction:
        """The transaction of the medical account that a step has begun last."""
        return Transaction()

    @property
    def identity(self) -> Identity:
        """The card that the terminal has read, or the card of the scenario if it has read none."""
        if self.session is not None:
            return self.session.identity
        code = item_on(self.chip, EF_ISSUER, IDENTIFICATION_CODE)
        return Identity(code.hex().upper(), number_of(self.chip))

    def insert(self) -> None:
        """Insert the card into the terminal, also after a removal: power on, SELECT SSSE, read its identity."""
        self.reader.insert()
        self.session = CardSession.start(self.connection, self.hsm)

    def remove(self) -> None:
        """Remove the card from the terminal."""
        self.connection.power_off()
        self.session = None

    def restart_service(self) -> None:
        """Start the service again after its process was killed: the card lost its power, the case is loaded again."""
        self.remove()
        self.case = self.host.restart() or self.case

    def look(self) -> Snapshot:
        """The current state of the card; without power, the state after the recovery of its memory."""
        seen = self.chip.snapshot()
        if self.observer is not None:
            return self.observer.seen(seen)
        if seen.powered or self.chip.memory.log is None:
            return seen
        return take_snapshot(self.chip.profile, self.chip.memory.recovered(), None)
