"""The verbs of power: insert, power on and off, reset."""

from __future__ import annotations

from typing import ClassVar

from sscard.scenario.context import Bench
from sscard.scenario.step import Nothing, Outcome, Step, without_power


class PowerStep(Step):
    """Unless ``state`` is stated, the card must have forgotten what it keeps only under power: PIN, keys, challenge."""

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
    """Power the card on, and select nothing; ``data`` is the ATR."""

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
