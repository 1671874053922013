"""The commands of the card-file sweep on a card in memory: answers, and every state that the card may be in."""

from __future__ import annotations

from contextlib import suppress
from typing import Final, NamedTuple

from sscard.chip.memory import Log, Moment, PowerLost
from sscard.issuer import Card, issue_card
from sscard.issuer.cardfile import FileCard
from sscard.model import invariants
from sscard.model.invariants import Facts, Interrupted
from sscard.proof.cases import (
    BEGIN_LOAD,
    BEGIN_PURCHASE,
    CERTIFICATES,
    CREDIT,
    DEBIT,
    MEDICAL,
    RESET,
    SSSE,
    USER,
    VERIFY,
    WRONG_ADMINISTRATOR,
    WRONG_USER,
    WRONG_VERIFY,
    is_on_own_pin,
    proof,
)
from sscard.proof.facts import card_facts
from sscard.proof.scripts import CardScript
from sscard.proof.tears import copy_of, with_certificates

SOME: Final = (
    SSSE,
    WRONG_VERIFY,
    VERIFY,
    "805E0100 {pin} FF 654321",
    *MEDICAL,
    BEGIN_LOAD,
    CREDIT,
    BEGIN_PURCHASE,
    DEBIT,
    SSSE,
    *proof("04"),
    "00D6870002AABB",
    *CERTIFICATES,
    USER,
    *WRONG_USER,
    *WRONG_ADMINISTRATOR,
    *RESET,
    "84240001 {enciphered 2468} {mac}",
    *proof("06", wrong=True),
    *MEDICAL,
    BEGIN_LOAD,
    f"cut 2 DURING {CREDIT}",
    SSSE,
    VERIFY,
    "cut 5 DURING 805E0100 {pin} FF 112233",
    SSSE,
)
CUT: Final = "cut "
"""Begins a line with a power cut of the card: write point and moment, and the command."""
MANY: Final = 48
"""PIN changes until the log of the store is copied to the file and begins anew."""
SCRIPT: Final = (*SOME, *("805E0100 {pin} FF 135790",) * MANY, *SOME)


class Step(NamedTuple):
    """A command with its answer in memory, and the facts before and after it."""

    command: bytes
    answer: int
    before: Facts
    whole: Facts
    cut: tuple[int, Moment] | None = None
    """A power cut of the card, in a place at which the log of the memory is whole."""

    def under_fault(self, after: Facts, answer: int) -> Interrupted:
        """This command under a fault, with the facts after it, for the invariants."""
        return Interrupted(self.before, self.whole, after, answer, self.answer, is_on_own_pin(self.command))

    def send(self, card: FileCard) -> int:
        """Send the command to a card; its status word. After a cut the card is powered on."""
        memory = card.card.memory
        if self.cut is not None:
            memory.cut_power(*self.cut)
        try:
            return int.from_bytes(card.transmit(self.command)[-2:], "big")
        except PowerLost:
            memory.mend()
            card.power_on()
            return self.answer
        finally:
            memory.mend()


class States:
    """The states of a memory after each transaction."""

    def __init__(self, card: Card) -> None:
        self._card = card
        self.facts = [card_facts(card.profile, card.memory)]

    def commit(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        """The memory changes right after this."""
        memory = copy_of(self._card.memory)
        for cell, value in numbers:
            memory.numbers[cell] = value
        for place, content in strings:
            memory.strings[place] = content
        self.facts.append(card_facts(self._card.profile, memory.recovered()))

    def keep_log(self, log: Log | None) -> None:
        """The log changes right after this."""
        memory = copy_of(self._card.memory)
        memory.log = log
        self.facts.append(card_facts(self._card.profile, memory.recovered()))


class Play:
    """The commands on a card in memory; ``had`` are the facts of every state that the card had."""

    def __init__(self, seed: int, card: Card | None = None, script: tuple[str, ...] = SCRIPT) -> None:
        self.seed = seed
        self.card = card or issue_card(personality=with_certificates(), seed=seed)
        self.end = memory = Card(self.card.profile, self.card.memory.recovered())
        player = CardScript(memory, seed, contact=True)
        states = States(memory)
        memory.memory.keep_in(states)
        self.steps: list[Step] = []
        for line in script:
            before, sent = card_facts(memory.profile, memory.memory), len(player.sent)
            if line.startswith(CUT):
                _cut, point, moment, text = line.split(" ", 3)
                cut = int(point), Moment[moment]
                command = player.filled(text)
                memory.memory.cut_power(*cut)
                with suppress(PowerLost):
                    player.chip.transmit(command)
                player.chip.power_on()
                whole = card_facts(memory.profile, memory.memory)
                self.steps.append(Step(command, invariants.SUCCESS, before, whole, cut))
                continue
            answer = player.send((line,))
            whole = card_facts(memory.profile, memory.memory)
            command, *fetched = player.sent[sent:]
            first = 0x6100 | fetched[0][-1] if fetched else int.from_bytes(answer[-2:], "big")
            self.steps.append(Step(command, first, before, whole))
            if fetched:
                self.steps.append(Step(fetched[0], int.from_bytes(answer[-2:], "big"), whole, whole))
        self.had = states.facts

    def step(self, number: int) -> Step:
        """The command of this number; before the first and after the last one nothing happens."""
        if number < 0:
            return Step(b"", 0, self.had[0], self.had[0])
        if number == len(self.steps):
            return Step(b"", 0, self.had[-1], self.had[-1])
        return self.steps[number]
