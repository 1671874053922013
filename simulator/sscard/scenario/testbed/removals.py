"""A removal of the card in the place of each power cut: the power goes at every command of the operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Final

from sscard.chip.memory import Memory, Moment
from sscard.i18n.phrase import Phrase, Sayable
from sscard.issuer import Card
from sscard.scenario.cards import Placed, bench_at, first_moment
from sscard.scenario.context import Bench
from sscard.scenario.defaults import DEFAULT_SEED
from sscard.scenario.issuing import Issuer
from sscard.scenario.reader import Scenario
from sscard.scenario.service_host import BUILTIN_SERVICE
from sscard.scenario.step import Outcome, Step
from sscard.scenario.steps.memory import EVERY, PIN, CutPower, SweepFailed, inserted, run_steps, titles
from sscard.scenario.testbed.arrange import Arranger, NotArranged
from sscard.scenario.testbed.doubled_hsm import at_the_chip
from sscard.scenario.testbed.followed import Followed, copy_of
from sscard.scenario.testbed.wire import Event
from sscard.standard.tree import PIN_TRIES
from sscard.transport import CardMute, CardRemoved
from sscard.transport.connection import ShortAnswer
from sscard.transport.contactless import in_reader
from sscard.transport.faults import Armed
from sscard.transport.faults import Removal as Removed

MOMENTS: Final = {Moment.AFTER: Phrase("after"), Moment.DURING: Phrase("during")}
"""When the card is removed; a program shows after a command how long it takes, so this is first."""


class Removal(CutPower):
    """``cut_power: {point: every}`` on a card whose memory nobody can see; on sscard's own card it cuts the power."""

    def run(self, bench: Bench) -> Outcome:
        if isinstance(bench.observer, Followed):
            return Removals(bench, self, bench.observer).outcome()
        return super().run(bench)

    def title(self) -> Sayable:
        return Phrase(
            "a removal replaces the power cut: during and after every command of {steps}",
            steps=titles(self.cut_power.steps or ()),
        )


def with_removals(scenario: Scenario) -> Scenario:
    """The same scenario with removals instead of power cuts, if all its power cuts are at every write point."""
    cuts = [
        (step, part.late) for step, part in zip(scenario.steps, scenario.parts, strict=True) if type(step) is CutPower
    ]
    if not cuts or any(late or step.cut_power.point != EVERY for step, late in cuts):
        return scenario
    return replace(
        scenario,
        steps=tuple(
            Removal.model_construct(step.model_fields_set, **dict(step)) if type(step) is CutPower else step
            for step in scenario.steps
        ),
    )


def replaces(scenario: Scenario) -> bool:
    """Whether removals take the place of the power cuts of a scenario."""
    return any(type(step) is Removal for step in scenario.steps)


