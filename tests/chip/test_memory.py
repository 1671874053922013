"""What a memory shows of itself before it has recovered."""

from __future__ import annotations

from itertools import product

import pytest

from sscard.chip.memory import Memory, Moment, PowerLost

POINTS = 4
"""Log, two cells, log cleared."""


def torn(point: int, moment: Moment) -> Memory:
    memory = Memory([1, 2], [b"old", b"kept"])
    memory.cut_power(point, moment)
    with pytest.raises(PowerLost):
        memory.commit([(0, 7)], [(0, b"new")])
    return memory


def cells(memory: Memory) -> tuple[list[int], list[bytes], bool]:
    return memory.numbers, memory.strings, memory.log is not None


@pytest.mark.parametrize(("point", "moment"), list(product(range(POINTS), Moment)))
def test_recovered_is_what_recovery_makes_and_changes_nothing(point: int, moment: Moment) -> None:
    memory = torn(point, moment)
    untouched = torn(point, moment)
    seen = memory.recovered()
    assert (cells(memory), memory.writes) == (cells(untouched), untouched.writes)
    memory.recover()
    assert cells(seen) == cells(memory)
    assert cells(seen) in (([1, 2], [b"old", b"kept"], False), ([7, 2], [b"new", b"kept"], False))


def test_a_fault_still_to_come_does_not_meet_the_copy() -> None:
    memory = torn(1, Moment.BEFORE)
    memory.fail()
    memory.cut_power(0)
    assert memory.recovered().numbers == [7, 2]
    with pytest.raises(PowerLost):
        memory.recover()
