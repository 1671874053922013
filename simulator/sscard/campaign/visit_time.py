"""The time of a visit at the window: what the citizen and the clerk do, and what card, terminal and HSM take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import blake2b
from random import Random
from typing import Final

from sscard.campaign.timing import ModelledConnection, TimingModel
from sscard.chip.memory import Memory
from sscard.hsm import SoftHsm
from sscard.issuer import issue_card
from sscard.service.words import Operation
from sscard.standard.choices import Personality
from sscard.standard.tree import PIN_TRIES
from sscard.terminal import CardSession
from sscard.terminal.answers import HsmAnswers
from sscard.terminal.flow import Request
from sscard.transport import Connection

ENTRIES: Final[Mapping[Operation, int]] = {Operation.CHANGE: 3, Operation.RESET: 2, Operation.UNBLOCK: 0}
"""PINs that the citizen types: the old one, the new one, and the new one again (terminal-flows.md §9)."""
DIGITS: Final = 6
PAPERS, ENTRY, HSM = "papers", "entry", "hsm"
PIN, NEW_PIN = "123456", "654321"
OPERATIONS: Final[Mapping[Operation, Callable[[CardSession], None]]] = {
    Operation.CHANGE: lambda session: session.change_pin(PIN, NEW_PIN),
    Operation.RESET: lambda session: session.reset_pin(NEW_PIN),
    Operation.UNBLOCK: lambda session: session.unblock_pin(),
}
MILLISECOND: Final = 1_000_000
"""Nanoseconds."""


def part_of(seed: int, index: int, visit: int) -> float:
    """Which part of people is faster than those at this visit of a card, above 0 and below 1; even over the cards.

    It draws nothing, so a campaign has the same lives with a timing model and without.
    """
    drawn = blake2b(f"{seed} {index} {visit}".encode(), digest_size=6).digest()
    return (int.from_bytes(drawn, "big") + 0.5) / 2**48


class VisitMeter:
    """Times the visits of one card after another; ``connection`` is the terminal's side of the card in the reader."""

    def __init__(self, model: TimingModel) -> None:
        self.connection = ModelledConnection(model)
        self.nanoseconds: Counter[str] = Counter()
        """Of all visits so far by layer."""
        self._model = model
        self._hsm = 0

    def insert(self, card: Connection, memory: Memory) -> Connection:
        """The connection to a card whose time counts from now on."""
        self.connection.insert(card, memory)
        self.connection.taken()
        return self.connection

    def begin(self, hsm_operations: int) -> None:
        """A visit begins after so many operations of the HSM: what was before does not count."""
        self.connection.taken()
        self._hsm = hsm_operations

    def end(self, operation: Operation, hsm_operations: int, part: float) -> int:
        """The visit ends, after so many operations of the HSM; its milliseconds. ``part``: see ``part_of``.

        The next one begins, if there is one.
        """
        model = self._model
        spent = self.connection.taken()
        spent[HSM] = model.hsm(hsm_operations - self._hsm)
        spent[ENTRY] = ENTRIES[operation] * model.entry(DIGITS)
        spent[PAPERS] = model.person(operation, part)
        self._hsm = hsm_operations
        self.nanoseconds.update(spent)
        return sum(spent.values()) // MILLISECOND

    def modelled(self) -> dict[str, int]:
        """The milliseconds of all visits since the last call, by layer."""
        summed, self.nanoseconds = self.nanoseconds, Counter()
        return {layer: nanoseconds // MILLISECOND for layer, nanoseconds in summed.items()}


def measured_visit(model: TimingModel, personality: Personality, operation: Operation, part: float) -> dict[str, int]:
    """The nanoseconds by layer of one visit with a new card of a product, by the flow of the terminal.

    The PIN of the card is blocked before an unblock.
    """
    card = issue_card(personality=personality, pin=PIN, seed=0)
    if operation is Operation.UNBLOCK:
        card.memory.put_number(PIN_TRIES, 0)
    meter = VisitMeter(model)
    answers, asked = HsmAnswers(SoftHsm()), Counter[str]()

    def answer(request: Request) -> object:
        asked[HSM] += 1
        return answers(request)

    connection = meter.insert(card.chip(Random(0), contact=model.contact), card.memory)
    OPERATIONS[operation](CardSession.open(connection, answer))
    meter.end(operation, asked[HSM], part)
    return dict(meter.nanoseconds)
