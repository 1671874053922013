"""Defects of memory and commands, to plant in a proof."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from sscard.card.commands import pin
from sscard.card.session import Session
from sscard.chip.memory import TORN, Log, Memory
from sscard.proof.report import Proof
from sscard.standard.cipher import equal
from sscard.standard.tree import CARD_BLOCKED, PIN, PIN_TRIES

Patch = pytest.MonkeyPatch


def log_cleared_before_the_cells(patch: Patch) -> None:
    def write_cells(memory: Memory, log: Log) -> None:
        memory.log = None
        original(memory, log)

    original = Memory._write_cells
    patch.setattr(Memory, "_write_cells", write_cells)


def torn_log_replayed(patch: Patch) -> None:
    def recover(memory: Memory) -> None:
        if memory.log is not None and not memory.log.complete:
            torn = Log([(cell, TORN) for cell, _ in memory.log.numbers], memory.log.strings)
            memory._write_cells(torn)
        original(memory)

    original = Memory.recover
    patch.setattr(Memory, "recover", recover)


def counter_restored_by_recovery(patch: Patch) -> None:
    def recover(memory: Memory) -> None:
        log = memory.log
        original(memory)
        if log is not None and memory.numbers[PIN_TRIES]:
            memory.numbers[PIN_TRIES] = 6

    original = Memory.recover
    patch.setattr(Memory, "recover", recover)


def recovery_not_repeated(patch: Patch) -> None:
    def recover(memory: Memory) -> None:
        log = memory.log
        memory.log = None
        if log is not None and log.complete:
            memory._write_cells(log)
            memory._clear_log()

    patch.setattr(Memory, "recover", recover)


def put_string_without_a_log(patch: Patch) -> None:
    def put_string(memory: Memory, cell: int, value: bytes) -> None:
        memory._write_cells(Log([], [(cell, value)]))

    patch.setattr(Memory, "put_string", put_string)


def two_transactions_for_numbers_and_strings(patch: Patch) -> None:
    def commit(memory: Memory, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        if numbers and strings:
            original(memory, numbers, [])
            original(memory, [], strings)
        else:
            original(memory, numbers, strings)

    def put_both(memory: Memory, cell: int, value: int, place: int, content: bytes) -> None:
        commit(memory, [(cell, value)], [(place, content)])

    original = Memory.commit
    patch.setattr(Memory, "commit", commit)
    patch.setattr(Memory, "put_both", put_both)


def new_pin_touches_the_certificate_pins(patch: Patch) -> None:
    def put_both(memory: Memory, cell: int, value: int, place: int, content: bytes) -> None:
        memory.commit([(cell, value), (len(memory.numbers) - 1, value)], [(place, content)])

    patch.setattr(Memory, "put_both", put_both)


def certificate_pins_touch_the_social_pin(patch: Patch) -> None:
    def put_number(memory: Memory, cell: int, value: int) -> None:
        own = len(memory.numbers) - 2
        memory.commit([(cell, value), *([(PIN_TRIES, value)] if cell >= own else [])], [])

    patch.setattr(Memory, "put_number", put_number)


def comparison_before_the_decrement(patch: Patch) -> None:
    def attempt(session: Any, tries: int, given: bytes) -> bool:
        if equal(given, session.memory.strings[PIN]):
            return True
        session.memory.put_number(PIN_TRIES, tries - 1)
        return False

    patch.setattr(pin, "_attempt", attempt)


def lock_lost_by_recovery(patch: Patch) -> None:
    def recover(memory: Memory) -> None:
        if memory.log is not None:
            for cell in range(CARD_BLOCKED + 1, CARD_BLOCKED + 8):
                memory.numbers[cell] = 0
        original(memory)

    original = Memory.recover
    patch.setattr(Memory, "recover", recover)


def statuses_survive_the_cut(patch: Patch) -> None:
    def begin(session: Session, *arguments: Any) -> None:
        original(session, *arguments)
        session.status = 1

    original = Session.__init__
    patch.setattr(Session, "__init__", begin)


class _Found(BaseException):
    """Ends a proof that has found what it was to find. No ``except Exception`` of the proof catches it."""


@contextmanager
def searching(name: str, invariant: str) -> Iterator[Proof]:
    """A proof that ends the block at its next step once it has found a violation of this invariant."""

    def look(proof: Proof) -> None:
        if any(found.invariant == invariant for found in proof.violations):
            raise _Found

    with suppress(_Found):
        yield Proof(name, 1, notify=look)
