"""What a memory shows of itself before it has recovered, and what its store holds."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from kit import PIN, Desk, change, verify
from sscard.chip.memory import Log, Memory, MemoryFailure, Moment, PowerLost

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


# With a store


class Mirror:
    """A store in this process, which fails from some change on."""

    def __init__(self, memory: Memory, fails_after: int = 1 << 30) -> None:
        self.numbers = list(memory.numbers)
        self.strings = list(memory.strings)
        self.log: tuple[bool, Any, Any] | None = None
        self.left = fails_after
        memory.keep_in(self)

    def commit(self, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        self._spend()
        for cell, value in numbers:
            self.numbers[cell] = value
        for cell, content in strings:
            self.strings[cell] = content

    def keep_log(self, log: Log | None) -> None:
        self._spend()
        self.log = log and (log.complete, list(log.numbers), list(log.strings))

    def holds(self, memory: Memory) -> bool:
        log = memory.log and (memory.log.complete, memory.log.numbers, memory.log.strings)
        return (self.numbers, self.strings, self.log) == (memory.numbers, memory.strings, log)

    def _spend(self) -> None:
        if not self.left:
            raise MemoryFailure
        self.left -= 1


def purchase(desk: Desk) -> bytes:
    desk.open_account()
    desk.load(1000)
    return desk.debit(desk.begin_purchase(300), 300)


COMMANDS: dict[str, Callable[[Desk], bytes]] = {
    "wrong PIN": lambda _: verify("999999"),
    "right PIN": lambda _: verify(PIN),
    "change": lambda _: change(PIN, "654321"),
    "purchase": purchase,
}


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize("command", COMMANDS)
def test_a_store_holds_every_state_of_the_memory_and_adds_no_write_points(command: str, moment: Moment) -> None:
    """Cut at each write point, and again at each write point of the recovery."""
    plain = Desk()
    before = plain.memory.writes
    plain.send(COMMANDS[command](plain))
    for point, again in product(range(plain.memory.writes - before), range(4)):
        desk = Desk()
        mirror = Mirror(desk.memory)
        sent = COMMANDS[command](desk)
        desk.memory.cut_power(point, moment)
        with suppress(PowerLost):
            desk.send(sent)
        assert mirror.holds(desk.memory)
        desk.memory.cut_power(again, moment)
        with suppress(PowerLost):
            desk.memory.recover()
        assert mirror.holds(desk.memory)
        desk.memory.mend()
        desk.memory.recover()
        assert mirror.holds(desk.memory)
        assert desk.memory.log is None


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_store_cannot_keep_takes_no_effect_in_the_memory(command: str) -> None:
    desk = Desk()
    sent = COMMANDS[command](desk)
    mirror = Mirror(desk.memory, fails_after=0)
    before = list(desk.memory.numbers), list(desk.memory.strings)
    assert desk.send(sent) == b"\x65\x81"
    assert (desk.memory.numbers, desk.memory.strings) == before
    assert mirror.holds(desk.memory)


def test_a_memory_with_a_store_has_the_same_faults() -> None:
    memory = Memory([1], [b""])
    mirror = Mirror(memory)
    memory.fail(3)
    memory.put_number(0, 2)
    with pytest.raises(MemoryFailure):
        memory.put_number(0, 3)
    memory.mend()
    memory.cut_power(1, Moment.DURING)
    with pytest.raises(PowerLost):
        memory.put_number(0, 4)
    assert memory.numbers == [0xFF]
    assert mirror.holds(memory)
