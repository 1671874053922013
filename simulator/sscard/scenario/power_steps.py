"""The verbs of power and memory: insert, reset, power cuts, write failures."""

from __future__ import annotations

from typing import ClassVar, Literal

from sscard.chip.memory import Moment
from sscard.document import Model
from sscard.i18n.phrase import Phrase, Sayable
from sscard.scenario.context import Bench
from sscard.scenario.step import Count, Nothing, Outcome, Step, without_power


class PowerStep(Step):
    """A step that switches the power: unless ``state`` is stated, the session's state must be reset."""

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        if self.state is not None or self.sw is None:
            return super().expected_state(before, tries)
        return super().expected_state(without_power(before), tries) - {"off"}


class Insert(PowerStep):
    """Insert the card into the terminal: power on, SELECT SSSE, read its identity."""

    verb: ClassVar[str] = "insert"
    inserts: ClassVar[bool] = False
    insert: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        bench.insert()
        return Outcome()


class PowerOn(PowerStep):
    """Only power the card on; ``data`` is the ATR."""

    verb: ClassVar[str] = "power_on"
    inserts: ClassVar[bool] = False
    power_on: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(data=bench.connection.power_on())


class Reset(PowerStep):
    """Warm reset; ``data`` is the ATR."""

    verb: ClassVar[str] = "reset"
    reset: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        return Outcome(data=bench.connection.reset())


class PowerOff(PowerStep):
    """Power the card off."""

    verb: ClassVar[str] = "power_off"
    power_off: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        bench.connection.power_off()
        return Outcome()

    def expected_state(self, before: frozenset[str], tries: int) -> frozenset[str]:
        return super().expected_state(before, tries) | (frozenset() if self.state is not None else {"off"})


class Cut(Model):
    """Where the power is cut: write points from now (0 is the next), before, during or after it."""

    point: Count
    moment: Literal["before", "during", "after"] = "before"


class CutPower(Step):
    """Cut the power at a write point of a later step, which then expects ``sw: none``."""

    verb: ClassVar[str] = "cut_power"
    cut_power: Cut

    def run(self, bench: Bench) -> Outcome:
        bench.chip.memory.cut_power(self.cut_power.point, Moment[self.cut_power.moment.upper()])
        return Outcome()

    def title(self) -> Sayable:
        return Phrase(
            "cut_power {moment} write point {point}", moment=self.cut_power.moment, point=self.cut_power.point
        )


class FailMemory(Step):
    """Make every write fail from this write point on (counted from now, 0 is the next); the card answers 6581."""

    verb: ClassVar[str] = "fail_memory"
    fail_memory: Count

    def run(self, bench: Bench) -> Outcome:
        bench.chip.memory.fail(self.fail_memory)
        return Outcome()


class MendMemory(Step):
    """Cancel ``cut_power`` and ``fail_memory``."""

    verb: ClassVar[str] = "mend_memory"
    mend_memory: Nothing = ""

    def run(self, bench: Bench) -> Outcome:
        bench.chip.memory.mend()
        return Outcome()