class Removals:
    """The tries of one step: the operation from its start state, a removal at one command, and what the card is then.

    After a removal the card must be as sscard's chip is after the command; if its answer was lost, as before it or as
    after it, or as before it with one try less of what the operation ``spends``. Each of these states that the
    scenario permits is assumed in turn: the chip gets it, and the alternative that holds for it must pass on the card.
    """

    def __init__(self, bench: Bench, step: CutPower, followed: Followed) -> None:
        self.bench = bench
        self.asked = step.cut_power
        self.followed = followed
        self.arranger = Arranger(followed, bench.hsm.inner)
        self.start = copy_of(bench.chip.memory)

    def outcome(self) -> Outcome:
        """Passed, or the first command at which the card does not survive the removal."""
        try:
            self._each_command()
            self._begin()
        except SweepFailed as failed:
            return replace(failed.cause, failure=failed.said) if failed.cause else Outcome(unmet=failed.said)
        except NotArranged as error:
            return Outcome(failure=error.said, inconclusive=True)
        return Outcome()

    def _each_command(self) -> None:
        for nth in count(1):
            for moment, word in MOMENTS.items():
                for attempt in count():
                    seen = len(self.bench.connection.events)
                    if not self._removed(nth, moment, attempt):
                        if nth == 1:
                            raise SweepFailed(Phrase("the steps send no command"))
                        return
                    try:
                        self._check([*self._allowed(moment)])
                    except SweepFailed as failed:
                        where = Phrase("removal {moment} command {number}", moment=word, number=nth)
                        said = Phrase("{place}: {problem}", place=where, problem=failed.said)
                        raise SweepFailed(said, failed.cause) from None
                    self.followed.removals += 1
                    # The wire of a try that passed says no more than that of the whole operation.
                    del self.bench.connection.events[seen:]
                    if moment == Moment.AFTER or not self.followed.another:
                        break

    def _begin(self) -> None:
        """The card in its start state, inserted."""
        self.bench.remove()
        self.arranger.reach(self.start)
        inserted(self.bench)

    def _removed(self, nth: int, moment: Moment, attempt: int) -> bool:
        """Run the operation up to the removal; whether it has so many commands."""
        self._begin()
        run_steps(self.bench, self.asked.first or ())
        after = moment == Moment.AFTER
        interrupt = self.followed.unplug if after else lambda: self.followed.cut_next(attempt)
        armed = self.bench.reader.arm(Removed(moment, interrupt), nth=nth)
        for step in self.asked.steps or ():
            if self._is_removed_in(step, armed):
                return True
        self.bench.reader.disarm()
        return False

    def _is_removed_in(self, step: Step, armed: Armed) -> bool:
        try:
            run_steps(self.bench, [step])
        except SweepFailed as failed:
            if not armed.happened or (failed.cause and failed.cause.inconclusive):
                raise
        return armed.happened

    def _allowed(self, moment: Moment) -> Iterator[Memory]:
        """The states of the card that are right, the most probable first."""
        after, before = copy_of(self.bench.chip.memory), self.followed.before_cut
        yield after
        if moment == Moment.AFTER:
            return
        if (before.numbers, before.strings) != (after.numbers, after.strings):
            yield before
        layout = self.bench.chip.profile.layout
        cells = [PIN_TRIES] if PIN in self.asked.spends else []
        for name in self.asked.spends:
            index = next((index for index, key in enumerate(layout.keys) if key.name == name), None)
            if index is not None:
                cells += [layout.counter(index, version) for version in range(layout.keys[index].versions)]
        for cell in cells:
            if before.numbers[cell]:
                spent = copy_of(before)
                spent.numbers[cell] -= 1
                yield spent

    def _check(self, allowed: Sequence[Memory]) -> None:
        """One of the states is that of the card: an alternative that holds for it passes on the card."""
        sent = len(self.followed.card.events)
        failures = []
        for memory in allowed:
            steps = next((each for each in (self.asked.after or {}).values() if self._holds(memory, each)), None)
            if steps is None or not self._assume(memory, self.followed.card.events[sent:]):
                continue
            try:
                self._is_in(memory)
                run_steps(self.bench, steps)
            except SweepFailed as failed:
                if failed.cause and failed.cause.inconclusive:
                    raise
                failures.append(failed.said)
                self.bench.remove()
            else:
                return
        problems = Phrase.joined("{first}; {rest}", failures or [Phrase("it answers as in neither state")])
        raise SweepFailed(
            Phrase("the card is neither as before the command nor as after it: {problems}", problems=problems)
        )

    def _holds(self, memory: Memory, steps: Sequence[Step]) -> bool:
        """Whether steps pass on sscard's own card in a state."""
        bench = self.bench
        chip = Card(bench.chip.profile, copy_of(memory)).chip(Random(0), contact=bench.contact)
        placed = Placed(chip, in_reader(chip, contact=bench.contact), bench.reference, bench.holder, bench.contact)
        issuer = at_the_chip(Issuer(bench.keys, bench.hsm.inner))
        moment = first_moment(BUILTIN_SERVICE, DEFAULT_SEED)
        with bench_at(placed, Random(0), moment, BUILTIN_SERVICE, issuer) as own:
            inserted(own)
            try:
                run_steps(own, steps)
            except SweepFailed:
                return False
        return True

    def _assume(self, memory: Memory, events: Sequence[Event]) -> bool:
        """Give the chip a state, and undo what alternatives did to the card; whether the card can be in this state."""
        if not self.followed.replayed(memory, events):
            return False
        try:
            self.arranger.reach(memory)
        except NotArranged:
            return False
        return True

    def _is_in(self, memory: Memory) -> None:
        """Insert the card; ``SweepFailed`` if it does not answer, or has other tries of the PIN."""
        try:
            inserted(self.bench)
        except (CardMute, CardRemoved, ShortAnswer) as error:
            raise SweepFailed(error.said) from None
        expected, left = memory.numbers[PIN_TRIES], self.bench.look().pin_tries
        if left != expected:
            problem = Phrase("{name}: expected {expected} tries, got {left}", name=PIN, expected=expected, left=left)
            raise SweepFailed(problem)
