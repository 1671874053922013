"""A scenario on sscard's own chip in the state of a card: what it does to the card, before the card gets a command."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Final

from sscard.card import Chip
from sscard.chip.memory import NEVER, Memory, Moment, PowerLost
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import Card
from sscard.scenario.cards import Placed, bench_at, first_moment
from sscard.scenario.issuing import Issuer
from sscard.scenario.reader import Scenario
from sscard.scenario.runner import ScenarioResult, run_at
from sscard.scenario.testbed.doubled_hsm import at_the_chip
from sscard.scenario.testbed.followed import Followed, Primed, copy_of
from sscard.scenario.testbed.removals import replaces
from sscard.scenario.testbed.survey import Surveyed, holder_for
from sscard.standard.tree import CARD_BLOCKED, PIN_TRIES
from sscard.transport.connection import Connection
from sscard.transport.contactless import in_reader

KEY_COMMANDS: Final = (0x82, 0x88, 0x24, 0x16, 0x1E)
"""INS of the commands that need a key of the issuer."""
SECURE_CLAS: Final = (0x04, 0x84, 0xB0)


@dataclass(slots=True)
class Effects:
    """What happens to a card: the fewest tries that a PIN or key has, whether its content changes or it is destroyed.

    ``keys`` states whether commands need a key of the issuer.
    """

    lowest: int
    writes: bool = False
    destroys: bool = False
    keys: bool = False


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A scenario on sscard's own chip: its result, and what it did to the card."""

    result: ScenarioResult
    effects: Effects

    @property
    def problem(self) -> Sayable:
        """Why the chip did not pass, empty if it did."""
        if self.result.verdict == "passed":
            return ""
        failed = self.result.failure
        if failed is None:
            return self.result.reason or Phrase("it does not pass")
        found = failed.mismatches[0]
        return Phrase(
            "step {number}: {field}: expected {expected}, got {actual}",
            number=failed.number,
            field=found.field,
            expected=found.expected,
            actual=found.actual,
        )


def destroyed(chip: Chip) -> bool:
    """Whether no command restores the card: it is locked, or an application, or a key has no try left."""
    layout, numbers = chip.profile.layout, chip.memory.numbers
    limit = chip.profile.personality.unlock_limit
    return (
        bool(numbers[CARD_BLOCKED])
        or any(numbers[df.blocked_cell] for df in layout.dfs)
        or any(numbers[cell] == 0 for cell in layout.all_tries() if cell != PIN_TRIES)
        or bool(limit and numbers[layout.unlocks] >= limit)
    )


class Watched:
    """A connection to a chip of sscard that notes what happens to the card."""

    def __init__(self, card: Connection, chip: Chip, start: Memory) -> None:
        self._card = card
        self._chip = chip
        self._start = start
        self._writes = -1
        layout = chip.profile.layout
        self._account = range(layout.medical, layout.unlocks)
        self._tries = [*layout.all_tries()]
        self.effects = Effects(self._lowest())
        self._look()

    def power_on(self) -> bytes:
        return self._card.power_on()

    def power_off(self) -> None:
        self._card.power_off()

    def reset(self) -> bytes:
        return self._card.reset()

    def transmit(self, command: bytes) -> bytes:
        answer = self._card.transmit(command)
        if command[:1] and (command[0] in SECURE_CLAS or command[1:2] in [bytes((ins,)) for ins in KEY_COMMANDS]):
            self.effects.keys = True
        self._look()
        return answer

    def unplug(self) -> None:
        """See ``Removable``."""
        self.power_off()

    def cut(self, command: bytes, attempt: int) -> bool:
        """See ``Removable``: the attempts cut the power at each write point, the last one after the command."""
        memory = self._chip.memory
        point, moment = divmod(attempt, len(Moment))
        memory.cut_power(point, Moment(moment))
        try:
            self.transmit(command)
        except PowerLost:
            memory.recover()
            self._look()
        reached = memory.cut_at == NEVER
        memory.mend()
        self.power_off()
        return reached

    def _lowest(self) -> int:
        return min(self._chip.memory.numbers[cell] for cell in self._tries)

    def _look(self) -> None:
        """Note the present state, if a command has changed the memory."""
        memory = self._chip.memory
        if memory.writes == self._writes:
            return
        self._writes = memory.writes
        effects = self.effects
        effects.lowest = min(effects.lowest, self._lowest())
        effects.destroys = effects.destroys or destroyed(self._chip)
        changed = memory.strings != self._start.strings
        account = any(memory.numbers[cell] != self._start.numbers[cell] for cell in self._account)
        effects.writes = effects.writes or changed or account


def rehearse(
    scenario: Scenario, seed: int, surveyed: Surveyed, state: Memory, start: Memory, issuer: Issuer, *, contact: bool
) -> Rehearsal:
    """Run a scenario on a copy of a surveyed card in a state; ``start`` is the state before it was arranged."""
    card = Card(surveyed.card.profile, copy_of(state))
    random = Random(f"{seed}/{scenario.title}")
    chip = card.chip(random, contact=contact)
    watched = Watched(in_reader(chip, contact=contact), chip, start)
    holder, now = holder_for(scenario.card, surveyed), first_moment(scenario.service, seed)
    placed, followed = Placed(chip, watched, surveyed.reference, holder, contact), None
    if replaces(scenario):
        watched.effects.writes = True
        numbers = Primed()
        follower = Card(surveyed.card.profile, copy_of(state)).chip(numbers, contact=contact)
        followed = Followed(watched, follower, numbers, lambda _before, _after: None, contact=contact)
        placed = placed._replace(chip=follower, connection=followed)
    result = run_at(scenario, seed, bench_at(placed, random, now, scenario.service, at_the_chip(issuer), followed))
    return Rehearsal(result, watched.effects)
