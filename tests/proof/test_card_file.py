"""Crashes, power losses and failing disks under a card file: the store holds, and defects planted in it are found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proof.planted import searching
from sscard.chip.memory import MemoryFailure
from sscard.issuer.store import CardStore
from sscard.proof.cases import BEGIN_LOAD, CREDIT, MEDICAL, SSSE, VERIFY, WRONG_VERIFY
from sscard.proof.play import Play
from sscard.proof.report import Proof

pytest.importorskip("apsw", reason="pip install 'sscard[proof]'")

from sscard.proof.cardfile import AGAIN, Run, prove_card_file

Patch = pytest.MonkeyPatch

GUESSES = (SSSE, WRONG_VERIFY, VERIFY, WRONG_VERIFY)
LOAD = (*MEDICAL, BEGIN_LOAD, CREDIT)
TORN_LOAD = (*LOAD[:-1], f"cut 3 DURING {CREDIT}")


def commits_after_the_comparison(patch: Patch) -> None:
    """The store keeps a change when the next command begins."""

    def commit(store: CardStore, *change: Any) -> None:
        waiting.append(change)

    def reserve(store: CardStore) -> None:
        while waiting:
            original(store, *waiting.pop(0))
        before(store)

    waiting: list[Any] = []
    original, before = CardStore.commit, CardStore.reserve
    patch.setattr(CardStore, "commit", commit)
    patch.setattr(CardStore, "reserve", reserve)


def not_latched_after_a_failed_commit(patch: Patch) -> None:
    def fail(_store: CardStore, _error: Exception) -> None:
        raise MemoryFailure

    patch.setattr(CardStore, "_fail", fail)


def not_full_under_sync(patch: Patch) -> None:
    def begin(store: CardStore, stale: bool, *, sync: bool) -> None:
        original(store, stale, sync=False)

    original = CardStore._begin
    patch.setattr(CardStore, "_begin", begin)


def failed_commit_ignored(patch: Patch) -> None:
    patch.setattr(CardStore, "_fail", lambda _store, _error: None)


def cells_in_two_transactions(patch: Patch) -> None:
    def commit(store: CardStore, numbers: list[tuple[int, int]], strings: list[tuple[int, bytes]]) -> None:
        for number in numbers:
            original(store, [number], [])
        for string in strings:
            original(store, [], [string])

    original = CardStore.commit
    patch.setattr(CardStore, "commit", commit)


def log_of_the_memory_not_kept(patch: Patch) -> None:
    patch.setattr(CardStore, "keep_log", lambda _store, _log: None)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("plant", "invariant", "sweep", "sync", "script"),
    [
        (commits_after_the_comparison, "no-try-given-back", Run.crash, False, GUESSES),
        (not_latched_after_a_failed_commit, "same-operations", Run.fail, False, GUESSES),
        (failed_commit_ignored, "no-try-given-back", Run.fail, False, GUESSES),
        (not_full_under_sync, "no-try-given-back", Run.crash, True, GUESSES),
        (log_of_the_memory_not_kept, "money-conserved", Run.crash, False, TORN_LOAD),
        (cells_in_two_transactions, "money-conserved", Run.crash, False, LOAD),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_a_defect_of_the_store_is_found(
    monkeypatch: Patch,
    tmp_path: Path,
    plant: Callable[[Patch], None],
    invariant: str,
    sweep: Callable[[Run], None],
    sync: bool,
    script: tuple[str, ...],
) -> None:
    with searching("tears", invariant) as proof:
        run = Run(proof, Play(1, script=script), tmp_path, sync=sync, share=0.5)
        plant(monkeypatch)
        run.record()
        sweep(run)
    assert invariant in {found.invariant for found in proof.violations}


@pytest.mark.slow
def test_a_session_after_a_killed_one_is_interrupted_too(monkeypatch: Patch, tmp_path: Path) -> None:
    """A store that copies its stamp with the log of a killed session leaves a log that fits no file."""

    def copy_log(store: CardStore) -> None:
        if store in opened:
            original(store)
        opened.add(store)

    opened: set[CardStore] = set()
    original = CardStore._copy_log
    proof, play = Proof("tears", 1), Play(1)
    killed = Run(proof, play, tmp_path, sync=False, share=1)
    killed.record()
    following = Play(1, play.end, AGAIN)
    clean = Run(proof, following, tmp_path, sync=False, share=0.3, start=killed.killed)
    clean.record()
    clean.crash()
    assert proof.violations == []
    monkeypatch.setattr(CardStore, "_copy_log", copy_log)
    planted = Run(proof, following, tmp_path, sync=False, share=0.3, start=killed.killed)
    planted.record()
    planted.crash()
    assert {found.invariant for found in proof.violations} == {"file-opens"}


@pytest.mark.slow
def test_a_card_file_holds() -> None:
    proof = Proof("tears", 1)
    prove_card_file(proof, short=True)
    assert proof.violations == []
    assert min(proof.counts[what] for what in ("crashes", "power-losses", "failures", "opened")) > 20
    assert proof.counts["operations"] > 500
